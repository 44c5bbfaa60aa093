"""The whole denoiser, by the recipe of Sagers et al. 2023: four passes at a rate of 5e-6, four images a step."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from synthgen.diffusion import pipelines
from synthgen.finetune.settings import FAMILIES, Range, TrainingSettings, denoiser_name, trained

if TYPE_CHECKING:
    from torch.nn import Parameter

__all__ = ["Settings", "learner"]


class Settings(TrainingSettings):
    """The settings of a training run; the defaults are those of the paper (arXiv 2308.12453)."""

    families: ClassVar[tuple[pipelines.Family, ...]] = FAMILIES

    learning_rate: Annotated[float, Field(gt=0)] = 5e-6
    num_train_epochs: Annotated[int, Field(ge=1)] = 4
    crop_scale: Range | None = [0.9, 1.1]
    color_jitter: Annotated[float, Field(ge=0, lt=1)] = 0.05


class _Full:
    """The denoiser, all of it trained."""

    reads_text = False

    def __init__(self, pipe: Any) -> None:
        import torch

        self._pipe, name = pipe, denoiser_name(pipe)
        self.networks = {name: getattr(pipe, name).to(torch.float32).requires_grad_(True)}

    def parameters(self) -> "dict[str, Parameter]":
        """Every weight of the denoiser."""
        return trained(self.networks)

    def save(self, folder: Path) -> None:
        """Write the whole model, which ``from_pretrained`` loads."""
        self._pipe.save_pretrained(folder, safe_serialization=True)


def learner(pipe: Any, settings: Settings, words: Mapping[str, str]) -> _Full:
    """Train the pipeline's denoiser."""
    return _Full(pipe)
