"""Which split a sample belongs to: decided by its group, so that children of one real image never straddle two."""

from collections.abc import Mapping
from typing import Any

from synthgen.real import SPLITS
from synthgen.real import split_of as split

__all__ = ["SPLITS", "group", "split"]


def group(record: Mapping[str, Any]) -> str:
    """What has to stay together: the source's group, or else the source itself, or else the sample alone."""
    return str(record["source_group"] or record["source_id"] or record["key"])
