"""A diffusers pipeline that makes batches in which every sample has its own noise.

What is done here and beside it, not left to the pipeline, and why:

* The first noise is drawn in fp32 from each sample's CPU generator and only then cast: torch draws other numbers (and
  in bf16 coarse ones) for other dtypes from the same seed.
* Prompts are encoded once a distinct text, in batches of one fixed shape, so an embedding depends on its text alone.
* The images that samples start from are encoded as a batch, which diffusers does one at a time where every sample has a
  generator; what is random about it is drawn per sample, as the noise is.
* Guidance can be left out of the first and the last steps, for the time and the spread of images that it costs.
* Images become uint8 on the device, which moves a quarter of the bytes, and their extremes are found there.
* The decoder's raw output is checked for NaN and infinity before the pipeline clamps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from synthgen.diffusion.maker import MadeImages, joined
from synthgen.diffusion.pipelines import guidance, latents, prompt_embeddings, schedulers
from synthgen.diffusion.pipelines.families import Family, family
from synthgen.diffusion.pipelines.image_prompts import ImagePrompts
from synthgen.diffusion.pipelines.out_of_memory import out_of_memory
from synthgen.diffusion.pipelines.placement import Memory
from synthgen.diffusion.pipelines.precision import FP32, Precision, held, ladder, without_text_encoders
from synthgen.plan.sample import Sample

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Generator, Tensor

    from synthgen.core.types import Pixels

_SIZED: tuple[Family, ...] = ("StableDiffusion3", "Flux")  # families that bring an image to the size that they are told
_SLICE_PIXELS = 1024 * 1024


class Pipeline:
    """A loaded diffusers pipeline that makes batches for samples.

    Args:
        pipe: The diffusers pipeline, on its device and in its dtype.
        dtype: The dtype's name in torch.
        embeddings: Embeddings by the same text encoders that another pipeline keeps already.
        redo_alone: Whether an image that is asked for precisely is made alone, in the first precision of
            :func:`synthgen.diffusion.pipelines.precision.ladder` that gives finite values; in fp32 beside the others of
            its batch otherwise, as runs that began before have it.
        memory: How the denoiser is held, as of :func:`synthgen.diffusion.pipelines.placement.place`.

    Attributes:
        pipe: The same diffusers pipeline.
        memory: How the denoiser is held.
        embeddings: The embeddings of prompts that it keeps.
    """

    def __init__(
        self,
        pipe: Any,
        dtype: str,
        *,
        embeddings: prompt_embeddings.PromptEmbeddings | None = None,
        redo_alone: bool = False,
        memory: Memory = "",
    ) -> None:
        self.pipe, self.memory = pipe, memory
        self._dtype, self._redo_alone = dtype, redo_alone
        self.embeddings = embeddings or prompt_embeddings.PromptEmbeddings(pipe)
        self._finite: list[Tensor] = []
        self._own_scheduler = pipe.scheduler

    @property
    def displaced(self) -> bool:
        """Whether its parts had to be left elsewhere than on the device, for want of memory: it is to be read anew."""
        return getattr(self.embeddings.encoders, "displaced", False)

    def parts(self) -> dict[str, Any]:
        """The models, tokenizers and the model's own scheduler, for a pipeline of another task."""
        return {**self.pipe.components, "scheduler": self._own_scheduler}

    def config(self) -> dict[str, Any]:
        """What the pipeline was made with beside its parts."""
        return dict(self.pipe.config)

    def text2img(self, samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
        """Make one image a sample from its prompt alone.

        Args:
            samples: Samples of one recipe.
            precise: Make images again that were not finite, more precisely.

        Raises:
            OutOfMemoryError: The batch does not fit the device.
            InputError: A prompt is longer than the model reads.
        """

        def begin(_rows: slice, settings: Any, generators: list[Generator]) -> dict[str, Any]:
            return self._from_noise(settings, generators)

        return self._make(samples, precise, begin, sized=True)

    def ip_adapter(self, samples: Sequence[Sample], shown: Pixels, *, precise: bool = False) -> MadeImages:
        """Make one image a sample from its prompt and the image that an IP-Adapter reads.

        Args:
            samples: Samples of one recipe.
            shown: uint8 RGB, shape (samples, height, width, 3).
            precise: Make images again that were not finite, more precisely.

        Raises:
            OutOfMemoryError: The batch does not fit the device.
            InputError: A prompt is longer than the model reads.
        """
        embedded = self._image_prompts.rows(shown)

        def begin(rows: slice, settings: Any, generators: list[Generator]) -> dict[str, Any]:
            self.pipe.set_ip_adapter_scale(settings.ip_adapter_scale)
            read = self._image_prompts.arguments(embedded[rows], settings.guidance_scale)
            return self._from_noise(settings, generators) | read

        return self._make(samples, precise, begin, sized=True)

    def img2img(self, samples: Sequence[Sample], originals: Pixels, *, precise: bool = False) -> MadeImages:
        """Make one image a sample from its prompt and the image that it starts from.

        Args:
            samples: Samples of one recipe.
            originals: uint8 RGB, shape (samples, height, width, 3).
            precise: Make images again that were not finite, more precisely.

        Raises:
            OutOfMemoryError: The batch does not fit the device.
            InputError: A prompt is longer than the model reads.
        """

        def begin(rows: slice, settings: Any, generators: list[Generator]) -> dict[str, Any]:
            encoded = latents.of_images(self.pipe, originals[rows], generators)
            arguments = latents.from_image(self.pipe, encoded, self._noise(settings, generators))
            return arguments | {"strength": settings.strength}

        return self._make(samples, precise, begin, sized=family(self.pipe) in _SIZED)

    def inpaint(
        self, samples: Sequence[Sample], originals: Pixels, masks: npt.NDArray[np.bool_], *, precise: bool = False
    ) -> MadeImages:
        """Paint the masked part of the image that each sample starts from anew; what lies outside is approximate.

        Args:
            samples: Samples of one recipe.
            originals: uint8 RGB, shape (samples, height, width, 3).
            masks: True where to paint, shape (samples, height, width).
            precise: Make images again that were not finite, more precisely.

        Raises:
            OutOfMemoryError: The batch does not fit the device.
            InputError: A prompt is longer than the model reads.
        """
        import numpy as np
        import torch

        def begin(rows: slice, settings: Any, generators: list[Generator]) -> dict[str, Any]:
            pixels, painted = originals[rows], masks[rows]
            encoded = latents.of_images(self.pipe, pixels, generators)
            noise = self._noise(settings, generators)
            reads = latents.reads_mask(self.pipe)
            masked = latents.of_images(self.pipe, pixels, generators, grey=painted) if reads else encoded
            return latents.from_masked(self.pipe, encoded, noise) | {
                "masked_image_latents": masked,
                "mask_image": torch.from_numpy(painted[:, None].astype(np.float32)),
                "strength": settings.strength,
            }

        return self._make(samples, precise, begin, sized=True)

    def _make(
        self,
        samples: Sequence[Sample],
        precise: bool,
        begin: Callable[[slice, Any, list[Generator]], dict[str, Any]],
        *,
        sized: bool,
    ) -> MadeImages:
        """Make a batch, with what ``begin`` says of where some rows of it begin."""

        def make(rows: slice, precision: Precision | None) -> MadeImages:
            return self._call(samples[rows], precision, partial(begin, rows), sized=sized)

        return self._again(len(samples), make) if precise else make(slice(None), None)

    def _call(
        self,
        samples: Sequence[Sample],
        precision: Precision | None,
        begin: Callable[[Any, list[Generator]], dict[str, Any]],
        *,
        sized: bool,
    ) -> MadeImages:
        """Call the pipeline for a batch, with what ``begin`` says of where it begins."""
        import torch

        settings: Any = samples[0].recipe.settings
        self._check(settings)
        other = precision is not None and self._dtype != "float32"
        holding = held(self.pipe, precision) if precision and other else nullcontext()
        with out_of_memory(len(samples)), holding, torch.inference_mode():
            self.pipe.scheduler = schedulers.fresh(settings.scheduler, self._own_scheduler, settings.timestep_spacing)
            self._set_slicing(len(samples) * settings.height * settings.width)
            generators = [torch.Generator("cpu").manual_seed(sample.seed) for sample in samples]
            arguments = begin(settings, generators)
            if sized:
                arguments |= {"height": settings.height, "width": settings.width}
            self._finite.clear()
            arguments |= self._worded(samples, settings)
            with self._noting_finite(), self._around(settings, precision, generators):
                output = self.pipe(
                    **arguments,
                    num_inference_steps=settings.num_inference_steps,
                    generator=generators,
                    output_type="pt",
                )
            return self._to_uint8(output.images)

    def _check(self, settings: Any) -> None:
        """Refuse settings that the pipeline can't follow; those of a known family were checked in the manifest."""

    def _worded(self, samples: Sequence[Sample], settings: Any) -> dict[str, Any]:
        """What the pipeline is told of prompts and guidance."""
        return self._prompts(samples, guided=settings.guidance_scale > 1) | {"guidance_scale": settings.guidance_scale}

    @contextmanager
    def _around(self, settings: Any, precision: Precision | None, _generators: list[Generator]) -> Iterator[None]:
        """What is otherwise than usual while the pipeline is called."""
        with (
            without_text_encoders(self.pipe) if precision and precision.denoiser else nullcontext(),
            guidance.only_in(self.pipe, settings.guided_steps, settings.num_inference_steps),
        ):
            yield

    def _prompts(self, samples: Sequence[Sample], *, guided: bool) -> dict[str, Tensor]:
        """The prompts as the pipeline takes them: embeddings, in the denoiser's dtype."""
        texts = [sample.prompt for sample in samples]
        reads_negative = guided and not guidance.distilled(self.pipe)
        negative = [sample.negative_prompt for sample in samples] if reads_negative else []
        arguments = self.embeddings(texts)
        if negative:
            arguments |= {f"negative_{name}": value for name, value in self.embeddings(negative).items()}
        dtype = latents.denoiser(self.pipe).dtype
        return {name: value.to(dtype) for name, value in arguments.items()}

    @cached_property
    def _image_prompts(self) -> ImagePrompts:
        return ImagePrompts(self.pipe)

    def _from_noise(self, settings: Any, generators: list[Generator]) -> dict[str, Any]:
        """What the pipeline is told of the noise that it begins from."""
        return latents.from_noise(self.pipe, self._noise(settings, generators))

    def _noise(self, settings: Any, generators: list[Generator]) -> Tensor:
        """The first latents, shape (batch, channels, latent height, latent width), drawn in fp32."""
        import torch

        factor = self.pipe.vae_scale_factor
        channels = self.pipe.vae.config.latent_channels
        shape = (channels, settings.height // factor, settings.width // factor)
        noise = torch.stack([torch.randn(shape, generator=one) for one in generators])
        return noise.to(self.pipe._execution_device, latents.denoiser(self.pipe).dtype)

    def _set_slicing(self, pixels: int) -> None:
        """Decode image by image where a whole batch would take gigabytes."""
        slicing = self.pipe.vae.enable_slicing if pixels > _SLICE_PIXELS else self.pipe.vae.disable_slicing
        slicing()

    @contextmanager
    def _noting_finite(self) -> Iterator[None]:
        """Note of each image that is decoded inside whether the decoder's output was finite."""

        def note(_module: Any, _inputs: Any, output: Tensor) -> None:
            self._finite.append(output.isfinite().flatten(1).all(1))

        hook = self.pipe.vae.decoder.register_forward_hook(note)  # taken off again, since others share the decoder
        try:
            yield
        finally:
            hook.remove()

    def _to_uint8(self, pixels: Tensor) -> MadeImages:
        """The images in uint8, channels last, of values 0 to 1, shape (batch, 3, height, width)."""
        import torch

        finite = pixels.isfinite().flatten(1).all(1) & torch.cat(self._finite)
        pixels = (pixels.float().nan_to_num() * 255).round().clamp(0, 255).to(torch.uint8)
        extremes = torch.stack([pixels.amin((2, 3)), pixels.amax((2, 3))], dim=1)
        array = pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return MadeImages(array, finite.cpu().numpy(), extremes=extremes.cpu().numpy())

    def _again(self, count: int, make: Callable[[slice, Precision | None], MadeImages]) -> MadeImages:
        """Images made again: each alone and in the first precision that gives finite values, or all in fp32 together.

        So what an image is depends on its sample alone, and the batch of everything else stays as it is.
        """
        if not self._redo_alone:
            return make(slice(None), FP32)
        found = list[MadeImages]()
        for place in range(count):
            for precision in self._ladder() or (None,):
                made = make(slice(place, place + 1), precision)
                if made.finite[0]:
                    break
            found.append(replace(made, precisions=(precision.name if precision else "",)))
        return joined(found)

    def _ladder(self) -> tuple[Precision | None, ...]:
        """The precisions in which an image is made again; of a denoiser under hooks, those that leave it as it is."""
        found = ladder(self._dtype, self.pipe._execution_device.type)
        if self.memory:
            return tuple(one for one in found if not one.denoiser)
        return found or (FP32,)
