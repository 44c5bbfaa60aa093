"""diffusers' schedulers, by the names that a manifest gives them."""

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
        return type(own).from_config(own.config, **spacing)
    class_name, options = SCHEDULERS[name]
    return getattr(diffusers, class_name).from_config(own.config, **options, **spacing)


def check_scheduler(scheduler: str, class_name: str, model: str, *, flow: bool = False) -> None:
    """Refuse a scheduler that can't sample a model of a class, or one whose own scheduler matches a flow.

    Raises:
        UnavailableError: It matches a flow, and the scheduler takes noise off on a schedule of betas.
    """
    if (flow or matches_flow(family_of(class_name))) and scheduler != "default":
        raise UnavailableError(f"`{scheduler}` is no scheduler for {model}, which matches a flow; use `default`")
