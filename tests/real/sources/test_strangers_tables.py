"""What strangers' tables, folders and tars hold is counted whole, or refused in a line with its place."""

import io
import json
import os
import tarfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from synthgen.errors import InputError
from synthgen.plan.real_index import Index
from synthgen.real.sources import _delimited

REAL = {"source": "folder", "path": "data"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('file_name,note,label\na.png,"5 mm,melanoma\nb.png,"5 mm,melanoma\n', "line"),
        ('file_name,note,label\na.png,"5 mm,melanoma\nb.png,,melanoma\n', "lines 2 to 3"),
        ('file_name,note,label\na.png,"x\nb.png,"\n', "lines 2 to 3"),
        ("file_name,label,patient\na.png,melanoma, NOS,p1\n", "line 2"),
        ("file_name,label,label\na.png,melanoma,psoriasis\n", "label"),
        ("My study\nfile_name,label\na.png,melanoma\n", "line 2"),
        ("<!DOCTYPE html><html></html>", "HTML"),
        ("version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        ("/annex/objects/SHA256E-s12--ab.csv\n", "git-annex pointer"),
        ("outs:\n- md5: 0a1b\n  path: metadata.csv\n", "DVC pointer"),
    ],
)
def test_a_table_that_would_lose_rows_is_refused(
    content: str, said: str, tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]
) -> None:
    """Quotation marks left open, commas out of quotes, columns twice and files that are no tables."""
    write(tmp_path / "data", "a.png", "b.png")
    (tmp_path / "data/metadata.csv").write_text(content)
    with pytest.raises(InputError, match=said):
        index(REAL)


@pytest.mark.parametrize(
    "content", ["sep=;\na;b\n1;2\n", "a|b\n1|2\n", "a,b,\n1,2,\n", "a,b\n1,2,,\n", 'a,b\n"1",2\n', "a,b\r\n1,2\r\n"]
)
def test_tables_that_lose_nothing_are_read(content: str) -> None:
    """A line that says what separates, a bar, and commas at the end of a line are no fault."""
    _, rows = _delimited.parse(content)
    assert [(row["a"], row["b"]) for row in rows] == [("1", "2")]


CELL = st.text(alphabet='ab1", ;\n', max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(CELL, min_size=3, max_size=3).filter(any), min_size=1, max_size=5))
def test_every_row_that_was_written_is_read_or_refused(rows: list[list[str]]) -> None:
    """Of what is written with quotes none is lost; of what is joined with commas it is refused, or every line read."""
    import csv

    file = io.StringIO()
    csv.writer(file).writerows([["x", "y", "z"], *rows])
    _, found = _delimited.parse(file.getvalue())
    assert [list(row.values()) for row in found] == rows
    lines = ["x,y,z", *(",".join(row).replace("\n", " ") for row in rows)]
    try:
        _, found = _delimited.parse("\n".join(lines))
    except ValueError:
        return
    assert len(found) == len(rows)


@pytest.fixture
def pair(tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]) -> Callable[[str, str], Index]:
    """The index of two joined tables."""
    write(tmp_path / "data", "a.png", "b.png")

    def made(one: str, other: str) -> Index:
        (tmp_path / "data/one.csv").write_text(one)
        (tmp_path / "data/other.csv").write_text(other)
        return index(REAL | {"metadata": ["one.csv", "other.csv"]})

    return made


@pytest.mark.parametrize("blank", ["", "NA", "nan", " "])
def test_a_key_that_nobody_knows_joins_nothing(blank: str, pair: Callable[[str, str], Index]) -> None:
    """Rows without a key get no label from others without one."""
    found = pair(f"file_name,case\na.png,{blank}\nb.png,7\n", f"case,label\n{blank},melanoma\n7,melanoma\n")
    assert [one.location for one in found.sources] == ["b.png"]
    assert sum(found.left_out.values()) == 1


def test_keys_join_as_numbers_and_texts_and_never_on_a_nameless_column(pair: Callable[[str, str], Index]) -> None:
    """`1001.0` is `1001`, and the index that pandas writes without a name is no key."""
    found = pair(",file_name,case\n0,a.png,1001\n1,b.png,1002\n", ",case,label\n1,1001.0,melanoma\n0,1002,melanoma\n")
    assert {one.location for one in found.sources} == {"a.png", "b.png"}


