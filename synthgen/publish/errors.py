"""Turns what the Hub's client raises into one line that says what happened and what to do."""

import json
import re

from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

from synthgen.core import backoff, hub
from synthgen.errors import SynthgenError
from synthgen.publish import secrets

NO_LOGIN = "not logged in to the Hub; run `hf auth login`, or set HF_TOKEN to a token with write access"
OFFLINE = "HF_HUB_OFFLINE is set, so nothing can be published; unset it"
AGAIN = "run the same command again: only what is missing is sent"
HTTP_ERROR: type[Exception] = hub.http_error()

# RuntimeError: the client's word for "an upload failed", and Xet's; ValueError: a malformed or refusing answer.
CAUGHT: tuple[type[Exception], ...] = (HTTP_ERROR, OSError, RuntimeError, ValueError, SynthgenError)
_QUOTA = re.compile(r"quota|storage|limit|exceed|billing|plan\b", re.IGNORECASE)

_ADVICE = {
    401: "it does not accept the login: `hf auth login` again, or set HF_TOKEN to a token with write access",
    403: "use a token that may write to this repository, or another --repo",
    404: "check --repo and --revision, and that your token may see it",
    409: "someone else changed the repository meanwhile; look at it, then run again",
    412: "someone else changed the repository meanwhile; look at it, then run again",
    429: f"it limits the rate: wait a while, then {AGAIN}",
}


def root(error: BaseException) -> BaseException:
    """The error that an upload's wrapper was raised from."""
    while not isinstance(error, (HTTP_ERROR, SynthgenError)) and error.__cause__ is not None:
        error = error.__cause__
    return error


def status(error: BaseException) -> int | None:
    """The HTTP status of an error; ``None`` where no answer came."""
    error = root(error)
    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def is_passing(error: BaseException) -> bool:
    """Whether it may be gone in a while: a rate limit, a server's trouble or a lost connection."""
    found = root(error)
    if isinstance(found, HfHubHTTPError):
        return found.response.status_code in backoff.PASSING_STATUS
    if isinstance(found, (OfflineModeIsEnabled, LocalTokenNotFoundError)):
        return False
    return isinstance(found, (HTTP_ERROR, json.JSONDecodeError))  # an answer that is no JSON is a proxy's or a crash's


def asked_wait(error: BaseException) -> float:
    """How many seconds the Hub asked to wait, by ``Retry-After``; 0 where it did not."""
    found = root(error)
    if not isinstance(found, HfHubHTTPError):
        return 0.0
    return backoff.retry_after(found.response.headers.get("Retry-After", ""))


def fault(error: BaseException, doing: str, token: str | None = None) -> SynthgenError:
    """One line for an error that ends the publishing; no secret is in it.

    Args:
        error: What was raised.
        doing: What was tried, as in ``could not DOING``.
        token: The token in use, taken out wherever it shows.
    """
    found = root(error)
    if isinstance(found, SynthgenError):
        return found
    if isinstance(found, OfflineModeIsEnabled):
        return SynthgenError(OFFLINE)
    if isinstance(found, LocalTokenNotFoundError):
        return SynthgenError(NO_LOGIN)
    if isinstance(found, HfHubHTTPError):
        text = _answered(found, doing)
    elif isinstance(found, HTTP_ERROR):
        text = f"could not {doing}: the Hub can't be reached or hung up ({found or type(found).__name__}); {AGAIN}"
    else:
        text = f"could not {doing}: {type(found).__name__}: {found}; {AGAIN}"
    return SynthgenError(secrets.scrub(text, token))


def _answered(error: HfHubHTTPError, doing: str) -> str:
    code = error.response.status_code
    said = f": {error.server_message}" if error.server_message else ""
    if code in (402, 403, 413) and _QUOTA.search(said):
        advice = f"make room or raise the limit there, then {AGAIN}"
    else:
        advice = _ADVICE.get(code, AGAIN)
    return f"could not {doing}: the Hub answers {code}{said}; {advice}"
