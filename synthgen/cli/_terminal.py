"""Text from elsewhere as a terminal may show it: names and values of strangers' data can hold what steers one.

Not rich's or click's: they take colours out, and leave the rest that a terminal obeys, and what reorders letters.
"""

import logging
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any

import click

_STAYS = "\n\t"
_STEERS = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, formats such as writing from right to left, halves of characters


def plain(text: str) -> str:
    """A text with each such character written out, as an escape of Python."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(letter) for letter in text)


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print a text that may quote what is from elsewhere."""
    click.echo(plain(text), err=err, nl=nl)


def show(*shown: Any, piped_width: int | None = None) -> None:
    """Print tables of rich's, and texts, which are never its markup; what is in either may be from elsewhere.

    Args:
        shown: Each is printed below the one before.
        piped_width: How wide tables may be where nobody sees a terminal's width.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else piped_width)
    for one in shown:
        console.print(_Plain(Text(one) if isinstance(one, str) else one))


class _Plain:
    """What rich lays out, with what steers a terminal written out in each piece of its text."""

    def __init__(self, shown: Any) -> None:
        self._shown = shown

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        for piece in console.render(self._shown, options):
            yield piece if piece.control else piece._replace(text=plain(piece.text))


class PlainFormatter(logging.Formatter):
    """Formats a line of the log, which may quote such text."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return plain(super().format(record))


def _shown(letter: str) -> str:
    steers = letter not in _STAYS and unicodedata.category(letter) in _STEERS
    return letter.encode("unicode_escape").decode() if steers else letter
