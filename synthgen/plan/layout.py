"""In which work shard each sample of an entry lies, where its run has changed and shards do not follow from the plan.

A plan says which samples there are, a layout where they lie. A stored image that no layout points to any more is set
aside: it counts no more, and its bytes stay.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Layout:
    """The work shards of an entry that has changed since it was begun.

    Attributes:
        shards: The number of the shard that each sample lies in, in the plan's order.
        revisions: For each plan that the entry has had, the first of the shards it laid out, and the plan's digest,
            which the receipts of these shards name.
        end: The first number that none of its shards ever had, where that is beyond those that samples lie in.
    """

    shards: tuple[int, ...]
    revisions: tuple[tuple[int, str], ...]
    end: int = 0

    @property
    def next_shard(self) -> int:
        """The first number that no work shard ever had."""
        return max(self.end, max(self.shards, default=-1) + 1)

    @property
    def digest(self) -> str:
        """The digest of the plan that the entry has now."""
        return self.revisions[-1][1]

    def digest_of(self, shard: int) -> str:
        """The digest of the plan that laid a shard out."""
        return next(digest for first, digest in reversed(self.revisions) if first <= shard)

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON: of samples that lie in one shard side by side, the shard and how many they are."""
        runs: list[list[int]] = []
        for shard in self.shards:
            if runs and runs[-1][0] == shard:
                runs[-1][1] += 1
            else:
                runs.append([shard, 1])
        end = {"end": self.end} if self.end > max(self.shards, default=-1) + 1 else {}
        return {"shards": runs, "revisions": [list(one) for one in self.revisions], **end}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """A layout from plain values.

        Raises:
            ValueError: They are none.
        """
        try:
            shards = tuple(int(shard) for shard, count in content["shards"] for _ in range(count))
            revisions = tuple((int(first), str(digest)) for first, digest in content["revisions"])
            end = int(content.get("end", 0))
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a layout: {error}") from None
        if not revisions or revisions[0][0] != 0:
            raise ValueError("not a layout: it has no plan for its first shard")
        return cls(shards, revisions, end)


def lay_out(known: Iterable[int | None], sizes: Sequence[int], shard_samples: int, first: int) -> tuple[int, ...]:
    """The shard of every sample: those that lie somewhere stay, and the others follow in shards of their own.

    Args:
        known: The shard of each sample, ``None`` for one that lies nowhere yet.
        sizes: How many samples each run of them has that no shard may straddle.
        shard_samples: How many samples a new shard holds.
        first: The number of the first new shard.
    """
    found, shard, places = list[int](), first, iter(known)
    for size in sizes:
        held = 0
        for _ in range(size):
            place = next(places)
            if place is None:
                place, held = shard, held + 1
            found.append(place)
            if held == shard_samples:
                shard, held = shard + 1, 0
        shard += held > 0
    return tuple(found)
