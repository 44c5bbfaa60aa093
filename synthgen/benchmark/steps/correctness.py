"""Whether each dtype and attention backend draws the picture that a CPU draws in fp32."""

import itertools
from dataclasses import replace

from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import Asked, each, release, samples
from synthgen.core import devices
from synthgen.core.devices import ATTENTION, DTYPES, DeviceRequest
from synthgen.diffusion import pipelines
from synthgen.diffusion.strategies import text2img
from synthgen.errors import UnavailableError
from synthgen.vision.images import codec

_NEAR = {"float32": 40.0, "bfloat16": 20.0, "float16": 28.0}  # dB; halves round in every one of the steps


def run(findings: Findings, asked: Asked) -> None:
    """Make images of the bundled model in every dtype by every backend, and compare them with the CPU's."""
    wanted = samples(4 if asked.reduced else 24)
    recipe = wanted[0].recipe
    usual = text2img.environment(recipe, DeviceRequest("cpu", "fp32"), len(wanted))
    reference = pipelines.load("text2img", recipe, usual).text2img(wanted).pixels
    device = devices.describe(asked.device)
    for dtype, attention in itertools.product(DTYPES.values(), ATTENTION[1:]):
        name = f"{dtype} {attention}"
        environment = replace(usual, device=asked.device, dtype=dtype, attention=attention)
        release(asked.device)
        with each(findings, name):
            try:
                if attention != "sdpa":  # who computes in fp16 on a CPU by PyTorch's own attention is slow, not wrong
                    devices.decide(device, DeviceRequest(asked.device, dtype, attention), pixels=1, shard_samples=1,
                                   model_revision="")  # fmt: skip
                made = pipelines.load("text2img", recipe, environment).text2img(wanted)
            except UnavailableError as error:
                findings.skip(name, str(error))
                continue
            psnr = min(codec.psnr(one, other) for one, other in zip(made.pixels, reference, strict=True))
            blank = sum(bool(codec.blank(one)) for one in made.pixels)
            whole = bool(made.finite.all()) and not blank
            said = f"least PSNR to the CPU {psnr:.1f} dB, {int((~made.finite).sum())} not finite, {blank} blank"
            findings.check(name, whole and psnr >= _NEAR[dtype], said)
