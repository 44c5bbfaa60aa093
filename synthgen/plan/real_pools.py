"""The real images that a seed draws: nested over n, by group, and fixed for each image whatever images are added."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from synthgen.core.hashing import stable_hash
from synthgen.plan.real_index import Source


@dataclass(frozen=True)
class Draw:
    """One seed's order of the real training images.

    Attributes:
        number: The seed's number, from 0.
        order: The ids of each label's images; the first n of them are its draw of n.

    With the order ``{"acne": ("a", "b", "c")}``, ``first(2)`` is ``("a", "b")``, and ``smallest_n`` of ``c`` is 3.
    """

    number: int
    order: Mapping[str, tuple[str, ...]]

    def first(self, n: int) -> tuple[str, ...]:
        """The ids of n images of each label, sorted; those of a smaller n are among them."""
        return tuple(sorted(one for ids in self.order.values() for one in ids[:n]))

    @cached_property
    def smallest_n(self) -> dict[str, int]:
        """The smallest n whose draw holds an image, by the image's id."""
        return {one: place for ids in self.order.values() for place, one in enumerate(ids, start=1)}


def draw(sources: Iterable[Source], labels: Sequence[str], seed: int, number: int) -> Draw:
    """A draw at random without replacement, images of one group next to each other so that it is drawn whole.

    Groups come in the order of a hash, which is the same for every label: a patient with two conditions is drawn for
    both at about the same n. Exactly n images a label are drawn, so the last group may be drawn in part;
    :func:`partial_groups` counts those.

    Args:
        sources: The real training images.
        labels: The study's labels.
        seed: The manifest's seed.
        number: Which draw: a trial's seed, or the draw of a generator's pool.
    """
    by_label: dict[str, list[tuple[bytes, bytes, str]]] = {label: [] for label in labels}
    for source in sources:
        if source.label in by_label:
            place = (
                stable_hash(seed, "draw", number, "group", source.group),
                stable_hash(seed, "draw", number, "image", source.id),
            )
            by_label[source.label].append((*place, source.id))
    return Draw(number, {label: tuple(one for *_, one in sorted(places)) for label, places in by_label.items()})


def partial_groups(sources: Iterable[Source], drawn: Draw, n: int) -> int:
    """How many groups a draw of n has only a part of; the rest of them trains nothing there."""
    groups = defaultdict(set)
    for source in sources:
        if source.id in drawn.smallest_n:
            groups[source.group].add(drawn.smallest_n[source.id] <= n)
    return sum(len(inside) == 2 for inside in groups.values())
