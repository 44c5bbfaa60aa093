"""A dataset's own cells and card may name files of it, and nothing else of this machine or its network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from synthgen.errors import DamagedError, ManifestError
from synthgen.plan.real_index import Index
from synthgen.real.sources import hub
from synthgen.real.sources._hf_places import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Those of a folder with an image in it, and one beside it."""
    for name in ("data/a.png", "data/b.zip", "private/me.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "data/link.png").symlink_to(tmp_path / "private/me.png")
    return Places("data", tmp_path / "data")


@pytest.mark.parametrize("name", ["a.png", "sub/gone.png", "../data/a.png", "zip://a.png::{root}/b.zip"])
def test_its_own_files(name: str, places: Places, tmp_path: Path) -> None:
    """In its folder, there or not, and in an archive that lies there."""
    said = name.format(root=tmp_path / "data") if "::" in name else str(tmp_path / "data" / name)
    assert places.refusal(said) == ""


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd", "{root}/private/me.png", "{root}/data/../private/me.png", "{root}/data/link.png", "", "a.png",
        "http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "hf://datasets/data/x.png",
        "zip://a.png::{root}/private/b.zip", "simplecache::{root}/data/a.png", "zip://a::http://h/b.zip", "a\0b",
    ],
)  # fmt: skip
def test_files_of_others(name: str, places: Places, tmp_path: Path) -> None:
    """Elsewhere, by a link, at an address, by a protocol that reads files, or relative to wherever we stand."""
    assert places.refusal(name.format(root=tmp_path)).startswith("outside of the dataset")


def test_a_dataset_of_the_hub_has_its_own_page(tmp_path: Path) -> None:
    """And neither another's, nor one above."""
    own = Places("org/name", tmp_path / "org/name")
    found = [own.refusal(f"hf://datasets/{one}/a.png") for one in ("org/name", "org/name@main", "org/name2", "a/b")]
    assert [bool(one) for one in found] == [False, False, True, True]
    assert own.refusal("hf://datasets/org/name/../../a/b/c.png")
    assert own.refusal("/etc/passwd")


@pytest.mark.parametrize(
    "header",
    [
        "data_files: /etc/*", "data_files: ../private/*", "data_files: {train: 'http://127.0.0.1/x.parquet'}",
        "data_files: [{split: train, path: [ok.parquet, '~/x.parquet']}]", "data_dir: /home",
    ],
)  # fmt: skip
def test_a_card_that_names_files_elsewhere_is_refused(header: str, places: Places, tmp_path: Path) -> None:
    """Before anything is asked for by those names."""
    (tmp_path / "data/README.md").write_text(f"---\nconfigs:\n- config_name: default\n  {header}\n---\n")
    with pytest.raises(ManifestError, match="names files outside of it"):
        places.check_header()


def test_data_files_that_the_library_found_elsewhere_are_refused(places: Places, tmp_path: Path) -> None:
    """Those of its folder are not."""
    places.check_files({"train": [str(tmp_path / "data/a.png")]})
    places.check_files(None)
    with pytest.raises(ManifestError, match="names files outside of it"):
        places.check_files({"train": [str(tmp_path / "data/a.png"), str(tmp_path / "private/me.png")]})


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("streaming", [False, True])
def test_cells_that_name_files_elsewhere_are_rows_that_cant_be_used(
    streaming: bool,
    tmp_path: Path,
    picture: Callable[..., bytes],
    index: Callable[..., Index],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each with its reason; the one with its bytes in the cell is read, and nothing else is kept in the run."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    (tmp_path / "me.png").write_bytes(picture(9))
    images: list[dict[str, Any]] = [{"bytes": picture(1), "path": "a.png"}]
    images += [{"bytes": None, "path": name} for name in (str(tmp_path / "me.png"), "/etc/passwd", "http://h/a.png")]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("string")})
    cells = pyarrow.array(images, pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())]))
    (tmp_path / "pq").mkdir()
    made = pyarrow.table({"image": cells, "label": ["melanoma"] * 4}, schema=features.arrow_schema)
    pyarrow.parquet.write_table(made, tmp_path / "pq/train.parquet")  # `datasets` itself would embed what is named
    found = index({"source": "hub", "path": "pq", "streaming": streaming}, root=tmp_path / "run")
    assert sorted(one.fault[:10] for one in found.sources) == ["", *["outside of"] * 3]
    assert not streaming or len(list((tmp_path / "run/sources").iterdir())) == 1
    if not streaming:
        reader = hub.open_source(hub.Settings(path="pq"), tmp_path, None)
        with pytest.raises(DamagedError, match="outside of the dataset"):
            reader.read("train/2/image")
