"""The parts a dataset is written in: of equal size within one sample, and as few as keep to both limits."""

from dataclasses import dataclass

from synthgen.errors import InputError
from synthgen.pack.shuffled_order import Order
from synthgen.plan.manifest import Pack

_OVERHEAD = 2 * 10_240  # what a tar takes beside its samples, at the most
FILES_PER_FOLDER = 10_000  # entries a folder, at the most: more slow file systems and listings down


@dataclass(frozen=True, slots=True)
class Part:
    """So many samples from a position on, of one split.

    Attributes:
        split: The split.
        number: Which part of the split it is, from 0.
        of: How many parts the split has.
        first: The position of its first sample.
        count: How many samples it has.
    """

    split: str
    number: int
    of: int
    first: int
    count: int

    @property
    def name(self) -> str:
        """Its name, which sorts within the split."""
        return f"{self.split}-{self.number:05d}-of-{self.of:05d}"


def plan_parts(
    order: Order, pack: Pack, *, masks: bool = False, files_per_folder: int = FILES_PER_FOLDER
) -> list[Part]:
    """The parts that every split is cut into.

    Args:
        order: The sorted samples.
        pack: How they are laid out, and the limits of a shard.
        masks: Whether a label map is beside each image.
        files_per_folder: How many files a part of the layout ``imagefolder`` may have, as each is a folder.

    Raises:
        InputError: A single sample is larger than a shard may be.
    """
    at_most = pack.images_per_shard
    if pack.format == "imagefolder":
        at_most = min(at_most, files_per_folder // (2 if masks else 1))
    found = []
    for split, (first, images) in order.spans().items():
        of = _fewest_parts(order, first, images, at_most, pack.max_shard_bytes)
        bounds = [first + images * number // of for number in range(of + 1)]
        found += [Part(split, n, of, bounds[n], bounds[n + 1] - bounds[n]) for n in range(of)]
    return found


def _fewest_parts(order: Order, first: int, images: int, at_most: int, max_bytes: int) -> int:
    """The fewest parts of which none has too many samples or bytes."""
    total = largest = 0
    for size in order.sizes(first, images):
        total += size
        largest = max(largest, size)
    room = max_bytes - _OVERHEAD
    if largest > room:
        raise InputError(f"pack.max_shard_bytes: {max_bytes} can't hold even one sample")
    parts = max(-(-images // at_most), -(-total // room))
    while not _fits(order, first, images, parts, room):
        parts += 1
    return parts


def _fits(order: Order, first: int, images: int, parts: int, room: int) -> bool:
    number, held = 0, 0
    for place, size in enumerate(order.sizes(first, images)):
        if place == images * (number + 1) // parts:
            number, held = number + 1, 0
        held += size
        if held > room:
            return False
    return True
