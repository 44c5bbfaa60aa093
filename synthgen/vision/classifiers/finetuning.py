"""Finetuning trains a network on pixels inside the trial: from nothing or from a checkpoint, whole or its head."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from synthgen.errors import InputError
from synthgen.vision.classifiers import networks
from synthgen.vision.classifiers.fit_result import Learned, check
from synthgen.vision.classifiers.train_loop import Finetune, Trial, half, precision

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Pixels, Rows

_AT_ONCE = 256  # images answered for together


class Images(Protocol):
    """Images by row: an array, a memory map, or what reads them when asked."""

    def __getitem__(self, rows: Rows, /) -> Pixels:
        """uint8 RGB, shape (rows, height, width, 3)."""
        ...


def finetune(
    pixels: Images,
    labels: Rows,
    drawn: Iterable[Rows],
    *,
    validation: Rows,
    test: Rows,
    settings: Finetune,
    seed: int,
    classes: int,
) -> Learned:
    """Train a network by AdamW with a cosine schedule and answer for validation and test.

    Args:
        pixels: The images that rows number, all of one size.
        labels: The class of every image, 0 to ``classes - 1``, shape (n,).
        drawn: The rows of each batch, as of :func:`synthgen.vision.classifiers.batches`; as many as there are steps.
        validation: Rows that early stopping looks at, by class-balanced log loss.
        test: Rows to answer for.
        settings: How it is trained.
        seed: Of the first weights, dropout and augmentation.
        classes: How many classes there are.

    Raises:
        InputError: The batches are not as many as the budget, or rows or labels can't be learned from.
        UnavailableError: There is no such checkpoint.
    """
    import torch

    plan = list(drawn)
    _check(len(plan), settings)
    check(labels, classes, validation, test)
    with torch.random.fork_rng(devices=_devices(settings.device)):
        torch.manual_seed(seed)
        network = networks.build(settings.backbone, classes, settings.revision)
        network.module.to(settings.device)
        trial = Trial(network, settings, seed)
        for rows in plan:
            trial.step(pixels[rows], torch.from_numpy(labels[rows]))
            if trial.is_due() and not trial.goes_on(
                _answers(network, pixels, validation, settings), labels[validation]
            ):
                break
        network.module.load_state_dict(trial.best)
        found, answer = (_answers(network, pixels, rows, settings) for rows in (validation, test))
    return Learned(found, answer, trial.steps, float(trial.kept))


def _answers(network: networks.Network, pixels: Images, rows: Rows, settings: Finetune) -> Floats:
    """Probabilities of rows, float32, shape (rows, classes)."""
    import torch

    network.module.eval()
    found = []
    with torch.inference_mode(), precision(settings.device):
        for start in range(0, len(rows), _AT_ONCE):
            inputs = network.prepare(pixels[rows[start : start + _AT_ONCE]]).to(settings.device)
            found.append(network.module(inputs).float().softmax(1).cpu())
    return torch.cat(found).numpy()


def _devices(device: str) -> list[int]:
    import torch

    return list(range(torch.cuda.device_count())) if half(device) else []


def _check(batches: int, settings: Finetune) -> None:
    faults = []
    if settings.optimizer_steps < 1 or batches != settings.optimizer_steps:
        wanted = settings.optimizer_steps
        faults.append(f"finetune: {batches} batches for {wanted} steps; draw one for each, at least 1")
    if settings.evaluations < 1 or (settings.patience is not None and settings.patience < 1):
        faults.append("finetune: evaluations and patience must be at least 1")
    if faults:
        raise InputError(*faults)
