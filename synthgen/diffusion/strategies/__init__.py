"""The strategies door: a file here is one way to make an image, and its name is the ``strategy`` in a manifest.

Each module has:

* a docstring whose first line is its help;
* ``Settings``, a :class:`synthgen.plan.manifest.settings.StrategySettings`, valid before anything runs;
* ``environment(recipe, wish, shard_samples) -> Environment``, what its images will be made with and on;
* ``maker(recipe, environment, originals) -> Maker``, loaded and ready; ``originals`` gives the image that a sample
  starts from, for a strategy whose ``Settings.reads_source`` says that it does.
"""

from typing import Protocol, cast

from synthgen.core.devices import DeviceRequest, Environment
from synthgen.core.plugins import PluginFolder
from synthgen.diffusion.maker import ImageMaker
from synthgen.plan.manifest.settings import StrategySettings
from synthgen.plan.sample import Recipe
from synthgen.runs.start_images import FindStartImage, no_start_image

door = PluginFolder(__name__)


class Strategy(Protocol):
    """What every module behind this door is."""

    Settings: type[StrategySettings]

    def environment(self, recipe: Recipe, wish: DeviceRequest, shard_samples: int) -> Environment:
        """Decide what a recipe's images are made with and on; raises UnavailableError for a wish that can't be had."""

    def maker(self, recipe: Recipe, environment: Environment, originals: FindStartImage = no_start_image) -> ImageMaker:
        """Load what making the images takes."""


def strategy(name: str) -> Strategy:
    """The strategy of that name.

    Raises:
        InputError: There is none.
    """
    return cast(Strategy, door.module(name))
