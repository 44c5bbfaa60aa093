"""What became of a run's images, cell by cell: how many survive, how many each reason rejects, what a quota lacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synthgen.curate import parity
from synthgen.curate.parity import LabelParity
from synthgen.curate.rules import Verdicts
from synthgen.plan import Plan, skin_tones
from synthgen.plan.manifest import Curation
from synthgen.runs.verdicts import CurationSummary, Ratio


@dataclass(frozen=True, slots=True)
class CellSurvivors:
    """How many images of one cell were planned, judged, kept and accepted.

    Attributes:
        entry: The entry.
        label: The label.
        tone: The tone, a value on the manifest's scale.
        skin_tone: The tone as records write it.
        planned: Images planned.
        judged: Images that could be made, and so were judged.
        kept: Of these, kept by the rules and ``best``; a quota is counted by it.
        accepted: Of these, accepted in the end.
        rejected: How many each reason rejected; an image may have several.
        lacking: How many more the quota asks for.
    """

    entry: str
    label: str
    tone: int
    skin_tone: str
    planned: int
    judged: int
    kept: int
    accepted: int
    rejected: Mapping[str, int]
    lacking: int


@dataclass(frozen=True, slots=True)
class Survivors:
    """What became of a run's images: the survivors of every cell.

    Attributes:
        facts: What is kept with the verdicts.
        cells: Every cell of the plan.
        max_ratio: What a filter's ratio may be at the most.
        requires_parity: Whether the manifest asks that none is above it.
    """

    facts: CurationSummary
    cells: Sequence[CellSurvivors]
    max_ratio: float
    requires_parity: bool
    by_label: Sequence[LabelParity] = ()

    @property
    def lacking(self) -> list[CellSurvivors]:
        """The cells that lack accepted images."""
        return [cell for cell in self.cells if cell.lacking]

    @property
    def uneven(self) -> list[Ratio]:
        """The filters that are known to reject dark skin more often than light skin, in all labels or in one."""
        told_apart = {one.reason: one.uneven(self.max_ratio) for one in self.by_label}
        return [one for one in self.facts.parity if told_apart.get(one.reason, one.low > self.max_ratio)]


def count_survivors(plan: Plan, curation: Curation, verdicts: Verdicts, summary: CurationSummary) -> Survivors:
    """The survivors of each cell of a plan, counted."""
    images, quota = verdicts.images, curation.written.quota or 0
    judged, kept, accepted = images.count(), images.count(verdicts.kept), images.count(verdicts.accepted)
    rejected = {reason: images.count(mask) for reason, mask in verdicts.rejected.items()}
    planned = [cell.count for entry in plan.entries.values() for cell in entry.cells]
    scale = plan.manifest.document.skin_tones.scale
    cells = [
        CellSurvivors(
            entry=entry,
            label=label,
            tone=tone,
            skin_tone=skin_tones.name(scale, tone),
            planned=planned[number],
            judged=int(judged[number]),
            kept=int(kept[number]),
            accepted=int(accepted[number]),
            rejected={reason: int(counts[number]) for reason, counts in rejected.items()},
            lacking=max(0, quota - int(kept[number])),
        )
        for number, (entry, label, tone) in enumerate(images.cells)
    ]
    wanted = curation.written.parity
    return Survivors(summary, cells, wanted.max_ratio, wanted.required, parity.by_label(verdicts, scale))
