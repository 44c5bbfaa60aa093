"""Guidance in a part of the steps: which ones, what the denoiser is spared, and that the rest is diffusers' own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from synthgen import generate
from synthgen.core.devices import DeviceRequest
from synthgen.diffusion import pipelines
from synthgen.diffusion.pipelines import denoiser, guidance, schedulers
from synthgen.diffusion.strategies import img2img, text2img
from synthgen.errors import ManifestError, UnavailableError
from synthgen.extensions import EXTENSIONS
from synthgen.plan import Plan, throughput
from synthgen.plan.sample import record
from synthgen.runs import load_plan

pytestmark = [
    pytest.mark.slow,
    # diffusers' schedulers hand torch tensors to numpy in two ways that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning"),
]

MakePlan = Callable[..., Plan]
MIDDLE: dict[str, Any] = {
    "num_inference_steps": 4,
    "guidance_scale": 3.0,
    "guidance_start": 0.25,
    "guidance_stop": 0.75,
}
CASES = [("sd", "img2img"), ("sd", "inpaint"), ("sd-inpainting", "inpaint"), ("sdxl", "text2img"), ("sdxl", "img2img")]
CASES += [("sdxl", "inpaint"), ("sd3", "text2img"), ("sd3", "img2img"), ("sd3", "inpaint")]
SIZE = {"height": 64, "width": 64}
SCHEDULERS = get_args(text2img.Settings.model_fields["scheduler"].annotation)


def entry(**settings: Any) -> dict[str, Any]:
    """A manifest's change: one text2img entry."""
    return {"generate": [{"name": "text", "strategy": "text2img", "per_cell": 1, "settings": SIZE | settings}]}


def watch(pipe: Any, patch: pytest.MonkeyPatch) -> list[Any]:
    """A list that each pass through a pipeline's denoiser adds the batch of embeddings to that it read."""
    seen: list[Any] = []
    real = denoiser(pipe).forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        seen.append(kwargs["encoder_hidden_states"])
        return real(*args, **kwargs)

    patch.setattr(denoiser(pipe), "forward", forward)
    return seen


