"""The index of real images is whole or not at all, says what it is, and splits by groups as packing does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.errors import DamagedError
from synthgen.pack import shuffle
from synthgen.plan import real_index
from synthgen.plan.real_index import Index, Source

ONE = Source("a-1", "melanoma", 3, "p1", "train", "CC0-1.0", "d", "images/a.jpg", "m/a.png", "0f" * 32, 30, 20)
TWO = Source("b-2", "melanoma", 0, "p2", "test", "", "d", "images/b.jpg", sha256="1f" * 32, width=9, height=8)
BAD = Source("c-3", "nevus", 1, "p3", "train", "", "d", "images/c.jpg", fault="truncated")
GOLDEN = ["train", "test", "train", "train", "train", "train", "train", "test"]
INDEX = Index((ONE, TWO, BAD), {"no label of the manifest": 4})


def test_an_index_comes_back(tmp_path: Path) -> None:
    """What was written is what is read, left-out rows included."""
    INDEX.write(tmp_path / "sources.parquet")
    assert Index.read(tmp_path / "sources.parquet") == INDEX
    assert [path.name for path in tmp_path.iterdir()] == ["sources.parquet"]


def test_the_same_index_gives_the_same_bytes(tmp_path: Path) -> None:
    """The order in which reasons were met is not seen in the file."""
    for name, left_out in ("one", {"a": 1, "b": 2}), ("two", {"b": 2, "a": 1}):
        replace(INDEX, left_out=left_out).write(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_what_is_known_of_images_comes_back(tmp_path: Path) -> None:
    """A caption and attributes are columns where any image has some, and no part of a digest where none has."""
    known = Index((replace(ONE, caption="a mole", attributes='{"age": "45"}'), TWO))
    for name, index in ("known", known), ("before", INDEX):
        index.write(tmp_path / name)
    assert Index.read(tmp_path / "known") == known
    assert known.sources[0].about == {"age": "45", "caption": "a mole"}
    columns = [pyarrow.parquet.read_schema(tmp_path / name).names for name in ("before", "known")]
    assert columns[1] == [*columns[0], "caption", "attributes"]
    assert known.digest != Index((ONE, TWO)).digest
    assert len(ONE.facts) == len(known.sources[0].facts) - 2


def test_an_empty_index_comes_back(tmp_path: Path) -> None:
    """No image is an answer too."""
    Index(()).write(tmp_path / "empty")
    assert Index.read(tmp_path / "empty") == Index(())


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all", b"PAR1" + bytes(100) + b"PAR1"])
def test_garbage_is_no_index(content: bytes, tmp_path: Path) -> None:
    """Bytes that are no index are said to be none, in one line."""
    (tmp_path / "sources.parquet").write_bytes(content)
    with pytest.raises(DamagedError, match=r"sources\.parquet: not an index of real images \(.*\); remove it"):
        Index.read(tmp_path / "sources.parquet")


def test_any_cut_is_noticed(tmp_path: Path) -> None:
    """An index that lost its end is damage wherever it was cut."""
    path = tmp_path / "sources.parquet"
    INDEX.write(path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedError):
            Index.read(path)


def test_another_table_is_no_index(tmp_path: Path) -> None:
    """A Parquet file of other columns, or with holes in it, is not taken for an index."""
    import pyarrow as pa
    from pyarrow import parquet

    INDEX.write(tmp_path / "index")
    table = parquet.read_table(tmp_path / "index")
    holes = table.set_column(0, "id", pa.array([None, "b", "c"], pa.string()))
    for other in (table.drop_columns(["tone"]), holes, table.replace_schema_metadata(None)):
        parquet.write_table(other, tmp_path / "other")
        with pytest.raises(DamagedError, match="not an index"):
            Index.read(tmp_path / "other")


def test_what_is_usable_has_no_fault() -> None:
    """A split's usable images are its own, without those that have a fault."""
    assert INDEX.usable("train") == (ONE,)
    assert INDEX.usable("test") == (TWO,)
    assert INDEX.usable("validation") == ()
    assert INDEX.counts("train") == {("melanoma", 3): 1}
    assert INDEX.counts("train")["nevus", 1] == 0


