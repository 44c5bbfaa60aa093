"""Each supported model family really runs, on tiny models with random weights that the tests build themselves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import generate
from synthgen.core.devices import DeviceRequest
from synthgen.errors import ManifestError, UnavailableError
from synthgen.extensions import EXTENSIONS
from synthgen.runs import load_plan, tar_samples
from synthgen.vision.images import codec

pytestmark = pytest.mark.slow

SETTINGS = {"num_inference_steps": 2, "guidance_scale": 3.0, "height": 32, "width": 32}
FLOWS = ("sd3", "flux")
STRATEGIES = ["text2img", "img2img", "inpaint", "outpaint"]
SUPPORTED = [(name, strategy) for name in ("sd", "sdxl", *FLOWS) for strategy in STRATEGIES]
SUPPORTED += [("sd-inpainting", "inpaint"), ("sd-inpainting", "outpaint")]


@pytest.mark.parametrize(("family", "strategy"), SUPPORTED)
def test_a_family_generates(
    family: str, strategy: str, tiny_model: Callable[[str], Path], write_manifest: Callable[..., Path], tmp_path: Path
) -> None:
    """A model of the family makes images of the size asked for, the same in another batch to 40 dB."""
    start = {"total": 4} if strategy == "text2img" else {"per_source": 1}
    scheduler = {"scheduler": "default"} if family in FLOWS else {}
    path = write_manifest(
        labels={"melanoma": "melanoma"},
        skin_tones={"scale": "fitzpatrick", "values": [1, 2, 3, 4, 5, 6]},
        model=str(tiny_model(family)),
        real={"source": "phantom", "count": 6, "splits": {"train": 1.0}},
        generate=[{"strategy": strategy, "settings": SETTINGS | scheduler, **start}],
        output={"image_format": "png", "shard_samples": 4},
    )
    for batch_size in (4, 1):
        plan = load_plan.read(path, EXTENSIONS, tmp_path / str(batch_size))
        job = generate.prepare(plan, tmp_path / str(batch_size), generate.Selection(limit=4))
        list(generate.generate(job, DeviceRequest("cpu", "fp32", batch_size=batch_size)))
    for four, one in zip(*(tar_samples.read(tmp_path / size / strategy / "00000.tar") for size in "41"), strict=True):
        first, second = codec.decode(four.image), codec.decode(one.image)
        assert first.shape == (32, 32, 3)
        assert codec.psnr(first, second) >= 40


@pytest.mark.parametrize("strategy", ["text2img", "img2img"])
def test_a_model_for_inpainting_is_refused_for_other_tasks(
    strategy: str, tiny_model: Callable[[str], Path], make_plan: Callable[..., Any]
) -> None:
    """A UNet that reads a mask can't do without one; that is said when the manifest is read."""
    start = {"per_cell": 1} if strategy == "text2img" else {"per_source": 1}
    with pytest.raises(ManifestError, match=rf"generate\[0\].*model: .*\b9\b.*{strategy}.*\b4\b"):
        make_plan(
            model=str(tiny_model("sd-inpainting")),
            real={"source": "phantom", "count": 6},
            generate=[{"strategy": strategy, "settings": SETTINGS, **start}],
        )


@pytest.mark.parametrize("family", FLOWS)
def test_a_flow_is_refused_a_scheduler_of_betas(
    family: str, tiny_model: Callable[[str], Path], make_plan: Callable[..., Any]
) -> None:
    """A model that matches a flow is sampled by its own scheduler alone; another is refused when it is asked for."""
    with pytest.raises(ManifestError, match=r"settings\.scheduler: .*`default`"):
        make_plan(
            model=str(tiny_model(family)), generate=[{"strategy": "text2img", "per_cell": 1, "settings": SETTINGS}]
        )


def test_a_hub_model_that_is_not_there_is_said(
    make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """Offline, a Hub id that was never downloaded is one line that says what to do."""
    plan = make_plan(model="org/never", generate=[{"strategy": "text2img", "per_cell": 1, "settings": SETTINGS}])
    with pytest.raises(UnavailableError, match=r"^model org/never: "):
        make_images(plan, tmp_path / "run")
