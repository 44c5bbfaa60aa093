"""What has changed in the metadata of real images since a run froze its index is said by whatever opens the run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.extensions import EXTENSIONS
from synthgen.runs import load_plan, run_folder
from synthgen.vision.images import codec

Synthgen = Callable[..., Any]
ENTRY = {"name": "over", "strategy": "fake", "per_source": 1, "settings": {"height": 16, "width": 16}}


@pytest.fixture
def table(tmp_path: Path) -> dict[str, dict[str, str]]:
    """Six photographs' rows by file, as they are before anybody changes one."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    rows = {}
    for number in range(6):
        name = f"{number}.png"
        pixels = np.full((16, 16, 3), 40 * number, np.uint8)
        (folder / name).write_bytes(codec.encode(pixels, codec.Encoding("png")))
        rows[name] = {"label": "psoriasis", "fitzpatrick": "3", "patient": f"p{number}", "consent": "yes"}
    return rows


@pytest.fixture
def write(tmp_path: Path) -> Callable[[dict[str, dict[str, str]]], None]:
    """Writes the table of rows."""

    def writing(rows: dict[str, dict[str, str]]) -> None:
        lines = ["file_name,label,fitzpatrick,patient,consent"]
        lines += [",".join((name, *row.values())) for name, row in rows.items()]
        (tmp_path / "photographs" / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    return writing


@pytest.fixture
def run(
    table: dict[str, dict[str, str]],
    write: Callable[..., None],
    write_manifest: Callable[..., Path],
    synthgen: Synthgen,
    tmp_path: Path,
) -> tuple[Path, Path]:
    """The manifest, and the run of those who agreed, made and packed by nobody yet."""
    write(table)
    real = {"source": "folder", "path": "photographs", "columns": {"group": "patient"}, "splits": {"train": 1}}
    manifest = write_manifest(generate=[ENTRY], real=real | {"where": {"consent": [True]}})
    assert synthgen("generate", manifest, "--out", tmp_path / "run", "-q").code == 0
    return manifest, tmp_path / "run"


def warnings(log: pytest.LogCaptureFixture) -> list[str]:
    """What was said of the metadata."""
    return [line for line in log.messages if "metadata of real images have changed" in line]


def test_nothing_is_said_of_what_is_as_it_was(
    run: tuple[Path, Path], synthgen: Synthgen, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where the photographs are gone altogether."""
    manifest, root = run
    assert synthgen("generate", manifest, "--out", root).code == 0
    assert synthgen("verify", root).code == 0
    (manifest.parent / "photographs").rename(manifest.parent / "elsewhere")
    assert synthgen("pack", root, "--out", root.parent / "dataset").code == 0
    assert warnings(caplog) == []


@pytest.fixture
def changed(run: tuple[Path, Path], table: Any, write: Callable[..., None]) -> None:
    """One who withdrew, a diagnosis corrected, a patient corrected, a file gone, and a photograph that is new."""
    table["0.png"]["consent"] = "no"
    table["1.png"]["label"] = "healthy"
    table["2.png"]["patient"] = "p9"
    (run[0].parent / "photographs" / "3.png").unlink()
    table["6.png"] = {**table["4.png"], "patient": "p6"}
    (run[0].parent / "photographs" / "6.png").write_bytes(b"")
    write(table)


@pytest.mark.usefixtures("changed")
@pytest.mark.parametrize("command", ["generate", "verify", "pack", "preview"])
def test_every_command_says_what_has_changed(
    command: str,
    run: tuple[Path, Path],
    synthgen: Synthgen,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each kind is counted, in one line."""
    manifest, root = run
    arguments = {
        "generate": (manifest, "--out", root),
        "verify": (root,),
        "pack": (root, "--out", root.parent / "dataset"),
        "preview": (root, "--out", root.parent / "page.html", "--no-originals"),
    }
    assert synthgen(command, *arguments[command]).code == 0
    [line] = warnings(caplog)
    counts = "1 new, 1 relabelled, 1 with another group, split or licence, 1 no longer allowed, 1 whose file is gone"
    assert counts in line
    assert "No longer allowed: 0 (1 not among the values of `where`); `real.exclude: {ids: [...]}`" in line


def test_splits_are_not_drawn_again_to_compare(
    table: dict[str, dict[str, str]],
    write: Callable[..., None],
    write_manifest: Callable[..., Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """That of a group depends on all others, so it is not compared where splits are stratified."""
    write(table)
    real = {"source": "folder", "path": "photographs", "columns": {"group": "patient"}, "stratify": ["label"]}
    manifest = write_manifest(generate=[ENTRY], real=real)
    run_folder.reserve(tmp_path / "run", load_plan.read(manifest, EXTENSIONS, tmp_path / "run"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthgen.real.indexing.stratified.draw", lambda *_: pytest.fail("splits are drawn again"))
        load_plan.read(manifest, EXTENSIONS, tmp_path / "run")
        assert warnings(caplog) == []
        table["1.png"]["label"] = "healthy"
        write(table)
        load_plan.read(manifest, EXTENSIONS, tmp_path / "run")
        [line] = warnings(caplog)
        assert "1 relabelled;" in line
