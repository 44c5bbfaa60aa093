"""Doors: folders in which one file is one way to do a thing, and the file's name is its name in the YAML."""

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, Self

from pydantic import Field

from synthgen.documents import Strict, near
from synthgen.errors import InputError, ManifestError
from synthgen.models import ModelFacts


class Door:
    """One folder of interchangeable modules; adding a file to it is all that adding a way takes."""

    def __init__(self, package: str) -> None:
        self._package = package

    @property
    def kind(self) -> str:
        """What one of these is called in messages: ``strategy`` for ``synthgen.strategies``."""
        plural = self._package.rpartition(".")[2]
        return plural.removesuffix("ies") + "y" if plural.endswith("ies") else plural.removesuffix("s")

    def names(self) -> list[str]:
        """Every name behind this door, sorted."""
        path = import_module(self._package).__path__
        return sorted(module.name for module in pkgutil.iter_modules(path) if module.name[0] != "_")

    def module(self, name: str) -> ModuleType:
        """The module of that name.

        Raises:
            InputError: There is none; the message lists those there are.
        """
        if name not in self.names():
            raise InputError(f"no {self.kind} `{name}`; {near(name, self.names())}")
        return import_module(f"{self._package}.{name}")

    def help(self, name: str) -> str:
        """The first line of a module's docstring."""
        return (self.module(name).__doc__ or "").strip().partition("\n")[0]


class StrategySettings(Strict):
    """The settings that every strategy has: the size of the image in pixels.

    A size left out is the one that the model was trained for.
    """

    height: int | None = Field(default=None, ge=8, le=8192)
    width: int | None = Field(default=None, ge=8, le=8192)

    def fitted(self, facts: ModelFacts) -> Self:
        """These settings with the size filled in, once the model is known.

        Raises:
            ManifestError: The size does not fit the model; one fault for each, ``key: message``.
        """
        size = {"height": self.height, "width": self.width}
        faults = []
        for side, pixels in size.items():
            if pixels is None and facts.sample_size is None:
                faults.append(f"{side}: missing; `{facts.name}` does not say its own size here")
            elif pixels is not None and pixels % facts.multiple:
                near_size = max(facts.multiple, round(pixels / facts.multiple) * facts.multiple)
                faults.append(
                    f"{side}: must be a multiple of {facts.multiple} for model `{facts.name}`, "
                    f"found {pixels}; {near_size} is near"
                )
        if faults:
            raise ManifestError(*faults)
        return self.model_copy(update={side: px or facts.sample_size for side, px in size.items()})


class PromptsReader(Protocol):
    """Reads prompt templates from their text; ``where`` is what faults call it."""

    def __call__(self, text: str, where: str) -> Any:
        """Return the templates, or raise ManifestError with every fault."""


@dataclass(frozen=True, slots=True)
class Doors:
    """What whoever reads a manifest hands it: the ways there are, and how prompts are read."""

    strategies: Door
    prompts: PromptsReader
    find_shipped_prompts: Callable[[str], Path | None]
