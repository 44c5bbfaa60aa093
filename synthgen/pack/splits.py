"""Which split a sample belongs to: decided by its group, so that children of one real image never straddle two."""

import hashlib
from collections.abc import Mapping
from typing import Any

from synthgen.manifest import Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def group(record: Mapping[str, Any]) -> str:
    """What has to stay together: the source's group, or else the source itself, or else the sample alone."""
    return str(record["source_group"] or record["source_id"] or record["key"])


def split(seed: int, group: str, fractions: Mapping[Split, float]) -> Split:
    """The split of a group: a hash of the manifest's seed and the group, as a point among the fractions."""
    digest = hashlib.blake2b(f"{seed}\0split\0{group}".encode(), digest_size=8).digest()
    point = int.from_bytes(digest, "big") / 2**64
    names = [name for name in SPLITS if name in fractions]
    for name in names:
        point -= fractions[name]
        if point < 0:
            return name
    return names[-1]
