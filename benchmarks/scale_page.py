"""Writes docs/scale.md and its plot from what ``benchmarks/scale.py`` measured.

python benchmarks/scale_page.py --out FOLDER       # the folder that was given to scale.py
"""

import argparse
import json
import os
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scale import Bench, Measure

from synthgen.core import atomic

DOCS = Path(__file__).parent.parent / "docs"
PAGE, PLOT = DOCS / "scale.md", DOCS / "scale_memory.png"
# Seconds that an image of SDXL takes an A100 of 80 GB: 1024 x 1024 pixels, 30 steps, bfloat16, PyTorch's attention.
SDXL_SECONDS = 3.31
SDXL_SOURCE = (
    "https://github.com/huggingface/diffusers/blob/06d6b30cafce8f59c89efca4582ad19ec64814da/"
    "docs/source/en/tutorials/fast_diffusion.md"
)
SAID = {
    "finetune": "10,000 photographs indexed, the adapter trained",
    "generate": "every image made, with the kills",
    "restart": "started again when all is made",
    "verify-run": "`verify` of the run",
    "curate": "`curate`: scored and judged",
    "judge": "judged again",
    "pack-webdataset": "packed into tars",
    "pack-parquet": "packed into Parquet",
    "verify-dataset": "`verify` of the tars",
    "verify-dataset-parquet": "`verify` of the Parquet files",
    "publish": "published",
    "publish-again": "published again: nothing to send",
    "read-dataset-map": "tars read by `datasets`, as a map",
    "read-dataset-stream": "tars read by `datasets`, streaming",
    "read-dataset-parquet-map": "Parquet read by `datasets`, as a map",
    "read-dataset-parquet-stream": "Parquet read by `datasets`, streaming",
    "preview": "the gallery of 5,000 of them",
    "classifier-eval": "a study of what they do for a classifier",
}
MAKES = ("finetune", "restart", "publish-again", "judge", "preview", "classifier-eval")  # whose rate says nothing
H100_TIMES = 2.0
H100_SOURCE = "https://www.baseten.co/blog/unlocking-the-full-power-of-nvidia-h100-gpus-for-ml-inference-with-tensorrt/"
WARM = 120.0  # seconds after which the memory of a process of `generate` is that of its work
HANDED_BACK = 1795824600.0  # seconds since 1970; processes that began earlier ran without core/free_memory.py


@dataclass(frozen=True)
class Stage:
    """All processes of a stage, added up.

    Attributes:
        name: The stage.
        parts: What each process took.
    """

    name: str
    parts: Sequence[Measure]

    @property
    def seconds(self) -> float:
        """Wall time of all."""
        return sum(one.seconds for one in self.parts)

    @property
    def cpu(self) -> float:
        """CPU seconds of all."""
        return sum(one.cpu for one in self.parts)

    @property
    def others(self) -> float:
        """The share of the machine's cores that other programs took."""
        return sum(one.others for one in self.parts) / (self.seconds * (os.cpu_count() or 1))

    @property
    def memory(self) -> float:
        """The most MiB that were seen."""
        return max((look[1] for one in self.parts for look in one.looks), default=0.0)


def stages(measured: Sequence[Measure]) -> list[Stage]:
    """The stages in the order in which they were done."""
    found = defaultdict[str, list[Measure]](list)
    for one in measured:
        found[one.stage].append(one)
    return [Stage(name, parts) for name, parts in found.items()]


