"""Families that nobody wrote down: what they show when they are loaded, and what they are refused for."""

import functools
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from synthgen.core.devices import DeviceRequest
from synthgen.diffusion import pipelines, strategies
from synthgen.diffusion.pipelines import proof
from synthgen.errors import InputError, ManifestError, UnavailableError
from synthgen.plan import Plan

pytestmark = pytest.mark.slow

SETTINGS = {"num_inference_steps": 2, "guidance_scale": 3.0, "height": 64, "width": 64, "scheduler": "default"}
TEXT2IMG = ["sd3.5", "pixart-sigma", "chroma", "auraflow", "sana", "flux2-klein", "qwen-image", "z-image"]
TASKS = [(family, "text2img") for family in TEXT2IMG] + [
    ("chroma", "img2img"), ("z-image", "inpaint"),
]  # fmt: skip
SEEN = MappingProxyType({"class": "seen before"})
CPU = DeviceRequest("cpu", "fp32", batch_size=2)
Planned = Callable[..., Plan]


@pytest.fixture
def planned(tiny_model: Callable[[str], Path], make_plan: Callable[..., Plan]) -> Planned:
    """Plans an entry ``e`` of a family by a strategy, keywords change its settings; ``words`` has the same prompts."""

    def plan(family: str, strategy: str = "text2img", prompts_text: str | None = None, **settings: Any) -> Plan:
        start = {"per_cell": 1} if strategy == "text2img" else {"from": "words"}
        words = {"name": "words", "strategy": "fake", "per_cell": 1}
        entry = {"name": "e", "strategy": strategy, "settings": SETTINGS | settings, **start}
        return make_plan(prompts_text, model=str(tiny_model(family)), generate=[words, entry])

    return plan


def load(plan: Plan, seen: Mapping[str, str] = MappingProxyType({})) -> pipelines.Pipeline:
    """The pipeline of the entry ``e``, of whose class something may have been seen before."""
    recipe = plan.entries["e"].recipe
    environment = replace(strategies.environment(recipe, CPU, 4), proof=dict(seen))
    return pipelines.load(recipe.settings.task, recipe, environment)  # type: ignore[attr-defined]


def paint(plan: Plan, indices: Sequence[int], seen: Mapping[str, str] = SEEN) -> Any:
    """The images of samples of the entry ``e``, made together, of a slope where they start from one."""
    pipeline, strategy = load(plan, seen), plan.entries["e"].recipe.strategy
    recipe = plan.entries["e"].recipe
    samples = [replace(plan.entries["words"].sample(index), recipe=recipe) for index in indices]
    starts = np.zeros((len(samples), 64, 64, 3), np.uint8)
    starts += np.arange(0, 128, 2, dtype=np.uint8)[:, None, None]
    if strategy == "text2img":
        return pipeline.text2img(samples).pixels
    if strategy == "img2img":
        return pipeline.img2img(samples, starts).pixels
    masks = np.zeros((len(samples), 64, 64), bool)
    masks[:, 16:48] = True
    return pipeline.inpaint(samples, starts, masks).pixels


@pytest.mark.parametrize(("family", "strategy"), TASKS)
def test_an_image_depends_on_its_sample(family: str, strategy: str, planned: Planned) -> None:
    """It is what it is beside any other and at any place, and another sample's is another."""
    plan = planned(family, strategy)
    first, second = paint(plan, [0, 1], seen={})
    assert first.shape == (64, 64, 3)
    assert not np.array_equal(first, second)
    assert np.array_equal(paint(plan, [2, 0])[1], first)


@pytest.mark.parametrize(
    ("family", "strategy", "said"),
    [
        ("pixart-sigma", "img2img", "no PixArtSigmaImg2ImgPipeline, so it can't do img2img; use text2img,"),
        ("sana", "inpaint", "no SanaInpaintPipeline, so it can't do inpaint; use text2img,"),
        ("flux2-klein", "img2img", "no Flux2KleinImg2ImgPipeline, so .*; use text2img or inpaint,"),
    ],
)
def test_a_task_that_a_family_lacks_is_said_early(family: str, strategy: str, said: str, planned: Planned) -> None:
    """The manifest is refused with what the family can do."""
    with pytest.raises(ManifestError, match=said):
        planned(family, strategy)


@pytest.mark.parametrize(
    ("class_name", "said"),
    [
        ("NobodysPipeline", r"is a NobodysPipeline, which diffusers .* does not have"),
        ("AutoencoderKL", r"is a AutoencoderKL, which diffusers .* does not have as a pipeline"),
        ("", r"names no class"),
        ("AnimateDiffPipeline", r"is a AnimateDiffPipeline, which can't do text2img: it makes videos"),
        ("StableDiffusionUpscalePipeline", r"is a StableDiffusionUpscalePipeline, which can't do text2img: it "),
    ],
)
def test_what_makes_no_images_from_prompts_is_said_early(
    class_name: str, said: str, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """A class that diffusers lacks, or that does another thing, is refused when the manifest is read."""
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": class_name}))
    with pytest.raises(ManifestError, match=rf"model: .*{said}"):
        make_plan(model=str(tmp_path), generate=[{"strategy": "text2img", "per_cell": 1, "settings": SETTINGS}])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"scheduler": "dpm++2m"}, r"scheduler: .*matches a flow; use `default`"),
        ({"timestep_spacing": "trailing"}, r"timestep_spacing: "),
        ({"guidance_stop": 0.5}, r"guidance_stop: a ZImagePipeline guides in every step"),
        ({"height": 56}, r"height: must be a multiple of 16 "),
    ],
)
def test_settings_that_do_not_fit_are_said_early(settings: dict[str, Any], said: str, planned: Planned) -> None:
    """What a family can't do is refused by its configuration, when the manifest is read."""
    with pytest.raises(ManifestError, match=said):
        planned("z-image", **settings)


