"""What a model takes of the device, against what ``plan`` says beforehand."""

from typing import Any

from synthgen.benchmark.architectures import ARCHITECTURES, configurations
from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import Asked, architectures, each, loaded, samples, settings_of
from synthgen.core import devices
from synthgen.diffusion import memory
from synthgen.diffusion.pipelines import Pipeline, measure
from synthgen.errors import OutOfMemoryError

_SHARD = 48
_WITHIN = 0.35  # of what is measured that the rules of synthgen.diffusion.memory may be off by


def run(findings: Findings, asked: Asked) -> None:
    """Measure weights, a step's slope an image and a decoded image, and the batches that follow."""
    for name in architectures(findings, asked):
        with each(findings, ARCHITECTURES[name].name):
            _measure(findings, asked, name)


def _measure(findings: Findings, asked: Asked, name: str) -> None:
    said = ARCHITECTURES[name].name
    pipeline = loaded(name, asked)
    pipe, wanted = pipeline.pipe, samples(4, **settings_of(name, asked, steps=1))
    settings: Any = wanted[0].recipe.settings
    modules = [one for one in pipe.components.values() if hasattr(one, "parameters")]
    weights = sum(tensor.nbytes for module in modules for tensor in module.parameters())
    findings.figure(f"{said}: weights", weights / 2**30, "GiB")
    needs = measure(pipe, lambda count: pipeline.text2img(wanted[:count]))
    step, decode = needs.step, needs.decode
    findings.figure(f"{said}: a step, whatever the batch", needs.fixed / 2**30, "GiB")
    findings.figure(f"{said}: a step, for each image", step / 2**30, "GiB")
    findings.figure(f"{said}: decoding an image", decode / 2**30, "GiB")
    pixels = settings.height * settings.width
    denoiser, vae = configurations(pipe)
    size = 2 if asked.device == "cuda" else 4
    guided = settings.guidance_scale > 1 and name != "flux"
    told = memory.step_bytes(denoiser, pixels, pipe.vae_scale_factor, size, guided=guided)
    told_decode = memory.decode_bytes(vae, pixels, 4 if name == "sdxl" else size)
    for what, rule, found in (("a step", told, step), ("decoding", told_decode, decode)):
        if rule is None:
            findings.fail(f"{said}: `plan` on {what}", "its configuration says too little")
            continue
        off = rule / found - 1
        if asked.reduced:
            findings.skip(f"{said}: `plan` on {what}", f"tiny networks are no measure; it is {off:+.0%} off")
            continue
        findings.check(
            f"{said}: `plan` on {what}", abs(off) <= _WITHIN, f"{off:+.0%} of what is measured", otherwise="warn"
        )
    free = devices.describe(asked.device).free_memory
    chosen = memory.batch_that_fits(free - needs.fixed, step, decode, pixels, _SHARD)
    findings.figure(f"{said}: batch that is chosen", chosen)
    if asked.device == "cuda" and name == "sd15":
        _try_greater(findings, pipeline, name, asked, chosen)


def _try_greater(findings: Findings, pipeline: Pipeline, name: str, asked: Asked, chosen: int) -> None:
    """Whether the batch that is chosen runs, and how many times as many images would."""
    wanted = samples(memory.MAX_BATCH, **settings_of(name, asked, steps=1))
    most = 0
    for count in (chosen, 2 * chosen, 4 * chosen):
        if not 0 < count <= memory.MAX_BATCH:
            break
        try:
            pipeline.text2img(wanted[:count])
        except OutOfMemoryError:
            break
        most = count
    findings.check(f"{ARCHITECTURES[name].name}: the chosen batch runs", most >= chosen > 0, f"{chosen}; ran {most}")
