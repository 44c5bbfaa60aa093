"""Training a network from pixels: settings, optimizer steps, and the weights that did best in validation.

A loop of its own and not Lightning or accelerate: training is one process and a few hundred steps, batches are decided
by the study and not by a loader, and the steps that are counted are compared between arms, so each has to be in sight.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthgen.vision.augmentation import augment
from synthgen.vision.classifiers import networks
from synthgen.vision.classifiers.fit_result import balanced

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.core.types import Floats, Pixels, Rows


@dataclass(frozen=True, slots=True)
class FinetuneSettings:
    """How a network is trained.

    Attributes:
        optimizer_steps: The budget.
        backbone: ``small-cnn``, or a folder or Hub id of a transformers image classifier.
        revision: The commit or branch of a Hub id.
        frozen: Whether the head alone learns.
        learning_rate: AdamW's at its highest: it rises over the first tenth of the steps and falls along a cosine.
        weight_decay: AdamW's.
        augmented: Whether training images are augmented anew each time.
        evaluations: How often validation is asked; the weights that did best are kept (early stopping).
        patience: ``None`` spends the whole budget, as equal budgets need; a number stops for good after so many
            evaluations without a better one, and the steps really done are told.
        device: torch's device; on CUDA it computes in mixed precision.
    """

    optimizer_steps: int
    backbone: str = networks.SMALL
    revision: str | None = None
    frozen: bool = False
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    augmented: bool = False
    evaluations: int = 10
    patience: int | None = None
    device: str = "cpu"


class Trainer:
    """Trains a network step by step, and keeps the weights that did best in validation.

    Attributes:
        steps: Optimizer steps that are done.
        best_step: The step whose weights are kept.
        best_weights: These, as a state dict.
    """

    def __init__(self, network: networks.Network, settings: FinetuneSettings, seed: int) -> None:
        import numpy as np
        import torch

        self.steps, self.best_step, self._best_loss, self._without_gain = 0, 0, float("inf"), 0
        self.best_weights: dict[str, Tensor] = {}
        self._network, self._settings = network, settings
        self._rng = np.random.default_rng(seed)
        for name, parameter in network.module.named_parameters():
            parameter.requires_grad_(not settings.frozen or name.startswith(network.head))
        trained = [each for each in network.module.parameters() if each.requires_grad]
        rate, steps = settings.learning_rate, settings.optimizer_steps
        self._optimizer = torch.optim.AdamW(trained, rate, weight_decay=settings.weight_decay)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, lambda step: _rate_share(step, steps))
        self._scaler = torch.amp.GradScaler(settings.device, enabled=in_half_precision(settings.device))

    def step(self, pixels: Pixels, targets: Tensor) -> None:
        """One optimizer step on one batch."""
        from torch.nn.functional import cross_entropy

        device = self._settings.device
        if self._settings.augmented:
            pixels = augment(pixels, self._rng)
        self._network.module.train(not self._settings.frozen)
        inputs = self._network.prepare(pixels).to(device)
        self._optimizer.zero_grad(set_to_none=True)
        with precision(device):
            loss = cross_entropy(self._network.module(inputs).float(), targets.to(device))
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()
        self.steps += 1

    def validates_now(self) -> bool:
        """Whether validation follows this step; after the last one it always does."""
        total, times = self._settings.optimizer_steps, min(self._settings.evaluations, self._settings.optimizer_steps)
        return self.steps * times // total > (self.steps - 1) * times // total

    def keep_if_best(self, probabilities: Floats, labels: Rows) -> bool:
        """Whether to go on; keeps the weights if validation is better for them than ever before.

        Args:
            probabilities: Of the validation rows by the weights of now, shape (rows, classes).
            labels: Their classes, shape (rows,).
        """
        import numpy as np

        chosen = np.clip(probabilities[np.arange(len(labels)), labels], 1e-12, None)
        loss = float(-(np.log(chosen) * balanced(labels)).sum())
        if loss < self._best_loss or not self.best_weights:
            self._best_loss, self.best_step, self._without_gain = loss, self.steps, 0
            self.best_weights = {
                name: each.detach().clone() for name, each in self._network.module.state_dict().items()
            }
            return True
        self._without_gain += 1
        return self._settings.patience is None or self._without_gain < self._settings.patience


def _rate_share(step: int, steps: int) -> float:
    """The share of the learning rate that a step gets."""
    import math

    rising = max(1, steps // 10)
    return (step + 1) / rising if step < rising else (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2


def in_half_precision(device: str) -> bool:
    """Whether a device computes in mixed precision."""
    return device.startswith("cuda")


@contextmanager
def precision(device: str) -> Iterator[None]:
    """Compute in mixed precision where the device does."""
    import torch

    with torch.autocast("cuda", torch.float16, enabled=in_half_precision(device)):
        yield
