"""Whether an image that comes out as NaN is made again, whatever its neighbours, and what that costs."""

import hashlib
import time
from collections.abc import Sequence
from typing import Any

from synthgen.benchmark.architectures import ARCHITECTURES
from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import Asked, architectures, each, loaded, part, samples, settings_of, synchronize
from synthgen.diffusion.maker import MadeImages
from synthgen.diffusion.pipelines import Pipeline
from synthgen.generate import retry

_BATCH = 4
_SICK = 1


def run(findings: Findings, asked: Asked) -> None:
    """Poison one image of a batch as long as the autoencoder computes in half precision."""
    for name in architectures(findings, asked, ("sd15", "sdxl", "sd3")):
        with each(findings, ARCHITECTURES[name].name):
            _poison(findings, asked, name)


def _poison(findings: Findings, asked: Asked, name: str) -> None:
    said = ARCHITECTURES[name].name
    dtype = "float16" if asked.device == "cuda" else "bfloat16"
    pipeline, wanted = loaded(name, asked, dtype), samples(_BATCH, **settings_of(name, asked, steps=2))
    healthy = pipeline.text2img(wanted)
    findings.check(f"{said}: nothing is NaN by itself in {dtype}", bool(healthy.finite.all()), otherwise="warn")
    before = _state(pipeline)
    calls, taken = list[bool](), list[float]()

    def maker(batch: Sequence[Any], *, precise: bool = False) -> MadeImages:
        synchronize(asked.device)
        began = time.perf_counter()
        made = pipeline.text2img(batch, precise=precise)
        if not precise:
            finite = made.finite.copy()
            finite[[one.index == _SICK for one in batch]] = False
            made = MadeImages(made.pixels, finite, extremes=made.extremes)
        synchronize(asked.device)
        calls.append(precise)
        taken.append(time.perf_counter() - began)
        return made

    made = {one.sample.index: one for one in retry.make(wanted, maker, _BATCH, lambda one, _: one)}
    findings.check(f"{said}: the image is made again", made[_SICK].outcomes == ("nonfinite", "made"),
                   " ".join(made[_SICK].outcomes))  # fmt: skip
    others = [place for place in range(_BATCH) if place != _SICK]
    same = all((made[place].pixels == healthy.pixels[place]).all() for place in others)
    findings.check(f"{said}: its neighbours are as they were", same)
    findings.check(f"{said}: weights are as they were", _state(pipeline) == before)
    again = [one for one, precise in zip(taken, calls, strict=True) if precise]
    usual = [one for one, precise in zip(taken, calls, strict=True) if not precise]
    if again and usual:
        findings.figure(f"{said}: making it again", again[0] / usual[0], "times a batch of 4")


def _state(pipeline: Pipeline) -> str:
    """A digest of dtypes and of some weights of the denoiser and the autoencoder."""
    found = hashlib.sha256()
    for module in (part(pipeline), pipeline.pipe.vae):
        for name, tensor in module.named_parameters():
            found.update(f"{name} {tensor.dtype} {tensor.flatten()[:8].float().tolist()}".encode())
    return found.hexdigest()
