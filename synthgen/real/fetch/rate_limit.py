"""How fast each host is asked, whatever the number of threads, and which hosts are given up."""

import threading
import time
from collections import Counter
from collections.abc import Callable

_NAP = 0.1
_GIVEN_UP_AFTER = 20


class Pace:
    """Lets one request through to a host at a time, so far apart as it should be."""

    def __init__(self, requests_per_second: float, stop: Callable[[], bool]) -> None:
        self._gap, self._stop = 1 / requests_per_second, stop
        self._lock = threading.Lock()
        self._free: dict[str, float] = {}
        self._failures: Counter[str] = Counter()

    def wait(self, host: str) -> bool:
        """Wait until a host may be asked; false where we are to stop."""
        while not self._stop():
            with self._lock:
                now = time.monotonic()
                at = self._free.get(host, now)
                if at <= now:
                    self._free[host] = now + self._gap
                    return True
            time.sleep(min(at - now, _NAP))
        return False

    def rest(self, host: str, seconds: float) -> None:
        """Leave a host alone for a while, as it asked."""
        with self._lock:
            self._free[host] = max(self._free.get(host, 0.0), time.monotonic() + seconds)

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than until we are to stop."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stop():
            time.sleep(min(left, _NAP))

    def answered(self, host: str, well: bool) -> None:
        """Count how many addresses in a row a host has failed for good."""
        with self._lock:
            self._failures[host] = 0 if well else self._failures[host] + 1

    def given_up(self, host: str) -> bool:
        """Whether a host has failed so often in a row that asking on would be neither polite nor of use."""
        return self._failures[host] >= _GIVEN_UP_AFTER
