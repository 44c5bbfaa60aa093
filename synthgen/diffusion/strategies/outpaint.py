"""All but the middle of an image painted anew by the prompt, a border left as it was where one is asked for."""

from synthgen.diffusion.masks import Mask
from synthgen.diffusion.sampler_settings import environment
from synthgen.diffusion.strategies import inpaint
from synthgen.diffusion.strategies.inpaint import maker

__all__ = ["Settings", "environment", "maker"]


class Settings(inpaint.Settings):
    """As for inpaint; the mask is everything but the middle quarter where none is given."""

    mask: Mask = Mask(shape="complement")
