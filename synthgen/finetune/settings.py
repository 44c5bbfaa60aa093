"""The settings that every method of fine-tuning has, under the names of diffusers' training scripts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from synthgen.core.model_folder import ModelFacts
from synthgen.diffusion import pipelines
from synthgen.diffusion.sampler_settings import fault_of
from synthgen.errors import InputError, ManifestError
from synthgen.plan.manifest import FinetuneEntry
from synthgen.plan.manifest.settings import MethodSettings, Tunes

if TYPE_CHECKING:
    from torch.nn import Module, Parameter

FAMILIES: tuple[pipelines.Family, ...] = ("StableDiffusion", "StableDiffusionXL", "StableDiffusion3", "Flux")

_ENDLESS = ("constant", "constant_with_warmup")
_LENGTH = ("max_train_steps", "num_train_epochs")
Precision = Literal["auto", "no", "bf16", "fp16"]
Schedule = Literal["constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"]
_Positive = Annotated[float, Field(gt=0)]
_Count = Annotated[int, Field(ge=1)]
_Share = Annotated[float, Field(ge=0, lt=1)]
Range = Annotated[list[Annotated[float, Field(gt=0, le=2)]], Field(min_length=2, max_length=2)]


class TrainingSettings(MethodSettings):
    """The settings of a training run, which every method has.

    Attributes:
        num_train_epochs: Passes over the images, where ``max_train_steps`` does not say how many optimizer steps.
        snr_gamma: Weighs each timestep's loss by min(SNR, gamma) (Hang et al. 2023); ``None`` weighs all the same.
        use_ema: Whether the average of the weights over the steps is kept, and not the last ones.
        crop_scale: Between which shares of its area, and which proportions, a part of each image is cut out by chance.
        color_jitter: By how much brightness, contrast and saturation are changed by chance.
        variants: How often each image is encoded, each time augmented, and masked where masks are, anew.
        proportion_empty_prompts: The share of images that are shown without their prompt.
        with_prior_preservation: Whether as many images of ``class_prompts``, made by the model as it was, are shown
            beside them, so that it forgets less (Ruiz et al. 2022).
        num_validation_images: Pictures of the grid before and after; 0 draws none.
        validation_steps: After how many steps, again and again, a grid is drawn, and the loss of images of the
            validation split measured, which the training never sees; ``None`` for never. It changes no weight.
        resume_from_checkpoint: ``latest`` keeps the last state of a finished training beside its adapter, and has no
            random number follow from its length; so with more steps it goes on from there, to the bytes of one that
            had them at once. Left out, random numbers follow from the length too.
        report_to: ``tensorboard`` keeps losses and grids for TensorBoard too. It changes no weight.
    """

    families: ClassVar[tuple[pipelines.Family, ...]] = ()

    learning_rate: _Positive = 1e-4
    lr_scheduler: Schedule = "constant"
    lr_warmup_steps: Annotated[int, Field(ge=0)] = 0
    max_train_steps: _Count | None = None
    num_train_epochs: _Count = 100
    train_batch_size: _Count = 4
    gradient_accumulation_steps: _Count = 1
    adam_beta1: _Share = 0.9
    adam_beta2: _Share = 0.999
    adam_weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    adam_epsilon: _Positive = 1e-8
    max_grad_norm: _Positive = 1.0
    mixed_precision: Precision = "auto"
    gradient_checkpointing: bool = False
    use_ema: bool = False
    snr_gamma: _Positive | None = None
    variants: _Count = 8
    random_flip: bool = True
    crop_scale: Range | None = None
    color_jitter: _Share = 0.0
    proportion_empty_prompts: _Share = 0.0
    with_prior_preservation: bool = False
    prior_loss_weight: _Positive = 1.0
    class_prompts: list[Annotated[str, Field(min_length=1)]] = []
    num_class_images: _Count = 64
    checkpointing_steps: _Count = 500
    resume_from_checkpoint: Annotated[Literal["latest"] | None, Field(exclude_if=lambda asked: asked is None)] = None
    num_validation_images: Annotated[int, Field(ge=0, le=64)] = 8
    validation_steps: Annotated[_Count | None, Field(exclude=True)] = None  # no part of what names an adapter
    report_to: Annotated[Literal["tensorboard"] | None, Field(exclude=True)] = None

    @property
    def side(self) -> int:
        """Height and width of the images in pixels, once the settings are fitted to a model."""
        if self.resolution is None:
            raise LookupError("resolution: not known before the settings are fitted to a model")
        return self.resolution

    def fitted(self, facts: ModelFacts, strategy: Tunes) -> Self:
        """These settings with the size filled in; a local model that can't be tuned so is refused here already."""
        if self.with_prior_preservation and not self.class_prompts:
            raise ManifestError("class_prompts: prior preservation needs them: what must not be forgotten, in prompts")
        if self.resume_from_checkpoint and self.lr_scheduler not in _ENDLESS:
            raise ManifestError(
                f"resume_from_checkpoint: `lr_scheduler: {self.lr_scheduler}` falls over the whole training, so one of "
                f"more steps is another from its first; take {' or '.join(_ENDLESS)}"
            )
        reads_mask = facts.in_channels not in (None, facts.latent_channels)
        if self.with_prior_preservation and reads_mask:
            raise ManifestError(
                f"with_prior_preservation: draws from prompts alone, which `{facts.name}`, made for inpainting, can't"
            )
        if facts.folder is not None:
            with fault_of("model"):
                kind = pipelines.pipeline_class(strategy, facts.class_name, facts.name)
                pipelines.check_channels(strategy, facts.in_channels, facts.latent_channels, facts.name)
            if pipelines.family_of(kind) not in self.families:
                known = ", ".join(self.families)
                raise ManifestError(f"method: can't tune a {facts.class_name}; it is for: {known}")
        return super().fitted(facts, strategy)

    def seeding(self) -> dict[str, Any]:
        """The settings that random numbers follow from: without the training's length where it may be made longer."""
        found = super().seeding()
        return {key: value for key, value in found.items() if not self.resume_from_checkpoint or key not in _LENGTH}

    def steps(self, images: int, processes: int = 1) -> int:
        """How many optimizer steps are made with so many images, on so many devices at once."""
        if self.max_train_steps is not None:
            return self.max_train_steps
        at_once = self.train_batch_size * self.gradient_accumulation_steps * processes
        return self.num_train_epochs * -(-images // at_once)


def training_settings(entry: FinetuneEntry) -> TrainingSettings:
    """The settings of an entry of ``finetune``, of the type that the training loop reads.

    Raises:
        InputError: They are of a method of one's own that has others.
    """
    if not isinstance(entry.settings, TrainingSettings):
        raise InputError(f"method `{entry.method}`: its Settings must be a subclass of {TrainingSettings.__name__}")
    return entry.settings


def denoiser_name(pipe: Any) -> str:
    """The name of the pipeline's denoiser in it: ``unet``, or ``transformer``."""
    return "unet" if hasattr(pipe, "unet") else "transformer"


def trained(networks: "Mapping[str, Module]") -> "dict[str, Parameter]":
    """The parameters of networks that are trained, by network and name."""
    return {
        f"{network}.{name}": value
        for network, module in networks.items()
        for name, value in module.named_parameters()
        if value.requires_grad
    }