def mixes_neighbours(call: Any, pipe: Any, **given: Any) -> Any:
    """Add to each image some of the others of its batch."""
    output = call(pipe, **given)
    output.images = output.images + output.images.mean(0, keepdim=True)
    return output


def forgets_seeds(call: Any, pipe: Any, **given: Any) -> Any:
    """Give each row the same noise."""
    import torch

    return call(pipe, **given | {"generator": [torch.Generator().manual_seed(1) for _ in given["generator"]]})


def forgets_prompts(call: Any, pipe: Any, **given: Any) -> Any:
    """Read the same words in each row."""
    return call(pipe, **given | {"prompt": ["skin"] * len(given["prompt"])})


def forgets_guidance(call: Any, pipe: Any, **given: Any) -> Any:
    """Leave guidance out."""
    return call(pipe, **given | {"guidance_scale": 1.0})


def encodes_again(call: Any, pipe: Any, **given: Any) -> Any:
    """Ask the text encoder beside ``encode_prompt``."""
    import torch

    pipe.text_encoder(input_ids=torch.zeros((1, 1), dtype=torch.long))
    return call(pipe, **given)


def gives_another_size(call: Any, pipe: Any, **given: Any) -> Any:
    """Make smaller images than it is asked for."""
    return call(pipe, **given | {"height": 32})


def breaks(call: Any, pipe: Any, **given: Any) -> Any:
    """Do nothing."""
    raise AttributeError("no such thing")


def gives_nan(call: Any, pipe: Any, **given: Any) -> Any:
    """Make images that are no numbers."""
    output = call(pipe, **given)
    output.images = output.images * float("nan")
    return output


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (mixes_neighbours, r"an image alone is another one, \S+ dB away"),
        (forgets_seeds, "another seed gives the same image"),
        (forgets_prompts, "another prompt gives the same image"),
        (forgets_guidance, "guidance_scale 3 changes nothing"),
        (encodes_again, "prompts that were encoded before are encoded again"),
        (gives_another_size, "images of 64 x 64 were asked for, and are 64 x 32"),
        (breaks, "it can't be called: AttributeError: no such thing"),
        (gives_nan, "its images are NaN"),
    ],
)
def test_a_class_that_fails_is_refused_with_the_reason(
    fault: Any, said: str, planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says what was found when it was loaded, and nothing of it is kept."""
    import diffusers

    call = diffusers.ZImagePipeline.__call__

    @functools.wraps(call)
    def faulty(pipe: Any, **given: Any) -> Any:
        return fault(call, pipe, **given)

    monkeypatch.setattr(diffusers.ZImagePipeline, "__call__", faulty)
    pipelines.release()
    with pytest.raises(UnavailableError, match=rf"is a ZImagePipeline, which was tried here .* text2img: {said}"):
        load(planned("z-image"))
    assert pipelines.loaded("text2img", strategies.environment(planned("z-image").entries["e"].recipe, CPU, 4)) is None


def test_a_safety_checker_is_left_out(
    tiny_model: Callable[[str], Path], make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """It would paint photographs of skin black; a class that takes one is loaded without, whatever its family."""
    folder = shutil.copytree(tiny_model("sd"), tmp_path / "pag")
    index = json.loads((folder / "model_index.json").read_text()) | {
        "_class_name": "StableDiffusionPAGPipeline",
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "requires_safety_checker": True,
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    entry = {"name": "e", "strategy": "text2img", "per_cell": 1, "settings": SETTINGS}
    pipeline = load(make_plan(model=str(folder), generate=[entry]), SEEN)
    assert pipeline.pipe.safety_checker is None
    assert type(pipeline.pipe).__name__ == "StableDiffusionPAGPipeline"


def test_guidance_that_a_distilled_model_leaves_out_is_refused(planned: Planned) -> None:
    """A number that would be in the record, and do nothing, has to be taken out."""
    with pytest.raises(UnavailableError, match=r"guidance_scale 3 changes nothing: .*; set it to 1"):
        load(planned("flux2-klein-distilled"))


def test_what_was_shown_is_remembered(
    planned: Planned, make_images: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run pins it; who goes on with the run does not ask again."""
    plan, asked = planned("z-image"), []
    prove = proof.prove
    monkeypatch.setattr(proof, "prove", lambda *given: asked.append(1) or prove(*given))
    for shards in ((2, 3), (3, 4)):  # the first two are of `words`
        pipelines.release()
        assert make_images(plan, tmp_path, CPU, shards=shards)
    kept = json.loads((tmp_path / "run.json").read_text())["entries"]["e"]["environment"]["proof"]
    assert kept.pop("class") == "ZImagePipeline"
    assert kept.keys() == {"alone", "beside another"}
    assert asked == [1]


@pytest.mark.parametrize("family", ["flux2-klein", "qwen-image"])
def test_the_negative_prompt_is_read(family: str, planned: Planned) -> None:
    """By a keyword, or by embeddings alone, as the class takes it."""
    one, other = (
        paint(planned(family, prompts_text=f"templates: ['{{label}}']\nnegative_prompt: '{negative}'"), [0, 1])
        for negative in ("", "blurry, hair")
    )
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("family", ["qwen-image", "z-image"])
def test_a_prompt_too_long_is_bad_input(family: str, planned: Planned) -> None:
    """A text that the encoder would cut off is refused with its length."""
    plan = planned(family, prompts_text=f"templates: ['{'very ' * 300} {{label}}']")
    with pytest.raises(InputError, match=r"^prompt of \d+ tokens, the model reads \d+ .*very very"):
        paint(plan, [0])
