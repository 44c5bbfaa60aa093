"""One network on its way through a trial: its settings, its optimizer, its steps so far and its best weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthgen.vision.augmentation import augment
from synthgen.vision.classifiers import networks
from synthgen.vision.classifiers.fit_result import balanced

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Pixels, Rows


@dataclass(frozen=True, slots=True)
class Finetune:
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


class Trial:
    """One network on its way: its optimizer, its steps so far, and its best weights."""

    def __init__(self, network: networks.Network, settings: Finetune, seed: int) -> None:
        import numpy as np
        import torch

        self.steps, self.kept, self._least, self._waited = 0, 0, float("inf"), 0
        self.best: dict[str, Any] = {}
        self._network, self._settings = network, settings
        self._rng = np.random.default_rng(seed)
        for name, parameter in network.module.named_parameters():
            parameter.requires_grad_(not settings.frozen or name.startswith(network.head))
        learning = [each for each in network.module.parameters() if each.requires_grad]
        rate, steps = settings.learning_rate, settings.optimizer_steps
        self._optimizer = torch.optim.AdamW(learning, rate, weight_decay=settings.weight_decay)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimizer, lambda step: _share(step, steps))
        self._scaler = torch.amp.GradScaler(settings.device, enabled=half(settings.device))

    def step(self, pixels: Pixels, targets: Any) -> None:
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
        scaled: Any = self._scaler.scale(loss)
        scaled.backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._schedule.step()
        self.steps += 1

    def is_due(self) -> bool:
        """Whether validation is asked after this step; after the last one it always is."""
        total, times = self._settings.optimizer_steps, min(self._settings.evaluations, self._settings.optimizer_steps)
        return self.steps * times // total > (self.steps - 1) * times // total

    def goes_on(self, found: Floats, labels: Rows) -> bool:
        """Keep the weights if validation is better for them than ever before, and say whether to go on."""
        import numpy as np

        chosen = np.clip(found[np.arange(len(labels)), labels], 1e-12, None)
        loss = float(-(np.log(chosen) * balanced(labels)).sum())
        if loss < self._least or not self.best:
            self._least, self.kept, self._waited = loss, self.steps, 0
            self.best = {name: each.detach().clone() for name, each in self._network.module.state_dict().items()}
            return True
        self._waited += 1
        return self._settings.patience is None or self._waited < self._settings.patience


def _share(step: int, steps: int) -> float:
    """The share of the learning rate that a step gets."""
    import math

    rising = max(1, steps // 10)
    return (step + 1) / rising if step < rising else (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2


def half(device: str) -> bool:
    """Whether a device computes in mixed precision."""
    return device.startswith("cuda")


@contextmanager
def precision(device: str) -> Iterator[None]:
    """Compute in mixed precision where the device does."""
    import torch

    with torch.autocast("cuda", torch.float16, enabled=half(device)):
        yield
