"""A run says which installed packages its manifest's plug-ins came with, and which to install where one is missing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from synthgen.errors import InputError
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs import run_folder

SCORER = """
from synthgen.plan.manifest.settings import ScorerSettings as Settings

COLUMNS, TEXTS = ("share",), ()

def open_scorer(settings, context):
    raise NotImplementedError
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The folder of an installed package that brings a scorer."""
    info = tmp_path / "site" / "my_hues-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-hues\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[synthgen.scorers]\nhue = my_hues\n")
    (info.parent / "my_hues.py").write_text(SCORER)
    return info.parent


def test_the_package_of_a_scorer_that_is_not_here_is_named(
    installed: Path, make_plan: Callable[..., Plan], extensions: Extensions, tmp_path: Path
) -> None:
    """`run.json` has its version, and whoever opens the run without it is told what to install."""
    with pytest.MonkeyPatch.context() as here:
        here.syspath_prepend(str(installed))
        run_folder.reserve(tmp_path / "run", make_plan(curate={"scorers": {"hue": {}}, "keep": ["hue.share > 0"]}))
        assert run_folder.read_plan(tmp_path / "run", extensions).manifest.curation
    assert json.loads((tmp_path / "run" / "run.json").read_text())["packages"] == {"scorer hue": "my-hues 1.2"}
    with pytest.raises(InputError, match=r"run\.json.*no scorer `hue` here; .* my-hues 1\.2: install it"):
        run_folder.read_plan(tmp_path / "run", extensions)


def test_a_manifest_without_such_plugins_says_nothing_of_packages(
    make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """`run.json` of others is what it was."""
    run_folder.reserve(tmp_path / "run", make_plan())
    assert "packages" not in json.loads((tmp_path / "run" / "run.json").read_text())
