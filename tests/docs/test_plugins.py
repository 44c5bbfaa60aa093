"""The plug-in that each page of docs/plugins shows works as it stands there: as a file, and from a package."""

import io
import re
import shlex
import sys
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from synthgen.cli import call
from synthgen.core.plugins import KINDS, singular
from synthgen.curate.scorers import Batch, Context, Scorer
from synthgen.diffusion.maker import MadeImages
from synthgen.plan.sample import Recipe, Sample
from synthgen.real.sources import SourceRow
from synthgen.study import open_folder

PAGES = Path(__file__).parents[2] / "docs" / "plugins"
BLOCK = re.compile(r'^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Page:
    """What a page shows: names and texts of file and manifest, what is typed, the entry point's group, name, value."""

    code: tuple[str, str]
    manifest: tuple[str, str]
    commands: list[list[str]]
    entry_point: tuple[str, str, str]


def page(kind: str) -> Page:
    """The blocks of the page of a kind."""
    blocks = {one["kind"]: one for one in BLOCK.finditer((PAGES / f"{singular(kind)}.md").read_text(encoding="utf-8"))}
    ((group, points),) = tomllib.loads(blocks["toml"]["text"])["project"]["entry-points"].items()
    ((name, value),) = points.items()
    lines = blocks["sh"]["text"].splitlines()
    return Page(
        (blocks["python"]["title"], blocks["python"]["text"]),
        (blocks["yaml"]["title"], blocks["yaml"]["text"]),
        [shlex.split(line)[1:] for line in lines],
        (group, name, value),
    )


def as_file(shown: Page, folder: Path, _: pytest.MonkeyPatch) -> None:
    """The file beside the manifest that names it."""
    (folder / shown.code[0]).write_text(shown.code[1])
    (folder / shown.manifest[0]).write_text(shown.manifest[1])


def as_package(shown: Page, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file in an installed package, and a manifest that names no file."""
    group, name, value = shown.entry_point
    package = folder / "site" / "my_package"
    info = folder / "site" / "my_package-1.0.dist-info"
    for path in (package, info):
        path.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / shown.code[0]).write_text(shown.code[1])
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
    lines = [line for line in shown.manifest[1].splitlines() if not line.startswith("plugins:")]
    assert len(lines) == len(shown.manifest[1].splitlines()) - 1
    (folder / shown.manifest[0]).write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(folder / "site"))
    for module in ("my_package", value):
        monkeypatch.delitem(sys.modules, module, raising=False)


def photographs(path: Path) -> None:
    """The ZIP file that the page of sources reads: two images a label."""
    with zipfile.ZipFile(path, "w") as file:
        for number, name in enumerate(("psoriasis/a.png", "psoriasis/b.png", "healthy/c.png", "healthy/d.png")):
            content = io.BytesIO()
            Image.new("RGB", (40, 40), (50 * number, 100, 100)).save(content, "PNG")
            file.writestr(name, content.getvalue())


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_can_be_held_in_one_hand(kind: str) -> None:
    """At most 45 lines with those that are empty, under the names that the page says everywhere."""
    shown = page(kind)
    assert len(shown.code[1].splitlines()) <= 45
    assert len([line for line in shown.code[1].splitlines() if line.strip()]) < 40
    group, name, value = shown.entry_point
    assert group == f"synthgen.{kind}"
    assert shown.code[0] == f"{value.rpartition('.')[2]}.py"
    assert yaml.safe_load(shown.manifest[1])["plugins"] == {kind: {name: shown.code[0]}}


def test_a_strategy_that_starts_from_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's second example makes of each real training image one with four shades a channel."""
    monkeypatch.chdir(tmp_path)
    text = (PAGES / "strategy.md").read_text(encoding="utf-8")
    for one in BLOCK.finditer(text):
        if one["kind"] in ("py", "yml"):
            (tmp_path / one["title"]).write_text(one["text"])
    assert call(["generate", "posterize.yaml", "--out", "run", "-q"]) == 0
    made = [np.asarray(image) for _, image in open_folder("run").images()]
    assert made
    assert all(set(np.unique(image)) <= {0, 64, 128, 192} for image in made)


IMPORTS = re.compile(r"^from (?P<module>synthgen[\w.]*) import (?P<names>.+)$", re.MULTILINE)
PROMISED = re.compile(r"^\| `(?P<module>synthgen\.[\w.]+)` \| (?P<names>`.+`) \|$", re.MULTILINE)


def promised() -> dict[str, set[str]]:
    """The names of each module that the page on plug-ins says may be imported."""
    text = (PAGES / "index.md").read_text(encoding="utf-8")
    return {row["module"]: set(re.findall(r"`(\w+)`", row["names"])) for row in PROMISED.finditer(text)}


def test_what_may_be_imported_is_there() -> None:
    """Every name of the list."""
    assert len(promised()) > 10
    for module, names in promised().items():
        assert not {name for name in names if not hasattr(import_module(module), name)}, module


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_imports_what_may_be_imported(kind: str) -> None:
    """And nothing else of synthgen."""
    listed = promised()
    modules = {f"{package}.{name}" for package, _, name in (module.rpartition(".") for module in listed)}
    for line in IMPORTS.finditer(page(kind).code[1]):
        for name in line["names"].split(", "):
            assert name in listed.get(line["module"], ()) or f"{line['module']}.{name}" in modules, line[0]


@pytest.mark.parametrize(
    ("name", "thing"),
    [("strategy", Sample), ("strategy", Recipe), ("strategy", MadeImages), ("source", SourceRow)]
    + [("scorer", one) for one in (Scorer, Batch, Context)],
)
def test_a_page_names_every_field(name: str, thing: Any) -> None:
    """Of what a plug-in is given, and of what it gives."""
    text = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert not [field.name for field in fields(thing) if not re.search(rf"`{field.name}\b", text)]


@pytest.mark.usefixtures("workers_without_torch")
@pytest.mark.parametrize("install", [as_file, as_package])
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow) if kind in ("methods", "runners") else kind for kind in KINDS]
)
def test_a_page_works_as_it_stands_there(
    kind: str,
    install: Callable[[Page, Path, pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every command that it shows does what it is for."""
    monkeypatch.chdir(tmp_path)
    photographs(tmp_path / "photographs.zip")
    install(page(kind), tmp_path, monkeypatch)
    for command in page(kind).commands:
        assert call(command) == 0, (command, capsys.readouterr().err)
    assert (tmp_path / "run" / "run.json").is_file()
    assert (tmp_path / "run" / "plugin_files" / kind).is_dir() == (install is as_file)
