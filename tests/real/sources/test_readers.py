"""Every built-in source gives a reader with all that readers have."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from synthgen.errors import InputError
from synthgen.plan.manifest.settings import SourceSettings
from synthgen.real import sources

NEEDED: dict[str, dict[str, Any]] = {
    "folder": {"path": "."},
    "hub": {"path": "org/name"},
    "phantom": {"count": 1},
    "webdataset": {"path": "a.tar"},
}


def test_every_source_is_tested_here() -> None:
    """A new source gets a row of its own in this file."""
    assert sources.plugins.names() == sorted(NEEDED)
    assert sources.plugins.kind == "source"


@pytest.mark.parametrize("name", sources.plugins.names())
def test_a_source_gives_a_reader(name: str, tmp_path: Path) -> None:
    """One line of help, settings of its own, and a reader with all that readers have."""
    module = sources.source(name)
    assert sources.plugins.help(name).endswith(".")
    assert issubclass(module.Settings, SourceSettings)
    assert module.Settings is not SourceSettings
    assert module.Settings.__doc__
    parameters = inspect.signature(module.open_source).parameters
    assert list(parameters) == ["settings", "base", "cache", "labels"]
    reader = module.open_source(module.Settings.model_validate(NEEDED[name]), tmp_path, None)
    assert reader.name
    assert all(callable(getattr(reader, method)) for method in ("rows", "keep", "read"))
    assert isinstance(inspect.getattr_static(type(reader), "columns"), property | tuple | list)


def test_an_unknown_source_is_bad_input() -> None:
    """A mistyped name is told with what was meant."""
    with pytest.raises(InputError, match="no source `foldr`; did you mean `folder`"):
        sources.source("foldr")
