"""What encoding the images of a batch together buys, against diffusers' own way with a generator for each image.

diffusers' inpainting pipeline encodes one image at a time once it is given a list of generators; and it encodes the
masked image too, which a UNet of four channels never reads. Both ways take the same photographs, masks, prompts and
generators, the bundled model in fp32 and in turns: the encoding alone, and the whole call. Run with
``python benchmarks/encoding.py``.
"""

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

MANIFEST = """\
name: encoding
seed: 1
labels: {melanoma: melanoma, psoriasis: psoriasis, folliculitis: folliculitis, vitiligo: vitiligo}
skin_tones: {scale: fitzpatrick, values: [1, 2, 3, 4, 5, 6]}
real: {source: phantom, count: 24, seed: 1, splits: {train: 1.0}}
generate:
  - strategy: inpaint
    per_source: 2
    settings: {mask: {shape: centre}, num_inference_steps: 10, guidance_scale: 2.0, scheduler: ddim}
"""


def prepare(folder: Path, batch_size: int) -> tuple[Callable[[], Any], Callable[[], Any], Callable[[], Any], Any]:
    """Ours and diffusers' encoding, our whole call, and what diffusers' whole call needs."""
    import torch

    from synthgen.core.devices import DeviceRequest
    from synthgen.diffusion.pipelines import latents
    from synthgen.diffusion.sampler_settings import load
    from synthgen.diffusion.strategies import inpaint
    from synthgen.extensions import EXTENSIONS
    from synthgen.runs import load_plan
    from synthgen.runs.start_images import of_run

    path = folder / "encoding.yaml"
    path.write_text(MANIFEST, encoding="utf-8")
    plan = load_plan.read(path, EXTENSIONS, folder / "run")
    entry = plan.entries["inpaint"]
    request = DeviceRequest("cpu", "fp32", batch_size=batch_size)
    environment = dataclasses.replace(inpaint.environment(entry.recipe, request, batch_size), batch_size=batch_size)
    samples = [entry.sample(index % entry.samples) for index in range(batch_size)]
    found = of_run(plan, folder / "run")
    found.fetch(samples)
    maker = inpaint.maker(entry.recipe, environment, found)
    pipeline = load("inpaint", entry.recipe, environment)
    pixels = np.stack([found(sample).pixels for sample in samples])

    def generators() -> list[Any]:
        return [torch.Generator("cpu").manual_seed(sample.seed) for sample in samples]

    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    pipe: Any = pipeline.pipe

    def theirs() -> None:
        with torch.inference_mode():
            pipe._encode_vae_image(images, generator=generators())

    def ours() -> None:
        with torch.inference_mode():
            latents.of_images(pipe, pixels, generators())

    masks = torch.zeros(batch_size, 1, *pixels.shape[1:3])
    masks[:, :, 16:48, 16:48] = 1
    call = {"prompt": [one.prompt for one in samples], "image": images, "mask_image": masks, "height": 64, "width": 64}
    call |= {"num_inference_steps": 10, "guidance_scale": 2.0, "strength": 0.8, "output_type": "pt"}
    return ours, theirs, lambda: maker(samples), (pipe, call, generators)


def their_call(pipe: Any, call: dict[str, Any], generators: Callable[[], list[Any]]) -> None:
    """The pipeline as a script calls it: images in, and a generator for each."""
    import torch

    vars(pipe).pop("prepare_latents", None)  # ours stands in front of the class's own
    with torch.inference_mode():
        pipe(**call, generator=generators())


def seconds(call: Callable[[], Any]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    """Measure both ways in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    print(f"{'batch':>5}  {'what':<16}{'synthgen, ms':>14}{'diffusers, ms':>15}{'ratio':>8}")
    for batch_size in (1, 8, 48):
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs, our_call, (pipe, call, generators) = prepare(Path(folder), batch_size)
            ways = {
                "encoding": (ours, theirs),
                "the whole call": (our_call, lambda: their_call(pipe, call, generators)),  # noqa: B023 - called here
            }
            for what, (one, other) in ways.items():
                seconds(one), seconds(other)
                times = [(seconds(one), seconds(other)) for _ in range(arguments.rounds)]
                mine, their = (1000 * statistics.median(side) for side in zip(*times, strict=True))
                print(f"{batch_size:>5}  {what:<16}{mine:>14.1f}{their:>15.1f}{their / mine:>8.2f}", flush=True)


if __name__ == "__main__":
    main()
