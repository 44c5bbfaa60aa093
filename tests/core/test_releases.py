"""One release goes on with what another has begun, as long as both make the same bytes."""

import pytest

from synthgen import __version__
from synthgen.core import releases


def test_this_release_is_the_last_of_its_kind() -> None:
    """`__version__` is not raised without saying whose bytes it makes."""
    assert releases.SAME_BYTES[-1] == __version__


def test_releases_that_make_the_same_bytes_are_equal() -> None:
    """The first and the last; any other is equal to itself alone."""
    first, last = releases.SAME_BYTES[0], releases.SAME_BYTES[-1]
    assert releases.same_bytes(first, last)
    assert releases.same_bytes("9.9", "9.9")
    assert not releases.same_bytes("9.9", last)


def test_what_is_made_for_a_run_is_signed_as_the_run_is() -> None:
    """As long as its release made the same bytes; and by this release otherwise."""
    now = f"synthgen {__version__}"
    begun = f"synthgen {releases.SAME_BYTES[0]}"
    assert releases.signature(begun) == begun
    assert [releases.signature(other) for other in ("", "synthgen 9.9", "something else")] == [now] * 3


def test_another_kind_of_bytes_has_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that is not on the list is a kind of its own."""
    assert releases.generation() == releases.SAME_BYTES[0]
    monkeypatch.setattr(releases, "__version__", "9.9")
    assert releases.generation() == "9.9"
