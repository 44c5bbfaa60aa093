"""Real latent diffusion with the bundled model: an image depends on its own sample, and on what the run pins alone."""

import dataclasses
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from synthgen import generate, plan, study
from synthgen.core import devices, model_folder
from synthgen.core.devices import DeviceRequest, Environment
from synthgen.diffusion import pipelines
from synthgen.diffusion.pipelines import schedulers
from synthgen.diffusion.strategies import text2img
from synthgen.errors import InputError, OutOfMemoryError, PlanMismatchError, UnavailableError
from synthgen.generate import retry
from synthgen.generate.reproduce import reproduce
from synthgen.plan import Plan
from synthgen.plan.sample import Sample
from synthgen.runs import receipts
from synthgen.vision.images import codec

pytestmark = [
    pytest.mark.slow,
    # diffusers' schedulers (deis among them) hand torch tensors to numpy in two ways that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept context:DeprecationWarning"),
]

MakePlan = Callable[..., Plan]
Pixels = np.ndarray[Any, np.dtype[np.uint8]]
SETTINGS = {"height": 32, "width": 32, "num_inference_steps": 3, "guidance_scale": 2.5}
SCHEDULERS = get_args(text2img.Settings.model_fields["scheduler"].annotation)
CPU = DeviceRequest(device="cpu", dtype="fp32", batch_size=4)


def entry(per_cell: int = 1, **settings: Any) -> list[dict[str, Any]]:
    """One text2img entry on the bundled model, small and short."""
    return [{"name": "text", "strategy": "text2img", "per_cell": per_cell, "settings": SETTINGS | settings}]


@pytest.fixture(scope="module", autouse=True)
def _modest() -> Iterator[None]:
    """Leave the log and the thread count as they were."""
    import torch

    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pinned(make_plan: MakePlan) -> Environment:
    """What the images of this module are made with: fp32 on the CPU in batches of four."""
    return text2img.environment(make_plan(generate=entry()).entries["text"].recipe, CPU, 4)


@pytest.fixture(scope="module")
def paint(make_plan: MakePlan, pinned: Environment) -> Callable[..., list[Pixels]]:
    """Makes images of samples given by index, in one batch, with changed settings or a changed environment."""

    def make(indices: Sequence[int], manifest: dict[str, Any] | None = None, **settings: Any) -> list[Pixels]:
        entries = make_plan(generate=entry(per_cell=2, **settings), **manifest or {}).entries["text"]
        maker = text2img.maker(entries.recipe, pinned)
        painted = maker([entries.sample(index) for index in indices])
        assert painted.finite.all()
        return list(painted.pixels)

    return make


@pytest.fixture(scope="module")
def four(paint: Callable[..., list[Pixels]]) -> list[Pixels]:
    """The first four images, made together."""
    return paint([0, 1, 2, 3])


def test_the_weights_are_a_plain_diffusers_folder() -> None:
    """`AutoPipelineForText2Image.from_pretrained` and a call work, without synthgen."""
    import diffusers

    folder = model_folder.describe(model_folder.BUNDLED, Path()).folder
    pipe = diffusers.AutoPipelineForText2Image.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    image = pipe("A photo of psoriasis, Fitzpatrick skin type V", num_inference_steps=2, height=64, width=64).images[0]
    assert image.size == (64, 64)
    assert codec.blank(np.asarray(image)) == ""


def test_images_are_pictures(four: list[Pixels]) -> None:
    """What comes out is uint8 RGB of the size asked for, not blank, and each differs from the others."""
    assert [(one.shape, one.dtype) for one in four] == [((32, 32, 3), np.uint8)] * 4
    assert [codec.blank(one) for one in four] == [""] * 4
    assert len({one.tobytes() for one in four}) == 4


def test_the_same_call_gives_the_same_bytes(four: list[Pixels], paint: Callable[..., list[Pixels]]) -> None:
    """Twice the same batch is twice the same images."""
    assert np.array_equal(paint([0, 1, 2, 3]), four)


