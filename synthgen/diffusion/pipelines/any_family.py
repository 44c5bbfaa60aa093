"""Batches by a diffusers pipeline of a class that nobody tried, called as its signature has it.

What makes an image depend on its own sample is put around the pipeline's own call: its texts are encoded one by one
(:mod:`synthgen.diffusion.pipelines.prompt_rows`), and all noise that it draws inside is drawn in fp32 from each
sample's own generator. Whether that is enough is what :mod:`synthgen.diffusion.pipelines.proof` asks of each class.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from synthgen.core.model_folder import is_flow
from synthgen.diffusion.maker import MadeImages
from synthgen.diffusion.pipelines import schedulers
from synthgen.diffusion.pipelines.latents import denoiser
from synthgen.diffusion.pipelines.pipeline import Pipeline
from synthgen.diffusion.pipelines.placement import Memory
from synthgen.diffusion.pipelines.precision import Precision
from synthgen.diffusion.pipelines.prompt_rows import PromptRows
from synthgen.diffusion.pipelines.task_classes import CONTROL_IMAGES, parameters
from synthgen.errors import InputError, UnavailableError
from synthgen.plan.sample import Sample

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch
    from torch import Generator, Tensor

    from synthgen.core.types import Pixels

# Left to itself a pipeline may bring an image to another size, or rewrite a prompt.
_PLAIN = {"use_resolution_binning": False, "clean_caption": False, "_auto_resize": False}
_DISTRIBUTIONS = "diffusers.models.autoencoders.vae"


class AnyFamily(Pipeline):
    """A loaded diffusers pipeline of any class, which makes batches as a :class:`Pipeline` does.

    Args:
        pipe: The diffusers pipeline, on its device and in its dtype.
        dtype: The dtype's name in torch.
        redo_alone: As of :class:`Pipeline`.
        memory: As of :class:`Pipeline`.

    Attributes:
        proof: What the class showed of itself when it was loaded; empty where that was remembered.
    """

    def __init__(self, pipe: Any, dtype: str, *, redo_alone: bool = False, memory: Memory = "") -> None:
        super().__init__(pipe, dtype, redo_alone=redo_alone, memory=memory)
        self._takes = parameters(type(pipe).__call__)
        self._rows = pipe.encode_prompt = PromptRows(pipe)
        self.proof: dict[str, str] = {}

    def _from_noise(self, _settings: Any, _generators: list[Generator]) -> dict[str, Any]:
        """Nothing: the pipeline draws its noise itself, where each sample has its own."""
        return {}

    def img2img(self, samples: Sequence[Sample], originals: Pixels, *, precise: bool = False) -> MadeImages:
        """Make one image a sample from its prompt and an image; as of :meth:`Pipeline.img2img`."""

        def begin(rows: slice, settings: Any, _generators: list[Generator]) -> dict[str, Any]:
            return {"image": _images(originals[rows]), "strength": settings.strength}

        return self._make(samples, precise, begin, sized="height" in self._takes)

    def inpaint(
        self, samples: Sequence[Sample], originals: Pixels, masks: npt.NDArray[np.bool_], *, precise: bool = False
    ) -> MadeImages:
        """Paint the masked part of images anew; as of :meth:`Pipeline.inpaint`."""
        import numpy as np
        import torch

        def begin(rows: slice, settings: Any, _generators: list[Generator]) -> dict[str, Any]:
            mask = torch.from_numpy(masks[rows][:, None].astype(np.float32))
            return {"image": _images(originals[rows]), "mask_image": mask, "strength": settings.strength}

        return self._make(samples, precise, begin, sized="height" in self._takes)

    def controlnet(self, samples: Sequence[Sample], shown: Pixels, *, precise: bool = False) -> MadeImages:
        """Make one image a sample from its prompt and the image that a ControlNet is shown.

        Args:
            samples: Samples of one recipe.
            shown: uint8 RGB, shape (samples, height, width, 3).
            precise: Make images again that were not finite, more precisely.

        Raises:
            OutOfMemoryError: The batch does not fit the device.
            InputError: A prompt is longer than the model reads.
        """
        name = next(one for one in CONTROL_IMAGES if one in self._takes)

        def begin(rows: slice, settings: Any, _generators: list[Generator]) -> dict[str, Any]:
            return {
                name: _images(shown[rows]),
                "controlnet_conditioning_scale": settings.controlnet_conditioning_scale,
                "control_guidance_start": settings.control_guidance_start,
                "control_guidance_end": settings.control_guidance_end,
            }

        return self._make(samples, precise, begin, sized=True)

    def _check(self, settings: Any) -> None:
        """Refuse settings that the pipeline can't follow."""
        if len(settings.guided_steps) not in (0, settings.num_inference_steps):
            raise UnavailableError(f"guidance_start, guidance_stop: a {type(self.pipe).__name__} guides in every step")
        flow = is_flow({"_class_name": type(self._own_scheduler).__name__, **self._own_scheduler.config})
        schedulers.check_scheduler(settings.scheduler, type(self.pipe).__name__, "the model", flow=flow)
        if settings.height % self.multiple or settings.width % self.multiple:
            raise UnavailableError(
                f"height, width: {settings.width} x {settings.height} is no multiple of {self.multiple}, "
                f"as a {type(self.pipe).__name__} needs it"
            )

    def _worded(self, samples: Sequence[Sample], settings: Any) -> dict[str, Any]:
        """What the pipeline is told of prompts and guidance, and that it is to leave texts and sizes as they are."""
        plain = {name: on for name, on in _PLAIN.items() if name in self._takes}
        if "max_area" in self._takes:
            plain |= {"max_area": settings.height * settings.width}
        guided = self._guided(samples, settings.guidance_scale)
        return plain | {"prompt": [sample.prompt for sample in samples]} | guided

    @contextmanager
    def _around(self, _settings: Any, _precision: Precision | None, generators: list[Generator]) -> Iterator[None]:
        """Noise of each sample's own, in fp32."""
        with noise_in_fp32(self.pipe, generators):
            yield

    def _set_slicing(self, pixels: int) -> None:
        """Decode image by image where a whole batch would take gigabytes, by an autoencoder that can."""
        if hasattr(self.pipe.vae, "enable_slicing"):
            super()._set_slicing(pixels)

    def _guided(self, samples: Sequence[Sample], scale: float) -> dict[str, Any]:
        """How the pipeline takes guidance: as a number, or by a second pass, with or without a prompt of its own."""
        config = denoiser(self.pipe).config
        if getattr(config, "guidance_embeds", False) or getattr(config, "time_cond_proj_dim", None) is not None:
            return {"guidance_scale": scale}
        own = self._takes.get("guidance_scale")
        true = "true_cfg_scale" in self._takes and (own is None or own.default is None)
        arguments: dict[str, Any] = {"true_cfg_scale" if true else "guidance_scale": scale} if true or own else {}
        negatives = [sample.negative_prompt for sample in samples]
        if scale <= 1 or not arguments:
            return arguments
        if "negative_prompt" in self._takes:
            return arguments | {"negative_prompt": negatives}
        if "negative_prompt_embeds" in self._takes:
            longest = self._takes.get("max_sequence_length")
            length = {} if longest is None else {"max_sequence_length": longest.default}
            answer = self._rows(prompt=negatives, device=self.pipe._execution_device, **length)
            return arguments | {"negative_prompt_embeds": answer[0] if isinstance(answer, tuple) else answer}
        if any(negatives):
            raise InputError(f"negative_prompt: a {type(self.pipe).__name__} takes none; leave it out of the prompts")
        return arguments

    @property
    def multiple(self) -> int:
        """What height and width in pixels must be multiples of."""
        pipe, config = self.pipe, denoiser(self.pipe).config
        factor = int(getattr(pipe, "vae_scale_factor", 8))
        sides: Any = getattr(config, "patch_size", None) or getattr(config, "all_patch_size", 1)
        patch = max(sides) if isinstance(sides, tuple | list) else int(sides)
        return math.lcm(int(getattr(pipe.image_processor.config, "vae_scale_factor", 1)), factor * patch)

    @contextmanager
    def _noting_finite(self) -> Iterator[None]:
        """Note of each image whether the decoder's output was finite, before the pipeline clamps it."""
        processor = self.pipe.image_processor
        usual = processor.postprocess

        def noting(image: Tensor, *args: Any, **kwargs: Any) -> Any:
            self._finite.append(image.isfinite().flatten(1).all(1))
            return usual(image, *args, **kwargs)

        processor.postprocess = noting
        try:
            yield
        finally:
            del processor.postprocess  # the class's own is seen again


