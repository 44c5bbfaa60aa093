"""``synthgen publish`` says what it does, in lines."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import REPO, Publish, expected
from hub import Hub

Synthgen = Callable[..., Any]


def test_a_first_and_a_second_run(hub: Hub, synthgen: Synthgen, dataset: Path) -> None:
    """The first says what it made, the second that there was nothing to do, both that everything was compared."""
    first = synthgen("publish", dataset, "--repo", REPO)
    assert (first.code, first.out.partition(";")[0]) == (0, "published in 1 commit")
    assert f"{hub.endpoint}/datasets/{REPO} at {hub[REPO].references['main'][:12]}" in first.out
    assert f"{REPO} (to be created, private): 10 files to add" in first.err
    second = synthgen("publish", dataset, "--repo", REPO)
    assert (second.code, second.out.partition(";")[0]) == (0, "nothing to do, 0 commits")
    assert "every hash equal" in second.out


def test_quiet_says_nothing(hub: Hub, synthgen: Synthgen, dataset: Path) -> None:
    """`-q` prints nothing where all went well."""
    said = synthgen("publish", dataset, "--repo", REPO, "-q")
    assert (said.code, said.out, said.err) == (0, "", "")


def test_a_dry_run_lists_every_file(
    hub: Hub, synthgen: Synthgen, publish: Publish, dataset: Path, smaller: Path
) -> None:
    """`--dry-run` prints a line a file with its bytes, then one that says nothing was sent."""
    publish(dataset)
    said = synthgen("publish", smaller, "--repo", REPO, "--dry-run")
    lines = [line.split() for line in said.out.splitlines()[:-1]]
    assert said.code == 0
    assert {words[-1] for words in lines if words[0] == "delete"} == {
        f"data/train-0000{number}-of-00003.tar" for number in range(3)
    }
    assert ["unchanged", "prompts/prompts.yaml"] in [[words[0], words[-1]] for words in lines]
    assert said.out.splitlines()[-1].endswith("1 commit; nothing was sent")
    assert hub[REPO].snapshot() == expected(dataset)


def test_a_dry_run_without_the_hub_says_so(hub: Hub, synthgen: Synthgen, dataset: Path, monkeypatch: Any) -> None:
    """Where the Hub can't be reached, a dry run checks the folder and says that it was not compared."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    said = synthgen("publish", dataset, "--repo", REPO, "--dry-run")
    assert said.code == 0
    assert "what is on the Hub was not compared: could not look at org/name" in said.out
    assert "10 files to add" in said.out


def test_a_repository_is_asked_for(hub: Hub, synthgen: Synthgen, dataset: Path) -> None:
    """A `--repo` that is none is bad usage: exit 2."""
    said = synthgen("publish", dataset, "--repo", "name")
    assert (said.code, said.errors) == (2, ["error: --repo: `name` is not of the form ORG/NAME"])


def test_a_folder_that_is_none_is_bad_usage(hub: Hub, synthgen: Synthgen, tmp_path: Path) -> None:
    """A folder that was not packed is exit 2 and says what to do."""
    said = synthgen("publish", tmp_path, "--repo", REPO)
    assert said.code == 2
    assert "not a packed dataset" in said.errors[0]
