"""Whatever goes wrong on the way, nobody sees half a dataset, and run again the Hub holds exactly the dataset."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from calls import TOKEN
from conftest import REPO, Publish, environment, expected, last
from hub import Hub

from synthgen.errors import SynthgenError
from synthgen.publish import load_check

LIMITED = {"status": 429, "headers": {"Retry-After": "7"}, "message": "Too Many Requests"}
UNAVAILABLE = {"status": 503, "message": "Service Unavailable"}

# What passes by itself: the publishing goes on and ends well.
PASSING: dict[str, tuple[str, str, dict[str, Any]]] = {
    "429 at the first look": ("GET", "/api/datasets/org/name$", LIMITED),
    "429 creating": ("POST", "/repos/create", LIMITED),
    "429 uploading": ("PUT", "/storage/", LIMITED),
    "429 committing": ("POST", "/commit/", LIMITED),
    "500 committing": ("POST", "/commit/", {"status": 500}),
    "503 at the card": ("POST", "/validate-yaml", UNAVAILABLE),
    "503 before uploading": ("POST", "/preupload/", UNAVAILABLE),
    "503 uploading": ("PUT", "/storage/", UNAVAILABLE | {"times": 3}),
    "503 committing": ("POST", "/commit/", UNAVAILABLE | {"times": 2}),
    "503 listing": ("GET", "/tree/", UNAVAILABLE),
    "reset uploading": ("PUT", "/storage/", {"kind": "reset", "times": 2}),
    "reset committing": ("POST", "/commit/", {"kind": "reset"}),
    "answer to the commit lost": ("POST", "/commit/", {"kind": "deaf"}),
    "answer to an upload lost": ("PUT", "/storage/", {"kind": "deaf"}),
}

# What ends the publishing: one line that says what, and the next run ends well.
FINAL: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "401": (
        "POST",
        "/preupload/",
        {"status": 401, "message": "Invalid token"},
        "answers 401: Invalid token; .*HF_TOKEN",
    ),
    "403": ("POST", "/preupload/", {"status": 403, "message": "Forbidden"}, "answers 403: Forbidden; .*token"),
    "403 committing": ("POST", "/commit/", {"status": 403, "message": "Forbidden"}, "answers 403: Forbidden; .*token"),
    "quota uploading": (
        "POST",
        "/lfs/objects/batch",
        {"status": 403, "message": "Private repository storage limit reached"},
        "answers 403: Private repository storage limit reached; .*room",
    ),
    "quota committing": (
        "POST",
        "/commit/",
        {"status": 403, "message": "You have exceeded your quota"},
        "answers 403: You have exceeded your quota; .*room",
    ),
    "wrong checksum": ("PUT", "/storage/", {"kind": "truncate"}, "did not match what was received"),
    "503 without end": ("POST", "/commit/", UNAVAILABLE | {"times": 99}, "answers 503"),
    "503 uploading without end": ("PUT", "/storage/", UNAVAILABLE | {"times": 99}, "answers 503"),
    "reset without end": ("POST", "/commit/", {"kind": "reset", "times": 99}, "^could not (commit to|send) "),
    "reset uploading without end": ("PUT", "/storage/", {"kind": "reset", "times": 99}, "^could not (commit to|send) "),
    "429 without end": ("POST", "/commit/", LIMITED | {"times": 99}, "answers 429: Too Many Requests; "),
    "too long a wait": ("POST", "/commit/", LIMITED | {"headers": {"Retry-After": "4000"}}, "4,000 s"),
    "too long a wait uploading": (
        "PUT",
        "/storage/",
        LIMITED | {"headers": {"Retry-After": "4000"}},
        "4,000 s",
    ),
}


@pytest.fixture(autouse=True)
def _opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take it that `datasets` opens the folder: that is shown elsewhere, and is half the time of a publishing."""
    monkeypatch.setattr(load_check, "faults", lambda *_: iter(()))


@pytest.mark.parametrize("name", PASSING)
def test_passing_trouble_is_waited_out(hub: Hub, publish: Publish, dataset: Path, name: str) -> None:
    """A rate limit, a server's trouble and a lost connection cost a wait and nothing else: one commit, all of it."""
    method, path, how = PASSING[name]
    hub.misbehave(method, path, how.get("kind", "status"), **{key: how[key] for key in how if key != "kind"})
    assert last(publish(dataset)).commits == 1
    assert hub.wrongs == how.get("times", 1)
    assert hub[REPO].seen == [{}, expected(dataset)]
    assert hub[REPO].count() == 1


@pytest.mark.parametrize("name", FINAL)
def test_other_trouble_ends_in_one_line(hub: Hub, publish: Publish, dataset: Path, name: str) -> None:
    """What can't be cured says so in one line, main stays as it was, and the next run publishes all of it."""
    method, path, how, said = FINAL[name]
    hub.misbehave(method, path, how.get("kind", "status"), **{key: how[key] for key in how if key != "kind"})
    with pytest.raises(SynthgenError, match=said) as raised:
        publish(dataset)
    assert hub.wrongs > 0
    assert len(raised.value.faults) == 1
    assert "\n" not in str(raised.value)
    assert TOKEN not in str(raised.value)
    assert hub[REPO].seen == [{}]
    hub.behave()
    publish(dataset)
    assert hub[REPO].seen == [{}, expected(dataset)]


@pytest.mark.parametrize("name", ["403", "quota committing", "wrong checksum", "503 uploading without end"])
def test_trouble_over_an_older_dataset_leaves_it_whole(
    hub: Hub, publish: Publish, dataset: Path, smaller: Path, name: str
) -> None:
    """Where a dataset was published before, it is there whole until the new one is."""
    method, path, how, _ = FINAL[name]
    publish(smaller)
    hub.misbehave(method, path, how.get("kind", "status"), **{key: how[key] for key in how if key != "kind"})
    with pytest.raises(SynthgenError):
        publish(dataset)
    assert hub[REPO].seen == [{}, expected(smaller)]
    hub.behave()
    publish(dataset)
    assert hub[REPO].seen == [{}, expected(smaller), expected(dataset)]


