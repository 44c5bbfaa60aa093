"""What `--workers auto` rests on: `synthgen generate` on a CPU by one process of all threads, and by a process a core.

Whole processes that make the first ``--limit`` images of a manifest, in turns. The rate is images a
second of wall time between the first receipt and the last, so that start-up and loading are left out; the whole time,
with them, stands beside it. Whether the tars are the same bytes is said too. Run with ``python benchmarks/workers.py``.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MANIFEST = Path(__file__).parent / "loop.yaml"


def generate(manifest: Path, workers: int, limit: int) -> tuple[float, float, str]:
    """One run: images a second, its whole seconds, and a digest of its tars."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "synthgen", "generate", str(manifest), "--out", folder, "-q"]
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        began = time.perf_counter()
        subprocess.run([*command, "--workers", str(workers), "--limit", str(limit)], check=True, env=environment)
        whole = time.perf_counter() - began
        receipts = [json.loads(path.read_text()) for path in sorted(Path(folder, "text").glob("*.json"))]
        digest = hashlib.sha256("".join(receipt["sha256"] for receipt in receipts).encode()).hexdigest()
        ends = [receipt["timing"]["finished"] for receipt in receipts]
        starts = [end - receipt["timing"]["seconds"] for end, receipt in zip(ends, receipts, strict=True)]
        return sum(receipt["count"] for receipt in receipts) / (max(ends) - min(starts)), whole, digest


def main() -> None:
    """Take turns, and print a table and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, default=MANIFEST, help="of one entry called `text`")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--limit", type=int, default=480, help="images a run")
    arguments = parser.parse_args()
    from synthgen.core import devices

    cores = devices.cores()
    found: dict[int, list[tuple[float, float, str]]] = {1: [], cores: []}
    for _ in range(arguments.rounds):
        for workers, runs in found.items():
            runs.append(generate(arguments.manifest, workers, arguments.limit))
    print(f"{arguments.manifest.name}: {arguments.limit} images, median of {arguments.rounds}; {cores} cores")
    for workers, runs in found.items():
        rate, whole = (statistics.median(run[part] for run in runs) for part in (0, 1))
        print(
            f"  {workers} workers, {max(1, cores // workers)} threads each  {rate:8.2f} images/s  {whole:8.1f} s whole"
        )
    ratios = [many[0] / one[0] for one, many in zip(found[1], found[cores], strict=True)]
    same = len({run[2] for runs in found.values() for run in runs}) == 1
    ratio = statistics.median(ratios)
    print(f"{cores} workers / 1 worker: {ratio:.2f} in images/s; {'the same' if same else 'OTHER'} bytes")


if __name__ == "__main__":
    main()
