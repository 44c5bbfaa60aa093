"""Linear probes: a linear head on frozen features, all its L2 strengths trained side by side as one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthgen.errors import InputError
from synthgen.vision.classifiers.fit_result import FitResult, balanced, check

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.core.types import Floats, Rows

_FARTHEST = 5.0  # standard deviations: beyond, a feature is cut, as after few images its deviation is hardly known


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How a probe is trained.

    Attributes:
        optimizer_steps: The budget, spent to the last step.
        learning_rate: AdamW's at the start; it falls to 0 along a cosine.
        strengths: Decoupled weight decays (L2 strengths) to choose from on validation.
    """

    optimizer_steps: int
    learning_rate: float = 0.1
    strengths: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def probe(
    features: Floats,
    labels: Rows,
    batches: Iterable[Rows],
    *,
    validation: Rows,
    test: Rows,
    settings: ProbeSettings,
    classes: int,
    tuned: Rows | None = None,
) -> FitResult:
    """The probabilities that a linear head, trained by AdamW, gives of validation and test rows.

    AdamW is that of Loshchilov and Hutter 2019. Features are standardised by the training rows as they are drawn and
    cut at five standard deviations. Weights start at zero, so nothing but ``batches`` is random. The strength with the
    least class-balanced log loss on validation is chosen, of equal ones the strongest.

    Args:
        features: Frozen features of every image, float32, shape (n, dim).
        labels: The class of every image, 0 to ``classes - 1``, shape (n,).
        batches: The rows of each batch, as of :func:`synthgen.vision.classifiers.batches`; as many as there are steps.
        validation: Rows that the strength is chosen on.
        test: Rows whose probabilities are asked for.
        settings: How it is trained.
        classes: How many classes there are.
        tuned: The places among the validation rows that the strength is chosen on; all where left out.

    Raises:
        InputError: The batches are not as many as the budget, or rows, labels or features can't be learned from.
    """
    import torch

    plan = [torch.from_numpy(rows) for rows in batches]
    _check(features, labels, len(plan), settings)
    check(labels, classes, validation, test)
    rows, places = _distinct(torch.cat(plan))
    training, (held_out, asked) = _standardised(features, rows, places, (validation, test))
    targets = torch.from_numpy(labels)[rows]
    head = _Head(training.shape[1], classes, settings)
    for batch in places.split([len(rows) for rows in plan]):  # type: ignore[no-untyped-call]
        head.step(training[batch], targets[batch])
    found = head.probabilities(held_out)
    asked_of = slice(None) if tuned is None else tuned
    best = _best(found[asked_of], labels[validation][asked_of], settings.strengths)
    answer = head.probabilities(asked)[:, best]
    return FitResult(found[:, best].numpy(), answer.numpy(), head.steps, settings.strengths[best])


class _Head:
    """Linear heads, one a strength, in one matrix of shape (dim, strengths * classes); the last input is the bias."""

    def __init__(self, dim: int, classes: int, settings: ProbeSettings) -> None:
        import torch

        self._settings, self._classes, self._step = settings, classes, torch.tensor(0.0)
        shape = (dim, len(settings.strengths) * classes)
        self._weights = torch.zeros(shape, requires_grad=True)
        self._mean, self._square = torch.zeros(shape), torch.zeros(shape)
        self._decay = torch.tensor(settings.strengths).repeat_interleave(classes).repeat(dim, 1)
        self._decay[-1] = 0

    @property
    def steps(self) -> int:
        """How many it has taken."""
        return int(self._step)

    def step(self, inputs: Any, targets: Any) -> None:
        """One step of torch's AdamW for every strength at once.

        By torch's function and not its class, which imports its compiler for some seconds in every process that trains.
        The weights decay here, by AdamW's own formula, as the function takes one decay and each column has its own.
        """
        import math

        import torch
        from torch.nn.functional import cross_entropy
        from torch.optim.adamw import adamw

        each = len(self._settings.strengths)
        logits = self._logits(inputs).flatten(0, 1)
        loss = cross_entropy(logits, targets.repeat_interleave(each), reduction="sum") / len(targets)
        gradients = torch.autograd.grad(loss, self._weights)
        part = self.steps / self._settings.optimizer_steps
        rate = self._settings.learning_rate * (1 + math.cos(math.pi * part)) / 2
        with torch.no_grad():
            self._weights.mul_(1 - self._decay * rate)
            adamw(
                [self._weights], list(gradients), [self._mean], [self._square], [], [self._step], fused=True,
                amsgrad=False, beta1=0.9, beta2=0.999, lr=rate, weight_decay=0.0, eps=1e-8, maximize=False,
            )  # fmt: skip

    def probabilities(self, inputs: Any) -> Any:
        """Probabilities by row, strength and class."""
        return self._logits(inputs).detach().softmax(2)

    def _logits(self, inputs: Any) -> Any:
        return (inputs @ self._weights).unflatten(1, (-1, self._classes))


def _standardised(
    features: Floats, rows: Tensor, places: Tensor, others: tuple[Rows, ...]
) -> tuple[Tensor, list[Tensor]]:
    """The drawn rows and others, standardised by what was drawn, of length about 1, with a one for the bias."""
    import torch

    def ready(chosen: Floats) -> Tensor:
        values = ((torch.from_numpy(chosen) - mean) / deviation).clamp_(-_FARTHEST, _FARTHEST)
        return torch.cat([values / values.shape[1] ** 0.5, torch.ones(len(values), 1)], 1)

    training = features[rows.numpy()]
    weight = torch.bincount(places).float()[:, None] / len(places)
    values = torch.from_numpy(training)
    mean = (values * weight).sum(0)
    deviation = ((values - mean).square_() * weight).sum(0).sqrt_().clamp_min_(1e-6)
    return ready(training), [ready(features[chosen]) for chosen in others]


def _distinct(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The rows that there are in order, and each drawn one's place among them."""
    values, places = rows.unique(return_inverse=True)  # type: ignore[no-untyped-call]
    return values, places


def _best(found: Tensor, labels: Rows, strengths: tuple[float, ...]) -> int:
    import torch

    every = torch.arange(len(labels))
    loss = -found[every, :, torch.from_numpy(labels)].clamp_min(1e-12).log()
    losses = (loss * torch.from_numpy(balanced(labels))[:, None]).sum(0).tolist()
    return min(range(len(strengths)), key=lambda each: (losses[each], -strengths[each]))


def _check(features: Floats, labels: Rows, batches: int, settings: ProbeSettings) -> None:
    import numpy as np

    faults = []
    if settings.optimizer_steps < 1 or batches != settings.optimizer_steps:
        faults.append(f"probe: {batches} batches for {settings.optimizer_steps} steps; draw one for each, at least 1")
    if not settings.strengths or min(settings.strengths) < 0:
        faults.append("probe: give at least one L2 strength, none below 0")
    if features.ndim != 2 or len(features) != len(labels):
        faults.append(f"probe: features of shape {features.shape} for {len(labels):,} labels; give one row a label")
    elif not np.isfinite(features).all():
        faults.append("probe: features are not all finite; extract them again or take another backbone")
    if faults:
        raise InputError(*faults)
