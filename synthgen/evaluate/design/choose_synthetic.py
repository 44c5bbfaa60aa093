"""The synthetic images of each n and ratio: nested over both, shared by a seed's arms, spread over what they show.

Spread: children of real images take turns over these, so that at ratio r each of n real images has r children where
there are as many; images made from prompts alone take turns over skin tones, in proportion to how many each tone has.

For example, a seed draws the real images a, b, c of one label, in this order, and each has two children in a strategy.
In turn the candidates, with the smallest n whose trials may have them, are::

    a1 (1), b2 (2), c1 (3), a2 (1), b1 (2), c2 (3)

and chosen of them are, by n and ratio::

    n = 1, ratio 1: a1        n = 2, ratio 1: a1 b2
    n = 1, ratio 2: a1 a2     n = 2, ratio 2: a1 a2 b2 b1
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import NamedTuple

from synthgen.core.hashing import stable_hash
from synthgen.evaluate.design.trials import SyntheticImage
from synthgen.plan.manifest.evaluate import Strategy
from synthgen.plan.real_pools import Draw

_NEVER = 2**62  # no n is as large


class Candidate(NamedTuple):
    """A synthetic image, and the smallest n whose trials may have it.

    Attributes:
        key: Its key.
        smallest_n: That n.
        unless_alike: What it would be if the image looked like no training image.
    """

    key: str
    smallest_n: int
    unless_alike: int = 0


Candidates = dict[tuple[Strategy, str], list[Candidate]]  # by strategy and label
Chosen = dict[tuple[int, float], frozenset[str]]  # keys, by n and ratio


class Pools(NamedTuple):
    """What a trial's synthetic images may come from: ``n``, its own real images alone, or ``all``.

    Attributes:
        generator: The study's ``generator_pool``, of what their generators were trained on.
        source: Its ``source_pool``, of what they were made from.
    """

    generator: str
    source: str


def candidates_in_turn(images: Iterable[SyntheticImage], drawn: Draw, pools: Pools, seed: int) -> Candidates:
    """The candidates of each strategy and label, in the order that one seed takes them.

    Every seed takes them in another order, so that what is found holds for more than one set of synthetic images. An
    uncurated strategy takes the images that it shares with the curated one in the same order, so that the two differ by
    what was rejected and by little else.

    Args:
        images: Those that carry nothing of an image held out.
        drawn: The seed's draw of real images.
        pools: What they may come from.
        seed: The manifest's seed.
    """
    strata: dict[tuple[Strategy, str, str, int], list[tuple[bytes, SyntheticImage]]] = defaultdict(list)
    for image in images:
        place = stable_hash(seed, "synthetic", drawn.number, image.record_key)
        tone = 0 if image.source_id else image.tone
        strata[image.strategy, image.label, image.source_id, tone].append((place, image))
    smallest_n = _smallest_n(drawn, pools)
    turns: dict[tuple[Strategy, str], list[tuple[float, bytes, Candidate]]] = defaultdict(list)
    for (strategy, label, source, tone), members in strata.items():
        first = stable_hash(seed, "start", drawn.number, strategy.name, label, tone)
        start = int.from_bytes(first, "big") / 2**64
        for nth, (place, image) in enumerate(sorted(members, key=lambda member: (member[0], member[1].key))):
            turn = nth if source else (nth + start) / len(members)  # systematic sampling, from a random start
            turns[strategy, label].append((turn, place, Candidate(image.key, *smallest_n(image))))
    return {stratum: [candidate for *_, candidate in sorted(found)] for stratum, found in turns.items()}


def choose(candidates: Sequence[Candidate], sizes: Iterable[int], ratios: Iterable[float]) -> Chosen:
    """The keys of one label's images for every n and ratio: those of a smaller n or ratio, and then the next in turn.

    What both have to hold never passes n x ratio, since each holds what the smaller of both sizes has. A set with fewer
    is all that there is.
    """
    chosen: Chosen = {}
    smaller_n = 0
    for n in sorted(sizes):
        allowed = [candidate.key for candidate in candidates if candidate.smallest_n <= n]
        smaller_ratio: float = 0
        for ratio in sorted(ratios):
            kept = chosen.get((smaller_n, ratio), frozenset()) | chosen.get((n, smaller_ratio), frozenset())
            more = (key for key in allowed if key not in kept)
            count = round(n * ratio)  # which both may pass by one where a ratio is no integer
            kept = kept if len(kept) <= count else frozenset([key for key in allowed if key in kept][:count])
            chosen[n, ratio] = kept.union(islice(more, count - len(kept)))
            smaller_ratio = ratio
        smaller_n = n
    return chosen


def choose_all(
    candidates: Candidates, sizes: Iterable[int], ratios: Iterable[float]
) -> Mapping[tuple[Strategy, str], Chosen]:
    """The chosen images of every strategy and label."""
    sizes, ratios = sorted(sizes), sorted(ratios)
    return {stratum: choose(in_turn, sizes, ratios) for stratum, in_turn in candidates.items()}


def _smallest_n(drawn: Draw, pools: Pools) -> Callable[[SyntheticImage], tuple[int, int]]:
    """A function to the smallest n whose draw holds all that an image comes from, and the same unless it is alike.

    That is its source, all that its generator saw, and, as if it were made from it, each training image that it looks
    like: such an image brings a trial what the real one would. It is 0 for any n.
    """

    @cache  # a pool is shared by many images
    def of_pool(ids: frozenset[str]) -> int:
        return max((drawn.smallest_n.get(one, _NEVER) for one in ids), default=0)

    def of(image: SyntheticImage) -> tuple[int, int]:
        seen = of_pool(image.pool) if image.pool is not None and pools.generator == "n" else 0
        own = drawn.smallest_n.get(image.source_id, _NEVER) if image.source_id and pools.source == "n" else 0
        alike = of_pool(image.looks_like) if pools.source == "n" else 0
        return max(seen, own, alike), max(seen, own)

    return of
