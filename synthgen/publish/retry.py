"""Tries again where waiting helps, with back-off and within bounds.

huggingface_hub tries uploads, listings and the LFS protocol again by itself (``http_backoff``: five times on 408, 429,
5xx and lost connections, waiting as long as ``Retry-After`` asks), but no other call. :meth:`Patience.call` is for
those, and :meth:`Patience.bounded` keeps the client's own waits from lasting for hours.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from huggingface_hub import get_session

from synthgen.core import backoff
from synthgen.errors import SynthgenError
from synthgen.publish import answers, errors

Result = TypeVar("Result")
# What the client raises of an answer that has another shape than the Hub's have; its calls do nothing else here.
_ODD = (LookupError, TypeError, AttributeError)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try again, and how long to wait.

    Attributes:
        waits: Seconds before each further try, where the Hub asks for no longer wait.
        longest: The longest wait in seconds that the Hub may ask for; asked for more, publishing ends and says so.
        token: Taken out of messages.
        largest: How many bytes an answer may have.
        within: How many seconds an answer may take, and may let wait for itself.
    """

    waits: tuple[float, ...] = tuple(backoff.doubling(attempt) for attempt in range(1, 6))
    longest: float = backoff.LONGEST_ASKED
    token: str | None = None
    largest: int = answers.LARGEST
    within: float = answers.LONGEST

    def call(self, doing: str, function: Callable[[], Result]) -> Result:
        """Call a function that may be called twice, again where that may help.

        Raises:
            SynthgenError: It failed for good; ``doing`` says what.
        """
        tries = 0
        while True:
            try:
                return function()
            except errors.CAUGHT as error:
                tries = self.pause(tries, error, doing)
            except _ODD as error:
                raise _not_an_answer(doing, error) from error

    def once(self, doing: str, function: Callable[[], Result]) -> Result:
        """Call a function that the client tries again by itself.

        Raises:
            SynthgenError: It failed for good; ``doing`` says what.
        """
        try:
            return function()
        except errors.CAUGHT as error:
            raise errors.fault(error, doing, self.token) from None
        except _ODD as error:
            raise _not_an_answer(doing, error) from error

    def pause(self, tries: int, error: Exception, doing: str) -> int:
        """Wait before the next try; returns the number of tries with it.

        Raises:
            SynthgenError: No further try makes sense.
        """
        if tries >= len(self.waits) or not errors.is_passing(error):
            raise errors.fault(error, doing, self.token) from None
        wait = max(self.waits[tries], errors.asked_wait(error))
        self._refuse_long(wait)
        _log.info("could not %s (%s); trying again in %g s", doing, errors.status(error) or "no answer", wait)
        time.sleep(wait)
        return tries + 1

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """End where the Hub asks the client's own retries for more than ``longest``, or an answer has no end."""

        def prepare(request: Any) -> None:
            answers.prepare(request, self.within)

        def hook(response: Any) -> None:
            asked = backoff.retry_after(response.headers.get("Retry-After", ""))
            if response.status_code >= 400 and asked:
                self._refuse_long(asked)
                _log.warning("the Hub answers %d and asks to wait %.0f s; waiting", response.status_code, asked)
            answers.bound(response, self.largest, self.within)

        hooks = get_session().event_hooks
        hooks["request"].append(prepare)
        hooks["response"].append(hook)
        try:
            yield
        finally:
            hooks["request"].remove(prepare)
            hooks["response"].remove(hook)

    def _refuse_long(self, wait: float) -> None:
        if wait > self.longest:
            raise SynthgenError(f"the Hub asks to wait {wait:,.0f} s before the next request; then {errors.AGAIN}")


def _not_an_answer(doing: str, error: Exception) -> SynthgenError:
    what = f"what answers is not what the Hub answers ({type(error).__name__})"
    return SynthgenError(f"could not {doing}: {what}; is HF_ENDPOINT right?")
