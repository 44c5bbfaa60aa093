"""Trains one adapter from its recipe to its folder: model and images read, weights trained, folder written."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.core import adapter_folder, atomic, devices, locks, weight_file
from synthgen.core.releases import __version__
from synthgen.diffusion import pipelines
from synthgen.diffusion.pipelines.out_of_memory import out_of_memory
from synthgen.errors import Fault, InputError
from synthgen.finetune import (
    checkpoints,
    environment,
    latents,
    loss_curve,
    methods,
    on_the_way,
    prior,
    sample_grid,
    step_seeds,
)
from synthgen.finetune.loss import Loss, TrainingData
from synthgen.finetune.methods import Learner
from synthgen.finetune.schedule import Schedule
from synthgen.finetune.settings import training_settings
from synthgen.finetune.training import CHECKPOINT, Step, Training
from synthgen.plan.adapters import AdapterPlan
from synthgen.plan.manifest import Manifest
from synthgen.plan.real_index import Source
from synthgen.real import indexing
from synthgen.vision.images import untrusted

if TYPE_CHECKING:
    import torch

    from synthgen.core.types import Pixels

_FINISHED = "adapter"
Progress = Callable[[str, int, int], None]
_log = logging.getLogger(__name__)


def train(
    manifest: Manifest,
    adapter_plan: AdapterPlan,
    root: Path,
    *,
    device: str,
    stop: Callable[[], bool],
    held_out: Sequence[Source] = (),
    progress: Progress | None = None,
) -> Iterator[Step]:
    """Train an adapter into its folder; yields how far it is.

    Args:
        manifest: The manifest.
        adapter_plan: What to train.
        root: The run's folder.
        device: torch's device, or ``auto``.
        stop: Whether a signal asked to stop.
        held_out: Real images of which the loss is measured on the way, where the settings ask for it.
        progress: Told what is encoded before the first step, how much of it is done, and of how much.

    Raises:
        InputError: Another process trains it.
        UnavailableError: The device or the model can't be had, or the state is of another environment.
        StoppedError: ``stop`` said so; the state is kept.
    """
    with ExitStack() as held:
        work = _AdapterTraining(manifest, adapter_plan, root, device, held)
        work.progress = progress
        work.held_out = tuple(held_out) if work.every else ()
        if not work.finished:  # else killed between its last byte and its name
            yield from work.trained(stop)
        work.publish()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold an adapter that is not there yet, so that nobody else trains it in the same scratch folder.

    Raises:
        InputError: Another process trains it, or has just done so.
    """
    again = f"{folder}: another process trains it; wait until it is done, then run this again"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locks.held(folder.with_name(f".{folder.name}.lock"), again, passing=True):
        if folder.exists():
            raise InputError(Fault(again, path=str(folder), kind="conflict"))
        yield


