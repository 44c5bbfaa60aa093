"""A plan is a pure function of its manifest, costs the same at any size, and grows without repainting."""

import copy
import itertools
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgen.plan import EntryPlan, Plan, ShardRef, skin_tones
from synthgen.plan.ordering import apportion
from synthgen.plan.seeding import seed_of

MakePlan = Callable[..., Plan]
WORDS = {"acne": "acne", "eczema": "eczema", "lupus": "lupus", "acne-1": "acne one", "healthy": "healthy skin"}
PROMPTS = "templates: ['{label} on {skin_tone}', '{skin_tone} skin, {label}, {site}']\nattributes: {site: [arm, leg]}\n"


def one_entry(labels: list[str], tones: list[int], shard_samples: int = 5, **counts: Any) -> dict[str, Any]:
    """What to change of the small manifest for a plan of one entry."""
    return {
        "labels": {label: WORDS[label] for label in labels},
        "skin_tones": {"scale": "fitzpatrick", "values": tones},
        "generate": [{"name": "e", "strategy": "fake", "settings": {"height": 32, "width": 32}} | counts],
        "output": {"image_format": "png", "shard_samples": shard_samples},
    }


@st.composite
def cells(draw: st.DrawFn) -> dict[str, Any]:
    """A few labels, tones, and either a count for each cell or a weighted total."""
    labels = draw(st.lists(st.sampled_from(list(WORDS)), min_size=1, max_size=4, unique=True))
    tones = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4, unique=True))
    weight = st.integers(1, 5).map(float) | st.floats(0.01, 10)
    weights = {
        "label": draw(st.dictionaries(st.sampled_from(labels), weight)),
        "skin_tone": draw(st.dictionaries(st.sampled_from(tones), weight | st.just(0.0), max_size=len(tones) - 1)),
    }
    counts = draw(
        st.builds(lambda n: {"per_cell": n}, st.integers(1, 12))
        | st.builds(lambda n: {"total": n, "weights": weights}, st.integers(1, 120))
    )
    return one_entry(labels, tones, draw(st.integers(1, 30)), **counts)


def entry_of(plan: Plan) -> EntryPlan:
    """The only entry of a plan."""
    [entry] = plan.entries.values()
    return entry


def rows(plan: Plan) -> dict[str, tuple[int, str, str]]:
    """What decides each image of a plan, by key."""
    return {one.key: (one.seed, one.prompt, one.negative_prompt) for entry in plan.entries.values() for one in entry}


@settings(max_examples=40)
@given(cells())
def test_keys_are_unique(make_plan: MakePlan, changes: dict[str, Any]) -> None:
    """No two samples have one key, and there are as many as the plan says."""
    plan = make_plan(PROMPTS, **changes)
    assert len(rows(plan)) == plan.samples == len(entry_of(plan))


@settings(max_examples=40)
@given(cells())
def test_counts_are_as_asked(make_plan: MakePlan, changes: dict[str, Any]) -> None:
    """Each cell has its count, or its share of the total by the weights."""
    [asked] = changes["generate"]
    places = list(itertools.product(changes["labels"], changes["skin_tones"]["values"]))
    weights = asked.get("weights", {"label": {}, "skin_tone": {}})
    shares = [weights["label"].get(label, 1.0) * weights["skin_tone"].get(tone, 1.0) for label, tone in places]
    total = asked.get("total", asked.get("per_cell", 0) * len(places))
    found = Counter((one.label, one.fitzpatrick) for one in entry_of(make_plan(PROMPTS, **changes)))
    assert [found[place] for place in places] == apportion(total, shares)


@pytest.mark.parametrize(
    ("total", "weights", "counts"),
    [
        (10, {}, [3, 3, 2, 2]),  # 2.5 each: ties go to the cells that are named first
        (10, {"label": {"acne": 4.0}}, [4, 4, 1, 1]),
        (7, {"label": {"acne": 2.0}, "skin_tone": {6: 0.0}}, [5, 0, 2, 0]),  # 14/3 and 7/3
    ],
)
def test_a_total_is_shared_out_by_weights(
    make_plan: MakePlan, total: int, weights: dict[str, Any], counts: list[int]
) -> None:
    """Of two labels on two tones each has its share, rounded so that all add up."""
    entry = entry_of(make_plan(PROMPTS, **one_entry(["acne", "lupus"], [1, 6], total=total, weights=weights)))
    found = Counter((one.label, one.fitzpatrick) for one in entry)
    assert [found[cell] for cell in itertools.product(["acne", "lupus"], [1, 6])] == counts


