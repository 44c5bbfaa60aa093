"""One address at a time: asked for, tried again where that may help, checked, and kept only when all is well."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import httpx2

from synthgen.core import atomic, backoff, digits
from synthgen.core.releases import __version__
from synthgen.errors import DamagedError, UnavailableError
from synthgen.plan.manifest.fetch import Fetch
from synthgen.real.fetch import errors
from synthgen.real.fetch.deadline import Deadlines, Request
from synthgen.real.fetch.errors import FetchError, GoneError, NoImageError, PassingError, RefusedError, WrongMD5Error
from synthgen.real.fetch.rate_limit import Pace
from synthgen.real.fetch.report import Fetched
from synthgen.real.fetch.targets import Target
from synthgen.vision.images import untrusted

LARGEST = 64 * 1024 * 1024
_LONGEST = 300.0  # seconds for one file and its headers, however slowly they drip


def polite_client(settings: Fetch) -> httpx2.Client:
    """A client that follows a few redirects and waits for nobody for long.

    Raises:
        UnavailableError: The environment names a proxy that can't be used.
    """
    try:
        return httpx2.Client(
            headers={"User-Agent": settings.user_agent or f"synthgen/{__version__}"},
            timeout=httpx2.Timeout(30.0, connect=10.0),
            follow_redirects=True,
            max_redirects=5,
        )
    except (ValueError, ImportError):  # their words would show a proxy's address, and its password
        raise UnavailableError(
            "the proxy of the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) can't be used; correct or unset it"
        ) from None


class Downloader:
    """Fetches targets into a folder; may be used by several threads."""

    def __init__(self, settings: Fetch, folder: Path, client: httpx2.Client, stop: Callable[[], bool]) -> None:
        self._settings, self._folder, self._client, self._stop = settings, folder, client, stop
        self._pace = Pace(settings.requests_per_second, stop)
        self._deadlines = Deadlines(_LONGEST, stop)

    def get(self, target: Target) -> Fetched:
        """Fetch a target, if its file is not there yet."""
        try:
            if self._there(target):
                return self._said(target, "there already")
            content = self._patiently(target)
            if content is None:
                return target.not_tried()
            self._keep(target, content)
        except FetchError as error:
            return self._said(target, error.outcome, str(error))
        return self._said(target, "fetched")

    def _patiently(self, target: Target) -> bytes | None:
        """The content, after as many attempts as it takes; ``None`` where we are to stop."""
        if self._pace.given_up(target.host):
            raise RefusedError(f"{target.host} failed too often in a row; run again later")
        attempt = 1
        while self._pace.wait(target.host):
            try:
                content = self._once(target.address)
            except PassingError as error:
                if attempt == self._settings.max_attempts:
                    self._pace.answered(target.host, well=False)
                    raise RefusedError(f"{error}, {attempt} times") from None
                self._pace.rest(target.host, error.wait)
                self._pace.pause(_backoff(attempt))
                attempt += 1
            else:
                self._pace.answered(target.host, well=True)
                return content
        return None

    def _once(self, address: str) -> bytes | None:
        """The content of an address; ``None`` where we are to stop in the middle of it."""
        with self._deadlines.request(_host(address)) as request:
            try:
                return self._received(address, request)
            except (PassingError, RefusedError):
                if self._stop():
                    return None
                if request.expired:
                    raise PassingError(f"not there after {_LONGEST:g} s") from None
                raise

    def _received(self, address: str, request: Request) -> bytes | None:
        extensions = {"trace": request.trace}
        with (
            errors.translate_errors(),
            self._client.stream("GET", address, extensions=extensions) as response,
        ):
            errors.check(response)
            if (digits.whole(response.headers.get("Content-Length", "")) or 0) > LARGEST:
                raise RefusedError(f"more than {LARGEST >> 20} MiB")
            content = bytearray()
            for piece in response.iter_bytes():
                content += piece
                if len(content) > LARGEST:
                    raise RefusedError(f"more than {LARGEST >> 20} MiB")
                if self._stop():
                    return None
            return bytes(content)

    def _there(self, target: Target) -> bool:
        if target.fault:
            raise RefusedError(target.fault) if target.address else GoneError(target.fault)
        path = self._folder / target.file
        if not path.is_file() or not path.stat().st_size:
            return False
        return not target.md5 or _md5(path.read_bytes()) == target.md5

    def _keep(self, target: Target, content: bytes) -> None:
        """Write the file, if it is an image and the one that was meant."""
        try:
            untrusted.open_photograph(content)
        except DamagedError as error:
            raise NoImageError(str(error).removeprefix("not an image: ")) from None
        if target.md5 and _md5(content) != target.md5:
            raise WrongMD5Error(f"it has {_md5(content)}")
        path = self._folder / target.file
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, content)

    @staticmethod
    def _said(target: Target, outcome: str, reason: str = "") -> Fetched:
        return Fetched(target.address, target.file, outcome, reason)


def _backoff(attempt: int) -> float:
    """Seconds before the next attempt: twice as long each time, and never the same for all."""
    longest = backoff.doubling(attempt)
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads requests, keeps no secret


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _host(address: str) -> str:
    """The host of an address; empty for none."""
    try:
        return httpx2.URL(address).host
    except (httpx2.InvalidURL, ValueError):
        return ""
