"""What answers in the Hub's place, and is none, is told in one line."""

import itertools
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub.hf_api import RepoFile

from synthgen.core import hub
from synthgen.errors import SynthgenError
from synthgen.publish import retry
from synthgen.publish.hub_repo import HubRepo
from synthgen.publish.retry import Patience

http: Any = import_module(hub.http_error().__module__.partition(".")[0])
SyncByteStream: Any = http.SyncByteStream


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


class _Dripping(SyncByteStream):
    """A body that comes byte by byte, without end."""

    def __iter__(self) -> Iterator[bytes]:
        yield from itertools.repeat(b" ")


@pytest.mark.parametrize(
    ("bounds", "headers", "why"),
    [
        ({"largest": 1000}, {}, "is over 1,000 bytes"),
        ({"within": 0.0}, {}, "takes more than 0 s"),
        ({"largest": 2000}, {"Content-Encoding": "gzip"}, "is over 1 bytes"),
    ],
)
def test_an_answer_without_end_is_not_read_into_memory(
    bounds: dict[str, Any], headers: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a large one, nor one that drips, nor one that grows when it is decompressed."""
    asked = list[Any]()

    def answer(request: Any) -> Any:
        asked.append(request)
        return http.Response(200, stream=_Dripping(), headers=headers)

    with http.Client(transport=http.MockTransport(answer), timeout=None) as session:
        monkeypatch.setattr(retry, "get_session", lambda: session)
        patience = Patience(waits=(), **bounds)
        with patience.bounded(), pytest.raises(SynthgenError, match=f"the Hub's answer {why}, as none"):
            patience.call("look at a/b", lambda: session.get("http://127.0.0.1:9/api").json())
        assert not any(session.event_hooks.values())
    assert set(asked[0].extensions["timeout"].values()) == {patience.within, None}  # what is sent may take long


def test_pages_that_lead_back_to_the_first_end() -> None:
    """A listing without end is not followed into the last of the memory."""
    files = [RepoFile(path=name, size=1, oid=name) for name in ("a", "b", "c")]
    endless = repo(list_repo_tree=lambda *_, **__: itertools.cycle(files))
    with pytest.raises(SynthgenError, match="could not list a/b"):
        endless.tree("c0ffee")
    assert list(repo(list_repo_tree=lambda *_, **__: iter(files)).tree("c0ffee")) == ["a", "b", "c"]
