"""The folder source reads what people have: tables of several kinds, patterns, several images a row, sub-folders."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.errors import DamagedError, InputError
from synthgen.phantom import write_folder as phantoms
from synthgen.phantom.write_folder import PhantomOptions
from synthgen.plan.real_index import Index
from synthgen.real.sources import folder
from synthgen.real.sources._files import Files

ROWS = [
    {"file_name": "a.png", "label": "melanoma", "fitzpatrick": "3", "patient": "p1"},
    {"file_name": "b.png", "label": "Basal Cell Carcinoma", "fitzpatrick": "", "patient": "p2"},
]
REAL = {"source": "folder", "path": "data"}


def table(path: Path, rows: list[dict[str, Any]], sep: str = ",") -> None:
    lines = [sep.join(rows[0]), *(sep.join(str(value) for value in row.values()) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path, write: Callable[..., None]) -> Path:
    write(tmp_path / "data", "a.png", "b.png")
    return tmp_path / "data"


def facts(found: Index) -> list[tuple[str, str, int, str]]:
    return [(one.id, one.label, one.tone, one.location) for one in found.sources]


EXPECTED = [("a", "melanoma", 3, "a.png"), ("b", "basal-cell-carcinoma", 0, "b.png")]


@pytest.mark.parametrize(
    "name", ["metadata.csv", "list.tsv", "list", "list.json", "list.jsonl", "lines.json", "list.parquet"]
)
def test_tables_of_every_kind_are_read(name: str, data: Path, index: Callable[..., Index]) -> None:
    """Comma, tab, semicolon, JSON, JSON lines and Parquet say the same."""
    path = data / name
    if name.endswith(("csv", "tsv", "list")):
        table(path, ROWS, {"metadata.csv": ",", "list.tsv": "\t", "list": ";"}[name])
    elif name.endswith("parquet"):
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        path.write_text(json.dumps(ROWS) if name == "list.json" else "\n".join(map(json.dumps, ROWS)))
    assert facts(index(REAL | {"metadata": name})) == EXPECTED


def test_metadata_csv_is_found_unasked(data: Path, index: Callable[..., Index]) -> None:
    """A folder with `metadata.csv`, such as an image folder of `datasets`, needs no word about it."""
    table(data / "metadata.csv", ROWS)
    found = index(REAL)
    assert facts(found) == EXPECTED
    assert {one.dataset for one in found.sources} == {"data"}


def test_metadata_may_lie_beside_the_manifest(data: Path, tmp_path: Path, index: Callable[..., Index]) -> None:
    """A file that is not in the images' folder is looked for where the manifest is."""
    table(tmp_path / "lists" / "mine.csv", ROWS)
    assert facts(index(REAL | {"metadata": "lists/mine.csv"})) == EXPECTED


def test_a_byte_order_mark_is_no_part_of_a_column(data: Path, index: Callable[..., Index]) -> None:
    """A table saved by a spreadsheet reads as any other."""
    table(data / "metadata.csv", ROWS)
    (data / "metadata.csv").write_bytes(b"\xef\xbb\xbf" + (data / "metadata.csv").read_bytes())
    assert facts(index(REAL)) == EXPECTED


def test_sub_folders_are_labels(tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]) -> None:
    """Without metadata the folder that an image is in is its label, and the first folder is there for splits."""
    names = ["train/melanoma/1.png", "test/melanoma/1.png", "test/nevus/2.png", "test/melanoma/.hidden.png"]
    write(tmp_path / "data", *names)
    found = index(REAL | {"columns": {"split": "folder"}})
    assert [(one.id, one.split, one.location) for one in found.sources] == [
        ("1", "test", "test/melanoma/1.png"),
        ("1-2", "train", "train/melanoma/1.png"),
    ]
    assert found.left_out == {"no label of the manifest": 1}
    assert {one.fault for one in found.sources} == {""}


def test_tables_are_joined_on_what_they_share(data: Path, index: Callable[..., Index]) -> None:
    """Columns of a second table go to the rows that agree in the shared columns; others stay without."""
    table(data / "cases.csv", [{"case": "1", "file_name": "a.png"}, {"case": "2", "file_name": "b.png"}])
    table(data / "labels.csv", [{"case": "1", "label": "melanoma"}, {"case": "9", "label": "melanoma"}])
    found = index(REAL | {"metadata": ["cases.csv", "labels.csv"]})
    assert facts(found) == [("a", "melanoma", 0, "a.png")]
    assert found.left_out == {"no label of the manifest": 1}


