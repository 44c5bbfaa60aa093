"""What a model says of itself is read without loading it, and a folder that could run code is refused."""

import json
from pathlib import Path

import pytest

from synthgen.core import model_folder
from synthgen.errors import ManifestError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A diffusers folder of four-level autoencoder and a 64-pixel latent."""
    for part, config in (("vae", {"block_out_channels": [1, 2, 4, 4]}), ("unet", {"sample_size": 64})):
        (tmp_path / "model" / part).mkdir(parents=True)
        (tmp_path / "model" / part / "config.json").write_text(json.dumps(config))
        (tmp_path / "model" / part / "diffusion_pytorch_model.safetensors").write_bytes(part.encode())
    (tmp_path / "model" / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    model_folder.fingerprint.cache_clear()
    return tmp_path / "model"


def test_the_bundled_model(tmp_path: Path) -> None:
    """`phantom` is found from anywhere and says its class, its size and the multiple of it."""
    facts = model_folder.describe("phantom", tmp_path)
    assert (facts.kind, facts.class_name, facts.multiple) == ("bundled", "StableDiffusionPipeline", 8)
    assert facts.sample_size is not None
    assert facts.sample_size % facts.multiple == 0


def test_a_folder(folder: Path) -> None:
    """A folder is described from its JSON: eight pixels a latent, 64 latents, so 512 pixels."""
    facts = model_folder.describe("model", folder.parent)
    assert (facts.kind, facts.folder, facts.multiple, facts.sample_size) == ("folder", folder, 8, 512)


def test_a_folder_of_a_deeper_autoencoder(folder: Path) -> None:
    """An autoencoder of six levels takes sizes that are multiples of 32."""
    (folder / "vae" / "config.json").write_text('{"block_out_channels": [1, 1, 1, 1, 1, 1]}')
    assert model_folder.describe(str(folder), Path("/")).multiple == 32


def test_a_folder_with_a_transformer(folder: Path) -> None:
    """The size is read from a transformer where there is no U-Net."""
    (folder / "unet").rename(folder / "transformer")
    assert model_folder.describe(str(folder), Path("/")).sample_size == 512


def test_a_folder_that_does_not_say_its_size(folder: Path) -> None:
    """A backbone without a plain sample size leaves it open."""
    (folder / "unet" / "config.json").write_text('{"sample_size": [64, 32]}')
    assert model_folder.describe(str(folder), Path("/")).sample_size is None


@pytest.mark.parametrize("name", ["org/name", "CompVis/stable-diffusion-v1-4", "sdxl-turbo", "a/b.c_d-e"])
def test_a_hub_id_is_not_checked(name: str, tmp_path: Path) -> None:
    """A Hub id is taken at its word, without a folder."""
    facts = model_folder.describe(name, tmp_path)
    assert (facts.kind, facts.name, facts.folder) == ("hub", name, None)


def test_a_folder_wins_over_a_hub_id(folder: Path) -> None:
    """A name that is a folder here is that folder, also where it could be a Hub id."""
    assert model_folder.describe("model", folder.parent).kind == "folder"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("./none", "no folder"),
        ("/none", "no folder"),
        ("~/none", "no folder"),
        ("a/b/c", "neither"),
        ("a b", "neither"),
        ("-x", "neither"),
        ("a/../b", "neither"),
        ("a\nb", "neither"),
    ],
)
def test_what_is_no_model_is_refused(name: str, fault: str, tmp_path: Path) -> None:
    """A name that is neither bundled, a folder nor a Hub id is a fault."""
    with pytest.raises(ManifestError, match=fault):
        model_folder.describe(name, tmp_path)


@pytest.mark.parametrize("suffix", [".bin", ".ckpt", ".pt", ".pth", ".pkl"])
def test_pickled_weights_alone_are_refused(suffix: str, folder: Path) -> None:
    """A part that has only pickled weights is never loaded."""
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / f"weights{suffix}")
    with pytest.raises(ManifestError, match=rf"pickled weights \(unet/weights{suffix}\)"):
        model_folder.describe(str(folder), Path("/"))


def test_pickled_weights_beside_safetensors_are_left_alone(folder: Path) -> None:
    """Pickled weights do no harm where safetensors are there to be read instead."""
    (folder / "unet" / "weights.bin").write_bytes(b"")
    assert model_folder.describe(str(folder), Path("/")).kind == "folder"


@pytest.mark.parametrize("name", ["pipeline.py", "unet/model.py", "unet/deep/er/x.py"])
def test_code_anywhere_is_refused(name: str, folder: Path) -> None:
    """A folder with a Python file in it, however deep, is refused by that file's name."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("")
    with pytest.raises(ManifestError, match=name):
        model_folder.describe(str(folder), Path("/"))


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00"])
def test_a_folder_with_a_broken_index_is_refused(content: str, folder: Path) -> None:
    """An index that is no JSON object is a fault that names the file."""
    (folder / "model_index.json").write_text(content)
    with pytest.raises(ManifestError, match=r"model_index\.json"):
        model_folder.describe(str(folder), Path("/"))


@pytest.mark.parametrize("channels", ['"x"', "null", "0", "true", "[4]"])
def test_latents_without_a_number_of_channels_are_refused(channels: str, folder: Path) -> None:
    """What the autoencoder says of itself is a fault of the model's folder, and no crash."""
    (folder / "vae").mkdir(exist_ok=True)
    (folder / "vae" / "config.json").write_text(f'{{"latent_channels": {channels}}}')
    with pytest.raises(ManifestError, match="gives no number of `latent_channels`"):
        model_folder.describe(str(folder), Path("/"))


def test_the_fingerprint_is_of_names_and_bytes(folder: Path) -> None:
    """A changed weight changes the fingerprint, a README beside it does not."""
    before = model_folder.fingerprint(folder)
    (folder / "README.md").write_text("words")
    model_folder.fingerprint.cache_clear()
    assert model_folder.fingerprint(folder) == before
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"other")
    model_folder.fingerprint.cache_clear()
    assert model_folder.fingerprint(folder) != before


def test_the_fingerprint_does_not_depend_on_the_place(folder: Path) -> None:
    """A model moved elsewhere is the same model."""
    before = model_folder.fingerprint(folder)
    assert model_folder.fingerprint(folder.rename(folder.with_name("moved"))) == before
