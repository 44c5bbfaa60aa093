"""Strategies: a module here is a way to make an image; its name, with hyphens, is the ``strategy`` of a manifest.

Plug-ins of one's own may lie elsewhere: docs/plugins/strategy.md. Each module has:

* a docstring whose first line is its help;
* ``Settings``, a :class:`synthgen.plan.manifest.settings.StrategySettings`, valid before anything runs;
* ``environment(recipe, request, shard_samples) -> Environment``, what its images will be made with and on;
* ``maker(recipe, environment, start_image) -> ImageMaker``, loaded and ready; ``start_image`` gives the image that a
  sample starts from, for a strategy whose ``Settings.reads_source`` says that it does.
"""

from dataclasses import replace
from typing import Protocol, cast

from synthgen.core.devices import DeviceRequest, Environment
from synthgen.core.plugins import PluginFolder, Promise
from synthgen.diffusion.maker import ImageMaker
from synthgen.plan.manifest.settings import StrategySettings
from synthgen.plan.sample import Recipe
from synthgen.runs.start_images import FindStartImage, no_start_image

plugins = PluginFolder(
    __name__,
    Promise(
        {"environment": "recipe, request, shard_samples", "maker": "recipe, environment, start_image"}, StrategySettings
    ),
    separator="-",
)


class Strategy(Protocol):
    """What every strategy is."""

    Settings: type[StrategySettings]

    def environment(self, recipe: Recipe, request: DeviceRequest, shard_samples: int) -> Environment:
        """What a recipe's images are made with and on; raises UnavailableError for a request that can't be had."""

    def maker(
        self, recipe: Recipe, environment: Environment, start_image: FindStartImage = no_start_image
    ) -> ImageMaker:
        """Load what making the images takes."""


def strategy(name: str) -> Strategy:
    """The strategy of that name.

    Raises:
        InputError: There is none.
    """
    return cast(Strategy, plugins.module(name))


def environment(recipe: Recipe, request: DeviceRequest, shard_samples: int) -> Environment:
    """What a recipe's images are made with and on; a strategy of one's own is among the versions.

    Raises:
        UnavailableError: What was asked for can't be had here.
    """
    found = strategy(recipe.strategy).environment(recipe, request, shard_samples)
    return replace(found, versions=found.versions | plugins.versions(recipe.strategy))
