"""Every command explains itself at once, and what the README and the shipped manifests say can be done."""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from synthgen import __version__
from synthgen.cli import COMMANDS
from synthgen.core import resources

README = Path(__file__).parents[2] / "README.md"
HEAVY = (
    "torch",
    "diffusers",
    "transformers",
    "numpy",
    "pydantic",
    "datasets",
    "PIL",
    "webdataset",
    "pyarrow",
    "jinja2",
    "httpx2",
)
LOADED = f"""
import sys
from synthgen.cli import call
code = call(sys.argv[1:])
import json
print(json.dumps([code, [name for name in {HEAVY} if name in sys.modules]]), file=sys.stderr)
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str, synthgen: Callable[..., Any]) -> None:
    """`--help` says what the command does and gives a line that can be copied."""
    said = synthgen(name, "--help")
    assert (said.code, said.err) == (0, "")
    assert f"Example: synthgen {name} " in f"{' '.join(said.out.split())} "


@pytest.mark.parametrize("name", COMMANDS)
def test_the_short_help_flag_prints_the_same(name: str, synthgen: Callable[..., Any]) -> None:
    """`-h` is `--help` for every command."""
    assert synthgen(name, "-h") == synthgen(name, "--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_v_and_q(name: str, synthgen: Callable[..., Any]) -> None:
    """`-v` and `-q` are among every command's options."""
    out = synthgen(name, "--help").out
    assert "-v, --verbose" in out
    assert "-q, --quiet" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_mentions_every_command(name: str) -> None:
    """The README shows each command as it is typed."""
    assert f"synthgen {name}" in README.read_text(encoding="utf-8")


def test_the_help_lists_every_command(synthgen: Callable[..., Any]) -> None:
    """`synthgen --help` has a line for each command, and an example."""
    out = synthgen("--help").out
    listed = [line.split()[0] for line in out.partition("Commands:\n")[2].splitlines()]
    assert tuple(listed) == COMMANDS
    assert "Example: synthgen run quickstart" in out


def test_without_a_command_the_help_is_bad_usage(synthgen: Callable[..., Any]) -> None:
    """`synthgen` alone prints the help to stderr and exits with 2."""
    said = synthgen()
    assert (said.code, said.out) == (2, "")
    assert "Usage: synthgen" in said.err


def test_the_version_is_the_package_s(synthgen: Callable[..., Any]) -> None:
    """`--version` prints the version of the package."""
    assert synthgen("--version") == (0, f"synthgen {__version__}\n", "")


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """Help comes at once, because nothing that takes time is imported for it."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stderr) == [0, []]


@pytest.mark.parametrize("name", resources.names("manifests"))
def test_a_shipped_manifest_says_what_it_is_for(name: str) -> None:
    """The first lines say what, how to run it, how long it takes and what to expect."""
    path = resources.find("manifests", name)
    assert path is not None
    lines = path.read_text(encoding="utf-8").splitlines()
    head = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    said = {line.removeprefix("# ").partition(":")[0]: line.partition(":")[2].strip() for line in head}
    assert all(said.get(word) for word in ("What", "Run", "Time", "Expect"))
    assert said["Run"] == f"synthgen run {name}"


def needs_data(name: str) -> bool:
    """Whether a shipped manifest starts from images that its user has to get first."""
    path = resources.find("manifests", name)
    assert path is not None
    real = yaml.safe_load(path.read_text(encoding="utf-8")).get("real") or {}
    return real.get("source") == "folder"


@pytest.mark.parametrize("name", [name for name in resources.names("manifests") if needs_data(name)])
def test_a_shipped_manifest_says_where_its_data_belong(
    name: str, synthgen: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its data, `plan` says in one line which folder is missing, and the file says what belongs there."""
    monkeypatch.chdir(tmp_path)
    said = synthgen("plan", name)
    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1)
    path = resources.find("manifests", name)
    assert path is not None
    folder = said.err.partition("`")[2].partition("`")[0]
    assert f"{folder}/" in path.read_text(encoding="utf-8").partition("\nname:")[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in resources.names("manifests") if not needs_data(name)])
def test_a_shipped_manifest_plans_by_its_bare_name(name: str, synthgen: Callable[..., Any]) -> None:
    """`synthgen plan NAME` finds it, finds no fault, and counts at least one image a cell."""
    said = synthgen("plan", name, "--json")
    assert (said.code, said.err) == (0, "")
    planned = json.loads(said.out)
    assert planned["samples"] == sum(cell["samples"] for cell in planned["cells"]) > 0
    assert min(cell["samples"] for cell in planned["cells"]) > 0


def test_the_quickstart_makes_over_four_hundred_images(synthgen: Callable[..., Any]) -> None:
    """The demo makes over four hundred images, on all six skin types."""
    planned = json.loads(synthgen("plan", "quickstart", "--json").out)
    assert planned["samples"] > 400
    assert {cell["skin_tone"] for cell in planned["cells"]} == {"I", "II", "III", "IV", "V", "VI"}
