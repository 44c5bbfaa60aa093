"""Loads a diffusers pipeline once, and calls it in batches in which every sample has its own noise.

What is done here and not left to the pipeline, and why:

* The first noise is drawn in fp32 from each sample's CPU generator and only then cast: torch draws other numbers (and
  in bf16 coarse ones) for other dtypes from the same seed.
* Prompts are encoded once a distinct text, in batches of one fixed shape, so an embedding depends on its text alone.
* Images become uint8 on the device, which moves a quarter of the bytes.
* The decoder's raw output is checked for NaN and infinity before the pipeline clamps it.
* The safety checker is not loaded: it takes photographs of bare skin for nudity and paints them black.
"""

import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Literal

from synthgen import devices, models
from synthgen.attempts import Painted
from synthgen.devices import Environment
from synthgen.errors import InputError, OutOfMemoryError, UnavailableError
from synthgen.sample import Recipe, Sample

Task = Literal["text2img"]

# diffusers' schedulers by the short names in use; `default` keeps the model's own.
SCHEDULERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddim": ("DDIMScheduler", {}),
    "deis": ("DEISMultistepScheduler", {"algorithm_type": "deis", "solver_type": "logrho"}),
    "dpm++2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "dpm++2m-karras": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "solver_order": 2, "use_karras_sigmas": True},
    ),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "unipc": ("UniPCMultistepScheduler", {}),
}

# The pipeline class of a model's own class for each task. Named here rather than through diffusers' Auto classes: their
# import loads every family there is, which takes seconds, and a family that nobody tried is refused, not guessed at.
CLASSES: dict[tuple[Task, str], str] = {
    ("text2img", "StableDiffusionPipeline"): "StableDiffusionPipeline",
    ("text2img", "StableDiffusionInpaintPipeline"): "StableDiffusionPipeline",
    ("text2img", "StableDiffusionXLPipeline"): "StableDiffusionXLPipeline",
}
_TEXTS = 16
_EMBEDDINGS_KEPT = 2048
_SLICE_PIXELS = 1024 * 1024
_log = logging.getLogger(__name__)


