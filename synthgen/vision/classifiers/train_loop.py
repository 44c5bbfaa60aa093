"""Training a network from pixels, the whole of it or its head alone: the loop, its settings, and the best weights.

A loop of its own and not Lightning or accelerate: training is one process and a few hundred steps, batches are decided
by the study and not by a loader, and the steps that are counted are compared between arms, so each has to be in sight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from synthgen.core import devices
from synthgen.errors import InputError
from synthgen.vision.augmentation import AUGMENTATIONS
from synthgen.vision.classifiers import networks
from synthgen.vision.classifiers.fit_result import FitResult, check, log_loss
from synthgen.vision.mixing import Mixing

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.core.types import Floats, Pixels, Rows

_AT_ONCE = 256  # images that go through the network together


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
        augment: How training images are changed anew each time: one of
            :data:`~synthgen.vision.augmentation.AUGMENTATIONS`, ``mixup`` or ``cutmix``; empty for not at all.
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
    augment: str = ""
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
        device, asked = self._settings.device, self._settings.augment
        if asked in AUGMENTATIONS:
            pixels = AUGMENTATIONS[asked](pixels, self._rng)
        mixed = Mixing.drawn(asked, len(pixels), self._rng)
        self._network.module.train(not self._settings.frozen)
        inputs = mixed.apply(self._network.prepare(pixels).to(device))
        self._optimizer.zero_grad(set_to_none=True)
        with precision(device):
            loss = mixed.loss(self._network.module(inputs).float(), targets.to(device))
        self._scaler.scale(loss).backward()
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
        loss = log_loss(probabilities, labels)
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
    return (
        (step + 1) / rising if step < rising else (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2
    )


def in_half_precision(device: str) -> bool:
    """Whether a device computes in mixed precision."""
    return device.startswith("cuda")


@contextmanager
def precision(device: str) -> Iterator[None]:
    """Compute in mixed precision where the device does."""
    import torch

    with torch.autocast("cuda", torch.float16, enabled=in_half_precision(device)):
        yield


class Images(Protocol):
    """Images by row: an array, a memory map, or what reads them when asked."""

    def __getitem__(self, rows: Rows, /) -> Pixels:
        """uint8 RGB, shape (rows, height, width, 3)."""
        ...


def finetune(
    pixels: Images,
    labels: Rows,
    batches: Iterable[Rows],
    *,
    validation: Rows,
    test: Rows,
    settings: FinetuneSettings,
    seed: int,
    classes: int,
    tuned: Rows | None = None,
) -> FitResult:
    """The probabilities that a network, trained by AdamW with a cosine schedule, gives of validation and test rows.

    Args:
        pixels: The images that rows number, all of one size.
        labels: The class of every image, 0 to ``classes - 1``, shape (n,).
        batches: The rows of each batch, as of :func:`synthgen.vision.classifiers.batches`; as many as there are steps.
        validation: Rows that early stopping looks at, by class-balanced log loss.
        test: Rows whose probabilities are asked for.
        settings: How it is trained.
        seed: Of the first weights, dropout and augmentation.
        classes: How many classes there are.
        tuned: The places among the validation rows that early stopping looks at; all where left out.

    Raises:
        InputError: The batches are not as many as the budget, or rows or labels can't be learned from.
        UnavailableError: There is no such checkpoint.
    """
    import torch

    drawn, looked_at = list(batches), slice(None) if tuned is None else tuned
    _check(len(drawn), settings)
    check(labels, classes, validation, test)
    with torch.random.fork_rng(devices=_cuda_devices(settings.device)), devices.deterministic(settings.device):
        torch.manual_seed(seed)
        network = networks.build(settings.backbone, classes, settings.revision)
        network.module.to(settings.device)
        trainer = Trainer(network, settings, seed)
        for rows in drawn:
            trainer.step(pixels[rows], torch.from_numpy(labels[rows]))
            if trainer.validates_now():
                probabilities = _probabilities(network, pixels, validation, settings)
                if not trainer.keep_if_best(probabilities[looked_at], labels[validation][looked_at]):
                    break
        network.module.load_state_dict(trainer.best_weights)
        of_validation, of_test = (_probabilities(network, pixels, rows, settings) for rows in (validation, test))
    return FitResult(of_validation, of_test, trainer.steps, float(trainer.best_step))


def _probabilities(network: networks.Network, pixels: Images, rows: Rows, settings: FinetuneSettings) -> Floats:
    """The probabilities of rows, float32, shape (rows, classes)."""
    import torch

    network.module.eval()
    found = []
    with torch.inference_mode(), precision(settings.device):
        for start in range(0, len(rows), _AT_ONCE):
            inputs = network.prepare(pixels[rows[start : start + _AT_ONCE]]).to(settings.device)
            found.append(network.module(inputs).float().softmax(1).cpu())
    probabilities: Floats = torch.cat(found).numpy()
    return probabilities


def _cuda_devices(device: str) -> list[int]:
    import torch

    return list(range(torch.cuda.device_count())) if in_half_precision(device) else []


def _check(batches: int, settings: FinetuneSettings) -> None:
    faults = []
    if settings.optimizer_steps < 1 or batches != settings.optimizer_steps:
        wanted = settings.optimizer_steps
        faults.append(f"finetune: {batches} batches for {wanted} steps; draw one for each, at least 1")
    if settings.evaluations < 1 or (settings.patience is not None and settings.patience < 1):
        faults.append("finetune: evaluations and patience must be at least 1")
    if faults:
        raise InputError(*faults)
