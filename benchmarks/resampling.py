"""What the intervals of a study cost beside `scipy.stats.bootstrap`, which resamples one way and one pair at a time.

A study of 300 trials on 400 test images is resampled 2,000 times over images and seeds, and each of its 60 arms of five
seeds is compared with the first. scipy's percentile bootstrap of paired differences over the images alone, of as many
draws, is timed on some of these pairs; it knows nothing of seeds.

Run with ``python benchmarks/resampling.py``; it prints a table.
"""

import argparse
import time

import numpy as np
from scipy import stats

from synthgen.evaluate.analysis import statistics

TRIALS, SEEDS, IMAGES = 300, 5, 400


def ours(hits: np.ndarray) -> float:
    """Seconds for every comparison of the study."""
    began = time.perf_counter()
    drawn = statistics.resampling([str(number) for number in range(IMAGES)])
    scores = statistics.accuracy(drawn.images, hits)
    for first in range(SEEDS, TRIALS, SEEDS):
        statistics.compare(scores[:, first : first + SEEDS], scores[:, :SEEDS], drawn)
    return time.perf_counter() - began


def scipys(hits: np.ndarray, pairs: int) -> float:
    """Seconds for as many comparisons, from the time of some."""
    began = time.perf_counter()
    base = hits[:SEEDS].mean(0)
    for first in range(SEEDS, SEEDS * (pairs + 1), SEEDS):
        differences = (hits[first : first + SEEDS].mean(0) - base,)
        rng = np.random.default_rng(first)
        stats.bootstrap(
            differences, np.mean, n_resamples=statistics.DRAWS, method="percentile", vectorized=True, rng=rng
        )
    return (time.perf_counter() - began) / pairs * (TRIALS // SEEDS - 1)


def main(pairs: int) -> None:
    """Time both and print the table."""
    hits = (np.random.default_rng(0).random((TRIALS, IMAGES)) < 0.5).astype(float)
    two_way, one_way = ours(hits), scipys(hits, pairs)
    print(f"| {TRIALS // SEEDS - 1} comparisons, {statistics.DRAWS:,} draws | seconds |\n|---|---:|")
    print(f"| synthgen, over images and seeds | {two_way:.2f} |")
    print(f"| scipy.stats.bootstrap, over images | {one_way:.2f} |")
    print(f"| ratio | {one_way / two_way:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=20, help="how many of them scipy is timed on")
    main(parser.parse_args().pairs)