def test_an_image_does_not_know_its_place(four: list[Pixels], paint: Callable[..., list[Pixels]]) -> None:
    """At another place in a batch of the same size an image is the same to the bit."""
    assert np.array_equal(paint([3, 2, 1, 0])[::-1], four)


def test_an_image_does_not_know_its_neighbours(four: list[Pixels], paint: Callable[..., list[Pixels]]) -> None:
    """Beside other samples, or beside copies of itself, an image is the same to the bit."""
    assert np.array_equal(paint([7, 8, 1, 9])[2], four[1])
    assert np.array_equal(paint([1, 1, 1, 1])[3], four[1])


def test_the_batch_size_is_hardly_seen(four: list[Pixels], paint: Callable[..., list[Pixels]]) -> None:
    """Alone in a batch of one an image is the one from a batch of four within 40 dB."""
    assert min(codec.psnr(paint([index])[0], four[index]) for index in range(4)) >= 40


@pytest.mark.parametrize("change", [{"seed": 8}, {"labels": {"psoriasis": "melanoma", "healthy": "healthy skin"}}])
def test_seed_and_words_change_the_image(change: dict[str, Any], paint: Callable[..., list[Pixels]]) -> None:
    """Another manifest seed, or another word in the prompt, is another image."""
    one, other = (paint([0], said, height=64, width=64)[0] for said in ({}, change))
    assert codec.psnr(one, other) < 30


def test_guidance_changes_the_image(paint: Callable[..., list[Pixels]]) -> None:
    """Guidance of 3 is not the image without guidance."""
    without, guided = (paint([0], guidance_scale=scale)[0] for scale in (1.0, 3.0))
    assert codec.psnr(without, guided) < 30


def test_guidance_of_one_or_less_is_none(paint: Callable[..., list[Pixels]]) -> None:
    """At 1 and below nothing is guided, so the images are the same."""
    assert np.array_equal(paint([0], guidance_scale=1.0), paint([0], guidance_scale=0.0))


def prompts_with(negative: str) -> dict[str, Any]:
    """A manifest's change: one template, and that negative prompt."""
    return {"prompts_text": f"templates: ['A photo of {{label}}, type {{skin_tone}}']\nnegative_prompt: '{negative}'"}


def test_the_negative_prompt_changes_the_image(paint: Callable[..., list[Pixels]]) -> None:
    """With guidance, what is not wanted shows."""
    assert not np.array_equal(paint([0], prompts_with("")), paint([0], prompts_with("blurry, melanoma")))


def test_without_guidance_the_negative_prompt_is_not_read(paint: Callable[..., list[Pixels]]) -> None:
    """At a guidance of 1 the negative prompt changes nothing."""
    one, other = (paint([0], prompts_with(text), guidance_scale=1.0) for text in ("", "blurry, melanoma"))
    assert np.array_equal(one, other)


def test_more_steps_give_another_image(four: list[Pixels], paint: Callable[..., list[Pixels]]) -> None:
    """The number of steps reaches the scheduler."""
    assert not np.array_equal(paint([0], num_inference_steps=5)[0], four[0])


def test_the_size_is_the_one_asked_for(paint: Callable[..., list[Pixels]]) -> None:
    """Height and width are not mixed up."""
    assert paint([0], height=32, width=48)[0].shape == (32, 48, 3)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_every_scheduler_makes_pictures(scheduler: str, paint: Callable[..., list[Pixels]]) -> None:
    """Each sampler that a manifest can name gives finite pictures that are not blank, and the same ones again."""
    one, again = paint([0, 1], scheduler=scheduler), paint([0, 1], scheduler=scheduler)
    assert [codec.blank(picture) for picture in one] == ["", ""]
    assert np.array_equal(one, again)


