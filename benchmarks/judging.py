"""How long a run is judged again when a rule has changed: 458,920 images, as many as Sagers et al. 2023 made.

    python benchmarks/judging.py [IMAGES]

Receipts and scores are written as a run has them, without an image; then rules are changed and the run is judged again.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from synthgen import curate
from synthgen.extensions import EXTENSIONS
from synthgen.plan import Plan, manifest
from synthgen.runs import run_folder, verdicts
from synthgen.runs.receipts import Ledger, SampleOutcome

IMAGES, SHARD, TONES = 458_920, 48, 6
LABELS = ["folliculitis", "lichen-planus", "melanoma", "psoriasis", "sarcoidosis"]


def planned(images: int, limit: float) -> Plan:
    """The plan of so many images, and the rule that their score is below a limit."""
    text = json.dumps(
        {
            "name": "judging",
            "seed": 1,
            "labels": {label: label for label in LABELS},
            "skin_tones": {"scale": "fitzpatrick", "values": list(range(1, TONES + 1))},
            "generate": [{"strategy": "fake", "total": images, "weights": {}}],
            "output": {"shard_samples": SHARD},
            "curate": {"scorers": {"fake": {}}, "keep": [f"fake.chance < {limit}", "not fake.brightness > 0.99"]},
        }
    )
    return Plan(manifest.parse(text, EXTENSIONS, base=Path(), where="judging"))


def make(root: Path, plan: Plan) -> None:
    """Write the receipts and scores of a run."""
    entry = plan.entries["fake"]
    run_folder.reserve(root, plan)
    ledger, keys = Ledger(root, entry.name, entry.digest), list[str]()
    for number in range(entry.shards):
        names = [f"{entry.name}-{entry.places[index].name}" for index in entry.places_of(number)]
        samples = tuple(SampleOutcome(name, "made", 0, ("made",), "0" * 64) for name in names)
        ledger.commit(
            number,
            lambda _: None,
            lambda _: None,
            samples=samples,
            environment={},
            timing={},
        )
        keys += names
    rng = np.random.default_rng(0)
    columns = {name: rng.random(len(keys)) for name in ("chance", "brightness")}
    path = verdicts.scores_path(root, "fake")
    path.parent.mkdir()
    pyarrow.parquet.write_table(pyarrow.table({"key": keys, **columns}), path)


def main(images: int) -> None:
    """Print what each judgement took."""
    os.fsync = lambda _: None  # receipts here need not survive a power cut, and there are thousands
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "run"
        make(root, planned(images, 0.9))
        for what, limit in (("for the first time", 0.9), ("again, another rule", 0.8), ("again, another rule", 0.7)):
            plan = planned(images, limit)
            began, spent = time.perf_counter(), time.process_time()
            accepted = curate.judge(root, plan).facts.accepted
            seconds, cpu = time.perf_counter() - began, time.process_time() - spent
            print(f"judged {images:,} images {what}: {seconds:.2f} s, {cpu:.2f} s of CPU, {accepted:,} accepted")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
