"""An image of a run made once more before any is added to it, to see that this device still makes the same bytes.

Versions, model and device are compared before that, and all of them may agree where a kernel does not: a driver is
another one, a library falls back to another algorithm where a neighbour leaves it no memory. A CPU does no such thing.
"""

import json
import logging
from collections.abc import Iterator, Sequence

from synthgen.errors import DamagedError, InputError, OutOfMemoryError, UnavailableError
from synthgen.generate import retry
from synthgen.generate.loaded_entry import LoadedEntry
from synthgen.generate.write_shard import encode
from synthgen.plan.sample import Record, Sample
from synthgen.runs import tar_samples
from synthgen.runs.start_images import StartImages
from synthgen.vision.images import codec

_log = logging.getLogger(__name__)


def needed(entry: LoadedEntry) -> bool:
    """Whether a device is one whose bytes may change while all that is pinned stays."""
    return entry.environment.device in ("cuda", "mps")


def check(entry: LoadedEntry, numbers: Sequence[int], start_images: StartImages) -> str:
    """Make the first image of the first finished work shard again, as it was made; returns its key, or an empty text.

    A shard that was made on another device is passed over, and so is one whose photographs are no more where they
    were. Where there is no memory for the batch of then, nothing is known, and the run goes on by smaller ones.

    Args:
        entry: The entry, its model loaded with the adapter of the shards that are to come.
        numbers: Its work shards, in order.
        start_images: Reads the images that samples start from.

    Raises:
        UnavailableError: It is another image now.
    """
    for number in numbers:
        receipt = entry.ledger.trusted(number)
        if receipt is None or receipt.environment["device_name"] != entry.environment.device_name:
            continue
        samples = entry.plan.shard(number)
        if samples[0].recipe.adapter != entry.recipe.adapter:
            continue
        size = int(receipt.environment["batch_size"])
        try:
            start_images.fetch(samples)
        except (DamagedError, InputError) as error:
            _log.info("%s: not made again to compare: %s", entry.ledger.tar(number), error)
            continue
        try:
            ready = [one for one in samples if start_images.has(one)]
            stored = {one.key: one for one in tar_samples.read(entry.ledger.tar(number))}
            for made in _first_batch(entry, ready[:size], size):
                found = stored.get(made.sample.key)
                if found and _is_first(record := Record.from_json(found.files["json"])):
                    _compare(entry, made, found, record)
                    return record.key
        except OutOfMemoryError as error:
            _log.warning("no image was made again to compare, as there is no memory for %d at once: %s", size, error)
            return ""
        finally:
            start_images.release(samples)
    return ""


def _first_batch(entry: LoadedEntry, samples: list[Sample], size: int) -> Iterator[retry.MadeSample]:
    """The images of a shard's first batch that are settled at once."""
    if samples:
        made = retry.make(samples, entry.maker, size, lambda one, _: one, max_attempts=1,
                          redo_batch_size=entry.environment.redo_batch_size)  # fmt: skip
        yield from (one for one in made if one.pixels is not None and one.outcomes == ("made",))


def _is_first(record: Record) -> bool:
    """Whether an image was kept as it came out first, in the run's own dtype."""
    return not record.attempt and "precision" not in json.loads(record.attributes)


def _compare(entry: LoadedEntry, made: retry.MadeSample, stored: tar_samples.TarSample, record: Record) -> None:
    outcome, files = encode(entry, made)
    if outcome.sha256 == record.image_sha256:
        _log.info("%s: made again, it is the same to the byte", record.key)
        return
    distance = codec.psnr(codec.decode(stored.image), codec.decode(files[entry.encoding.extension]))
    raise UnavailableError(
        f"{entry.ledger.tar(0).parent}: {entry.environment.device_name} makes another image of `{record.key}` than the "
        f"run holds, {distance:.1f} dB from it, though versions and model are those that it was begun with: use the "
        "driver and the libraries of then, end what else is on the device, or go on in another --out"
    )
