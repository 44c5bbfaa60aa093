"""Encodes and hashes the images of a work shard, writes its tar, reads it back and commits it."""

import hashlib
import time
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import BinaryIO

from synthgen.core.devices import Environment
from synthgen.core.releases import __version__
from synthgen.errors import DamagedError
from synthgen.generate import stated_origin
from synthgen.generate.loaded_entry import LoadedEntry
from synthgen.generate.retry import MadeSample
from synthgen.plan.sample import record
from synthgen.runs import tar_samples
from synthgen.runs.receipts import Receipt, SampleOutcome
from synthgen.vision.images import codec

EncodedSample = tuple[SampleOutcome, dict[str, bytes]]


def encode(entry: LoadedEntry, made: MadeSample) -> EncodedSample:
    """The outcome of one sample, and the files that are stored of it: image, record, class and label map."""
    sample = made.sample
    if made.pixels is None:
        return SampleOutcome(sample.key, "failed", sample.attempt, made.outcomes, ""), {}
    made_by = stated_origin.made_by(sample, entry.output, entry.environment.model_revision, entry.environment.parts)
    content = codec.encode(made.pixels, entry.encoding, stated_origin.source_type(sample), made_by)
    sha256 = hashlib.sha256(content).hexdigest()
    label_map = codec.encode_mask(made.mask, sample.label_id) if entry.output.mask and made.mask is not None else b""
    metadata = record(
        sample,
        image_sha256=sha256,
        model_revision=entry.environment.model_revision,
        generator=f"synthgen {entry.environment.versions.get('synthgen', __version__)}",
        part_revisions=entry.environment.parts,
        precision=made.precision,
        mask_sha256=hashlib.sha256(label_map).hexdigest() if label_map else "",
    )
    outcome = SampleOutcome(sample.key, "made", sample.attempt, made.outcomes, sha256)
    files = {
        entry.encoding.extension: content,
        "json": metadata.to_json(),
        "cls": str(sample.label_id).encode(),
        **({tar_samples.MASK: label_map} if label_map else {}),
    }
    return outcome, files


def commit(
    entry: LoadedEntry,
    number: int,
    files: list[Future[EncodedSample]],
    environment: Environment,
    seconds: float,
) -> Receipt:
    """The receipt of a shard, written here in the plan's order, whatever order its images were settled in."""
    results = {future.result()[0].key: future.result() for future in files}
    ordered = [results[sample.key] for sample in entry.plan.shard(number)]
    outcomes = tuple(outcome for outcome, _ in ordered)
    members = [(outcome.key, content) for outcome, content in ordered if content]

    def write(file: BinaryIO) -> None:
        deque(tar_samples.write(file, members), maxlen=0)

    def check(path: Path) -> None:
        if [(sample.key, dict(sample.files)) for sample in tar_samples.read(path)] != members:
            raise DamagedError(f"{path}: what was read back is not what was written; is the disk sound?")

    return entry.ledger.commit(
        number,
        write,
        check,
        samples=outcomes,
        environment=environment.to_dict() | ({"device_name": entry.other_device} if entry.other_device else {}),
        timing={"seconds": round(seconds, 3), "finished": round(time.time(), 3)},
    )