@settings(max_examples=40)
@given(cells(), st.data())
def test_find_inverts_sample(make_plan: MakePlan, changes: dict[str, Any], data: st.DataObject) -> None:
    """The key of sample i is found at i."""
    entry = entry_of(make_plan(PROMPTS, **changes))
    index = data.draw(st.integers(0, len(entry) - 1))
    assert entry.find(entry[index].key) == index


@settings(max_examples=40)
@given(cells())
def test_shards_partition_the_samples_in_order(make_plan: MakePlan, changes: dict[str, Any]) -> None:
    """The shards, one after the other, are the samples; all but the last are full."""
    entry = entry_of(make_plan(PROMPTS, **changes))
    shards = [entry.shard(number) for number in range(entry.shards)]
    assert [one.index for shard in shards for one in shard] == list(range(len(entry)))
    assert {len(shard) for shard in shards[:-1]} <= {entry.shard_samples}
    assert all(entry.shard_of(one.index) == number for number, shard in enumerate(shards) for one in shard)


@given(
    st.lists(st.sampled_from(list(WORDS)), min_size=2, max_size=5, unique=True),
    st.lists(st.integers(1, 6), min_size=2, max_size=6, unique=True),
    st.integers(1, 4),
)
def test_every_full_shard_mixes_labels_and_tones(
    make_plan: MakePlan, labels: list[str], tones: list[int], rounds: int
) -> None:
    """A shard as large as the number of cells holds every label on every tone equally often."""
    size = len(labels) * len(tones) * rounds
    entry = entry_of(make_plan(PROMPTS, **one_entry(labels, tones, size, per_cell=3 * rounds)))
    for number in range(entry.shards):
        found = Counter((one.label, one.fitzpatrick) for one in entry.shard(number))
        assert set(found.values()) == {rounds}
        assert len(found) == len(labels) * len(tones)


def test_shards_mix_under_weights_too(make_plan: MakePlan) -> None:
    """Where some cells have more images than others, a shard still holds several labels and tones."""
    weights = {"skin_tone": {5: 3.0, 6: 2.0}}
    changes = one_entry(["acne", "lupus"], [1, 5, 6], 12, total=120, weights=weights)
    entry = entry_of(make_plan(PROMPTS, **changes))
    shards = [entry.shard(number) for number in range(entry.shards)]
    assert all(len({one.label for one in shard}) == 2 for shard in shards)
    assert sum(len({one.skin_tone for one in shard}) > 1 for shard in shards) >= len(shards) - 2


@given(
    st.integers(0, 10**9),
    st.lists(st.floats(0, 1e6) | st.sampled_from([0.0, 1.0, 1e-12]), min_size=1, max_size=12).filter(any),
)
def test_apportion_is_exact_and_near_the_quota(total: int, weights: list[float]) -> None:
    """Shares add up to the total, each within one of its quota, and none for a weight of 0."""
    shares = apportion(total, weights)
    whole = sum(map(Fraction, weights))
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - total * Fraction(weight) / whole) < 1
        assert share == 0 or weight > 0


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [(10, [1, 1, 1], [4, 3, 3]), (480, [1, 1, 1, 1, 2, 2], [60, 60, 60, 60, 120, 120]), (1, [1, 1], [1, 0]),
     (3, [0, 5], [0, 3]), (0, [1, 2], [0, 0]), (7, [0.1, 0.2, 0.7], [1, 1, 5])],
)  # fmt: skip
def test_apportion_examples(total: int, weights: list[float], shares: list[int]) -> None:
    """The largest remainders get what is left, and ties go to the earlier cell."""
    assert apportion(total, weights) == shares


@pytest.mark.parametrize(
    "after",
    [
        one_entry(["acne", "lupus"], [1, 3, 4], per_cell=4),
        one_entry(["acne", "lupus"], [4, 1, 3], per_cell=4),
        one_entry(["eczema", "acne", "lupus"], [1, 3], per_cell=4),
        one_entry(["lupus", "acne"], [1, 3], per_cell=4),
        one_entry(["acne", "lupus"], [1, 3], per_cell=9),
        one_entry(["acne", "lupus"], [1, 3], per_cell=4, shard_samples=3),
        one_entry(["acne", "lupus"], [1, 3], total=24, weights={"label": {"acne": 2.0}}),
    ],
    ids=["tone", "tones-moved", "label", "labels-moved", "per-cell", "shard", "weights"],
)
def test_growing_repaints_no_other_row(make_plan: MakePlan, after: dict[str, Any]) -> None:
    """Whatever is added, the samples that were there keep their seeds and prompts."""
    before = rows(make_plan(PROMPTS, **one_entry(["acne", "lupus"], [1, 3], per_cell=4)))
    assert before.items() <= rows(make_plan(PROMPTS, **after)).items()


