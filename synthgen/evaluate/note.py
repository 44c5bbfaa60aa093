"""A sentence that a reader of a study's report has to know, and whether it can turn a conclusion around."""

from dataclasses import dataclass
from typing import Self

_BOLD = "**"


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence or more that a study says of itself.

    Attributes:
        text: It; names are in backquotes.
        serious: Whether it can turn a conclusion around, so that it comes first and is bold.
    """

    text: str
    serious: bool = False

    @classmethod
    def from_markdown(cls, text: str) -> Self:
        """The note that ``predictions.parquet`` holds as Markdown."""
        serious = len(text) > 2 * len(_BOLD) and text.startswith(_BOLD) and text.endswith(_BOLD)
        return cls(text.removeprefix(_BOLD).removesuffix(_BOLD) if serious else text, serious)

    @property
    def markdown(self) -> str:
        """As ``predictions.parquet`` holds it: in bold as a whole where it is serious."""
        return f"{_BOLD}{self.text}{_BOLD}" if self.serious else self.text

    @property
    def plain(self) -> str:
        """Its text without backquotes."""
        return self.text.replace("`", "")


GENERATORS_SAW_ALL = Note(
    "generator_pool: all. Generators may have seen real images that a trial's classifier did not; what a trial gains "
    "may be those images, not synthesis.",
    serious=True,
)

SOURCES_ALL = Note(
    "source_pool: all. Images that are made from real images may start from some that a trial's classifier did not "
    "see; what a trial gains may be those images, not synthesis.",
    serious=True,
)
