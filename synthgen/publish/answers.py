"""Bounds of what the Hub, or whatever answers in its place, may answer: how large, how long, how silent.

huggingface_hub's client waits for ever and reads whatever comes: each call of ours asks for a few megabytes of JSON at
most, so what is far beyond them is no answer. Bytes that are sent have no bound here.
"""

import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from synthgen.core import hub
from synthgen.errors import SynthgenError

_Stream: Any = import_module(hub.http_error().__module__.partition(".")[0]).SyncByteStream  # httpx or httpx2

LARGEST = 256 << 20
"""Bytes of an answer; a listing of a million files has fewer."""
LONGEST = 300.0
"""Seconds from the head of an answer to its end, and of silence before it."""
_DEFLATED = 1032  # a byte of deflate becomes at most so many


class Bounded(_Stream):  # type: ignore[misc] # whichever of the two it is
    """The bytes of an answer, up to a size and a time.

    Args:
        stream: The answer's own.
        largest: How many bytes there may be.
        longest: How many seconds they may take, from now.
    """

    def __init__(self, stream: Any, largest: int, longest: float) -> None:
        self._stream, self._largest, self._longest = stream, largest, longest
        self._end = time.monotonic() + longest

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > self._largest:
                raise _refusal(f"is over {self._largest:,} bytes")
            if time.monotonic() > self._end:
                raise _refusal(f"takes more than {self._longest:g} s")
            yield chunk

    def close(self) -> None:
        """Let go of the connection."""
        self._stream.close()


def bound(response: Any, largest: int, longest: float) -> None:
    """Bound an answer whose head has come, before its bytes are read.

    Args:
        response: The client's response, not yet read.
        largest: How many bytes it may have, also once they are decompressed.
        longest: How many seconds they may take.
    """
    encoded = response.headers.get("Content-Encoding", "identity") not in ("", "identity")
    response.stream = Bounded(response.stream, largest // _DEFLATED if encoded else largest, longest)


def prepare(request: Any, longest: float) -> None:
    """Let a request wait for its answer for so many seconds and not for ever, and ask for it uncompressed."""
    request.headers["Accept-Encoding"] = "identity"
    waits = request.extensions.setdefault("timeout", {})
    for key in ("connect", "read", "pool"):
        waits[key] = min(waits.get(key) or longest, longest)


def _refusal(why: str) -> SynthgenError:
    return SynthgenError(f"the Hub's answer {why}, as none of the Hub is; is HF_ENDPOINT right?")
