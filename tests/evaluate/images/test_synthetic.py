"""Synthetic images are listed from a run or a dataset by their records, and read when they are asked for."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from synthgen import study
from synthgen.core.devices import DeviceRequest
from synthgen.errors import DamagedError, IncompleteError, InputError
from synthgen.evaluate.images.synthetic import SyntheticListing, list_synthetic
from synthgen.plan.manifest.evaluate import Strategy
from synthgen.runs.stored_images import ImageReader


@pytest.fixture(scope="session")
def made(make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path_factory: Any) -> Path:
    """The run of the small manifest, and the datasets packed from it."""
    root: Path = tmp_path_factory.mktemp("synthetic")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        make_images(make_plan(), root / "work")
        for layout in ("webdataset", "parquet", "imagefolder"):
            list(study.pack(root / "work", root / layout, format=layout))
    return root


def listing(root: Path, extensions: Any, **changes: Any) -> SyntheticListing:
    """The images of a folder on the Fitzpatrick scale."""
    return list_synthetic(root, extensions, **({"scale": "fitzpatrick", "strategy_of": {}, "pools": {}} | changes))


def read(found: SyntheticListing) -> dict[str, bytes]:
    """The pixels of every image, by key."""
    pictures = ImageReader(lambda _: b"", found.places)
    return {one.key: pictures.synthetic(one.record_key).tobytes() for one in found.images}


@pytest.mark.parametrize("layout", ["webdataset", "parquet", "imagefolder"])
def test_a_dataset_lists_what_its_run_does(made: Path, extensions: Any, layout: str) -> None:
    """In every layout the same images are there, with the same facts and pixels."""
    run, packed = listing(made / "work", extensions), listing(made / layout, extensions)
    assert len(run.images) == 24
    assert sorted(run.images, key=lambda one: one.key) == sorted(packed.images, key=lambda one: one.key)
    assert read(run) == read(packed)


def test_an_image_says_what_the_design_needs(made: Path, extensions: Any) -> None:
    """Label, tone, bytes and pool come from the record; a model without an adapter has seen none of the real images."""
    found = listing(made / "work", extensions)
    one = next(image for image in found.images if image.key == "fake-healthy-3-0000000")
    assert (one.strategy, one.label, one.tone) == (Strategy("fake"), "healthy", 3)
    assert (one.source_id, one.pool) == ("", frozenset())
    assert len(one.sha256) == 64


def test_a_tone_on_another_scale_is_unknown(made: Path, extensions: Any) -> None:
    """A Fitzpatrick type is no Monk tone."""
    assert {one.tone for one in listing(made / "work", extensions, scale="monk").images} == {0}


def test_entries_count_as_the_strategy_that_names_them(made: Path, extensions: Any) -> None:
    """Pooled entries have the strategy's name in the study."""
    found = listing(made / "work", extensions, strategy_of={"fake": "pooled"})
    assert {one.strategy for one in found.images} == {Strategy("pooled")}


def test_the_pool_is_that_of_the_records_adapter(drawn: ModuleType, extensions: Any, tmp_path: Path) -> None:
    """What an adapter was trained on is looked up; of one that nobody knows it is unknown."""
    pixels = drawn.picture("acne", 1)
    pictures = [drawn.made("acne", number, pixels, adapter=name) for number, name in enumerate(("a@1", "b@2", ""))]
    root = drawn.write_dataset(tmp_path / "d", pictures)
    found = listing(root, extensions, pools={"a@1": frozenset({"x"}), "b@2": None})
    assert [one.pool for one in found.images] == [frozenset({"x"}), None, frozenset()]


