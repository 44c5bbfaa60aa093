"""Studies simulated as predictions, of which the truth is known; no image is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from synthgen.evaluate.analysis.predictions import ArmKey, Predictions, StudyFacts, TrainedTrial
from synthgen.plan.manifest.evaluate import Strategy

LABELS = ("eczema", "psoriasis", "vitiligo")


@dataclass(frozen=True)
class Noise:
    """Standard deviations of random effects on the probit scale: of seeds, images, groups, and an arm with them."""

    seed: float = 0.15
    image: float = 1.0
    group: float = 0.0
    seed_of_arm: float = 0.1
    image_of_arm: float = 0.4
    group_of_arm: float = 0.0

    @property
    def total(self) -> float:
        """The standard deviation of a trial's hit on an image about its arm's mean, with the probit's own."""
        return float(np.sqrt(1 + sum(part**2 for part in vars(self).values())))

    def accuracy(self, level: float) -> float:
        """The true accuracy of an arm at a probit level, over all seeds and images."""
        return float(ndtr(level / self.total))

    def level(self, accuracy: float) -> float:
        """The probit level of an arm of this true accuracy."""
        from scipy.special import ndtri

        return float(ndtri(accuracy) * self.total)


def hits(
    rng: np.random.Generator, levels: Sequence[float], seeds: int, groups: NDArray[np.int64], noise: Noise
) -> NDArray[np.bool_]:
    """Whether each arm's trial of a seed is right on an image: (arms, seeds, images), crossed as in a study."""
    arms, images = len(levels), len(groups)
    effect = np.asarray(levels)[:, None, None] + noise.seed * rng.standard_normal((1, seeds, 1))
    effect = effect + noise.seed_of_arm * rng.standard_normal((arms, seeds, 1))
    effect = effect + noise.image * rng.standard_normal((1, 1, images))
    effect = effect + noise.group * rng.standard_normal(groups.max() + 1)[groups]
    effect = effect + noise.image_of_arm * rng.standard_normal((arms, 1, images))
    if noise.group_of_arm:
        effect = effect + noise.group_of_arm * rng.standard_normal((arms, 1, groups.max() + 1))[..., groups]
    return np.asarray(rng.random((arms, seeds, images)) < ndtr(effect))


def study(
    arms: Mapping[ArmKey, float],
    *,
    seeds: int = 5,
    images: int = 240,
    noise: Noise = Noise(),
    scale: str = "fitzpatrick",
    seed: int = 0,
    about: Mapping[str, object] | None = None,
    groups: NDArray[np.int64] | None = None,
    tones: NDArray[np.int64] | None = None,
) -> Predictions:
    """The predictions of a study whose arms have these true accuracies.

    Args:
        arms: The true accuracy of each.
        seeds: How many.
        images: How many test images, unless ``groups`` says.
        noise: The random effects.
        scale: Of the skin tones; empty for none.
        seed: Decides all draws.
        about: Changes what is said of the study.
        groups: The group of each image; one for each image where left out.
        tones: The skin tone of each image; drawn where left out.
    """
    of_group = np.arange(images) if groups is None else groups
    images = len(of_group)
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(images) % len(LABELS))
    right = hits(rng, [noise.level(value) for value in arms.values()], seeds, of_group, noise)
    right = right.reshape(-1, images)
    taken = np.where(right, labels, (labels + rng.integers(1, len(LABELS), right.shape)) % len(LABELS))
    logits = rng.standard_normal((*right.shape, len(LABELS)))
    np.put_along_axis(logits, taken[..., None], logits.max(-1, keepdims=True) + rng.random((*right.shape, 1)), -1)
    exponentials = np.exp(logits)
    trials = tuple(
        TrainedTrial(f"{arm.name}-{arm.strategy}-{arm.n_real}-{arm.ratio}-{draw}", *_fields(arm), draw, 400, _n(arm))
        for arm in arms
        for draw in range(seeds)
    )
    return Predictions(
        StudyFacts(**({"name": "simulated", "labels": LABELS, "scale": scale} | dict(about or {}))),
        trials,
        tuple(f"image-{number:04}" for number in range(images)),
        labels,
        (rng.integers(1, 7, images) if tones is None else tones) if scale else np.zeros(images, np.int64),
        tuple(f"patient-{number:04}" for number in of_group),
        (exponentials / exponentials.sum(-1, keepdims=True)).astype(np.float32),
    )


def _fields(arm: ArmKey) -> tuple[str, Strategy, int, float]:
    return arm.name, arm.strategy, arm.n_real, arm.ratio


def _n(arm: ArmKey) -> int:
    return int(arm.n_real * (1 + arm.ratio) * len(LABELS))
