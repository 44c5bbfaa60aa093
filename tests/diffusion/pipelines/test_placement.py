"""What --memory does to a loaded model, and where it is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.core import devices
from synthgen.core.devices import Device, DeviceRequest, Environment
from synthgen.diffusion import pipelines
from synthgen.diffusion.pipelines import Pipeline
from synthgen.diffusion.pipelines.placement import place
from synthgen.errors import PlanMismatchError, UnavailableError
from synthgen.runs import run_folder

CARD = Device("cuda", "a card", 24 << 30, bf16=True, threads=1, xformers=False)
GUIDED = {"num_inference_steps": 2, "guidance_scale": 3.0, "height": 32, "width": 32}


def decided(device: Device, memory: str | None) -> Environment:
    """What is decided for a device that was asked to hold a model so."""
    return devices.decide(device, DeviceRequest(memory=memory), pixels=1, shard_samples=4, model_revision="")


def test_where_it_cannot_be_had_it_is_refused() -> None:
    """A CPU has nothing to offload to, and mps has no fp8; what runs had before there was a choice is not written."""
    assert [decided(CARD, asked).memory for asked in (None, "fit", "offload", "fp8")] == ["", "", "offload", "fp8"]
    assert "memory" not in decided(CARD, "fit").to_dict()
    with pytest.raises(UnavailableError, match=r"^--memory offload: .* this is cpu"):
        decided(replace(CARD, kind="cpu"), "offload")
    with pytest.raises(UnavailableError, match=r"^--memory fp8: "):
        decided(replace(CARD, kind="mps"), "fp8")


@pytest.mark.parametrize(
    ("pinned", "asked", "goes_on_as"),
    [("", None, None), ("", "offload", "offload"), ("offload", "fit", "fit"), ("offload", None, "offload"),
     ("fp8", None, "fp8"), ("fp8", "fp8", "fp8"), ("fp8", "fit", "!"), ("fp8", "offload", "!"), ("", "fp8", "!")],
)  # fmt: skip
def test_a_run_keeps_what_decides_its_bytes(pinned: Any, asked: str | None, goes_on_as: str | None) -> None:
    """Weights in fp8 stay so; where they lie may change from one start to the next."""
    pin = replace(decided(CARD, None), memory=pinned)
    if goes_on_as == "!":
        with pytest.raises(PlanMismatchError, match=r"^--memory "):
            run_folder.apply_pin(pin, DeviceRequest(memory=asked))
    else:
        assert run_folder.apply_pin(pin, DeviceRequest(memory=asked)).memory == goes_on_as


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sd", "flux"])
def test_offloaded_layers_draw_the_same_and_fp8_nearly(
    family: str, tiny_model: Callable[[str], Path], make_plan: Callable[..., Any]
) -> None:
    """Layer by layer no bit changes; in fp8 weights take a byte each, and images are near, and finite."""
    import torch

    own = {"scheduler": "default"} if family == "flux" else {}
    entry = {"name": "a", "strategy": "text2img", "per_cell": 1, "settings": GUIDED | own}
    plan = make_plan(model=str(tiny_model(family)), labels={"melanoma": "melanoma"}, generate=[entry])
    recipe, samples = plan.entries["a"].recipe, [plan.entries["a"].sample(0), plan.entries["a"].sample(1)]
    drawn = {}
    for memory in ("", "offload", "fp8"):
        pipe = pipelines.load_diffusers("text2img", recipe.model, "", "float32")
        place(pipe, "cpu", memory)  # type: ignore[arg-type]
        made = Pipeline(pipe, "float32", memory=memory, redo_alone=True)  # type: ignore[arg-type]
        drawn[memory] = made.text2img(samples)
        assert np.array_equal(made.text2img(samples, precise=True).finite, drawn[memory].finite)
    held = {value.dtype for name, value in pipelines.denoiser(pipe).named_parameters() if "attn" in name}
    assert torch.float8_e4m3fn in held
    assert np.array_equal(drawn["offload"].pixels, drawn[""].pixels)
    assert drawn["fp8"].finite.all()
    far = np.abs(drawn["fp8"].pixels.astype(int) - drawn[""].pixels.astype(int))
    assert 0 < far.mean() < 32
