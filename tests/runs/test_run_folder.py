"""A folder belongs to one plan and one environment, and whoever brings another is told so and changes nothing."""

import dataclasses
import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.core import atomic, releases
from synthgen.core.devices import DeviceRequest, Environment
from synthgen.errors import InputError, PlanMismatchError, UnavailableError
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs import run_folder

MakePlan = Callable[..., Plan]
HERE = Environment("cuda", "A100", "float16", "sdpa", 8, 4, "r1", {"synthgen": "0.1", "torch": "2.6", "numpy": "2.0"})


def entries(*names: str, per_cell: int = 4) -> list[dict[str, Any]]:
    """Entries of the fake strategy."""
    return [{"name": name, "strategy": "fake", "per_cell": per_cell} for name in names]


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def begin(root: Path, *names: str) -> None:
    """Let an entry have a shard, so that it can't change any more."""
    for name in names:
        (root / name).mkdir()
        (root / name / "00000.tar").write_bytes(b"")


def document(root: Path) -> dict[str, Any]:
    """What `run.json` says."""
    return dict(json.loads((root / "run.json").read_bytes()))


def test_an_empty_folder_is_claimed(make_plan: MakePlan, tmp_path: Path) -> None:
    """A claim makes the folder and writes the manifest, the prompts and each entry's digest into it."""
    plan = make_plan()
    run_folder.reserve(tmp_path / "deep" / "run", plan)
    found = document(tmp_path / "deep" / "run")
    assert (found["plan"], found["manifest"]) == (plan.digest, plan.manifest.text)
    assert found["prompts"] == plan.manifest.prompts_text
    assert found["entries"] == {
        "fake": {"digest": plan.entries["fake"].digest, "samples": 24, "shards": 5, "environment": None}
    }


def test_claiming_again_changes_nothing(make_plan: MakePlan, tmp_path: Path) -> None:
    """The second claim of the same plan leaves every byte as it was."""
    run_folder.reserve(tmp_path, make_plan())
    before = tree(tmp_path)
    run_folder.reserve(tmp_path, make_plan())
    assert tree(tmp_path) == before


def test_a_renamed_study_is_the_same_plan(make_plan: MakePlan, tmp_path: Path) -> None:
    """What decides no image may change, and the run keeps the newest text."""
    run_folder.reserve(tmp_path, make_plan())
    run_folder.reserve(tmp_path, make_plan(name="renamed"))
    assert document(tmp_path)["name"] == "renamed"


def test_another_plan_is_refused_with_both_digests(make_plan: MakePlan, tmp_path: Path) -> None:
    """A changed seed is another plan: the run stays what it was, and the message names both."""
    old, new = make_plan(), make_plan(seed=8)
    run_folder.reserve(tmp_path, old)
    begin(tmp_path, "fake")
    before = tree(tmp_path)
    with pytest.raises(PlanMismatchError) as caught:
        run_folder.reserve(tmp_path, new)
    assert old.entries["fake"].digest[:12] in str(caught.value)
    assert new.entries["fake"].digest[:12] in str(caught.value)
    assert tree(tmp_path) == before


def test_every_entry_that_differs_is_named(make_plan: MakePlan, tmp_path: Path) -> None:
    """One line an entry that changed, was dropped or stayed out."""
    run_folder.reserve(tmp_path, make_plan(generate=entries("a", "b", "c")))
    begin(tmp_path, "a", "b", "c")
    with pytest.raises(PlanMismatchError) as caught:
        run_folder.reserve(tmp_path, make_plan(generate=[*entries("a", per_cell=5), *entries("c", "d")]))
    assert [fault.split("`")[1] for fault in caught.value.faults] == ["a", "b"]


def test_a_new_entry_is_appended_and_the_old_keeps_its_environment(make_plan: MakePlan, tmp_path: Path) -> None:
    """Adding an entry to a manifest adds it to the run, and leaves what was pinned alone."""
    run_folder.reserve(tmp_path, make_plan(generate=entries("a")))
    run_folder.pin(tmp_path, "a", HERE)
    run_folder.reserve(tmp_path, make_plan(generate=entries("b", "a")))
    assert run_folder.pinned(tmp_path, "a") == HERE
    assert run_folder.pinned(tmp_path, "b") is None


def test_an_entry_of_which_nothing_is_made_can_change(make_plan: MakePlan, tmp_path: Path) -> None:
    """A manifest that failed before its first image can be mended and run in the same folder."""
    run_folder.reserve(tmp_path, make_plan())
    run_folder.pin(tmp_path, "fake", HERE)
    run_folder.reserve(tmp_path, make_plan(seed=8))
    assert document(tmp_path)["plan"] == make_plan(seed=8).digest
    assert run_folder.pinned(tmp_path, "fake") is None


