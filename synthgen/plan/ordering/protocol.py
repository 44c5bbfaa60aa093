"""A place in a sequence, and what every sequence offers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from synthgen.plan.real_index import Source


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in a sequence.

    Attributes:
        name: What a sample's key says after its entry's name.
        label: The label of the image to make.
        tone: Its tone on the manifest's scale; 0 is unknown.
        source: The real image that it starts from in the end; ``None`` for none.
        parent: The key of the generated image that it starts from; empty for none.
    """

    name: str
    label: str
    tone: int
    source: Source | None = None
    parent: str = ""


class Ordering(Protocol):
    """What every sequence offers."""

    @property
    def samples(self) -> int:
        """How many samples there are."""

    @property
    def sizes(self) -> list[int]:
        """How many samples each run of them has that no work shard may straddle; they add up to all."""

    @property
    def cells(self) -> Mapping[tuple[str, int], int]:
        """How many samples each label and tone has."""

    def __getitem__(self, index: int) -> Slot:
        """The place of sample ``index``."""

    def find(self, name: str) -> int | None:
        """The index of the place with that name, without looking through them; ``None`` if there is none."""

    def content(self) -> dict[str, Any]:
        """What decides images beside the cells, as plain values for a digest."""

    def part(self, label: str) -> "Ordering":
        """The places of one label, in the same order, under the same names."""
