"""Any vision model of transformers as a backbone: the features that its own classifiers read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from synthgen.errors import UnavailableError
from synthgen.vision.features import checkpoints

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.core.types import Floats, Pixels

    Compute = Callable[[Pixels], Floats]

_SIZE = 224


def load(name: str, revision: str | None, device: str) -> tuple[str, int, int, str, Compute]:
    """Its digest, dim, size and origin, and how it computes.

    Raises:
        UnavailableError: It is not there, not in safetensors, or lacks weights.
    """
    import numpy as np

    with checkpoints.loading(name):
        network, prepare, missing, version = _loaded(name, revision)
    network.eval().requires_grad_(False).to(device)
    pooled = not any("pool" in each for each in missing)

    def compute(pixels: Pixels) -> Floats:
        import torch

        with torch.inference_mode():
            features = _features(network, prepare(pixels).to(device), pooled=pooled)
            found: Floats = features.float().cpu().numpy()
            return found

    size = _side(network.config)
    dim = compute(np.zeros((1, size, size, 3), np.uint8)).shape[1]
    origin = f"The transformers checkpoint {name}; what it was trained on is for its own card to say."
    return version, dim, size, origin, compute


def _loaded(name: str, revision: str | None) -> tuple[Any, Callable[[Pixels], Tensor], list[str], str]:
    import torch
    from transformers import AutoModel

    network, info = AutoModel.from_pretrained(
        name, **checkpoints.options(name, revision), dtype=torch.float32, output_loading_info=True
    )
    network = getattr(network, "vision_model", network)  # the half of CLIP or SigLIP that sees
    missing = sorted(str(each) for each in info["missing_keys"])
    if strange := [each for each in missing if "pool" not in each]:
        raise UnavailableError(f"{name}: the checkpoint lacks weights ({', '.join(strange[:3])}); take a whole one")
    digest = checkpoints.digest(name, getattr(network.config, "_commit_hash", None))
    found = f"{digest}/{checkpoints.versions('torch', 'transformers')}"
    return network, checkpoints.processor(name, revision), missing, found


def _features(network: Any, inputs: Tensor, *, pooled: bool) -> Tensor:
    """The pooled output; without one in the checkpoint, the mean over places or the first (class) token."""
    found = network(pixel_values=inputs)
    vector: Tensor | None = getattr(found, "pooler_output", None)
    if pooled and vector is not None:
        return vector.flatten(1)
    last: Tensor = found.last_hidden_state
    return last.mean((2, 3)) if last.ndim == 4 else last[:, 0]


def _side(config: Any) -> int:
    side = getattr(config, "image_size", _SIZE)
    return int(side if isinstance(side, int) else min(side))
