"""What the tests of a study share: simulated predictions of which the truth is known, and small pictures of classes."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from synthgen.evaluate.report import plots


def _beside(name: str) -> ModuleType:
    """A module beside this file."""
    known = f"tests_evaluate_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


@pytest.fixture(scope="session")
def simulated() -> ModuleType:
    """The module of simulated studies."""
    return _beside("simulated")


@pytest.fixture(scope="session")
def drawn() -> ModuleType:
    """The module of small pictures in classes."""
    return _beside("drawn")


@pytest.fixture
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have no pictures, which take most of their time; for tests of what a report says."""
    monkeypatch.setattr(plots, "all_plots", lambda _analysis: [])
    monkeypatch.setattr(plots, "primary", lambda _analysis: None)
