"""Which real images ``real.exclude`` takes out: under other names, by rows, and where the metadata can't be reached."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen import generate, study
from synthgen.errors import IncompleteError, InputError
from synthgen.extensions import EXTENSIONS
from synthgen.pack import pack
from synthgen.plan import Plan
from synthgen.plan.real_index import Source
from synthgen.runs import dataset_folder, load_plan, run_folder, withdrawn
from synthgen.runs.folders import Run
from synthgen.vision.images import codec

SIZE = {"height": 16, "width": 16}
ENTRIES: list[dict[str, Any]] = [
    {"name": "over", "strategy": "fake", "per_source": 1, "settings": SIZE},
    {"name": "text", "strategy": "fake", "per_cell": 1, "settings": SIZE},
]
CONSENT: dict[str, Any] = {"where": {"consent": ["no"]}}
COLUMNS = ("file_name", "label", "fitzpatrick", "patient")
Rows = Sequence[Mapping[str, str]]
PlanOf = Callable[..., Plan]


def row(file: str, patient: str, **more: str) -> dict[str, str]:
    """A row of the metadata."""
    return dict(zip(COLUMNS, (file, "psoriasis", "3", patient), strict=True)) | more


def write_rows(folder: Path, rows: Rows) -> None:
    """Write the metadata of a folder of photographs."""
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


@pytest.fixture
def photographs(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of photographs with its metadata; files with the same shade have the same bytes."""

    def make(rows: Rows, shades: Mapping[str, int]) -> Path:
        folder = tmp_path / "photographs"
        folder.mkdir()
        for name, shade in shades.items():
            pixels = np.full((16, 16, 3), shade, np.uint8)
            (folder / name).write_bytes(codec.encode(pixels, codec.Encoding("png")))
        write_rows(folder, rows)
        return folder

    return make


@pytest.fixture
def plan_of(write_manifest: Callable[..., Path], tmp_path: Path) -> PlanOf:
    """Plans a study of these photographs, some of them excluded, in a folder or dry."""

    def plan(
        exclude: Mapping[str, Any] | None, root: str | None = "run", real: dict[str, Any] | None = None, **changes: Any
    ) -> Plan:
        images: dict[str, Any] = {
            "source": "folder",
            "path": "photographs",
            "columns": {"group": "patient"},
            "splits": {"train": 1},
        }
        images |= (real or {}) | ({"exclude": exclude} if exclude else {})
        path = write_manifest(**{"generate": ENTRIES, "real": images} | changes)
        return load_plan.read(path, EXTENSIONS, tmp_path / root if root else None)

    return plan


def usable(plan: Plan) -> set[str]:
    """The real images that a plan starts from."""
    assert plan.index is not None
    return {one.id for one in plan.index.usable("train")}


@pytest.mark.parametrize("exclude", [{"ids": ["b.png"]}, {"groups": ["P2"]}, {"where": {"consent": ["no"]}}], ids=str)
def test_the_same_bytes_go_under_every_name(
    exclude: dict[str, Any], photographs: Callable[..., Path], plan_of: PlanOf
) -> None:
    """Of two files with the same bytes one is used: it is out too when the other's patient withdraws."""
    rows = [row("a.png", "P1"), row("b.png", "P2"), row("c.png", "P3")]
    told = [one | {"consent": "no" if one["patient"] == "P2" else "yes"} for one in rows]
    photographs(told, {"a.png": 50, "b.png": 50, "c.png": 90})
    assert usable(plan_of(None)) == {"a", "c"}
    planned = plan_of(exclude)
    assert usable(planned) == {"c"}
    assert planned.index is not None
    assert set(planned.index.excluded) == {"a", "b"}
    assert planned.index.excluded["a"].endswith(" (same file as b)")


@pytest.mark.parametrize("root", ["run", None], ids=["run", "dry run"])
def test_every_row_of_one_file_goes(root: str | None, photographs: Callable[..., Path], plan_of: PlanOf) -> None:
    """A file that two rows name is out when either is, also before it was opened."""
    rows = [row("a.png", "P1", consent="yes"), row("a.png", "P2", consent="no"), row("c.png", "P3", consent="yes")]
    photographs(rows, {"a.png": 50, "c.png": 90})
    assert usable(plan_of({"where": {"consent": ["no"]}}, root)) == {"c"}
    assert usable(plan_of({"groups": ["P2"]}, root)) == {"c"}


@pytest.fixture
def begun(photographs: Callable[..., Path], plan_of: PlanOf, tmp_path: Path) -> Path:
    """A run of three patients of whom one has withdrawn consent; returns the folder of the photographs."""
    rows = [row(f"{name}.png", f"P{name}", consent="no" if name == "a" else "yes") for name in "abc"]
    folder = photographs(rows, {"a.png": 10, "b.png": 50, "c.png": 90})
    (tmp_path / "out.txt").write_text("nobody\n", encoding="utf-8")
    run_folder.reserve(tmp_path / "run", plan_of(CONSENT | {"file": "out.txt"}))
    return folder