def test_a_new_entry_repaints_no_other_row(make_plan: MakePlan) -> None:
    """An entry added before or behind another leaves its samples and its digest alone."""
    old = one_entry(["acne", "lupus"], [1, 3], per_cell=4)
    new = copy.deepcopy(old)
    new["generate"].insert(0, {"name": "first", "strategy": "text2img", "total": 3})
    before, after = make_plan(PROMPTS, **old), make_plan(PROMPTS, **new)
    assert rows(before).items() <= rows(after).items()
    assert before.entries["e"].digest == after.entries["e"].digest
    assert before.digest != after.digest


def test_a_sample_knows_its_cell(make_plan: MakePlan) -> None:
    """The first sample has the first label's words, its tone as the scale writes it, and the seed of its key."""
    one = entry_of(make_plan("templates: ['{label}/{skin_tone}']", **one_entry(["healthy"], [6], per_cell=1)))[0]
    assert (one.key, one.label, one.label_id, one.index) == ("e-healthy-6-0000000", "healthy", 0, 0)
    assert (one.skin_tone, one.skin_tone_scale, one.fitzpatrick) == ("VI", "fitzpatrick", 6)
    assert one.prompt == "healthy skin/VI"
    assert one.seed == seed_of(7, one.key, 0)


@pytest.mark.parametrize("scale", skin_tones.NAMES)
def test_every_scale_can_be_planned(make_plan: MakePlan, scale: str) -> None:
    """On each scale a sample says its tone as that scale writes it, and its Fitzpatrick type where there is one."""
    values = list(skin_tones.NAMES[scale])
    entry = entry_of(make_plan(skin_tones={"scale": scale, "values": values}))
    assert {one.skin_tone for one in entry} == set(skin_tones.NAMES[scale].values())
    assert {one.fitzpatrick for one in entry} == (set(values) if scale == "fitzpatrick" else {0})


def test_another_attempt_is_another_seed_of_the_same_sample(make_plan: MakePlan) -> None:
    """A further attempt keeps key, index and cell, and has a seed of its own."""
    entry = entry_of(make_plan())
    first, second = entry.sample(3), entry.sample(3, attempt=1)
    assert (first.key, first.index, first.label) == (second.key, second.index, second.label)
    assert second.attempt == 1
    assert second.seed == seed_of(7, first.key, 1) != first.seed


@pytest.mark.parametrize("index", [-1, 24, 10**12])
def test_no_sample_outside_the_entry(make_plan: MakePlan, index: int) -> None:
    """An index that the entry does not have is an IndexError."""
    with pytest.raises(IndexError, match="24 samples"):
        entry_of(make_plan())[index]


@pytest.mark.parametrize(
    "key",
    ["", "e", "fake-psoriasis-1-0000004", "fake-psoriasis-1-000000", "fake-psoriasis-1-00000000", "fake-acne-1-0000000",
     "fake-psoriasis-2-0000000", "Fake-psoriasis-1-0000000", "fake-psoriasis-1-0000000\n", "fake-psoriasis-1--0000000",
     "fake-psoriasis-1-000000\u0661", "fake-psoriasis-1-" + "1" * 5000],
)  # fmt: skip
def test_a_key_that_is_not_planned_is_not_found(make_plan: MakePlan, key: str) -> None:
    """Only the exact key of a planned sample is found."""
    plan = make_plan()
    assert entry_of(plan).find(key) is None
    assert plan.find(key) is None


def test_plan_finds_across_entries(make_plan: MakePlan) -> None:
    """A key is found in whichever entry plans it, at its first attempt."""
    entries = [{"name": name, "strategy": "fake", "per_cell": 2} for name in ("a", "a-b", "b")]
    plan = make_plan(generate=entries)
    assert all(plan.find(one.key) == one for entry in plan.entries.values() for one in entry)


def test_refs_list_every_shard_once(make_plan: MakePlan) -> None:
    """Work shards are listed entry after entry, each from 0."""
    plan = make_plan(generate=[{"name": n, "strategy": "fake", "per_cell": 1} for n in ("a", "b")])
    assert list(plan.refs()) == [ShardRef(name, number) for name in ("a", "b") for number in (0, 1)]
    assert (plan.samples, plan.shards) == (12, 4)


