"""Images in the likeness of others, by tiny models whose IP-Adapters have random weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.core.devices import DeviceRequest
from synthgen.core.ip_adapter import check_encoder, describe_ip_adapter
from synthgen.diffusion import pipelines, strategies
from synthgen.diffusion.pipelines import image_prompt_parts
from synthgen.errors import ManifestError, UnavailableError
from synthgen.generate import stated_origin
from synthgen.plan import Plan
from synthgen.plan.sample import Record
from synthgen.runs import tar_samples
from synthgen.vision.images import codec

CPU = DeviceRequest("cpu", "fp32", batch_size=2)
SETTINGS = {"num_inference_steps": 2, "guidance_scale": 3.0, "height": 64, "width": 64, "scheduler": "default"}
Planned = Callable[..., Plan]


@pytest.fixture
def planned(
    tiny_model: Callable[[str], Path], tiny_ip_adapter: Callable[[str], Path], make_plan: Callable[..., Plan]
) -> Planned:
    """Plans an entry of a family with its IP-Adapter; keywords change its settings, ``entry`` the entry itself."""

    def plan(family: str = "sd", entry: dict[str, Any] | None = None, top: Any = None, **settings: Any) -> Plan:
        asked = {
            "name": "e", "strategy": "ip-adapter", "from": "words", "ip_adapter": str(tiny_ip_adapter(family)),
            "settings": SETTINGS | settings,
        } | (entry or {})  # fmt: skip
        words = {"name": "words", "strategy": "fake", "per_cell": 1}
        given = {name: value for name, value in asked.items() if value is not None}
        return make_plan(
            model=str(tiny_model(family)), labels={"melanoma": "melanoma"}, generate=[words, given],
            output={"image_format": "png"}, **(top or {}),
        )  # fmt: skip

    return plan


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sd", "sdxl", "sd3", "flux"])
def test_each_image_follows_what_its_sample_is_shown(family: str, planned: Planned) -> None:
    """And is the same at another place of the batch, beside whatever other."""
    plan = planned(family)
    recipe = plan.entries["e"].recipe
    pipelines.release()
    pipeline = pipelines.load("ip_adapter", recipe, strategies.environment(recipe, CPU, 4))
    one, other = plan.entries["e"].sample(0), plan.entries["e"].sample(1)
    shown = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), dtype=np.uint8)
    first = pipeline.ip_adapter([one, other], shown).pixels
    again = pipeline.ip_adapter([other, one], shown[::-1].copy()).pixels
    assert codec.psnr(first[0], again[1]) > 60
    assert not np.array_equal(pipeline.ip_adapter([one, other], shown[::-1].copy()).pixels[0], first[0])


@pytest.mark.slow
def test_guidance_in_a_part_of_the_steps_reads_the_image_too(planned: Planned) -> None:
    """The half of the batch that reads the prompt is the half that reads the image."""
    plan = planned("sd", num_inference_steps=4, guidance_stop=0.5)
    entry = plan.entries["e"]
    maker = strategies.strategy("ip-adapter").maker(
        entry.recipe, strategies.environment(entry.recipe, CPU, 4), lambda _: _start(120)
    )
    assert maker([entry.sample(0), entry.sample(1)]).finite.all()


def _start(value: int) -> Any:
    from synthgen.runs.start_images import StartImage

    return StartImage(np.full((64, 64, 3), value, np.uint8))


@pytest.mark.slow
def test_a_run_says_by_which_adapter_and_how_strongly(
    planned: Planned, make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """Its images are called generated: they hold no pixel of what was shown."""
    plan = planned(ip_adapter_scale=0.7)
    make_images(plan, tmp_path / "run", CPU)
    (tar,) = (tmp_path / "run/e").rglob("*.tar")
    for one in tar_samples.read(tar):
        said = json.loads(Record.from_json(one.files["json"]).attributes)
        assert said["ip_adapter_scale"] == 0.7
        assert "@sha256:" in said["ip_adapter"]
    assert stated_origin.source_type(plan.entries["e"].sample(0)) == codec.GENERATED


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"ip_adapter": None}, r"ip_adapter: missing; name an IP-Adapter"),
        ({"strategy": "img2img"}, r"ip_adapter: is for strategy `ip-adapter`"),
        ({"strategy": "img2img", "ip_adapter": None, "image_encoder": "lab/vit"}, r"image_encoder: is for strategy"),
        ({"ip_adapter": "./nowhere"}, r"ip_adapter\.model: no folder"),
        ({"from": None, "per_cell": 1}, r"ip-adapter starts from images"),
        ({"ip_adapter": {"model": "lab/ip", "subfolder": "../up"}}, r"subfolder: `../up` is no folder inside"),
        ({"ip_adapter": {"model": "lab/ip", "weight_name": "a/b.safetensors"}}, r"weight_name: .* say its folder"),
        (
            {"ip_adapter": {"model": "lab/ip", "image_encoder_folder": "vit"}, "image_encoder": "lab/vit"},
            r"image_encoder_folder: is in place of `image_encoder`",
        ),
        ({"settings": SETTINGS | {"ip_adapter_scale": 0}}, r"ip_adapter_scale"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_said_early(entry: dict[str, Any], said: str, planned: Planned) -> None:
    """When the manifest is read, at its place."""
    with pytest.raises(ManifestError, match=said):
        planned(entry=entry)


REAL = {"real": {"source": "phantom", "count": 6, "splits": {"train": 1.0}}}
OF_REAL = {"from": None, "per_source": 1}


@pytest.mark.parametrize("top", [REAL, REAL | {"curate": {"scorers": {"quality": {}}}}, REAL | {"curate": None}])
def test_copies_of_real_images_have_to_be_looked_for(top: dict[str, Any], planned: Planned) -> None:
    """What is made in the likeness of a photograph may be that photograph."""
    with pytest.raises(ManifestError, match=r"curate\.scorers: entry `e` makes images in the likeness of real ones"):
        planned(entry=OF_REAL, top=top)


def test_another_adapter_is_another_plan(planned: Planned, tiny_ip_adapter: Callable[[str], Path]) -> None:
    """And a scale is."""
    digests = {planned().digest, planned(ip_adapter_scale=0.9).digest}
    digests |= {planned(entry={"ip_adapter": str(tiny_ip_adapter("sdxl"))}).digest}
    assert len(digests) == 3


def test_a_folder_without_safetensors_is_said_early(tiny_ip_adapter: Callable[[str], Path], tmp_path: Path) -> None:
    """Pickled weights are not read, and several files are not chosen among."""
    folder = tmp_path / "ip"
    shutil.copytree(tiny_ip_adapter("sd"), folder)
    shutil.copy(folder / "ip-adapter.safetensors", folder / "other.safetensors")
    with pytest.raises(ManifestError, match=r"weight_name: missing; .* has several files"):
        describe_ip_adapter("ip", tmp_path)
    for path in folder.glob("*.safetensors"):
        path.rename(path.with_suffix(".bin"))
    with pytest.raises(ManifestError, match="only pickled weights"):
        describe_ip_adapter("ip", tmp_path)
    shutil.rmtree(folder / "image_encoder")
    (folder / "a.safetensors").touch()
    with pytest.raises(ManifestError, match=r"has no image_encoder/config.json, so no image encoder there"):
        describe_ip_adapter("ip", tmp_path)


@pytest.mark.slow
def test_an_adapter_of_another_model_is_refused(planned: Planned, tiny_ip_adapter: Callable[[str], Path]) -> None:
    """In a line, and not with an image that it has no part in."""
    recipe = planned("sdxl", entry={"ip_adapter": str(tiny_ip_adapter("sd"))}).entries["e"].recipe
    pipelines.release()
    with pytest.raises(UnavailableError, match="is for another model than this one"):
        pipelines.load("ip_adapter", recipe, strategies.environment(recipe, CPU, 4))


def test_code_beside_an_image_encoder_is_never_run(
    tiny_ip_adapter: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where somebody would say yes: a class that transformers does not have ends in a line."""
    import torch

    shutil.copytree(tiny_ip_adapter("sd"), tmp_path / "ip")
    adapter = describe_ip_adapter("./ip", tmp_path)
    folder = tmp_path / "ip/image_encoder"
    config = {"image_processor_type": "Theirs", "auto_map": {"AutoImageProcessor": "theirs.Theirs"}}
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    (folder / "theirs.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Theirs: pass\n")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(UnavailableError, match="can't be loaded"):
        image_prompt_parts.load(None, adapter, None, {}, torch.float32)
    assert not (tmp_path / "ran").exists()


