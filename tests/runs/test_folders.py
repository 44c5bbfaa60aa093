"""A run and a packed dataset are opened by their folder, and tell of their images in the same way."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import study
from synthgen.errors import IncompleteError, InputError
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs.folders import Dataset, Run, open_folder, open_run
from synthgen.runs.receipts import finished_shards

CURATE = {"scorers": {"quality": {}}, "keep": ["quality.sharpness > 0"]}


@pytest.fixture(scope="module")
def half(make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path_factory: Any) -> Path:
    """A run of which two work shards of five are made."""
    root: Path = tmp_path_factory.mktemp("half") / "work"
    make_images(make_plan(), root, shards=(0, 2))
    return root


@pytest.fixture(scope="module")
def whole(make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path_factory: Any) -> Path:
    """A study's folder: a run that is judged, and packed in every layout."""
    root: Path = tmp_path_factory.mktemp("whole")
    make_images(make_plan(curate=CURATE), root / "work")
    study.curate(root / "work").result()
    for layout in ("webdataset", "parquet", "imagefolder"):
        study.pack(root / "work", root / layout, format=layout).result()
    return root


def test_a_folder_is_a_run_or_a_dataset(whole: Path, extensions: Extensions) -> None:
    """Whichever it is, its plan is the same."""
    run, dataset = (open_folder(whole / name, extensions) for name in ("work", "parquet"))
    assert isinstance(run, Run)
    assert isinstance(dataset, Dataset)
    assert run.plan.digest == dataset.plan.digest


def test_what_is_neither_is_refused(extensions: Extensions, whole: Path, tmp_path: Path) -> None:
    """The line names both files that are looked for; where a run is needed, a dataset is none."""
    with pytest.raises(InputError, match=r"run\.json.*provenance\.json"):
        open_folder(tmp_path, extensions)
    with pytest.raises(InputError, match=r"run\.json"):
        open_run(whole / "parquet", extensions)


def test_what_a_partial_run_has_is_located(half: Path, extensions: Extensions) -> None:
    """Ten images of the two shards that there are, each with its place."""
    found = list(open_folder(half, extensions).located(partial=True))
    assert len({record.key for record, _ in found}) == 10
    assert all(place.shard.is_file() and place.size > 0 for _, place in found)
    assert [record for record, _ in found] == list(open_folder(half, extensions).records())


def test_a_run_that_lacks_shards_is_refused_otherwise(half: Path, extensions: Extensions) -> None:
    """The line says how many are missing and what to run."""
    with pytest.raises(IncompleteError, match=r"\b3 of 5\b.*`synthgen generate`"):
        list(open_folder(half, extensions).located())


def test_shards_that_are_asked_for_are_found_in_that_order(half: Path, extensions: Extensions) -> None:
    """Those that are not made are left out."""
    run = open_run(half, extensions)
    refs = list(run.plan.refs())
    found = [shard.ref for shard in finished_shards(run.plan, half, reversed(refs))]
    assert found == [refs[1], refs[0]]
    assert [shard.ref for shard in run.finished_shards()] == refs[:2]


@pytest.mark.parametrize("layout", ["webdataset", "parquet", "imagefolder"])
def test_a_dataset_holds_the_images_of_its_run(layout: str, whole: Path, extensions: Extensions) -> None:
    """The same records and the same pixels, in another order."""
    run, dataset = open_folder(whole / "work", extensions), open_folder(whole / layout, extensions)
    first, second = ({record: image.tobytes() for record, image in one.images()} for one in (run, dataset))
    assert first == second
    assert set(run.records()) == set(first)
    assert {image.mode for _, image in dataset.images()} == {"RGB"}


@pytest.mark.parametrize("name", ["work", "webdataset", "imagefolder"])
def test_one_image_is_found_by_its_key(name: str, whole: Path, extensions: Extensions) -> None:
    """With its bytes and the environment that it was made in."""
    folder = open_folder(whole / name, extensions)
    record = next(folder.records())
    stored, environment = folder.stored(record.key)
    assert hashlib.sha256(stored.image).hexdigest() == record.image_sha256
    assert environment.model_revision == record.model_revision
    with pytest.raises(InputError, match="`nobody`"):
        folder.stored("nobody")


def test_a_run_tells_scores_and_verdicts(whole: Path, extensions: Extensions) -> None:
    """A verdict and a row of scores an image, and how many could not be made."""
    run = open_run(whole / "work", extensions)
    verdicts, scores = list(run.verdicts()), run.scores()
    assert [one.key for one in verdicts] == [record.key for record in run.records()]
    assert all(one.accepted is not bool(one.reasons) for one in verdicts)
    assert list(scores) == ["quality"]
    assert scores["quality"].num_rows == len(verdicts)
    assert {"key", "sharpness"} <= set(scores["quality"].column_names)
    assert (run.failed, run.adapters) == (0, {})


def test_a_table_holds_all_that_is_known_of_each_image(whole: Path, extensions: Extensions) -> None:
    """The record's fields; of a run its verdict and its scores as well, of a dataset where the image lies."""
    run, dataset = (open_folder(whole / name, extensions) for name in ("work", "parquet"))
    table, packed = run.to_pandas(), dataset.to_pandas()
    assert len(table) == len(packed) == run.plan.samples
    assert {"key", "label", "skin_tone", "accepted", "reasons", "quality.sharpness"} <= set(table.columns)
    assert set(packed.columns) == {*json.loads(next(run.records()).to_json()), "split", "shard", "offset"}
    assert all((dataset.root / shard).is_file() for shard in packed["shard"])
    assert not table.isna().any().any()


def test_what_is_not_judged_has_no_verdicts(half: Path, extensions: Extensions) -> None:
    """Neither a run before the first `curate`, nor its table."""
    run = open_run(half, extensions)
    assert (list(run.verdicts()), run.scores()) == ([], {})
    assert "accepted" not in run.to_pandas().columns
