"""Numbers drawn from the key alone: for tests, without looking at an image."""

import hashlib
from collections.abc import Mapping

from synthgen.documents import Strict

COLUMNS: Mapping[str, str] = {
    "value": "A number from 0 to 1, evenly spread, that follows from the key.",
    "other": "Another one.",
}


class Settings(Strict):
    """Nothing can be set."""


def of(key: str) -> dict[str, float]:
    """The columns of the image with that key."""
    draws = hashlib.blake2b(f"fake\0{key}".encode(), digest_size=16).digest()
    return {name: int.from_bytes(draws[8 * i : 8 * i + 8], "big") / 2**64 for i, name in enumerate(COLUMNS)}
