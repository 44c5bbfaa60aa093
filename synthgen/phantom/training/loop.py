"""The training loop of every stage: seeded by step, logged, and resumed from its newest checkpoint.

Not accelerate or Lightning: a stage has to go on to the same bits after a kill, which takes seeds by step and a
checkpoint without pickles, and neither gives them.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgen.core import atomic

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Module

_LOG_STEPS = 100
Loss = Callable[[int, np.random.Generator], tuple["Tensor", dict[str, float]]]


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how to compute: torch's device, and whether forward passes run in bf16."""

    device: str
    bf16: bool

    def autocast(self) -> torch.autocast:
        """The context of a forward pass."""
        import torch

        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.bf16)


class TrainingStage:
    """Networks that are trained together for a number of steps.

    Args:
        name: The stage's name, and its files'.
        folder: Where checkpoint and log lie.
        networks: What is trained, by name.
        seed: With the step, the seed of all that is random in it.
        steps: How many.
        learning_rate: Its peak; it rises for a fiftieth of the steps and falls as a cosine.
        ema: The decay of the exponential moving average of the weights; 0 for none.
        checkpoint_seconds: The time between two checkpoints.

    Attributes:
        done: Steps that are done, those of the newest checkpoint to begin with.
        average: The moving average of every weight, by network and name.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        networks: Mapping[str, Module],
        *,
        seed: int,
        steps: int,
        learning_rate: float,
        ema: float = 0.0,
        checkpoint_seconds: float = 300.0,
    ) -> None:
        import torch

        self.name, self.networks, self._steps, self._seed = name, networks, steps, seed
        self._peak, self._decay, self._checkpoint_seconds = learning_rate, ema, checkpoint_seconds
        self._checkpoint, self._log = folder / f"{name}.safetensors", folder / f"{name}.jsonl"
        self._parameters = {
            f"{network}.{key}": value
            for network, module in networks.items()
            for key, value in module.named_parameters()
        }
        self._optimizer = torch.optim.AdamW(self._parameters.values(), betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        self.average = {key: value.detach().clone() for key, value in self._parameters.items()}
        self.done = self._restore()
        if self._log.exists():  # steps behind the checkpoint are made, and logged, again
            kept = [line for line in curve(self._log) if line["step"] <= self.done]
            self._log.write_text("".join(f"{json.dumps(line)}\n" for line in kept), encoding="utf-8")

    def run(self, loss: Loss) -> None:
        """Train to the last step; the networks end with their averaged weights, ready for use.

        Args:
            loss: From the step's number and random generator to the loss and what else to log.
        """
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel

        began = saved = time.perf_counter()
        for network in self.networks.values():
            network.train()
        for step in range(self.done, self._steps):
            seed = np.random.SeedSequence([self._seed, *self.name.encode(), step])
            torch.manual_seed(int(seed.generate_state(1)[0]))
            # On a CPU the backward pass of fused attention over so few tokens takes longer than the plain one's.
            with sdpa_kernel(SDPBackend.MATH):
                value, extra = loss(step, np.random.default_rng(seed))
                self._step(step, value)
            self.done = step + 1
            if self.done % _LOG_STEPS == 0 or self.done == self._steps:
                self._note({"step": self.done, "loss": round(value.item(), 5), **extra}, time.perf_counter() - began)
            if time.perf_counter() - saved > self._checkpoint_seconds or self.done == self._steps:
                self._save()
                saved = time.perf_counter()
        with torch.no_grad():
            for key, value in self._parameters.items():
                value.copy_(self.average[key])
        for network in self.networks.values():
            network.eval().requires_grad_(requires_grad=False)

    def _step(self, step: int, loss: Tensor) -> None:
        import torch

        rise = min(1.0, (step + 1) / max(1, self._steps // 50))
        rate = self._peak * rise * (1 + math.cos(math.pi * step / self._steps)) / 2
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters.values(), 1.0)
        self._optimizer.step()
        decay = min(self._decay, (1 + step) / (10 + step)) if self._decay else 0.0
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.values()), list(self._parameters.values()), 1 - decay)

    def _note(self, entry: dict[str, float], seconds: float) -> None:
        line = json.dumps({"stage": self.name, **entry, "seconds": round(seconds, 1)})
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def _save(self) -> None:
        from safetensors.torch import save

        tensors = {f"weight/{key}": value.detach() for key, value in self._parameters.items()}
        tensors |= {f"average/{key}": value for key, value in self.average.items()}
        for key, value in self._parameters.items():
            for moment in ("exp_avg", "exp_avg_sq"):
                if value in self._optimizer.state:
                    tensors[f"{moment}/{key}"] = self._optimizer.state[value][moment]
        facts = {"step": str(self.done), "steps": str(self._steps), "seed": str(self._seed)}
        atomic.write(self._checkpoint, save({key: value.contiguous() for key, value in tensors.items()}, facts))

    def _restore(self) -> int:
        """The steps of the newest checkpoint, which is taken up; 0 where there is none of this seed and length."""
        import torch
        from safetensors import safe_open

        if not self._checkpoint.exists():
            return 0
        with safe_open(self._checkpoint, "pt") as file:
            facts, keys = file.metadata(), set(file.keys())
            if (facts["steps"], facts["seed"]) != (str(self._steps), str(self._seed)):
                return 0
            step = int(facts["step"])
            with torch.no_grad():
                for key, value in self._parameters.items():
                    value.copy_(file.get_tensor(f"weight/{key}"))
                    self.average[key].copy_(file.get_tensor(f"average/{key}"))
                    if f"exp_avg/{key}" in keys:
                        self._optimizer.state[value] = {
                            "step": torch.tensor(float(step), device=value.device),
                            "exp_avg": file.get_tensor(f"exp_avg/{key}").to(value.device),
                            "exp_avg_sq": file.get_tensor(f"exp_avg_sq/{key}").to(value.device),
                        }
        return step


def curve(path: Path) -> Sequence[dict[str, Any]]:
    """The records of a stage's log, one a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
