"""Images a second by family and batch, and where the time goes: denoiser, autoencoder, host."""

import time
from typing import Any

from synthgen.benchmark.architectures import ARCHITECTURES
from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import (
    Asked,
    architectures,
    clocked,
    document,
    each,
    loaded,
    part,
    plan_of,
    samples,
    settings_of,
    synchronize,
)
from synthgen.core.devices import DeviceRequest
from synthgen.diffusion import pipelines
from synthgen.errors import OutOfMemoryError
from synthgen.generate import generate, prepare

_BATCHES = {"sd15": (1, 8, 24), "sdxl": (1, 8), "sd3": (1, 8), "flux": (1, 4)}
_STEPS = 4  # timed, and scaled to the usual number


def run(findings: Findings, asked: Asked) -> None:
    """Time each architecture in batches, and a whole run from a model's folder."""
    for name in architectures(findings, asked):
        with each(findings, ARCHITECTURES[name].name):
            _time(findings, asked, name)
    with each(findings, "a whole run"):
        _whole_run(findings, asked)


def _time(findings: Findings, asked: Asked, name: str) -> None:
    of, pipeline = ARCHITECTURES[name], loaded(name, asked)
    for count in (1, 2) if asked.reduced else _BATCHES[name]:
        wanted = samples(count, **settings_of(name, asked, steps=_STEPS))
        try:
            pipeline.text2img(wanted)  # warm
            synchronize(asked.device)
            began = time.perf_counter()
            with (
                clocked(asked.device, part(pipeline)) as passes,
                clocked(asked.device, pipeline.pipe.vae, "decode") as vae,
            ):
                pipeline.text2img(wanted)
            synchronize(asked.device)
        except OutOfMemoryError as error:
            findings.skip(f"{of.name}: batch {count}", str(error))
            break
        taken = time.perf_counter() - began
        rest = max(0.0, taken - sum(passes) - sum(vae))
        whole = sum(passes) * of.steps / _STEPS + sum(vae) + rest
        said = f"{of.name}: batch {count}"
        findings.figure(f"{said}: images/s at {of.steps} steps", count / whole, "images/s")
        findings.figure(f"{said}: a denoiser's pass", sum(passes) / len(passes), "s")
        findings.figure(f"{said}: autoencoder's share", sum(vae) / whole, "of the time")
        findings.figure(f"{said}: host's share", rest / whole, "of the time")
        findings.figure(f"{said}: 100,000 images take", 100_000 / count * whole / 3600, "h")


def _whole_run(findings: Findings, asked: Asked) -> None:
    """Save Stable Diffusion 1.5, load it as a run does, and make images from it to tars on disk."""
    pipeline = loaded("sd15", asked)
    settings = settings_of("sd15", asked, steps=_STEPS if asked.reduced else 25)
    count = 6 if asked.reduced else 48
    bare = _bare(asked, pipeline, count, settings)
    folder = asked.scratch / "model"
    pipeline.pipe.save_pretrained(folder, safe_serialization=True)
    del pipeline
    content = document(count // 6, count, **settings) | {"model": str(folder)}
    plan = plan_of(content)
    began = time.perf_counter()
    entry = plan.entries["text"]
    from synthgen.diffusion.strategies import text2img

    environment = text2img.environment(entry.recipe, DeviceRequest(asked.device), count)
    pipelines.load("text2img", entry.recipe, environment)
    findings.figure("SD 1.5: loaded from its folder", time.perf_counter() - began, "s")
    job = prepare(plan, asked.scratch / "run")
    request = DeviceRequest(asked.device, batch_size=min(count, 24))
    began = time.perf_counter()
    made = sum(receipt.count for receipt in generate(job, request))
    rate = made / (time.perf_counter() - began)
    findings.check("SD 1.5: every image of a whole run", made == count, f"{made} of {count}")
    findings.figure("SD 1.5: generate", rate, "images/s")
    share = rate / bare
    said = f"{share:.2f} of the bare pipeline's rate, loading and first batch included"
    findings.check("SD 1.5: generate against the bare pipeline", share >= 0.8 or asked.reduced, said, otherwise="warn")


def _bare(asked: Asked, pipeline: Any, count: int, settings: dict[str, Any]) -> float:
    wanted, batch = samples(count, **settings), min(count, 24)
    pipeline.text2img(wanted[:batch])
    synchronize(asked.device)
    began = time.perf_counter()
    for first in range(0, count, batch):
        pipeline.text2img(wanted[first : first + batch])
    synchronize(asked.device)
    return count / (time.perf_counter() - began)
