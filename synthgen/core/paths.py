"""Paths as people write them."""

from pathlib import Path

from synthgen.errors import Fault, ManifestError


def expanded(written: str, where: str) -> Path:
    """A path with the home that ``~`` stands for.

    Args:
        written: It.
        where: The place that says it, as faults call it.

    Raises:
        ManifestError: There is no such user, or nobody knows where their home is.
    """
    try:
        return Path(written).expanduser()
    except RuntimeError:
        said = f"`{written[:80]}`: nobody knows the home that `~` stands for here; write the path out"
        raise ManifestError(Fault.at(where, said, "not_found")) from None
