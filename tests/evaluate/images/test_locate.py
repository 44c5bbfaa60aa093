"""`evaluate.synthetic` is found where the manifest, the command line or the report's own folder says."""

from pathlib import Path
from types import ModuleType

import pytest

from synthgen.errors import InputError, UnavailableError
from synthgen.evaluate.images.locate import find


@pytest.fixture
def root(drawn: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the dataset of `study` in `runs/study/dataset`, which is the current one."""
    monkeypatch.chdir(tmp_path)
    drawn.write_dataset(tmp_path / "runs/study/dataset", [])
    return tmp_path


def test_this_run_is_beside_the_report(root: Path) -> None:
    """The dataset, or else the run, beside the report's folder is what the manifest calls this."""
    found = find("this", None, name="study", base=root, out=root / "runs/study/report")
    assert found == root / "runs/study/dataset"


def test_this_run_is_looked_for_by_its_name(root: Path) -> None:
    """A report elsewhere is of `runs/NAME`."""
    found = find("this", None, name="study", base=root, out=root / "elsewhere/report")
    assert found.resolve() == root / "runs/study/dataset"


def test_a_dataset_of_another_name_is_not_this(root: Path) -> None:
    """What lies beside the report is taken only where it is of the same manifest."""
    with pytest.raises(InputError, match=r"^evaluate\.synthetic: .*`other`"):
        find("this", None, name="other", base=root, out=root / "runs/study/report")


def test_a_folder_is_named_from_the_manifests_own(root: Path) -> None:
    """A study's folder stands for the dataset in it."""
    assert find("study", None, name="x", base=root / "runs", out=root / "r") == root / "runs/study/dataset"


def test_the_command_line_goes_first(root: Path) -> None:
    """A folder that is given takes the place of the manifest's."""
    given = root / "runs/study/dataset"
    assert find("org/elsewhere", given, name="x", base=root, out=root / "r") == given


@pytest.mark.parametrize(
    ("synthetic", "given", "fault"),
    [
        ("this", "empty", "^--synthetic: .*empty"),
        ("empty", None, r"^evaluate\.synthetic: .*empty"),
        ("./nowhere", None, r"^evaluate\.synthetic: .*`\./nowhere`"),
    ],
)
def test_what_is_no_run_or_dataset_is_refused(root: Path, synthetic: str, given: str | None, fault: str) -> None:
    """The line says where the fault is."""
    (root / "empty").mkdir()
    with pytest.raises(InputError, match=fault):
        find(synthetic, root / given if given else None, name="x", base=root, out=root / "r")


def test_a_hub_id_that_cannot_be_had_is_one_line(root: Path) -> None:
    """Offline, the line names the id."""
    with pytest.raises(UnavailableError, match=r"^evaluate\.synthetic: `org/name`") as caught:
        find("org/name", None, name="x", base=root, out=root / "r")
    assert "\n" not in str(caught.value)


def test_a_study_without_curation_needs_the_run(root: Path) -> None:
    """Rejected images are in the run alone, so it comes before the dataset there."""
    run = root / "runs/study/work"
    run.mkdir()
    (run / "run.json").write_text('{"name": "study"}')
    assert find("this", None, name="study", base=root, out=root / "runs/study/report", run=True) == run
    assert find("x", root / "runs/study", name="study", base=root, out=root / "r", run=True) == run
