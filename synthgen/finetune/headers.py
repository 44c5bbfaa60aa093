"""Headers of safetensors files in one order: the library writes what they tell in another order each time."""

import json
from pathlib import Path

from synthgen import durable


def sort(path: Path) -> None:
    """Write a safetensors file's header anew, its metadata sorted, so that the same tensors give the same bytes.

    The format is 8 bytes with the header's length, the header as JSON padded with blanks, and the tensors.
    """
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    if len(header.get("__metadata__", {})) < 2:
        return
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    durable.write(path, len(text).to_bytes(8, "little") + text + content[8 + length :])
