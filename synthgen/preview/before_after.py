"""Pairs pictures with the images that they start from: real ones, or those that an earlier entry made."""

import io
import itertools
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from synthgen.errors import DamagedError, InputError, one_line
from synthgen.plan import Plan
from synthgen.plan.sample import Sample
from synthgen.runs.folders import Dataset, Run
from synthgen.vision.picture import THUMBNAIL, Picture

_DRAWN = "phantom"  # the source whose images are no photographs
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pictures, with the images that they start from as far as these can be had.

    Attributes:
        pictures: The pictures, in the order they were given in.
        photographs: Whether a real photograph is among what they start from.
        missing: Whether they start from images that can't be had any more, so none is given.
    """

    pictures: Sequence[Picture]
    photographs: bool = False
    missing: bool = False


def pair_with_start_images(pictures: Sequence[Picture], folder: Run | Dataset) -> Pairs:
    """Pictures, each with the image that it starts from; none of them where one can't be had, and ``missing`` says so.

    Args:
        pictures: What is shown.
        folder: The run or dataset that they are from; its plan is read only where a picture starts from an image.
    """
    if not any(map(_starts_from_image, pictures)):
        return Pairs(pictures)
    try:
        plan = folder.plan
        contents = _contents(folder, [_sample_of(plan, picture) for picture in pictures if _starts_from_image(picture)])
    except (InputError, DamagedError, OSError) as error:
        _log.warning("the gallery lacks the images that its pictures start from: %s", one_line(error))
        return Pairs(pictures, missing=True)
    paired = [replace(picture, original=contents.get(picture.key)) for picture in pictures]
    return Pairs(paired, photographs=_any_photograph(plan, paired))


def _starts_from_image(picture: Picture) -> bool:
    """Whether a record says that its image was made from another: a real one, or one of an earlier entry."""
    return bool(picture.record["source_id"]) or "from" in json.loads(picture.record["attributes"])


def _sample_of(plan: Plan, picture: Picture) -> Sample:
    sample = plan.find(picture.key)
    source = sample.source.id if sample and sample.source else ""
    if sample is None or source != picture.record["source_id"]:
        raise InputError(f"the manifest plans another image as `{picture.key}` than the one stored")
    return sample


def _contents(folder: Run | Dataset, samples: Sequence[Sample]) -> dict[str, bytes]:
    """What each sample starts from, by its key; read once an entry, a work shard at a time."""
    samples = [sample for sample in samples if sample.source or sample.parent]
    originals, found, known = folder.start_images(samples), dict[tuple[str, str], bytes](), dict[bytes, bytes]()

    def place(sample: Sample) -> tuple[str, int]:
        return sample.recipe.entry, folder.plan.entries[sample.recipe.entry].shard_of(sample.index)

    once = {_origin(sample): sample for sample in samples}
    for _, shard in itertools.groupby(sorted(once.values(), key=place), place):
        batch = list(shard)
        originals.fetch(batch)
        for sample in filter(originals.has, batch):
            content = _encoded(Image.fromarray(originals(sample).pixels))
            found[_origin(sample)] = known.setdefault(content, content)
        originals.release(batch)
    return {sample.key: found[_origin(sample)] for sample in samples if _origin(sample) in found}


def _origin(sample: Sample) -> tuple[str, str]:
    """What two samples have in common that start from the same image at the same size."""
    return sample.recipe.entry, sample.parent or (sample.source.id if sample.source else "")


def _encoded(image: Image.Image) -> bytes:
    """An image as PNG where the page shows every pixel, and as JPEG where it shows a reduced copy."""
    buffer = io.BytesIO()
    if max(image.size) <= THUMBNAIL:
        image.save(buffer, "PNG")
    else:
        image.save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def _any_photograph(plan: Plan, pictures: Sequence[Picture]) -> bool:
    real = plan.manifest.real
    if real is None or real.source == _DRAWN:
        return False
    return any(picture.original is not None and picture.record["source_id"] for picture in pictures)
