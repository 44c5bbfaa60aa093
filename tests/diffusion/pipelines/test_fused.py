"""A LoRA that is added to the model's own weights, and runs that were begun without."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.core.adapter_folder import LORA, Adapter
from synthgen.core.devices import DeviceRequest, Environment
from synthgen.core.model_folder import BUNDLED, describe
from synthgen.diffusion import pipelines, strategies
from synthgen.diffusion.pipelines import Pipeline
from synthgen.generate.loaded_entry import load_entry
from synthgen.plan.sample import Recipe
from synthgen.runs import run_folder, start_images

pytestmark = pytest.mark.slow

SETTINGS = {"num_inference_steps": 2, "guidance_scale": 1.5, "height": 64, "width": 64}


@pytest.fixture
def lora(tmp_path: Path) -> Adapter:
    """A LoRA of the bundled model, large enough to be seen."""
    import torch
    from peft import LoraConfig, get_peft_model_state_dict

    pipe = pipelines.load_diffusers("text2img", describe(BUNDLED, Path()), "", "float32")
    pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    generator = torch.Generator().manual_seed(0)
    for name, parameter in pipe.unet.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 0.4
    type(pipe).save_lora_weights(tmp_path / "tuned", get_peft_model_state_dict(pipe.unet), weight_name=LORA)
    return Adapter("tuned", "0" * 64, "lora", None, folder=tmp_path / "tuned")


def test_a_fused_lora_draws_what_one_beside_the_weights_draws(lora: Adapter, make_plan: Callable[..., Any]) -> None:
    """Equal within rounding, unlike the model alone; and no layer of the adapter is left beside the others."""
    import numpy as np

    plan = make_plan(
        labels={"melanoma": "melanoma"}, generate=[{"strategy": "text2img", "per_cell": 1, "settings": SETTINGS}]
    )
    samples, drawn = [plan.entries["text2img"].sample(0)], []
    for adapter, fused in ((None, False), (lora, False), (lora, True)):
        pipe = pipelines.load_diffusers("text2img", describe(BUNDLED, Path()), "", "float32", adapter, fused=fused)
        beside = any("lora_" in name for name, _ in pipe.unet.named_parameters())
        assert beside is (adapter is not None and not fused)
        drawn.append(Pipeline(pipe, "float32").text2img(samples).pixels.astype(int))
    alone, unfused, fused_ = drawn
    assert np.abs(fused_ - unfused).max() <= 1
    assert np.abs(fused_ - alone).max() > 8


def test_a_new_run_pins_that_its_lora_is_fused(lora: Adapter, make_plan: Callable[..., Any]) -> None:
    """An environment without an adapter is written as before, and one that was begun before is read as not fused."""
    plan = make_plan(generate=[{"strategy": "text2img", "per_cell": 1, "settings": SETTINGS}])
    plain: Recipe = plan.entries["text2img"].recipe
    tuned = Recipe(plain.entry, plain.strategy, plain.settings, plain.model, adapter=lora)
    before = strategies.environment(plain, DeviceRequest(), 48).to_dict()
    now = strategies.environment(tuned, DeviceRequest(), 48).to_dict()
    assert now.pop("fused") is True
    assert now["versions"].pop("peft")  # which adds it
    assert now == before
    assert not Environment(**before).fused


def test_a_run_that_was_begun_before_goes_on_unfused(
    lora: Adapter, make_plan: Callable[..., Any], tmp_path: Path
) -> None:
    """Its pin says nothing of it, so the LoRA stays beside the weights, as in the images that are made already."""
    assert lora.folder is not None
    entry = {"strategy": "text2img", "per_cell": 1, "settings": SETTINGS, "adapter": str(lora.folder)}
    plan, root = make_plan(generate=[entry]), tmp_path / "run"
    run_folder.reserve(root, plan)
    recipe = plan.entries["text2img"].sample(0).recipe
    begun = strategies.environment(recipe, DeviceRequest(), 48).to_dict()
    assert begun.pop("fused")
    run_folder.pin(root, "text2img", Environment(**begun))
    loaded = load_entry(
        plan.entries["text2img"],
        recipe,
        root=root,
        request=DeviceRequest(),
        output=plan.manifest.document.output,
        start_images=start_images.of_run(plan, root),
    )
    pipe = pipelines.load("text2img", recipe, loaded.environment).pipe
    assert any("lora_" in name for name, _ in pipe.unet.named_parameters())
    pipelines.release()
