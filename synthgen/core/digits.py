"""Whole numbers in texts from elsewhere: ``str.isdigit`` is true of ``²`` too, which ``int`` refuses."""

_MOST = 18  # digits that fit into 64 bits


def whole(text: str) -> int | None:
    """The number that a text of plain digits is; ``None`` for any other text, and for one of more digits than 18."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST else None
