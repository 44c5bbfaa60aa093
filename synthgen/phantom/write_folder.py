"""Writes phantoms as an image folder: ``images/*.png``, ``metadata.csv``, and ``masks/*.png`` where they are asked for.

``metadata.csv`` lists what is finished, and is written anew after every few hundred images; so a killed run goes on
where it was, more images a cell are added to those that are there, and the same call again does nothing.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from synthgen.core import atomic
from synthgen.errors import InputError, StoppedError
from synthgen.phantom import render
from synthgen.plan import skin_tones
from synthgen.vision.images import codec

BATCH = 500
_METADATA = "metadata.csv"
_DRAWN = "algorithmicMedia"  # IPTC: made by an algorithm that has learned from no data


class PhantomImage(NamedTuple):
    """A line of ``metadata.csv``; ``seed`` with label, type and site makes the image again: ``render.render_one``."""

    file_name: str
    label: str
    skin_tone: str
    fitzpatrick: int
    site: str
    seed: int


@dataclass(frozen=True, slots=True)
class PhantomOptions:
    """The images to write: so many of each label on each type.

    Attributes:
        labels: Keys of ``conditions.CONDITIONS``.
        tones: Fitzpatrick types, 1 to 6.
        per_cell: Images a label and type; at least 1.
        seed: Any whole number.
        site: The camera, ``a`` or ``b``.
        masks: Whether to write where the disease is too.
    """

    labels: tuple[str, ...]
    tones: tuple[int, ...]
    per_cell: int
    seed: int
    site: str
    masks: bool = False

    def rows(self) -> list[PhantomImage]:
        """Every image, in the order of the arguments; image n of a cell does not depend on how many there are."""
        return [
            PhantomImage(
                f"images/{label}-{tone}-{number:07d}.png",
                label,
                skin_tones.name("fitzpatrick", tone),
                tone,
                self.site,
                render.image_seed(self.seed, self.site, label, tone, number),
            )
            for label in dict.fromkeys(self.labels)
            for tone in dict.fromkeys(self.tones)
            for number in range(self.per_cell)
        ]


@dataclass(frozen=True, slots=True)
class PhantomJob:
    """A folder, all its rows, and those that are finished."""

    out: Path
    rows: tuple[PhantomImage, ...]
    finished: frozenset[PhantomImage]
    masks: bool


def prepare(out: Path, options: PhantomOptions) -> PhantomJob:
    """The images that are asked for, and those of them that a folder holds; writes nothing.

    Raises:
        InputError: There is no such condition, type or site; or the folder holds something else.
    """
    render.check(options.labels, options.tones, options.site)
    if options.per_cell < 1:
        raise InputError(f"{options.per_cell} images a cell; at least 1 is needed")
    rows = tuple(options.rows())
    listed = _listed(out)
    if others := listed - set(rows):
        raise InputError(
            f"{out} holds {len(others):,} phantoms that are not asked for here, such as {min(others).file_name}; "
            f"repeat what it was made with, or choose another folder"
        )
    if (out / "masks").is_dir() and not options.masks:
        raise InputError(f"{out} has masks; add --masks, or choose another folder")
    finished = frozenset(row for row in listed if all(path.is_file() for path in _paths(out, row, options.masks)))
    return PhantomJob(out, rows, finished, options.masks)


def write(job: PhantomJob, stop: Callable[[], bool] = lambda: False) -> Iterator[int]:
    """Write what is not finished; yields the number of images that each batch added.

    Raises:
        InputError: A file of another content has the name of one to be written; it is left as it is.
        StoppedError: ``stop`` said so between two batches.
    """
    left = [row for row in job.rows if row not in job.finished]
    finished = set(job.finished)
    job.out.mkdir(parents=True, exist_ok=True)
    atomic.sweep(job.out, _METADATA)
    if not (job.out / _METADATA).exists():
        atomic.write(job.out / _METADATA, _table([]))  # from here on the folder is known as ours
    for folder in ("images", "masks") if job.masks else ("images",):
        (job.out / folder).mkdir(exist_ok=True)
        atomic.sweep(job.out / folder)
    for first in range(0, len(left), BATCH):
        if stop():
            raise StoppedError(f"stopped with {len(finished):,} of {len(job.rows):,} phantoms in {job.out}; resumable")
        batch = left[first : first + BATCH]
        atomic.write_all(file for row in batch for file in _draw(job, row))
        finished.update(batch)
        atomic.write(job.out / _METADATA, _table([row for row in job.rows if row in finished]))
        yield len(batch)


def _draw(job: PhantomJob, row: PhantomImage) -> Iterator[tuple[Path, bytes]]:
    """The files of an image that are not there yet."""
    phantom = render.render_one(row.label, row.fitzpatrick, row.site, row.seed)
    contents = [codec.encode(phantom.image, codec.Encoding("png"), _DRAWN)]
    if job.masks:
        file = io.BytesIO()
        Image.fromarray(phantom.mask.astype(np.uint8) * 255).save(file, format="png")
        contents.append(file.getvalue())
    for path, content in zip(_paths(job.out, row, job.masks), contents, strict=True):
        if not path.exists():
            yield path, content
        elif path.read_bytes() != content:
            raise InputError(f"{path} is in the way: it is not the phantom of that name; move it elsewhere")


def _paths(out: Path, row: PhantomImage, masks: bool) -> list[Path]:
    image = out / row.file_name
    return [image, out / "masks" / image.name] if masks else [image]


def _listed(out: Path) -> set[PhantomImage]:
    """The rows that a folder lists."""
    if not out.exists():
        return set()
    if not out.is_dir():
        raise InputError(f"{out} is a file; choose a folder")
    if not (out / _METADATA).is_file():
        if not all(path.name.startswith(f".{_METADATA}.") for path in out.iterdir()):
            raise InputError(f"{out} is not empty and no folder of phantoms; choose another folder")
        return set()
    try:
        header, *lines = csv.reader(io.StringIO((out / _METADATA).read_text(encoding="utf-8")))
        if tuple(header) != PhantomImage._fields:
            raise ValueError
        return {
            PhantomImage(name, label, tone, int(number), site, int(seed))
            for name, label, tone, number, site, seed in lines
        }
    except (ValueError, csv.Error):
        raise InputError(f"{out / _METADATA} is not a list of phantoms; choose another folder") from None


def _table(rows: list[PhantomImage]) -> bytes:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([PhantomImage._fields, *rows])
    return file.getvalue().encode()
