"""Samples that start from images come in an order that mixes their sources, and keep their keys whatever is added."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.errors import InputError
from synthgen.plan import Plan
from synthgen.plan.manifest import Weights
from synthgen.plan.ordering import ByCell, ByParent, BySource, weigh
from synthgen.plan.real_index import Index, Source
from synthgen.plan.real_pools import draw

IDS = st.lists(st.from_regex(r"[a-z0-9]{1,4}(-[a-z0-9]{1,3})?", fullmatch=True), min_size=1, max_size=30, unique=True)


def source(name: str, label: str = "acne", tone: int = 1) -> Source:
    """A real image of that id."""
    return Source(name, label, tone, group=name, split="train", license="", dataset="d", location=name, sha256=name)


@given(ids=IDS, per_source=st.integers(1, 12), seed=st.integers(0, 99))
def test_every_source_has_its_images_and_each_is_found(ids: list[str], per_source: int, seed: int) -> None:
    """So many places a source, every name once, and each is found by its name."""
    places = BySource([source(one) for one in ids], per_source, None, seed)
    names = [places[index].name for index in range(places.samples)]
    assert len(set(names)) == len(names) == len(ids) * per_source
    assert [places.find(name) for name in names] == list(range(len(names)))
    assert sum(places.cells.values()) == places.samples
    first = [places[index].source for index in range(len(ids))]
    assert len(set(map(id, first))) == len(ids)  # a round takes every source once


@given(ids=IDS, extra=st.integers(0, 29))
def test_another_source_shuffles_no_others(ids: list[str], extra: int) -> None:
    """Without one source, the others keep their order."""
    gone = ids[extra % len(ids)]
    whole = BySource([source(one) for one in ids], 1, None, 7)
    part = BySource([source(one) for one in ids if one != gone], 1, None, 7)
    names = [whole[index].name for index in range(whole.samples)]
    assert [part[index].name for index in range(part.samples)] == [one for one in names if one != f"{gone}-000"]


def test_a_name_that_no_place_has_is_not_found() -> None:
    """Other sources, numbers and spellings are nothing."""
    places = BySource([source("a-1")], 2, None, 0)
    for name in ("a-1-002", "a-1-0000", "a-1", "a-000", "b-1-000", "", "a-1-00"):
        assert places.find(name) is None


def test_a_target_label_counts_as_the_label() -> None:
    """Turned into another label, every image counts as that one; its tone stays."""
    places = BySource([source("a", "acne", 1), source("b", "eczema", 5)], 2, "melanoma", 0)
    assert places.cells == {("melanoma", 1): 2, ("melanoma", 5): 2}


def test_a_child_comes_in_its_parents_order() -> None:
    """Place by place, a child names the image that it starts from."""
    parent = ByCell(weigh(["acne", "eczema"], [1, 5], 7, Weights()))
    child = ByParent("text", parent, "digest", None)
    assert child.samples == 7
    assert [child[index].parent for index in range(7)] == [f"text-{parent[index].name}" for index in range(7)]
    assert child.cells == parent.cells


def plan_of(make_plan: Any, *ids: str, names: tuple[str, ...] = ("fake",), **more: Any) -> Plan:
    """A plan of entries that start from real images of those ids, or from the entry before after a ``>``."""
    entries = [{"name": name, "strategy": "fake", "per_source": 2} | more for name in names]
    for before, entry in itertools.pairwise(entries):
        if entry["name"].startswith(">"):
            entry |= {"name": entry["name"][1:], "from": before["name"], "per_source": None}
    read = make_plan(labels={"acne": "acne"}).manifest
    document = read.document.model_dump(exclude_unset=True) | {"real": {"source": "phantom", "count": 1, "seed": 1}}
    import yaml

    from synthgen.extensions import EXTENSIONS
    from synthgen.plan import manifest

    text = yaml.safe_dump(document | {"generate": entries})
    parsed = manifest.parse(text, EXTENSIONS, base=read.base, where="m.yaml")
    return Plan(parsed, Index(tuple(source(one) for one in sorted(ids))))


def test_an_entry_without_any_real_image_is_refused(make_plan: Any) -> None:
    """Nothing in the training split is said, before anything is made."""
    with pytest.raises(InputError, match=r"^entry `fake`: `real:`"):
        plan_of(make_plan)


def test_two_entries_that_make_one_key_are_refused(make_plan: Any) -> None:
    """A source's id that turns one entry's key into another's is said, with the key."""
    assert plan_of(make_plan, "x", "y", names=("a", "a-b")).samples == 8
    for names in (("a", "a-b"), ("c", ">a", "a-b")):
        with pytest.raises(InputError, match="`a-b-x-000`"):
            plan_of(make_plan, "x", "b-x", names=names)


def test_a_digest_depends_on_the_sources_and_not_on_where_they_lie(make_plan: Any) -> None:
    """Another image's bytes are another plan; another folder is not."""
    one, other = (plan_of(make_plan, "x", name) for name in ("y", "z"))
    assert one.digest != other.digest
    assert plan_of(make_plan, "x", "y").digest == one.digest


def test_a_pool_is_what_a_studys_draws_have(make_plan: Any) -> None:
    """With `source_pool` an entry starts from the images of the first draws, and from no other."""
    ids = [f"x{number:02d}" for number in range(40)]
    drawn = [draw([source(one) for one in ids], ["acne"], 7, number).first(3) for number in range(2)]
    planned = plan_of(make_plan, *ids, source_pool={"n": 3, "draws": 2})
    started = {sample.source.id for sample in planned.entries["fake"] if sample.source}
    assert started == set(drawn[0]) | set(drawn[1])
    assert len(started) > 3
