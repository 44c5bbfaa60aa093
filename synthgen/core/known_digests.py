"""The sha256 of large files, kept in the user's cache folder, so that not every process reads tens of gigabytes.

A digest counts as long as the file has the same place, size, inode and times, of which nobody can set the time of its
last change (``ctime``) back. Unlike ``huggingface_hub``'s cache it is of files wherever they lie.
"""

import json
import os
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from synthgen.core import atomic
from synthgen.core.hashing import sha256_file

_LARGE = 64 << 20  # bytes, below which reading is quicker than asking
_SETTLED = 2.0  # seconds after which a file system's clock tells a change from the one before


def sha256_large(path: Path) -> str:
    """The sha256 of a file's bytes, in hex; of a large one that was read before without reading it."""
    before = path.stat()
    if before.st_size < _LARGE:
        return sha256_file(path)
    place, told = _place(path), _told(path, before)
    if place is not None:
        with suppress(OSError, ValueError):
            kept = json.loads(place.read_bytes())
            if isinstance(kept, dict) and kept.get("file") == told and len(str(kept.get("sha256", ""))) == 64:
                return str(kept["sha256"])
    found = sha256_file(path)
    settled = time.time() - max(before.st_mtime, before.st_ctime) > _SETTLED
    if place is not None and settled and _told(path, path.stat()) == told:
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            atomic.write(place, json.dumps({"file": told, "sha256": found}).encode())
    return found


def _place(path: Path) -> Path | None:
    """Where the digest of a file is kept; ``None`` where there is no cache folder, as nobody's home."""
    from platformdirs import user_cache_path

    try:
        folder = user_cache_path("synthgen") / "digests"
    except RuntimeError:
        return None
    return folder / f"{sha256(os.fsencode(path.resolve())).hexdigest()[:32]}.json"


def _told(path: Path, status: os.stat_result) -> list[str | int]:
    """What has to be as it was."""
    return [os.fspath(path.resolve()), status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]
