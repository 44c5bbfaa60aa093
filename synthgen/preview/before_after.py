"""Pairs pictures with the images that they start from: real ones, or those that an earlier entry made."""

import io
import itertools
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from synthgen.errors import DamagedError, InputError, one_line
from synthgen.plan import Plan
from synthgen.plan.sample import Sample
from synthgen.runs import dataset_folder, pseudonyms
from synthgen.runs.folders import Dataset, Run
from synthgen.runs.pseudonyms import Originals
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


def pair_with_start_images(pictures: Sequence[Picture], folder: Run | Dataset, work: Path | None = None) -> Pairs:
    """Pictures, each with the image that it starts from; none of them where one can't be had, and ``missing`` says so.

    Args:
        pictures: What is shown.
        folder: The run or dataset that they are from; its plan is read only where a picture starts from an image.
        work: The run that a dataset of pseudonyms is of; where left out the one beside it.
    """
    started = list(filter(_starts_from_image, pictures))
    if not started:
        return Pairs(pictures)
    try:
        names = _originals(folder, started, work)
        home = folder if names is None else names.run
        plan, samples = home.plan, {one.key: _sample_of(home.plan, one, names) for one in started}
        found = _contents(home, list(samples.values()))
        contents = {key: found[sample.key] for key, sample in samples.items() if sample.key in found}
    except (InputError, DamagedError, OSError) as error:
        _log.warning("the gallery lacks the images that its pictures start from: %s", one_line(error))
        return Pairs(pictures, missing=True)
    paired = [replace(picture, original=contents.get(picture.key)) for picture in pictures]
    return Pairs(paired, photographs=_any_photograph(plan, paired))


def _starts_from_image(picture: Picture) -> bool:
    """Whether a record says that its image was made from another: a real one, or one of an earlier entry."""
    return bool(picture.record["source_id"]) or "from" in json.loads(picture.record["attributes"])


def _originals(folder: Run | Dataset, started: Sequence[Picture], work: Path | None) -> Originals | None:
    """The way back to real images' own names; ``None`` where pictures are under these, or are made from none.

    Raises:
        InputError: Nobody says which run has them.
    """
    if not isinstance(folder, Dataset) or not pseudonyms.is_pseudonymous(folder):
        return None
    found, made_from = pseudonyms.originals(folder, work), {picture.record["source_id"] for picture in started} - {""}
    if found is None and made_from:
        raise InputError("real images go by pseudonyms here; say which run has them: --work RUN")
    if made_from - {source.id for source in dataset_folder.read_index(folder.root).sources}:
        raise InputError(f"{folder.root}: its manifest plans another image than the one stored under some key")
    return found


def _sample_of(plan: Plan, picture: Picture, names: Originals | None) -> Sample:
    key, source_id = picture.key, picture.record["source_id"]
    if names is not None:
        key, source_id = names.key(key, source_id), names.image(source_id)
    sample = plan.find(key)
    source = sample.source.id if sample and sample.source else ""
    if sample is None or source != source_id:
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