def test_stochastic_schedulers_draw_from_the_sample_s_own_seed(paint: Callable[..., list[Pixels]]) -> None:
    """Noise added on the way is the sample's own, so neighbours do not change it."""
    settings = {"scheduler": "euler-a"}
    assert np.array_equal(paint([0, 1], **settings)[1], paint([5, 1], **settings)[1])


def test_every_scheduler_that_is_known_can_be_named() -> None:
    """The manifest's names are the pipeline's, and `default`."""
    assert set(SCHEDULERS) == {"default", *pipelines.SCHEDULERS}


@pytest.mark.parametrize("where", ["prompt", "negative"])
def test_a_prompt_too_long_is_bad_input(where: str, make_plan: MakePlan, pinned: Environment) -> None:
    """A prompt that the model would cut off is refused with its length and its text."""
    long = "very " * 80
    texts = {
        "prompt": f"templates: ['{long} {{label}}']",
        "negative": f"templates: ['{{label}}']\nnegative_prompt: '{long}'",
    }
    planned = make_plan(generate=entry(), prompts_text=texts[where]).entries["text"]
    maker = text2img.maker(planned.recipe, pinned)
    with pytest.raises(InputError, match=r"^prompt of \d+ tokens.*very very"):
        maker([planned.sample(0)])


def test_a_prompt_too_long_is_one_line_of_the_command(tmp_path: Path, write_manifest: Any, capsys: Any) -> None:
    """`synthgen generate` says it as a fault, and the run holds nothing."""
    from synthgen.cli import call

    (tmp_path / "long.yaml").write_text(f"templates: ['{'very ' * 80} {{label}}']")
    manifest = write_manifest(generate=entry(), prompts="long.yaml")
    assert call(["generate", str(manifest), "--out", str(tmp_path / "run"), "--device", "cpu"]) == 2
    assert capsys.readouterr().err.startswith("error: prompt of ")
    assert list(tmp_path.rglob("*.tar")) == []


# whole runs


@pytest.fixture(scope="module")
def plan_of_six(make_plan: MakePlan) -> Plan:
    """A plan of 24 images in six shards of four."""
    return make_plan(generate=entry(per_cell=4), output={"image_format": "jpeg", "shard_samples": 4})


