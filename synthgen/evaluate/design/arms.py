"""The trials that each arm of a study asks for: how many real and synthetic images a label they train on, and how."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synthgen.plan.manifest.evaluate import SYNTHETIC, Arm, Evaluate, Strategy
from synthgen.plan.manifest.primary import AUGMENTED


@dataclass(frozen=True, slots=True)
class Condition:
    """One trial of every seed, by how many images of each label it trains on.

    With n = 8, ratio 4 and one strategy the conditions are:

    | arm               | n_real, ratio | real_images | synthetic_n x synthetic_ratio | matched | trains on           |
    |-------------------|---------------|-------------|-------------------------------|---------|---------------------|
    | real              | 8, 0          | 8           | 0 x 0                         | 0       | 8 real              |
    | real-duplicated   | 8, 4          | 8           | 0 x 0                         | 0       | 5 times 8 real      |
    | real-more         | 8, 4          | 40          | 0 x 0                         | 0       | 40 real             |
    | real-step-matched | 8, 4          | 8           | 0 x 0                         | 40      | 8, for steps of 40  |
    | real+synthetic    | 8, 4          | 8           | 8 x 4                         | 0       | 8 and 32 synthetic  |
    | synthetic-only    | 8, 4          | 0           | 8 x 4                         | 0       | 32 synthetic        |
    | substitute        | 8, 0.5        | 4           | 4 x 1                         | 0       | 4 and 4 synthetic   |
    | substitute        | 8, 1          | 0           | 8 x 1                         | 0       | 8 synthetic         |
    | permuted-labels   | 8, 4          | 8           | 8 x 4                         | 0       | 8 and 32 synthetic  |

    The half of ``substitute`` has the 4 real images of the draw of 4, and synthetic ones whose generator saw no others.
    Arms that end in ``+augment`` are as those without, with all of their images augmented. ``permuted-labels`` is as
    ``real+synthetic``, with the labels of synthetic images permuted within each skin tone. A ratio that is no integer
    gives the nearest number of images; where that is none there is no trial, and no image is duplicated in part.

    Attributes:
        arm: Its arm.
        strategy: What its synthetic images are of; none where no image is synthetic.
        n_real: As of ``Trial``.
        ratio: As of ``Trial``.
        real_images: Real training images a label.
        synthetic_n: The n whose draw of real images the generator may have seen; 0 where no image is synthetic.
        synthetic_ratio: Synthetic images for each of those n.
        augmented: As of ``Trial``.
        duplicated: As of ``Trial``.
        permuted: Whether synthetic images have each other's labels.
        matched: The images a label whose number of steps it trains for, where these are not its own; 0 where they are.
    """

    arm: Arm
    strategy: Strategy
    n_real: int
    ratio: float
    real_images: int
    synthetic_n: int = 0
    synthetic_ratio: float = 0
    augmented: bool = False
    duplicated: int = 1
    permuted: bool = False
    matched: int = 0

    @property
    def synthetic_images(self) -> int:
        """The synthetic images a label that it should have."""
        return added(self.synthetic_n, self.synthetic_ratio)

    @property
    def counted_images(self) -> int:
        """The images a label that its steps follow, in protocol ``sagers2023``."""
        return self.matched or self.real_images * self.duplicated + self.synthetic_images


_NONE = Strategy()


def added(n: int, ratio: float) -> int:
    """How many images a ratio adds to n."""
    return round(n * ratio)


def conditions(settings: Evaluate, strategies: Sequence[Strategy]) -> list[Condition]:
    """Every trial of a seed, by n and then by arm in the order asked; strategies in the order given."""
    found = []
    for n in sorted(settings.n_real):
        for arm in settings.arms:
            found += list(_conditions(arm, n, settings, strategies))
    return found


def synthetic_sizes(settings: Evaluate) -> tuple[list[int], list[float]]:
    """Every n and every ratio that synthetic images are chosen for; half of an even n, and 1, for ``substitute``."""
    ns, ratios = set(settings.n_real), set(settings.ratios)
    if any(_base(arm) == "substitute" for arm in settings.arms):
        ns |= {n // 2 for n in ns if n % 2 == 0}
        ratios.add(1)
    return sorted(ns), sorted(ratios)


def uses_synthetic(settings: Evaluate) -> bool:
    """Whether an arm trains on synthetic images."""
    return not set(SYNTHETIC).isdisjoint(settings.arms)


def optimizer_steps(settings: Evaluate, images: int) -> int:
    """The optimizer steps of a trial: those of all others, or so many epochs of its images in batches, the last short.

    Args:
        settings: The study.
        images: That the steps follow, of all labels together.
    """
    if settings.protocol == "equal-steps":
        return settings.learner.optimizer_steps
    return settings.learner.epochs * math.ceil(images / settings.learner.batch_size)


def _base(arm: Arm) -> str:
    """The arm without its augmentation."""
    return arm.removesuffix(AUGMENTED)


def _conditions(arm: Arm, n: int, settings: Evaluate, strategies: Sequence[Strategy]) -> Iterator[Condition]:
    base, augmented = _base(arm), arm.endswith(AUGMENTED)
    if base == "real":
        yield Condition(arm, _NONE, n, 0, n, augmented=augmented)
    elif base == "substitute":
        for strategy in strategies:
            yield from _substitutes(arm, strategy, n, augmented=augmented)
    elif base in ("real+synthetic", "synthetic-only", "permuted-labels"):
        real, permuted = 0 if base == "synthetic-only" else n, base == "permuted-labels"
        for strategy in strategies:
            for ratio in sorted(settings.ratios):
                if added(n, ratio):
                    yield Condition(arm, strategy, n, ratio, real, n, ratio, augmented=augmented, permuted=permuted)
    else:
        for ratio in sorted(settings.ratios):
            if added(n, ratio):
                yield from _controls(arm, n, ratio, settings)


def _controls(arm: Arm, n: int, ratio: float, settings: Evaluate) -> Iterator[Condition]:
    """The trials that do all that ``real+synthetic`` does but for its images: as many images, or as many steps."""
    total = n + added(n, ratio)
    if arm == "real-duplicated":
        if isinstance(ratio, int):
            yield Condition(arm, _NONE, n, ratio, n, duplicated=1 + ratio)
    elif _base(arm) == "real-more":
        yield Condition(arm, _NONE, n, ratio, total, augmented=arm.endswith(AUGMENTED))
    elif settings.protocol != "equal-steps":  # where real itself has these steps already, it is that training
        yield Condition(arm, _NONE, n, ratio, n, matched=total)


def _substitutes(arm: Arm, strategy: Strategy, n: int, *, augmented: bool) -> Iterator[Condition]:
    """Half, where n has one, and then all of n images replaced; none replaced is ``real``, which is designed anyway."""
    if n % 2 == 0:
        yield Condition(arm, strategy, n, 0.5, n // 2, n // 2, 1, augmented=augmented)
    yield Condition(arm, strategy, n, 1, 0, n, 1, augmented=augmented)
