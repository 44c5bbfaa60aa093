"""A dataset that takes another's place: the old one is whole at its name until the new one is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from synthgen import study
from synthgen.core import atomic
from synthgen.errors import PlanMismatchError
from synthgen.extensions import EXTENSIONS
from synthgen.pack import pack
from synthgen.plan import Plan
from synthgen.runs.folders import Dataset, Run
from synthgen.runs.verify import verify

MakePlan = Callable[..., Plan]


def images(dataset: Path) -> int:
    """How many images a dataset holds, all of which are whole."""
    assert {finding.state for finding in verify(dataset, EXTENSIONS)} == {"whole"}
    return sum(1 for _ in Dataset(dataset, EXTENSIONS).records())


def test_a_study_that_is_run_again_replaces_its_dataset(make_plan: MakePlan, tmp_path: Path) -> None:
    """With a tone more, the run grows, and dataset and gallery show all of it; nothing of the old lies about."""
    study.run(make_plan(), tmp_path).result()
    page = (tmp_path / "preview.html").read_bytes()
    assert images(tmp_path / "dataset") == 24
    study.run(make_plan(skin_tones={"scale": "fitzpatrick", "values": [1, 2, 3, 6]}), tmp_path).result()
    assert images(tmp_path / "dataset") == 32
    assert (tmp_path / "preview.html").read_bytes() != page
    assert {path.name for path in tmp_path.iterdir()} == {"work", "dataset", "preview.html", "preview.png"}


@pytest.mark.parametrize("after", [False, True], ids=["the old is moved", "nothing is cleared away"])
def test_a_replacement_that_is_broken_off_leaves_the_old_or_the_new(
    *, after: bool, make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between the two renames, the old has its name back; the same command then puts the new there."""
    out = tmp_path / "dataset"
    run = study.generate(make_plan(), tmp_path / "work").result()
    list(pack(run, out))
    grown = make_plan(labels={"psoriasis": "psoriasis", "healthy": "healthy skin", "acne": "acne"})
    larger = study.generate(grown, tmp_path / "work").result()
    publish = atomic.publish

    def dying(scratch: Path, path: Path) -> None:
        if after:
            publish(scratch, path)
        if path == out and scratch.name == "dataset":
            raise KeyboardInterrupt
        if not after:
            publish(scratch, path)

    with monkeypatch.context() as patched:
        patched.setattr(atomic, "publish", dying)
        with pytest.raises(KeyboardInterrupt):
            list(pack(larger, out, replace=True))
    assert images(out) == (36 if after else 24)
    list(pack(Run(tmp_path / "work", EXTENSIONS), out, replace=True))
    assert images(out) == 36
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "work"]


def test_pack_replaces_what_its_run_has_made(make_plan: MakePlan, tmp_path: Path) -> None:
    """A run that has grown, or has set images aside, is packed into the folder that it was packed into before."""
    root, out = tmp_path / "work", tmp_path / "dataset"
    list(pack(study.generate(make_plan(), root).result(), out))
    list(pack(study.generate(make_plan(labels={"psoriasis": "psoriasis"}), root, accept_changes=True).result(), out))
    assert images(out) == 12
    list(pack(study.generate(make_plan(), root).result(), out))
    assert images(out) == 24
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "work"]


@pytest.mark.parametrize(
    ("file", "said"),
    [("README.md", "somebody has changed README.md in it"), (".git/HEAD", r"\.git/HEAD in it is not of the dataset")],
)
def test_pack_replaces_nothing_that_somebody_else_has_written(
    file: str, said: str, make_plan: MakePlan, tmp_path: Path
) -> None:
    """A card that was edited, or a file that was put into the folder, would be lost with the dataset."""
    out = tmp_path / "dataset"
    run = study.generate(make_plan(), tmp_path / "work").result()
    list(pack(run, out))
    (out / file).parent.mkdir(exist_ok=True)
    (out / file).write_text("mine")
    list(pack(run, out))  # the same dataset
    with pytest.raises(PlanMismatchError, match=f"{said}; move it away"):
        list(pack(run, out, layout="parquet"))
    with pytest.raises(PlanMismatchError, match=said):  # as `run` would
        list(pack(run, out, layout="parquet", replace=True))
    assert (out / file).read_text() == "mine"


def test_a_run_is_packed_by_the_manifest_that_is_given(make_plan: MakePlan, tmp_path: Path) -> None:
    """Other splits take effect at once and stay; a manifest of other images is refused by the key that says so."""
    run = study.generate(make_plan(), tmp_path / "work").result()
    split = make_plan(pack={"splits": {"train": 0.5, "test": 0.5}})
    study.pack(run, tmp_path / "split", manifest=split).result()
    assert set(Dataset(tmp_path / "split", EXTENSIONS).provenance["splits"]) == {"train", "test"}
    assert Run(run.root, EXTENSIONS).plan.manifest.document.pack.splits == {"train": 0.5, "test": 0.5}
    with pytest.raises(PlanMismatchError, match="seed: 7 -> 8"):
        study.pack(run, tmp_path / "other", manifest=make_plan(seed=8))
