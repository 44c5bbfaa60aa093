"""The families of models that are supported, by the names of diffusers' pipeline classes."""

from typing import Any, Literal

Family = Literal["StableDiffusion", "StableDiffusionXL", "StableDiffusion3", "Flux"]


def family_of(class_name: str) -> Family:
    """The family of a pipeline class, as of ``StableDiffusionXLImg2ImgPipeline``."""
    if class_name.startswith("StableDiffusionXL"):
        return "StableDiffusionXL"
    if class_name.startswith("StableDiffusion3"):
        return "StableDiffusion3"
    return "Flux" if class_name.startswith("Flux") else "StableDiffusion"


def family(pipe: Any) -> Family:
    """The family of a loaded diffusers pipeline."""
    return family_of(type(pipe).__name__)


def matches_flow(of: Family) -> bool:
    """Whether a family's models match a flow, and do not take noise off on a schedule of betas."""
    return of in ("StableDiffusion3", "Flux")