def test_what_a_base_model_saw_is_unknown_unless_it_is_said(drawn: ModuleType, extensions: Any, tmp_path: Path) -> None:
    """Of any model but the one that ships nobody knows, fine-tuned here or not; `model_saw` says it, by name too."""
    pixels, models = drawn.picture("acne", 1), ("phantom", "org/sd", "org/sd", "mine")
    pictures = [
        drawn.made("acne", number, pixels, model=model, adapter="a@1" if number == 2 else "")
        for number, model in enumerate(models)
    ]
    root = drawn.write_dataset(tmp_path / "d", pictures)

    def saw(said: Any) -> list[tuple[Any, bool]]:
        found = listing(root, extensions, pools={"a@1": frozenset({"x"})}, model_saw=said, training=["x", "y"])
        return [(sorted(one.pool or ()), one.saw_more) for one in found.images]

    assert saw("unknown") == [([], False), ([], True), (["x"], True), ([], True)]
    assert saw("none") == [([], False), ([], False), (["x"], False), ([], False)]
    assert saw({"org/sd": "train"}) == [([], False), (["x", "y"], False), (["x", "y"], False), ([], True)]
    with pytest.raises(InputError, match=r"^evaluate\.model_saw: no image is of `org/ds`; did you mean `org/sd`\?$"):
        saw({"org/ds": "none"})


def test_a_run_that_lacks_images_is_refused(made: Path, extensions: Any, tmp_path: Path) -> None:
    """A study of half a run would be another study tomorrow."""
    run = shutil.copytree(made / "work", tmp_path / "run")
    (run / "fake/00001.tar").unlink()
    with pytest.raises(IncompleteError, match=run.name):
        listing(run, extensions)


def test_a_damaged_shard_is_said(drawn: ModuleType, extensions: Any, tmp_path: Path) -> None:
    """A tar cut short is damage, not a smaller study."""
    root = drawn.write_dataset(tmp_path / "d", drawn.more_real(2))
    shard = next(root.glob("data/*.tar"))
    shard.write_bytes(shard.read_bytes()[:3000])
    with pytest.raises(DamagedError, match=shard.name):
        listing(root, extensions)


def test_what_a_run_rejects_is_left_out(
    make_plan: Callable[..., Any], make_images: Callable[..., Any], extensions: Any, tmp_path: Path
) -> None:
    """A study of a run takes the images that its packed dataset would have; one that is not judged yet is refused."""
    plan = make_plan(curate={"scorers": {"fake": {}}, "keep": ["fake.chance < 0.5"]})
    make_images(plan, tmp_path / "run")
    with pytest.raises(IncompleteError):
        listing(tmp_path / "run", extensions)
    list(study.curate(tmp_path / "run"))
    list(study.pack(tmp_path / "run", tmp_path / "dataset"))
    run, packed = listing(tmp_path / "run", extensions), listing(tmp_path / "dataset", extensions)
    assert 0 < len(run.images) < 24
    assert sorted(run.images, key=lambda one: one.key) == sorted(packed.images, key=lambda one: one.key)


def test_all_that_was_planned_is_listed_without_curation(
    make_plan: Callable[..., Any], extensions: Any, tmp_path: Path
) -> None:
    """Rejected images are there as those of an uncurated strategy, and what was made beyond the plan is not."""
    plan = make_plan(curate={"scorers": {"fake": {}}, "keep": ["fake.chance < 0.6"], "quota": 4})
    list(study.fill(plan, tmp_path / "run", DeviceRequest(), stop=lambda: False))
    found = listing(tmp_path / "run", extensions, uncurated=True)
    curated = {one.record_key: one for one in found.images if one.strategy == Strategy("fake")}
    uncurated = {one.record_key: one for one in found.images if one.strategy == Strategy("fake", curated=False)}
    assert len(found.images) == len(curated) + len(uncurated) == len({one.key for one in found.images})
    assert set(uncurated) == {sample.key for sample in make_plan().entries["fake"]}
    assert {one.record_key for one in listing(tmp_path / "run", extensions).images} == set(curated)
    assert all(curated[key].uncurated == uncurated[key] for key in set(curated) & set(uncurated))
    assert set(curated) - set(uncurated)
    assert len(read(found)) == len(found.images)


def test_a_dataset_holds_nothing_uncurated(made: Path, extensions: Any) -> None:
    """What was rejected is not packed; a run without rules rejects nothing."""
    with pytest.raises(InputError, match=r"^evaluate\.uncurated: .*webdataset"):
        listing(made / "webdataset", extensions, uncurated=True)
    with pytest.raises(InputError, match=r"^evaluate\.uncurated: .*work"):
        listing(made / "work", extensions, uncurated=True)
