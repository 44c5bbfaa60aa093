"""What is made beyond a plan goes on where it ends, and changes nothing of it."""

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.errors import InputError
from synthgen.plan import EntryPlan, Plan, top_ups
from synthgen.plan.ordering import ByCell, ByParent, BySource, Ordering, extended, rounds_of
from synthgen.plan.real_index import Source

MakePlan = Callable[..., Plan]
ROUNDS: tuple[top_ups.Round, ...] = (
    {"fake": {("psoriasis", 3): 3, ("healthy", 6): 1}},
    {"fake": {("psoriasis", 3): 2}},
)


def names(places: Ordering) -> list[str]:
    return [places[index].name for index in range(places.samples)]


def sources(*tones: int) -> list[Source]:
    made = []
    for number, tone in enumerate(tones):
        given: dict[str, Any] = dict.fromkeys((field for field in Source.__dataclass_fields__), "")
        made.append(Source(**{**given, "id": f"s{number}", "label": "acne", "tone": tone, "split": "train"}))
    return made


def test_numbers_of_a_cell_go_on(make_plan: MakePlan) -> None:
    """Every round takes the next numbers of exactly the cells that it names, and no key comes twice."""
    plan = Plan(make_plan().manifest, None, ROUNDS)
    keys = [sample.key for number in range(plan.shards) for sample in plan.entries["fake"].shard(number)]
    assert keys[:24] == [plan.entries["fake"].sample(index).key for index in range(24)]
    assert keys[24:] == [
        "fake-psoriasis-3-0000004", "fake-healthy-6-0000004", "fake-psoriasis-3-0000005", "fake-psoriasis-3-0000006",
        "fake-psoriasis-3-0000007", "fake-psoriasis-3-0000008",
    ]  # fmt: skip
    assert len(set(keys)) == len(keys) == plan.samples == 30


def test_a_plan_that_is_topped_up_is_the_same_plan(make_plan: MakePlan) -> None:
    """Digests, and every planned sample in its shard, are what they were; more shards come after."""
    plan, more = make_plan(), Plan(make_plan().manifest, None, ROUNDS)
    before, after = plan.entries["fake"], more.entries["fake"]
    assert (after.digest, more.digest) == (before.digest, plan.digest)
    assert [after.shard(number) for number in range(before.shards)] == [before.shard(n) for n in range(before.shards)]
    assert (before.shards, after.shards) == (5, 7)
    assert {(cell.label, cell.tone): cell.count for cell in after.cells}["psoriasis", 3] == 9


def check(entry: EntryPlan) -> None:
    """Each sample is found by its key, in its own shard."""
    for number in range(entry.shards):
        for sample in entry.shard(number):
            assert entry.find(sample.key) == sample.index
            assert entry.shard_of(sample.index) == number


def test_every_sample_is_found(make_plan: MakePlan) -> None:
    """By key and by index, of an entry and of one that starts from its images; the next number is not."""
    child = {"name": "again", "strategy": "fake", "from": "fake"}
    entry = {"strategy": "fake", "per_cell": 4}
    plan = Plan(make_plan(generate=[entry, child]).manifest, None, ROUNDS)
    check(plan.entries["fake"])
    check(plan.entries["again"])
    assert plan.entries["again"].samples == 30
    assert [sample.parent for sample in plan.entries["again"].shard(6)] == [
        sample.key for sample in plan.entries["fake"].shard(6)
    ]
    assert plan.find("fake-psoriasis-3-0000009") is None
    assert plan.find("fake-psoriasis-1-0000004") is None


def test_real_images_take_turns(make_plan: MakePlan) -> None:
    """More images of a cell start from its sources one after the other, each with its own next number."""
    whole = BySource(sources(1, 1, 6), 2, None, 7)
    places = extended(whole, rounds_of(whole, [{("acne", 1): 3}, {("acne", 1): 1, ("acne", 6): 1}]))
    added = names(places)[6:]
    assert Counter(name[:2] for name in added[:3]).most_common()[0][1] == 2
    assert sorted(added) == ["s0-002", "s0-003", "s1-002", "s1-003", "s2-002"]
    assert [places.find(name) for name in names(places)] == list(range(11))
    assert places.find("s2-003") is None


def test_a_label_s_part_keeps_its_names() -> None:
    """Cut by label, as one adapter a label asks for, no name is lost or changed."""
    whole = ByCell(dict.fromkeys(itertools.product(("acne", "wart"), (1, 6)), 2))
    places = extended(whole, rounds_of(whole, [{("acne", 1): 2, ("wart", 6): 1}]))
    parts = [name for label in ("acne", "wart") for name in names(places.part(label))]
    assert sorted(parts) == sorted(names(places))
    child = ByParent("p", places, "d", None)
    assert child.sizes == places.sizes == [8, 3]
    assert [part.samples for part in places.parts] == [8, 3]


def test_rounds_are_kept_in_the_run(tmp_path: Path) -> None:
    """What is added is read back, in order."""
    assert top_ups.read(tmp_path) == ()
    for number, one in enumerate(ROUNDS):
        top_ups.add(tmp_path, one, ROUNDS[:number])
    assert top_ups.read(tmp_path) == ROUNDS
    assert top_ups.parse(top_ups.plain(ROUNDS)) == ROUNDS
    top_ups.add(tmp_path, ROUNDS[1], ROUNDS[:1])  # of a process that comes too late
    assert top_ups.read(tmp_path) == ROUNDS


@pytest.mark.parametrize(
    "text", ["", "[]", '{"format": 2, "rounds": []}', '{"format": 1, "rounds": [{"a": [["b", 1, -1]]}]}']
)
def test_a_file_that_is_not_ours_is_refused(text: str, tmp_path: Path) -> None:
    """Half a file, or another format, is one line that names it."""
    (tmp_path / top_ups.FILE).write_text(text)
    with pytest.raises(InputError, match=r"top_up\.json: not a run's file"):
        top_ups.read(tmp_path)
