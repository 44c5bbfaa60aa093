"""Any image half of OpenCLIP as a backbone: the embedding that its texts are compared with, from safetensors alone."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.errors import UnavailableError
from synthgen.vision.features import checkpoints
from synthgen.vision.features.named import OPEN_CLIP_CONFIG
from synthgen.vision.features.normalised import normalised

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Pixels

    Compute = Callable[[Pixels], Floats]

NEEDS = f"{OPEN_CLIP_CONFIG} and open_clip_model.safetensors"
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
_MEAN, _DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # OpenCLIP's defaults


def load(name: str, revision: str | None, device: str) -> tuple[str, int, int, str, Compute]:
    """Its digest, dim, size and origin, and how it computes.

    Raises:
        UnavailableError: OpenCLIP is not installed, or the checkpoint is not there, not in safetensors, or not whole.
    """
    import numpy as np

    with checkpoints.loading(name, NEEDS):
        library = _open_clip()
        folder, digest = checkpoints.fetched(name, revision, (OPEN_CLIP_CONFIG, *_WEIGHTS))
        network = _loaded(library, folder)
        written = json.loads((folder / OPEN_CLIP_CONFIG).read_bytes()).get("preprocess_cfg", {})
    network.eval().requires_grad_(False).to(device)
    side = network.visual.image_size
    side = int(side if isinstance(side, int) else side[0])
    enter = normalised(written.get("mean", _MEAN), written.get("std", _DEVIATION), device)

    def compute(pixels: Pixels) -> Floats:
        import torch

        with torch.inference_mode():
            found: Floats = network.encode_image(enter(pixels)).float().cpu().numpy()
            return found

    dim = compute(np.zeros((1, side, side, 3), np.uint8)).shape[1]
    origin = f"The OpenCLIP checkpoint {Path(name).name}; what it was trained on is for its own card to say."
    return f"open_clip/{digest}/{checkpoints.versions('torch', 'open_clip_torch')}", dim, side, origin, compute


def _open_clip() -> Any:
    try:
        import open_clip
    except (ImportError, RuntimeError) as error:  # torchvision, which it imports, may be of another torch
        raise UnavailableError(
            f"backbones of OpenCLIP need a package that can't be imported here ({error}); "
            "pip install 'synthgen-images[open-clip]', with torch and torchvision from one index"
        ) from error
    return open_clip


def _loaded(library: Any, folder: Path) -> Any:
    """The model with its weights, which OpenCLIP itself would take from a pickle where both are there.

    Raises:
        OSError: There are no safetensors.
        ValueError: Its texts are read by a model of the Hub, whose code and newest commit OpenCLIP would ask for.
    """
    written = json.loads((folder / OPEN_CLIP_CONFIG).read_bytes())["model_cfg"]
    if written.get("text_cfg", {}).get("hf_model_name"):
        raise ValueError(f"{OPEN_CLIP_CONFIG}: text_cfg.hf_model_name asks for a model elsewhere, which is not read")
    if ":" in str(written.get("vision_cfg", {}).get("timm_model_name") or ""):
        raise ValueError(
            f"{OPEN_CLIP_CONFIG}: vision_cfg.timm_model_name asks for a model elsewhere, which is not read"
        )
    weights = next((path for name in _WEIGHTS if (path := folder / name).is_file()), None)
    if weights is None:
        raise OSError("no safetensors, and pickled weights are not read")
    with _quiet():
        network = library.create_model(f"local-dir:{folder}", load_weights=False, pretrained_text=False)
        library.load_checkpoint(network, str(weights), strict=True)
    return network


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what OpenCLIP logs less than errors; it logs by the root, which would get a handler by that."""
    root, silent = logging.getLogger(), logging.NullHandler()

    def errors(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR

    root.addFilter(errors)
    root.addHandler(silent)
    try:
        yield
    finally:
        root.removeHandler(silent)
        root.removeFilter(errors)