class Pipeline:
    """A loaded diffusers pipeline that makes batches for samples.

    Args:
        pipe: The diffusers pipeline, on its device and in its dtype.
        dtype: The dtype's name in torch.
    """

    def __init__(self, pipe: Any, dtype: str) -> None:
        self._pipe = pipe
        self._dtype = dtype
        self._embeddings: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._finite: list[Any] = []
        self._own_scheduler = pipe.scheduler
        pipe.vae.decoder.register_forward_hook(self._note_finite)

    def text2img(self, samples: Sequence[Sample], *, precise: bool = False) -> Painted:
        """Make one image a sample from its prompt alone.

        Args:
            samples: Samples of one recipe.
            precise: Compute in fp32 whatever the pipeline's dtype.

        Raises:
            OutOfMemoryError: The batch does not fit the device.
            InputError: A prompt is longer than the model reads.
        """
        import torch

        with self._precision(precise), torch.inference_mode(), _out_of_memory(len(samples)):
            settings: Any = samples[0].recipe.settings
            self._set_scheduler(settings.scheduler)
            self._set_slicing(len(samples) * settings.height * settings.width)
            generators = [torch.Generator("cpu").manual_seed(sample.seed) for sample in samples]
            self._finite.clear()
            output = self._pipe(
                **self._prompts(samples, guided=settings.guidance_scale > 1),
                latents=self._noise(settings, generators),
                height=settings.height,
                width=settings.width,
                num_inference_steps=settings.num_inference_steps,
                guidance_scale=settings.guidance_scale,
                generator=generators,
                output_type="pt",
            )
            return self._painted(output.images)

    def _prompts(self, samples: Sequence[Sample], *, guided: bool) -> dict[str, Any]:
        """The prompts as the pipeline takes them: embeddings where the family is known, else text."""
        prompts = [sample.prompt for sample in samples]
        negative = [sample.negative_prompt for sample in samples]
        self._check_lengths({*prompts, *(negative if guided else ())})
        if type(self._pipe).__name__ != "StableDiffusionPipeline":
            return {"prompt": prompts} | ({"negative_prompt": negative} if guided else {})
        embeddings = {"prompt_embeds": self._encode(prompts)}
        if guided:
            embeddings["negative_prompt_embeds"] = self._encode(negative)
        return embeddings

    def _encode(self, texts: list[str]) -> Any:
        """Embeddings of texts, shape (texts, tokens, width), each distinct text encoded once."""
        import torch

        dtype = str(self._pipe.dtype)
        new = [text for text in dict.fromkeys(texts) if (dtype, text) not in self._embeddings]
        for first in range(0, len(new), _TEXTS):
            batch = new[first : first + _TEXTS]
            padded = [*batch, *[batch[-1]] * (_TEXTS - len(batch))]
            encoded, _ = self._pipe.encode_prompt(padded, self._pipe.device, 1, False)
            for text, embedding in zip(batch, encoded, strict=False):
                self._embeddings[dtype, text] = embedding
        stacked = torch.stack([self._embeddings[dtype, text] for text in texts])
        while len(self._embeddings) > _EMBEDDINGS_KEPT:
            self._embeddings.popitem(last=False)
        return stacked

    def _check_lengths(self, texts: set[str]) -> None:
        """Refuse what the text encoder would cut off: the skin tone is often last."""
        tokenizer = self._pipe.tokenizer
        for text in sorted(texts):
            tokens = len(tokenizer(text, truncation=False, verbose=False).input_ids)
            if tokens > tokenizer.model_max_length:
                raise InputError(
                    f"prompt of {tokens} tokens, the model reads {tokenizer.model_max_length} "
                    f"and would drop the rest; shorten it: {text}"
                )

    def _noise(self, settings: Any, generators: list[Any]) -> Any:
        """The first latents, shape (batch, channels, latent height, latent width), drawn in fp32."""
        import torch

        factor = self._pipe.vae_scale_factor
        channels = self._pipe.vae.config.latent_channels
        shape = (channels, settings.height // factor, settings.width // factor)
        noise = torch.stack([torch.randn(shape, generator=one) for one in generators])
        return noise.to(self._pipe.device, self._pipe.unet.dtype)

    def _set_scheduler(self, name: str) -> None:
        """Give the pipeline a fresh scheduler of that name, with the model's own training schedule."""
        import diffusers

        if name == "default":
            self._pipe.scheduler = type(self._own_scheduler).from_config(self._own_scheduler.config)
            return
        class_name, options = SCHEDULERS[name]
        kind = getattr(diffusers, class_name)
        self._pipe.scheduler = kind.from_config(self._own_scheduler.config, **options)

    def _set_slicing(self, pixels: int) -> None:
        """Decode image by image where a whole batch would take gigabytes."""
        slicing = self._pipe.vae.enable_slicing if pixels > _SLICE_PIXELS else self._pipe.vae.disable_slicing
        slicing()

    def _note_finite(self, _module: Any, _inputs: Any, output: Any) -> None:
        self._finite.append(output.isfinite().flatten(1).all(1))

    def _painted(self, pixels: Any) -> Painted:
        """To uint8 on the device: values 0 to 1, shape (batch, 3, height, width), become 0 to 255, channels last."""
        import torch

        finite = pixels.isfinite().flatten(1).all(1) & torch.cat(self._finite)
        pixels = (pixels.float().nan_to_num() * 255).round().clamp(0, 255).to(torch.uint8)
        array = pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return Painted(array, finite.cpu().numpy())

    @contextmanager
    def _precision(self, precise: bool) -> Iterator[None]:
        """Hold the pipeline in fp32 for a while."""
        import torch

        if not precise or self._dtype == "float32":
            yield
            return
        self._pipe.to(dtype=torch.float32)
        try:
            yield
        finally:
            self._pipe.to(dtype=getattr(torch, self._dtype))


def resolve_revision(recipe: Recipe) -> str:
    """The commit of a Hub id (its pinned, newest or already downloaded one), or the fingerprint of a folder.

    Raises:
        UnavailableError: The Hub can't be reached and nothing is downloaded, or it has no such model.
    """
    if recipe.model.folder is not None:
        return models.fingerprint(recipe.model.folder)
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    # The root of its HTTP client's errors, a refused connection among them, whichever client that is.
    client_error: type[Exception] = HfHubHTTPError.__mro__[1]
    name, revision = recipe.model.name, recipe.revision or None
    try:
        return str(HfApi().model_info(name, revision=revision).sha)
    except (client_error, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
    try:
        folder = snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=["*.json"])
    except LocalEntryNotFoundError:
        raise UnavailableError(
            f"model {name}: not downloaded before, and the Hub did not give it: {reason}; "
            f"check the id, log in with `hf auth login` if it is gated, or use a local folder or `phantom`"
        ) from None
    _log.warning("the Hub can't be asked about %s; using what was downloaded before", name)
    return str(folder).replace("\\", "/").rpartition("/")[2]


@lru_cache(maxsize=1)
def _load(task: Task, model: models.ModelFacts, revision: str, on: tuple[str, str, str]) -> Pipeline:
    device, dtype, attention = on
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    import diffusers

    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    where = {"revision": revision} if model.folder is None else {}
    name = model.name if model.folder is None else str(model.folder)
    kind = pipeline_class(task, _class_name(model, revision), model.name)
    options = {"safety_checker": None, "requires_safety_checker": False}
    pipe = getattr(diffusers, kind).from_pretrained(
        name,
        dtype=getattr(torch, dtype),
        use_safetensors=True,
        **where,
        **(options if kind == "StableDiffusionPipeline" else {}),
    )
    pipe.set_progress_bar_config(disable=True)
    pipe.to(device)
    if devices.channels_last(device):
        pipe.unet.to(memory_format=torch.channels_last)
    pipe.vae.to(memory_format=torch.channels_last)
    if attention == "xformers":
        pipe.enable_xformers_memory_efficient_attention()
    return Pipeline(pipe, dtype)


def load(task: Task, recipe: Recipe, environment: Environment) -> Pipeline:
    """Load the pipeline of a recipe; the last one loaded is kept, so entries that share a model load it once.

    Raises:
        UnavailableError: The model can't be loaded.
    """
    import torch

    torch.set_num_threads(environment.threads)
    try:
        on = (environment.device, environment.dtype, environment.attention)
        return _load(task, recipe.model, environment.model_revision, on)
    except (OSError, ValueError, ModuleNotFoundError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UnavailableError(f"model {recipe.model.name}: can't be loaded: {reason}") from error


def pipeline_class(task: Task, class_name: str, model: str) -> str:
    """The diffusers class that does a task with a model of a class.

    Raises:
        UnavailableError: It is a family that is not supported.
    """
    if (task, class_name) not in CLASSES:
        known = ", ".join(sorted(name for for_task, name in CLASSES if for_task == task))
        raise UnavailableError(f"model {model} is a {class_name}; {task} is supported for: {known}")
    return CLASSES[task, class_name]


def _class_name(model: models.ModelFacts, revision: str) -> str:
    if model.folder is not None:
        return model.class_name
    import diffusers

    return str(diffusers.DiffusionPipeline.load_config(model.name, revision=revision)["_class_name"])


@contextmanager
def _out_of_memory(batch_size: int) -> Iterator[None]:
    """Turn torch's out-of-memory faults, which are RuntimeErrors on a CPU, into ours."""
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemoryError(f"no memory for a batch of {batch_size}") from error
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise OutOfMemoryError(f"no memory for a batch of {batch_size}") from error
