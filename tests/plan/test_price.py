"""What a plan costs on a rented card, from what was measured on it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.benchmark import report
from synthgen.benchmark.architectures import ARCHITECTURES
from synthgen.benchmark.runner import StepResult
from synthgen.diffusion import model_check
from synthgen.errors import InputError
from synthgen.plan import estimate, price, throughput

SDXL = {"family": "StableDiffusionXL", "weights": 5 * 10**9, "pixels": 1024**2, "passes": 60, "images_per_second": 0.5}


def test_a_kept_image_costs_what_the_rejected_ones_cost_too() -> None:
    """3,600 images in half an hour at 2.50 an hour; a quarter is kept."""
    found = price.cost(2.5, 1800, 3600, kept=0.25)
    assert (found.total, found.image) == (1.25, 1.25 / 3600)
    assert found.kept == pytest.approx(4 * found.image)
    assert price.cost(2.5, 1800, 3600).kept is None


def test_time_follows_passes_and_pixels(make_plan: Callable[..., Any]) -> None:
    """Half the passes and a quarter of the pixels of what was timed take an eighth of its time an image."""
    settings = {"height": 512, "width": 512, "num_inference_steps": 15, "guidance_scale": 5.0}
    plan = make_plan(generate=[{"strategy": "text2img", "per_cell": 2, "settings": settings}])
    (entry,) = plan.entries.values()
    card = price.CardRates("a card", (price.CardRate(**SDXL),))
    footprint = model_check.Footprint(6 * 10**9, 1, 1, 512**2)
    model = model_check.ModelReport("m", (f"generate.{entry.name}",), footprint=footprint, family="StableDiffusionXL")
    seconds = model_check.seconds_on(plan, [model], card)
    assert seconds == {entry.name: pytest.approx(entry.samples * 2.0 * (30 / 60) / 4)}
    assert estimate.forecast(plan, seconds).seconds == pytest.approx(seconds[entry.name], abs=0.1)


@pytest.mark.parametrize("guidance_scale", [1.0, 3.5])
def test_a_model_that_learned_guidance_is_passed_once_a_step(
    guidance_scale: float, make_plan: Callable[..., Any]
) -> None:
    """FLUX.1-schnell takes four passes in four steps, and so does Flux with guidance."""
    settings = {"height": 1024, "width": 1024, "num_inference_steps": 4, "guidance_scale": guidance_scale}
    plan = make_plan(generate=[{"strategy": "text2img", "per_cell": 1, "settings": settings}])
    (entry,) = plan.entries.values()
    flux = ARCHITECTURES["flux"]
    assert flux.passes == flux.steps
    card = price.CardRates("a card", (price.CardRate("Flux", flux.weights, 1024**2, flux.passes, 2.0),))
    footprint = model_check.Footprint(flux.weights, 1, 1, 1024**2)
    used_by = (f"generate.{entry.name}",)
    model = model_check.ModelReport("m", used_by, footprint=footprint, family="Flux", distilled=True)
    seconds = model_check.seconds_on(plan, [model], card)
    assert seconds == {entry.name: pytest.approx(entry.samples * 0.5 * 4 / flux.steps)}


def test_a_larger_model_of_the_same_family_is_not_taken_for_the_one_that_was_timed() -> None:
    """SD3.5 large has four times the weights of SD3 medium."""
    card = price.CardRates("a card", (price.CardRate(**SDXL),))
    assert card.of("StableDiffusionXL", 7 * 10**9) is not None
    assert card.of("StableDiffusionXL", 20 * 10**9) is None
    assert card.of("Flux", 5 * 10**9) is None


def test_a_report_holds_the_fastest_rate_of_each_architecture(tmp_path: Path) -> None:
    """What `doctor --benchmark` writes is what `plan` reads."""
    said = f"images/s at {ARCHITECTURES['sdxl'].steps} steps"
    figures = [{"name": f"SDXL: batch {batch}: {said}", "value": 0.1 * batch, "unit": "images/s"} for batch in (1, 8)]
    step = StepResult("J", "throughput", 1.0, figures=tuple(figures))
    _, path = report.write([step], tmp_path, device="cuda (H)", reduced=False)
    (rate,) = price.read_rates(path).rates
    assert (rate.family, rate.pixels, rate.images_per_second) == ("StableDiffusionXL", 1024**2, 0.8)
    _, path = report.write([step], tmp_path, device="cpu", reduced=True)
    with pytest.raises(InputError, match="reduced networks"):
        price.read_rates(path)


def test_few_images_do_not_take_the_place_of_many(
    make_plan: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of six images, of which loading is most, says nothing of one of thousands that was measured before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    plan = make_plan()
    (entry,) = plan.entries.values()
    taken = []
    for images, seconds in ((6, 60.0), (400, 40.0), (6, 60.0), (240, 12.0)):
        throughput.note(entry.recipe, "png", images=images, seconds=seconds, stored=images)
        taken.append((throughput.images(entry.recipe, "png"), throughput.seconds(entry.recipe, "png", 10)))
    assert taken == [(6, 100.0), (400, pytest.approx(1.0)), (400, pytest.approx(1.0)), (240, pytest.approx(0.5))]
    assert estimate.forecast(plan).measured == 240


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"reduced": false, "device": "d", "rates": [1]}', "\udcff",
        json.dumps({"reduced": False, "device": "d", "rates": [SDXL | {"pixels": 0}]}),
        '{"reduced": false, "device": "d", "rates": [{"weights": 1e999}]}',
    ],
)  # fmt: skip
def test_a_file_that_is_no_report_is_refused_in_a_line(content: str, tmp_path: Path) -> None:
    """Whatever it is."""
    path = tmp_path / "gpu-report.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"gpu-report\.json"):
        price.read_rates(path)