def test_a_family_without_ip_adapters_is_refused() -> None:
    """By what its class takes and has."""
    with pytest.raises(UnavailableError, match=r"PixArtSigmaPipeline, which can't do ip_adapter: it has no .load_"):
        pipelines.pipeline_class("ip_adapter", "PixArtSigmaPipeline", "lab/model")


CLIP = {"model_type": "clip_vision_model", "projection_dim": 1024, "hidden_size": 1280}


@pytest.mark.parametrize(
    ("config", "shapes", "said"),
    [
        (CLIP, {"image_proj.proj.weight": (3072, 1280)}, "gives 1280 numbers, vit gives 1024"),
        (CLIP, {"image_proj.proj_in.weight": (768, 1664)}, "gives 1664 numbers, vit gives 1280"),
        ({"model_type": "bert"}, {}, "vit is a bert; an image encoder of CLIP or SigLIP is needed"),
        (CLIP, {"unet.weight": (1,)}, "no IP-Adapter"),
        (CLIP, {"image_proj.proj.0.weight": (1, 512), "image_proj.proj.2.weight": (1, 1),
                "image_proj.norm.weight": (1,)}, "for faces"),
        (CLIP, {"image_proj.perceiver_resampler.proj_in.weight": (1, 1)}, "for faces"),
    ],
)  # fmt: skip
def test_an_encoder_that_an_adapter_was_not_trained_with_is_refused(
    config: dict[str, Any], shapes: dict[str, tuple[int, ...]], said: str
) -> None:
    """By the numbers that one gives and the other reads."""
    with pytest.raises(ManifestError, match=said):
        check_encoder(config, shapes, "vit", "ip")


@pytest.mark.parametrize(
    ("config", "shapes", "kind"),
    [
        (CLIP, {"image_proj.proj.weight": (3072, 1024)}, "CLIPVisionModelWithProjection"),
        (CLIP, {"image_proj.proj_in.weight": (768, 1280)}, "CLIPVisionModelWithProjection"),
        (CLIP, {"image_proj.proj.0.weight": (1280, 1280), "image_proj.proj.3.weight": (1,)},
         "CLIPVisionModelWithProjection"),
        ({"model_type": "clip", "projection_dim": 768, "vision_config": {"hidden_size": 1024}},
         {"ip_adapter_proj_model.proj.weight": (16384, 768)}, "CLIPVisionModelWithProjection"),
        ({"model_type": "siglip_vision_model", "hidden_size": 1152}, {"image_proj.proj_in.weight": (1280, 1152)},
         "SiglipVisionModel"),
    ],
)  # fmt: skip
def test_encoders_are_read_by_the_class_that_is_theirs(
    config: dict[str, Any], shapes: dict[str, tuple[int, ...]], kind: str
) -> None:
    """Of IP-Adapters for SD 1.5, plus and full ones, Flux and SD3."""
    assert check_encoder(config, shapes, "vit", "ip") == kind
