"""Trains a network on pixels, from nothing or from a checkpoint, the whole of it or its head alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from synthgen.errors import InputError
from synthgen.vision.classifiers import networks
from synthgen.vision.classifiers.fit_result import FitResult, check
from synthgen.vision.classifiers.trainer import FinetuneSettings, Trainer, in_half_precision, precision

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Pixels, Rows

_AT_ONCE = 256  # images that go through the network together


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

    Raises:
        InputError: The batches are not as many as the budget, or rows or labels can't be learned from.
        UnavailableError: There is no such checkpoint.
    """
    import torch

    drawn = list(batches)
    _check(len(drawn), settings)
    check(labels, classes, validation, test)
    with torch.random.fork_rng(devices=_cuda_devices(settings.device)):
        torch.manual_seed(seed)
        network = networks.build(settings.backbone, classes, settings.revision)
        network.module.to(settings.device)
        trainer = Trainer(network, settings, seed)
        for rows in drawn:
            trainer.step(pixels[rows], torch.from_numpy(labels[rows]))
            if trainer.validates_now():
                probabilities = _probabilities(network, pixels, validation, settings)
                if not trainer.keep_if_best(probabilities, labels[validation]):
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
