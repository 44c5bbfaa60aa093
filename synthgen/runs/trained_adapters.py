"""The adapters that lie in a run, and those of them that its plan wants trained otherwise."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synthgen.core import adapter_folder
from synthgen.plan import Plan


@dataclass(frozen=True, slots=True)
class OtherAdapter:
    """An adapter in a run that is of another recipe, or of other real images, than the plan asks for.

    Attributes:
        name: Its name.
        folder: Where it lies.
        digest: The digest that it has.
        shown: How many real images it was shown.
        gone: How many of these it would be shown no more.
        new: How many it would be shown beyond them.
        entries: The entries whose images wait for it to be trained again.
        steps: How many optimizer steps it has, where the plan asks for the same training of another length that can
            go on from there; ``None`` where it does not.
    """

    name: str
    folder: Path
    digest: str
    shown: int
    gone: int
    new: int
    entries: tuple[str, ...]
    steps: int | None = None

    def __str__(self) -> str:
        """What sets it apart, and what waits for it."""
        what = "is of another recipe" if self.steps is None else f"has {self.steps:,} steps and is asked for others"
        if self.gone or self.new:
            what = f"has seen {self.gone:,} of its {self.shown:,} real images that are planned no more"
            what += f", and {self.new:,} it has not" if self.new else ""
        entries = ", ".join(f"`{name}`" for name in self.entries)
        again = "again" if self.steps is None else "on"
        return f"adapter `{self.name}` {what}" + (f"; it is to be trained {again} for {entries}" if entries else "")


def others(plan: Plan, root: Path) -> Iterator[OtherAdapter]:
    """Each adapter of a run that its plan wants trained again.

    Raises:
        DamagedError: The facts of one can't be read.
    """
    for name, adapter_plan in plan.adapter_plans.items():
        folder = root / adapter_folder.FOLDER / name
        if not folder.exists():
            continue
        facts = adapter_folder.read(folder)
        if facts["digest"] == adapter_plan.adapter.digest:
            continue
        before, after = set(facts["pool"]["ids"]), {one.id for one in adapter_plan.pool}
        used = (entry.name for entry in plan.entries.values() if adapter_plan.adapter in entry.adapters.values())
        same = facts.get("seed_digest") == adapter_plan.seed_digest
        yield OtherAdapter(
            name, folder, facts["digest"], len(before), len(before - after), len(after - before), tuple(used),
            facts["steps"] if same else None,
        )  # fmt: skip