def test_tables_of_which_no_row_fits_are_refused_with_a_key_of_each(pair: Callable[[str, str], Index]) -> None:
    """One sees how the keys differ."""
    with pytest.raises(InputError, match=r"`7` there, `P-7` in it"):
        pair("file_name,case\na.png,7\n", "case,label\nP-7,melanoma\n")


def test_many_rows_that_fit_many_are_refused(pair: Callable[[str, str], Index]) -> None:
    """Tables that share a label alone would be joined to each image with each row, which fills the memory."""
    with pytest.raises(InputError, match=r"other\.csv and .* would be 360,000 rows, joined by label"):
        pair("label,file_name\n" + "melanoma,a.png\n" * 600, "label,x\n" + "melanoma,1\n" * 600)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.jsonl", b'{"file_name": "a.png", "label": "melanoma", "group": "\\ud800"}\n'),
        ("m.json", b'[{"file_name": "a.png", "label": "melanoma", "g": ["\\udfff"]}]'),
        ("m.parquet", b"PAR1"),
    ],
)
def test_tables_that_no_text_can_be_had_of_are_refused(
    name: str, content: bytes, tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]
) -> None:
    """Half a pair of surrogates, which JSON can say, is no text."""
    write(tmp_path / "data", "a.png")
    (tmp_path / "data" / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"real\.metadata: {name}"):
        index(REAL | {"metadata": name})


def test_a_date_that_python_has_not_is_refused(tmp_path: Path, index: Callable[..., Index]) -> None:
    """Parquet counts days for millions of years."""
    (tmp_path / "data").mkdir()
    days = pa.table({"file_name": ["a.png"], "label": ["melanoma"], "g": pa.array([2**30], pa.date32())})
    parquet.write_table(days, tmp_path / "data/m.parquet")
    with pytest.raises(InputError, match=r"real\.metadata: m\.parquet"):
        index(REAL | {"metadata": "m.parquet"})


def test_a_key_in_several_rows_of_the_second_table_is_said(
    pair: Callable[[str, str], Index], caplog: pytest.LogCaptureFixture
) -> None:
    """Each of its images is there more than once."""
    pair("file_name,case\na.png,7\n", "case,label\n7,melanoma\n7,melanoma\n")
    assert "`7`" in caplog.text


@pytest.mark.parametrize("name", ["{root}/a.png", "data/a.png", "./a.png", "e\u0301.png"])
def test_a_file_that_is_there_is_found(
    name: str, tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]
) -> None:
    """By its whole path, with the folder's name before it, and in either form of Unicode."""
    write(tmp_path / "data", "a.png", unicodedata.normalize("NFC", "e\u0301.png"))
    (tmp_path / "data/metadata.csv").write_text(f"file_name,label\n{name.format(root=tmp_path / 'data')},melanoma\n")
    assert [one.fault for one in index(REAL).sources] == [""]


@pytest.mark.parametrize("name", ["/etc/passwd", "../data/a.png", "other/a.png", "C:\\data\\a.png"])
def test_a_file_elsewhere_is_none(
    name: str, tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]
) -> None:
    """Nothing outside of the folder is read, whatever a table names."""
    write(tmp_path / "data", "a.png")
    (tmp_path / "data/metadata.csv").write_text(f"file_name,label\n{name},melanoma\n")
    assert [one.fault.partition(" /")[0][:7] for one in index(REAL).sources] == ["no file"]


def test_links_to_parents_and_pipes_end(
    tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]
) -> None:
    """Each real folder is entered once, by its own path, and a pipe is no image."""
    write(tmp_path / "data", "melanoma/a.png", "psoriasis/b.png")
    (tmp_path / "data/melanoma/all").symlink_to("..")
    (tmp_path / "data/psoriasis/all").symlink_to("..")
    (tmp_path / "data/an-alias").symlink_to("melanoma")
    os.mkfifo(tmp_path / "data/melanoma/pipe.png")
    found = index(REAL)
    assert [one.location for one in found.sources] == ["melanoma/a.png"]
    assert sum(found.left_out.values()) == 1


def test_pictures_of_every_ending_are_counted(tmp_path: Path, index: Callable[..., Index]) -> None:
    """Other names of JPEG are read; kinds that are not read are images that can't be used, with the reason."""
    (tmp_path / "data/melanoma").mkdir(parents=True)
    for name in ("a.jfif", "b.jpe", "c.HEIC", "d.avif", "e.dcm"):
        (tmp_path / "data/melanoma" / name).write_bytes(b"x")
    assert [one.fault.partition(";")[0] for one in index(REAL).sources] == ["", "", "HEIC", "AVIF", "DICOM"]


