"""What a plan will take: images, disk and time, from what this machine measured last."""

from dataclasses import asdict, dataclass
from typing import Any

from synthgen import rates, skin_tones
from synthgen.plan import Plan


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a plan makes and takes.

    Attributes:
        samples: Images.
        shards: Work shards.
        bytes: Bytes of work shards on disk; packing needs as much again.
        seconds: Time to make them; ``None`` where this machine measured nothing like it.
        cells: Images of each entry, label and skin tone.
    """

    samples: int
    shards: int
    bytes: int
    seconds: float | None
    cells: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return asdict(self)


def forecast(plan: Plan) -> Forecast:
    """Forecast a plan."""
    document = plan.manifest.document
    stored, seconds, cells = 0, 0.0, []
    known = True
    for entry in plan.entries.values():
        stored += rates.stored(entry.recipe, document.output.image_format, entry.samples)
        took = rates.seconds(entry.recipe, document.output.image_format, entry.samples)
        known = known and took is not None
        seconds += took or 0.0
        cells += [
            {
                "entry": entry.name,
                "label": cell.label,
                "skin_tone": skin_tones.name(document.skin_tones.scale, cell.tone),
                "samples": cell.count,
            }
            for cell in entry.cells
        ]
    return Forecast(plan.samples, plan.shards, stored, round(seconds, 1) if known else None, cells)
