"""Where :class:`synthgen.Record` was before 0.2.0; this goes in the release after it."""

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    """The record's class, with a warning that says where it is now."""
    if name != "Record":
        raise AttributeError(f"module `synthgen.sample` has no attribute `{name}`")
    from synthgen.plan.sample import Record

    warnings.warn("synthgen.sample.Record is synthgen.Record now", DeprecationWarning, stacklevel=2)
    return Record
