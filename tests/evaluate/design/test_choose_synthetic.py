"""Synthetic images are nested over n and ratio, and spread over real images and skin tones."""

from collections import Counter
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from synthgen.evaluate.design.choose_synthetic import Candidate, Pools, candidates_in_turn, choose
from synthgen.evaluate.design.trials import SyntheticImage
from synthgen.plan.manifest.evaluate import Strategy
from synthgen.plan.real_pools import Draw

E = Strategy("e")
SIZES = st.sets(st.integers(1, 12), min_size=1, max_size=4)
SMALLEST = st.lists(st.sampled_from([0, 1, 2, 3, 5, 8, 13]), max_size=60)


def of_source(source: str, nth: int) -> SyntheticImage:
    """A child of a real image."""
    return SyntheticImage(f"e-{source}-{nth:03d}", E, "acne", 1, source, "", frozenset())


@given(smallest=SMALLEST, sizes=SIZES, ratios=SIZES)
def test_what_is_chosen_is_nested_and_as_many_as_asked(smallest: list[int], sizes: set[int], ratios: set[int]) -> None:
    """A larger n or ratio has all that a smaller has; none has more than n x ratio, nor less where there are more."""
    candidates = [Candidate(f"k{number}", n) for number, n in enumerate(smallest)]
    chosen = choose(candidates, sizes, ratios)
    for (n, ratio), keys in chosen.items():
        allowed = {candidate.key for candidate in candidates if candidate.smallest_n <= n}
        assert keys <= allowed
        assert len(keys) == min(n * ratio, len(allowed))
    for (n, ratio), (m, other) in product(chosen, chosen):
        if n <= m and ratio <= other:
            assert chosen[n, ratio] <= chosen[m, other]


@given(ratio=st.integers(1, 4), n=st.integers(1, 6), seed=st.integers(0, 9))
def test_each_real_image_has_as_many_children_as_the_ratio(ratio: int, n: int, seed: int) -> None:
    """At ratio r, each of n real images has r children where every one has enough."""
    drawn = Draw(0, {"acne": tuple("abcdefgh")})
    in_turn = candidates_in_turn(
        [of_source(source, nth) for source in "abcdefgh" for nth in range(4)], drawn, Pools("n", "n"), seed
    )
    keys = choose(in_turn[E, "acne"], {1, 2, n}, {1, ratio})[n, ratio]
    assert Counter(key.split("-")[1] for key in keys) == dict.fromkeys("abcdefgh"[:n], ratio)


@given(counts=st.lists(st.integers(1, 20), min_size=2, max_size=6), seed=st.integers(0, 9), data=st.data())
def test_tones_are_taken_in_proportion(counts: list[int], seed: int, data: st.DataObject) -> None:
    """Of each tone there are as many as its share of all, to within the tones that take turns."""
    images = [
        SyntheticImage(f"e-{tone}-{nth}", E, "acne", tone, "", "", frozenset())
        for tone, count in enumerate(counts, start=1)
        for nth in range(count)
    ]
    taken = data.draw(st.integers(1, len(images)))
    in_turn = candidates_in_turn(images, Draw(0, {"acne": ()}), Pools("n", "n"), seed)
    keys = choose(in_turn[E, "acne"], {1}, {taken})[1, taken]
    found = Counter(int(key.split("-")[1]) for key in keys)
    for tone, count in enumerate(counts, start=1):
        assert abs(found[tone] - taken * count / len(images)) < len(counts)


@given(rejected=st.sets(st.integers(0, 59), max_size=20), seed=st.integers(0, 9))
def test_an_uncurated_strategy_differs_by_what_was_rejected(rejected: set[int], seed: int) -> None:
    """Both take the images that they share in one order: what was kept, and the uncurated one has, both have."""
    images = [SyntheticImage(f"e-{nth}", E, "acne", 1, "", "", frozenset()) for nth in range(60)]
    kept = [image for nth, image in enumerate(images) if nth not in rejected]
    in_turn = candidates_in_turn(
        [*kept, *(image.uncurated for image in images)], Draw(0, {"acne": ()}), Pools("n", "n"), seed
    )
    curated = choose(in_turn[E, "acne"], {4}, {5})[4, 5]
    uncurated = choose(in_turn[E.uncurated, "acne"], {4}, {5})[4, 5]
    shared = {key.removeprefix("uncurated ") for key in uncurated} & {image.key for image in kept}
    assert len(curated) == len(uncurated) == 20
    assert shared <= curated


def test_a_small_example_by_hand() -> None:
    """Two children of each of three real images, drawn in the order a, b, c: what the module's first lines show."""
    in_turn = [Candidate(*one) for one in (("a1", 1), ("b2", 2), ("c1", 3), ("a2", 1), ("b1", 2), ("c2", 3))]
    assert choose(in_turn, {1, 2}, {1, 2}) == {
        (1, 1): {"a1"},
        (1, 2): {"a1", "a2"},
        (2, 1): {"a1", "b2"},
        (2, 2): {"a1", "a2", "b2", "b1"},
    }


def test_seeds_take_other_images() -> None:
    """Where there are more than enough, two seeds do not share all of their synthetic images."""
    images = [SyntheticImage(f"e-{nth}", E, "acne", 1, "", "", frozenset()) for nth in range(100)]
    first, second = (
        choose(candidates_in_turn(images, Draw(number, {"acne": ()}), Pools("n", "n"), 7)[E, "acne"], {10}, {1})[10, 1]
        for number in (0, 1)
    )
    assert first != second


def test_an_image_more_takes_the_place_of_few() -> None:
    """Order is by hashes, so one more image pushes out one at the most."""
    images = [of_source(source, nth) for source in "abcdefgh" for nth in range(4)]
    drawn = Draw(0, {"acne": tuple("abcdefgh")})
    before, after = (
        choose(candidates_in_turn(some, drawn, Pools("n", "n"), 7)[E, "acne"], {8}, {2})[8, 2]
        for some in (images, [*images, of_source("a", 9)])
    )
    assert len(before - after) <= 1
