"""A training's newest state on disk, in safetensors: weights, both moments of AdamW, averages, and the step.

Random numbers are a function of the step (:mod:`synthgen.finetune.seeds`), and so is the learning rate; so a training
that goes on from here gives the weights of an unbroken one, to the byte.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthgen import durable

_MOMENTS = ("exp_avg", "exp_avg_sq")


def save(path: Path, step: int, parameters: Mapping[str, Any], *, optimizer: Any, average: Any, facts: Any) -> None:
    """Write the state after a step, whole or not at all.

    Args:
        path: The file.
        step: Optimizer steps that are done.
        parameters: What is trained, by name.
        optimizer: Its AdamW.
        average: diffusers' EMAModel; ``None`` for none.
        facts: What has to be the same where it is taken up again, as plain values.
    """
    from safetensors.torch import save_file

    tensors = {f"weight/{name}": value.detach() for name, value in parameters.items()}
    for name, value in parameters.items():
        for moment in _MOMENTS:
            if value in optimizer.state:
                tensors[f"{moment}/{name}"] = optimizer.state[value][moment]
    if average is not None:
        tensors |= {f"average/{name}": one for name, one in zip(parameters, average.shadow_params, strict=True)}
    scratch = path.with_name(f".{path.name}.{durable.owner()}")
    content = {name: value.cpu().contiguous() for name, value in tensors.items()}
    save_file(content, scratch, {"step": str(step), "facts": json.dumps(facts, sort_keys=True)})
    with scratch.open("rb+") as file:
        os.fsync(file.fileno())
    durable.publish(scratch, path)


def restore(path: Path, parameters: Mapping[str, Any], *, optimizer: Any, average: Any, facts: Any) -> int:
    """Take a state up again; returns the steps that are done: 0 where there is none, or one of other facts."""
    import torch
    from safetensors import safe_open

    if not path.exists():
        return 0
    with safe_open(path, "pt") as file, torch.no_grad():
        told, names = file.metadata(), set(file.keys())
        if told["facts"] != json.dumps(facts, sort_keys=True):
            return 0
        step = int(told["step"])
        for name, value in parameters.items():
            value.copy_(file.get_tensor(f"weight/{name}"))
            if f"{_MOMENTS[0]}/{name}" in names:
                moments = {one: file.get_tensor(f"{one}/{name}").to(value.device) for one in _MOMENTS}
                optimizer.state[value] = {"step": torch.tensor(float(step), device=value.device), **moments}
        if average is not None:
            average.optimization_step = step
            for place, name in enumerate(parameters):
                average.shadow_params[place].copy_(file.get_tensor(f"average/{name}"))
    return step
