"""How long it takes to judge 458,920 images again once a rule has changed; no image is read.

Prints a line: ``python benchmarks/judging.py``.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from synthgen import rules, verdicts
from synthgen.curate.judging import judge, reasons
from synthgen.verdicts import Verdicts

RULES = ("near_copy.similarity < 0.86", "skin_tone.distance < 25", "highest 9000 by agreement.probability")
COLUMNS = {"near_copy": ("similarity",), "skin_tone": ("distance",), "agreement": ("probability",)}


def main() -> None:
    """Judge, give reasons, count and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=458_920)
    count = parser.parse_args().images
    rng = np.random.default_rng(0)
    parsed = [rules.parse(text, COLUMNS) for text in RULES]
    scores = {f"{name}.{column}": rng.random(count) for name, columns in COLUMNS.items() for column in columns}
    scores["skin_tone.distance"] *= 30
    labels, tones = rng.integers(0, 9, count), rng.integers(0, 6, count)
    names = {"label": [f"label-{number}" for number in labels], "skin_tone": [f"{number}" for number in tones]}
    keys = pa.array([f"text-label-1-{number:07d}" for number in range(count)])
    table = pa.table({"key": keys} | {name: pa.array(values) for name, values in names.items()})
    began = time.perf_counter()
    texts = reasons(parsed, judge(parsed, scores, labels, tones), count)
    judged = time.perf_counter() - began
    accepted = pa.array([not text for text in texts], pa.bool_())
    found = Verdicts(table.append_column("accepted", accepted).append_column("reason", pa.array(texts)), {})
    counted = sum(found.counts().values())
    with tempfile.TemporaryDirectory() as folder:
        verdicts.write(Path(folder), found)
    spent = time.perf_counter() - began
    print(f"{counted:,} images, {len(RULES)} rules: judged in {judged:.2f} s, counted and written after {spent:.2f} s")


if __name__ == "__main__":
    main()
