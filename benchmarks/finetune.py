"""How many optimizer steps a second ``synthgen finetune`` makes, beside a plain loop as in diffusers' LoRA script.

Both train the same LoRA of the bundled model on the same phantoms, at the same batch size, precision and optimizer. The
plain loop does in each step what ``train_text_to_image_lora.py`` does: encodes the images by the autoencoder, encodes
the prompts by the text encoder, draws noise and timesteps, and steps. The two take turns in one process; run with
``python benchmarks/finetune.py``.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from synthgen import finetune
from synthgen.core import devices, model_folder
from synthgen.extensions import EXTENSIONS
from synthgen.plan import Plan
from synthgen.real import indexing
from synthgen.runs import load_plan
from synthgen.vision.images import untrusted

SIDE, RATE = 64, 1e-4


def planned(folder: Path, steps: int, batch: int, precision: str) -> Plan:
    """A manifest that trains one LoRA on 48 phantoms."""
    document = {
        "name": "bench", "seed": 1, "model": "phantom", "labels": {"psoriasis": "psoriasis"}, "prompts": "sagers2023",
        "skin_tones": {"scale": "fitzpatrick", "values": [1, 2, 3, 4, 5, 6]},
        "real": {"source": "phantom", "count": 48, "splits": {"train": 1.0}},
        "finetune": [{"name": "lora", "method": "lora", "settings": {
            "max_train_steps": steps, "train_batch_size": batch, "mixed_precision": precision, "learning_rate": RATE,
            "num_validation_images": 0, "variants": 1, "random_flip": False, "checkpointing_steps": 10**6,
        }}],
        "generate": [{"strategy": "text2img", "per_cell": 1}],
    }  # fmt: skip
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_plan.read(path, EXTENSIONS, folder / "run")


def ours(plan: Plan, root: Path) -> float:
    """Steps a second of the verb, caching, loading and writing left out; the caching is told beside it."""
    steps = [made for made in finetune.finetune(finetune.prepare(plan, root)) if isinstance(made, finetune.Step)]
    return sum(len(step.losses) for step in steps) / sum(step.seconds for step in steps)


def plain(plan: Plan, root: Path, steps: int, batch: int, precision: str) -> float:
    """Steps a second of the plain loop, loading left out."""
    import numpy as np
    import torch
    from diffusers import DDPMScheduler, StableDiffusionPipeline
    from peft import LoraConfig

    pipe = StableDiffusionPipeline.from_pretrained(model_folder.bundled(), dtype=torch.float32)
    for part in (pipe.vae, pipe.text_encoder, pipe.unet):
        part.requires_grad_(False)
    targets = ["to_k", "to_q", "to_v", "to_out.0"]
    pipe.unet.add_adapter(LoraConfig(r=8, lora_alpha=8, init_lora_weights="gaussian", target_modules=targets))
    learned = [one for one in pipe.unet.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(learned, RATE, weight_decay=1e-2)
    schedule = DDPMScheduler.from_config(pipe.scheduler.config)
    pixels, texts = shown(plan, root)
    rng = np.random.default_rng(0)
    pipe.unet.train()
    began = time.perf_counter()
    for _ in range(steps):
        chosen = rng.integers(0, len(texts), batch)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            latents = pipe.vae.encode(pixels[chosen]).latent_dist.sample() * pipe.vae.config.scaling_factor
            tokens = pipe.tokenizer(
                [texts[place] for place in chosen],
                padding="max_length",
                max_length=pipe.tokenizer.model_max_length,
                truncation=True,
                return_tensors="pt",
            )
            embeddings = pipe.text_encoder(tokens.input_ids)[0]
            noise = torch.randn_like(latents)
            times = torch.randint(0, schedule.config.num_train_timesteps, (batch,))
            noisy, target = schedule.add_noise(latents, noise, times), schedule.get_velocity(latents, noise, times)
            found = pipe.unet(noisy, times, embeddings).sample
        loss = torch.nn.functional.mse_loss(found.float(), target.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return steps / (time.perf_counter() - began)


def shown(plan: Plan, root: Path) -> tuple[Any, list[str]]:
    """Every image as the autoencoder takes it, and its prompt."""
    import numpy as np
    import torch

    real, index = plan.manifest.real, plan.index
    if real is None or index is None:
        raise LookupError("no real images")
    read = indexing.open_images(real.source, real.settings, plan.manifest.base, root)
    images = [untrusted.open_photograph(read(source)) for source in index.usable("train")]
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return pixels, ["An image of psoriasis, a skin disease"] * len(images)


def main() -> None:
    """Let the two take turns, and print what each did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60, help="optimizer steps of each turn")
    parser.add_argument("--batch", type=int, default=8, help="images a step")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each")
    arguments = parser.parse_args()
    device = devices.describe("cpu")
    precision = "bf16" if device.bf16 else "no"
    found: dict[str, list[float]] = {"synthgen finetune": [], "plain loop": []}
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as name:
            plan = planned(Path(name), arguments.steps, arguments.batch, precision)
            found["synthgen finetune"].append(ours(plan, Path(name) / "run"))
            found["plain loop"].append(plain(plan, Path(name) / "run", arguments.steps, arguments.batch, precision))
    what = f"LoRA of rank 8, batch {arguments.batch}, {precision}, {SIDE} x {SIDE}"
    print(f"{what}; {device.name}, {device.threads} threads")
    for name, rates in found.items():
        print(f"  {name:<20}{statistics.median(rates):8.2f} steps/s   ({', '.join(f'{rate:.2f}' for rate in rates)})")
    ratios = [one / other for one, other in zip(*found.values(), strict=True)]
    print(f"finetune / plain  {statistics.median(ratios):.2f}  (goal 1)")


if __name__ == "__main__":
    main()
