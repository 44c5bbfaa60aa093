"""What a study by probe costs beside one that trains every trial from pixels with the same kind of backbone.

A study is prepared as `synthgen classifier-eval` does. Its whole by probe is timed: features, trainings, report, in a
folder of its own and with no feature cached. Then a sample of its trainings is done from pixels, one after the other in
one thread, for as many optimizer steps. Gabor features have no weights, so what is trained from pixels in their place
is small-cnn, which costs about as much an image.

Run with ``python benchmarks/trials.py MANIFEST --synthetic DIR``; it prints a table.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from synthgen import evaluate
from synthgen.evaluate.images import arrays
from synthgen.evaluate.train import train
from synthgen.evaluate.train.train import ClassifierTraining, Setup
from synthgen.extensions import EXTENSIONS
from synthgen.plan import manifest as manifests
from synthgen.plan.manifest.learner import Learner


def probe_seconds(job: evaluate.EvaluateJob) -> float:
    """How long the whole study by probe takes, once it is prepared."""
    began = time.perf_counter()
    for count, _ in enumerate(evaluate.evaluate(job, workers=1), start=1):
        if count % 50 == 0:
            print(f"{count} of {len(job.names)} trainings by probe, {time.perf_counter() - began:.0f} s", flush=True)
    return time.perf_counter() - began


def pixel_seconds(job: evaluate.EvaluateJob, count: int) -> Iterator[float]:
    """How long each of some trainings from pixels takes; which ones is drawn at random, the same always."""
    side = 64
    learner = Learner(kind="finetune", optimizer_steps=job.settings.learner.optimizer_steps, image_size=side)
    names = random.Random(0).sample(sorted(job.names), count)  # noqa: S311 - no secret
    folder = job.out / "pixels"
    folder.mkdir()
    arrays.write_pixels(job.examples.rows, side, folder / "rows")
    labels, held_out, classes = job.examples.labels, job.examples.held_out, len(job.labels)
    setup = Setup(learner, learner.network, job.settings.mix, labels, held_out, classes, folder / "rows", folder)
    for name in names:
        trial = job.names[name]
        augment = ("classic",) if trial.augmented else ("",)
        unit = ClassifierTraining(name, *job.examples.rows_of(trial), trial.optimizer_steps, augment)
        began = time.perf_counter()
        train.train(setup, unit)
        seconds = time.perf_counter() - began
        print(f"from pixels: {seconds:.0f} s", flush=True)
        yield seconds


def main(manifest: Path, synthetic: Path, sample: int) -> None:
    """Time both and print the table."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["XDG_CACHE_HOME"] = home
        job = evaluate.prepare(manifests.read(manifest, EXTENSIONS), Path(home) / "report", EXTENSIONS, given=synthetic)
        whole, each = probe_seconds(job), list(pixel_seconds(job, sample))
        expected = statistics.mean(each) * len(job.names)
    print(f"| study of {len(job.names)} trainings, one thread | time |\n|---|---:|")
    print(
        f"| by probe, whole: features of {len(job.examples.rows):,} images, trainings, report | {whole / 60:.1f} min |"
    )
    spread = f"{statistics.mean(each):.1f} s ({min(each):.1f} to {max(each):.1f})"
    print(f"| from pixels: {sample} trainings, each | {spread} |")
    print(f"| from pixels, whole: expected from these | {expected / 60:.1f} min |")
    print(f"| ratio | {expected / whole:.0f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--synthetic", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=5)
    given = parser.parse_args()
    main(given.manifest, given.synthetic, given.sample)
