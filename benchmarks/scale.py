"""The paper's number from end to end: `p1-scale`, trained, made with kills, curated, packed, published and read.

Each stage is a process of its own, as a user starts it. While it works, its whole tree of processes is looked at every
few seconds: memory (the sum of proportional set sizes, which counts shared pages once), CPU seconds, images with
receipts. What others on the machine took of its cores meanwhile is kept too. ``measures.jsonl`` gets a line a stage; a
stage that has one is not done again, so that this may be killed and started again like everything else here.

    python benchmarks/scale.py --out FOLDER            # hours
    python benchmarks/scale.py --out FOLDER --only generate,verify-run

The dataset is published to a Hub on this machine, the tests' own.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
MANIFEST = HERE.parent / "manifests" / "p1-scale.yaml"
EVERY = 5.0  # seconds from look to look
KILLS = (0.2, 0.45, 0.7)  # after these shares of the images
REPO = "org/p1-scale"
NULL = """
name: "null"
seed: 1
model: phantom
prompts: sagers2023
labels: {a: psoriasis, b: melanoma, c: vitiligo, d: healthy skin}
skin_tones: {scale: fitzpatrick, values: [1, 2, 3, 4, 5, 6]}
generate: [{strategy: fake, total: 1000000, settings: {height: 32, width: 32}}]
output: {image_format: jpeg, shard_samples: 1000}
"""
# What reads a dataset to its end, as a training would; prints how many images it had.
READ = """
import sys
import datasets, numpy
datasets.disable_progress_bars()
found = datasets.load_dataset(sys.argv[1], split="train", streaming=sys.argv[2] == "stream")
total = images = 0
for row in found:
    images += 1
    total += int(numpy.asarray(row.get("image") or row["jpg"])[::16, ::16].sum())
print(images, total)
"""


@dataclass
class Measure:
    """What one process of a stage took.

    Attributes:
        stage: The stage's name.
        command: The command, after ``python``.
        began: When, in seconds since 1970.
        seconds: Wall time.
        code: The exit code; negative where a signal ended it.
        cpu: CPU seconds of the whole tree, as last seen.
        others: CPU seconds that other programs of the machine took meanwhile.
        looks: Seconds since the beginning, MiB of memory, processes and images with receipts, at each look.
        images: Images with receipts at the end.
        said: The last line that it wrote.
    """

    stage: str
    command: list[str]
    began: float
    seconds: float = 0.0
    code: int = 0
    cpu: float = 0.0
    others: float = 0.0
    looks: list[tuple[float, float, int, int]] = field(default_factory=list)
    images: int = 0
    said: str = ""


class Bench:
    """The folder of the run and what was measured so far."""

    def __init__(self, out: Path, workers: int) -> None:
        self.out = out
        self.workers = workers
        self.study = out / "study"
        self.work = self.study / "work"
        self.log = out / "log.txt"
        self.path = out / "measures.jsonl"
        self._counts: dict[str, int] = {}
        out.mkdir(parents=True, exist_ok=True)

    def measures(self) -> list[Measure]:
        """Everything measured so far."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        return [Measure(**json.loads(line)) for line in lines]

    def images(self) -> int:
        """Images of the run that have a receipt: those of whole shards."""
        counts = self._counts
        for path in self.work.glob("*/*.json"):
            if (name := f"{path.parent.name}/{path.name}") not in counts:
                counts[name] = json.loads(path.read_text(encoding="utf-8")).get("count", 0)
        return sum(counts.values())

    def run(
        self, stage: str, *command: str | Path, until: int | None = None, environment: dict[str, str] | None = None
    ) -> Measure:
        """Start ``python COMMAND`` and look at it to its end, or kill it and all its children at ``until`` images."""
        import psutil

        arguments = [os.fspath(one) for one in command]
        with self.log.open("ab") as log:
            log.write(f"\n## {stage}: {' '.join(arguments)}\n".encode())
            log.flush()
            start = log.tell()
            measure = Measure(stage, arguments, time.time())
            before = psutil.cpu_times()
            began = time.perf_counter()
            process = subprocess.Popen(
                [sys.executable, *arguments],
                stdout=log,
                stderr=log,
                env=os.environ | (environment or {}),
                process_group=0,
            )
            tree: dict[int, float] = {}
            while True:
                try:
                    process.wait(EVERY)
                except subprocess.TimeoutExpired:
                    pass
                else:
                    break
                seen = _look(process.pid, tree)
                images = self.images()
                measure.looks.append((round(time.perf_counter() - began, 1), *seen, images))
                if until is not None and images >= until:
                    os.killpg(process.pid, signal.SIGKILL)
            measure.seconds = time.perf_counter() - began
        measure.code = process.returncode
        measure.cpu = sum(tree.values())
        after = psutil.cpu_times()
        busy = sum(after) - after.idle - after.iowait - (sum(before) - before.idle - before.iowait)
        measure.others = max(0.0, busy - measure.cpu)
        measure.images = self.images()
        with self.log.open("rb") as log:
            log.seek(start)
            lines = log.read().decode(errors="replace").strip().splitlines()
        measure.said = lines[-1] if lines else ""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(measure)) + "\n")
        print(f"{stage}: {measure.seconds:,.1f} s, exit {measure.code}, {measure.said[:150]}", flush=True)
        return measure


