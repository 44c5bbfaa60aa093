"""The methods door: a file here is one way to tune a model, and its name is the ``method`` in a manifest.

Each module has:

* a docstring whose first line is its help;
* ``Settings``, a :class:`synthgen.finetune.methods._settings.TrainingSettings`, valid before anything runs;
* ``learner(pipe, settings, words) -> Learner``, which puts what is trained onto a loaded diffusers pipeline; ``words``
  are the words of each label that it is shown, by label.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from synthgen.core.plugins import PluginFolder
from synthgen.plan.manifest.settings import MethodSettings

if TYPE_CHECKING:
    from torch.nn import Module, Parameter

door = PluginFolder(__name__, joint="-")


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
    """What every module behind this door is."""

    Settings: type[MethodSettings]

    def learner(self, pipe: Any, settings: Any, words: Mapping[str, str]) -> Learner:
        """Put what is trained onto a loaded diffusers pipeline; draws its first values from torch's generator."""


def method(name: str) -> Method:
    """The method of that name.

    Raises:
        InputError: There is none.
    """
    return cast(Method, door.module(name))