def test_a_retry_waits_as_long_as_asked(hub: Hub, publish: Publish, dataset: Path, slept: list[float]) -> None:
    """`Retry-After` is honoured: 7 seconds asked are 7 seconds waited."""
    hub.misbehave("POST", "/commit/", **LIMITED)
    publish(dataset)
    assert slept == [7.0]


def test_retries_back_off_and_end(hub: Hub, publish: Publish, dataset: Path, slept: list[float]) -> None:
    """Without `Retry-After` the waits double, and after five of them it is over."""
    hub.misbehave("POST", "/commit/", **UNAVAILABLE, times=99)
    with pytest.raises(SynthgenError):
        publish(dataset)
    assert slept == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_a_wrong_etag_of_a_part_is_caught(hub: Hub, publish: Publish, dataset: Path) -> None:
    """A part that the storage acknowledges with another ETag is not taken; nothing is shown, and run again it is."""
    hub.multipart_above = 10_000
    hub.misbehave("PUT", "/storage/[0-9a-f]+/1", "etag")
    with pytest.raises(SynthgenError, match="ETag does not match"):
        publish(dataset)
    assert hub[REPO].seen == [{}]
    publish(dataset)
    assert hub[REPO].seen == [{}, expected(dataset)]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_quota_at_any_commit_of_many_shows_nothing(hub: Hub, publish: Publish, dataset: Path, number: int) -> None:
    """A quota that ends the n-th commit of a pull request leaves main as it was; run again, it is filled and merged."""
    hub.misbehave("POST", "/commit/", status=403, message="quota exceeded", after=number, times=9)
    with pytest.raises(SynthgenError, match=r"answers 403: quota exceeded; .*room"):
        publish(dataset, files_a_commit=3)
    assert hub[REPO].seen == [{}]
    hub.behave()
    publish(dataset, files_a_commit=3)
    assert hub[REPO].seen == [{}, expected(dataset)]


@pytest.mark.parametrize("kind", ["reset", "deaf"])
@pytest.mark.parametrize("path", ["/commit/", "/merge", "/discussions$"])
def test_lost_connections_on_a_pull_request(hub: Hub, publish: Publish, dataset: Path, path: str, kind: str) -> None:
    """A connection lost while opening, filling or merging a pull request costs a try, not a second pull request."""
    hub.misbehave("POST", path, kind)
    publish(dataset, files_a_commit=3)
    assert hub[REPO].seen == [{}, expected(dataset)]
    assert [one.status for one in hub[REPO].requests.values()] == ["merged"]


@pytest.mark.parametrize("path", ["/storage/", "/commit/", "/lfs/objects/verify"])
def test_killed_and_run_again(hub: Hub, publish: Publish, dataset: Path, tmp_path: Path, path: str) -> None:
    """After kill -9 nobody sees anything of it, and the next run sends only what is missing."""
    hub.misbehave("PUT" if path == "/storage/" else "POST", path, "stall", after=path != "/commit/")
    process = subprocess.Popen(
        [sys.executable, "-m", "synthgen", "publish", os.fspath(dataset), "--repo", REPO],
        env=environment(hub, tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert hub.stalled.wait(40)
    deadline = time.monotonic() + 20
    while not hub.stored and time.monotonic() < deadline:  # uploads run side by side: one is whole, one stalls
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    hub.let_go.set()
    hub.behave()
    assert hub[REPO].seen == [{}]
    before = list(hub.stored)
    publish(dataset)
    assert hub[REPO].seen == [{}, expected(dataset)]
    assert len(set(hub.stored)) == len(hub.stored) == 5
    assert before


def test_no_login_is_one_line(
    hub: Hub, synthgen: Callable[..., Any], dataset: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a login the command says in one line how to log in, and asks the Hub nothing."""
    from huggingface_hub import constants

    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", os.fspath(tmp_path / "none"))
    said = synthgen("publish", dataset, "--repo", REPO)
    assert said.code == 1
    assert said.errors == [
        "error: not logged in to the Hub; run `hf auth login`, or set HF_TOKEN to a token with write access"
    ]
    assert hub.requests == []


def test_a_login_that_is_not_accepted_is_one_line(
    hub: Hub, synthgen: Callable[..., Any], dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that the Hub does not know ends in one line without the token."""
    monkeypatch.setenv("HF_TOKEN", "hf_" + "wrong" * 8)
    said = synthgen("publish", dataset, "--repo", REPO)
    assert (said.code, len(said.errors)) == (1, 1)
    assert "login" in said.errors[0]
    assert "hf_wrong" not in said.out + said.err


def test_offline_is_one_line(
    hub: Hub, synthgen: Callable[..., Any], dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment forbids the network, the command says so."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    said = synthgen("publish", dataset, "--repo", REPO)
    assert (said.code, said.errors) == (1, ["error: HF_HUB_OFFLINE is set, so nothing can be published; unset it"])


def test_a_server_that_repeats_the_token_does_not_make_us_print_it(
    hub: Hub, synthgen: Callable[..., Any], dataset: Path
) -> None:
    """A token in the Hub's answer is taken out of the message."""
    hub.misbehave("POST", "/preupload/", status=403, message=f"Token {TOKEN} may not write")
    said = synthgen("publish", dataset, "--repo", REPO)
    assert said.code == 1
    assert "Token *** may not write" in said.err
    assert TOKEN not in said.out + said.err
