"""Names under `real.exclude` that stand under the wrong key, or that images have in another column: nobody stays in."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.errors import InputError
from synthgen.extensions import EXTENSIONS
from synthgen.runs import load_plan, run_folder
from synthgen.vision.images import codec

COLUMNS = ("file_name", "label", "fitzpatrick", "patient", "lesion")
ROWS = [
    ("a.png", "psoriasis", "3", "PAT_1", "L_1"),
    ("b.png", "psoriasis", "3", "PAT_2", ""),
    ("c.png", "psoriasis", "3", "PAT_3", ""),
    ("d.png", "unheard of", "3", "PAT_4", ""),  # starts nothing
]
Usable = Callable[..., set[str]]


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[[list[tuple[str, ...]]], None]:
    """Writes the metadata of the photographs."""

    def write(rows: list[tuple[str, ...]]) -> None:
        with (tmp_path / "photographs" / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])

    return write


@pytest.fixture
def usable(
    write_manifest: Callable[..., Path], write_rows: Callable[[list[tuple[str, ...]]], None], tmp_path: Path
) -> Usable:
    """The real images that a plan starts from, some of them excluded; in a run where it has a name."""
    (tmp_path / "photographs").mkdir()
    for shade, (name, *_) in enumerate(ROWS):
        pixels = np.full((16, 16, 3), 60 * shade, np.uint8)
        (tmp_path / "photographs" / name).write_bytes(codec.encode(pixels, codec.Encoding("png")))
    write_rows(ROWS)

    def plan(exclude: dict[str, Any] | None, group: object = "patient", run: str = "") -> set[str]:
        real: dict[str, Any] = {"source": "folder", "path": "photographs", "splits": {"train": 1}}
        real |= {"columns": {"group": group}} | ({"exclude": exclude} if exclude else {})
        entry = {"name": "over", "strategy": "fake", "per_source": 1, "settings": {"height": 16, "width": 16}}
        manifest = write_manifest(labels={"psoriasis": "psoriasis"}, real=real, generate=[entry])
        planned = load_plan.read(manifest, EXTENSIONS, tmp_path / run if run else None)
        if run:
            run_folder.reserve(tmp_path / run, planned)
        assert planned.index is not None
        return {one.id for one in planned.index.usable("train")}

    return plan


@pytest.mark.parametrize(
    ("exclude", "said"),
    [
        ({"ids": ["b", "PAT_1"]}, r"exclude\.ids\[1\]: `PAT_1` is a group, and no image; write it under `groups`"),
        ({"groups": ["b"]}, r"exclude\.groups\[0\]: `b` is an image, and no group; write it under `ids`"),
        ({"groups": ["b.png"]}, r"`b\.png` is an image, and no group; write it under `ids`"),
        ({"groups": ["photographs/b.png"]}, r"`photographs/b\.png` is an image, .*under `ids`"),
        ({"ids": ["PAT_4"]}, r"`PAT_4` is a group, and no image; write it under `groups`"),
        ({"groups": ["d.png"]}, r"`d\.png` is an image, and no group; write it under `ids`"),
        ({"ids": ["pat_1"]}, r"no image of these data is called `pat_1`; did you mean `PAT_1` under `groups`\?"),
        ({"groups": ["B.PNG"]}, r"no group of these data is called `B\.PNG`; did you mean `b\.png` under `ids`\?"),
    ],
    ids=lambda one: str(one) if isinstance(one, dict) else "",
)
def test_a_name_under_the_wrong_key_is_refused_by_the_right_one(
    exclude: dict[str, Any], said: str, usable: Usable
) -> None:
    """A patient's name under `ids` is the likeliest mistake of all, and whoever withdrew would stay in."""
    with pytest.raises(InputError, match=said):
        usable(exclude)


@pytest.mark.parametrize("exclude", [{"ids": ["d.png", "d"]}, {"groups": ["PAT_4"]}], ids=str)
def test_a_name_under_its_own_key_that_starts_nothing_is_no_mistake(exclude: dict[str, Any], usable: Usable) -> None:
    """Nobody is in whom it could mean."""
    assert usable(exclude) == {"a", "b", "c"}


def test_a_file_takes_ids_and_groups(usable: Usable, tmp_path: Path) -> None:
    """It has one list for both, and names of whoever is elsewhere are no mistake."""
    (tmp_path / "out.txt").write_text("PAT_1\nb.png\nPAT_4\nd\nPAT_99\n", encoding="utf-8")
    assert usable({"file": "out.txt"}) == {"c"}


@pytest.mark.parametrize("key", ["ids", "groups", "file"])
def test_a_patient_where_images_go_by_another_column_is_refused(key: str, usable: Usable, tmp_path: Path) -> None:
    """`columns.group` takes the first column that has a value, so a lesion's image is of no patient."""
    (tmp_path / "out.txt").write_text("PAT_1\n", encoding="utf-8")
    named = {"file": "out.txt"} if key == "file" else {key: ["PAT_1"]}
    with pytest.raises(
        InputError, match=r"which rows have as `patient`; write it under `where: \{patient: \[\.\.\.\]\}"
    ):
        usable(named, ["lesion", "patient"])
    followed = {"where": {"patient": ["PAT_1"]}}
    assert usable(followed, ["lesion", "patient"]) == {"b", "c"}
    if key == "file":
        assert usable(followed | named, ["lesion", "patient"]) == {"b", "c"}


def test_a_patient_whom_the_metadata_name_since_the_run_began_is_refused(
    usable: Usable, write_rows: Callable[[list[tuple[str, ...]]], None]
) -> None:
    """The index is frozen, and has the image under another."""
    assert usable(None, run="run") == {"a", "b", "c"}
    write_rows([("a.png", "psoriasis", "3", "PAT_9", ""), *ROWS[1:]])
    with pytest.raises(InputError, match=r"`PAT_9`, which rows have as `patient`; write it under `where"):
        usable({"groups": ["PAT_9"]}, run="run")
    assert usable({"where": {"patient": ["PAT_9"]}}, run="run") == {"b", "c"}


def test_a_group_of_before_is_refused_while_its_image_is_here(usable: Usable) -> None:
    """The run has known it, by a column that groups no more."""
    assert usable(None, run="run") == {"a", "b", "c"}
    with pytest.raises(InputError, match=r"exclude\.groups\[0\]: .*`PAT_1`"):
        usable({"groups": ["PAT_1"]}, "lesion", run="run")