def test_tables_that_share_nothing_are_refused(data: Path, index: Callable[..., Index]) -> None:
    """There is nothing to join on."""
    table(data / "cases.csv", [{"case": "1"}])
    table(data / "labels.csv", [{"Case": "1"}])
    with pytest.raises(InputError, match=r"^real\.metadata: labels\.csv "):
        index(REAL | {"metadata": ["cases.csv", "labels.csv"]})


def test_patterns_name_files(tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]) -> None:
    """A pattern over columns names the image, `*` stands for any part of a name, and the first that fits counts."""
    write(tmp_path / "data", "part_2/x1.png", "part_1/x1.png", "part_1/x2-b.png", "part_1/x2-a.png", "m/x1_mask.png")
    table(tmp_path / "data" / "l.csv", [{"id": "x1", "label": "melanoma"}, {"id": "x2", "label": "melanoma"}])
    columns = {"image": "part_*/{id}*.png", "id": "id", "mask": "m/{id}_mask.png"}
    found = index(REAL | {"metadata": "l.csv", "columns": columns})
    assert [(one.id, one.location, one.mask) for one in found.sources] == [
        ("x1", "part_1/x1.png", "m/x1_mask.png"),
        ("x2", "part_1/x2-a.png", ""),
    ]


def test_a_folder_of_phantoms_is_read(tmp_path: Path, index: Callable[..., Index]) -> None:
    """What `synthgen phantom --masks` writes is read as it is, each image with its mask."""
    list(
        phantoms.write(
            phantoms.prepare(tmp_path / "data", PhantomOptions(("melanoma",), (2, 5), 2, 7, "b", masks=True))
        )
    )
    found = index(REAL | {"columns": {"mask": "masks/{file_name.stem}.png"}}, root=tmp_path / "run")
    assert [(one.id, one.tone, one.fault) for one in found.sources] == [
        (f"melanoma-{tone}-000000{number}", tone, "") for tone in (2, 5) for number in (0, 1)
    ]
    assert all(one.mask == one.location.replace("images", "masks") for one in found.sources)


def test_a_row_of_several_images(tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]) -> None:
    """Each image of a row is one source, empty cells are skipped, and all of a row stay in one group."""
    write(tmp_path / "data", "q.png", "r.png", "s.png")
    rows = [
        {"one": "q.png", "two": "r.png", "label": "melanoma"},
        {"one": "", "two": "s.png", "label": "melanoma"},
        {"one": "", "two": "", "label": "melanoma"},
    ]
    table(tmp_path / "data" / "metadata.csv", rows)
    found = index(REAL | {"columns": {"image": ["one", "two"]}})
    assert [(one.id, one.group) for one in found.sources] == [("q", "q"), ("r", "q"), ("s", "s")]
    assert found.left_out == {"no image": 1}


def test_a_missing_file_is_a_fault_of_its_row(data: Path, index: Callable[..., Index]) -> None:
    """A dead link costs one image, and is known before anything is opened."""
    table(
        data / "metadata.csv", [*ROWS, {"file_name": "c.png", "label": "melanoma", "fitzpatrick": "1", "patient": ""}]
    )
    assert [one.fault for one in index(REAL).sources] == ["", "", "no file c.png"]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd", "images/../../secret.png", "..\\secret.png"])
