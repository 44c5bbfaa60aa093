"""Any image model of timm as a backbone: its pooled features, by its own preprocessing, from safetensors alone.

By timm itself and not by transformers' ``TimmWrapperModel``, whose image processor takes no arrays.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.errors import UnavailableError
from synthgen.vision.features import checkpoints
from synthgen.vision.features.normalised import normalised

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Pixels

    Compute = Callable[[Pixels], Floats]

NEEDS = "config.json, as timm's `save_for_hf` writes it, and model.safetensors"
_FILES = ("config.json", "model.safetensors")
# Arguments of timm's `create_model` and `build_model_with_cfg` that say what is read, and not what is built.
_LOADING = {
    "pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "pretrained_strict", "pretrained_filter_fn",
    "pretrained_custom_load", "checkpoint_path", "cache_dir", "scriptable", "exportable", "no_jit", "variant",
    "model_cls", "model_cfg", "kwargs_filter",
}  # fmt: skip
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # timm's defaults, those of ImageNet


def load(name: str, revision: str | None, device: str) -> tuple[str, int, int, str, Compute]:
    """Its digest, dim, size and origin, and how it computes.

    Raises:
        UnavailableError: timm is not installed, or the checkpoint is not there, not in safetensors, or not whole.
    """
    import numpy as np

    with checkpoints.loading(name, NEEDS):
        timm = _timm()
        folder, digest = checkpoints.fetched(name, revision, _FILES)
        network, config = _loaded(timm, folder)
    network.eval().requires_grad_(False).to(device)
    side = int(config.get("input_size", (3, 224, 224))[1])
    enter = normalised(config.get("mean", _MEAN), config.get("std", _DEVIATION), device)

    def compute(pixels: Pixels) -> Floats:
        import torch

        with torch.inference_mode():
            found: Floats = network(enter(pixels)).flatten(1).float().cpu().numpy()
            return found

    dim = compute(np.zeros((1, side, side, 3), np.uint8)).shape[1]
    tag = f" ({config['tag']})" if config.get("tag") else ""
    origin = f"The timm checkpoint {Path(name).name}{tag}; what it was trained on is for its own card to say."
    return f"timm/{digest}/{checkpoints.versions('torch', 'timm')}", dim, side, origin, compute


def _timm() -> Any:
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # torchvision, which timm imports, may be of another torch
        raise UnavailableError(
            f"backbones of timm need a package that can't be imported here ({error}); "
            "pip install 'synthgen-images[timm]', with torch and torchvision from one index of packages"
        ) from error
    return timm


def _loaded(timm: Any, folder: Path) -> tuple[Any, dict[str, Any]]:
    """The model with its weights and without its head, and what its configuration says of images.

    Raises:
        KeyError: The configuration names no architecture.
        RuntimeError: The weights are of another one.
        ValueError: The configuration asks timm for more than an architecture and its sizes.
    """
    from safetensors.torch import load_file

    written = json.loads((folder / "config.json").read_bytes())
    config = written.get("pretrained_cfg", written)
    classes = written.get("num_classes", config.get("num_classes", 1000))
    pool = {"global_pool": written["global_pool"]} if written.get("global_pool") else {}
    arguments = {"num_classes": classes, **pool, **_sizes(written.get("model_args", {}))}
    if ":" in (architecture := str(written["architecture"])):
        raise ValueError(f"architecture {architecture!r} is elsewhere; give the name of one of timm's")
    network = timm.create_model(architecture, pretrained=False, **arguments)
    network.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    network.reset_classifier(0)
    return network, config


def _sizes(model_args: Any) -> dict[str, Any]:
    """What a checkpoint says of its network's shape: plain values of arguments by which nothing is loaded.

    ``timm.create_model`` reads other files for some of its own arguments, pickles among them.
    """
    if not isinstance(model_args, dict):
        raise ValueError("model_args is no mapping")
    for name, value in model_args.items():
        plain = value if isinstance(value, list) else [value]
        if name in _LOADING or not all(one is None or isinstance(one, str | int | float) for one in plain):
            raise ValueError(f"model_args.{name} is none of a network's sizes")
    return model_args
