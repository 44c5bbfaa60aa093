"""Which synthetic images a trial has: nested over n and ratio, shared by a seed's arms, spread over what they show.

Spread: children of real images take turns over these, so that at ratio r each of n real images has r children where
there are as many; images made from prompts alone take turns over skin tones, in proportion to how many each tone has.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import NamedTuple

from synthgen.core.hashing import stable_hash
from synthgen.evaluate.design.trials import Synthetic
from synthgen.plan.manifest.evaluate import UNCURATED
from synthgen.plan.real_pools import Draw

NEVER = 2**62  # no n is as large


class Candidate(NamedTuple):
    """A synthetic image, and the smallest n whose trials may have it."""

    key: str
    least: int


Cells = dict[tuple[str, str], list[Candidate]]
Chosen = dict[tuple[int, int], frozenset[str]]


def candidates_in_turn(images: Iterable[Synthetic], drawn: Draw, pool: str, seed: int) -> Cells:
    """The candidates of each entry and label, in the order that one seed takes them.

    Every seed takes them in another order, so that what is found holds for more than one set of synthetic images. An
    uncurated strategy takes the images that it shares with the curated one in the same order, so that the two differ by
    what was rejected and by little else.

    Args:
        images: Those that carry nothing of an image held out.
        drawn: The seed's draw of real images.
        pool: ``n`` or ``all``: the study's ``generator_pool``.
        seed: The manifest's seed.
    """
    strata: dict[tuple[str, str, str, int], list[tuple[bytes, Synthetic]]] = defaultdict(list)
    for image in images:
        place = stable_hash(seed, "synthetic", drawn.number, image.key.removeprefix(UNCURATED))
        tone = 0 if image.source_id else image.tone
        strata[image.entry, image.label, image.source_id, tone].append((place, image))
    least = _least(drawn, pool)
    turns: dict[tuple[str, str], list[tuple[float, bytes, Candidate]]] = defaultdict(list)
    for (entry, label, source, tone), members in strata.items():
        first = stable_hash(seed, "start", drawn.number, entry.removeprefix(UNCURATED), label, tone)
        start = int.from_bytes(first, "big") / 2**64
        for nth, (place, image) in enumerate(sorted(members, key=lambda member: (member[0], member[1].key))):
            turn = nth if source else (nth + start) / len(members)  # systematic sampling, from a random start
            turns[entry, label].append((turn, place, Candidate(image.key, least(image))))
    return {cell: [candidate for *_, candidate in sorted(found)] for cell, found in turns.items()}


def choose(candidates: Sequence[Candidate], sizes: Iterable[int], ratios: Iterable[int]) -> Chosen:
    """The images of one label for every n and ratio: what a smaller n or ratio has, and then whose turn comes first.

    What both have to hold never passes n x ratio, since each holds what the smaller of both sizes has. A set with fewer
    is all that there is.
    """
    chosen: Chosen = {}
    smaller_n = 0
    for n in sorted(sizes):
        allowed = [candidate.key for candidate in candidates if candidate.least <= n]
        smaller_ratio = 0
        for ratio in sorted(ratios):
            kept = chosen.get((smaller_n, ratio), frozenset()) | chosen.get((n, smaller_ratio), frozenset())
            more = (key for key in allowed if key not in kept)
            chosen[n, ratio] = kept.union(islice(more, n * ratio - len(kept)))
            smaller_ratio = ratio
        smaller_n = n
    return chosen


def choose_all(cells: Cells, sizes: Iterable[int], ratios: Iterable[int]) -> Mapping[tuple[str, str], Chosen]:
    """The chosen images of every entry and label."""
    sizes, ratios = sorted(sizes), sorted(ratios)
    return {cell: choose(candidates, sizes, ratios) for cell, candidates in cells.items()}


def _least(drawn: Draw, pool: str) -> Callable[[Synthetic], int]:
    if pool == "all":
        return lambda _: 0

    @cache  # a pool is shared by many images
    def of_pool(ids: frozenset[str]) -> int:
        return max((drawn.least.get(one, NEVER) for one in ids), default=0)

    def of(image: Synthetic) -> int:
        seen = of_pool(image.pool) if image.pool is not None else 0
        return max(seen, drawn.least.get(image.source_id, NEVER) if image.source_id else 0)

    return of
