"""Whether a batch that does not fit is halved until it does, with every image made."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import Asked, document, each, plan_of, release
from synthgen.core.devices import DeviceRequest, Environment
from synthgen.diffusion import pipelines
from synthgen.diffusion.strategies import text2img
from synthgen.generate import generate, prepare
from synthgen.runs import run_folder

_FENCE = 1.5 * 2**30


def run(findings: Findings, asked: Asked) -> None:
    """Make a shard in a batch far too large for what the process may have."""
    side = 64 if asked.reduced else 512
    content = document(2 if asked.reduced else 11, 12 if asked.reduced else 66, num_inference_steps=1, height=side,
                       width=side)  # fmt: skip
    with each(findings, "a batch too large"):
        plan, root = plan_of(content), asked.scratch / "run"
        job = prepare(plan, root)
        entry = plan.entries["text"]
        first = text2img.environment(entry.recipe, DeviceRequest(asked.device), entry.samples)
        run_folder.pin(root, "text", dataclasses.replace(first, batch_size=entry.samples))
        with _little_memory(asked, entry.recipe, first):
            receipts = list(generate(job, DeviceRequest(asked.device)))
        made = sum(receipt.count for receipt in receipts)
        findings.check("every image is made", made == entry.samples, f"{made} of {entry.samples}")
        ended = Environment(**receipts[-1].environment).batch_size
        findings.check("the batch is halved", ended < entry.samples, f"{entry.samples}, then {ended}")
    with each(findings, "memory after it"):
        pipelines.release()
        release(asked.device)
        _left(findings, asked)


@contextmanager
def _little_memory(asked: Asked, recipe: Any, environment: Environment) -> Iterator[None]:
    """Fence the process in; on a CPU, which has no fence, a denoiser that refuses more than four images."""
    import torch

    if asked.device == "cuda":
        release(asked.device)
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, _FENCE / total))
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return
    denoiser = pipelines.denoiser(pipelines.load("text2img", recipe, environment).pipe)

    def refuse(_module: Any, inputs: Any) -> None:
        if len(inputs[0]) > 8:  # four images, each with and without its prompt
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = denoiser.register_forward_pre_hook(refuse)
    try:
        yield
    finally:
        hook.remove()


def _left(findings: Findings, asked: Asked) -> None:
    import torch

    if asked.device != "cuda":
        findings.skip("nothing is left on the card", "CUDA alone has an allocator that can be asked")
        return
    left = torch.cuda.memory_allocated() / 2**20
    findings.check("nothing is left on the card", left < 64, f"{left:.0f} MiB of tensors", otherwise="warn")