@pytest.mark.parametrize(
    ("exclude", "said"),
    [
        ({"where": {"konsent": ["no"]}}, r"real\.exclude\.where\.konsent: no column"),
        (CONSENT | {"file": "nowhere.txt"}, r"real\.exclude\.file: .*nowhere\.txt: can't be read"),
    ],
    ids=["column", "file"],
)
@pytest.mark.usefixtures("begun")
def test_a_run_with_exclusions_refuses_a_misspelt_one_too(exclude: dict[str, Any], said: str, plan_of: PlanOf) -> None:
    """Who was out before is no answer to a new question."""
    with pytest.raises(InputError, match=said):
        plan_of(exclude)


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (CONSENT, {"b", "c"}),
        (CONSENT | {"ids": ["b"]}, {"c"}),
        (CONSENT | {"groups": ["Pc"]}, {"b"}),
        (CONSENT | {"file": "more.txt"}, {"c"}),
        ({"ids": ["b"]}, {"a", "c"}),
    ],
    ids=["as before", "ids", "groups", "file", "no rule any more"],
)
def test_names_are_followed_where_the_metadata_are_out_of_reach(
    exclude: dict[str, Any], left: set[str], begun: Path, plan_of: PlanOf, tmp_path: Path
) -> None:
    """Only rules on columns need the metadata; of these whoever was out stays out."""
    begun.rename(tmp_path / "elsewhere")
    (tmp_path / "more.txt").write_text("Pb\n", encoding="utf-8")
    assert usable(plan_of(exclude)) == left


@pytest.mark.parametrize("where", [{"consent": ["yes"]}, {"patient": ["Pb"]}], ids=str)
def test_a_new_rule_is_refused_where_the_metadata_are_out_of_reach(
    where: dict[str, Any], begun: Path, plan_of: PlanOf, tmp_path: Path
) -> None:
    """Nobody stays in since nobody could be asked."""
    begun.rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"real\.exclude\.where: can't be asked of the metadata"):
        plan_of({"where": where})


