"""When a host is asked again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from synthgen.core.backoff import doubling, retry_after


def test_waits_double_up_to_the_longest() -> None:
    """One second first."""
    assert [doubling(attempt) for attempt in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(("header", "wait"), [("7", 7), (" 120 ", 120), ("", 0), ("soon", 0), ("-3", 0), ("1.5", 0)])
def test_a_number_of_seconds(header: str, wait: float) -> None:
    """Whole seconds count; anything that is neither that nor a date is no wait."""
    assert retry_after(header) == wait


def test_a_date() -> None:
    """A date to come is waited for, a past one is not."""
    now = datetime.now(UTC)
    assert 90 < retry_after(format_datetime(now + timedelta(seconds=100), usegmt=True)) <= 100
    assert retry_after(format_datetime(now - timedelta(seconds=100), usegmt=True)) == 0
    assert retry_after("Fri, 31 Dec 9999 23:59:59") == 0  # no time zone
