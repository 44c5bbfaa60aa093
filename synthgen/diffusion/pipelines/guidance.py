"""Classifier-free guidance in a part of the steps; in the others the denoiser skips the negative prompt.

Guidance in the middle of the way makes the prompt be followed as guidance throughout does, and leaves the spread of
colours and shapes that the first steps decide, for fewer passes through the denoiser (Kynkäänniemi et al. 2024,
"Applying Guidance in a Limited Interval Improves Sample and Distribution Quality in Diffusion Models").
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from synthgen.diffusion.pipelines.families import family
from synthgen.diffusion.pipelines.latents import denoiser
from synthgen.errors import UnavailableError

if TYPE_CHECKING:
    from torch import Tensor

DISTILLED = "reads guidance_scale as a number in every step, so it can be left out of none"


@contextmanager
def only_in(pipe: Any, guided: range, num_inference_steps: int) -> Iterator[None]:
    """Guide only in some steps, as long as the context is open.

    The pipeline goes on as if it guided in all of them. In the others its denoiser sees only the half of the batch that
    reads the prompt, and answers with that prediction in both halves, between which guidance finds no difference.

    Args:
        pipe: A diffusers pipeline.
        guided: The steps with guidance, counted from 0; none where the pipeline is called without guidance.
        num_inference_steps: How many steps the scheduler has, those that an image's strength leaves out among them.

    Raises:
        UnavailableError: The model takes guidance as a number, in every step.
    """
    if len(guided) in (0, num_inference_steps):
        yield
        return
    if distilled(pipe):
        raise UnavailableError(f"guidance_start, guidance_stop: a {type(pipe).__name__} {DISTILLED}")
    passes, unguided = 0, False

    def before(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        nonlocal passes, unguided
        timesteps = len(pipe.scheduler.timesteps)
        place = timesteps - pipe.num_timesteps + passes  # strength leaves out the first ones
        passes += 1
        # A scheduler of a higher order passes more than once a step, and lists the timestep of each.
        unguided = place * num_inference_steps // timesteps not in guided
        return (_prompt_half(args), _prompt_half(kwargs)) if unguided else (args, kwargs)

    def after(_module: Any, _args: Any, output: tuple[Tensor]) -> tuple[Tensor]:
        return (output[0].repeat(2, *[1] * (output[0].ndim - 1)),) if unguided else output

    hooks = (
        denoiser(pipe).register_forward_pre_hook(before, with_kwargs=True),
        denoiser(pipe).register_forward_hook(after),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def distilled(pipe: Any) -> bool:
    """Whether a pipeline's denoiser reads guidance_scale as a number, in place of two predictions that are compared."""
    config = denoiser(pipe).config
    return family(pipe) == "Flux" or getattr(config, "time_cond_proj_dim", None) is not None


def _prompt_half(inputs: Any) -> Any:
    """The second half of every batch among a denoiser's inputs: what reads the prompt and not the negative one."""
    if isinstance(inputs, tuple | list):
        return type(inputs)(_prompt_half(one) for one in inputs)
    if isinstance(inputs, dict):
        return {name: _prompt_half(one) for name, one in inputs.items()}
    return inputs.chunk(2)[1] if getattr(inputs, "ndim", 0) else inputs
