"""In which order an entry's samples come: round after round over cells or real images, so every work shard mixes them.

Each ordering is a pure function of the manifest and the frozen index of real images, gives any place by its number, and
holds its cells or sources, never its samples.
"""

from synthgen.plan.ordering.apportion import apportion, weigh
from synthgen.plan.ordering.by_cell import ByCell
from synthgen.plan.ordering.by_parent import ByParent
from synthgen.plan.ordering.by_source import BySource
from synthgen.plan.ordering.composite import GroupedByLabel, extended, rounds_of
from synthgen.plan.ordering.protocol import ExtendableOrdering, Ordering, Slot

__all__ = [
    "ByCell",
    "ByParent",
    "BySource",
    "ExtendableOrdering",
    "GroupedByLabel",
    "Ordering",
    "Slot",
    "apportion",
    "extended",
    "rounds_of",
    "weigh",
]
