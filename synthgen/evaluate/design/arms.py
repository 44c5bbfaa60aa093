"""What each arm of a study is: how many real and synthetic images a label it trains on, and how."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synthgen.plan.manifest.evaluate import SYNTHETIC, Arm, Evaluate


@dataclass(frozen=True, slots=True)
class Condition:
    """One trial of every seed, by its counts a label.

    Attributes:
        arm: Its arm.
        strategy: The entry that its synthetic images are of; empty for none.
        n_real: As of ``Trial``.
        ratio: As of ``Trial``.
        real: Real training images.
        among: The n whose draw of real images the generator may have seen; 0 where no image is synthetic.
        each: Synthetic images for each of those n.
        augmented: As of ``Trial``.
        duplicated: As of ``Trial``.
        matched: The images whose number of steps it trains for, where these are not its own; 0 where they are.
    """

    arm: Arm
    strategy: str
    n_real: int
    ratio: float
    real: int
    among: int = 0
    each: int = 0
    augmented: bool = False
    duplicated: int = 1
    matched: int = 0

    @property
    def counted(self) -> int:
        """The images a label that its steps follow, in protocol ``sagers2023``."""
        return self.matched or self.real * self.duplicated + self.among * self.each


def conditions(settings: Evaluate, entries: Sequence[str]) -> list[Condition]:
    """Every trial of a seed, by n and then by arm in the order asked; entries in the order given."""
    found = []
    for n in sorted(settings.n_real):
        for arm in settings.arms:
            found += list(_rows(arm, n, settings, entries))
    return found


def synthetic_sizes(settings: Evaluate) -> tuple[list[int], list[int]]:
    """Every n and every ratio that synthetic images are chosen for; half of an even n, and 1, for ``substitute``."""
    ns, ratios = set(settings.n_real), set(settings.ratios)
    if "substitute" in settings.arms:
        ns |= {n // 2 for n in ns if n % 2 == 0}
        ratios.add(1)
    return sorted(ns), sorted(ratios)


def uses_synthetic(settings: Evaluate) -> bool:
    """Whether an arm trains on synthetic images."""
    return not set(SYNTHETIC).isdisjoint(settings.arms)


def optimizer_steps(settings: Evaluate, images: int) -> int:
    """How long a trial trains: as long as all others, or so many epochs of its images, each with its last short batch.

    Args:
        settings: The study.
        images: That the steps follow, of all labels together.
    """
    if settings.protocol == "equal-steps":
        return settings.learner.optimizer_steps
    return settings.learner.epochs * math.ceil(images / settings.learner.batch_size)


def _rows(arm: Arm, n: int, settings: Evaluate, entries: Sequence[str]) -> Iterator[Condition]:
    if arm in ("real", "real+augment"):
        yield Condition(arm, "", n, 0, n, augmented=arm == "real+augment")
    elif arm == "substitute":
        for entry in entries:
            yield from _substitutes(entry, n)
    elif arm in ("real+synthetic", "synthetic-only"):
        for entry in entries:
            for ratio in sorted(settings.ratios):
                yield Condition(arm, entry, n, ratio, n if arm == "real+synthetic" else 0, n, ratio)
    else:
        for ratio in sorted(settings.ratios):
            yield from _controls(arm, n, ratio, settings)


def _controls(arm: Arm, n: int, ratio: int, settings: Evaluate) -> Iterator[Condition]:
    """What ``real+synthetic`` does beside its images being synthetic: as many images, as many steps."""
    total = n * (1 + ratio)
    if arm == "real-duplicated":
        yield Condition(arm, "", n, ratio, n, duplicated=1 + ratio)
    elif arm == "real-more":
        yield Condition(arm, "", n, ratio, total)
    elif settings.protocol != "equal-steps":  # where real itself has these steps already, it is that training
        yield Condition(arm, "", n, ratio, n, matched=total)


def _substitutes(entry: str, n: int) -> Iterator[Condition]:
    """Half, where n has one, and then all of n images replaced; none replaced is ``real``, which is designed anyway."""
    if n % 2 == 0:
        yield Condition("substitute", entry, n, 0.5, n // 2, n // 2, 1)
    yield Condition("substitute", entry, n, 1, 0, n, 1)