def maker_of(plan: Plan, batch_size: int) -> tuple[Any, Any]:
    """A plan's maker of images in fp32 on the CPU, and the diffusers pipeline within."""
    recipe = plan.entries["text"].recipe
    environment = text2img.environment(recipe, DeviceRequest("cpu", "fp32", batch_size=batch_size), 4)
    return text2img.maker(recipe, environment), pipelines.load("text2img", recipe, environment).pipe


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_steps_outside_see_half_the_batch(scheduler: str, make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """With each scheduler the first and the last of four steps are without guidance, and pass half the batch.

    Heun's passes twice in all but the last step, and PNDM's comes back to its first one.
    """
    plan = make_plan(**entry(**MIDDLE, scheduler=scheduler))
    maker, pipe = maker_of(plan, 2)
    seen = watch(pipe, monkeypatch)
    assert maker([plan.entries["text"].sample(index) for index in (0, 1)]).finite.all()
    expected = {"heun": [2, 2, 4, 4, 4, 4, 2], "pndm": [2, 2, 4, 4, 2]}
    assert [len(batch) for batch in seen] == expected.get(scheduler, [2, 4, 4, 2])


def test_timesteps_that_repeat_are_steps_of_their_own(make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Karras's sigmas round to one timestep more than once; the steps that were asked for are guided all the same."""
    settings = {"num_inference_steps": 20, "guidance_start": 0.4, "guidance_stop": 0.6, "scheduler": "dpm++2m-karras"}
    plan = make_plan(**entry(**settings))
    maker, pipe = maker_of(plan, 1)
    seen = watch(pipe, monkeypatch)
    maker([plan.entries["text"].sample(0)])
    assert len(set(pipe.scheduler.timesteps.tolist())) < 20
    assert [len(batch) for batch in seen] == [1] * 8 + [2] * 4 + [1] * 8


@pytest.mark.parametrize("after", [1, 2])
def test_what_comes_out_is_what_diffusers_makes(after: int, make_plan: MakePlan) -> None:
    """Guidance that stops is the image of diffusers' own callback that cuts it off, within a grey level."""
    from diffusers.callbacks import SDCFGCutoffCallback

    plan = make_plan(**entry(num_inference_steps=4, guidance_scale=3.0, guidance_stop=after / 4))
    sample = plan.entries["text"].sample(0)
    maker, _ = maker_of(plan, 1)
    found = maker([sample]).pixels[0]
    import torch

    pipe = pipelines.load_diffusers("text2img", sample.recipe.model, "", "float32")
    pipe.scheduler = schedulers.fresh(sample.recipe.settings.scheduler, pipe.scheduler)
    plain = pipe(
        [sample.prompt],
        negative_prompt=[sample.negative_prompt],
        generator=[torch.Generator().manual_seed(sample.seed)],
        callback_on_step_end=SDCFGCutoffCallback(cutoff_step_ratio=None, cutoff_step_index=after - 1),
        num_inference_steps=4,
        guidance_scale=3.0,
        output_type="np",
        **SIZE,
    ).images[0]
    assert np.abs(found.astype(int) - np.rint(plain * 255).astype(int)).max() <= 1


def test_guidance_throughout_is_as_it_was(make_plan: MakePlan) -> None:
    """From 0 to 1 is what a run decides where nothing is said, and what it decided before it could be said."""
    said, unsaid = (
        make_plan(**entry(num_inference_steps=4, guidance_scale=3.0, **more))
        for more in ({"guidance_start": 0.0, "guidance_stop": 1.0}, {})
    )
    assert said.digest == unsaid.digest
    assert make_plan(**entry(**MIDDLE)).digest != unsaid.digest
    assert said.entries["text"].recipe.settings.passes == 8


def test_a_pipeline_keeps_nothing_of_it(make_plan: MakePlan) -> None:
    """After a batch with guidance in the middle the next one is guided throughout, as before it."""
    throughout = MIDDLE | {"guidance_start": 0.0, "guidance_stop": 1.0}
    samples = [make_plan(**entry(**settings)).entries["text"].sample(0) for settings in (throughout, MIDDLE)]
    maker, _ = maker_of(make_plan(**entry(**throughout)), 1)
    before, between, after = (maker([sample]).pixels for sample in (*samples, samples[0]))
    assert np.array_equal(before, after)
    assert not np.array_equal(before, between)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_every_family_and_task(
    case: tuple[str, str],
    tiny_model: Callable[[str], Path],
    write_manifest: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every family whose guidance is two predictions can do without the second one, in every task."""
    family, strategy = case
    more = {"scheduler": "default"} if family == "sd3" else {}
    more |= {} if strategy == "text2img" else {"strength": 0.75}
    start = {"total": 2} if strategy == "text2img" else {"per_source": 1}
    path = write_manifest(
        labels={"melanoma": "melanoma"},
        skin_tones={"scale": "fitzpatrick", "values": [1, 2, 3, 4, 5, 6]},
        model=str(tiny_model(family)),
        real={"source": "phantom", "count": 6, "splits": {"train": 1.0}},
        generate=[{"strategy": strategy, "settings": MIDDLE | {"height": 32, "width": 32} | more, **start}],
        output={"image_format": "png", "shard_samples": 2},
    )
    calls: list[tuple[range, list[Any]]] = []
    honest = guidance.only_in

    def watched(pipe: Any, guided: range, count: int) -> Any:
        calls.append((guided, watch(pipe, monkeypatch)))
        return honest(pipe, guided, count)

    monkeypatch.setattr(guidance, "only_in", watched)
    job = generate.prepare(
        load_plan.read(path, EXTENSIONS, tmp_path / "run"), tmp_path / "run", generate.Selection(limit=2)
    )
    list(generate.generate(job, DeviceRequest("cpu", "fp32", batch_size=2)))
    ((guided, seen),) = calls
    assert guided == range(1, 3)
    assert [len(batch) for batch in seen] == ([2, 4, 4, 2] if strategy == "text2img" else [4, 4, 2])
    assert bool((seen[-1] == seen[-2][2:]).all())  # of the batch it is the half that reads the prompt
    assert not bool((seen[-1] == seen[-2][:2]).all())


def test_a_number_in_every_step_is_refused(tiny_model: Callable[[str], Path], make_plan: MakePlan) -> None:
    """Flux reads guidance_scale in every step, so that there is nothing to leave out."""
    model, scheduler = str(tiny_model("flux")), {"scheduler": "default"}
    with pytest.raises(ManifestError, match=r"settings\.guidance_start: "):
        make_plan(model=model, **entry(**MIDDLE | scheduler))
    with pytest.raises(ManifestError, match=r"settings\.guidance_stop: "):
        make_plan(model=model, **entry(**MIDDLE | scheduler | {"guidance_start": 0.0}))


def test_a_distilled_unet_is_refused(
    tiny_model: Callable[[str], Path], make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So do the UNets of latent consistency models; of one from the Hub a plan knows nothing, and its call says so."""
    shutil.copytree(tiny_model("sd"), tmp_path / "distilled")
    config = tmp_path / "distilled" / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"time_cond_proj_dim": 32}))
    with pytest.raises(ManifestError, match=r"settings\.guidance_start: "):
        make_plan(model=str(tmp_path / "distilled"), **entry(**MIDDLE))
    maker, pipe = maker_of(make_plan(**entry(**MIDDLE)), 1)
    config = type(pipe.unet.config)({**pipe.unet.config, "time_cond_proj_dim": 32})
    monkeypatch.setattr(pipe.unet, "_internal_dict", config)
    with pytest.raises(UnavailableError, match=r"^guidance_start, guidance_stop: .*StableDiffusionPipeline"):
        maker([make_plan(**entry(**MIDDLE)).entries["text"].sample(0)])
    assert not pipe.unet._forward_hooks


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (MIDDLE | {"guidance_stop": 0.3}, r"guidance_start 0\.25 .*guidance_stop 0\.3 "),
        (MIDDLE | {"guidance_stop": 0.25}, r"guidance_start 0\.25 .*guidance_stop 0\.25"),
        (MIDDLE | {"guidance_scale": 1.0, "guidance_stop": 0.2}, r"guidance_start 0\.25 .*guidance_stop 0\.2"),
        (MIDDLE | {"num_inference_steps": 1}, r"guidance_start .*\b0 to 0 of 1\b"),
        (MIDDLE | {"guidance_start": 1.0}, r"settings\.guidance_start: "),
        (MIDDLE | {"guidance_stop": 0.0}, r"settings\.guidance_stop: "),
    ],
)
def test_an_interval_without_a_step_is_refused(settings: dict[str, Any], named: str, make_plan: MakePlan) -> None:
    """What would guide nothing, though guidance was asked for, is a fault of the manifest."""
    with pytest.raises(ManifestError, match=named):
        make_plan(**entry(**settings))


