"""The families whose batches are made by hand, by the names of diffusers' classes; all others prove themselves.

The bytes of their images are promised to runs that began long ago. A class of no family here goes by
:class:`synthgen.diffusion.pipelines.any_family.AnyFamily`.
"""

from typing import Any, Literal

Family = Literal["StableDiffusion", "StableDiffusionXL", "StableDiffusion3", "Flux", "other"]
_KNOWN: tuple[Family, ...] = ("StableDiffusion", "StableDiffusionXL", "StableDiffusion3", "Flux")
_CLASSES: dict[str, Family] = {
    f"{family}{task}Pipeline": family for family in _KNOWN for task in ("", "Img2Img", "Inpaint")
}


def family_of(class_name: str) -> Family:
    """The family of a pipeline class, as of ``StableDiffusionXLImg2ImgPipeline``; ``other`` for any not named here."""
    return _CLASSES.get(class_name, "other")


def family(pipe: Any) -> Family:
    """The family of a loaded diffusers pipeline."""
    return family_of(type(pipe).__name__)


def matches_flow(of: Family) -> bool:
    """Whether a named family's models match a flow, and do not take noise off on a schedule of betas."""
    return of in ("StableDiffusion3", "Flux")
