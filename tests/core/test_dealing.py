"""Items are handed out so that a deadly one costs itself alone."""

import pytest

from synthgen.core.dealing import Deal
from synthgen.errors import LostWorkError


def test_what_lay_beside_a_deadly_item_is_done() -> None:
    """All that a dead worker held is tried again alone; the deadly one is given up after three deaths, and named."""
    deal = Deal(["a", "b", "deadly", "c"], workers=2)
    done = list[str]()
    for worker in range(20):
        while True:
            held = list[str]()
            while found := deal.take(worker):  # reads ahead as far as it may
                held += found
            if not held or "deadly" in held:
                break
            for item in held:
                deal.done(worker, item)
                done.append(item)
        if not held:
            break
        deal.died(worker, f"death of {worker}")
    assert sorted(done) == ["a", "b", "c"]
    assert deal.lost == {"deadly": "death of 2"}
    assert deal.over
    with pytest.raises(LostWorkError, match=r"deadly: given up after 3 workers.*death of 2") as caught:
        deal.check()
    assert caught.value.items == ("deadly",)


def test_a_suspect_goes_to_whoever_holds_nothing() -> None:
    """A worker in the middle of its work gets what nobody died at; one that begins gets the suspect, and that alone."""
    deal = Deal([1, 2, 3, 4], workers=2)
    assert (deal.take("a"), deal.take("b")) == ([1], [2])
    assert deal.died("b", "") == [2]
    assert deal.take("a") == [3]
    assert (deal.take("c"), deal.take("c")) == ([2], [])
    assert deal.take("a") == [4]
    assert (deal.take("a"), deal.left, deal.over) == ([], False, False)


def test_workers_that_all_die_end_the_work() -> None:
    """Where nothing gets done, a long list of items is not tried to its end; what is left is said."""
    deal, deaths = Deal(range(1000), workers=1), list[int]()

    def die_all() -> None:
        for worker in range(1000):
            deal.take(worker)
            deaths.append(worker)
            deal.died(worker, "no memory")

    with pytest.raises(LostWorkError, match=r"nothing got done.*no memory") as caught:
        die_all()
    assert len(deaths) < 10
    assert len(caught.value.items) == 1000
