"""A place in an ordering, and what every ordering offers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from synthgen.plan.real_index import Source


@dataclass(frozen=True, slots=True)
class Slot:
    """One place in an ordering: all of a sample that does not follow from its number alone.

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


Cell = tuple[str, int]


class Ordering(Protocol):
    """The samples of an entry in their order."""

    @property
    def samples(self) -> int:
        """How many samples there are."""

    @property
    def sizes(self) -> list[int]:
        """How many samples each run of them has that no work shard may straddle; they add up to all."""

    @property
    def cells(self) -> Mapping[Cell, int]:
        """How many samples each label and tone has."""

    @property
    def parts(self) -> "Sequence[Ordering]":
        """What the manifest asks for, and what each round makes beyond it; itself alone where there is no round."""

    def __getitem__(self, index: int) -> Slot:
        """The place of sample ``index``."""

    def find(self, name: str) -> int | None:
        """The index of the place with that name, without looking through them; ``None`` if there is none."""

    def content(self) -> dict[str, Any]:
        """What decides images beside the cells, as plain values for a digest."""

    def names_after(self, prefix: str) -> Iterator[str]:
        """The names that follow from ids of real images and begin with a prefix and a hyphen."""

    def part(self, label: str) -> "Ordering":
        """The places of one label, in the same order, under the same names."""


class ExtendableOrdering(Ordering, Protocol):
    """An ordering whose cells can be given more images than it has itself, as a top-up does."""

    def nth(self, cell: Cell, number: int) -> Slot:
        """The place of a cell's image of that number, also of one beyond the last."""

    def number(self, name: str) -> tuple[Cell, int] | None:
        """The cell of a name and its number there, also beyond the last; ``None`` if no image has such a name."""