GOLDEN = one_entry(["acne", "healthy"], [1, 5], total=30, weights={"skin_tone": {5: 2.0}})


def test_golden_digest(make_plan: MakePlan) -> None:
    """The digest of one manifest stays what it is: changing it orphans every run there is."""
    assert make_plan(PROMPTS, **GOLDEN).digest == "36577862b3bd9d0321dd7098168b260ee194da3f85fe62c108924a5b501448e5"


SIZE = {"height": 32, "width": 32}
AB = "templates: ['a {label}', 'b {label} {site}']\nattributes: {site: [arm, leg]}\n"
BA = "templates: ['b {label} {site}', 'a {label}']\nattributes: {site: [arm, leg]}\n"
DECIDES: dict[str, dict[str, Any]] = {
    "seed": {"seed": 8},
    "label": {"labels": {"psoriasis": "psoriasis", "acne": "acne"}},
    "words": {"labels": {"psoriasis": "psoriasis", "healthy": "bare skin"}},
    "label-order": {"labels": {"healthy": "healthy skin", "psoriasis": "psoriasis"}},
    "tone": {"skin_tones": {"scale": "fitzpatrick", "values": [1, 3, 5]}},
    "tone-order": {"skin_tones": {"scale": "fitzpatrick", "values": [3, 1, 6]}},
    "scale": {"skin_tones": {"scale": "monk", "values": [1, 3, 6]}},
    "model": {"model": "org/other"},
    "revision": {"model": "org/other", "revision": "v2"},
    "format": {"output": {"image_format": "webp", "shard_samples": 5}},
    "quality": {"output": {"image_format": "jpeg", "quality": 80, "shard_samples": 5}},
    "default-quality": {"output": {"image_format": "jpeg", "shard_samples": 5}},
    "shard-size": {"output": {"image_format": "png", "shard_samples": 6}},
    "name": {"generate": [{"name": "x", "strategy": "fake", "per_cell": 4, "settings": {"height": 32, "width": 32}}]},
    "count": {"generate": [{"strategy": "fake", "per_cell": 5, "settings": {"height": 32, "width": 32}}]},
    "height": {"generate": [{"strategy": "fake", "per_cell": 4, "settings": {"height": 40, "width": 32}}]},
    "setting": {"generate": [{"strategy": "fake", "per_cell": 4, "settings": SIZE | {"flat": [1]}}]},
    "strategy": {"generate": [{"name": "fake", "strategy": "text2img", "per_cell": 4,
                               "settings": {"height": 32, "width": 32}}]},
    "templates": {"prompts_text": PROMPTS.replace("skin,", "tone,")},
    "template-order": {"prompts_text": BA},
    "template-order-2": {"prompts_text": AB},
    "choices": {"prompts_text": PROMPTS.replace("[arm, leg]", "[arm, leg, back]")},
    "weights": {"prompts_text": PROMPTS.replace("[arm, leg]", "{arm: 1, leg: 2}")},
    "negative": {"prompts_text": PROMPTS + "negative_prompt: blurry\n"},
}  # fmt: skip


def test_the_digest_changes_with_whatever_decides_an_image(make_plan: MakePlan) -> None:
    """No two manifests that make other images, or cut them otherwise, have one digest."""
    digests = {name: make_plan(**({"prompts_text": PROMPTS} | changes)).digest for name, changes in DECIDES.items()}
    digests["unchanged"] = make_plan(PROMPTS).digest
    same = [name for name, digest in digests.items() if Counter(digests.values())[digest] > 1]
    assert same == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"pack": {"images_per_shard": 7}},
        {"publish": {"license": "mit", "tags": ["x"]}},
        {"prompts_text": "# a comment\n" + PROMPTS},
        {"prompts_text": PROMPTS.replace("[arm, leg]", "[leg, arm]")},
        {"prompts_text": PROMPTS.replace("[arm, leg]", "{leg: 1, arm: 1}")},
        {"generate": [{"name": "fake", "per_cell": 4, "settings": {"width": 32, "height": 32}, "strategy": "fake"}]},
        {"generate": [{"strategy": "fake", "total": 24, "settings": {"height": 32, "width": 32}}]},
    ],
    ids=[
        "name",
        "pack",
        "publish",
        "comment",
        "order-of-values",
        "equal-weights",
        "order-of-keys",
        "the-same-as-a-total",
    ],
)
def test_the_digest_is_not_of_what_decides_no_image(make_plan: MakePlan, changes: dict[str, Any]) -> None:
    """Renaming a study, packing or publishing it otherwise, or a comment, leaves its images what they are."""
    assert make_plan(**({"prompts_text": PROMPTS} | changes)).digest == make_plan(PROMPTS).digest


