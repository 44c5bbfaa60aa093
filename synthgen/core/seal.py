"""A file's own sha256, within the file: whoever reads it sees whether any byte of it is another than was written.

The digest is over the whole file with 64 zeros in its own place. In JSON it is the last field, ``seal``, and the first
one, ``sealed``, says that there is to be one; in Parquet and safetensors it is in the metadata. Not a sum in a file
beside it, as of ``sha256sum``: a kill between the two would leave one of them behind. It tells damage; whoever edits a
file on purpose can seal it anew.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

KEY, MARK = "seal", "sealed"
OPEN = "seal-sha256:" + 64 * "0"
_PLACE = re.compile(rb"seal-sha256:([0-9a-f]{64})")
CHANGED = "changed since it was written"


def close(content: bytes) -> bytes:
    """A file's bytes with their digest in the last place for one.

    Raises:
        ValueError: They have no place for one.
    """
    start, stop = _place(content)
    return content[:start] + _digest(content, start, stop).encode() + content[stop:]


def is_sealed(content: bytes) -> bool:
    """Whether some bytes have a seal, whole or not."""
    return _PLACE.search(content) is not None


def is_whole(content: bytes) -> bool:
    """Whether the seal of some bytes is theirs; bytes without one are not whole."""
    if not is_sealed(content):
        return False
    start, stop = _place(content)
    return content[start:stop] == _digest(content, start, stop).encode()


def dumps(document: Mapping[str, Any]) -> bytes:
    """A document as indented JSON with its seal."""
    return close(json.dumps({MARK: True, **document, KEY: OPEN}, indent=1).encode())


def loads(content: bytes) -> dict[str, Any]:
    """The document that JSON holds, without its seal; whoever relies on it asks :func:`has_changed` too.

    Raises:
        ValueError: It is no JSON of an object.
    """
    document = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError(f"expected an object, found {type(document).__name__}")
    return {name: value for name, value in document.items() if name not in (MARK, KEY)}


def has_changed(content: bytes) -> bool:
    """Whether JSON was sealed, and is not what was; never that of an earlier version, which has no seal."""
    try:
        document = json.loads(content)
        asked = isinstance(document, dict) and bool({MARK, KEY} & document.keys())
    except ValueError:
        asked = any(f'"{name}":'.encode() in content for name in (MARK, KEY))
    return (asked or is_sealed(content)) and not is_whole(content)


def _place(content: bytes) -> tuple[int, int]:
    """Where the digits begin and end: a file may quote another's seal, and its own comes last."""
    places = [found.span(1) for found in _PLACE.finditer(content)]
    if not places:
        raise ValueError("no place for a seal")
    return places[-1]


def _digest(content: bytes, start: int, stop: int) -> str:
    digest = hashlib.sha256(content[:start])
    digest.update(b"0" * (stop - start))
    digest.update(content[stop:])
    return digest.hexdigest()
