"""What goes wrong with a request, in a few words of our own: a client's words may name proxies and their passwords."""

import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import httpx2

from synthgen.core import backoff

_GONE = (404, 410)


class FetchError(Exception):
    """An address has come to an end, and ``outcome`` is the word for it."""

    outcome = "failed"


class RefusedError(FetchError):
    """Asking again would give the same answer, or has been done often enough."""


class GoneError(FetchError):
    """The address leads nowhere, and will not tomorrow."""

    outcome = "dead link"


class NoImageError(FetchError):
    """What is there is no image that can be opened."""

    outcome = "not an image"


class WrongMD5Error(FetchError):
    """What is there is another image than was meant."""

    outcome = "wrong md5"


class PassingError(Exception):
    """Asking again may help; after ``wait`` seconds where the host said so."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def check(response: httpx2.Response) -> None:
    """Raise unless an answer has the content that was asked for."""
    code = response.status_code
    if code in _GONE:
        raise GoneError(f"the host answers {code}")
    if code in backoff.PASSING_STATUS:
        wait = backoff.retry_after(response.headers.get("Retry-After", ""))
        if wait > backoff.LONGEST_ASKED:
            raise RefusedError(f"the host answers {code} and asks to wait {wait:,.0f} s; run again then")
        raise PassingError(f"the host answers {code}", wait)
    if code != 200:
        raise RefusedError(f"the host answers {code}")


@contextmanager
def translate_errors() -> Iterator[None]:
    """Tell faults that pass from those that stay."""
    try:
        yield
    except httpx2.TooManyRedirects:
        raise RefusedError("too many redirects") from None
    except httpx2.UnsupportedProtocol:
        raise RefusedError("leads to what is no http or https address") from None
    except httpx2.TimeoutException:
        raise PassingError("no answer in time") from None
    except httpx2.ConnectError as error:
        causes = list(_causes(error))
        if _unknown_host(causes):
            raise GoneError("no such host") from None
        for cause in causes:
            if isinstance(cause, ssl.SSLCertVerificationError):
                why = getattr(cause, "verify_message", "") or "it can't be verified"  # set by OpenSSL alone
                raise RefusedError(f"the host's certificate is not trusted: {why}") from None
            if isinstance(cause, ssl.SSLError):
                why = getattr(cause, "reason", "") or "its answer is none"
                raise PassingError(f"no TLS with the host: {why}") from None
        told = next((one.strerror for one in causes if isinstance(one, OSError) and one.strerror), "")
        raise PassingError(f"can't connect{f': {told.lower()}' if told else ''}") from None
    except httpx2.HTTPError as error:
        raise PassingError(f"broken transfer ({type(error).__name__})") from None
    except (httpx2.InvalidURL, ValueError):
        raise RefusedError("no valid address") from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came of, one after the other."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unknown_host(causes: Iterable[BaseException]) -> bool:
    """Whether the name service knows that there is no such host; one that fails to answer does not."""
    unknown = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
    found = next((one for one in causes if isinstance(one, socket.gaierror)), None)
    return found is not None and found.errno in unknown
