"""Digests of files, and seeds, orders and fractions as hashes of what they are for.

What such a hash decides depends on its parts alone: neither on the order that things come in, nor on their neighbours,
nor on the state of a generator, nor on the machine. All of them are in runs and datasets that there are, so the bytes
that are hashed never change.
"""

from hashlib import blake2b, file_digest
from pathlib import Path


def sha256_file(path: Path) -> str:
    """The sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def stable_hash(*parts: object, separator: str = "\0", size: int = 8) -> bytes:
    """A hash of ``size`` bytes: BLAKE2b of the parts as texts.

    As a key to sort by it gives a shuffled order in which adding or moving items reorders none of the others.
    """
    return blake2b(separator.join(map(str, parts)).encode(), digest_size=size).digest()


def seed_from(*parts: object, separator: str = "\0") -> int:
    """A seed of 63 bits, so that torch and JSON both hold it."""
    return int.from_bytes(stable_hash(*parts, separator=separator), "big") >> 1


def fraction_from(*parts: object) -> float:
    """A number from 0 to 1, as if drawn evenly."""
    return int.from_bytes(stable_hash(*parts), "big") / 2**64
