"""The environment of a training: what its weights depend on beside the recipe, kept beside its state."""

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from synthgen.core import atomic, devices
from synthgen.errors import UnavailableError
from synthgen.finetune import methods
from synthgen.finetune.methods import TrainingSettings
from synthgen.plan.adapters import AdapterPlan

FILE = "environment.json"
PACKAGES = ("accelerate", "peft", "torch", "diffusers", "transformers", "numpy", "pillow")


def facts(adapter_plan: AdapterPlan, device: devices.Device, mixed_precision: str, revision: str) -> dict[str, Any]:
    """What the weights depend on beside the recipe, as plain values."""
    return {
        "digest": adapter_plan.seed_digest,
        "device": device.kind,
        "device_name": device.name,
        "threads": device.threads,
        "mixed_precision": mixed_precision,
        "model_revision": revision,
        **({"deterministic": True} if device.kind == "cuda" else {}),
        "versions": {name: version(name) for name in PACKAGES} | methods.plugins.versions(adapter_plan.adapter.method),
    }


def pin(scratch: Path, now: dict[str, Any]) -> None:
    """Begin a training's state, or check that it is of this recipe and environment; another recipe's is begun anew.

    What an earlier version did not write down is not compared, since nobody could bring it back.

    Raises:
        UnavailableError: The state was begun in another environment.
    """
    path = scratch / FILE
    begun = json.loads(path.read_bytes()) if path.is_file() else None
    if begun is None or begun["digest"] != now["digest"]:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        atomic.write(path, json.dumps(now, indent=1).encode())
    elif changed := ", ".join(
        f"{key} {begun.get(key)} then, {value} now" for key, value in now.items() if begun.get(key, value) != value
    ):
        raise UnavailableError(f"{scratch} was begun in another environment ({changed}); restore it, or remove it")


def precision(asked: str, device: devices.Device) -> str:
    """The precision of the forward pass: bf16 where the device has it, fp16 on other CUDA devices, else fp32."""
    if asked == "fp16" and device.kind == "cpu":
        raise UnavailableError("mixed_precision fp16: a CPU has no fast fp16 arithmetic; use bf16, no or auto")
    if asked != "auto":
        return asked
    return "bf16" if device.bf16 else "fp16" if device.kind == "cuda" else "no"


def accelerator(mixed_precision: str, settings: TrainingSettings, device: str) -> Any:
    """A fresh ``Accelerator``: in one process adapters of several precisions are trained one after another."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state()
    GradientState._reset_state()
    return Accelerator(
        mixed_precision=mixed_precision,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        cpu=device == "cpu",
    )