@pytest.fixture(scope="module")
def unbroken(plan_of_six: Plan, make_images: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of that plan, made in one go; nobody changes it."""
    root = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        make_images(plan_of_six, root, CPU)
    return root


def test_a_run_pins_what_touches_its_bytes(unbroken: Path, plan_of_six: Plan) -> None:
    """The run's environment names device, dtype, attention, batch size, threads, the model's fingerprint, versions."""
    receipt = receipts.Ledger(unbroken, "text", plan_of_six.entries["text"].digest).trusted(0)
    assert receipt is not None
    pinned = Environment(**receipt.environment)
    assert (pinned.device, pinned.dtype, pinned.attention, pinned.batch_size) == ("cpu", "float32", "sdpa", 4)
    assert pinned.model_revision.startswith("sha256:")
    assert {*devices.PACKAGES, *devices.MODEL_PACKAGES} == set(pinned.versions)


@pytest.mark.parametrize(
    "asked", [DeviceRequest(dtype="bf16"), DeviceRequest(batch_size=2)], ids=["dtype", "batch size"]
)
def test_another_wish_is_refused_to_a_run(
    asked: DeviceRequest, unbroken: Path, plan_of_six: Plan, tmp_path: Path
) -> None:
    """What would change bytes within a run is refused once the run pins another."""
    root = shutil.copytree(unbroken, tmp_path / "run")
    (root / "text" / "00003.json").unlink()
    job = generate.prepare(plan_of_six, root)
    with pytest.raises(PlanMismatchError, match=r"^--(dtype|batch-size) "):
        next(generate.generate(job, asked))


def test_other_parts_in_another_order_give_the_same_bytes(
    unbroken: Path,
    plan_of_six: Plan,
    make_images: Callable[..., Any],
    tars_in: Callable[[Path], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    """Shards made one by one, the last first, are those of a run in one go."""
    for number in range(5, -1, -1):
        make_images(plan_of_six, tmp_path, CPU, shards=(number, number + 1))
    assert tars_in(tmp_path) == tars_in(unbroken)


def test_reproduce_says_identical(unbroken: Path, plan_of_six: Plan) -> None:
    """An image of a whole run, made again alone, is the same to the byte."""
    made = reproduce(unbroken, plan_of_six.entries["text"].sample(6).key, study.EXTENSIONS)
    assert made.identical
    assert made.psnr == float("inf")


def test_reproduce_says_how_far_off(unbroken: Path, plan_of_six: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made with another number of steps, an image is not called the same, and the PSNR says how far it is."""
    honest = schedulers.fresh
    monkeypatch.setattr(schedulers, "fresh", lambda _, own, _spacing: honest("lcm", own))
    made = reproduce(unbroken, plan_of_six.entries["text"].sample(6).key, study.EXTENSIONS)
    assert not made.identical
    assert not made.within_tolerance
    assert made.psnr < 40


def test_a_dtype_that_is_not_here_is_said(
    unbroken: Path, plan_of_six: Plan, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A run made elsewhere is reproduced with what there is here, and the log says with what."""
    real = text2img.environment

    def environment(recipe: Any, asked: DeviceRequest, shard_samples: int) -> Environment:
        if asked.dtype != "auto":
            raise UnavailableError("--device cuda: torch finds none here")
        return real(recipe, CPU, shard_samples)

    monkeypatch.setattr(text2img, "environment", environment)
    with caplog.at_level(logging.WARNING, "synthgen"):
        made = reproduce(unbroken, plan_of_six.entries["text"].sample(6).key, study.EXTENSIONS)
    assert made.within_tolerance
    assert "torch finds none here; made with float32 on cpu" in caplog.text


def test_a_killed_run_goes_on_to_the_same_bytes(
    unbroken: Path,
    plan_of_six: Plan,
    make_images: Callable[..., Any],
    tars_in: Callable[[Path], dict[str, bytes]],
    tmp_path: Path,
) -> None:
    """Killed with no warning after a shard, a real run is taken up and ends in the bytes of an unbroken one."""
    manifest, run = tmp_path / "manifest.yaml", tmp_path / "run"
    manifest.write_text(plan_of_six.manifest.text, encoding="utf-8")
    options = ["--device", "cpu", "--dtype", "fp32", "--batch-size", "4", "--out", str(run), "-q"]
    process = subprocess.Popen([sys.executable, "-m", "synthgen", "generate", str(manifest), *options])
    try:
        end = time.monotonic() + 120
        while not tars_in(run) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert len(tars_in(run)) < len(tars_in(unbroken))
    make_images(plan_of_six, run, CPU)
    assert tars_in(run) == tars_in(unbroken)


# faults of the arithmetic


def poison(maker_environment: Environment, recipe: Any, seeds: set[int]) -> Callable[..., Any]:
    """A maker whose decoder gives NaN for samples of those seeds, unless it computes in fp32."""
    import torch

    maker = text2img.maker(recipe, maker_environment)
    pipe = pipelines.load("text2img", recipe, maker_environment).pipe

    def call(samples: Sequence[Sample], *, precise: bool = False) -> Any:
        def spoil(_module: Any, _inputs: Any, output: Any) -> Any:
            spoilt = output.clone()
            for place, sample in enumerate(samples):
                if sample.seed in seeds and output.dtype != torch.float32:
                    spoilt[place, 0, 3, 5] = float("nan")
            return spoilt

        handle = pipe.vae.decoder.register_forward_hook(spoil, prepend=True)
        try:
            return maker(samples, precise=precise)
        finally:
            handle.remove()

    return call


def test_nan_is_made_again_in_fp32(make_plan: MakePlan, pinned: Environment) -> None:
    """An image that bf16 turns into NaN is made again with its own seed in fp32; its neighbours are not."""
    planned = make_plan(generate=entry(num_inference_steps=2)).entries["text"]
    reduced = dataclasses.replace(pinned, dtype="bfloat16", batch_size=2)
    samples = [planned.sample(0), planned.sample(1)]
    maker = poison(reduced, planned.recipe, {samples[0].seed})
    made = {one.sample.key: one for one in retry.make(samples, maker, 2, lambda one, _: one)}
    assert made[samples[0].key].outcomes == ("nonfinite", "made")
    assert made[samples[1].key].outcomes == ("made",)
    assert made[samples[0].key].sample.attempt == 0
    fp32 = text2img.maker(planned.recipe, dataclasses.replace(pinned, batch_size=2))([samples[0]] * 2).pixels[0]
    pixels = made[samples[0].key].pixels
    assert pixels is not None
    assert codec.psnr(pixels, fp32) >= 40


def test_nan_is_recorded(
    make_plan: MakePlan, make_images: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run's receipt says of the one image that came out NaN that it was made in a second attempt."""
    planned = make_plan(generate=entry(num_inference_steps=1), skin_tones={"scale": "fitzpatrick", "values": [1]})
    bad = planned.entries["text"].sample(1)
    clean = text2img.maker

    def maker(recipe: Any, environment: Environment, _originals: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(text2img, "maker", clean)
            return poison(environment, recipe, {bad.seed})

    monkeypatch.setattr(text2img, "maker", maker)
    (receipt,) = make_images(planned, tmp_path, DeviceRequest("cpu", "bf16", batch_size=2))
    assert [outcome.tries for outcome in receipt.samples] == [("made",), ("nonfinite", "made")]
    assert {outcome.attempt for outcome in receipt.samples} == {0}


def test_a_pipeline_goes_back_to_its_dtype(make_plan: MakePlan, pinned: Environment) -> None:
    """After an image in fp32 the next is made in the pipeline's own dtype, the same as before."""
    planned = make_plan(generate=entry(num_inference_steps=1)).entries["text"]
    maker = text2img.maker(planned.recipe, dataclasses.replace(pinned, dtype="bfloat16", batch_size=1))
    before = maker([planned.sample(0)]).pixels
    precise = maker([planned.sample(0)], precise=True).pixels
    assert not np.array_equal(precise, before)
    assert np.array_equal(maker([planned.sample(0)]).pixels, before)


def test_no_memory_is_our_own_error(make_plan: MakePlan, pinned: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch raises on a CPU without memory becomes an error that names the batch."""
    planned = make_plan(generate=entry()).entries["text"]
    maker = text2img.maker(planned.recipe, pinned)
    pipe = pipelines.load("text2img", planned.recipe, pinned).pipe

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(pipelines.denoiser(pipe), "forward", full)
    with pytest.raises(OutOfMemoryError, match="4"):
        maker([planned.sample(0)] * 4)


def test_a_broken_model_folder_is_bad_input(make_plan: MakePlan, pinned: Environment, tmp_path: Path) -> None:
    """Weights that can't be read are an error that names the model."""
    import shutil

    folder = model_folder.describe(model_folder.BUNDLED, Path()).folder
    assert folder is not None
    shutil.copytree(folder, tmp_path / "weights")
    weights = tmp_path / "weights" / "unet" / "diffusion_pytorch_model.safetensors"
    os.truncate(weights, 1000)
    planned = plan.Plan(dataclasses.replace(make_plan(generate=entry()).manifest)).entries["text"]
    facts = model_folder.describe(str(tmp_path / "weights"), tmp_path)
    recipe = dataclasses.replace(planned.recipe, model=facts)
    with pytest.raises(UnavailableError, match=str(tmp_path / "weights")):
        text2img.maker(recipe, dataclasses.replace(pinned, model_revision="broken"))