@pytest.mark.parametrize("exclude", [{"groups": ["Pa"]}, CONSENT], ids=str)
def test_groups_as_filed_stay_out_where_the_metadata_are_out_of_reach(
    exclude: dict[str, Any], begun: Path, plan_of: PlanOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With look-alikes in one group the names of patients are in the metadata alone; a new one is refused."""

    def one_group(images: Sequence[Source], *_: Any) -> list[Source]:
        return [replace(image, group="Pb") for image in images]

    monkeypatch.setattr("synthgen.real.indexing.look_alikes.grouped", one_group)
    held = plan_of(exclude, "alike", real={"near_duplicates": "group"})
    run_folder.reserve(tmp_path / "alike", held)
    begun.rename(tmp_path / "elsewhere")
    assert usable(plan_of(exclude, "alike", real={"near_duplicates": "group"})) == usable(held) == {"b", "c"}
    with pytest.raises(InputError, match=r"real\.exclude\.groups: can't be asked of the metadata"):
        plan_of({"groups": ["Pc"]}, "alike", real={"near_duplicates": "group"})


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ({"ids": ["IMG_1002"]}, {"img-7", "img-1002x"}),
        ({"file": "out.txt"}, {"img-7", "img-1002x"}),
        ({"ids": ["img-1002-2"]}, {"img-1002", "img-1002-3", "img-7", "img-1002x"}),
    ],
    ids=["id", "file", "numbered id"],
)
def test_an_id_takes_all_images_that_metadata_give_it(
    exclude: dict[str, Any], left: set[str], photographs: Callable[..., Path], plan_of: PlanOf, tmp_path: Path
) -> None:
    """The index tells them apart by numbers, which nobody who withdraws knows of."""
    names = {"a": "IMG_1002", "b": "IMG_1002", "c": "IMG_1002", "d": "IMG_7", "e": "IMG_1002x"}
    rows = [row(f"{file}.png", f"P{file}", name=name) for file, name in names.items()]
    photographs(rows, {f"{file}.png": 20 * shade for shade, file in enumerate(names)})
    (tmp_path / "out.txt").write_text("IMG_1002\n", encoding="utf-8")
    assert usable(plan_of(exclude, real={"columns": {"id": "name", "group": "patient"}})) == left


def test_a_file_with_a_number_behind_another_name_is_another_image(
    photographs: Callable[..., Path], plan_of: PlanOf
) -> None:
    """Where files name the images, `IMG_1_2` is no second `IMG_1`."""
    names = ["IMG.png", "IMG_1.png", "IMG_1_2.png", "IMG_2.png"]
    photographs([row(name, name) for name in names], {name: 20 * shade for shade, name in enumerate(names)})
    assert usable(plan_of({"ids": ["IMG_1"]})) == {"img", "img-1-2", "img-2"}
    assert usable(plan_of({"ids": ["IMG"]})) == {"img-1", "img-1-2", "img-2"}


@pytest.mark.parametrize(
    ("value", "cell"),
    [("0", "0.0"), (0, "0.0"), (0.0, "0"), ("No", " no "), (False, "off"), ("", " "), ("01", "1")],
    ids=str,
)
def test_a_rule_reads_cells_as_where_does(
    value: object, cell: str, photographs: Callable[..., Path], plan_of: PlanOf, caplog: pytest.LogCaptureFixture
) -> None:
    """One of both would otherwise keep whom the other takes out."""
    photographs([row("a.png", "P1", consent=cell), row("b.png", "P2", consent="x")], {"a.png": 10, "b.png": 90})
    assert usable(plan_of({"where": {"consent": [value]}}, None)) == {"b"}
    assert not caplog.text


def test_a_value_that_no_row_has_is_said(
    photographs: Callable[..., Path], plan_of: PlanOf, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be misspelt, also beside others that rows have, and in whichever column."""
    rows = [row("a.png", "P1", consent="no"), row("b.png", "P2", consent="yes")]
    photographs(rows, {"a.png": 10, "b.png": 90})
    assert usable(plan_of({"where": {"consent": ["no", "nein"], "patient": ["P1", "P7", "P8"]}}, None)) == {"b"}
    assert "real.exclude.where.consent: 1 of its values are in no row: `nein`" in caplog.text
    assert "real.exclude.where.patient: 2 of its values are in no row: `P7`, `P8`" in caplog.text


def test_a_run_without_an_index_gets_it_by_planning_alone(
    photographs: Callable[..., Path], plan_of: PlanOf, tmp_path: Path
) -> None:
    """Which real images are the same only their bytes say: nothing else in the run changes; a dry run opens none."""
    photographs([row("a.png", "P1")], {"a.png": 10})
    root = tmp_path / "run"
    run_folder.reserve(root, plan_of(None, generate=ENTRIES[1:]))
    before = {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}
    assert "sources.parquet" not in before
    assert plan_of(None, None).index != plan_of(None).index
    after = {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}
    assert after.pop("sources.parquet")
    assert after == before


@pytest.fixture
def packed(photographs: Callable[..., Path], plan_of: PlanOf, tmp_path: Path) -> Callable[..., int]:
    """Packs a run of three photographs, of which one starts nothing, apart from it; returns how many shards are new."""
    rows = [row("a.png", "P1"), row("b.png", "P2", label="healthy"), row("c.png", "P3")]
    photographs(rows, {"a.png": 10, "b.png": 90, "c.png": 170})
    over = [{**ENTRIES[0], "source_label": "psoriasis"}, ENTRIES[1]]

    def again(exclude: dict[str, Any] | None, *, repack: bool = True) -> int:
        planned, root = plan_of(exclude, generate=over), tmp_path / "run"
        job = generate.prepare(planned, root, extensions=EXTENSIONS, accept_changes=True)
        list(generate.generate(job))
        return len(list(pack(Run(root, EXTENSIONS), tmp_path / "out"))) if repack else 0

    return again


def test_a_dataset_is_packed_again_without_an_image_that_started_nothing(
    packed: Callable[..., int], tmp_path: Path
) -> None:
    """It lists all images that could be started from; without an exclusion it stays what it was."""
    out = tmp_path / "out"
    assert (packed(None), packed(None)) == (1, 0)
    assert len(dataset_folder.read_index(out).sources) == 3
    assert packed({"ids": ["b"]}) == 1
    assert len(dataset_folder.read_index(out).sources) == 2
    assert packed({"ids": ["b"]}) == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [("a", "1 of its images were set aside in its run"), ("b", "from before `real.exclude` took some of them out")],
    ids=["made from it", "started nothing"],
)
def test_a_dataset_apart_from_its_run_is_refused_by_the_run_that_is_named(
    name: str, said: str, packed: Callable[..., int], tmp_path: Path
) -> None:
    """What somebody withdrew is told by the run alone; it goes out again once it is packed again."""
    out, root = tmp_path / "out", tmp_path / "run"
    packed(None)
    withdrawn.check(out, EXTENSIONS, root)
    packed({"ids": [name]}, repack=False)
    withdrawn.check(out, EXTENSIONS)
    with pytest.raises(IncompleteError, match=f"{said}.*synthgen pack {root} --out {out}"):
        study.publish(out, "org/name", dry_run=True, work=root).result()
    packed({"ids": [name]})
    withdrawn.check(out, EXTENSIONS, root)


def test_a_run_that_has_made_none_of_the_images_is_refused(
    packed: Callable[..., int], plan_of: PlanOf, tmp_path: Path
) -> None:
    """It can't say what was set aside."""
    packed(None)
    other = tmp_path / "other"
    run_folder.reserve(other, plan_of(None, "other"))
    with pytest.raises(InputError, match="other: has made none of the images"):
        withdrawn.check(tmp_path / "out", EXTENSIONS, other)
