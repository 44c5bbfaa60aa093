"""Large pictures wait for one another, small ones do not."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from synthgen.errors import DamagedError
from synthgen.vision.images import untrusted
from synthgen.vision.images.in_flight import Room


@pytest.mark.parametrize(("count", "most"), [(10, 10), (6, 6), (5, 10), (3, 9), (25, 25), (1, 10)])
def test_all_together_are_no_more_than_there_is_room_for(count: int, most: int) -> None:
    """Whatever they ask for; one that is larger than all the room has it alone."""
    room, lock, used, peak = Room(10), threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal used, peak
        with room.held(count):
            with lock:
                used += count
                peak = max(peak, used)
            time.sleep(0.002)
            with lock:
                used -= count

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(24)))
    assert count <= peak <= most
    assert used == 0


def test_what_can_not_be_decoded_gives_its_room_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged picture holds up no other."""
    room = Room(1)
    monkeypatch.setattr(untrusted, "_ROOM", room)
    content = b"BM" + bytes(60)
    for _ in range(2):
        with pytest.raises(DamagedError):
            untrusted.open_photograph(content)
    with room.held(1):
        pass