class _AdapterTraining:
    """The parts that the training of an adapter takes, put together; its folder is held as long as ``held`` is."""

    def __init__(self, manifest: Manifest, adapter_plan: AdapterPlan, root: Path, device: str, held: ExitStack) -> None:
        entry = adapter_plan.entry
        self._manifest, self._plan, self._root = manifest, adapter_plan, root
        self._settings = settings = training_settings(entry)
        self.scratch = root / adapter_folder.FOLDER / f".{adapter_plan.adapter.name}"
        described = devices.describe(device)
        precision = environment.precision(self._settings.mixed_precision, described)
        self._accelerator = environment.accelerator(precision, self._settings, described.kind)
        repository = pipelines.resolve(entry)
        self._revision = repository.revision
        self._facts = environment.facts(adapter_plan, described, precision, self._revision)
        self._losses = loss_curve.LossLog(self.scratch)
        self.held_out: tuple[Source, ...] = ()
        self.progress: Progress | None = None
        self.every = self._settings.validation_steps
        self._held_out_loss: Loss | None = None
        if self._accelerator.is_main_process:
            held.enter_context(_alone(self.scratch.with_name(adapter_plan.adapter.name)))
            environment.pin(self.scratch, self._facts)
            self._forget_what_is_beyond()
        self._accelerator.wait_for_everyone()
        variant = pipelines.choose_variant(repository.files, half=False, model=entry.model.name)
        if variant:
            _log.warning("%s: its weights are stored in half precision alone, and tuned from there", entry.model.name)
        self._pipe = pipelines.load_diffusers(entry.strategy, entry.model, self._revision, "float32", variant=variant)
        for part in self._pipe.components.values():
            if hasattr(part, "requires_grad_"):
                part.requires_grad_(False)
        half, on = self._half, self._accelerator.device.type
        with out_of_memory(settings.train_batch_size, self._what_to_set()):
            if half is not None:  # before it takes the room of twice as much there
                pipelines.denoiser(self._pipe).to(half)
            self._pipe.to(self._accelerator.device)
        if on != "cpu":  # an image at a time: sixteen of 1024 pixels would take 40 GiB
            self._pipe.vae.enable_slicing()

    @property
    def _half(self) -> torch.dtype | None:
        """What the denoiser's own weights are held in beside what is trained of it; ``None`` for fp32."""
        import torch

        if self._accelerator.device.type == "cpu":  # whose kernels take no half weights beside fp32 inputs
            return None
        return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self._accelerator.mixed_precision)

    def trained(self, stop: Callable[[], bool]) -> Iterator[Step]:
        """Train, and write the adapter's folder; yields how far it is.

        Raises:
            OutOfMemoryError: The device has no room for it; the message says which settings make some.
            StoppedError: ``stop`` said so; the state is kept.
        """
        with out_of_memory(self._settings.train_batch_size, self._what_to_set()):
            with devices.deterministic(self._accelerator.device.type):
                before = self.grid_images(new=False)
                training = self.training()
                if training.done:
                    said = "adapter `%s` goes on from step %d of %d"
                    _log.info(said, self._plan.adapter.name, training.done, training.steps)
                if self.every and training.done % self.every == 0 and training.done < training.steps:
                    self.look(training)
                for step in training.run(stop):
                    self.log(step)
                    if self.every and step.step % self.every == 0 and step.step < step.steps:
                        self.look(training)
                    yield step
                self.look(training, drawn=False)  # the grid of then is the adapter's own
            self.write(training, before)

    def _what_to_set(self) -> str:
        """What makes room for a training on this device, by the manifest's keys."""
        settings, at = self._settings, f"finetune: adapter `{self._plan.adapter.name}`"
        ways = [] if settings.gradient_checkpointing else ["gradient_checkpointing: true"]
        if settings.train_batch_size > 1:
            as_many = settings.gradient_accumulation_steps * settings.train_batch_size
            ways.append(f"train_batch_size: 1 with gradient_accumulation_steps: {as_many}")
        if self._accelerator.mixed_precision == "no":
            ways.append("mixed_precision: bf16")
        ways += ["num_validation_images: 0"] if settings.num_validation_images else []
        ways += ["method: lora"] if self._plan.entry.method == "full" else []
        ways += [f"a smaller resolution than {settings.side}"]
        return f"{at}: set {', or '.join(ways)}; or end what else is on the device"

    @property
    def finished(self) -> bool:
        """Whether it is trained and written, and lacks only its name."""
        folder = self.scratch / _FINISHED
        return (folder / adapter_folder.FACTS).is_file() and (
            adapter_folder.read(folder)["digest"] == self._plan.adapter.digest
        )

    def _forget_what_is_beyond(self) -> None:
        """Begin anew where the state is of more steps than are asked for: there is no way back from it."""
        steps = self._settings.steps(len(self._plan.pool), self._accelerator.num_processes)
        if checkpoints.steps_done(self.scratch / CHECKPOINT) > steps:
            shutil.rmtree(self.scratch)
            environment.pin(self.scratch, self._facts)

    @cached_property
    def _bytes(self) -> Callable[[Source], bytes]:
        real = self._manifest.real
        if real is None:
            raise LookupError("the manifest says nothing of real images")
        return indexing.open_images(real.source, real.settings, self._manifest.base, self._root)

    def _read(self, source: Source) -> Pixels:
        return untrusted.open_photograph(self._bytes(source))

    def training(self) -> Training:
        """The training, its images encoded and what is trained put onto the model."""
        import torch

        settings, digest, pipe = self._settings, self._plan.seed_digest, self._pipe
        masked = self._plan.entry.strategy == "inpaint"
        of_prior = prior.images(pipe, settings, digest, within=self._accelerator.autocast, inpaint=masked)
        torch.manual_seed(step_seeds.seed(digest, "first"))
        learner = self._learner()
        texts = latents.pool_prompts(self._manifest, self._plan)
        pipelines.check_lengths(pipe, {text for some in texts for text in some})
        images = [partial(self._read, source) for source in self._plan.pool]
        rows, shown = self._shown("own", texts, masked=masked)
        prior_rows, prior_shown = self._shown("prior", [(text,) for text, _ in of_prior], masked=masked)
        own = latents.encode(
            pipe, images, texts, settings, masked=masked, digest=digest, rows=rows, progress=self._encoding("training")
        )
        other = prior.encode(
            pipe, of_prior, settings,
            masked=masked, digest=digest, rows=prior_rows, progress=self._encoding("prior preservation's"),
        )  # fmt: skip
        embeddings = {} if learner.reads_text else latents.embed(pipe, [*shown, *prior_shown, ""])
        held = self._encoded_held_out(masked=masked, embeds=not learner.reads_text)
        if not learner.reads_text:  # all that they say is known by now, so a GPU needs no room for them
            self._move("cpu")
        training = Training(
            self._plan.adapter.name,
            digest,
            pipe=pipe,
            learner=learner,
            settings=settings,
            data=TrainingData(own, other, embeddings),
            accelerator=self._accelerator,
            folder=self.scratch,
            facts=self._facts,
        )
        if held is not None:
            self._held_out_loss = training.held_out(held, on_the_way.unaugmented(settings))
        return training

    def _encoding(self, which: str) -> Callable[[int, int], None] | None:
        """What is told of images as they are encoded."""
        what = f"adapter {self._plan.adapter.name}: encoding its {which} images"
        return None if self.progress is None else partial(self.progress, what)

    def _encoded_held_out(self, *, masked: bool, embeds: bool) -> TrainingData | None:
        """The images that the loss is measured of on the way; ``None`` where there are none."""
        if not self.held_out:
            return None
        texts = latents.prompts_of(self._manifest, self._plan, self.held_out)
        images = [partial(self._read, source) for source in self.held_out]
        settings, digest = on_the_way.unaugmented(self._settings), f"{self._plan.seed_digest} held out"
        told = self._encoding("held-out")
        own = latents.encode(self._pipe, images, texts, settings, masked=masked, digest=digest, progress=told)
        said = [text for some in texts for text in some]
        return TrainingData(own, None, latents.embed(self._pipe, [*said, ""]) if embeds else {})

    @cached_property
    def _on_the_way(self) -> on_the_way.OnTheWay:
        return on_the_way.OnTheWay(self.scratch, self._settings, self._plan.adapter.name)

    def look(self, training: Training, *, drawn: bool = True) -> None:
        """Draw samples and measure the loss of held-out images, by the weights of now, where that is asked for."""
        if self.every and self._accelerator.is_main_process:
            with training.looked_at():
                self._on_the_way.measure(training.done, self._held_out_loss, len(self.held_out))
                if drawn and (count := self._settings.num_validation_images):
                    self._move(self._accelerator.device)
                    self._on_the_way.draw(training.done, self._photographs(count), self.grid_images(new=True))
                    if not self._learned.reads_text:
                        self._move("cpu")
        self._accelerator.wait_for_everyone()

    def _shown(self, what: str, texts: Sequence[tuple[str, ...]], *, masked: bool) -> tuple[set[int], set[str]]:
        """Which variants this process shows its model from the first step to the last, and by which prompts."""
        settings, accelerator = self._settings, self._accelerator
        if not texts:
            return set(), set()
        variants = latents.variants_of(settings, masked=masked)
        schedule = Schedule(
            self._plan.seed_digest, what, texts, variants=variants, settings=settings, accelerator=accelerator
        )
        steps = settings.steps(len(self._plan.pool), accelerator.num_processes)
        batches = list(schedule.every(steps))
        return {row for one in batches for row in one.rows}, {text for one in batches for text in one.texts}

    def _move(self, device: str | torch.device) -> None:
        """Move all parts of the pipeline but its denoiser."""
        for part in self._pipe.components.values():
            if hasattr(part, "parameters") and part is not pipelines.denoiser(self._pipe):
                part.to(device)

    def _learner(self) -> Learner:
        pipe = self._pipe
        denoiser = pipelines.denoiser(pipe)
        learner = methods.method(self._plan.entry.method).learner(pipe, self._settings, self._plan.labels)
        if self._settings.gradient_checkpointing:
            denoiser.enable_gradient_checkpointing()
        self._learned = learner
        return learner

    def grid_images(self, *, new: bool) -> Sequence[Pixels]:
        """The images of the sample grid by the weights of now; empty where none are wanted."""
        count, side = self._settings.num_validation_images, self._settings.side
        if not count:
            return []
        shown = self._photographs(count)
        prompts = latents.grid_prompts(self._manifest, self._plan, count, new=new)
        inpaint = self._plan.entry.strategy == "inpaint"
        autocast = self._accelerator.autocast()
        return list(sample_grid.draw(self._pipe, prompts, shown, side, inpaint=inpaint, within=autocast))

    def _photographs(self, count: int) -> list[Pixels]:
        """The training images of the sample grid."""
        side = self._settings.side
        sources = latents.grid_sources(self._plan, count)
        return [untrusted.fit(self._read(one), side, side, "crop") for one in sources]

    def log(self, step: Step) -> None:
        """Add the losses of some steps to the log."""
        if self._accelerator.is_main_process:
            self._losses.append(step.step, step.losses)
            self._on_the_way.report(step.step, step.losses)

    def write(self, training: Training, before: Sequence[Pixels]) -> None:
        """Write the adapter's folder: weights, curve, grid and, last, its facts."""
        if not self._accelerator.is_main_process:
            return
        folder, count = self.scratch / _FINISHED, self._settings.num_validation_images
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self._move(self._accelerator.device)
        with weight_file.telling(folder):
            self._learned.save(folder)
        for path in folder.glob("*.safetensors"):  # a whole model's lie in folders of their own, and tell one thing
            checkpoints.sort_header(path)
        losses = self._losses.read()
        loss_curve.write(losses, folder, self._on_the_way.losses)
        self._on_the_way.write(folder)
        if count:
            rows = [("shown", self._photographs(count)), ("before", before), ("after", self.grid_images(new=True))]
            atomic.write(folder / "samples.png", sample_grid.sheet(rows))
        self._sync(folder)
        tail = [loss for step, loss in losses if step > training.steps * 0.9]
        adapter_folder.write(folder, self._adapter_facts(training, sum(tail) / max(1, len(tail))))

    def _sync(self, folder: Path) -> None:
        """Have every file on disk, to be read by whoever may read the run: safetensors writes for its owner alone."""
        for path in folder.rglob("*"):
            if path.is_file():
                shutil.copymode(self.scratch / environment.FILE, path)
                with path.open("rb+") as file:
                    os.fsync(file.fileno())

    def publish(self) -> None:
        """Give the finished folder its name; what was kept to go on from goes, unless more steps may be asked for."""
        if self._accelerator.is_main_process:
            atomic.publish(self.scratch / _FINISHED, self.scratch.with_name(self._plan.adapter.name))
            if not self._settings.resume_from_checkpoint:
                shutil.rmtree(self.scratch)
        self._accelerator.wait_for_everyone()

    def _adapter_facts(self, training: Training, loss: float) -> dict[str, Any]:
        """The content of ``adapter.json``, beside the weights."""
        entry, adapter = self._plan.entry, self._plan.adapter
        asked = "all" if entry.pool is None else entry.pool.model_dump()
        return {
            "generator": f"synthgen {__version__}",
            "name": adapter.name,
            "digest": adapter.digest,
            "method": entry.method,
            "strategy": entry.strategy,
            "labels": dict(self._plan.labels),
            "words": dict(adapter.words),
            "model": entry.model.name,
            "model_revision": self._revision,
            "seed": str(self._manifest.document.seed),
            "settings": entry.settings.model_dump(mode="json"),
            "pool": {"asked": asked, "ids": list(adapter.pool or ())},
            **({"seed_digest": self._plan.seed_digest} if self._settings.resume_from_checkpoint else {}),
            "steps": training.steps,
            "loss": round(loss, 6),
            "environment": self._facts,
        }
