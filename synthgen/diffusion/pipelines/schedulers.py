"""diffusers' schedulers, by the names that a manifest gives them."""

import json
from collections.abc import Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from synthgen.diffusion.pipelines.families import family_of, matches_flow
from synthgen.errors import UnavailableError

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
    "tcd": ("TCDScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
}


def fresh(name: str, own: Any, timestep_spacing: str | None = None) -> Any:
    """A scheduler that has sampled nothing yet, on a model's own training schedule.

    Args:
        name: One of ``SCHEDULERS``, or ``default`` for the model's own.
        own: The model's own.
        timestep_spacing: How timesteps are spread, as diffusers calls it; the model's own way where left out.
    """
    import diffusers

    spacing = {"timestep_spacing": timestep_spacing} if timestep_spacing else {}
    if name == "default":
        return _counting_steps(type(own).from_config(own.config, **spacing))
    class_name, options = SCHEDULERS[name]
    return _counting_steps(getattr(diffusers, class_name).from_config(own.config, **options, **spacing))


def _counting_steps(scheduler: Any) -> Any:
    """A scheduler that counts its steps from the first, instead of looking for where it is by the timestep.

    Karras' sigmas give several steps the same timestep, and diffusers then begins at the second of them and runs out of
    sigmas at the end. Pipelines that begin later, as img2img does, say so after the timesteps are set.
    """
    if not hasattr(scheduler, "set_begin_index"):
        return scheduler
    set_timesteps = scheduler.set_timesteps

    @wraps(set_timesteps)  # pipelines look at its signature
    def from_the_first(*args: Any, **kwargs: Any) -> None:
        set_timesteps(*args, **kwargs)
        scheduler.set_begin_index(0)

    scheduler.set_timesteps = from_the_first
    return scheduler


def check_scheduler(scheduler: str, class_name: str, model: str, *, flow: bool = False) -> None:
    """Refuse a scheduler that can't sample a model of a class, or one whose own scheduler matches a flow.

    Raises:
        UnavailableError: It matches a flow, and the scheduler takes noise off on a schedule of betas.
    """
    if (flow or matches_flow(family_of(class_name))) and scheduler != "default":
        raise UnavailableError(f"`{scheduler}` is no scheduler for {model}, which matches a flow; use `default`")


def check_steps(scheduler: str, steps: int, folder: Path | None, model: str) -> None:
    """Refuse more steps than a scheduler can do.

    Latent consistency and TCD take their steps from those that they were distilled on,
    ``original_inference_steps``, and they and DDIM do no more than ``num_train_timesteps``.

    Args:
        scheduler: One of ``SCHEDULERS``, or ``default`` for the model's own.
        steps: num_inference_steps.
        folder: Where the model lies; ``None`` where it is not here, and diffusers' own numbers are taken for its.
        model: What the line calls it.

    Raises:
        UnavailableError: There are too many.
    """
    config = _config(folder)
    class_name = SCHEDULERS[scheduler][0] if scheduler in SCHEDULERS else str(config.get("_class_name", ""))
    counts = [config.get(key, usual) for key, usual in _LIMITS.items() if class_name in _LIMITED[key]]
    most = min((count for count in counts if isinstance(count, int)), default=steps)
    if steps > most:
        raise UnavailableError(f"`{scheduler}` does at most {most} steps with {model}, found {steps}")


_LIMITS = {"original_inference_steps": 50, "num_train_timesteps": 1000}  # diffusers' defaults
_LIMITED = {
    "original_inference_steps": ("LCMScheduler", "TCDScheduler"),
    "num_train_timesteps": ("DDIMScheduler", "LCMScheduler", "TCDScheduler"),
}


def _config(folder: Path | None) -> Mapping[str, Any]:
    """What a model says of its scheduler; nothing where it is not here, or can't be read, which loading it says."""
    try:
        found = json.loads((folder / "scheduler" / "scheduler_config.json").read_text("utf-8")) if folder else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
