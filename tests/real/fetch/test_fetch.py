"""Real images come from their addresses politely, whole or not at all, and never outside of their folder."""

import contextlib
import csv
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from synthgen.core import backoff
from synthgen.errors import StoppedError, UnavailableError
from synthgen.plan.manifest.fetch import Fetch
from synthgen.real import fetch
from synthgen.real.fetch import Fetched, download, errors

from .conftest import Host, md5, photograph

Run = Callable[..., list[Fetched]]


def said(outcomes: list[Fetched]) -> list[tuple[str, str]]:
    return [(outcome.outcome, outcome.reason) for outcome in outcomes]


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def report(folder: Path) -> list[list[str]]:
    with (folder / "fetch.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_an_image_is_fetched(host: Host, run: Run, tmp_path: Path) -> None:
    """The file has the bytes that the host gave, and nothing is left beside it."""
    content = photograph()
    assert said(run(host.give("/a.jpg", content))) == [("fetched", "")]
    assert (tmp_path / "images" / "0.jpg").read_bytes() == content
    assert files(tmp_path) == ["fetch.csv", "images/0.jpg"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_dead_link_is_asked_for_once(host: Host, run: Run, tmp_path: Path, status: int) -> None:
    """What is gone is reported, not tried again, and leaves no file."""
    assert said(run(host.give("/a.jpg", status))) == [("dead link", f"the host answers {status}")]
    assert (host.paths(), files(tmp_path)) == (["/a.jpg"], ["fetch.csv"])


def test_a_host_that_there_is_not_is_a_dead_link(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """A name that the name service does not know is a dead link; nobody is asked again."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert said(run("http://gone.invalid/a.jpg")) == [("dead link", "no such host")]


def test_a_name_service_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """No answer about a name is no proof that there is no such host."""
    asked = []

    def failing(*_: Any, **__: Any) -> Any:
        asked.append(1)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", failing)
    monkeypatch.setattr(backoff, "FIRST_WAIT", 0.01)
    assert said(run("http://name.invalid/a.jpg")) == [
        ("failed", "can't connect: temporary failure in name resolution, 3 times")
    ]
    assert len(asked) == 3


def test_a_certificate_that_nobody_trusts_is_said() -> None:
    """It is as good tomorrow, so nobody asks again; of a refused connection the system's word is kept."""
    untrusted = ssl.SSLCertVerificationError(1, "failed")
    untrusted.verify_message = "self-signed certificate"
    for cause, kind, text in (
        (untrusted, errors.RefusedError, "the host's certificate is not trusted: self-signed certificate"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), errors.PassingError, "no TLS with the host"),
        (ConnectionRefusedError(111, "Connection refused"), errors.PassingError, "can't connect: connection refused"),
    ):
        with pytest.raises(kind, match=text), errors.translate_errors():
            raise httpx2.ConnectError("with a proxy's password") from cause


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_trouble_that_passes_is_waited_out(host: Host, run: Run, status: int) -> None:
    """A host that fails twice and then gives the image has given it."""
    assert said(run(host.give("/a.jpg", status, status, photograph()))) == [("fetched", "")]
    assert len(host.asked) == 3


def test_trouble_that_stays_is_given_up(host: Host, run: Run) -> None:
    """After as many attempts as the manifest allows, the address has failed."""
    assert said(run(host.give("/a.jpg", 500))) == [("failed", "the host answers 500, 3 times")]
    assert len(host.asked) == 3


@pytest.mark.parametrize("status", [401, 403, 451, 204])
def test_a_refusal_is_not_argued_with(host: Host, run: Run, status: int) -> None:
    """A host that refuses is asked once."""
    assert said(run(host.give("/a.jpg", status))) == [("failed", f"the host answers {status}")]
    assert len(host.asked) == 1


def test_retry_after_is_honoured_for_the_whole_host(host: Host, run: Run) -> None:
    """A host that asks for a second is left alone for it."""
    assert said(run(host.give("/a.jpg", (429, {"Retry-After": "1"}, b""), photograph()))) == [("fetched", "")]
    (_, first), (_, second) = host.asked
    assert 1.0 <= second - first < 5


def asked_wait(asked: str) -> float:
    """The wait that is read from a `Retry-After`."""
    with pytest.raises(errors.PassingError) as caught:
        errors.check(httpx2.Response(503, headers={"Retry-After": asked}))
    return caught.value.wait


@pytest.mark.parametrize(
    ("asked", "wait"),
    [("7", 7), ("0", 0), ("soon", 0), ("-3", 0), ("", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
    ids=["seconds", "none", "word", "negative", "empty", "past"],
)
def test_retry_after_is_a_number(asked: str, wait: float) -> None:
    """Anything else asks for no wait."""
    assert asked_wait(asked) == wait


def test_retry_after_is_a_date() -> None:
    """A date to come asks for the time until then."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 0 < asked_wait(date) <= 100


def test_a_wait_of_hours_ends_an_address(host: Host, run: Run) -> None:
    """A host that asks for an hour is not waited for."""
    address = host.give("/a.jpg", (503, {"Retry-After": "3600"}, b""))
    assert said(run(address)) == [("failed", "the host answers 503 and asks to wait 3,600 s; run again then")]


def test_a_file_of_another_md5_is_not_kept(host: Host, run: Run, tmp_path: Path) -> None:
    """Another image than was meant is reported with its own MD5."""
    address = host.give("/a.jpg", photograph(1))
    row = {"url": address, "name": "a", "sum": md5(photograph(2)).upper()}
    assert said(run(row, md5="sum")) == [("wrong md5", f"it has {md5(photograph(1))}")]
    assert files(tmp_path) == ["fetch.csv"]


def test_the_right_md5_is_kept_however_it_is_written(host: Host, run: Run) -> None:
    """Upper case and blanks around it do not matter; none at all is not checked."""
    address = host.give("/a.jpg", photograph())
    right = {"url": address, "name": "a", "sum": f" {md5(photograph()).upper()} "}
    assert said(run(right, right | {"name": "b", "sum": ""}, md5="sum")) == [("fetched", ""), ("fetched", "")]


def test_what_is_no_md5_is_a_fault(host: Host, run: Run) -> None:
    """A column of something else is not taken for checksums, and nobody is asked."""
    row = {"url": host.give("/a.jpg", photograph()), "name": "a", "sum": "psoriasis"}
    assert said(run(row, md5="sum")) == [("failed", "`psoriasis` is no MD5")]
    assert host.asked == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html>moved</html>", "HTML"),
        (b"", "empty file"),
        (photograph()[:300], "truncated"),
        (b"\x89PNG\r\n\x1a\n", "damaged: begins like PNG, but its header can't be read"),
    ],
    ids=["html", "empty", "half", "head"],
)
def test_what_is_no_image_is_not_kept(host: Host, run: Run, tmp_path: Path, content: bytes, reason: str) -> None:
    """A page in the place of the image says so, whatever MD5 was meant."""
    row = {"url": host.give("/a.jpg", content), "name": "a", "sum": md5(photograph())}
    assert said(run(row, md5="sum")) == [("not an image", reason)]
    assert files(tmp_path) == ["fetch.csv"]


def test_what_is_there_is_not_asked_for_again(host: Host, run: Run) -> None:
    """A second run asks only for what is missing."""
    rows = [{"url": host.give(f"/{n}.jpg", photograph(n)), "name": str(n), "sum": md5(photograph(n))} for n in range(3)]
    host.give("/1.jpg", 404)
    first = run(*rows, md5="sum")
    host.asked.clear()
    host.give("/1.jpg", photograph(1))
    again = run(*rows, md5="sum")
    assert [one.outcome for one in first] == ["fetched", "dead link", "fetched"]
    assert [one.outcome for one in again] == ["there already", "fetched", "there already"]
    assert host.paths() == ["/1.jpg"]


def test_a_file_that_was_spoilt_is_fetched_again(host: Host, run: Run, tmp_path: Path) -> None:
    """What is there with another MD5 is replaced, once the right one has come."""
    row = {"url": host.give("/a.jpg", photograph()), "name": "a", "sum": md5(photograph())}
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(photograph()[:100])
    assert said(run(row, md5="sum")) == [("fetched", "")]
    assert (tmp_path / "images" / "a.jpg").read_bytes() == photograph()


@pytest.mark.parametrize(
    "name",
    [
        "../a",
        "/etc/a",
        "a/../../b",
        "a//b",
        "./a",
        "..\\a",
        "C:a",
        "a\0b",
        "a\nb",
        "x" * 300,
        "",
        "~/../a",
        'a"b',
        "a*",
    ],
)
def test_no_file_leaves_the_folder(host: Host, run: Run, tmp_path: Path, name: str) -> None:
    """Whatever the metadata say, nothing is asked for that would be written elsewhere."""
    (found,) = run({"url": host.give("/a.jpg", photograph()), "name": name}, to="{name}.jpg")
    assert found.outcome == "failed"
    assert found.reason.startswith("its file")
    assert (host.asked, files(tmp_path)) == ([], ["fetch.csv"])


@pytest.mark.parametrize("name", ["metadata.csv", "run.sh", ".bashrc", "a", ".jpg"])
def test_only_images_are_written(host: Host, run: Run, name: str) -> None:
    """Neither the metadata nor anything that a shell reads can be a target."""
    (found,) = run({"url": host.give("/a.jpg", photograph()), "name": name}, to="{name}")
    assert (found.outcome, host.asked) == ("failed", [])


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("file:///etc/hostname", "leads to what is no http or https address"),
        ("ftp://127.0.0.1/a.jpg", "leads to what is no http or https address"),
        ("/a.jpg", "too many redirects"),
    ],
)
def test_redirects_have_bounds(host: Host, run: Run, location: str, reason: str) -> None:
    """No redirect leads to a file of this machine, to another protocol or round and round."""
    assert said(run(host.give("/a.jpg", (302, {"Location": location}, b"")))) == [("failed", reason)]


def test_a_redirect_is_followed(host: Host, run: Run) -> None:
    """An image that has moved is fetched from where it is now."""
    host.give("/new.jpg", photograph())
    assert said(run(host.give("/a.jpg", (301, {"Location": "/new.jpg"}, b"")))) == [("fetched", "")]


@pytest.mark.parametrize("said_before", [True, False])
def test_what_is_too_large_is_not_read(
    host: Host, run: Run, monkeypatch: pytest.MonkeyPatch, said_before: bool, tmp_path: Path
) -> None:
    """A file over the limit is given up, by what the host says of it or else by what comes."""
    monkeypatch.setattr(download, "LARGEST", 1 << 20)
    headers = {} if said_before else {"Connection": "close", "Content-Length": ""}
    address = host.give("/a.jpg", (200, headers, photograph().ljust((1 << 20) + 1, b"\0")))
    assert said(run(address)) == [("failed", "more than 1 MiB")]
    assert files(tmp_path) == ["fetch.csv"]


def test_a_transfer_that_breaks_off_is_tried_again(host: Host, run: Run) -> None:
    """Fewer bytes than were promised are not an image."""
    half = (200, {"Content-Length": "9999", "Connection": "close"}, photograph()[:300])
    assert said(run(host.give("/a.jpg", half, photograph()))) == [("fetched", "")]


def test_a_host_is_asked_no_faster_than_the_manifest_says(host: Host, run: Run) -> None:
    """Requests to one host are a tenth of a second apart, whatever the number of threads."""
    run(*(host.give(f"/{number}.jpg", photograph()) for number in range(6)), requests_per_second=10.0)
    times = sorted(time for _, time in host.asked)
    assert times[-1] - times[0] >= 0.3  # half a second, less what a busy machine is late with the first


def test_a_host_that_fails_always_is_given_up(host: Host, run: Run) -> None:
    """After twenty addresses in a row the rest is not asked for."""
    found = run(*(host.give(f"/{number}.jpg", 500) for number in range(60)), max_attempts=1)
    assert {one.outcome for one in found} == {"failed"}
    assert 20 <= len(host.asked) < 40


@pytest.mark.parametrize(
    ("address", "outcome"),
    [("", "dead link"), (None, "dead link"), (float("nan"), "dead link"), ("a.jpg", "failed"), ("file:///a", "failed"),
     ("http://", "failed"), ("http://[", "failed"), ("javascript:1", "failed"), ("http://a\nb/", "failed")],
)  # fmt: skip
def test_what_is_no_address_is_not_asked_for(run: Run, address: object, outcome: str) -> None:
    """An empty cell is a dead link; anything that is not of the web has failed."""
    (found,) = run({"url": address, "name": "a"})
    assert found.outcome == outcome


def test_a_prefix_goes_before_the_column(host: Host, run: Run, tmp_path: Path) -> None:
    """Paths in a bucket become addresses, several a row, and empty ones are skipped."""
    for number in (1, 2):
        host.give(f"/bucket/data/{number}.png", photograph(number))
    rows = [{"one": "data/1.png", "two": "data/2.png"}, {"one": "", "two": None}]
    found = run(*rows, url=["one", "two"], to=["{one}", "{two}"], prefix=f"{host.address}/bucket/")
    assert [one.outcome for one in found] == ["fetched", "fetched"]
    assert files(tmp_path) == ["data/1.png", "data/2.png", "fetch.csv"]


def test_two_addresses_of_one_file_are_a_fault(host: Host, run: Run) -> None:
    """The first has it; the second is reported, and the same row twice is one address."""
    rows = [{"url": host.give(f"/{number}.jpg", photograph()), "name": "a"} for number in range(2)]
    found = run(*rows, rows[0])
    assert said(found) == [("fetched", ""), ("failed", "another address has the same file")]


def test_the_report_has_a_line_an_address(host: Host, run: Run, tmp_path: Path) -> None:
    """In the order of the rows, and no cell is a formula to a spreadsheet."""
    rows = [{"url": "=1+1", "name": "b"}, {"url": host.give("/a.jpg", photograph()), "name": "-a"}]
    run(*rows, to="{name}.jpg")
    assert report(tmp_path) == [
        ["address", "file", "outcome", "reason"],
        ["'=1+1", "b.jpg", "failed", "no http or https address"],
        [f"{host.address}/a.jpg", "'-a.jpg", "fetched", ""],
    ]


def test_stopping_keeps_what_is_there_and_says_what_is_not(host: Host, run: Run, tmp_path: Path) -> None:
    """Once asked to stop, no more is asked for; the report knows what was not tried, and the same call goes on."""
    rows = [host.give(f"/{number}.jpg", photograph(number)) for number in range(40)]
    with pytest.raises(StoppedError, match="of 40 addresses done; the same command goes on"):
        run(*rows, stop=lambda: len(host.asked) >= 5, requests_per_second=50.0)
    outcomes = [line[2] for line in report(tmp_path)[1:]]
    assert len(outcomes) == 40
    assert set(outcomes) <= {"fetched", "not tried"}
    there = [name for name in files(tmp_path) if name.startswith("images/")]
    assert outcomes.count("fetched") == len(there) < 20
    assert {one.outcome for one in run(*rows)} == {"fetched", "there already"}


def test_whoever_stops_reading_still_gets_a_report(host: Host, tmp_path: Path) -> None:
    """A reader that breaks off in the middle leaves whole files and a report of all addresses."""
    rows = [{"url": host.give(f"/{n}.jpg", photograph(n)), "name": n} for n in range(30)]
    settings = Fetch(url="url", to="{name}.jpg", requests_per_second=50.0)
    outcomes = fetch.fetch(rows, settings, tmp_path)
    assert next(outcomes).outcome == "fetched"
    outcomes.close()  # type: ignore[attr-defined]
    assert len(report(tmp_path)) == 31
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("proxy", ["nonsense://me:secret@127.0.0.1", "socks9://me:secret@127.0.0.1"])
def test_a_proxy_that_can_not_be_used_is_not_shown(monkeypatch: pytest.MonkeyPatch, run: Run, proxy: str) -> None:
    """The fault names the variables, and nothing of what is in them."""
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(UnavailableError, match="HTTP_PROXY") as caught:
        run("http://127.0.0.1/a.jpg")
    assert "secret" not in str(caught.value)


def test_a_proxy_that_does_not_answer_is_not_shown(monkeypatch: pytest.MonkeyPatch, run: Run, host: Host) -> None:
    """The reason in the report has nothing of the proxy's address."""
    monkeypatch.setenv("HTTP_PROXY", host.address.replace("//", "//me:secret@"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    (found,) = run("http://example.invalid/a.jpg")
    assert found == ("http://example.invalid/a.jpg", "images/0.jpg", "dead link", "the host answers 404")


def test_we_say_who_we_are(host: Host, run: Run) -> None:
    """The user agent is ours, or the manifest's."""
    address = host.give("/a.jpg", photograph())
    run(address)
    run({"url": address, "name": "b"}, user_agent="study (me@example.org)")
    assert {agent.partition("/")[0] for agent in host.agents} == {"synthgen", "study (me@example.org)"}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"to": "image.jpg"}, "names no column"),
        ({"to": ["{a}.jpg", "{b}.jpg"]}, "give one file for each"),
        ({"prefix": "file:///data/"}, "must begin with https"),
        ({"requests_per_second": 0.0}, "greater than 0"),
        ({"max_attempts": 0}, "greater than or equal to 1"),
        ({"user_agent": "a\r\nCookie: b"}, "pattern"),
        ({"url": ["a", "b"], "to": ["{a}", "{b}"], "md5": "c"}, "leave it out"),
        ({"speed": 3}, "Extra inputs"),
    ],
)
def test_settings_that_can_not_be_meant_are_faults(changes: dict[str, Any], fault: str) -> None:
    """Each says what is wrong with it."""
    with pytest.raises(ValueError, match=fault):
        Fetch.model_validate({"url": "url", "to": "{md5hash}.jpg"} | changes)


@pytest.fixture
def drip() -> Iterator[str]:
    """The address of a host that sends a header every moment and never the last one."""
    ended = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self.request.sendall(b"HTTP/1.1 200 OK\r\n")
                while not ended.wait(0.02):
                    self.request.sendall(b"X: y\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        ended.set()
        server.shutdown()
        thread.join()


def test_a_host_that_drips_its_headers_is_given_up(
    drip: str, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for a file is that of its headers too, with which a client would wait for hours."""
    monkeypatch.setattr(download, "_LONGEST", 0.3)
    (found,) = run(drip, max_attempts=2)
    assert (found.outcome, found.reason) == ("failed", "not there after 0.3 s, 2 times")


def test_a_signal_does_not_wait_for_headers(drip: str, run: Callable[..., Any]) -> None:
    """All threads are at hosts that drip; asked to stop, it has stopped."""
    began = time.monotonic()
    with pytest.raises(StoppedError):
        run(*(f"{drip}{number}" for number in range(12)), stop=lambda: time.monotonic() - began > 0.5)
    assert time.monotonic() - began < 10


def test_a_redirect_to_this_machine_is_refused(host: Any, run: Callable[..., Any]) -> None:
    """A stranger's address leads to no service behind the walls of whoever fetches."""
    inside = host.give("/inside", photograph()).replace("127.0.0.1", "localhost")
    (found,) = run(host.give("/r", (302, {"Location": inside}, b"")))
    assert (found.outcome, found.reason) == ("failed", "leads to localhost, which is this machine or its network")
    assert host.paths() == ["/r"]
