"""The networks that are trained on pixels: a small one from nothing, or any image classifier of transformers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthgen.errors import UnavailableError
from synthgen.vision.features import checkpoints, named

if TYPE_CHECKING:
    from torch import Tensor, nn

    from synthgen.core.types import Pixels

SMALL = "small-cnn"
SMALLEST = 16


@dataclass(frozen=True, slots=True)
class Network:
    """A network and how images enter it.

    Attributes:
        module: The torch module; called with what ``prepare`` gives, it answers with logits (n, classes).
        prepare: uint8 RGB, shape (n, height, width, 3), to a float tensor (n, 3, height, width).
        head: Names of the parameters of the classification head begin with one of these; they always learn.
    """

    module: nn.Module
    prepare: Callable[[Pixels], Tensor]
    head: tuple[str, ...]


def build(name: str, classes: int, revision: str | None = None) -> Network:
    """The network of a name: ``small-cnn``, or a folder or Hub id of a transformers image classifier.

    Whatever is not in the checkpoint (a head for other classes) is drawn from torch's random state.

    Raises:
        UnavailableError: There is no such classifier, it is not in safetensors, or it is of another library.
    """
    if name == SMALL:
        return _small(classes)
    checkpoint = named.stands_for(name)
    if checkpoint.library != "transformers":
        raise UnavailableError(
            f"{name}: a checkpoint of {checkpoint.library} is for `kind: probe`; it is not finetuned"
        )
    return _pretrained(checkpoint.name, classes, revision)


def _small(classes: int) -> Network:
    """Five convolutions, a mean over places and a linear layer: a quarter of a million weights."""
    from torch import nn

    def block(before: int, after: int, stride: int = 1) -> list[nn.Module]:
        return [
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
        ]

    layers = [*block(3, 16, 2), *block(16, 32), nn.MaxPool2d(2), *block(32, 64), nn.MaxPool2d(2)]
    layers += [*block(64, 128), nn.MaxPool2d(2), *block(128, 128)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, classes)]
    return Network(nn.Sequential(*layers), _plain, (f"{len(layers) - 1}.",))


def _plain(pixels: Pixels) -> Tensor:
    """Values from -1 to 1.

    Raises:
        UnavailableError: The images are too small for five halvings.
    """
    import torch

    if min(pixels.shape[1:3]) < SMALLEST:
        raise UnavailableError(
            f"{SMALL}: images of {pixels.shape[2]} x {pixels.shape[1]} pixels; it needs {SMALLEST} x {SMALLEST} or more"
        )
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def _pretrained(name: str, classes: int, revision: str | None) -> Network:
    with checkpoints.loading(name):
        import torch
        from transformers import AutoModelForImageClassification

        options = {"num_labels": classes, "ignore_mismatched_sizes": True, "dtype": torch.float32}
        found, info = AutoModelForImageClassification.from_pretrained(
            name, **checkpoints.options(name, revision), **options, output_loading_info=True
        )
        processor = checkpoints.processor(name, revision)
    head = _head(name, info)

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = found

        def forward(self, pixels: Tensor) -> Tensor:
            logits: Tensor = self.model(pixel_values=pixels).logits
            return logits

    return Network(Logits(), processor, tuple(f"model.{part}" for part in head))


def _head(name: str, info: dict[str, Any]) -> tuple[str, ...]:
    """Where the head's parameters are, once it is sure that nothing else was missing."""
    import re

    known = ("classifier", "fc", "head", "score", "cls_classifier", "distillation_classifier")
    fresh = {str(each) for each in info["missing_keys"]} | {str(each[0]) for each in info["mismatched_keys"]}
    strange = sorted(each for each in fresh if not re.match(rf"({'|'.join(known)})\.", each))
    if strange:
        raise UnavailableError(
            f"{name}: the checkpoint lacks weights of the network itself ({', '.join(strange[:3])}); take a whole one"
        )
    return tuple(f"{part}." for part in known)
