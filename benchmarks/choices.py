"""What the choices of ``synthgen/core/devices.py`` rest on: the bundled UNet's time under each way to compute.

For each dtype and memory format, and for threads that spin while they wait, sleep, or spin briefly and then sleep
(``GOMP_SPINCOUNT=30000``), with none and with two other programs that keep a core busy each: the median milliseconds of
a step for 48 images with guidance. Takes turns, so that a machine that slows down does so for all. Run with ``python
benchmarks/choices.py``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

WEIGHTS = Path(__file__).parent.parent / "synthgen" / "phantom" / "weights"
IMAGES = 48
STEPS = 8
BUSY = "while True: pass"
LEFT_OUT = ("PYTHONDONTWRITEBYTECODE", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
POLICIES = {
    "spin": {},
    "sleep": {"OMP_WAIT_POLICY": "PASSIVE"},
    "briefly": {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "30000"},
}
WAYS = [
    (dtype, memory_format, "spin")
    for dtype in ("float32", "bfloat16")
    for memory_format in ("contiguous_format", "channels_last")
]


def step(dtype: str, memory_format: str) -> None:
    """Child: print the median milliseconds of a step as JSON."""
    import torch
    from diffusers import UNet2DConditionModel

    torch.set_grad_enabled(False)
    unet = UNet2DConditionModel.from_pretrained(WEIGHTS / "unet", dtype=getattr(torch, dtype))
    unet.to(memory_format=getattr(torch, memory_format))
    size, width = unet.config.sample_size, unet.config.cross_attention_dim
    latents = torch.randn(2 * IMAGES, unet.config.in_channels, size, size).to(unet.dtype)
    text = torch.randn(2 * IMAGES, 32, width).to(unet.dtype)
    unet(latents, 500, text)
    seconds = []
    for _ in range(STEPS):
        began = time.perf_counter()
        unet(latents, 500, text)
        seconds.append(time.perf_counter() - began)
    print(json.dumps(1000 * statistics.median(seconds)))


def measure(dtype: str, memory_format: str, waiting: str) -> float:
    """A step's milliseconds in a process of its own."""
    environment = {key: value for key, value in os.environ.items() if key not in LEFT_OUT}
    command = [sys.executable, __file__, "--child", dtype, memory_format]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**environment, **POLICIES[waiting]})
    return float(json.loads(done.stdout))


def main() -> None:
    """Measure every way in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        step(*arguments.child)
        return
    print(f"{'dtype':<10}{'memory format':<20}{'threads':<10}{'busy programs':>14}{'ms a step':>12}")
    waits = [("bfloat16", "contiguous_format", waiting) for waiting in POLICIES]
    for busy, ways in ((0, [*WAYS, *waits[1:]]), (2, waits)):
        found: dict[tuple[str, str, str], list[float]] = {way: [] for way in ways}
        with ExitStack() as stack:
            for _ in range(busy):
                program = stack.enter_context(subprocess.Popen([sys.executable, "-c", BUSY]))
                stack.callback(program.kill)
            for _ in range(arguments.rounds):
                for way in ways:
                    found[way].append(measure(*way))
        for (dtype, memory_format, waiting), times in found.items():
            print(f"{dtype:<10}{memory_format:<20}{waiting:<10}{busy:>14}{statistics.median(times):>12.0f}")


if __name__ == "__main__":
    main()
