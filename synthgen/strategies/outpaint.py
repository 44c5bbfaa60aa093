"""All but the middle of an image painted anew by the prompt, a border left as it was where one is asked for."""

from synthgen.strategies import inpaint
from synthgen.strategies._diffusion import environment
from synthgen.strategies._masks import Mask
from synthgen.strategies.inpaint import maker

__all__ = ["Settings", "environment", "maker"]


class Settings(inpaint.Settings):
    """As for inpaint; the mask is everything but the middle quarter where none is given."""

    mask: Mask = Mask(shape="complement")
