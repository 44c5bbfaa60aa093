"""Low-rank changes of the attention's weights (Hu et al. 2021) by peft: small, quick, and taken off again at will."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from synthgen.diffusion import pipelines
from synthgen.finetune.settings import FAMILIES, TrainingSettings, denoiser_name, trained

if TYPE_CHECKING:
    from torch.nn import Parameter

__all__ = ["Settings", "learner"]

_TEXT_MODULES = ["k_proj", "out_proj", "q_proj", "v_proj"]


class Settings(TrainingSettings):
    """The settings of a training run, and of the low-rank matrices.

    Attributes:
        rank: Columns of each matrix.
        lora_alpha: The change is scaled by this over the rank; the rank where left out.
        lora_dropout: The share of inputs that are dropped in training.
        target_modules: The layers that are changed, by the ends of their names.
        train_text_encoder: Whether the first text encoder is changed as well.
    """

    families: ClassVar[tuple[pipelines.Family, ...]] = FAMILIES

    rank: Annotated[int, Field(ge=1, le=1024)] = 8
    lora_alpha: Annotated[float, Field(gt=0)] | None = None
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    target_modules: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)] = [
        "to_k", "to_q", "to_v", "to_out.0",
    ]  # fmt: skip
    train_text_encoder: bool = False


class _LoRA:
    """Low-rank matrices beside the weights of a denoiser, and of a text encoder."""

    def __init__(self, pipe: Any, settings: Settings) -> None:
        from diffusers.training_utils import cast_training_params

        self._pipe, self._denoiser = pipe, denoiser_name(pipe)
        self.reads_text = settings.train_text_encoder
        targets = {self._denoiser: settings.target_modules}
        if settings.train_text_encoder:
            targets["text_encoder"] = _TEXT_MODULES
        self.networks = {name: getattr(pipe, name) for name in targets}
        for name, network in self.networks.items():
            network.add_adapter(_config(settings, targets[name]))
            cast_training_params(network)

    def parameters(self) -> "dict[str, Parameter]":
        """The low-rank matrices."""
        return trained(self.networks)

    def save(self, folder: Path) -> None:
        """Write what ``load_lora_weights`` loads, rank and alpha with it.

        Under peft's own names: diffusers' older ones exist for attention alone, and its loader takes a file that has
        both kinds for one that has the kind of its first layer, and leaves the others out.
        """
        from peft.utils import get_peft_model_state_dict

        layers: dict[str, Any] = {}
        for name, network in self.networks.items():
            config = network.peft_config["default"].to_dict()
            ordered = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
            layers[f"{name}_lora_layers"] = get_peft_model_state_dict(network)
            layers[f"{name}_lora_adapter_metadata"] = ordered
        self._pipe.save_lora_weights(folder, safe_serialization=True, **layers)


def _config(settings: Settings, modules: list[str]) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.rank if settings.lora_alpha is None else settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        init_lora_weights="gaussian",
        target_modules=modules,
    )


def learner(pipe: Any, settings: Settings, words: Mapping[str, str]) -> _LoRA:
    """Put low-rank matrices beside the pipeline's attention."""
    return _LoRA(pipe, settings)
