"""How long the search for near-copies takes, on signatures: 458,920 images among 3,530, exactly, and among each other.

A part is measured and the rest extrapolated, which is said. Signatures are of phantoms of site ``b``; where more are
needed than are drawn, each is blended with another one. Prints what ``docs/curate.md`` says: ``python
benchmarks/near_copies.py``.
"""

import argparse
import time

import numpy as np
import numpy.typing as npt
from copies import drawn

from synthgen.near_copies import References, method, signatures

Floats = npt.NDArray[np.float32]
MADE, REAL = 458_920, 3_530


def blended(rows: Floats, count: int) -> Floats:
    """As many signatures, each of two that there are."""
    rng = np.random.default_rng(0)
    one, other = (rows[rng.integers(0, len(rows), count)] for _ in range(2))
    mixed = one + rng.uniform(0.2, 1, (count, 1)).astype(np.float32) * other
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), np.float32)


def minutes(spent: float, queries: int) -> str:
    """What all images take, by what some took."""
    return f"{spent / queries * MADE / 60:.0f} min (extrapolated)"


def exactly(rows: Floats, queries: Floats) -> None:
    """Print what the exact search takes."""
    known = References(rows)
    began = time.process_time()
    known.nearest(queries)
    spent = time.process_time() - began
    print(
        f"{len(queries):,} among {len(rows):,}, exactly: {spent:.1f} s of one core; all {MADE:,} by that "
        f"{minutes(spent, len(queries))}."
    )


def indexed(rows: Floats, queries: Floats) -> None:
    """Print what building the index and searching it takes, and how often it finds what copies were made of."""
    began = time.process_time()
    known = References(rows)
    built = time.process_time() - began
    began = time.process_time()
    found = known.nearest(queries)
    spent = time.process_time() - began
    right = (found.index == np.arange(len(queries))).mean()
    print(
        f"{len(queries):,} among {len(rows):,}, by {method(len(rows))}: built in {built:.0f} s of a core, searched in "
        f"{spent:.1f} s, all {MADE:,} by that in {minutes(spent, len(queries))}; {right:.1%} of noisy copies find "
        "what they were made of."
    )


def main() -> None:
    """Draw, search and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=2048)
    parser.add_argument("--drawn", type=int, default=REAL)
    parser.add_argument("--indexed", type=int, default=110_000, help="references of the index; more than 100,000")
    options = parser.parse_args()
    real = signatures(drawn(options.drawn, seed=1))
    made = signatures(drawn(options.queries, seed=2))
    exactly(real, made)
    many = blended(real, options.indexed)
    noise = np.random.default_rng(1).normal(0, 0.2 / 32, (options.queries, 1024)).astype(np.float32)
    indexed(many, many[: options.queries] + noise)


if __name__ == "__main__":
    main()
