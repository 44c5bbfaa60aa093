"""Labelled synthetic image datasets by latent diffusion, as a pure function of one manifest.

This is the front door for Python: what ``__all__`` lists is there after ``import synthgen``, and nothing heavy, such as
PyTorch, NumPy or pydantic, is imported before it is used. Each verb does what the command of its name does, on the same
files; the modules of :mod:`synthgen.study` define them.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from synthgen.core.releases import __version__

if TYPE_CHECKING:
    from synthgen import errors
    from synthgen.errors import InputError, ManifestError, SynthgenError
    from synthgen.plan import Plan
    from synthgen.plan.manifest import Manifest
    from synthgen.plan.sample import Record
    from synthgen.runs.folders import Dataset, Run
    from synthgen.runs.receipts import Receipt
    from synthgen.runs.verdicts import Verdict
    from synthgen.study.inputs import open, plan, read_manifest  # noqa: A004 - as `PIL.Image.open`
    from synthgen.study.task import Stage, Task
    from synthgen.study.verbs import (
        compare,
        curate,
        evaluate,
        fidelity,
        finetune,
        generate,
        pack,
        preview,
        publish,
        run,
        top_up,
    )

__all__ = [
    "Dataset",
    "InputError",
    "Manifest",
    "ManifestError",
    "Plan",
    "Receipt",
    "Record",
    "Run",
    "Stage",
    "SynthgenError",
    "Task",
    "Verdict",
    "__version__",
    "compare",
    "curate",
    "errors",
    "evaluate",
    "fidelity",
    "finetune",
    "generate",
    "open",
    "pack",
    "plan",
    "preview",
    "publish",
    "read_manifest",
    "run",
    "top_up",
]

_INPUTS, _VERBS = "synthgen.study.inputs", "synthgen.study.verbs"
_ROOMS = ("compare", "curate", "evaluate", "finetune", "generate", "pack", "plan", "preview", "publish")
_PLACES = {
    **dict.fromkeys(("InputError", "ManifestError", "SynthgenError"), "synthgen.errors"),
    **dict.fromkeys(("Dataset", "Run"), "synthgen.runs.folders"),
    **dict.fromkeys(("Stage", "Task"), "synthgen.study.task"),
    **dict.fromkeys(("open", "read_manifest"), _INPUTS),
    **dict.fromkeys(("fidelity", "run", "top_up"), _VERBS),
    "Manifest": "synthgen.plan.manifest",
    "Plan": "synthgen.plan",
    "Receipt": "synthgen.runs.receipts",
    "Record": "synthgen.plan.sample",
    "Verdict": "synthgen.runs.verdicts",
}


class _Room(ModuleType):
    """A package that has a verb's name: ``synthgen.generate(...)`` calls the verb, as if it were the function alone."""

    def __reduce__(self) -> tuple[Any, ...]:
        return import_module, (self.__name__,)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do what the verb does; its docstring is that of the function of its name in :mod:`synthgen.study`."""
        return self.__wrapped__(*args, **kwargs)

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        """What the verb does, for ``help`` and tool tips."""
        return getattr(self.__wrapped__, "__doc__", None)

    @property
    def __wrapped__(self) -> Any:
        """The verb, which ``inspect.signature`` and IPython's ``?`` follow."""
        return getattr(import_module("synthgen.study"), self.__name__.rpartition(".")[2])


class _FrontDoor(ModuleType):
    """This package, whose packages that have a verb's name can be called from the moment that they are imported."""

    def __reduce__(self) -> tuple[Any, ...]:
        return import_module, (self.__name__,)

    def __setattr__(self, name: str, value: object) -> None:
        if name in _ROOMS and isinstance(value, ModuleType):
            value.__class__ = _Room
        super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    """What is asked for, imported now."""
    if name in _ROOMS or name == "errors":
        return import_module(f"synthgen.{name}")
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module `synthgen` has no attribute `{name}`")


def __dir__() -> list[str]:
    """What the front door has."""
    return sorted({*globals(), *__all__})


sys.modules[__name__].__class__ = _FrontDoor
