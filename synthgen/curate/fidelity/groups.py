"""The groups that are measured: all images, each entry, label, tone and tone group, and cells that are large enough."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgen.curate.fidelity.sample_images import Image
from synthgen.plan import skin_tones
from synthgen.vision.metrics import MINIMUM

ALL, ENTRY, LABEL, TONE, LIGHTNESS, CELL = "all", "entry", "label", "skin tone", "light and dark", "cell"
KEPT = "kept and rejected"
SCOPES = (ALL, KEPT, ENTRY, LABEL, LIGHTNESS, TONE, CELL)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of images: those of one entry, label, tone or verdict, or of several of these.

    Attributes:
        scope: One of :data:`SCOPES`.
        name: What it is called within its scope.
        entry: The entry of generated ones; empty for any. A real image has none, so this leaves it in.
        label: Their label; empty for any.
        tones: Their tones; empty for any.
        kept: Whether the run's rules keep them; ``None`` for either. Leaves real images in.
    """

    scope: str
    name: str
    entry: str = ""
    label: str = ""
    tones: tuple[str, ...] = ()
    kept: bool | None = None

    def rows(self, images: Sequence[Image]) -> NDArray[np.int64]:
        """The indices of the images that belong to it, shape (n,)."""
        return np.array([row for row, image in enumerate(images) if self._includes(image)], np.int64)

    def _includes(self, image: Image) -> bool:
        return (
            (not self.entry or image.entry in (self.entry, ""))
            and (self.kept is None or image.kept in (self.kept, None))
            and (not self.label or image.label == self.label)
            and (not self.tones or image.tone in self.tones)
        )


def groups(images: Sequence[Image], scale: str) -> list[Group]:
    """Every group that generated images have, in the order of a report; a scope of one group alone is left out."""
    found = [Group(ALL, "all images")]
    for scope in (_kept, _entries, _labels, _lightness, _tones, _cells):
        of_scope = list(scope(images, scale))
        found += of_scope if len(of_scope) > 1 else []
    return found


def lightness(scale: str) -> dict[str, tuple[str, ...]]:
    """The tones of the light, the medium and the dark group, as the scale writes them."""
    found = skin_tones.GROUPS.get(scale, {})
    return {name: tuple(skin_tones.name(scale, value) for value in values) for name, values in found.items()}


def _kept(images: Sequence[Image], _scale: str) -> Iterator[Group]:
    present = {one.kept for one in images}
    yield from (Group(KEPT, name, kept=kept) for name, kept in (("kept", True), ("rejected", False)) if kept in present)


def _entries(images: Sequence[Image], _scale: str) -> Iterator[Group]:
    yield from (Group(ENTRY, name, entry=name) for name in sorted({one.entry for one in images}))


def _labels(images: Sequence[Image], _scale: str) -> Iterator[Group]:
    yield from (Group(LABEL, name, label=name) for name in sorted({one.label for one in images}))


def _lightness(images: Sequence[Image], scale: str) -> Iterator[Group]:
    present = {one.tone for one in images}
    for name, tones in lightness(scale).items():
        if present.intersection(tones):
            yield Group(LIGHTNESS, f"{name} ({', '.join(tones)})", tones=tones)


def _tones(images: Sequence[Image], scale: str) -> Iterator[Group]:
    yield from (Group(TONE, name, tones=(name,)) for name in sorted({one.tone for one in images}, key=_rank(scale)))


def _cells(images: Sequence[Image], scale: str) -> Iterator[Group]:
    rank = _rank(scale)
    counts = Counter((one.entry, one.label, one.tone) for one in images)
    for entry, label, tone in sorted(counts, key=lambda cell: (cell[0], cell[1], rank(cell[2]))):
        if counts[entry, label, tone] >= MINIMUM:
            yield Group(CELL, f"{entry}, {label}, {tone}", entry=entry, label=label, tones=(tone,))


def _rank(scale: str) -> Callable[[str], int]:
    """The place of a tone in its scale; unknown ones last."""
    names = list(skin_tones.NAMES.get(scale, {}).values())
    return lambda tone: names.index(tone) if tone in names else len(names)
