"""How long near-copies of 458,920 images are searched, on signatures: among 3,530 exactly, among many by an index.

A part is measured and the rest extrapolated, which is said. Signatures are of phantoms of site ``b``; where more are
needed than are drawn, they are blends of two. Prints the table of ``docs/curate.md``: ``python
benchmarks/near_copies.py``.
"""

import argparse
import time

import numpy as np
import numpy.typing as npt
from copies import CHANGES, drawn
from PIL import Image

from synthgen.vision.near_duplicates import THRESHOLD, References, method, signatures

Floats = npt.NDArray[np.float32]
MADE, REAL = 458_920, 3_530


def blended(rows: Floats, count: int) -> Floats:
    """As many signatures, each of two that there are."""
    rng = np.random.default_rng(0)
    one, other = (rows[rng.integers(0, len(rows), count)] for _ in range(2))
    mixed = one + rng.uniform(0.2, 1, (count, 1)).astype(np.float32) * other
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), np.float32)


def measured(name: str, known: References, queries: Floats, truth: npt.NDArray[np.int64] | None = None) -> None:
    """Print what a search takes and, where it is known what queries are copies of, how many are found."""
    began = time.process_time()
    found = known.nearest(queries)
    spent = time.process_time() - began
    minutes = spent / len(queries) * MADE / 60
    right = "" if truth is None else f"{((found.index == truth) & (found.similarity > THRESHOLD)).mean():.1%}"
    print(
        f"| {name} | {len(known.rows):,} | {len(queries):,} | {spent:.1f} s | {minutes:.0f} min | {right} |", flush=True
    )


def copied(images: npt.NDArray[np.uint8]) -> Floats:
    """Signatures of images that were cropped, and of the same mirrored, cropped, recoloured and stored as JPEG."""
    rng, found = np.random.default_rng(0), []
    for name in ("anywhere, 0.8 of the side", "mirrored, cropped, recoloured and JPEG"):
        found += [np.asarray(CHANGES[name](Image.fromarray(each), rng)) for each in images]
    return signatures(np.stack(found))


def main() -> None:
    """Draw, search and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=2048)
    parser.add_argument("--copies", type=int, default=300, help="copies of each of two kinds")
    parser.add_argument("--many", type=int, default=110_000, help="references of the index; more than 100,000")
    options = parser.parse_args()
    real = drawn(REAL, seed=1)
    rows, copies = signatures(real), copied(real[: options.copies])
    truth = np.tile(np.arange(options.copies), 2)
    print(f"| search | references | queries | CPU time | of {MADE:,}, extrapolated | copies found |")
    print("|---|---:|---:|---:|---:|---:|")
    measured("exact", References(rows), signatures(drawn(options.queries, seed=2)))
    measured("exact", References(rows), copies, truth)
    many = np.concatenate([rows, blended(rows, options.many - REAL)])
    began = time.process_time()
    index = References(many)
    built = time.process_time() - began
    measured(method(len(many)), index, copies, truth)
    measured("exact", References(many, exact=len(many)), copies, truth)
    print(f"\nThe index was built in {built:.0f} s of CPU time.")


if __name__ == "__main__":
    main()
