"""What `synthgen pack` takes in memory and time, beside copying the same members with `tarfile`, in one run.

For each size a run of tiny samples is written (one image of 8 x 8 pixels in all of them, their records real), and then,
each in a process of its own:

* ``pack``     sorts, checks every image's sha256, writes tars, metadata, card and provenance, hashes all of it;
* ``tarfile``  lists the members, shuffles the samples, and copies member by member into as many tars; nothing else.

Memory is the process's peak resident set. Run with ``python benchmarks/pack.py``; ``--sizes 1000 --rounds 3`` for
others.
"""

import argparse
import hashlib
import json
import random
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

MANIFEST = """
name: pack-benchmark
seed: 1
labels: {psoriasis: psoriasis, melanoma: melanoma}
skin_tones: {scale: fitzpatrick, values: [1, 2, 3, 4, 5, 6]}
generate: [{strategy: fake, total: %d, settings: {height: 8, width: 8}}]
output: {image_format: jpeg, shard_samples: 1000}
"""
A_TAR = 5000


def plan_of(samples: int) -> Any:
    """The plan of a run of so many samples."""
    from synthgen.extensions import EXTENSIONS
    from synthgen.plan import Plan, manifest

    return Plan(manifest.parse(MANIFEST % samples, EXTENSIONS, base=Path(), where="manifest.yaml"))


def write_run(root: Path, samples: int) -> None:
    """Child: write a finished run as `generate` would leave it."""
    import numpy as np

    from synthgen.plan import sample
    from synthgen.runs import receipts, run_folder, tar_samples
    from synthgen.vision.images import codec

    plan = plan_of(samples)
    run_folder.reserve(root, plan)
    image = codec.encode(np.full((8, 8, 3), 99, np.uint8), codec.Encoding())
    sha256 = hashlib.sha256(image).hexdigest()
    entry = plan.entries["fake"]
    book = receipts.Ledger(root, entry.name, entry.digest)
    for number in range(entry.shards):
        made, files = [], []
        for one in entry.shard(number):
            record = sample.record(one, image_sha256=sha256, model_revision="", generator="benchmark")
            files.append((one.key, {"jpg": image, "json": record.to_json(), "cls": str(one.label_id).encode()}))
            made.append(receipts.SampleOutcome(one.key, "made", 0, ("made",), sha256))
        book.commit(
            number,
            lambda file, files=files: list(tar_samples.write(file, files)),
            lambda _: None,
            samples=tuple(made),
            environment={"dtype": "none"},
            timing={"seconds": 0.0, "finished": 0.0},
        )


def pack(root: Path, out: Path, workers: int) -> None:
    """Child: pack the run."""
    from synthgen import study

    report(lambda: sum(shard.samples for shard in study.pack(root, out, workers=workers)))


def copy(root: Path, out: Path) -> None:
    """Child: copy the same members with `tarfile`, sample by sample in a shuffled order."""
    report(lambda: copy_members(root, out))


def copy_members(root: Path, out: Path) -> int:
    """The bare copy; returns how many samples there were."""
    samples = defaultdict(list)
    for path in sorted(root.rglob("*.tar")):
        tar = tarfile.open(path)  # noqa: SIM115 - read again and again until the end
        for member in tar:
            samples[member.name.partition(".")[0]].append((tar, member))
    keys = list(samples)
    random.Random(1).shuffle(keys)  # noqa: S311 - an order, not a secret
    out.mkdir()
    for first in range(0, len(keys), A_TAR):
        with tarfile.open(out / f"{first // A_TAR:05d}.tar", "w") as shard:
            for key in keys[first : first + A_TAR]:
                for tar, member in samples[key]:
                    shard.addfile(member, tar.extractfile(member))
    return len(keys)


def report(work: Any) -> None:
    """Do the work, and print its seconds and the process's peak memory in MiB as JSON."""
    began = time.perf_counter()
    samples = work()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"samples": samples, "seconds": seconds, "mib": peak}))


def child(*arguments: object) -> dict[str, Any]:
    """Run this file in a process of its own; returns what it printed."""
    code = f"import sys; sys.modules['torch'] = None; sys.argv[0] = {__file__!r}; import runpy; "
    code += (
        f"runpy.run_path({__file__!r}, run_name='__main__')"  # webdataset would load torch, which pack has no use for
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--child", *map(str, arguments)], check=True, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout or b"{}")


def measure(samples: int, rounds: int, workers: int) -> None:
    """Print the rows of one size."""
    with tempfile.TemporaryDirectory() as folder:
        run, ours, bare = Path(folder, "run"), [], []
        child("run", run, samples)
        for turn in range(rounds):
            ours.append(child("pack", run, Path(folder, f"dataset-{turn}"), workers))
            bare.append(child("copy", run, Path(folder, f"copy-{turn}")))
    for name, found in (("pack", ours), ("tarfile", bare)):
        seconds = statistics.median(one["seconds"] for one in found)
        peak = max(one["mib"] for one in found)
        print(f"{samples:>10,}  {name:<8} {peak:7.0f} MiB {seconds:8.1f} s {samples / seconds:10,.0f} samples/s")
    ratio = statistics.median(b["seconds"] / o["seconds"] for o, b in zip(ours, bare, strict=True))
    print(f"{samples:>10,}  pack / tarfile: {ratio:.2f} times the rate (goal 1)", flush=True)


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 200_000], help="samples in a run")
    parser.add_argument("--rounds", type=int, default=1, help="turns of pack and tarfile")
    parser.add_argument("--workers", type=int, default=1, help="processes that pack")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.child:
        for samples in arguments.sizes:
            measure(samples, arguments.rounds, arguments.workers)
        return
    name, root, *rest = arguments.child
    {
        "run": lambda: write_run(Path(root), int(rest[0])),
        "pack": lambda: pack(Path(root), Path(rest[0]), int(rest[1])),
        "copy": lambda: copy(Path(root), Path(rest[0])),
    }[name]()


if __name__ == "__main__":
    main()
