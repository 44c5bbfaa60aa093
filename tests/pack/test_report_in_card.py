"""A study's findings go into a card, which stays the one that provenance.json promises whenever that is broken off."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from synthgen import study
from synthgen.core import atomic, checksums
from synthgen.errors import DamagedError
from synthgen.extensions import EXTENSIONS
from synthgen.pack import add_report
from synthgen.runs import dataset_folder
from synthgen.runs.verify import verify

CARD, NEXT, PROVENANCE = dataset_folder.CARD, dataset_folder.NEXT_CARD, dataset_folder.PROVENANCE


@pytest.fixture(scope="module")
def packed(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset; nobody changes it."""
    out = tmp_path_factory.mktemp("packed") / "dataset"
    study.pack(small, out).result()
    return out


@pytest.fixture
def dataset(packed: Path, tmp_path: Path) -> Path:
    """A copy of the dataset to do things to."""
    return Path(shutil.copytree(packed, tmp_path / "dataset"))


@pytest.fixture
def report(tmp_path: Path) -> Callable[[str], Path]:
    """Writes as much of a study's report as a card takes."""

    def write(found: str) -> Path:
        folder = tmp_path / found
        folder.mkdir()
        (folder / "card.md").write_text(f"It was {found}.\n", encoding="utf-8")
        checksums.write(folder, ["card.md"])
        return folder

    return write


def damaged(dataset: Path) -> dict[str, str]:
    """What `verify` has to say of each file that is not whole."""
    return {one.path: one.message for one in verify(dataset, EXTENSIONS) if one.state != "whole"}


@pytest.mark.parametrize(
    ("died", "then", "wanted"),
    [
        (("before", NEXT), "again", "It was good."),
        (("after", NEXT), "again", "It was good."),
        (("after", NEXT), "pack", "Not measured"),
        (("before", PROVENANCE), "another", "It was bad."),
        (("after", PROVENANCE), "again", "It was good."),
        (("after", PROVENANCE), "another", "It was bad."),
        (("after", PROVENANCE), "pack", "It was good."),
        (("after", CARD), "again", "It was good."),
    ],
)
def test_broken_off_it_is_brought_to_its_end(
    died: tuple[str, str],
    then: str,
    wanted: str,
    dataset: Path,
    small: Path,
    *,
    report: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At each rename: verify tells of a card that is not there yet, and whatever is done next leaves it as promised."""
    good, bad, publish, before = report("good"), report("bad"), atomic.publish, {*dataset.rglob("*")}

    def dying(scratch: Path, path: Path) -> None:
        if died[0] == "after":
            publish(scratch, path)
        if path == dataset / died[1]:
            raise KeyboardInterrupt
        if died[0] == "before":
            publish(scratch, path)

    with monkeypatch.context() as patched:
        patched.setattr(atomic, "publish", dying)
        with pytest.raises(KeyboardInterrupt):
            add_report(dataset, good)
    told = {path: "broken off; do the same again" in said for path, said in damaged(dataset).items()}
    assert told == ({CARD: True} if died == ("after", PROVENANCE) else {})
    if then == "pack":
        study.pack(small, dataset).result()
    else:
        assert add_report(dataset, bad if then == "another" else good)
    assert damaged(dataset) == {}
    assert wanted in (dataset / CARD).read_text(encoding="utf-8")
    left = {*dataset.rglob("*")} - before
    assert [one for one in left if atomic.owner() not in one.name] == []  # this process is alive, so it may still write


def test_a_damaged_card_is_not_promised_anew(dataset: Path, report: Callable[[str], Path]) -> None:
    """What has changed in a card since it was packed is damage, before a report and after."""
    card = dataset / CARD
    card.write_bytes(card.read_bytes() + b"\n")
    with pytest.raises(DamagedError, match=r"README\.md: not what provenance\.json says"):
        add_report(dataset, report("good"))
    assert list(damaged(dataset)) == [CARD]
