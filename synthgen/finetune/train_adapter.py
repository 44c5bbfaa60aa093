"""One adapter from its recipe to its folder: model and images read, trained, drawn from, and written."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

from synthgen import __version__
from synthgen.core import adapter_folder, atomic, devices
from synthgen.diffusion import pipelines
from synthgen.finetune import checkpoints, environment, latents, loss_curve, methods, prior, sample_grid, step_seeds
from synthgen.finetune.loss import Shown
from synthgen.finetune.training import Step, Training
from synthgen.plan.adapters import AdapterPlan
from synthgen.plan.manifest import Manifest
from synthgen.plan.real_index import Source
from synthgen.real import indexing
from synthgen.vision.images import untrusted

_MADE = "adapter"
_log = logging.getLogger(__name__)


def train(
    manifest: Manifest, tuning: AdapterPlan, root: Path, *, device: str, stop: Callable[[], bool]
) -> Iterator[Step]:
    """Train an adapter into its folder; yields how far it is.

    Args:
        manifest: The manifest.
        tuning: What to train.
        root: The run's folder.
        device: torch's device, or ``auto``.
        stop: Whether a signal asked to stop.

    Raises:
        UnavailableError: The device or the model can't be had, or the state is of another environment.
        StoppedError: ``stop`` said so; the state is kept.
    """
    work = _Work(manifest, tuning, root, device)
    if not (work.scratch / _MADE / adapter_folder.FACTS).is_file():  # else killed between its last byte and its name
        before = work.pictures(new=False)
        training = work.training()
        for step in training.run(stop):
            work.note(step)
            yield step
        work.write(training, before)
    work.publish()


class _Work:
    """The parts that a training takes, put together."""

    def __init__(self, manifest: Manifest, tuning: AdapterPlan, root: Path, device: str) -> None:
        entry = tuning.entry
        self._manifest, self._tuning, self._root, self._settings = manifest, tuning, root, cast(Any, entry.settings)
        self.scratch = root / adapter_folder.FOLDER / f".{tuning.adapter.name}"
        described = devices.describe(device)
        precision = environment.precision(self._settings.mixed_precision, described)
        self._accelerator = environment.accelerator(precision, self._settings, described.kind)
        repository = pipelines.resolve(entry)
        self._revision = repository.revision
        self._facts = environment.facts(tuning, described, precision, self._revision)
        self._losses = loss_curve.Losses(self.scratch)
        if self._accelerator.is_main_process:
            environment.pin(self.scratch, self._facts)
        self._accelerator.wait_for_everyone()
        variant = pipelines.choose_variant(repository.files, half=False, model=entry.model.name)
        if variant:
            _log.warning("%s: its weights are stored in half precision alone, and tuned from there", entry.model.name)
        self._pipe = pipelines.read(entry.strategy, entry.model, self._revision, "float32", variant=variant)
        for part in self._pipe.components.values():
            if hasattr(part, "requires_grad_"):
                part.requires_grad_(False)
        self._pipe.to(self._accelerator.device)

    @cached_property
    def _bytes(self) -> Callable[[Source], bytes]:
        real = self._manifest.real
        if real is None:
            raise LookupError("the manifest says nothing of real images")
        return indexing.open_images(real.source, real.settings, self._manifest.base, self._root)

    def _read(self, source: Source) -> Any:
        return untrusted.open_photograph(self._bytes(source))

    def training(self) -> Training:
        """Encode what is shown, and put what is trained onto the model."""
        import torch

        settings, digest, pipe = self._settings, self._tuning.adapter.digest, self._pipe
        masked = self._tuning.entry.strategy == "inpaint"
        kept = prior.images(pipe, settings, digest, within=self._accelerator.autocast, inpaint=masked)
        torch.manual_seed(step_seeds.seed(digest, "first"))
        learner = self._learner()
        texts = latents.of(self._manifest, self._tuning)
        pipelines.check_lengths(pipe, {text for some in texts for text in some})
        images = [partial(self._read, source) for source in self._tuning.pool]
        own = latents.encode(pipe, images, texts, settings, masked=masked, digest=digest)
        other = prior.encode(pipe, kept, settings, masked=masked, digest=digest)
        every = [text for shown in (own, other) if shown for some in shown.texts for text in some]
        embeddings = {} if learner.reads_text else latents.embed(pipe, [*every, ""])
        if not learner.reads_text:  # all that they say is known by now, so a GPU needs no room for them
            self._move("cpu")
        return Training(
            self._tuning.adapter.name, digest, pipe=pipe, learner=learner, settings=settings,
            shown=Shown(own, other, embeddings), accelerator=self._accelerator, folder=self.scratch, facts=self._facts,
        )  # fmt: skip

    def _move(self, device: Any) -> None:
        """Move what is not denoised by."""
        for part in self._pipe.components.values():
            if hasattr(part, "parameters") and part is not pipelines.denoiser(self._pipe):
                part.to(device)

    def _learner(self) -> Any:
        import torch

        pipe = self._pipe
        denoiser = pipelines.denoiser(pipe)
        half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self._accelerator.mixed_precision)
        if half and self._accelerator.device.type != "cpu":  # a CPU's kernels take no half weights beside fp32 inputs
            denoiser.to(half)
        learner = methods.method(self._tuning.entry.method).learner(pipe, self._settings, self._tuning.labels)
        if self._settings.gradient_checkpointing:
            denoiser.enable_gradient_checkpointing()
        self._learned = learner
        return learner

    def pictures(self, *, new: bool) -> Any:
        """The pictures of the grid; empty where none are wanted."""
        count, side = self._settings.num_validation_images, self._settings.resolution
        if not count:
            return []
        shown = self._examples(count)
        prompts = latents.samples(self._manifest, self._tuning, count, new=new)
        inpaint = self._tuning.entry.strategy == "inpaint"
        return sample_grid.draw(self._pipe, prompts, shown, side, inpaint=inpaint, within=self._accelerator.autocast())

    def _examples(self, count: int) -> list[Any]:
        side = self._settings.resolution
        sources = latents.examples(self._tuning, count)
        return [untrusted.fit(self._read(one), side, side, "crop") for one in sources]

    def note(self, step: Step) -> None:
        """Keep a report for the curve."""
        if self._accelerator.is_main_process:
            self._losses.note(step.step, step.losses)

    def write(self, training: Training, before: Sequence[Any]) -> None:
        """Write the adapter's folder: weights, curve, grid and, last, its facts."""
        if not self._accelerator.is_main_process:
            return
        folder, count = self.scratch / _MADE, self._settings.num_validation_images
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self._move(self._accelerator.device)
        self._learned.save(folder)
        for path in folder.glob("*.safetensors"):  # a whole model's lie in folders of their own, and tell one thing
            checkpoints.sort(path)
        losses = self._losses.read()
        loss_curve.write(losses, folder)
        if count:
            rows = [("shown", self._examples(count)), ("before", before), ("after", self.pictures(new=True))]
            atomic.write(folder / "samples.png", sample_grid.sheet(rows))
        self._sync(folder)
        tail = [loss for step, loss in losses if step > training.steps * 0.9]
        adapter_folder.write(folder, self._told(training, sum(tail) / max(1, len(tail))))

    def _sync(self, folder: Path) -> None:
        """Have every file on disk, to be read by whoever may read the run: safetensors writes for its owner alone."""
        for path in folder.rglob("*"):
            if path.is_file():
                shutil.copymode(self.scratch / environment.FILE, path)
                with path.open("rb+") as file:
                    os.fsync(file.fileno())

    def publish(self) -> None:
        """Give the finished folder its name; what was kept to go on from goes."""
        if self._accelerator.is_main_process:
            atomic.publish(self.scratch / _MADE, self.scratch.with_name(self._tuning.adapter.name))
            shutil.rmtree(self.scratch)
        self._accelerator.wait_for_everyone()

    def _told(self, training: Training, loss: float) -> dict[str, Any]:
        """What lies beside the weights."""
        entry, adapter = self._tuning.entry, self._tuning.adapter
        asked = "all" if entry.pool is None else entry.pool.model_dump()
        return {
            "generator": f"synthgen {__version__}",
            "name": adapter.name,
            "digest": adapter.digest,
            "method": entry.method,
            "strategy": entry.strategy,
            "labels": dict(self._tuning.labels),
            "words": dict(adapter.words),
            "model": entry.model.name,
            "model_revision": self._revision,
            "seed": str(self._manifest.document.seed),
            "settings": entry.settings.model_dump(mode="json"),
            "pool": {"asked": asked, "ids": list(adapter.pool or ())},
            "steps": training.steps,
            "loss": round(loss, 6),
            "environment": self._facts,
        }
