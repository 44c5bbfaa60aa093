"""Whether the device is as fast after a while as at the beginning, and holds no more memory."""

import time

from synthgen.benchmark.architectures import ARCHITECTURES
from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import Asked, architectures, each, loaded, samples, settings_of, synchronize

_KEEP = 8.0  # seconds that are left for the end


def run(findings: Findings, asked: Asked) -> None:
    """Make images of one architecture until the time is up."""
    name = next(iter(architectures(findings, asked, ("sdxl", "sd15"))), None)
    if name is None:
        return
    with each(findings, ARCHITECTURES[name].name):
        _until(findings, asked, name)


def _until(findings: Findings, asked: Asked, name: str) -> None:
    began = time.perf_counter()
    pipeline = loaded(name, asked)
    wanted = samples(2 if asked.reduced else 4, **settings_of(name, asked, steps=4))
    pipeline.text2img(wanted)
    synchronize(asked.device)
    held, taken = _held(asked), list[float]()
    left = min(6.0, asked.seconds) if asked.reduced else asked.seconds - _KEEP
    while time.perf_counter() - began < left or len(taken) < 4:
        at = time.perf_counter()
        pipeline.text2img(wanted)
        synchronize(asked.device)
        taken.append(time.perf_counter() - at)
    said, third = ARCHITECTURES[name].name, max(1, len(taken) // 3)
    first, last = (len(wanted) * third / sum(some) for some in (taken[:third], taken[-third:]))
    findings.figure(f"{said}: batches", len(taken))
    findings.figure(f"{said}: first third", first, "images/s")
    findings.figure(f"{said}: last third", last, "images/s")
    findings.check(f"{said}: as fast at the end", last >= 0.9 * first, f"{last / first:.2f} of the beginning",
                   otherwise="warn")  # fmt: skip
    grown = (_held(asked) - held) / 2**20
    if asked.device == "cuda":
        findings.check(f"{said}: no memory is kept", grown < 16, f"{grown:+.0f} MiB", otherwise="warn")


def _held(asked: Asked) -> int:
    import torch

    return torch.cuda.memory_allocated() if asked.device == "cuda" else 0
