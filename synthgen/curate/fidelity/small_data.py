"""What a fidelity report can say of few images: in three lines, in place of tables of dashes."""

import math
from collections.abc import Iterator, Sequence

from synthgen.curate.fidelity.groups import ALL
from synthgen.curate.fidelity.measure import MEMORISED, NONE, Measurement
from synthgen.curate.fidelity.tables import TITLES
from synthgen.vision.metrics import MINIMUM


def lines(rows: Sequence[Measurement]) -> Iterator[str]:
    """How few images there are, what they can show, and what the rest takes; nothing where there are enough.

    Args:
        rows: The measurements of a report.
    """
    of_all = [row for row in rows if row.group.scope == ALL and row.reference != NONE]
    made = max((row.n for row in of_all if row.measure == MEMORISED), default=0)
    real = {
        split: max((row.references for row in of_all if row.reference == split), default=0)
        for split in ("train", "test")
    }
    if not of_all or min(made, *real.values()) >= MINIMUM:
        return
    counts = f"{made:,} generated, {real['train']:,} real training and {real['test']:,} real test images"
    yield f"{counts}: too few for most of this report, which takes {MINIMUM} of each."
    known = [TITLES[row.measure] for row in of_all if not math.isnan(row.generated.value)]
    measured = ", ".join(dict.fromkeys(known))
    yield (
        f"What they can show is {f'{measured}, and ' if measured else ''}beside which training image each of the "
        "nearest ones lies (panels.png), where a copy would be seen."
    )
    wanted = [f"{MINIMUM - made} generated images more"] if made < MINIMUM else []
    few = {split: MINIMUM - count for split, count in real.items() if count < MINIMUM}
    wanted += [f"{count} usable real images more in split {split} (`real.splits`)" for split, count in few.items()]
    yield f"The rest takes {'; '.join(wanted)}."


def unmeasured(rows: Sequence[Measurement]) -> list[str]:
    """The groups of which nothing could be measured, by name."""
    known = {row.group.name for row in rows if not math.isnan(row.generated.value)}
    return [name for name in dict.fromkeys(row.group.name for row in rows) if name not in known]
