"""Splits are of groups: what was made from one real image, or one patient's, is on one side."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen import study
from synthgen.errors import InputError, ManifestError
from synthgen.pack.shuffled_order import group_of
from synthgen.plan.real_index import split_of

HALVES = {"splits": {"train": 0.5, "validation": 0.25, "test": 0.25}, "images_per_shard": 5}
ENTRY = {"strategy": "fake", "per_cell": 20, "settings": {"height": 8, "width": 8}}


@pytest.fixture(scope="module")
def grouped(from_real: Callable[..., Path]) -> Path:
    """A run of 120 images made from forty real ones of twenty patients."""

    def sources(number: int) -> dict[str, str]:
        return {
            "source_id": f"image-{number % 40}",
            "source_group": f"patient-{number % 20}",
            "source_dataset": "org/d",
        }

    return from_real(sources, generate=[ENTRY], pack=HALVES, output={"shard_samples": 60})


@pytest.fixture(scope="module")
def dataset(grouped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its dataset; nobody changes it."""
    out = tmp_path_factory.mktemp("grouped") / "dataset"
    list(study.pack(grouped, out))
    return out


def test_children_of_one_patient_never_straddle(dataset: Path, rows: Any) -> None:
    """Every patient's images are in one split, and every split has some."""
    held = defaultdict(set)
    found = rows(dataset)
    for row in found:
        held[row["source_group"]].add(row["split"])
    assert len(found) == 120
    assert {len(splits) for splits in held.values()} == {1}
    assert set().union(*held.values()) == {"train", "validation", "test"}


def test_shards_are_named_by_their_split(dataset: Path, rows: Any) -> None:
    """A row's shard carries the row's split, and each split counts its own shards."""
    shards = defaultdict(set)
    for row in rows(dataset):
        shards[row["split"]].add(row["shard"])
    for name, found in shards.items():
        assert sorted(found) == [f"data/{name}-{n:05d}-of-{len(found):05d}.tar" for n in range(len(found))]
    assert {path.relative_to(dataset).as_posix() for path in dataset.rglob("*.tar")} == set().union(*shards.values())


def test_the_card_lists_each_split(dataset: Path, rows: Any) -> None:
    """`configs` has a pattern a split, in the order train, validation, test, and the table counts them."""
    from huggingface_hub import DatasetCard

    text = (dataset / "README.md").read_text(encoding="utf-8")
    (config,) = DatasetCard(text).data.to_dict()["configs"]
    names = ["train", "validation", "test"]
    assert config["data_files"] == [{"split": name, "path": f"data/{name}-*.tar"} for name in names]
    for name in names:
        images = sum(row["split"] == name for row in rows(dataset))
        assert f"| {name} | {images} | {-(-images // 5)} |" in text


def test_without_a_group_the_source_stays_together(from_real: Callable[..., Path], pack: Any, rows: Any) -> None:
    """Where no group is known, the children of one real image are in one split."""
    run = from_real(lambda number: {"source_id": f"image-{number % 30}"}, generate=[ENTRY], pack=HALVES)
    held = defaultdict(set)
    for row in rows(pack(run)):
        held[row["source_id"]].add(row["split"])
    assert {len(splits) for splits in held.values()} == {1}


def test_an_empty_split_is_said(from_real: Callable[..., Path], pack: Any, tmp_path: Path) -> None:
    """Images of one patient can't be in two splits; nothing is left of the attempt."""
    run = from_real(lambda _: {"source_group": "one"}, pack={"splits": {"train": 0.5, "test": 0.5}})
    with pytest.raises(InputError, match=r"^pack\.splits: .*`(train|test)`"):
        pack(run)
    assert list(tmp_path.iterdir()) == []


def test_the_group_is_the_most_that_is_known() -> None:
    """The group before the source, the source before the key."""
    record = {"source_group": "g", "source_id": "s", "key": "k"}
    assert group_of(record) == "g"
    assert group_of(record | {"source_group": ""}) == "s"
    assert group_of(record | {"source_group": "", "source_id": ""}) == "k"


def test_fractions_are_kept() -> None:
    """Of many groups, each split gets its fraction within a twentieth."""
    fractions: Any = {"test": 0.2, "train": 0.7, "validation": 0.1}
    found = [split_of(7, f"group-{number}", fractions) for number in range(2000)]
    for name, fraction in fractions.items():
        assert found.count(name) / 2000 == pytest.approx(fraction, abs=0.05)


@given(st.text(), st.integers(0, 2**63 - 1), st.floats(0.01, 0.98))
def test_a_larger_test_split_takes_from_the_others_alone(name: str, seed: int, train: float) -> None:
    """A group in train stays there as long as train's fraction does."""
    one: Any = {"train": train, "test": 1 - train}
    two: Any = {"train": train, "validation": (1 - train) / 2, "test": (1 - train) / 2}
    assert (split_of(seed, name, one) == "train") == (split_of(seed, name, two) == "train")


@pytest.mark.parametrize(
    ("splits", "fault"),
    [
        ({"train": 0.5, "test": 0.4}, "pack.splits: must add up to 1, found 0.9"),
        ({}, "pack.splits: must add up to 1, found 0"),
        ({"trian": 1.0}, "pack.splits.trian: should be 'train', 'validation' or 'test', found 'trian'"),
        ({"train": 0.0, "test": 1.0}, "pack.splits.train: should be greater than 0, found 0.0"),
        ({"train": "most"}, "pack.splits.train: should be a valid number, found 'most'"),
    ],
)
def test_faults_in_splits_are_listed(splits: Any, fault: str, make_plan: Callable[..., Any]) -> None:
    """A sum that is not 1, a name that is none and a fraction that is none are faults with their place."""
    with pytest.raises(ManifestError) as raised:
        make_plan(pack={"splits": splits})
    assert raised.value.faults == (fault,)


def test_thirds_add_up(make_plan: Callable[..., Any]) -> None:
    """Fractions may be off by what floating point loses."""
    make_plan(pack={"splits": {"train": 0.7, "validation": 0.2, "test": 0.1}})
