"""The samples that steps make, how long and how much memory that takes, and how two images compare."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from synthgen.benchmark.architectures import ARCHITECTURES, REDUCED_SIDE, build
from synthgen.core import devices
from synthgen.diffusion.pipelines import Pipeline, denoiser
from synthgen.errors import OutOfMemoryError, SynthgenError, one_line
from synthgen.extensions import EXTENSIONS
from synthgen.plan import Plan, manifest
from synthgen.plan.sample import Sample

if TYPE_CHECKING:
    from synthgen.benchmark.findings import Findings

# What torch, its libraries and the file system raise on a machine that differs from those before it.
_FAULTS = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, ImportError, OSError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a step is to run on.

    Attributes:
        device: torch's device type.
        reduced: Whether networks are reduced to what a CPU runs in seconds.
        scratch: A folder of the step's own.
        seconds: How long it may take.
    """

    device: str
    reduced: bool
    scratch: Path
    seconds: float


def document(per_cell: int = 1, shard_samples: int = 48, **settings: Any) -> dict[str, Any]:
    """The manifest of images that the bundled model makes, six a round."""
    sampler = {"num_inference_steps": 8, "guidance_scale": 2.5, "height": 64, "width": 64} | settings
    return {
        "name": "benchmark",
        "seed": 7,
        "model": "phantom",
        "labels": {"melanoma": "melanoma", "healthy": "healthy skin"},
        "skin_tones": {"scale": "fitzpatrick", "values": [1, 3, 6]},
        "generate": [{"name": "text", "strategy": "text2img", "per_cell": per_cell, "settings": sampler}],
        "output": {"image_format": "png", "shard_samples": shard_samples},
    }


def plan_of(content: dict[str, Any]) -> Plan:
    """The plan of such a manifest."""
    return Plan(manifest.parse(yaml.safe_dump(content), EXTENSIONS, base=Path(), where="benchmark"))


def samples(count: int, **settings: Any) -> list[Sample]:
    """So many samples with settings of the sampler."""
    entry = plan_of(document(-(-count // 6), **settings)).entries["text"]
    return [entry.sample(place) for place in range(count)]


def settings_of(name: str, asked: Asked, *, steps: int) -> dict[str, Any]:
    """The sampler's settings of an architecture, as ``samples`` takes them."""
    of = ARCHITECTURES[name]
    side = REDUCED_SIDE if asked.reduced else of.side
    return {
        "height": side, "width": side, "num_inference_steps": steps, "guidance_scale": of.guidance_scale,
        "scheduler": of.scheduler,
    }  # fmt: skip


def dtype_of(name: str, device: str) -> str:
    """The dtype that an architecture is computed in on a device."""
    return ARCHITECTURES[name].dtype if device == "cuda" else "float32"


def loaded(name: str, asked: Asked, dtype: str = "", *, redo_alone: bool = False) -> Pipeline:
    """An architecture with random weights on the device, as a run would have it there."""
    import torch

    dtype = dtype or dtype_of(name, asked.device)
    pipe = build(name, asked.device, dtype, reduced=asked.reduced)
    if devices.channels_last(asked.device) and hasattr(pipe, "unet"):
        pipe.unet.to(memory_format=torch.channels_last)
    pipe.vae.to(memory_format=torch.channels_last)
    return Pipeline(pipe, dtype, redo_alone=redo_alone)


@contextmanager
def each(findings: Findings, what: str) -> Iterator[None]:
    """Whatever goes wrong inside is one failed check, named, and the step goes on."""
    try:
        yield
    except OutOfMemoryError as error:
        findings.skip(what, f"does not fit: {one_line(error)}")
    except SynthgenError as error:
        findings.fail(what, one_line(error))
    except _FAULTS as error:
        findings.fail(what, f"{type(error).__name__}: {one_line(error)}")


def architectures(findings: Findings, asked: Asked, names: tuple[str, ...] = tuple(ARCHITECTURES)) -> Iterator[str]:
    """The architectures that fit the device, one after another, its memory empty before each; others are told."""
    for name in names:
        release(asked.device)
        free = devices.describe(asked.device).free_memory
        need = int(ARCHITECTURES[name].weights * 1.25) + 2 * 10**9
        if not asked.reduced and free < need:
            said = f"needs about {need / 1e9:.0f} GB, {free / 1e9:.0f} GB are free"
            findings.skip(ARCHITECTURES[name].name, said)
            continue
        yield name


def release(device: str) -> None:
    """Give back what no tensor holds any more."""
    import gc

    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


def seconds(device: str, work: Callable[[], object], times: int = 1) -> float:
    """How long a call takes once it is warm, in seconds, the device waited for; the mean of some times."""
    work()
    synchronize(device)
    began = time.perf_counter()
    for _ in range(times):
        work()
    synchronize(device)
    return (time.perf_counter() - began) / times


def synchronize(device: str) -> None:
    """Wait until the device has done all that it was given."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


@contextmanager
def clocked(device: str, module: Any, method: str = "forward") -> Iterator[list[float]]:
    """The seconds of each call of a module's method inside, the device waited for before and after."""
    found: list[float] = []
    usual = getattr(module, method)

    def timed(*args: Any, **kwargs: Any) -> Any:
        synchronize(device)
        began = time.perf_counter()
        result = usual(*args, **kwargs)
        synchronize(device)
        found.append(time.perf_counter() - began)
        return result

    setattr(module, method, timed)
    try:
        yield found
    finally:
        setattr(module, method, usual)


def part(pipeline: Pipeline) -> Any:
    """The denoiser of a pipeline."""
    return denoiser(pipeline.pipe)