@contextmanager
def noise_in_fp32(pipe: Any, generators: Sequence[Generator] = ()) -> Iterator[None]:
    """Draw all noise in fp32 from each sample's own CPU generator meanwhile, and cast it then.

    diffusers' own ``randn_tensor`` draws in the dtype that is computed in: torch gives other numbers for each.

    Args:
        pipe: The pipeline; noise is drawn by its class, its scheduler's, and the distribution of its latents.
        generators: The samples', for noise that is drawn without any: as that of a ControlNet's image which Stable
            Diffusion 3 encodes, once a sample or once more for guidance.
    """

    def drawn(shape: Sequence[int], generator: Any = None, *args: Any, **kwargs: Any) -> Tensor:
        if generator is None and generators and shape[0] % len(generators) == 0:
            generator = [*generators] * (shape[0] // len(generators))
        return _drawn(shape, generator, *args, **kwargs)

    kinds = [one for part in (pipe, pipe.scheduler, pipe.vae) for one in type(part).__mro__]
    modules = {name: sys.modules[name] for name in {_DISTRIBUTIONS, *(one.__module__ for one in kinds)}}
    usual = {name: module.randn_tensor for name, module in modules.items() if hasattr(module, "randn_tensor")}
    try:
        for name in usual:
            setattr(modules[name], "randn_tensor", drawn)  # noqa: B010 - a module has no such attribute for mypy
        yield
    finally:
        for name, function in usual.items():
            setattr(modules[name], "randn_tensor", function)  # noqa: B010


def _drawn(
    shape: Sequence[int],
    generator: Generator | list[Generator] | None = None,
    device: Any = None,
    dtype: torch.dtype | None = None,
    layout: Any = None,  # noqa: ARG001 - pipelines may give it
) -> Tensor:
    """Noise as ``randn_tensor`` gives it, of a row a generator."""
    import torch

    each = generator if isinstance(generator, list | tuple) else [generator]
    if len(each) == 1:
        noise = torch.randn(tuple(shape), generator=each[0])
    else:
        noise = torch.cat([torch.randn((1, *shape[1:]), generator=one) for one in each])
    return noise.to(device or "cpu", dtype)


def _images(pixels: Pixels) -> Tensor:
    """Images as pipelines take them: 0 to 1, shape (batch, 3, height, width)."""
    import torch

    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
