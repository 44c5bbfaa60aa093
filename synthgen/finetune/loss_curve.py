"""The loss of every step of a training: a log that survives a kill, and a curve of it.

Not accelerate's trackers alone (TensorBoard, Weights & Biases): a file that can be read without them, and that a
training which was killed goes on with.
"""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from synthgen.core import atomic

Curve = Sequence[tuple[int, float]]


class LossLog:
    """The losses of a training that may be killed at any time, a line a step.

    Args:
        scratch: Where its state lies.
        name: Its file's name there.
    """

    def __init__(self, scratch: Path, name: str = "losses.jsonl") -> None:
        self._path = scratch / name

    def append(self, step: int, losses: Sequence[float]) -> None:
        """Keep the losses of the last steps, up to this one."""
        first = step - len(losses) + 1
        half = self._path.is_file() and not self._path.read_bytes().endswith(b"\n")  # killed while it was written
        with atomic.naming(self._path), self._path.open("a", encoding="utf-8") as file:
            file.write("\n" if half else "")
            file.writelines(f"{json.dumps([first + place, loss])}\n" for place, loss in enumerate(losses))

    def read(self) -> list[tuple[int, float]]:
        """All of them in order; of steps that were made twice, and half lines, what was written last."""
        found: dict[int, float] = {}
        for line in self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else ():
            try:
                step, loss = json.loads(line)
            except ValueError:  # killed while it was written; the step was made again
                continue
            found[int(step)] = float(loss)
        return sorted(found.items())


def write(losses: Curve, folder: Path, held_out: Curve = ()) -> None:
    """Write ``losses.csv`` and ``losses.png``, and ``held_out_losses.csv`` where there are such losses.

    Args:
        losses: Optimizer step and loss, in order.
        folder: Where to.
        held_out: The loss of images that were not trained on, where it was measured.
    """
    for name, curve in (("losses.csv", losses), ("held_out_losses.csv", held_out)):
        if curve or name == "losses.csv":
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(
                [("step", "loss"), *((step, f"{loss:.6g}") for step, loss in curve)]
            )
            atomic.write(folder / name, text.getvalue().encode())
    atomic.write(folder / "losses.png", _draw(losses, held_out))


def smooth(values: Sequence[float], share: float = 0.05) -> list[float]:
    """A running mean over a share of the values, so that a trend shows through the noise of single batches."""
    width = max(1, int(len(values) * share))
    return [sum(values[max(0, end - width) : end]) / min(width, end) for end in range(1, len(values) + 1)]


def _draw(losses: Curve, held_out: Curve) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    steps, values = [step for step, _ in losses], [loss for _, loss in losses]
    axes.plot(steps, values, color="0.75", linewidth=0.8, marker="." if len(losses) < 3 else "", label="one batch")
    axes.plot(steps, smooth(values), color="tab:blue", label="running mean")
    if held_out:
        axes.plot(*zip(*held_out, strict=True), color="tab:orange", marker="o", markersize=3, label="held-out images")
    axes.set(xlabel="optimizer step", ylabel="loss", xlim=(0, max(steps, default=1)))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120, metadata={"Software": None})
    return content.getvalue()
