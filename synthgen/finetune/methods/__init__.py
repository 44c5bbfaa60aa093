"""Methods of fine-tuning: a module here is one way, and its name is the ``method`` in a manifest.

Plug-ins of one's own may lie elsewhere: docs/plugins/method.md. Each module has:

* a docstring whose first line is its help;
* ``Settings``, a :class:`TrainingSettings`, valid before anything runs;
* ``learner(pipe, settings, words) -> Learner``, which puts what is trained onto a loaded diffusers pipeline; ``words``
  are the words of each label that it is shown, by label.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from synthgen.core.plugins import PluginFolder, Promise
from synthgen.finetune.settings import TrainingSettings

if TYPE_CHECKING:
    from torch.nn import Module, Parameter

__all__ = ["Learner", "Method", "TrainingSettings", "method", "plugins"]

plugins = PluginFolder(__name__, Promise({"learner": "pipe, settings, words"}, TrainingSettings), separator="-")


class Learner(Protocol):
    """The part of a pipeline that a method trains.

    Attributes:
        networks: The parts of the pipeline that hold what is trained, by their names in it.
        reads_text: Whether a text encoder is among them, so that embeddings can't be kept.
    """

    networks: "dict[str, Module]"
    reads_text: bool

    def parameters(self) -> "dict[str, Parameter]":
        """What is trained, fp32, by name."""

    def save(self, folder: Path) -> None:
        """Write it as plain diffusers loads it, safetensors only; the same weights give the same bytes."""


class Method(Protocol):
    """What every method is."""

    Settings: type[TrainingSettings]

    def learner(self, pipe: Any, settings: Any, words: Mapping[str, str]) -> Learner:
        """Put what is trained onto a loaded diffusers pipeline; draws its first values from torch's generator."""


def method(name: str) -> Method:
    """The method of that name.

    Raises:
        InputError: There is none.
    """
    return cast(Method, plugins.module(name))
