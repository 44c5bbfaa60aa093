"""The near-duplicate audit of a run or dataset: what it found, and how card and ``provenance.json`` say so."""

from dataclasses import dataclass

_NOT_DONE = "not done"
_NOTHING_TO_COMPARE = f"{_NOT_DONE}: no real images were used"


@dataclass(frozen=True, slots=True)
class Audit:
    """A comparison of every generated image with the real ones; where none was made there is no audit at all.

    Attributes:
        found: What it found, in one sentence without its full stop.
    """

    found: str


def text(audit: Audit | None, *, real_images: bool) -> str:
    """What card and provenance say of an audit: what it found, or that it was not done.

    Args:
        audit: The audit; ``None`` where none was made.
        real_images: Whether real images were used, so that there was something to compare with.
    """
    if audit:
        return audit.found
    return _NOT_DONE if real_images else _NOTHING_TO_COMPARE


def from_provenance(recorded: object) -> Audit | None:
    """The audit that ``near_copy_audit`` of a provenance records; ``None`` where it says that none was done.

    The field holds the text of :func:`text`; others may have put there whatever their own comparison gave.
    """
    if isinstance(recorded, str) and recorded.strip().lower().startswith(_NOT_DONE):
        return None
    return Audit(str(recorded)) if recorded else None
