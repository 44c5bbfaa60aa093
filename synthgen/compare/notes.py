"""What a reader of a comparison must know beside its numbers: what is missing, left out, or not alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from synthgen.compare import page
from synthgen.compare.league import ALL_MEASURES, OF_IMAGES

if TYPE_CHECKING:
    from synthgen.compare.matching import Generator, Matched
    from synthgen.compare.scores import ImageScores


def sentences(matched: Matched, scored: Sequence[ImageScores], limit: int, price: float | None) -> Iterator[str]:
    """What is missing, and what else a reader must know.

    Args:
        matched: The generators and their images.
        scored: What was measured of each image, generator by generator.
        limit: How many images fidelity was measured of at the most.
        price: What an hour of one device costs; ``None`` where nobody said.
    """
    yield from _missing(matched, scored)
    if not matched.reals:
        yield "The manifests name no real images (`real:`), so nothing could be held against any."
    if len(matched.images) > limit:
        yield f"Fidelity is that of a sample of {limit:,} images."
    yield from _starts(matched)
    yield from _otherwise(matched.generators)
    if len({tuple(page.environment(one)) for one in matched.generators}) > 1:
        yield "Times are not of one device, dtype and batch size; the table of time and cost has them."
    if price is None:
        yield "No price was given (`--price`), so nothing is said of costs."


def _missing(matched: Matched, scored: Sequence[ImageScores]) -> Iterator[str]:
    """Images that are left out, and measures that are not known of some."""
    total, generators = len(matched.images), matched.generators
    for one in generators:
        left = one.made - total
        if left or one.failed:
            yield (
                f"{one.name} made {one.made:,} of {one.planned:,} images, {one.failed:,} could not be made; {left:,} "
                "are not compared: another generator lacks them, or they were made at another attempt, by another seed."
            )
    missing: dict[tuple[str, str], list[str]] = {}
    for one, found in zip(generators, scored, strict=True):
        for measure, why in found.missing.items():
            missing.setdefault((ALL_MEASURES[measure].title, why), []).append(one.name)
    for (title, why), names in missing.items():
        yield f"Not known of {', '.join(names)}: {title}: {why.rstrip('.')}."
    for measure in OF_IMAGES:
        counts = [one.known(measure) for one in scored if measure in one.columns]
        if counts and min(counts) < total:
            title = ALL_MEASURES[measure].title
            yield f"{title}: known of {min(counts):,} to {max(counts):,} of {total:,} images."


def _starts(matched: Matched) -> Iterator[str]:
    """What there is to say of images that were made from another one."""
    total, parents = len(matched.images), Counter(image.parent for image in matched.images if image.parent)
    if parents:
        yield "Images made from another image may show whoever was in it: share the sheet as its licence allows."
    if shared := sum(count for count in parents.values() if count > 1):
        yield (
            f"{shared:,} of {total:,} images start from the same image as another one does. Intervals count them as "
            "independent, so they are too narrow."
        )


def _otherwise(generators: Sequence[Generator]) -> Iterator[str]:
    """What generators do otherwise that measures may see beside the model: size, storage, words."""
    sizes = {one.name: one.sizes for one in generators}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{name} {size}" for name, size in sizes.items())
        yield f"Images are of different sizes ({said}); each generator's are held against real images of its own size."
    for one in generators:
        if any(line.startswith(("output.image_format", "output.quality")) for line in one.differs):
            yield f"{one.name} stores images otherwise than {generators[0].name}, which copies and fidelity may see."
        if words := one.own_words:
            yield f"Prompts of {one.name} say {', '.join(words)} by a word of its adapter's; else they are the same."
