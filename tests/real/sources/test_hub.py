"""The hub source reads what `datasets` opens: file bytes as they are, names for ClassLabels, whole or streamed."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from synthgen.errors import DamagedError, InputError, ManifestError, UnavailableError
from synthgen.plan.real_index import Index
from synthgen.real import indexing
from synthgen.real.sources import hub

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
ROWS = 6


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("datasets"))


@pytest.fixture
def dataset(picture: Callable[..., bytes]) -> Any:
    """Six rows with two images each, of which one is missing once."""
    import datasets

    images = [{"bytes": picture(number), "path": f"p{number}.png"} for number in range(ROWS)]
    masks = [{"bytes": picture(9), "path": None}, None, *images[2:]]
    columns = {
        "image": [*images[:-1], None],
        "mask": masks,
        "label": [0, 1, 0, -1, None, 0],
        "tone": [1.0, 2.0, None, 3.0, 4.0, 5.0],
        "about": [{"patient": f"q{number % 2}"} for number in range(ROWS)],
    }
    features = {
        "image": datasets.Image(),
        "mask": datasets.Image(),
        "label": datasets.ClassLabel(names=["melanoma", "nevus"]),
        "tone": datasets.Value("float64"),
        "about": {"patient": datasets.Value("string")},
    }
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


@pytest.fixture
def parquet(dataset: Any, tmp_path: Path) -> Path:
    import datasets

    datasets.disable_progress_bars()
    dataset.to_parquet(str(tmp_path / "mine.parquet"))
    return tmp_path


COLUMNS = {"skin_tone": "tone", "group": "about.patient"}
REAL = {"source": "hub", "path": "mine.parquet", "columns": COLUMNS, "labels": {"nevus": "basal-cell-carcinoma"}}
EXPECTED = [
    ("p0", "melanoma", 1, "q0"),
    ("p1", "basal-cell-carcinoma", 2, "q1"),
    ("p2", "melanoma", 0, "q0"),
]
LEFT_OUT = {"no image": 1, "no label of the manifest": 2}


def facts(found: Index) -> list[tuple[str, str, int, str]]:
    return [(one.id, one.label, one.tone, one.group) for one in found.sources]


@pytest.mark.parametrize(
    ("name", "feature", "value", "said"),
    [
        ("image", {"bytes": "binary", "path": "string"}, {"bytes": b"x", "path": "a"}, "`image` has bytes and a path"),
        ("images", "several", [None, None], "`images` has several images a row"),
        ("picture", "binary", b"x", "`picture` has bytes without saying what of"),
    ],
)
def test_a_column_that_does_not_say_that_it_is_an_image_is_named(
    tmp_path: Path, index: Callable[..., Index], *, name: str, feature: Any, value: Any, said: str
) -> None:
    """As pandas writes images, and as some datasets hold them: with what to do, not that there are none."""
    import datasets

    kinds = {"binary": datasets.Value("binary"), "several": datasets.List(datasets.Image())}
    kind = {key: datasets.Value(of) for key, of in feature.items()} if isinstance(feature, dict) else kinds[feature]
    features = datasets.Features({name: kind, "label": datasets.Value("string")})
    datasets.Dataset.from_dict({name: [value], "label": ["melanoma"]}, features).save_to_disk(str(tmp_path / "mine"))
    with pytest.raises(ManifestError, match=rf"real\.columns\.image: .*there are none, but {said}"):
        index({"source": "hub", "path": "mine"})


def test_shards_of_other_columns_are_told(tmp_path: Path, index: Callable[..., Index]) -> None:
    """What `datasets` says only of the error that its own came of: the column that one file has and the other lacks."""
    import pyarrow as pa
    from pyarrow import parquet

    (tmp_path / "mine/data").mkdir(parents=True)
    for number, more in enumerate(({}, {"age": [3]})):
        table = pa.table({"label": ["melanoma"], **more})
        parquet.write_table(table, tmp_path / f"mine/data/train-0000{number}-of-00002.parquet")
    with pytest.raises(ManifestError, match=r"real\.path: .*age: int64"):
        index({"source": "hub", "path": "mine"})


@pytest.mark.parametrize("streaming", [False, True])
def test_a_parquet_file_is_read(streaming: bool, parquet: Path, index: Callable[..., Index]) -> None:
    """Names of ClassLabels, fields of structs, and the stems of the paths inside."""
    found = index(REAL | {"streaming": streaming})
    assert facts(found) == EXPECTED
    assert found.left_out == LEFT_OUT
    assert {one.dataset for one in found.sources} == {"mine"}


def test_what_save_to_disk_wrote_is_read(dataset: Any, tmp_path: Path, index: Callable[..., Index]) -> None:
    """One split or several, with the split as a column."""
    import datasets

    dataset.save_to_disk(str(tmp_path / "one"))
    assert facts(index(REAL | {"path": "one"})) == EXPECTED
    both = datasets.DatasetDict({"train": dataset.select([0]), "test": dataset.select([1, 2])})
    both.save_to_disk(str(tmp_path / "two"))
    found = index(REAL | {"path": "two", "columns": {"split": "hub_split"}})
    assert [one.split for one in found.sources] == ["train", "test", "test"]
    assert len(index(REAL | {"path": "two", "hub_split": "test"}).sources) == 2
    with pytest.raises(InputError, match=r"^real\.hub_split: .*there are: train, test"):
        index(REAL | {"path": "two", "hub_split": "tset"})


@pytest.mark.parametrize("streaming", [False, True])
def test_the_bytes_are_the_file_s_own(
    streaming: bool, parquet: Path, index: Callable[..., Index], picture: Callable[..., bytes]
) -> None:
    """Nothing is decoded and encoded again, whole or streamed; the digest is the same."""
    real = REAL | {"streaming": streaming, "columns": COLUMNS | {"mask": "mask"}}
    found = index(real, root=parquet / "run")
    assert [one.fault for one in found.sources] == [""] * 3
    assert [one.sha256 for one in found.sources] == [hashlib.sha256(picture(n)).hexdigest() for n in range(3)]
    settings = hub.Settings.model_validate({key: real[key] for key in real if key != "source"})
    read = indexing.open_images("hub", settings, parquet, parquet / "run")
    read_mask = indexing.open_masks("hub", settings, parquet, parquet / "run")
    assert [read(one) for one in found.sources] == [picture(n) for n in range(3)]
    assert [read_mask(one) for one in found.sources if one.mask] == [picture(9), picture(2)]


def test_streaming_keeps_only_what_is_used(parquet: Path, index: Callable[..., Index]) -> None:
    """The used images lie in the run by their sha256, and are read from there when the source is gone."""
    real = REAL | {"streaming": True}
    found = index(real, root=parquet / "run")
    kept = {path.name for path in (parquet / "run" / "sources").iterdir()}
    assert kept == {one.sha256 for one in found.sources}
    (parquet / "mine.parquet").unlink()
    reader = hub.open_source(hub.Settings(path="mine.parquet", streaming=True), parquet, parquet / "run" / "sources")
    assert all(reader.read(one.location) for one in found.sources)
    with pytest.raises(DamagedError, match="no file 00"):
        reader.read("sha256:00")


def test_an_image_folder_is_read(tmp_path: Path, write: Callable[..., None], index: Callable[..., Index]) -> None:
    """A folder without metadata has its sub-folders as labels and splits, and bytes are the files'."""
    write(tmp_path / "if", "train/melanoma/x.png", "train/other/y.png", "test/melanoma/z.png")
    real = {"source": "hub", "path": "if", "columns": {"split": "hub_split"}}
    found = index(real, root=tmp_path / "run")
    assert [(one.id, one.split, one.fault) for one in found.sources] == [("x", "train", ""), ("z", "test", "")]
    files = [tmp_path / "if/train/melanoma/x.png", tmp_path / "if/test/melanoma/z.png"]
    assert [one.sha256 for one in found.sources] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def test_several_images_of_a_row_are_one_group(parquet: Path, index: Callable[..., Index]) -> None:
    """Each column of images gives a source, and no column has to say that they belong together."""
    found = index(REAL | {"columns": {"image": ["image", "mask"]}, "hub_split": "train"})
    groups = {one.location: one.group for one in found.sources}
    assert groups["train/0/image"] == groups["train/0/mask"] == "train-p0"
    assert len(groups) == 6


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"path": "./nowhere"}, "real.path: no file or folder `./nowhere`"),
        ({"path": "mine.zip"}, "real.path: `mine.zip` is neither a folder nor a Parquet file"),
        ({"hub_split": "tset"}, "real.path: `mine.parquet`: Unknown split \"tset\". Should be one of ['train']."),
        (
            {"columns": {"image": "picture"}},
            "real.columns.image: no column of images `picture`; there are: image, mask",
        ),
        ({"columns": {"mask": "maks"}}, "real.columns.mask: no column of images `maks`; did you mean `mask`?"),
        ({"columns": {"skin_tone": "tones"}}, "real.columns.skin_tone: no column `tones`; did you mean `tone`?"),
        ({"path": "script"}, "real.path: `script`: Dataset scripts are no longer supported, but found script.py"),
    ],
)
def test_what_is_not_there_is_said(
    change: dict[str, Any], fault: str, parquet: Path, index: Callable[..., Index]
) -> None:
    """A wrong path, split or column, or a script, is bad input in a line."""
    (parquet / "mine.zip").write_bytes(b"")
    (parquet / "script").mkdir()
    (parquet / "script" / "script.py").write_text("raise SystemExit('ran')\n")
    with pytest.raises(InputError) as caught:
        index(REAL | change)
    assert caught.value.faults == (fault,)