def test_nothing_outside_the_folder_is_read(name: str, data: Path, index: Callable[..., Index]) -> None:
    """A table from somewhere can't point at the rest of the disk."""
    (data.parent / "secret.png").write_bytes(b"secret")
    table(data / "metadata.csv", [{"file_name": name, "label": "melanoma"}])
    assert index(REAL).sources[0].fault.startswith("no file")
    with pytest.raises(DamagedError):
        folder.open_source(folder.Settings(path="data"), data.parent, None).read("../secret.png")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"path": "nowhere"}, "real.path: no folder `nowhere`"),
        ({"metadata": "lost.csv"}, "real.metadata: lost.csv: No such file or directory"),
        ({"metadata": "list.xlsx"}, "real.metadata: can't tell what `list.xlsx` holds; there are: .csv, .tsv, .tab"),
        ({"columns": {"image": "filename"}}, "real.columns.image: no column `filename`; did you mean `file_name`?"),
        ({"columns": {"image": "i/{fil_name}.jpg"}}, "real.columns.image: no column `fil_name`; did you mean"),
        ({"columns": {"mask": "m/{file}"}}, "real.columns.mask: no column `file`; did you mean"),
        ({"columns": {"label": "lable"}}, "real.columns.label: no column `lable`; did you mean `label`?"),
        ({"where": {"patiet": ["p1"]}}, "real.where.patiet: no column `patiet`; did you mean `patient`?"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(
    change: dict[str, Any], fault: str, data: Path, index: Callable[..., Index]
) -> None:
    """A wrong path or column is bad input, with what was meant."""
    table(data / "metadata.csv", ROWS)
    with pytest.raises(InputError) as caught:
        index(REAL | change)
    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith(fault)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("l.csv", b"", "no header in the first line"),
        ("l.csv", b"a,b\nKrankhei\xdf,1\nx,2\n", "line 2: not UTF-8 text; in Latin-1 it is `Krankheiß,1`; save"),
        ("l.jsonl", b'{"a": 1}\n{"a": \n', "line 2: Expecting value"),
        ("l.jsonl", b"[1]\n", "line 1: expected an object"),
        ("l.json", b"[1]", "expected an object"),
        ("l.parquet", b"PAR1", ""),
    ],
)
def test_a_broken_table_is_said_in_a_line(
    name: str, content: bytes, fault: str, data: Path, index: Callable[..., Index]
) -> None:
    """A table that can't be read is bad input, with the line where there is one."""
    (data / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        index(REAL | {"metadata": name})
    (line,) = caught.value.faults
    assert line.startswith(f"real.metadata: {name}: {fault}")
    assert "\n" not in line


def test_without_a_label_column_it_says_so(data: Path, index: Callable[..., Index]) -> None:
    """A table in which nothing is called `label` needs a word about it."""
    table(data / "metadata.csv", [{"file_name": "a.png", "labels": "melanoma"}])
    with pytest.raises(InputError, match=r"^real\.columns\.label: .*did you mean `labels`"):
        index(REAL)


def test_the_bytes_are_the_file_s(data: Path) -> None:
    """Reading gives the file; one that was removed is damage."""
    reader = folder.open_source(folder.Settings(path="data"), data.parent, None)
    assert reader.read("a.png") == (data / "a.png").read_bytes()
    assert reader.keep(["a.png"]) == {}
    (data / "a.png").unlink()
    with pytest.raises(DamagedError, match=r"no file a\.png"):
        reader.read("a.png")


def test_files_that_are_kept_elsewhere_are_told_by_what_keeps_them(data: Path, index: Callable[..., Index]) -> None:
    """DVC leaves a pointer beside the place of a file, git-annex a link to nowhere; neither is just missing."""
    (data / "a.png").rename(data / "a.png.dvc")
    (data / "b.png").unlink()
    (data / "b.png").symlink_to("../.git/annex/objects/x1/SHA256E-s9--ab.png/SHA256E-s9--ab.png")
    rows = [*ROWS, {**ROWS[0], "file_name": "c.png"}]
    table(data / "metadata.csv", rows)
    faults = {one.id: one.fault for one in index(REAL).sources}
    assert "`dvc pull`" in faults["a"]
    assert "`git annex get`" in faults["b"]
    assert faults["c"] == "no file c.png"


def test_a_folder_that_dvc_keeps_is_told(tmp_path: Path, index: Callable[..., Index]) -> None:
    """Before it is fetched there is its pointer alone."""
    (tmp_path / "data.dvc").write_text("outs:\n- md5: 0a.dir\n  path: data\n")
    with pytest.raises(InputError, match=r"no folder `data`, which DVC keeps elsewhere; .*`dvc pull data\.dvc`"):
        index(REAL)


def test_a_pattern_of_many_stars_takes_no_time(data: Path) -> None:
    """A name for which a regular expression would try every way to share out its letters."""
    files = Files(data)
    (data / ("a" * 60 + ".png")).write_bytes(b"")
    assert files.find("a*" * 25 + "b.png", starred=True) == ""
    assert files.find("a*" * 25 + ".png", starred=True) == "a" * 60 + ".png"
