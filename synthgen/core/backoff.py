"""When to ask a host again, and after how long.

Not tenacity's or stamina's loop: fetching waits host by host in many threads and may be told to stop, publishing tries
again what its client does not; what they share is this.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from synthgen.core import digits

PASSING_STATUS = (408, 425, 429, 500, 502, 503, 504)
"""The HTTP statuses that may be gone in a while: a rate limit or a server's trouble."""
LONGEST_ASKED = 300.0
"""The longest wait in seconds that a host may ask for; asked for more, we end and say so."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds before the second attempt, and before any."""


def retry_after(header: str) -> float:
    """The seconds to wait by a ``Retry-After`` header, which is a number or a date; 0 for anything else."""
    asked = header.strip()
    if (seconds := digits.whole(asked)) is not None:
        return float(seconds)
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a time zone
        return 0.0


def doubling(attempt: int) -> float:
    """The seconds to wait after the attempt of that number, 1 the first: twice as long each time."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1))