@pytest.mark.parametrize(
    ("samples", "counts"),
    [
        (10_000_000, {"total": 10_000_000}),
        (458_920, {"total": 458_920, "weights": {"skin_tone": {5: 2.5, 6: 1.75}, "label": {"acne": 3.0}}}),
        (60_000_000, {"per_cell": 10_000_000}),
    ],
    ids=["ten-million", "458920", "ten-million-a-cell"],
)
def test_a_large_plan_costs_no_more(make_plan: MakePlan, samples: int, counts: dict[str, Any]) -> None:
    """Length, any sample, its key's place and the digest take no memory for the samples in between."""
    tracemalloc.start()
    try:
        entry = entry_of(make_plan(PROMPTS, **one_entry(["acne", "lupus"], [1, 5, 6], 48, **counts)))
        assert len(entry) == samples
        for index in (0, 1, samples // 3, samples // 2 + 1, samples - 2, samples - 1):
            assert entry.find(entry[index].key) == entry[index].index == index
        assert len(entry.shard(entry.shards - 1)) == samples - (entry.shards - 1) * 48
        assert len(entry.digest) == 64
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50 * 2**20
    assert sys.getsizeof(entry) + sum(map(sys.getsizeof, vars(entry).values())) < 10_000


def test_planning_imports_no_model_library() -> None:
    """A plan is made without torch, diffusers or transformers."""
    code = "import sys, synthgen.plan; print(sorted({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("strategy", "words", "strange"),
    [
        ("text2img", "acne vulgaris", ["acne vulgaris"]),
        ("text2img", "Psoriasis of the elbow", []),
        ("fake", "acne vulgaris", []),
    ],
)
def test_words_that_the_bundled_model_has_not_learned_are_told(
    strategy: str, words: str, strange: list[str], make_plan: MakePlan
) -> None:
    """It draws something for any word; who asks for one that it does not know is told so. Patterns know none."""
    entry = {"name": "e", "strategy": strategy, "per_cell": 1, "settings": {"height": 64, "width": 64}}
    plan = make_plan(labels={"a": words, "healthy": "healthy skin"}, model="phantom", generate=[entry])
    assert plan.strange_words == strange


def test_a_label_that_is_never_drawn_is_not_strange(make_plan: MakePlan) -> None:
    """Only what is asked of the model counts."""
    entry = {"name": "e", "strategy": "text2img", "total": 4, "weights": {"label": {"acne": 0, "melanoma": 1}}}
    plan = make_plan(labels={"acne": "acne", "melanoma": "melanoma"}, model="phantom", generate=[entry])
    assert plan.strange_words == []


DRAWN = """
templates: ["{label} on {skin_tone} skin, {place}", "a photo of {label}, {light} {place}"]
negative_prompt: blurred
attributes: {place: {arm: 2, leg: 1, nowhere: 0}, light: [dim, bright, dim red]}
labels: {healthy: {templates: ["{label}, {place}"], attributes: {place: [hand]}, negative_prompt: spots}}
"""


@pytest.mark.parametrize("count", [1, 4, 400])
@pytest.mark.parametrize("made_by", ["per_cell", "total"])
def test_prompts_are_those_of_the_samples(make_plan: MakePlan, made_by: str, count: int) -> None:
    """Those that are drawn, of few samples; of many those that can be, which no sample is looked at for."""
    entry = {"strategy": "fake", made_by: count if made_by == "per_cell" else 6 * count}
    plan = make_plan(prompts_text=DRAWN, prompts="own.yaml", generate=[entry])
    (planned,) = plan.entries.values()
    drawn = {(sample.prompt, sample.negative_prompt) for sample in planned}
    told = [(prompt.text, prompt.negative) for prompt in planned.prompts_with(None)]
    assert drawn <= set(told)
    assert len(told) <= planned.samples
    if count != 4:
        assert drawn == set(told)
    assert len(told) == {1: 3 + 3, 4: 12 + 3, 400: 3 * 8 + 3}[count]


def test_prompts_of_a_huge_plan_cost_no_more(make_plan: MakePlan) -> None:
    """No sample of millions is looked at."""
    plan = make_plan(prompts_text=DRAWN, prompts="own.yaml", generate=[{"strategy": "fake", "per_cell": 10**9}])
    (planned,) = plan.entries.values()
    assert len({prompt.text for prompt in planned.prompts_with(None)}) == 3 * 2 + 6 + 1