def test_strength_leaves_out_the_first_steps() -> None:
    """An image that is painted over in its last steps alone can only be guided in those."""
    with pytest.raises(ValueError, match=r"guidance_stop .*\b3 to 3 of 4\b"):
        img2img.Settings(**MIDDLE, strength=0.25)
    assert img2img.Settings(**MIDDLE, strength=0.5).passes == 3


def test_without_guidance_the_interval_says_nothing() -> None:
    """At a guidance_scale of 1 there is one pass a step, whatever the interval."""
    assert text2img.Settings(**MIDDLE | {"guidance_scale": 1.0, "guidance_stop": 0.3}).passes == 4


def test_shares_are_not_lost_to_rounding() -> None:
    """0.57 of 100 steps are 57, though 0.57 * 100 is a little less in floating point."""
    settings = text2img.Settings(num_inference_steps=100, guidance_start=0.29, guidance_stop=0.57)
    assert settings.guided_steps == range(29, 57)


def test_a_record_tells_the_interval(make_plan: MakePlan) -> None:
    """What the record has no field for stands among its attributes, and nothing does where nothing was said."""
    said, unsaid = (
        json.loads(record(made, image_sha256="", model_revision="", generator="").attributes)
        for made in (make_plan(**entry(**one)).entries["text"].sample(0) for one in (MIDDLE, {}))
    )
    assert {name: said[name] for name in said if name not in unsaid} == {"guidance_start": 0.25, "guidance_stop": 0.75}


def test_the_time_expected_counts_what_is_spared(make_plan: MakePlan) -> None:
    """A plan expects six passes of eight to take six eighths of the time."""
    middle, throughout = (
        make_plan(**entry(**one)).entries["text"].recipe
        for one in (MIDDLE, {"num_inference_steps": 4, "guidance_scale": 3.0})
    )
    throughput.note(throughout, "png", images=10, seconds=8.0, stored=1000)
    assert throughput.seconds(middle, "png", 10) == pytest.approx(6.0)


def test_what_was_measured_in_other_terms_is_not_used(make_plan: MakePlan) -> None:
    """A measurement that an older version noted, by steps, tells nothing of the time that passes take."""
    recipe = make_plan(**entry(**MIDDLE)).entries["text"].recipe
    throughput.note(recipe, "png", images=10, seconds=8.0, stored=1000)
    throughput.path().write_text(throughput.path().read_text().replace('"passes"', '"steps"'))
    assert throughput.seconds(recipe, "png", 10) is None
