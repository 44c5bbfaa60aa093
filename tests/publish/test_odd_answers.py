"""What answers in the Hub's place, and is none, is told in one line."""

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub.hf_api import RepoFile

from synthgen.errors import SynthgenError
from synthgen.publish.hub_repo import HubRepo
from synthgen.publish.retry import Patience


def repo(**calls: Any) -> HubRepo:
    """A repository behind a client of such calls."""
    api: Any = SimpleNamespace(endpoint="http://127.0.0.1:9", token=None, **calls)
    return HubRepo("a/b", api, Patience(waits=()))


def raising(error: Exception) -> Any:
    """A call that raises."""

    def call(*_: Any, **__: Any) -> Any:
        raise error

    return call


@pytest.mark.parametrize("error", [KeyError("id"), TypeError("list indices"), AttributeError("get")])
def test_an_answer_of_another_shape_is_one_line(error: Exception) -> None:
    """Whatever the client makes of it."""
    with pytest.raises(SynthgenError, match="could not look at a/b: what answers is not what the Hub answers"):
        repo(dataset_info=raising(error)).state()
    with pytest.raises(SynthgenError, match="could not list a/b: what answers is not what the Hub answers"):
        repo(list_repo_tree=raising(error)).tree("c0ffee")


def test_pages_that_lead_back_to_the_first_end() -> None:
    """A listing without end is not followed into the last of the memory."""
    files = [RepoFile(path=name, size=1, oid=name) for name in ("a", "b", "c")]
    endless = repo(list_repo_tree=lambda *_, **__: itertools.cycle(files))
    with pytest.raises(SynthgenError, match="could not list a/b"):
        endless.tree("c0ffee")
    assert list(repo(list_repo_tree=lambda *_, **__: iter(files)).tree("c0ffee")) == ["a", "b", "c"]
