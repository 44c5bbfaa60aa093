"""Text from elsewhere as a terminal may show it: names and values of strangers' data can hold what steers one.

Not rich's or click's: they take colours out, and leave the rest that a terminal obeys, and what reorders letters.
"""

import logging
import unicodedata

import click

_STAYS = "\n\t"
_STEERS = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, formats such as writing from right to left, halves of characters


def plain(text: str) -> str:
    """A text with each such character written out, as an escape of Python."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(letter) for letter in text)


def say(text: str, *, err: bool = False) -> None:
    """Print a text that may quote what is from elsewhere."""
    click.echo(plain(text), err=err)


class PlainFormatter(logging.Formatter):
    """Formats a line of the log, which may quote such text."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return plain(super().format(record))


def _shown(letter: str) -> str:
    steers = letter not in _STAYS and unicodedata.category(letter) in _STEERS
    return letter.encode("unicode_escape").decode() if steers else letter