def test_a_dropped_entry_is_refused(make_plan: MakePlan, tmp_path: Path) -> None:
    """An entry that the run holds can't leave the manifest."""
    run_folder.reserve(tmp_path, make_plan(generate=entries("a", "b")))
    begin(tmp_path, "a")
    with pytest.raises(PlanMismatchError, match="`a`"):
        run_folder.reserve(tmp_path, make_plan(generate=entries("b")))


@pytest.mark.parametrize("name", ["thesis.tex", "data/x.csv", ".bashrc", ".hidden/x"])
def test_a_folder_of_somebody_else_is_left_alone(make_plan: MakePlan, tmp_path: Path, name: str) -> None:
    """A folder that holds anything else is refused and not written to."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="not empty and not a synthgen run"):
        run_folder.reserve(tmp_path, make_plan())
    assert tree(tmp_path) == {name: b"mine"}


@pytest.mark.parametrize(
    "content",
    [
        "", "{}", "[]", '{"format": 99}', '{"format": 1, "entries": {"a": {}}}', '{"format": 1, "entries": []}',
        '{"format": 1, "entries": {"a": {"environment": null}}}',
        '{"format": 1, "entries": {"a": {"digest": "1", "environment": {"device": "cpu"}}}}',
    ],
)  # fmt: skip
def test_a_broken_run_file_is_bad_input(make_plan: MakePlan, tmp_path: Path, content: str) -> None:
    """A `run.json` that is not one is refused by name and kept."""
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=r"run\.json"):
        run_folder.reserve(tmp_path, make_plan())
    assert (tmp_path / "run.json").read_text() == content


def test_the_plan_is_read_back(make_plan: MakePlan, extensions: Extensions, tmp_path: Path) -> None:
    """A run alone gives back its plan, also where manifest and prompts are gone."""
    plan = make_plan("templates: ['my {label}']", prompts="gone.yaml")
    run_folder.reserve(tmp_path, plan)
    found = run_folder.read_plan(tmp_path, extensions)
    assert found.digest == plan.digest
    assert list(found.entries["fake"]) == list(plan.entries["fake"])


@pytest.mark.parametrize("name", ["manifest", "base", "prompts"])
def test_a_run_file_that_lacks_something_is_bad_input(
    make_plan: MakePlan, extensions: Extensions, tmp_path: Path, name: str
) -> None:
    """The line names the file and what is missing, or is not what it should be."""
    run_folder.reserve(tmp_path, make_plan())
    whole = document(tmp_path)
    for broken in (whole | {name: 3}, {key: value for key, value in whole.items() if key != name}):
        (tmp_path / "run.json").write_text(json.dumps(broken))
        with pytest.raises(InputError, match=rf"run\.json.*`{name}`"):
            run_folder.read_plan(tmp_path, extensions)


def test_a_file_is_no_folder(make_plan: MakePlan, tmp_path: Path) -> None:
    """Nor is what would lie below one; the line names the file."""
    (tmp_path / "a.py").write_text("mine")
    for root in (tmp_path / "a.py", tmp_path / "a.py" / "run"):
        with pytest.raises(InputError, match=r"a\.py: not a directory"):
            run_folder.reserve(root, make_plan())
    assert tree(tmp_path) == {"a.py": b"mine"}


def test_no_run_no_plan(extensions: Extensions, tmp_path: Path) -> None:
    """A folder without a `run.json` is bad input."""
    with pytest.raises(InputError, match=r"run\.json"):
        run_folder.read_plan(tmp_path, extensions)


def test_a_run_whose_manifest_plans_otherwise_is_refused(
    make_plan: MakePlan, extensions: Extensions, tmp_path: Path
) -> None:
    """Where this version plans other images from the kept manifest, that is said and not mixed."""
    run_folder.reserve(tmp_path, make_plan())
    found = document(tmp_path)
    found["entries"]["fake"]["digest"] = "0" * 64
    (tmp_path / "run.json").write_text(json.dumps(found))
    with pytest.raises(PlanMismatchError, match="000000000000"):
        run_folder.read_plan(tmp_path, extensions)


def test_a_run_whose_manifest_is_at_fault_says_where(
    make_plan: MakePlan, extensions: Extensions, tmp_path: Path
) -> None:
    """Faults in the kept manifest come with the name of the file that keeps it."""
    run_folder.reserve(tmp_path, make_plan())
    found = document(tmp_path)
    found["manifest"] = found["manifest"].replace("seed: 7", "seed: x")
    (tmp_path / "run.json").write_text(json.dumps(found))
    with pytest.raises(InputError, match=r"run\.json: seed: "):
        run_folder.read_plan(tmp_path, extensions)


def test_without_a_pin_the_wish_is_the_users() -> None:
    """Before the first image nothing is pinned, and everything is open."""
    assert run_folder.apply_pin(None, DeviceRequest(dtype="fp16", batch_size=3)) == DeviceRequest(
        dtype="fp16", batch_size=3
    )


@pytest.mark.parametrize(
    "asked",
    [
        DeviceRequest(),
        DeviceRequest(device="cuda"),
        DeviceRequest(dtype="fp16"),
        DeviceRequest(dtype="float16"),
        DeviceRequest(attention="sdpa", batch_size=8),
    ],
)
def test_what_is_left_open_is_as_pinned(asked: DeviceRequest) -> None:
    """A resumed run goes on as it was begun, whether that is asked for or left open."""
    assert run_folder.apply_pin(HERE, asked) == DeviceRequest("cuda", "float16", "sdpa", 8)


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (DeviceRequest(device="cpu"), "--device cpu: this run was begun with cuda"),
        (DeviceRequest(dtype="bf16"), "--dtype bfloat16: this run was begun with float16"),
        (DeviceRequest(dtype="fp32"), "--dtype float32: this run was begun with float16"),
        (DeviceRequest(attention="xformers"), "--attention xformers: this run was begun with sdpa"),
        (DeviceRequest(batch_size=4), "--batch-size 4: this run was begun with 8"),
    ],
)
def test_a_wish_against_the_pin_is_refused(asked: DeviceRequest, fault: str) -> None:
    """What was asked for is named with what the run has."""
    with pytest.raises(PlanMismatchError) as caught:
        run_folder.apply_pin(HERE, asked)
    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith(fault)


def test_every_wish_against_the_pin_is_named() -> None:
    """Four conflicts are four lines."""
    with pytest.raises(PlanMismatchError) as caught:
        run_folder.apply_pin(HERE, DeviceRequest("cpu", "fp32", "xformers", 9))
    options = [fault.split()[0] for fault in caught.value.faults]
    assert options == ["--device", "--dtype", "--attention", "--batch-size"]


@pytest.fixture
def run(make_plan: MakePlan, tmp_path: Path) -> Path:
    """A run begun here."""
    run_folder.reserve(tmp_path, make_plan())
    assert run_folder.pin(tmp_path, "fake", HERE) == HERE
    return tmp_path


def test_an_environment_is_pinned_once(run: Path) -> None:
    """The first environment is kept, and the same one again is welcome."""
    before = tree(run)
    assert run_folder.pin(run, "fake", HERE) == HERE == run_folder.pinned(run, "fake")
    assert tree(run) == before


def test_claiming_keeps_what_is_pinned(run: Path, make_plan: MakePlan) -> None:
    """The next claim of the same plan keeps the environment."""
    run_folder.reserve(run, make_plan())
    assert run_folder.pinned(run, "fake") == HERE


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"versions": HERE.versions | {"torch": "2.7"}}, "was begun with torch 2.6, here is 2.7"),
        ({"versions": {"synthgen": "0.1", "torch": "2.6"}}, "was begun with numpy 2.0, here is None"),
        ({"versions": HERE.versions | {"synthgen": "9.9"}}, "was begun with synthgen 0.1, here is 9.9"),
        ({"device": "cpu", "device_name": "cpu"}, "was begun on cuda, this is cpu"),
        ({"model_revision": "r2"}, "the model has changed since the run was begun (r1 then, r2 now)"),
    ],
)
def test_an_environment_that_drifted_is_refused(run: Path, changes: dict[str, Any], phrase: str) -> None:
    """Another version, device or model would change bytes, so it is refused with both named."""
    before = tree(run)
    with pytest.raises(UnavailableError) as caught:
        run_folder.pin(run, "fake", dataclasses.replace(HERE, **changes))
    assert phrase in str(caught.value)
    assert tree(run) == before


def test_what_earlier_runs_did_not_pin_is_no_drift(run: Path) -> None:
    """A run goes on that was begun before packages, switches and a batch to make again were pinned."""
    now = dataclasses.replace(
        HERE, versions=HERE.versions | {"tokenizers": "1", "cudnn": "9"}, redo_batch_size=1,
        flags={"cudnn.deterministic": True},
    )  # fmt: skip
    assert run_folder.pin(run, "fake", now) == HERE


def test_every_drift_is_named(run: Path) -> None:
    """Three differences are three lines."""
    other = dataclasses.replace(HERE, device="cpu", model_revision="r2", versions=HERE.versions | {"numpy": "3"})
    with pytest.raises(UnavailableError) as caught:
        run_folder.pin(run, "fake", other)
    assert len(caught.value.faults) == 3


def test_another_device_of_the_same_type_is_only_told(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another model of GPU goes on, as the pinned one, with a warning that bytes may differ."""
    with caplog.at_level(logging.WARNING, "synthgen"):
        assert run_folder.pin(run, "fake", dataclasses.replace(HERE, device_name="H100")) == HERE
    [message] = caplog.messages
    assert "A100" in message
    assert "H100" in message
    assert "PSNR" in message


