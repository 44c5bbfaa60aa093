"""What a plan will take: images, disk and time, from what this machine measured last."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from synthgen.plan import Plan, real_account, skin_tones, throughput


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a plan makes and takes.

    Attributes:
        samples: Images.
        shards: Work shards.
        bytes: Bytes of work shards on disk; packing needs as much again.
        seconds: Time to make them; ``None`` where this machine measured nothing like it.
        measured: The images that the time follows from, of the entry of which the fewest were made; 0 where it does
            not follow from any of this machine.
        cells: Images of each entry, label and skin tone.
        real: The account of the real images that it starts from, as of
            :meth:`synthgen.plan.real_index.Index.account`; ``None`` where it starts from none.
        real_images: More of them: ``cells`` with the images of each label, skin tone and split, ``examples`` of each
            reason for which some are left out, and ``warnings`` of what is missing.
    """

    samples: int
    shards: int
    bytes: int
    seconds: float | None
    cells: list[dict[str, Any]]
    real: dict[str, dict[str, int]] | None
    real_images: dict[str, Any] | None = None
    measured: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON; ``real``, ``real_images`` and ``measured`` only where they say something."""
        left_out = {name for name in ("real", "real_images") if getattr(self, name) is None}
        left_out |= set() if self.measured else {"measured"}
        return {key: value for key, value in asdict(self).items() if key not in left_out}


def forecast(plan: Plan, elsewhere: Mapping[str, float | None] | None = None) -> Forecast:
    """What a plan will make: images, shards, disk and time, as far as they can be told before.

    Args:
        plan: The plan.
        elsewhere: Seconds that each entry takes on another device, by its name, ``None`` where that is not known; as
            this machine measured if left out.
    """
    document = plan.manifest.document
    stored, seconds, cells, measured = 0, 0.0, [], list[int]()
    known = True
    for entry in plan.entries.values():
        stored += throughput.stored(entry.recipe, document.output.image_format, entry.samples)
        if elsewhere is None:
            took = throughput.seconds(entry.recipe, document.output.image_format, entry.samples)
        else:
            took = elsewhere.get(entry.name)
        known = known and took is not None
        measured.append(throughput.images(entry.recipe, document.output.image_format) if elsewhere is None else 0)
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
    account = plan.index.account() if plan.index else None
    real_images = None
    if plan.index:
        real_images = {
            "cells": real_account.cells(plan.index, document.skin_tones.scale),
            "examples": real_account.examples(plan.index),
            "warnings": [*plan.index.notes, *real_account.warnings(plan.index, document.labels)],
        }
    expected = round(seconds, 1) if known else None
    fewest = min(measured, default=0) if known else 0
    return Forecast(plan.samples, plan.shards, stored, expected, cells, account, real_images, fewest)