def page(bench: Bench) -> Iterator[str]:
    """The lines of docs/scale.md."""
    found = {one.name: one for one in stages(bench.measures())}
    made = found["generate"]
    images = made.parts[-1].images
    yield "# The paper's number on two cores"
    yield ""
    yield from _paragraph(
        f"""`benchmarks/scale.py` makes [`p1-scale`](../manifests/p1-scale.yaml) end to end: {images:,} images by the
        six cells of Sagers et al. 2023, drawn by the bundled model in four steps, half of them by an adapter that was
        tuned on site b. `benchmarks/scale_page.py` writes this page and its plot from what was measured; no figure is
        from elsewhere unless its source stands beside it. The images are of 64 x 64 pixels and show no real disease."""
    )
    yield from _paragraph(
        f"""The machine has {os.cpu_count()} cores, {_memory():.0f} GiB of memory and no GPU, and was used by others
        meanwhile: the last column says which share of its cores they had. Memory is the most that all processes of a
        stage held at once, pages that they share counted once."""
    )
    yield "| | wall time | CPU seconds | images/s | images/s of CPU | memory, MiB | others |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for name, stage in found.items():
        rate = "" if name in MAKES else f"{images / stage.seconds:,.1f}"
        of_cpu = "" if name in MAKES or not stage.cpu else f"{images / stage.cpu:,.1f}"
        looked = (f"{stage.cpu:,.0f}", f"{stage.memory:,.0f}", f"{stage.others:.0%}") if stage.memory else ("", "", "")
        cpu, memory, others = looked  # of what is over before the first look nothing is known
        yield f"| {SAID[name]} | {_time(stage.seconds)} | {cpu} | {rate} | {of_cpu} | {memory} | {others} |"
    yield ""
    yield from _paragraph(
        f"""Making the images took {made.cpu:,.0f} CPU seconds, which two cores have in {made.cpu / 7200:.1f} hours when
        nobody else wants them; everything from the run's verification on took {_cpu_after(found):,.0f} more."""
    )
    if "classifier-eval" not in found:
        yield from _paragraph(
            """Not among these: the manifest's study of a classifier, whose search for near-copies among all of them was
            stopped, and the scorer `near_copy` against the 10,000 photographs, which was not asked for."""
        )
    yield from _kills(made, images)
    yield ""
    yield from _memory_over_time(made)
    yield ""
    yield from _disk(bench)
    yield ""
    yield from _larger(bench, found, images)
    yield ""
    yield from _elsewhere(images)
    yield ""


def _kills(made: Stage, images: int) -> Iterator[str]:
    """What was killed, and what it cost."""
    killed = [one for one in made.parts if one.code == -9]
    told = ", ".join(f"{one.images:,}" for one in killed)
    yield "## Killed"
    yield ""
    yield from _paragraph(
        f"""`generate --workers 2` was killed with its workers by `kill -9` {len(killed)} times, when there were {told}
        images. Each time the same command went on; in the end {images:,} were there, and `verify` read each byte."""
    )


def _memory_over_time(made: Stage) -> Iterator[str]:
    """How the memory of each process and its workers grew."""
    from scipy import stats

    yield "## Memory"
    yield ""
    yield from _paragraph(
        f"""Of `generate` and its two workers together, after {WARM / 60:.0f} minutes, when each has loaded a model, and
        at the most. Growth is Theil and Sen's slope over all looks since then; where an entry by an adapter, or one
        that starts from another's images, begins, memory takes a step."""
    )
    if grew := sum(one.began < HANDED_BACK for one in made.parts):
        yield from _paragraph(
            f"""The first {grew} of these processes ran as version 0.2.0 does, where the C library keeps what is freed;
            those after them hand it back after each work shard."""
        )
    yield "| process | images made | minutes | MiB after warming up | MiB at the most | growth, kB an image |"
    yield "|---:|---:|---:|---:|---:|---:|"
    before = 0
    for number, one in enumerate(made.parts, 1):
        warm = [look for look in one.looks if look[0] >= WARM]
        memory, images = [look[1] for look in warm], [look[3] for look in warm]
        slope = stats.theilslopes(memory, images).slope * 2**20 / 1000
        yield (
            f"| {number} | {one.images - before:,} | {one.seconds / 60:.0f} | {memory[0]:,.0f} | {max(memory):,.0f} | "
            f"{slope:.1f} |"
        )
        before = one.images
    yield ""
    yield f"![Memory of all processes while the images are made]({PLOT.name})"


def _disk(bench: Bench) -> Iterator[str]:
    """Files and bytes of every folder."""
    yield "## On disk"
    yield ""
    yield "| folder | files | most files in one folder | bytes | bytes an image |"
    yield "|---|---:|---:|---:|---:|"
    images = bench.images()
    for folder in ("work", "dataset", "dataset-parquet"):
        root = bench.study / folder
        if not root.exists():
            continue
        files = [path for path in root.rglob("*") if path.is_file()]
        sizes = [path.stat().st_size for path in files]
        most = max(Counter(path.parent for path in files).values())
        yield f"| `{folder}` | {len(sizes):,} | {most:,} | {sum(sizes) / 1e9:.2f} GB | {sum(sizes) / images:,.0f} |"


def _after(found: Mapping[str, Stage]) -> list[Stage]:
    """What is done with images once they are made."""
    return [stage for name, stage in found.items() if name not in ("finetune", "generate")]


def _cpu_after(found: Mapping[str, Stage]) -> float:
    return sum(stage.cpu for stage in _after(found))


