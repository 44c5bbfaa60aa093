"""Whether images are the same bytes when they are made again: in this process, in another, elsewhere in a batch."""

import hashlib
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from synthgen.benchmark.architectures import ARCHITECTURES
from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import Asked, architectures, dtype_of, each, loaded, release, samples, settings_of
from synthgen.core import devices
from synthgen.core.devices import DeviceRequest
from synthgen.diffusion import pipelines
from synthgen.diffusion.pipelines import Pipeline
from synthgen.diffusion.strategies import text2img

_BATCH = 4


def run(findings: Findings, asked: Asked) -> None:
    """Make one batch of the bundled model and of each architecture again and again."""
    for name in ("bundled", *architectures(findings, asked)):
        said = ARCHITECTURES[name].name if name in ARCHITECTURES else "bundled model"
        with each(findings, said):
            _look(findings, asked, name, said)


def digest(name: str, asked: Asked) -> str:
    """The sha256 of the pixels of one batch; what another process is asked for."""
    pipeline, wanted = _begin(name, asked)
    return _sha256(pipeline.text2img(wanted).pixels)


def _begin(name: str, asked: Asked) -> tuple[Pipeline, Sequence[Any]]:
    if name != "bundled":
        return loaded(name, asked), samples(_BATCH, **settings_of(name, asked, steps=2))
    wanted = samples(_BATCH)
    environment = text2img.environment(wanted[0].recipe, DeviceRequest(asked.device), _BATCH)
    return pipelines.load("text2img", wanted[0].recipe, environment), wanted


def _look(findings: Findings, asked: Asked, name: str, said: str) -> None:
    pipeline, wanted = _begin(name, asked)
    first = pipeline.text2img(wanted).pixels
    findings.check(f"{said}: twice in one process", _sha256(pipeline.text2img(wanted).pixels) == _sha256(first))
    turned = pipeline.text2img([*wanted[2:], *wanted[:2]]).pixels
    findings.check(f"{said}: another place in the batch", _same([*turned[2:], *turned[:2]], first))
    copies = pipeline.text2img([wanted[-1]] * _BATCH).pixels
    findings.check(f"{said}: among copies of itself, as `reproduce` makes it", _same([copies[0]], [first[-1]]))
    alone = pipeline.text2img(wanted[-1:]).pixels
    same = _same([alone[0]], [first[-1]])
    findings.figure(f"{said}: alone, in a batch of one", "same bytes" if same else "other last bits")
    with each(findings, f"{said}: after a batch in fp32"):
        pipeline.text2img(wanted[:1], precise=True)
        findings.check(f"{said}: after a batch in fp32", _same(pipeline.text2img(wanted).pixels, first))
    if asked.device == "cuda":
        with each(findings, f"{said}: on a card that is nearly full"):
            _beside_a_filler(findings, pipeline, wanted, first, said)
    del pipeline
    release(asked.device)
    if name in ("bundled", "sd15"):
        other = _elsewhere(name, asked)
        findings.check(f"{said}: in another process", other == _sha256(first), "" if other else "it gave nothing")
    findings.figure(f"{said}: dtype", dtype_of(name, asked.device) if name in ARCHITECTURES else "as a run has it")


def _beside_a_filler(findings: Findings, pipeline: Pipeline, wanted: Any, first: Any, said: str) -> None:
    """With four fifths of what is free taken: cuDNN may choose other kernels where it can't have room to work in."""
    import torch

    release("cuda")
    free = devices.describe("cuda").free_memory
    filler = torch.empty(int(free * 0.8), dtype=torch.uint8, device="cuda")
    findings.check(f"{said}: on a card that is nearly full", _same(pipeline.text2img(wanted).pixels, first))
    del filler


def _elsewhere(name: str, asked: Asked) -> str:
    """The digest by a process of its own."""
    command = [sys.executable, "-m", "synthgen.benchmark", "determinism", asked.device, "--digest", name]
    done = subprocess.run(
        [*command, *(["--reduced"] if asked.reduced else [])],
        capture_output=True, text=True, timeout=asked.seconds, check=False,
    )  # fmt: skip
    return done.stdout.strip().rpartition("\n")[2]


def _sha256(pixels: Any) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def _same(some: Iterable[Any], others: Iterable[Any]) -> bool:
    return all((one == other).all() for one, other in zip(some, others, strict=True))
