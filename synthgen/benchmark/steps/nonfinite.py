"""Whether an image that comes out as NaN is made again, in the cheapest precision that helps, and what that costs."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from synthgen.benchmark.architectures import ARCHITECTURES
from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import (
    Asked,
    architectures,
    each,
    loaded,
    part,
    samples,
    seconds,
    settings_of,
    synchronize,
)
from synthgen.diffusion.pipelines import Pipeline
from synthgen.diffusion.pipelines.precision import ladder

_BATCH = 4


def run(findings: Findings, asked: Asked) -> None:
    """Poison the autoencoder, then the denoiser too, as long as they compute in half precision."""
    for name in architectures(findings, asked, ("sd15", "sdxl", "sd3")):
        with each(findings, ARCHITECTURES[name].name):
            _poison(findings, asked, name)


def _poison(findings: Findings, asked: Asked, name: str) -> None:
    said, dtype = ARCHITECTURES[name].name, "float16"
    pipeline = loaded(name, asked, dtype, redo_alone=True)
    wanted = samples(_BATCH, **settings_of(name, asked, steps=2))
    healthy, before = pipeline.text2img(wanted), _state(pipeline)
    findings.check(f"{said}: nothing is NaN by itself in {dtype}", bool(healthy.finite.all()), otherwise="warn")
    usual = seconds(asked.device, lambda: pipeline.text2img(wanted))
    reached = set[str]()
    for precision in ladder(dtype, asked.device):
        with _sick(pipeline, reached):
            began = time.perf_counter()
            made = pipeline.text2img(wanted[:1], precise=True)
            synchronize(asked.device)
        taken = time.perf_counter() - began
        how = f"{said}: made again as {precision.name}"
        findings.check(how, bool(made.finite.all()) and made.precisions == (precision.name,), str(made.precisions))
        findings.figure(how, taken / usual, f"times a batch of {_BATCH}")
        reached.add(precision.denoiser or dtype)
    findings.check(f"{said}: weights are as they were", _state(pipeline) == before)
    again = pipeline.text2img(wanted).pixels
    findings.check(f"{said}: images are as they were", bool((again == healthy.pixels).all()))


@contextmanager
def _sick(pipeline: Pipeline, dtypes: set[str]) -> Iterator[None]:
    """Turn to NaN what the autoencoder gives in half precision, and what the denoiser gives in some dtypes."""

    def spoil(names: set[str]) -> Any:
        def hook(module: Any, _inputs: Any, output: Any) -> Any:
            first = output[0] if isinstance(output, tuple) else output
            if str(next(module.parameters()).dtype).removeprefix("torch.") in names:
                first = first * float("nan")
            return (first, *output[1:]) if isinstance(output, tuple) else first

        return hook

    hooks = (
        pipeline.pipe.vae.decoder.register_forward_hook(spoil({"float16", "bfloat16"})),
        part(pipeline).register_forward_hook(spoil(set(dtypes))),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _state(pipeline: Pipeline) -> str:
    """A digest of dtypes and of some weights of the denoiser and the autoencoder."""
    found = hashlib.sha256()
    for module in (part(pipeline), pipeline.pipe.vae):
        for name, tensor in module.named_parameters():
            found.update(f"{name} {tensor.dtype} {tensor.flatten()[:8].float().tolist()}".encode())
    return found.hexdigest()