def _larger(bench: Bench, found: Mapping[str, Stage], images: int) -> Iterator[str]:
    """What binds first where there are more images, by arithmetic from what was measured, and by a run of no model."""
    yield "## Ten million, and a hundred"
    yield ""
    yield from _paragraph(
        """By arithmetic from the table: hours of one core, bytes and files grow with the images. What memory does was
        measured at one size, so what stands here is the most that it can be: all of it in proportion, of whatever
        needs most. A core's hours bind first; with many machines, a reader that copies tars into one Arrow cache."""
    )
    yield "| images | making them, core hours | the rest, core hours | run and tars, GB | work shards | memory, GiB |"
    yield "|---:|---:|---:|---:|---:|---|"
    after = _after(found)
    making, rest = found["generate"].cpu / images, _cpu_after(found) / images
    largest = max(after, key=lambda stage: stage.memory)
    stored = sum(_bytes(bench.study / folder) for folder in ("work", "dataset")) / images
    shards = sum(1 for _ in bench.work.glob("*/*.tar")) / images
    for number in (images, 10_000_000, 100_000_000):
        times = number / images
        yield (
            f"| {number:,} | {number * making / 3600:,.1f} | {number * rest / 3600:,.1f} | "
            f"{number * stored / 1e9:,.1f} | {number * shards:,.0f} | "
            f"{largest.memory / 1024 * times:,.1f}, {SAID[largest.name]} |"
        )
    yield ""
    null = {one.name: one for one in stages(Bench(bench.out / "null", bench.workers).measures())}
    if "null" not in null:
        return
    made, again = null["null"].parts[-1], null["null-restart"].parts[-1]
    warm = [look for look in made.looks if look[3]]
    yield from _paragraph(
        f"""The engine alone, with images of 32 x 32 pixels that no model makes: {made.images:,} of them took
        {made.cpu:,.0f} CPU seconds, {made.images / made.cpu:,.0f} a second of CPU; the first receipt was there after
        {warm[0][0]:.0f} s, memory was {warm[len(warm) // 10][1]:,.0f} MiB at a tenth of the way and
        {warm[-1][1]:,.0f} MiB at the end, and starting it again when all is made took {again.seconds:.1f} s."""
    )


def _bytes(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def _elsewhere(images: int) -> Iterator[str]:
    """The same number on cards, by arithmetic from a published rate."""
    hours = images * SDXL_SECONDS / 3600
    yield "## The same number of photographs"
    yield ""
    yield from _paragraph(
        f"""No card was at hand. diffusers' own documentation had SDXL at {SDXL_SECONDS} s an image on an A100 of 80 GB
        (1024 x 1024 pixels, 30 steps, bfloat16, PyTorch's attention, one image at a time; [source]({SDXL_SOURCE})). At
        that rate {images:,} images take one card {hours:,.0f} hours ({hours / 24:.1f} days) and eight cards
        {hours / 8:,.0f} hours; at 2.00 an hour they cost {hours * 2:,.0f}. An H100 has two to three times
        an A100's throughput ([source]({H100_SOURCE}), with TensorRT): {hours / H100_TIMES:,.0f} hours at the most, and
        {hours / H100_TIMES / 8:,.0f} on eight. In four steps without guidance, by an
        adapter as LCM-LoRA, the denoiser is passed 4 times in place of 60. `synthgen plan MANIFEST --gpu-report
        gpu-report.json --price 2.00` says it of your manifest and your card."""
    )


def plot(made: Stage) -> bytes:
    """A picture of the memory of all processes over time, with the kills."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((8, 3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    before = 0.0
    for one in made.parts:
        axes.plot([(before + look[0]) / 60 for look in one.looks], [look[1] for look in one.looks], color="#1b7837")
        before += one.seconds
        if one.code == -9:
            axes.axvline(before / 60, color="#b2182b", linewidth=0.8)
            axes.annotate("kill -9", (before / 60, 1), xycoords=("data", "axes fraction"), fontsize=8, va="top")
    axes.set_ylim(0)
    axes.set_xlabel("minutes")
    axes.set_ylabel("MiB of all processes")
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": "benchmarks/scale_page.py"})
    return buffer.getvalue()


def _paragraph(text: str) -> Iterator[str]:
    yield from textwrap.wrap(" ".join(text.split()), 110, break_long_words=False, break_on_hyphens=False)
    yield ""


def _memory() -> float:
    import psutil

    total: Any = psutil.virtual_memory().total
    return float(total) / 2**30


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds // 3600:.0f} h {seconds % 3600 / 60:02.0f} min"


def main() -> None:
    """Write the page and its plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    bench = Bench(parser.parse_args().out.resolve(), 2)
    made = next(one for one in stages(bench.measures()) if one.name == "generate")
    atomic.write(PLOT, plot(made))
    atomic.write(PAGE, ("\n".join(page(bench)) + "\n").encode())
    print(json.dumps({"page": str(PAGE), "plot": str(PLOT)}))


if __name__ == "__main__":
    main()
