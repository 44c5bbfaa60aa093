"""A step of fine-tuning: how long, how much memory, whether its loss is a number and its weights come again."""

import hashlib
import math
from typing import Any

from synthgen.benchmark.architectures import ARCHITECTURES, build
from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import Asked, architectures, each, release
from synthgen.core import devices
from synthgen.core.peak_memory import peak_memory
from synthgen.finetune import environment, latents
from synthgen.finetune.loss import TrainingData
from synthgen.finetune.methods import lora
from synthgen.finetune.training import Training

_STEPS = 6


def run(findings: Findings, asked: Asked) -> None:
    """Train a LoRA on each architecture for a few steps, twice on the first."""
    for name in architectures(findings, asked, ("sd15", "sdxl")):
        said = ARCHITECTURES[name].name
        with each(findings, said):
            first = _train(findings, asked, name)
            if name == "sd15":
                release(asked.device)
                again = _train(None, asked, name)
                holds = first == again
                findings.check(f"{said}: trained twice, the same weights", holds, otherwise="warn")


def _train(findings: Findings | None, asked: Asked, name: str) -> str:
    """The sha256 of the weights that a LoRA has after some steps."""
    import numpy as np
    import torch

    side = 64 if asked.reduced else ARCHITECTURES[name].side
    settings = lora.Settings(
        resolution=side, max_train_steps=_STEPS, train_batch_size=1, gradient_checkpointing=name == "sdxl",
        num_validation_images=0, random_flip=False, rank=8,
    )  # fmt: skip
    described = devices.describe(asked.device)
    precision = environment.precision("auto", described)
    accelerator = environment.accelerator(precision, settings, asked.device)
    pipe = build(name, asked.device, "float32", reduced=asked.reduced)
    torch.manual_seed(0)
    learner = lora.learner(pipe, settings, {})
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
    denoiser = learner.networks["unet"]
    if half and asked.device == "cuda":
        frozen = [one for one in denoiser.parameters() if not one.requires_grad]
        for one in frozen:
            one.data = one.data.to(half)
    if settings.gradient_checkpointing:
        denoiser.enable_gradient_checkpointing()
    rng = np.random.default_rng(0)
    photographs = [rng.integers(0, 256, (side, side, 3), np.uint8) for _ in range(2)]
    texts = [("An image of melanoma",)] * len(photographs)
    readers = [lambda one=one: one for one in photographs]
    own = latents.encode(pipe, readers, texts, settings, masked=False, digest="0" * 64)
    embeddings = latents.embed(pipe, ["An image of melanoma", ""])
    folder = asked.scratch / f"{name}-{'first' if findings else 'again'}"
    folder.mkdir(parents=True)
    training = Training(
        name, "0" * 64, pipe=pipe, learner=learner, settings=settings, data=TrainingData(own, None, embeddings),
        accelerator=accelerator, folder=folder, facts={},
    )  # fmt: skip
    losses, taken = list[float](), 0.0
    with peak_memory(asked.device) as peak:
        for step in training.run(lambda: False):
            losses += step.losses
            taken += step.seconds
    if findings:
        said = f"{ARCHITECTURES[name].name}: LoRA at batch 1"
        findings.figure(f"{said}: precision", precision)
        findings.figure(f"{said}: a step", taken / _STEPS, "s")
        findings.figure(f"{said}: peak beside the weights", peak.bytes / 2**30, "GiB")
        findings.check(f"{said}: its loss is a number", all(map(math.isfinite, losses)), f"{losses[-1]:.4f}")
    return _weights(training.parameters)


def _weights(parameters: dict[str, Any]) -> str:
    found = hashlib.sha256()
    for name in sorted(parameters):
        found.update(parameters[name].detach().float().cpu().numpy().tobytes())
    return found.hexdigest()
