"""Images that a ControlNet guides, by a mask or by edges, with tiny models whose ControlNets have random weights."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen.core.devices import DeviceRequest
from synthgen.diffusion import pipelines, strategies
from synthgen.diffusion.pipelines import AnyFamily
from synthgen.diffusion.pipelines.precision import Precision, held
from synthgen.errors import ManifestError, UnavailableError
from synthgen.generate import stated_origin
from synthgen.plan import Plan
from synthgen.plan.sample import Record
from synthgen.runs import tar_samples
from synthgen.vision.images import codec

CPU = DeviceRequest("cpu", "fp32", batch_size=2)
SETTINGS = {"num_inference_steps": 2, "guidance_scale": 3.0, "height": 64, "width": 64, "scheduler": "default"}
MASK = {"shape": "random", "fraction": 0.3}
Planned = Callable[..., Plan]


@pytest.fixture
def planned(
    tiny_model: Callable[[str], Path], tiny_controlnet: Callable[[str], Path], make_plan: Callable[..., Plan]
) -> Planned:
    """Plans an entry of a family with its ControlNet; keywords change its settings, ``entry`` the entry itself."""

    def plan(family: str = "sd", entry: dict[str, Any] | None = None, output: Any = None, **settings: Any) -> Plan:
        asked = {
            "name": "e", "strategy": "controlnet", "per_cell": 1, "controlnet": str(tiny_controlnet(family)),
            "settings": SETTINGS | {"mask": MASK} | settings,
        } | (entry or {})  # fmt: skip
        words = {"name": "words", "strategy": "fake", "per_cell": 1, "settings": {"mask": MASK}}
        given = {name: value for name, value in asked.items() if value is not None}
        given["settings"] = {name: value for name, value in asked["settings"].items() if value is not None}
        return make_plan(
            model=str(tiny_model(family)), labels={"melanoma": "melanoma"}, generate=[words, given],
            output={"image_format": "png"} | (output or {}),
        )  # fmt: skip

    return plan


def load(plan: Plan) -> AnyFamily:
    """The pipeline of the entry ``e``, which shows what it does."""
    pipelines.release()
    recipe = plan.entries["e"].recipe
    found = pipelines.load("controlnet", recipe, strategies.environment(recipe, CPU, 4))
    assert isinstance(found, AnyFamily)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sdxl", "sd3-deep", "flux"])
def test_each_image_follows_what_its_controlnet_is_shown(family: str, planned: Planned) -> None:
    """It depends on its sample alone, as the class shows when it is loaded, and on the image that guides it."""
    plan = planned(family)
    pipeline = load(plan)
    assert pipeline.proof["class"].endswith("ControlNetPipeline")
    one, other = plan.entries["e"].sample(0), plan.entries["e"].sample(1)
    shown = np.zeros((2, 64, 64, 3), np.uint8)
    shown[0, 10:30, 10:30] = shown[1, 30:60, 20:60] = 255
    first = pipeline.controlnet([one, other], shown).pixels
    again = pipeline.controlnet([other, one], shown[::-1].copy()).pixels
    assert codec.psnr(first[0], again[1]) > 60
    assert not np.array_equal(pipeline.controlnet([one, other], shown[::-1].copy()).pixels[0], first[0])


@pytest.mark.slow
def test_a_run_keeps_the_mask_that_was_followed(
    planned: Planned, make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """As a label map; the record says what was followed and how far, and by which ControlNet."""
    plan = planned(output={"mask": True}, controlnet_conditioning_scale=0.5)
    make_images(plan, tmp_path / "run", CPU)
    stored = [one for path in sorted((tmp_path / "run/e").rglob("*.tar")) for one in tar_samples.read(path)]
    assert len(stored) == 3
    for one in stored:
        sample = plan.find(one.key)
        assert sample is not None
        with Image.open(io.BytesIO(one.files[tar_samples.MASK])) as image:
            followed = sample.recipe.settings.mask.draw(64, 64, sample.seed)  # type: ignore[attr-defined]
            assert np.array_equal(np.asarray(image), followed)
        record = Record.from_json(one.files["json"])
        said = json.loads(record.attributes)
        assert said["controlnet"].startswith(str(sample.recipe.controlnet and sample.recipe.controlnet.model.name))
        assert (said["control_image"], said["controlnet_conditioning_scale"]) == ("mask", 0.5)
        assert json.loads(record.mask) == MASK | {"border": 0, "feather": 0.0}


@pytest.mark.slow
def test_edges_of_what_it_starts_from_are_followed(planned: Planned, tmp_path: Path) -> None:
    """No pixel of a photograph is in such an image, which says so itself; an image has no mask to keep."""
    from synthgen.runs.start_images import StartImage

    follows = {"control_image": "edges", "mask": None}
    plan = planned(entry={"per_cell": None, "from": "words"}, **follows)
    entry = plan.entries["e"]
    samples = [entry.sample(0), entry.sample(1)]
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[20:40, 20:40] = 200
    seen = []
    strategy = strategies.strategy("controlnet")

    def start(sample: Any) -> StartImage:
        seen.append(sample.key)
        return StartImage(pixels)

    made = strategy.maker(entry.recipe, strategies.environment(entry.recipe, CPU, 4), start)(samples)
    assert made.masks is None
    assert seen == [one.key for one in samples]
    assert stated_origin.source_type(samples[0]) == codec.GENERATED


@pytest.mark.parametrize(
    ("entry", "settings", "said"),
    [
        ({"controlnet": None}, {}, r"controlnet: missing; name a ControlNet"),
        ({"strategy": "text2img"}, {"mask": None}, r"controlnet: is for strategy `controlnet`"),
        ({"controlnet": "./nowhere"}, {}, r"controlnet\.model: no folder"),
        ({}, {"control_image": "edges", "mask": None}, r"`control_image: edges` follows .*; give `per_source`"),
        ({}, {"mask": {"shape": "source"}}, r"`mask: {shape: source}` comes with an image; give `per_source`"),
        ({}, {"mask": {"from": "pool"}}, r"`mask: {from: pool}` is for entries that start from images"),
        ({}, {"control_image": "edges"}, r"`mask` is not for `control_image: edges`"),
        ({}, {"edges": {}}, r"`edges` is not for `control_image: mask`"),
        ({}, {"mask": {"feather": 2}}, r"`mask.feather` is for what is painted into an image"),
        ({}, {"control_guidance_start": 0.5, "control_guidance_end": 0.5}, r"control_guidance_start 0.5 must be below"),
        ({}, {"guidance_stop": 0.5}, r"guidance_stop: with a ControlNet every step is guided"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_said_early(
    entry: dict[str, Any], settings: dict[str, Any], said: str, planned: Planned
) -> None:
    """When the manifest is read, at its place."""
    with pytest.raises(ManifestError, match=said):
        planned(entry=entry, **settings)


def test_a_folder_that_is_no_controlnet_is_said_early(
    planned: Planned, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """By what its configuration says it is."""
    with pytest.raises(ManifestError, match="is a UNet2DConditionModel; a ControlNet is needed"):
        planned(entry={"controlnet": str(tiny_model("sd") / "unet")})


@pytest.mark.slow
def test_a_controlnet_that_changes_nothing_is_refused(
    planned: Planned, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """As one is that was never trained."""
    from diffusers import ControlNetModel, UNet2DConditionModel

    unet = UNet2DConditionModel.from_pretrained(tiny_model("sd") / "unet")
    ControlNetModel.from_unet(unet).save_pretrained(tmp_path / "untrained")
    with pytest.raises(UnavailableError, match="another image for the ControlNet gives the same image"):
        load(planned(entry={"controlnet": str(tmp_path / "untrained")}))


@pytest.mark.slow
def test_what_is_made_again_precisely_holds_the_controlnet_too(planned: Planned) -> None:
    """In the denoiser's dtype, whose hidden states it is added to."""
    import torch

    pipe = load(planned()).pipe
    with held(pipe, Precision("bf16", "bfloat16", "float32")):
        assert pipe.controlnet.dtype == pipe.unet.dtype == torch.bfloat16
    assert pipe.controlnet.dtype == torch.float32


def test_another_controlnet_is_another_plan(planned: Planned, tiny_controlnet: Callable[[str], Path]) -> None:
    """And a scale is; an entry without one has the digest of before."""
    digests = {planned().digest, planned(controlnet_conditioning_scale=0.5).digest}
    digests |= {planned(entry={"controlnet": str(tiny_controlnet("sdxl"))}).digest}
    assert len(digests) == 3
