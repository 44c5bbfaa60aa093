"""The examples of a study: every image that trains, tunes or tests a classifier, in rows that trials name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from synthgen.evaluate.design.design import Design
from synthgen.evaluate.design.trials import SyntheticImage, Trial
from synthgen.plan.real_index import Source
from synthgen.runs.stored_images import ImageReader

if TYPE_CHECKING:
    from synthgen.core.types import Pixels, Rows

VIEWS = 10  # of an image where frozen features are trained with augmentation: itself, and nine changed ones


class Example(NamedTuple):
    """An image, not read yet.

    Attributes:
        digest: What its content is known by: a sha256, in hex.
        read: What gives its pixels: uint8 sRGB of shape (height, width, 3).
    """

    digest: str
    read: Callable[[], Pixels]


@dataclass(frozen=True)
class Examples:
    """The images of a study in rows.

    Attributes:
        rows: The image of each row.
        labels: The class of each row, shape (rows,).
        held_out: The rows of validation and of test images, in the design's order.
        real: The row of each real training image, by id.
        views: The rows of each real image that is augmented before training, by id: itself first.
        synthetic: The row of each synthetic training image, by key.
        synthetic_views: The rows of each synthetic image that is augmented before training, by key: itself first.
    """

    rows: tuple[Example, ...]
    labels: Rows
    held_out: Mapping[str, Rows]
    real: Mapping[str, int]
    views: Mapping[str, Sequence[int]]
    synthetic: Mapping[str, int]
    synthetic_views: Mapping[str, Sequence[int]]

    def rows_of(self, trial: Trial) -> tuple[Rows, Rows]:
        """The numbers of a trial's real rows, each as often as it comes in a pass, and of its synthetic rows."""
        import numpy as np

        real = [self.real[one] for one in trial.real]
        if trial.augmented and self.views:
            real = [row for one in trial.real for row in self.views[one]]
        synthetic = [self.synthetic[key] for key in trial.synthetic]
        if trial.augmented and self.synthetic_views:
            synthetic = [row for key in trial.synthetic for row in self.synthetic_views[key]]
        return np.repeat(np.array(real, np.int64), trial.duplicated), np.array(synthetic, np.int64)


def build_examples(
    design: Design,
    sources: Iterable[Source],
    synthetic: Collection[SyntheticImage],
    labels: Sequence[str],
    pictures: ImageReader,
    *,
    side: int | None,
    augment: str = "classic",
) -> Examples:
    """The examples that a design needs, none of them read.

    Args:
        design: The design.
        sources: The real images.
        synthetic: The synthetic images, in the order that they are best read in.
        labels: The study's labels, in their order.
        pictures: What reads pixels.
        augment: How views are made, one of :data:`~synthgen.vision.classifiers.AUGMENTATIONS`.
        side: The side in pixels that views are made at, for frozen features; ``None`` where training itself augments.
    """
    import numpy as np

    rows: list[Example] = []
    classes: list[int] = []

    def add(example: Example, label: str) -> int:
        rows.append(example)
        classes.append(labels.index(label))
        return len(rows) - 1

    views_of = partial(_views, side=side or 0, augment=augment)
    by_id = {source.id: source for source in sources}
    held_out = {
        split: np.array([add(_real(by_id[one], pictures), by_id[one].label) for one in ids], np.int64)
        for split, ids in (("validation", design.validation), ("test", design.test))
    }
    real = {one: add(_real(by_id[one], pictures), by_id[one].label) for one in sorted(design.real)}
    augmented = sorted({one for trial in design.trials if trial.augmented for one in trial.real}) if side else []
    views = {
        one: [real[one], *(add(view, by_id[one].label) for view in views_of(rows[real[one]]))] for one in augmented
    }
    used = design.synthetic
    row_of = {image.key: add(_synthetic(image, pictures), image.label) for image in synthetic if image.key in used}
    changed = {key for trial in design.trials if side and trial.augmented for key in trial.synthetic}
    synthetic_views = {
        image.key: [row_of[image.key], *(add(view, image.label) for view in views_of(rows[row_of[image.key]]))]
        for image in synthetic
        if image.key in changed
    }
    return Examples(tuple(rows), np.array(classes, np.int64), held_out, real, views, row_of, synthetic_views)


def _real(source: Source, pictures: ImageReader) -> Example:
    return Example(source.sha256, lambda: pictures.real(source))


def _synthetic(image: SyntheticImage, pictures: ImageReader) -> Example:
    return Example(image.sha256, lambda: pictures.synthetic(image.record_key))


def _views(example: Example, side: int, augment: str) -> list[Example]:
    """The augmented views of an image: each known by what it is made of, and changed in its own way always."""
    how = "" if augment == "classic" else f"/{augment}"  # as views were known before there were several ways
    texts = (f"{example.digest}/view-{nth}/{side}{how}" for nth in range(1, VIEWS))
    names = [hashlib.sha256(text.encode()).hexdigest() for text in texts]

    def view(name: str) -> Pixels:
        import numpy as np

        from synthgen.vision.classifiers import AUGMENTATIONS
        from synthgen.vision.images import untrusted

        pixels = untrusted.fit(example.read(), side, side, "crop")
        changed: Pixels = AUGMENTATIONS[augment](pixels[None], np.random.default_rng(int(name[:16], 16)))[0]
        return changed

    return [Example(name, partial(view, name)) for name in names]
