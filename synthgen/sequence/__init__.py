"""In which order an entry's samples come: round after round over cells or real images, so every work shard mixes them.

Each sequence is a pure function of the manifest and the frozen index of real images, gives any place by its number, and
holds its cells or sources, never its samples.
"""

from synthgen.sequence.by_cell import ByCell
from synthgen.sequence.by_parent import ByParent
from synthgen.sequence.by_source import BySource
from synthgen.sequence.place import Place, Places
from synthgen.sequence.shares import apportion, weigh

__all__ = ["ByCell", "ByParent", "BySource", "Place", "Places", "apportion", "weigh"]
