"""The training loop: batches of what was computed once, AdamW by accelerate, and a state on disk every few steps.

Not diffusers' training scripts: they are examples, one a family and method, outside the package; they encode images
and prompts in every step, and what they resume is not the same to the byte. Settings keep their names.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.errors import DamagedError, StoppedError, UnavailableError
from synthgen.finetune import checkpoints
from synthgen.finetune.loss import Loss, TrainingData
from synthgen.finetune.methods import Learner
from synthgen.finetune.settings import TrainingSettings, denoiser_name

if TYPE_CHECKING:
    from torch import Tensor

CHECKPOINT = "checkpoint.safetensors"
_REPORT_SECONDS = 2.0
STOPPED = "stopped by a signal; run the same command again to go on"


@dataclass(frozen=True, slots=True)
class Step:
    """How far a training is.

    Attributes:
        adapter: Its adapter's name.
        step: Optimizer steps that are done.
        steps: Of how many.
        losses: The loss of each step since the last such report.
        seconds: That the steps since the last such report took.
    """

    adapter: str
    step: int
    steps: int
    losses: tuple[float, ...]
    seconds: float


class Training:
    """The training of one adapter, from its newest state to its last step.

    Args:
        name: The adapter's name.
        digest: Its digest, from which all chance follows.
        pipe: The pipeline, on its device.
        learner: What is trained of it.
        settings: The method's settings.
        data: The images and prompts that it is shown.
        accelerator: accelerate's; several devices where it was launched on several.
        folder: Where its state lies.
        facts: What has to be the same where it goes on, as plain values.
    """

    def __init__(
        self, name: str, digest: str, *, pipe: Any, learner: Learner, settings: TrainingSettings, data: TrainingData,
        accelerator: Any, folder: Path, facts: dict[str, Any],
    ) -> None:  # fmt: skip
        import torch
        from diffusers.optimization import get_scheduler
        from diffusers.training_utils import EMAModel

        if learner.reads_text and accelerator.num_processes > 1:  # it is called outside of what sums gradients up
            raise UnavailableError(f"adapter `{name}` trains a text encoder, which is done by one process; launch one")
        self._name, self._digest, self._pipe, self._settings = name, digest, pipe, settings
        self._accelerator, self._folder = accelerator, folder
        self.parameters = learner.parameters()
        self.steps = settings.steps(len(data.own), accelerator.num_processes)
        values = list(self.parameters.values())
        optimizer = torch.optim.AdamW(
            values, settings.learning_rate, (settings.adam_beta1, settings.adam_beta2), settings.adam_epsilon,
            settings.adam_weight_decay, fused=accelerator.device.type in ("cpu", "cuda"),
        )  # fmt: skip
        rate = get_scheduler(
            settings.lr_scheduler,
            optimizer,
            num_warmup_steps=settings.lr_warmup_steps,
            num_training_steps=self.steps,
        )
        self._rate: Callable[[int], float] = rate.lr_lambdas[0]
        self._average = EMAModel(values, decay=0.9999, use_ema_warmup=True) if settings.use_ema else None
        names = list(learner.networks)
        *prepared, self._optimizer = accelerator.prepare(*learner.networks.values(), optimizer)
        self._networks = dict(zip(names, prepared, strict=True))
        denoiser = self._networks.get(denoiser_name(pipe), getattr(pipe, denoiser_name(pipe)))
        self._loss = Loss(digest, pipe, denoiser=denoiser, settings=settings, data=data, accelerator=accelerator)
        self._state = checkpoints.TrainingState(
            self.parameters, self._optimizer.optimizer, self._average, accelerator.scaler, facts
        )
        self.done = self._state.restore(folder / CHECKPOINT)

    def run(self, stop: Callable[[], bool]) -> Iterator[Step]:
        """Train to the last step; yields how far it is every few seconds, and the last step always.

        Raises:
            StoppedError: ``stop`` said so; the state is on disk.
            DamagedError: The loss is not a number any more.
        """
        for network in self._networks.values():
            network.train()
        reported, losses = time.perf_counter(), list["Tensor"]()
        for step in range(self.done, self.steps):
            with _backward_friendly(self._accelerator.device.type):
                losses.append(self._step(step))
            self.done = step + 1
            ended = self.done == self.steps
            stopped = self._agreed(stop()) and not ended
            saves = stopped or (self.done % self._settings.checkpointing_steps == 0 and not ended)
            looks = self._settings.validation_steps and self.done % self._settings.validation_steps == 0
            if saves or ended or looks or time.perf_counter() - reported >= _REPORT_SECONDS:
                yield Step(self._name, self.done, self.steps, self._checked(losses), time.perf_counter() - reported)
                reported, losses = time.perf_counter(), []
            if saves:  # what was reported is kept by now, so a curve has no gap
                self._save()
            if stopped:
                raise StoppedError(STOPPED)
        self._finish()

    @contextmanager
    def looked_at(self) -> Iterator[None]:
        """Let the networks be used as they are now, and be afterwards as if nothing had been."""
        learning = {name: network.training for name, network in self._networks.items()}
        for network in self._networks.values():
            network.eval()
        try:
            yield
        finally:
            for name, network in self._networks.items():
                network.train(learning[name])

    def held_out(self, data: TrainingData, settings: TrainingSettings) -> Loss:
        """The loss of other images, by the networks as they are at the time.

        Args:
            data: These images.
            settings: How they are shown.
        """
        name = denoiser_name(self._pipe)
        denoiser = self._networks.get(name, getattr(self._pipe, name))
        return Loss(
            f"{self._digest} held out", self._pipe, denoiser=denoiser, settings=settings, data=data,
            accelerator=self._accelerator,
        )  # fmt: skip

    def _step(self, step: int) -> Tensor:
        """Make one optimizer step; returns its loss, not yet waited for."""
        settings, losses = self._settings, list["Tensor"]()
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate * self._rate(step)
        for part in range(settings.gradient_accumulation_steps):
            with self._accelerator.accumulate(*self._networks.values()):
                loss = self._loss(step * settings.gradient_accumulation_steps + part)
                self._accelerator.backward(loss)
                if self._accelerator.sync_gradients:
                    self._accelerator.clip_grad_norm_(list(self.parameters.values()), settings.max_grad_norm)
                self._optimizer.step()
                self._optimizer.zero_grad()
            losses.append(loss.detach() / settings.gradient_accumulation_steps)
        if self._average is not None:
            self._average.step(self.parameters.values())
        return reduce(operator.add, losses)

    def _save(self) -> None:
        if self._accelerator.is_main_process:
            self._state.save(self._folder / CHECKPOINT, self.done)
        self._accelerator.wait_for_everyone()

    def _finish(self) -> None:
        """Leave the networks with their averaged weights, where they are averaged, and not learning any more."""
        self._save()
        if self._average is not None:
            self._average.copy_to(self.parameters.values())
        for name in self._networks:
            getattr(self._pipe, name).eval()

    def _agreed(self, stop: bool) -> bool:
        """Whether any process was asked to stop, so that all of them do after the same step."""
        import torch

        if self._accelerator.num_processes == 1:
            return stop
        asked = torch.tensor([float(stop)], device=self._accelerator.device)
        return bool(self._accelerator.reduce(asked, "sum").item())

    def _checked(self, losses: Sequence[Tensor]) -> tuple[float, ...]:
        """The losses as numbers; waits for the device, so it is not asked after every step."""
        import torch

        found = torch.stack(list(losses))
        if not found.isfinite().all():
            raise DamagedError(
                f"adapter `{self._name}`: the loss is not a number after {self.done} steps; "
                "take a smaller learning_rate, or mixed_precision `no`"
            )
        return tuple(found.tolist())


def _backward_friendly(device: str) -> AbstractContextManager[Any]:
    """On a CPU the backward pass of fused attention over few tokens takes longer than the plain one's."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    return sdpa_kernel(SDPBackend.MATH) if device == "cpu" else nullcontext()
