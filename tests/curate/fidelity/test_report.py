"""A fidelity report is measured straight from a run's shards and its own real images."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen import study
from synthgen.curate import fidelity
from synthgen.errors import InputError
from synthgen.runs.folders import open_folder
from synthgen.vision.features import user_cache

FAKE = [{"strategy": "fake", "per_cell": 8, "settings": {"height": 32, "width": 32}}]


def write_real(folder: Path) -> Path:
    """A folder of real images: 24 to train and 20 to test on of each of two labels, on three tones."""
    folder.mkdir()
    lines, rng = ["file_name,label,skin_tone,split"], np.random.default_rng(0)
    for label in ("psoriasis", "healthy"):
        for number in range(44):
            grain = rng.normal(150, 30, (16, 16, 3)) - 40 * (label == "psoriasis")
            Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(folder / f"{label}-{number}.png")
            split = "train" if number < 24 else "test"
            lines.append(f"{label}-{number}.png,{label},{(1, 3, 6)[number % 3]},{split}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def base(make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path_factory: Any) -> Path:
    """A folder with a run of 48 patterns and the 88 real images of its manifest; nobody changes it."""
    root: Path = tmp_path_factory.mktemp("fidelity")
    real = {"source": "folder", "path": str(write_real(root / "real")), "columns": {"split": "split"}}
    make_images(make_plan(real=real, generate=FAKE), root / "work")
    return root


@pytest.fixture(autouse=True)
def _one_cache(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Describe each image once, whichever test asks for it."""
    monkeypatch.setattr(user_cache, "folder", lambda: base / "features")


@pytest.fixture(scope="module")
def written(base: Path, extensions: Any) -> fidelity.Report:
    """The report of the whole run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(user_cache, "folder", lambda: base / "features")
        return fidelity.report(open_folder(base / "work", extensions))


def read(out: Path) -> list[dict[str, str]]:
    """The rows of a report's table."""
    with (out / "fidelity.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_measure_has_a_value_and_a_yardstick(written: fidelity.Report) -> None:
    """Of all images, against real training images, nothing is left empty, and both rows say of how many images."""
    rows = [row for row in read(written.out) if (row["scope"], row["reference"]) == ("all", "train")]
    assert [row["measure"] for row in rows] == [*fidelity.MEASURES, "memorised"]
    assert all(row["generated"] and row["real"] for row in rows)
    assert {(row["n"], row["real_n"], row["n_references"]) for row in rows[:-1]} == {("40", "40", "48")}


def test_patterns_are_further_from_real_images_than_real_ones_are(written: fidelity.Report) -> None:
    """What is nothing like the real images is told from what is."""
    found = {row["measure"]: row for row in read(written.out) if row["reference"] == "train" and row["scope"] == "all"}
    for measure in ("frechet", "kid"):
        assert float(found[measure]["generated"]) > 3 * float(found[measure]["real"])
    assert float(found["precision"]["generated"]) < float(found["precision"]["real"])


def test_groups_too_small_for_a_measure_say_why(written: fidelity.Report) -> None:
    """A skin tone has 16 training images: no distance, and the reason with both numbers."""
    row = next(row for row in read(written.out) if row["scope"] == "skin tone" and row["measure"] == "frechet")
    assert (row["generated"], row["note"]) == ("", "needs 20 images on either side, has 16 and 16")


def test_few_images_are_told_in_three_lines(base: Path, extensions: Any, tmp_path: Path) -> None:
    """How many there are, what they can show, and what the rest takes; groups without a number are no table."""
    found = fidelity.report(open_folder(base / "work", extensions), out=tmp_path / "few", limit=12)
    first, second, third = list(fidelity.summary_lines(found.rows))[:3]
    assert first.startswith("12 generated, 12 real training and 12 real test images: too few")
    assert "panels.png" in second
    assert third == (
        "The rest takes 8 generated images more; 8 usable real images more in split train (`real.splits`); "
        "8 usable real images more in split test (`real.splits`)."
    )
    page = (found.out / "report.html").read_text(encoding="utf-8")
    assert "so not measured: healthy, psoriasis." in page
    assert page.count("<table") < 5


def test_enough_images_have_no_such_lines(written: fidelity.Report) -> None:
    """Then the measures come first, each beside its yardstick."""
    assert next(iter(fidelity.summary_lines(written.rows))).startswith("Fréchet")


def test_the_page_is_whole_and_holds_its_pictures(written: fidelity.Report) -> None:
    """Pictures are in the page, which asks nothing of a network, and it warns that it shows real photographs."""
    page = (written.out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == page.count("data:image/svg+xml;base64,") == 1
    assert "share them only as their licences allow" in page
    assert "A fixed formula without weights" in page
    with Image.open(written.out / "panels.png") as image:
        assert image.width > image.height


def test_a_dataset_gives_the_numbers_of_the_run_beside_it(
    base: Path, extensions: Any, written: fidelity.Report
) -> None:
    """However its images are shuffled, a packed dataset has the same table as the run that it was packed from."""
    list(study.pack(base / "work", base / "dataset"))
    found = fidelity.report(open_folder(base / "dataset", extensions))
    assert found.out == base / "fidelity"
    assert (found.out / "fidelity.csv").read_bytes() == (written.out / "fidelity.csv").read_bytes()


def test_a_dataset_alone_is_measured_without_real_images(base: Path, extensions: Any, tmp_path: Path) -> None:
    """Only the Vendi score is left, and the report says why."""
    list(study.pack(base / "work", tmp_path / "alone"))
    found = fidelity.report(open_folder(tmp_path / "alone", extensions), out=tmp_path / "report")
    valued = {row["measure"] for row in read(found.out) if row["generated"]}
    assert valued == {"vendi"}
    assert "give the run that it was packed from" in found.notes[0]
    assert not (found.out / "panels.png").exists()


def test_a_sample_is_said_to_be_one(base: Path, extensions: Any, tmp_path: Path) -> None:
    """With a limit, so many images of each kind are measured."""
    found = fidelity.report(open_folder(base / "work", extensions), out=tmp_path, limit=30)
    assert "A sample of 30 of 48 generated images was measured." in found.notes
    assert {row["n_references"] for row in read(tmp_path) if row["scope"] == "all"} == {"30"}


def test_a_folder_of_somebody_elses_is_left_alone(base: Path, extensions: Any, tmp_path: Path) -> None:
    """A folder with other files in it is refused, and nothing is written to it."""
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))} .*{fidelity.TABLE}"):
        fidelity.report(open_folder(base / "work", extensions), out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
