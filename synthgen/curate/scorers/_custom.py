"""Scorers of one's own: a function over a batch, in a Python file or installed under an entry point.

>>> def score(records, pixels):
...     return {"redness": pixels[..., 0].mean((1, 2)) / pixels[..., 1].mean((1, 2))}

``records`` are :class:`synthgen.plan.sample.Record`, ``pixels`` uint8 RGB, shape (n, height, width, 3), and each column
has n numbers. Which columns there are stands in the manifest, so no code is run, or needed, to read one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from synthgen.core.plugins import PluginFile, text_sha256
from synthgen.core.yaml_documents import near
from synthgen.curate.scorers import Batch, Context, Scorer, Scores
from synthgen.errors import Fault, InputError
from synthgen.plan.manifest.settings import ScorerSettings

GROUP = "synthgen.scorers"
_TAKEN = {"key", "label", "skin_tone"}  # columns of every file of scores
Function = Callable[[Any, Any], Scores]
_Columns = Annotated[list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]], Field(min_length=1)]


class InstalledSettings(ScorerSettings):
    """The columns that an installed function gives."""

    columns: _Columns

    @field_validator("columns")
    @classmethod
    def _apart(cls, columns: list[str]) -> list[str]:
        if taken := sorted({*columns} & _TAKEN) or sorted(name for name in columns if columns.count(name) > 1):
            raise ValueError(f"`{taken[0]}` is there already; give each column a name of its own")
        return columns

    def faults(self, name: str, base: Path) -> list[Fault]:
        """That nothing is installed under that name."""
        if name in found():
            return []
        return [Fault(f"no scorer `{name}` is installed; {near(name, found())}", kind="not_found")]


class FileSettings(InstalledSettings):
    """The columns, and the file, from the manifest's folder."""

    file: str = Field(min_length=1)

    def faults(self, name: str, base: Path) -> list[Fault]:
        """That the file is not there."""
        path = base / self.file
        return [] if path.is_file() else [Fault.at("file", f"{path} is not there", "not_found")]


class Own:
    """A scorer of one's own, in the shape of the modules that ship.

    Args:
        settings: The class of its settings.
        columns: What it promises to give.
        find: Imports the function, and tells the sha256 of its module's text, from the manifest's folder.
    """

    TEXTS: Mapping[str, str] = {}

    def __init__(
        self, settings: type[ScorerSettings], columns: object, find: Callable[[Path], tuple[Function, str]]
    ) -> None:
        names = [name for name in columns if isinstance(name, str)] if isinstance(columns, list) else []
        self.Settings, self.COLUMNS, self._find = settings, dict.fromkeys(names, "one's own"), find

    def open_scorer(self, settings: ScorerSettings, context: Context) -> Scorer:
        """The function is imported; its scores depend on its module's text, and what that imports is its own care.

        Raises:
            InputError: There is no such function.
        """
        function, digest = self._find(context.base)

        def score(batch: Batch) -> Scores:
            return function(batch.records, batch.pixels)

        return Scorer({"method": "own-1", "sha256": digest}, lambda: score)


def from_file(file: str, columns: object) -> Own:
    """The scorer in a file, a path from the manifest's folder."""
    return Own(FileSettings, columns, lambda base: _in_file(base / file))


def installed(name: str, columns: object) -> Own:
    """The scorer of an entry point: ``redness = "my_package.redness:score"`` in the group ``synthgen.scorers``."""

    def find(_: Path) -> tuple[Function, str]:
        if name not in found():
            raise InputError(f"curate.scorers: no scorer `{name}` is installed here; {near(name, found())}")
        function = _checked(found()[name].load(), found()[name].value)
        return function, text_sha256(inspect.getsource(inspect.getmodule(function) or function))

    return Own(InstalledSettings, columns, find)


def found() -> dict[str, EntryPoint]:
    """The scorers that are installed, by name."""
    return {each.name: each for each in entry_points(group=GROUP)}


def _in_file(path: Path) -> tuple[Function, str]:
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read as a scorer ({error}); give a Python file") from None
    found = PluginFile("scorers", path.stem.casefold(), str(path), path, source, place="curate.scorers")
    return _checked(getattr(found.load(), "score", None), str(path)), found.sha256


def _checked(function: Any, where: str) -> Function:
    if not callable(function):
        raise InputError(f"{where}: holds no function `score(records, pixels)`")
    found: Function = function
    return found
