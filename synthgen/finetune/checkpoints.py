"""A training's newest state on disk, in safetensors: weights, both moments of AdamW, averages, and the step.

Not ``accelerate.save_state``: it writes pickles, which can run code when they are read, in several files that a kill
can leave at odds, with states of random generators that are not needed here. Random numbers are a function of the step
(:mod:`synthgen.finetune.step_seeds`), and so is the learning rate; so a training that goes on from here gives the
weights of an unbroken one, to the byte.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.core import atomic, weight_file

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter

_MOMENTS = ("exp_avg", "exp_avg_sq")


def sort_header(path: Path) -> None:
    """Write a safetensors file's header anew, its metadata sorted, so that the same tensors give the same bytes.

    The safetensors library writes metadata in an order that changes from call to call. The format is 8 bytes with the
    header's length, the header as JSON padded with blanks, and the tensors.
    """
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    if len(header.get("__metadata__", {})) < 2:
        return
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    atomic.write(path, len(text).to_bytes(8, "little") + text + content[8 + length :])


def steps_done(path: Path) -> int:
    """The optimizer steps of the state in a file; 0 where there is none."""
    from safetensors import safe_open

    if not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        return int(file.metadata()["step"])


@dataclass(frozen=True)
class TrainingState:
    """What of a training changes as it goes on, to be kept and taken up again.

    Attributes:
        parameters: What is trained, by name.
        optimizer: Its AdamW.
        average: diffusers' EMAModel; ``None`` for none.
        scaler: torch's GradScaler in fp16; ``None`` in other precisions.
        facts: What has to be the same where it is taken up again, as plain values.
    """

    parameters: Mapping[str, Parameter]
    optimizer: Any
    average: Any
    scaler: Any
    facts: Mapping[str, Any]

    def save(self, path: Path, step: int) -> None:
        """Write the state after so many optimizer steps, whole or not at all."""
        scratch = path.with_name(f".{path.name}.{atomic.owner()}")
        content = {name: value.detach().cpu().contiguous() for name, value in self._tensors().items()}
        scale = self.scaler.state_dict() if self.scaler is not None else {}
        told = {"facts": dict(self.facts), "scaler": scale}
        weight_file.save(content, scratch, {"step": str(step), **{key: _text(value) for key, value in told.items()}})
        with scratch.open("rb+") as file:
            os.fsync(file.fileno())
        atomic.publish(scratch, path)

    def restore(self, path: Path) -> int:
        """The steps that are done, the state taken up again; 0 where there is none, or one of other facts."""
        import torch
        from safetensors import safe_open

        if not path.exists():
            return 0
        with safe_open(path, "pt") as file, torch.no_grad():
            told, names = file.metadata(), set(file.keys())
            if told["facts"] != _text(dict(self.facts)):
                return 0
            step = int(told["step"])
            for place, (name, value) in enumerate(self.parameters.items()):
                value.copy_(file.get_tensor(f"weight/{name}"))
                if f"{_MOMENTS[0]}/{name}" in names:
                    moments = {one: file.get_tensor(f"{one}/{name}").to(value.device) for one in _MOMENTS}
                    self.optimizer.state[value] = {"step": torch.tensor(float(step), device=value.device), **moments}
                if self.average is not None:
                    self.average.shadow_params[place].copy_(file.get_tensor(f"average/{name}"))
        if self.average is not None:
            self.average.optimization_step = step
        if self.scaler is not None:
            self.scaler.load_state_dict(json.loads(told["scaler"]))
        return step

    def _tensors(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {f"weight/{name}": value for name, value in self.parameters.items()}
        for name, value in self.parameters.items():
            if value in self.optimizer.state:
                tensors |= {f"{one}/{name}": self.optimizer.state[value][one] for one in _MOMENTS}
        if self.average is not None:
            shadows = zip(self.parameters, self.average.shadow_params, strict=True)
            tensors |= {f"average/{name}": value for name, value in shadows}
        return tensors


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
