"""What is seen of a training on its way: a grid of samples and the loss of images that it never sees, every few steps.

All of it is drawn from the same seeds each time, so that two looks differ by the weights alone; and none of it touches
what the training draws, so that weights are the same with and without.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.core import atomic
from synthgen.core.hashing import stable_hash
from synthgen.errors import UnavailableError
from synthgen.finetune import loss_curve, sample_grid
from synthgen.finetune.loss import Loss
from synthgen.finetune.settings import TrainingSettings
from synthgen.plan.adapters import AdapterPlan
from synthgen.plan.real_index import Index, Source

if TYPE_CHECKING:
    from synthgen.core.types import Pixels

LOGS = ".tensorboard.logs"  # in the folder of adapters, none of which can have such a name
_IMAGES = 64
_TURNS = 4  # how often each image is shown at a look, at other noise


def sources(index: Index | None, adapter_plan: AdapterPlan) -> tuple[Source, ...]:
    """The images that the loss is measured of: up to 64 of the validation split, of the adapter's labels."""
    found = [one for one in index.usable("validation") if one.label in adapter_plan.labels] if index else []
    return tuple(sorted(found, key=lambda one: stable_hash("held out", one.id))[:_IMAGES])


def unaugmented(settings: TrainingSettings) -> TrainingSettings:
    """The settings by which such images are shown: each as it is, with its prompt."""
    as_is = {"variants": 1, "random_flip": False, "crop_scale": None, "color_jitter": 0.0}
    return settings.model_copy(update=as_is | {"proportion_empty_prompts": 0.0})


def check(settings: TrainingSettings, name: str) -> None:
    """Refuse a report that nothing here can keep.

    Raises:
        UnavailableError: TensorBoard is not installed.
    """
    from accelerate.utils import is_tensorboard_available

    if settings.report_to and not is_tensorboard_available():
        raise UnavailableError(f"adapter `{name}`: report_to: TensorBoard is not installed; pip install tensorboard")


class OnTheWay:
    """Keeps what each look shows, beside the state of a training and for TensorBoard.

    Args:
        scratch: Where the state lies.
        settings: The training's settings.
        name: The adapter's name.
    """

    def __init__(self, scratch: Path, settings: TrainingSettings, name: str) -> None:
        self._scratch, self._settings = scratch, settings
        self._losses = loss_curve.LossLog(scratch, "held_out.jsonl")
        self._tracker: Any = None
        if settings.report_to:
            from accelerate.tracking import TensorBoardTracker

            self._tracker = TensorBoardTracker(name, str(scratch.parent / LOGS))
            if hasattr(self._tracker, "start"):
                self._tracker.start()

    def report(self, step: int, losses: Sequence[float]) -> None:
        """Tell TensorBoard the losses of the last steps, up to this one."""
        first = step - len(losses) + 1
        for place, loss in enumerate(losses) if self._tracker else ():
            self._tracker.log({"loss": loss}, step=first + place)

    def measure(self, step: int, held_out: Loss | None, images: int) -> None:
        """Measure and keep the loss of images that are not trained on.

        Args:
            step: Optimizer steps that are done.
            held_out: Their loss, a batch at a time; ``None`` where there are none.
            images: How many there are.
        """
        import torch

        if held_out is None:
            return
        batches = -(-_TURNS * images // self._settings.train_batch_size)
        with torch.no_grad():
            loss = sum(float(held_out(batch)) for batch in range(batches)) / batches
        self._losses.append(step, [loss])
        if self._tracker:
            self._tracker.log({"held_out_loss": loss}, step=step)

    def draw(self, step: int, shown: Sequence[Pixels], made: Sequence[Pixels]) -> None:
        """Keep a grid of samples beside the images that were shown."""
        rows = [("shown", shown), (f"step {step:,}", made)]
        atomic.write(self._scratch / f"samples-{step:06d}.png", sample_grid.sheet(rows))
        if self._tracker:
            import numpy as np

            self._tracker.writer.add_images("samples", np.stack(made), step, dataformats="NHWC")

    @property
    def losses(self) -> loss_curve.Curve:
        """The losses so far, without that of the last step of a training that was made longer."""
        found, every = self._losses.read(), self._settings.validation_steps or 1
        return [(step, loss) for step, loss in found if step % every == 0 or step == found[-1][0]]

    def write(self, folder: Path) -> None:
        """Put the grids into the adapter's folder, and end what TensorBoard is told."""
        for path in sorted(self._scratch.glob("samples-*.png")):
            (folder / "samples").mkdir(exist_ok=True)
            shutil.copy(path, folder / "samples" / path.name.removeprefix("samples-"))
        if self._tracker:
            self._tracker.finish()
