"""A batch that is left to us is what fits the device beside the loaded model, by what was measured."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synthgen.core import devices
from synthgen.core.devices import DeviceRequest, Environment
from synthgen.diffusion import memory, pipelines
from synthgen.diffusion.sampler_settings import measured_batch_size
from synthgen.diffusion.strategies import img2img, text2img
from synthgen.errors import OutOfMemoryError
from synthgen.generate.loaded_entry import load_entry
from synthgen.runs import run_folder
from synthgen.runs.start_images import of_run

SETTINGS = {"num_inference_steps": 30, "guidance_scale": 3.0, "guidance_stop": 0.5, "height": 32, "width": 32}


@pytest.fixture
def planned(tiny_model: Callable[[str], Path], make_plan: Callable[..., Any]) -> Any:
    """A plan of one tiny model's images, 24 a shard."""
    entry = {"strategy": "text2img", "per_cell": 24, "settings": SETTINGS}
    output = {"image_format": "png", "shard_samples": 24}
    return make_plan(model=str(tiny_model("sd")), labels={"melanoma": "melanoma"}, generate=[entry], output=output)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Describes a device that measures its batch and has so many bytes free."""
    usual = devices.describe
    monkeypatch.setattr(devices, "measures_batch", lambda _: True)

    def describe(count: int) -> None:
        monkeypatch.setattr(devices, "describe", lambda *_: replace(usual("cpu"), free_memory=count))

    return describe


def _load(plan: Any, root: Path, request: DeviceRequest) -> Environment:
    entry = plan.entries["text2img"]
    output = plan.manifest.document.output
    found = load_entry(
        entry, entry.recipe, root=root, request=request, output=output, start_images=of_run(plan, root),
        sample=entry.sample(0),
    )  # fmt: skip
    return found.environment


@pytest.mark.slow
def test_the_batch_follows_what_is_free_once_the_model_is_loaded(
    planned: Any, free: Callable[[int], None], tmp_path: Path
) -> None:
    """It is what the rule says of the measured step, is pinned, and isn't measured again by who goes on."""
    request, chosen = DeviceRequest("cpu", "fp32"), list[int]()
    for place, count in enumerate((10**6, 2 * 10**6, 10**9)):
        root = tmp_path / str(place)
        run_folder.reserve(root, planned)
        free(count)
        chosen.append(_load(planned, root, request).batch_size)
        assert run_folder.pinned(root, "text2img").batch_size == chosen[-1]  # type: ignore[union-attr]
    assert 1 <= chosen[0] < chosen[1] < chosen[2] == 24
    free(10**9)
    assert _load(planned, tmp_path / "0", request).batch_size == chosen[0]
    run_folder.reserve(tmp_path / "asked", planned)
    assert _load(planned, tmp_path / "asked", replace(request, batch_size=5)).batch_size == 5


@pytest.mark.slow
def test_a_device_that_holds_no_image_says_what_to_set(planned: Any) -> None:
    """One that holds one image but not two gets batches of one."""
    entry = planned.entries["text2img"]
    environment = text2img.environment(entry.recipe, DeviceRequest("cpu", "fp32"), 24)
    pipeline = pipelines.load("text2img", entry.recipe, environment)

    def least(count: int) -> Callable[..., Any]:
        def maker(samples: Any, *, precise: bool = False) -> Any:
            if len(samples) > count:
                raise OutOfMemoryError(f"no memory for a batch of {len(samples)}")
            return pipeline.text2img(samples, precise=precise)

        return maker

    assert measured_batch_size(entry.recipe, environment, least(1), entry.sample(0), 24) == 1
    with pytest.raises(OutOfMemoryError, match=r"^no memory .* 32 x 32 by .* smaller height and width, --dtype bf16"):
        measured_batch_size(entry.recipe, environment, least(0), entry.sample(0), 24)


@pytest.mark.parametrize("strength", [0.07, 1 / 49, 0.3, 0.7, 1.0])
def test_what_is_measured_does_a_step(strength: float) -> None:
    """Few, however little of the way strength leaves."""
    settings = img2img.Settings(num_inference_steps=60, strength=strength, guidance_start=0.5).shortest()
    assert 1 <= len(settings.steps) <= 2
    assert len(settings.guided_steps) == settings.num_inference_steps


def test_a_measured_slope_decides_as_the_rule_says() -> None:
    """Sixteen images of a GiB each fit 24 GiB less what is fixed, in a shard of 48."""
    assert memory.batch_that_fits(22 * memory.GIB, memory.GIB, memory.GIB, 1024 * 1024, 48) == 16