@pytest.mark.parametrize(
    ("faults", "reasons"),
    [
        (["no file a.jpg", "no file b.jpg; skin tone `9` is not on the scale monk"], {"no file": 2}),
        (["same file as x", "same file as y, with another group"], {real_index.SAME_FILE: 2}),
        (["same file as x, with another label and tone"], {"the same file as another, with another label": 1}),
        (["group `p` is in test too", "group `q` is in validation too"], {"the group is in another split too": 2}),
        (["skin tone `9` is not on the scale monk"], {"skin tone is not on the scale": 1}),
        (["split `a` is none of train, validation and test"], {"split is none of train, validation and test": 1}),
        (["mask: truncated", "mask: empty file"], {"the mask can't be read": 2}),
        (["900 megapixels, more than 100", "101 megapixels, more than 100"], {"... megapixels, more than 100": 2}),
        (["1 x 1 pixels, smaller than 8 x 8"], {"... pixels, smaller than 8 x 8": 1}),
        (["truncated", "empty file", "truncated"], {"truncated": 2, "empty file": 1}),
    ],
)
def test_an_account_counts_faults_by_reason(faults: list[str], reasons: dict[str, int]) -> None:
    """What a fault says of one image alone does not part it from others of its kind; the most frequent come first."""
    account = Index(tuple(replace(ONE, id=str(number), fault=fault) for number, fault in enumerate(faults))).account()
    assert account["faults"] == reasons
    assert list(account["faults"]) == list(reasons)
    assert account["usable"] == {"train": 0, "validation": 0, "test": 0}


@pytest.mark.parametrize(
    "change", [{"sha256": "2f" * 32}, {"label": "x"}, {"tone": 4}, {"group": "x"}, {"split": "test"}, {"license": "x"},
               {"dataset": "x"}, {"mask_sha256": "x"}, {"id": "x"}, {"fault": "x"}]
)  # fmt: skip
def test_the_digest_is_of_what_an_image_depends_on(change: dict[str, Any]) -> None:
    """A change of anything that can reach an image changes the digest."""
    assert Index((replace(ONE, **change), TWO)).digest != Index((ONE, TWO)).digest


def test_the_digest_is_not_of_places_and_of_bad_images() -> None:
    """Moving the files, or another image that can't be used, changes no digest."""
    assert Index((replace(ONE, location="elsewhere"), TWO)).digest == INDEX.digest


def test_packing_splits_as_the_index_does() -> None:
    """Results are those of the first release, group for group, and packing uses the same function."""
    halves: Any = {"train": 0.5, "validation": 0.25, "test": 0.25}
    found = [real_index.split_of(7, f"patient-{number}", halves) for number in range(8)]
    assert found == GOLDEN
    assert shuffle.split_of is real_index.split_of


@given(st.integers(0, 2**63 - 1), st.text(), st.permutations(real_index.SPLITS))
def test_a_split_does_not_depend_on_the_order_of_fractions(seed: int, group: str, names: list[Any]) -> None:
    """The split of a group is a function of the seed, the group and the shares alone."""
    shares: Any = {"train": 0.6, "validation": 0.3, "test": 0.1}
    assert real_index.split_of(seed, group, {name: shares[name] for name in names}) == real_index.split_of(
        seed, group, shares
    )


def test_importing_it_loads_nothing_heavy() -> None:
    """A plan can hold an index without pyarrow."""
    import subprocess
    import sys

    code = (
        "import sys, synthgen.plan.real_index, synthgen.real.sources, synthgen.real.indexing;"
        "import synthgen.real.sources.folder, synthgen.real.sources.hub, synthgen.real.sources.webdataset;"
        "import synthgen.real.sources.phantom;"
        "print([name for name in ('numpy', 'pyarrow', 'PIL', 'torch', 'datasets', 'fsspec') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