def test_an_unreachable_hub_is_told_apart(index: Callable[..., Index]) -> None:
    """Without a network an id is neither right nor wrong."""
    with pytest.raises(UnavailableError) as caught:
        index(REAL | {"path": "org/nowhere"})
    assert [(fault.path, fault.kind) for fault in caught.value.faults] == [("real.path", "unavailable")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx2.ConnectError("no route"), UnavailableError),
        (TimeoutError("too slow"), UnavailableError),
        (ConnectionResetError("reset"), UnavailableError),
        (ValueError("two\nlines"), ManifestError),
    ],
)
def test_what_the_library_raises_is_a_line(
    error: Exception, kind: type[Exception], index: Callable[..., Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that fails is told from a dataset that does not open; neither shows a traceback."""
    import datasets

    def fails(**_: Any) -> None:
        raise error

    monkeypatch.setattr(datasets, "load_dataset", fails)
    with pytest.raises(kind, match=r"^real\.path: `org/name`[^\n]*$") as caught:
        index(REAL | {"path": "org/name"})
    assert type(caught.value) is kind


def test_a_file_that_is_gone_costs_one_image(
    tmp_path: Path, write: Callable[..., None], index: Callable[..., Index], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A streamed image whose file can't be had is a fault of its row."""
    write(tmp_path / "if", "train/melanoma/x.png", "train/other/y.png", "train/melanoma/z.png")
    import fsspec

    opened = fsspec.open
    monkeypatch.setattr(fsspec, "open", lambda path, mode: _gone(path) if "x.png" in path else opened(path, mode))
    found = index({"source": "hub", "path": "if", "streaming": True}, root=tmp_path / "run")
    assert [(one.id, one.fault) for one in found.sources] == [("x", "no image train/0/image in if"), ("z", "")]


def _gone(path: str) -> None:
    raise FileNotFoundError(path)


@pytest.mark.parametrize("location", ["train/99/image", "test/0/image", "train/0/picture", "train/5/image"])
def test_a_row_that_is_gone_is_damage(location: str, parquet: Path) -> None:
    """A dataset that has become shorter has lost its images."""
    with pytest.raises(DamagedError):
        hub.open_source(hub.Settings(path="mine.parquet"), parquet, None).read(location)