def test_na_is_no_patient(tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]) -> None:
    """R's word for what is missing is neither a group, an id nor a licence."""
    write(tmp_path / "data", "a.png", "b.png")
    (tmp_path / "data/metadata.csv").write_text(
        "file_name,label,patient,lesion,license,id\na.png,melanoma,NA,L1,NA,NA\nb.png,melanoma,NA,L2,NA,NA\n"
    )
    columns = {"group": ["patient", "lesion"], "license": "license", "id": "id"}
    found = index(REAL | {"columns": columns, "license": "CC0"}).sources
    assert [(one.id, one.group, one.license) for one in found] == [("a", "L1", "CC0"), ("b", "L2", "CC0")]


def tar(path: Path, members: list[tuple[str, bytes]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))


SAID = json.dumps({"label": "melanoma"}).encode()


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("a.jpg", b"1"), ("a.json", SAID), ("a.jpg", b"2"), ("a.json", SAID)], "`a.jpg` twice"),
        ([("a.jpg", b"1"), ("a.json", SAID), ("a.json", SAID)], "`a.json` twice"),
        ([("case.1.jpg", b"1"), ("case.1.json", SAID)], "1.json"),
    ],
)
def test_a_tar_that_would_mix_samples_is_refused(
    members: list[tuple[str, bytes]], said: str, tmp_path: Path, index: Callable[..., Index]
) -> None:
    """Names that are there twice, and dots in the keys of all."""
    tar(tmp_path / "data/t.tar", members)
    with pytest.raises(InputError, match=said):
        index({"source": "webdataset", "path": "data"})


def test_every_image_of_a_tar_is_counted(tmp_path: Path, index: Callable[..., Index]) -> None:
    """Further images of a sample, and samples whose JSON is broken, are left out as such; a byte-order mark is not."""
    members = [("a.1.jpg", b"1"), ("a.2.jpg", b"2"), ("a.json", b"\xef\xbb\xbf" + SAID)]
    tar(tmp_path / "data/t.tar", [*members, ("b.jpg", b"3"), ("b.json", b"{")])
    found = index({"source": "webdataset", "path": "data"})
    assert len(found.sources) == 1
    assert sorted(found.left_out.values()) == [1, 1]


@pytest.mark.parametrize("named", [True, False], ids=["by a table", "by its folder"])
def test_a_link_out_of_the_folder_is_followed_only_where_asked(
    named: bool, tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]
) -> None:
    """Its row says so; what lies behind a linked folder is not even listed."""
    write(tmp_path, "private/me.png", "data/melanoma/a.png")
    (tmp_path / "data/melanoma/link.png").symlink_to(tmp_path / "private/me.png")
    (tmp_path / "data/basal-cell-carcinoma").symlink_to(tmp_path / "private")
    if named:
        names = ("melanoma/a.png", "melanoma/link.png", "basal-cell-carcinoma/me.png")
        rows = [f"{name},{name.partition('/')[0]}\n" for name in names]
        (tmp_path / "data/metadata.csv").write_text("".join(["file_name,label\n", *rows]))
    found = {one.location: one.fault[:10] for one in index(REAL, root=tmp_path / "run").sources}
    behind = {"basal-cell-carcinoma/me.png": "outside of"} if named else {}
    assert found == {"melanoma/a.png": "", "melanoma/link.png": "outside of"} | behind
    followed = index(REAL | {"follow_links": True}).sources
    assert {one.location for one in followed if not one.fault} >= {"melanoma/link.png", "basal-cell-carcinoma/me.png"}


def test_a_name_that_is_no_text_and_a_file_without_end_are_rows(
    tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]
) -> None:
    """Bytes that are not UTF-8 in a name, and 40 GB of nothing: refused with their row."""
    write(tmp_path, "data/melanoma/a.png")
    with (tmp_path / "data/melanoma/sparse.png").open("wb") as file:
        file.truncate(40 * 2**30)
    os.link(tmp_path / "data/melanoma/a.png", os.fsencode(tmp_path / "data/melanoma") + b"/\xff.png")
    faults = sorted(one.fault[:8] for one in index(REAL, root=tmp_path / "run").sources)
    assert faults == ["", "42,949,6", "no file "]


def test_a_pipe_for_a_tar_is_refused(tmp_path: Path, index: Callable[..., Index]) -> None:
    """And not waited for."""
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / "data/t.tar")
    with pytest.raises(InputError, match="no regular file"):
        index({"source": "webdataset", "path": "data"})
