"""Doors: folders in which one file is one way to do a thing, and the file's name is its name in the YAML."""

import pkgutil
from importlib import import_module
from types import ModuleType
from typing import Any

from synthgen.core.yaml_documents import near
from synthgen.errors import InputError


class PluginFolder:
    """One folder of interchangeable modules; adding a file to it is all that adding a way takes.

    Args:
        package: The folder.
        joint: What a name in the YAML has where its module's has an underscore.
    """

    def __init__(self, package: str, joint: str = "_") -> None:
        self._package, self._joint = package, joint

    @property
    def kind(self) -> str:
        """What one of these is called in messages: ``strategy`` for ``synthgen.diffusion.strategies``."""
        plural = self._package.rpartition(".")[2]
        return plural.removesuffix("ies") + "y" if plural.endswith("ies") else plural.removesuffix("s")

    def names(self) -> list[str]:
        """Every name behind this door, sorted."""
        path = import_module(self._package).__path__
        names = [module.name for module in pkgutil.iter_modules(path) if module.name[0] != "_"]
        return sorted(name.replace("_", self._joint) for name in names)

    def module(self, name: str) -> ModuleType:
        """The module of that name.

        Raises:
            InputError: There is none; the message lists those there are.
        """
        if name not in self.names():
            raise InputError(f"no {self.kind} `{name}`; {near(name, self.names())}")
        return import_module(f"{self._package}.{name.replace(self._joint, '_')}")

    def chosen(self, name: str, given: object) -> Any:
        """The module that a name chooses, or what stands under the name, as parsed.

        Raises:
            InputError: There is none.
        """
        return self.module(name)

    def help(self, name: str) -> str:
        """The first line of a module's docstring."""
        return (self.module(name).__doc__ or "").strip().partition("\n")[0]