def test_the_same_device_is_not_told(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is warned of where nothing differs."""
    run_folder.pin(run, "fake", HERE)
    assert not caplog.messages


@pytest.mark.parametrize("write", ["pin", "lower_batch_size"])
def test_a_changed_file_is_not_sealed_anew(write: str, make_plan: MakePlan, tmp_path: Path) -> None:
    """What somebody has changed stays seen: it is refused, and the file left as it is."""
    run_folder.reserve(tmp_path, make_plan())
    if write == "lower_batch_size":
        run_folder.pin(tmp_path, "fake", HERE)
    path = tmp_path / "run.json"
    path.write_bytes(path.read_bytes().replace(b'"manifest": "', b'"manifest": "# another\\n', 1))
    before = path.read_bytes()
    given: Any = HERE if write == "pin" else 1
    with pytest.raises(InputError, match="changed since it was written"):
        getattr(run_folder, write)(tmp_path, "fake", given)
    assert path.read_bytes() == before


def test_a_lower_batch_size_is_pinned(run: Path) -> None:
    """Where the first batch did not fit, the smaller one is the run's, and nothing else changes."""
    run_folder.lower_batch_size(run, "fake", 4)
    assert run_folder.pinned(run, "fake") == dataclasses.replace(HERE, batch_size=4)


def with_version(version: str) -> Environment:
    """The environment of another release of synthgen."""
    return dataclasses.replace(HERE, versions=HERE.versions | {"synthgen": version})


def test_a_release_of_the_same_bytes_goes_on(
    make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run keeps the version that it was begun with, also for entries that a later release begins."""
    old, new = releases.SAME_BYTES[0], releases.SAME_BYTES[-1]
    plan = make_plan(generate=entries("a", "b"))
    with monkeypatch.context() as then:
        then.setattr(releases, "__version__", old)
        run_folder.reserve(tmp_path, plan)
        assert run_folder.pin(tmp_path, "a", with_version(old)) == with_version(old)
    run_folder.reserve(tmp_path, plan)
    assert document(tmp_path)["generator"] == run_folder.signature(tmp_path) == f"synthgen {old}"
    assert run_folder.pin(tmp_path, "a", with_version(new)) == with_version(old)
    assert run_folder.pin(tmp_path, "b", with_version(new)) == with_version(old)


def test_a_run_of_which_nothing_is_made_is_begun_by_the_release_that_begins_it(
    make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder alone is not a beginning."""
    with monkeypatch.context() as then:
        then.setattr(releases, "__version__", releases.SAME_BYTES[0])
        run_folder.reserve(tmp_path, make_plan())
    run_folder.reserve(tmp_path, make_plan())
    new = with_version(releases.SAME_BYTES[-1])
    assert run_folder.pin(tmp_path, "fake", new) == new


def test_what_the_dead_left_half_written_goes(make_plan: MakePlan, tmp_path: Path) -> None:
    """Of whatever file of the run; what a process that lives, or one of another host, is writing stays."""
    run_folder.reserve(tmp_path, make_plan())
    dead = f"{socket.gethostname()}.{2**22 + 1}"  # no process has such a number
    stays = [f".run.json.{atomic.owner()}", ".verdicts.parquet.elsewhere.4194305"]
    for name in (".verdicts.parquet", ".survivors.csv", ".sources.parquet", ".top_up.json", ".set_aside.parquet"):
        (tmp_path / f"{name}.{dead}").touch()
    for name in stays:
        (tmp_path / name).touch()
    run_folder.reserve(tmp_path, make_plan())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*stays, ".lock", "run.json"])