def _look(pid: int, tree: dict[int, float]) -> tuple[float, int]:
    """MiB and number of processes of a tree; their CPU seconds are kept in ``tree``, of those that end as last seen."""
    import psutil

    memory, processes = 0, 0
    try:
        every = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0.0, 0
    for one in every:
        try:
            times = one.cpu_times()
            tree[one.pid] = times.user + times.system
            memory += one.memory_full_info().pss
            processes += 1
        except psutil.Error:
            continue
    return round(memory / 2**20, 1), processes


def finetune(bench: Bench) -> None:
    """Train the adapter."""
    bench.run("finetune", "-m", "synthgen", "finetune", MANIFEST, "--out", bench.work)


def generate(bench: Bench) -> None:
    """Make the images, killed with -9 on the way; whoever is started after a kill goes on."""
    from synthgen.extensions import EXTENSIONS
    from synthgen.runs import load_plan

    command = ("-m", "synthgen", "generate", MANIFEST, "--out", bench.work, "--workers", str(bench.workers))
    planned = load_plan.read(MANIFEST, EXTENSIONS).samples
    for share in KILLS:
        if bench.images() < share * planned:
            bench.run("generate", *command, until=int(share * planned))
    bench.run("generate", *command)


def restart(bench: Bench) -> None:
    """Start it again when all is done."""
    bench.run("restart", "-m", "synthgen", "generate", MANIFEST, "--out", bench.work, "--workers", str(bench.workers))


def verify_run(bench: Bench) -> None:
    """Read every byte of the run."""
    bench.run("verify-run", "-m", "synthgen", "verify", bench.work)


def curate(bench: Bench) -> None:
    """Score every image and judge it."""
    workers = ("--workers", str(bench.workers))
    bench.run("curate", "-m", "synthgen", "curate", bench.work, "--manifest", MANIFEST, *workers)


def judge(bench: Bench) -> None:
    """Judge again: nothing is scored."""
    bench.run("judge", "-m", "synthgen", "curate", bench.work, "--manifest", MANIFEST)


def pack(bench: Bench) -> None:
    """Pack into tars and into Parquet."""
    for layout, folder in (("webdataset", "dataset"), ("parquet", "dataset-parquet")):
        out = bench.study / folder
        arguments = ("--format", layout, "--workers", str(bench.workers))
        bench.run(f"pack-{layout}", "-m", "synthgen", "pack", bench.work, "--out", out, *arguments)


def verify_dataset(bench: Bench) -> None:
    """Read every byte of both datasets."""
    for folder in ("dataset", "dataset-parquet"):
        bench.run(f"verify-{folder}", "-m", "synthgen", "verify", bench.study / folder)


def classifier_eval(bench: Bench) -> None:
    """Train classifiers with the images and without."""
    command = ("-m", "synthgen", "classifier-eval", MANIFEST, "--synthetic", bench.study / "dataset")
    bench.run("classifier-eval", *command, "--out", bench.study / "report")


def publish(bench: Bench) -> None:
    """Publish the tars to a Hub on this machine, then again: nothing is left to send."""
    sys.path.insert(0, os.fspath(HERE.parent / "tests" / "publish"))
    from calls import TOKEN
    from hub import Hub

    with Hub().serving() as hub, tempfile.TemporaryDirectory() as home:
        login = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "HF_HOME": home, "HF_HUB_DISABLE_XET": "1"}
        command = ("-m", "synthgen", "publish", bench.study / "dataset", "--repo", REPO)
        bench.run("publish", *command, environment=login)
        bench.run("publish-again", *command, environment=login)


def read(bench: Bench) -> None:
    """Read both datasets with `datasets`, whole and streaming, to their ends."""
    with tempfile.TemporaryDirectory(dir=bench.out) as home:
        for folder in ("dataset", "dataset-parquet"):
            for way in ("map", "stream"):
                path = bench.study / folder
                bench.run(f"read-{folder}-{way}", "-c", READ, path, way, environment={"HF_HOME": home})


def preview(bench: Bench) -> None:
    """Show a sample of the run."""
    bench.run("preview", "-m", "synthgen", "preview", bench.work, "--out", bench.study / "preview.html")


def null(bench: Bench) -> None:
    """Make a million images by no model, and start that again: what the engine itself takes."""
    apart = Bench(bench.out / "null", bench.workers)
    manifest = apart.out / "null.yaml"
    manifest.write_text(NULL, encoding="utf-8")
    command = ("-m", "synthgen", "generate", manifest, "--out", apart.work, "--workers", str(bench.workers))
    apart.run("null", *command)
    apart.run("null-restart", *command)


STAGES: dict[str, Callable[[Bench], None]] = {
    "finetune": finetune,
    "generate": generate,
    "restart": restart,
    "verify-run": verify_run,
    "curate": curate,
    "judge": judge,
    "pack": pack,
    "verify-dataset": verify_dataset,
    "classifier-eval": classifier_eval,
    "publish": publish,
    "read": read,
    "preview": preview,
    "null": null,
}


def main() -> None:
    """Do the stages that nobody has measured yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder of the study and of what is measured")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default=",".join(STAGES), help="stages, in this order")
    options = parser.parse_args()
    bench = Bench(options.out.resolve(), options.workers)
    for name in options.only.split(","):
        done = {one.stage for one in bench.measures() if one.code == 0}
        if not any(one == name or one.startswith(f"{name}-") for one in done if one != "verify-run"):
            STAGES[name](bench)
            print(name, flush=True)


if __name__ == "__main__":
    main()
