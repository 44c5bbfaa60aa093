"""A few-step adapter beside a label's own, and another autoencoder in place of a model's."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from synthgen.core.adapter_folder import LORA
from synthgen.core.devices import DeviceRequest, Environment
from synthgen.core.model_folder import bundled, describe
from synthgen.diffusion import pipelines, strategies
from synthgen.errors import ManifestError, UnavailableError
from synthgen.runs import run_folder

SIZE = {"height": 64, "width": 64}
LABEL = {"melanoma": "melanoma"}
Plan = Callable[..., Any]


def lora(folder: Path, seed: int, layers: tuple[str, ...] = ("to_q", "to_v"), source: Path | None = None) -> Path:
    """A random LoRA of a model, in diffusers' layout."""
    import torch
    from diffusers import UNet2DConditionModel
    from diffusers.loaders import StableDiffusionLoraLoaderMixin
    from peft import LoraConfig, get_peft_model_state_dict

    unet = UNet2DConditionModel.from_pretrained((source or bundled()) / "unet")
    unet.add_adapter(LoraConfig(r=2, target_modules=list(layers)))
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in unet.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.4
    StableDiffusionLoraLoaderMixin.save_lora_weights(folder, get_peft_model_state_dict(unet), weight_name=LORA)
    return folder


@pytest.fixture(scope="module")
def loras(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two LoRAs of the bundled model, of other layers each."""
    base = tmp_path_factory.mktemp("loras")
    return str(lora(base / "own", 0)), str(lora(base / "few", 1, ("to_q", "to_k")))


def entry(make_plan: Plan, settings: dict[str, Any] | None = None, **keys: Any) -> Any:
    """The one entry of a plan."""
    written = {"strategy": "text2img", "per_cell": 1, "settings": SIZE | (settings or {}), **keys}
    return make_plan(labels=LABEL, generate=[written]).entries["text2img"]


def draw(planned: Any) -> Any:
    """The pixels of its first image."""
    sample = planned.sample(0)
    environment = strategies.environment(sample.recipe, DeviceRequest(dtype="fp32"), 48)
    return pipelines.load("text2img", sample.recipe, environment).text2img([sample]).pixels.astype(int)


def far(one: Any, other: Any) -> int:
    """The largest difference of two images."""
    return int(np.abs(one - other).max())


@pytest.mark.slow
def test_both_adapters_act_whichever_is_named_first(make_plan: Plan, loras: tuple[str, str]) -> None:
    """The image is unlike that of either alone, and the same where they change places."""
    own, few = loras
    plain = {"scheduler": "lcm", "num_inference_steps": 4, "guidance_scale": 1.0}
    both = draw(entry(make_plan, adapter=own, accelerate={"adapter": few}))
    assert far(both, draw(entry(make_plan, adapter=few, accelerate={"adapter": own}))) <= 1
    assert far(both, draw(entry(make_plan, accelerate={"adapter": few}))) > 8
    assert far(both, draw(entry(make_plan, plain, adapter=own))) > 8
    assert far(both, draw(entry(make_plan, adapter=own, accelerate={"adapter": few, "weight": 0.25}))) > 8
    pipelines.release()


@pytest.mark.parametrize(
    ("written", "sampled"),
    [
        ({}, ("lcm", None, 4, 1.0)),
        ({"scheduler": "tcd"}, ("tcd", None, 4, 1.0)),
        ({"scheduler": "euler", "num_inference_steps": 8}, ("euler", "trailing", 8, 1.0)),
        ({"scheduler": "ddim", "timestep_spacing": "leading", "guidance_scale": 2.0}, ("ddim", "leading", 4, 2.0)),
    ],
)
def test_an_accelerator_brings_its_sampling(
    make_plan: Plan, loras: tuple[str, str], written: dict[str, Any], sampled: tuple[Any, ...]
) -> None:
    """What is left out is what such adapters are made for."""
    found = entry(make_plan, accelerate={"adapter": loras[1], **written}).recipe.settings
    keys = ("scheduler", "timestep_spacing", "num_inference_steps", "guidance_scale")
    assert tuple(getattr(found, key) for key in keys) == sampled


def test_all_that_an_entry_is_made_with_is_named(make_plan: Plan, loras: tuple[str, str]) -> None:
    """As the plan and the card say it."""
    keys = {"accelerate": loras[1], "vae": str(bundled())}
    named = f"phantom with {loras[1]}, {bundled()}"
    assert entry(make_plan, **keys).made_by == named
    assert entry(make_plan, **keys, adapter=loras[0]).made_by == f"{named}, own"
    assert entry(make_plan, adapter=loras[0]).made_by == "phantom with own"


def test_settings_beside_an_accelerator_hold(make_plan: Plan, loras: tuple[str, str]) -> None:
    """A name alone is enough, and what `settings` says is not overruled by a default."""
    found = entry(make_plan, {"num_inference_steps": 2}, accelerate=loras[1]).recipe.settings
    assert (found.scheduler, found.num_inference_steps) == ("lcm", 2)


def test_parts_are_in_digests_only_where_they_are_used(make_plan: Plan, loras: tuple[str, str], tmp_path: Path) -> None:
    """Other weights, another strength and another autoencoder are other plans; a null key is none."""
    copied, bare = tmp_path / "few", entry(make_plan).digest
    shutil.copytree(loras[1], copied)
    assert entry(make_plan, accelerate=None, vae=None).digest == bare
    here = [
        entry(make_plan, accelerate=str(copied)).digest,
        entry(make_plan, accelerate={"adapter": str(copied), "weight": 0.5}).digest,
        entry(make_plan, vae=str(bundled())).digest,
    ]
    shutil.copy(Path(loras[0]) / LORA, copied / LORA)
    here.append(entry(make_plan, accelerate=str(copied)).digest)
    assert len({bare, *here}) == 5


def test_parts_are_pinned_and_recorded(make_plan: Plan, loras: tuple[str, str], tmp_path: Path) -> None:
    """Environment and record say which they were; a run is not gone on with where another lies there."""
    vae = tmp_path / "vae"
    shutil.copytree(bundled() / "vae", vae)
    plan = make_plan(
        labels=LABEL,
        generate=[{"strategy": "text2img", "per_cell": 1, "settings": SIZE, "accelerate": loras[1], "vae": str(vae)}],
    )
    root, recipe = tmp_path / "run", plan.entries["text2img"].recipe
    run_folder.reserve(root, plan)
    begun = strategies.environment(recipe, DeviceRequest(), 48)
    assert begun.parts.keys() == {"accelerate", "vae"}
    assert begun.fused
    assert Environment(**json.loads(json.dumps(begun.to_dict()))) == begun
    run_folder.pin(root, "text2img", begun)
    config = json.loads((vae / "config.json").read_text())
    (vae / "config.json").write_text(json.dumps(config | {"other": 1}))
    from synthgen.core import model_folder

    model_folder.fingerprint.cache_clear()
    with pytest.raises(UnavailableError, match="`vae` is not what the run was begun with"):
        run_folder.pin(root, "text2img", strategies.environment(recipe, DeviceRequest(), 48))


def test_a_run_with_both_is_resumed_to_the_byte(
    make_plan: Plan, make_images: Plan, tars_in: Plan, loras: tuple[str, str], tmp_path: Path
) -> None:
    """A shard that was lost is made again as it was, and the records name the adapter with its sha256."""
    written = {"strategy": "text2img", "per_cell": 2, "settings": SIZE, "adapter": loras[0], "accelerate": loras[1]}
    plan = make_plan(labels=LABEL, generate=[written], output={"shard_samples": 1})
    make_images(plan, tmp_path / "run")
    whole = tars_in(tmp_path / "run")
    lost = sorted((tmp_path / "run").rglob("*.tar"))[0]
    lost.unlink()
    make_images(plan, tmp_path / "run")
    assert tars_in(tmp_path / "run") == whole
    assert any(b"few@sha256:" in content for content in whole.values())
    pipelines.release()


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"accelerate": "nobody"}, "generate[0].accelerate.adapter: `nobody` is neither"),
        ({"accelerate": "./gone"}, "generate[0].accelerate.adapter: no folder"),
        ({"accelerate": {"adapter": "FEW", "revision": "main"}}, "generate[0].accelerate.revision: is for a Hub id"),
        ({"accelerate": {"adapter": "FEW", "weight_name": "a.bin"}}, "generate[0].accelerate.weight_name: `a.bin` is"),
        ({"accelerate": {"adapter": "FEW", "weight_name": "a.safetensors"}}, "has no `a.safetensors`"),
        ({"accelerate": {"adapter": "FEW", "scheduler": "lcn"}}, "generate[0].accelerate.scheduler:"),
        ({"accelerate": {"adapter": "FEW", "num_inference_steps": 0}}, "generate[0].accelerate.num_inference_steps:"),
        ({"accelerate": {"adapter": "FEW", "weight": 0}}, "generate[0].accelerate.weight:"),
        (
            {"accelerate": {"adapter": "FEW", "num_inference_steps": 2}, "settings": SIZE | {"num_inference_steps": 2}},
            "generate[0].accelerate.num_inference_steps: is said under `settings` too",
        ),
        ({"strategy": "fake", "accelerate": "FEW"}, "generate[0].accelerate: is for strategies"),
        ({"strategy": "fake", "vae": "FEW"}, "generate[0].vae: is for strategies"),
        ({"vae": "FEW"}, "AutoencoderKL is needed"),
        ({"vae": {"model": "org/name/more"}}, "generate[0].vae.model: `org/name/more` is neither"),
    ],
)
def test_a_part_that_can_not_be_used_is_named_with_its_key(
    make_plan: Plan, loras: tuple[str, str], keys: dict[str, Any], fault: str
) -> None:
    """One line says where, before anything is loaded."""
    given = json.loads(json.dumps(keys).replace("FEW", loras[1]))
    with pytest.raises(ManifestError) as refused:
        make_plan(labels=LABEL, generate=[{"strategy": "text2img", "per_cell": 1, "settings": SIZE} | given])
    assert len(refused.value.faults) == 1
    assert fault in str(refused.value)


def test_an_accelerator_of_pickled_weights_is_refused(make_plan: Plan, tmp_path: Path) -> None:
    """They can run code when loaded."""
    (tmp_path / "pytorch_lora_weights.bin").write_bytes(b"x")
    with pytest.raises(ManifestError, match="only pickled weights"):
        entry(make_plan, accelerate=str(tmp_path))


@pytest.mark.slow
def test_an_adapter_of_another_family_is_refused_in_one_line(
    make_plan: Plan, loras: tuple[str, str], tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """Layers that the model lacks, or that are of another size; diffusers itself would load the rest."""
    from safetensors.torch import load_file, save_file

    small, few = lora(tmp_path / "small-few", 3, source=tiny_model("sd")), tmp_path / "few"
    few.mkdir()
    layers = load_file(Path(loras[1]) / LORA)
    more = {key.replace("mid_block", "text_encoder_2.layers"): value for key, value in layers.items()}
    save_file(more, few / LORA)
    for keys in ({"accelerate": str(small)}, {"adapter": loras[0], "accelerate": str(small)}, {"accelerate": str(few)}):
        with pytest.raises(UnavailableError, match=r"adapter .*few: is for another model") as refused:
            draw(entry(make_plan, **keys))
        assert "\n" not in str(refused.value)
    pipelines.release()


@pytest.mark.slow
def test_another_autoencoder_takes_the_place_of_the_models_own(
    make_plan: Plan, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """A copy changes nothing, changed weights do; a whole model's folder gives its own; another family's is refused."""
    from diffusers import AutoencoderKL

    model = tiny_model("sd")
    shutil.copytree(model / "vae", tmp_path / "copy")
    changed = AutoencoderKL.from_pretrained(model / "vae")
    changed.decoder.conv_out.bias.data += 0.5
    changed.save_pretrained(tmp_path / "changed")
    settings = {"num_inference_steps": 1, "guidance_scale": 1.0}
    plain = draw(entry(make_plan, settings, model=str(model)))
    assert far(plain, draw(entry(make_plan, settings, model=str(model), vae=str(tmp_path / "copy")))) == 0
    assert far(plain, draw(entry(make_plan, settings, model=str(model), vae=str(model)))) == 0
    assert far(plain, draw(entry(make_plan, settings, model=str(model), vae=str(tmp_path / "changed")))) > 8
    config = json.loads((tmp_path / "copy" / "config.json").read_text())
    (tmp_path / "copy" / "config.json").write_text(json.dumps(config | {"latent_channels": 16}))
    with pytest.raises(ManifestError, match="has 16 latent channels"):
        entry(make_plan, settings, model=str(model), vae=str(tmp_path / "copy"))
    pipelines.release()


@pytest.mark.slow
def test_parts_of_the_hub_are_read_at_the_commit_that_is_pinned(
    make_plan: Plan, loras: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The listing says which file there is, and a branch is resolved once; a repository of pickles is refused."""
    import huggingface_hub

    commit, asked, files = "c" * 40, list[tuple[str, ...]](), ["README.md", "few-steps.safetensors"]

    def info(_: Any, name: str, **keys: Any) -> Any:
        siblings = [SimpleNamespace(rfilename=one, size=1) for one in files]
        return SimpleNamespace(sha=commit, siblings=siblings, gated=False)

    def download(name: str, file: str, *, revision: str) -> str:
        asked.append((name, file, revision))
        return str(shutil.copy(Path(loras[1]) / LORA, tmp_path / file))

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", info)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    planned = entry(make_plan, accelerate={"adapter": "org/few", "revision": "main"})
    environment = strategies.environment(planned.recipe, DeviceRequest(), 48)
    assert environment.parts == {"accelerate": commit}
    assert far(draw(planned), draw(entry(make_plan, accelerate=loras[1]))) == 0
    assert set(asked) == {("org/few", "few-steps.safetensors", commit)}
    files[:] = ["pytorch_lora_weights.bin"]
    with pytest.raises(UnavailableError, match="only pickled weights"):
        strategies.environment(planned.recipe, DeviceRequest(), 48)
    whole = entry(make_plan, vae={"model": "org/whole", "revision": "main"}).recipe
    with pytest.raises(UnavailableError, match=r"vae org/whole: has no \.safetensors"):
        strategies.environment(whole, DeviceRequest(), 48)
    files[:] = ["vae/config.json", "vae/diffusion_pytorch_model.safetensors"]
    assert strategies.environment(whole, DeviceRequest(), 48).parts == {"vae": commit}
    taken = dict[str, Any]()

    def read(where: Any, **options: Any) -> Any:
        taken.update(options, where=where)
        raise OSError("enough")

    monkeypatch.setattr("diffusers.AutoencoderKL.from_pretrained", read)
    with pytest.raises(UnavailableError, match="vae org/whole: can't be loaded: enough"):
        pipelines.load("text2img", whole, strategies.environment(whole, DeviceRequest(), 48))
    assert (taken["where"], taken["revision"], taken["subfolder"]) == ("org/whole", commit, "vae")
    pipelines.release()


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sdxl", "sd3", "flux"])
def test_accelerators_of_other_families_act(
    make_plan: Plan, tiny_model: Callable[[str], Path], tmp_path: Path, family: str
) -> None:
    """Beside an adapter of its own too; transformers that match a flow keep their own scheduler."""
    import torch
    from peft import LoraConfig, get_peft_model_state_dict

    model, folders = str(tiny_model(family)), []
    for seed in (0, 1):
        pipe = pipelines.load_diffusers("text2img", describe(model, Path()), "", "float32")
        part, generator = pipelines.denoiser(pipe), torch.Generator().manual_seed(seed)
        part.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"]))
        for name, parameter in part.named_parameters():
            if "lora_" in name:
                parameter.data = torch.randn(parameter.shape, generator=generator)
        layers = {f"{'unet' if family == 'sdxl' else 'transformer'}_lora_layers": get_peft_model_state_dict(part)}
        type(pipe).save_lora_weights(tmp_path / str(seed), **layers, weight_name=LORA)
        folders.append(str(tmp_path / str(seed)))
    scheduler = "lcm" if family == "sdxl" else "default"
    accelerate = {"adapter": folders[0], "scheduler": scheduler, "num_inference_steps": 2}
    plain = {"scheduler": scheduler, "num_inference_steps": 2, "guidance_scale": 1.0}
    without = draw(entry(make_plan, plain, model=model))
    few = draw(entry(make_plan, model=model, accelerate=accelerate))
    assert far(few, without) > 0
    assert far(few, draw(entry(make_plan, model=model, accelerate=accelerate, adapter=folders[1]))) > 0
    pipelines.release()
