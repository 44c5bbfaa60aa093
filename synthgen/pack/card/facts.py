"""What a card is filled from: counts and summaries, never samples, so that its cost does not grow with the dataset.

They are counted in :mod:`synthgen.pack.shuffle` and :mod:`synthgen.pack.inventory` on the way, and become the
template's placeholders in :mod:`synthgen.pack.card.values`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from synthgen.plan import Plan
from synthgen.plan.manifest import Layout
from synthgen.runs import audit, verdicts
from synthgen.runs.cell import Cell


@dataclass(slots=True)
class Summary:
    """What the receipts of one entry add up to.

    Attributes:
        images: Images made.
        failed: Images that could not be made.
        repeated: Images, and failures, that took more than one try.
        environment: What the first of them was made with and on, and every adapter that any of them was made with.
    """

    images: int = 0
    failed: int = 0
    repeated: int = 0
    environment: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Size:
    """How many images a split has, and in how many shards."""

    images: int
    shards: int


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a card is filled from.

    Attributes:
        plan: The plan.
        entries: What became of each entry; one of which nothing is there may be missing.
        counts: Packed images of each cell.
        splits: The size of each split, in the order train, validation, test.
        digest: The dataset's digest.
        layout: How the dataset is laid out.
        sources: The (dataset, licence) pairs of the real images that images were made from.
        judged: What its filters rejected; ``None`` where nothing was filtered.
        attributes: Packed images of each value of what is known of real images, by name, value and skin tone.
        withheld: Whether the manifest in the dataset lacks where its real images are.
        placeless: Whether it lacks where a model or a plug-in is.
        renamed: Whether real images go by pseudonyms, so that nobody without the run can tell which they are.
    """

    plan: Plan
    entries: Mapping[str, Summary]
    counts: Mapping[Cell[str], int]
    splits: Mapping[str, Size]
    digest: str
    layout: Layout = "webdataset"
    sources: Sequence[tuple[str, str]] = ()
    judged: verdicts.CurationSummary | None = None
    attributes: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    withheld: bool = False
    placeless: bool = False
    renamed: bool = False

    @property
    def images(self) -> int:
        """Images in all."""
        return sum(self.counts.values())

    @property
    def audit_text(self) -> str:
        """What the near-duplicate audit found, or that it was not done."""
        return audit.text(self.judged.audit if self.judged else None, real_images=bool(self.sources))
