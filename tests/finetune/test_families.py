"""Every family is tuned, for inpainting too, and what comes of it makes images by the commands' own way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from synthgen import finetune, generate
from synthgen.core.devices import DeviceRequest
from synthgen.errors import ManifestError
from synthgen.extensions import EXTENSIONS
from synthgen.runs import load_plan, tar_samples

pytestmark = pytest.mark.slow

FEW = {
    "max_train_steps": 2, "train_batch_size": 2, "variants": 2, "num_validation_images": 0, "resolution": 32,
    "learning_rate": 0.01, "with_prior_preservation": True, "class_prompts": ["An image of melanoma"],
    "num_class_images": 2,
}  # fmt: skip
WAYS = [
    ("sd", "text2img", "text2img", "lora"), ("sd", "inpaint", "inpaint", "lora"),
    ("sd", "text2img", "outpaint", "full"),
    ("sd-inpainting", "inpaint", "inpaint", "lora"), ("sd-inpainting", "inpaint", "outpaint", "full"),
    ("sdxl", "text2img", "img2img", "lora"), ("sd3", "text2img", "text2img", "lora"),
    ("sd3", "inpaint", "inpaint", "full"), ("flux", "text2img", "text2img", "lora"),
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids="-".join)
def test_a_family_is_tuned_and_generates(
    way: tuple[str, str, str, str], tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """A few steps are made, and images with what comes of them, each record naming the adapter."""
    family, tuned_for, strategy, method = way
    settings: dict[str, Any] = {"num_inference_steps": 2, "height": 32, "width": 32}
    if family in ("sd3", "flux"):
        settings["scheduler"] = "default"
    precision = {"mixed_precision": "no"} if family == "flux" else {}  # its norms warn of bf16 on a CPU
    prior = {} if family != "sd-inpainting" else {"with_prior_preservation": False}
    start = {"per_cell": 1} if strategy == "text2img" else {"per_source": 1}
    document = {
        "name": "tiny", "seed": 3, "model": str(tiny_model(family)), "prompts": "sagers2023",
        "labels": {"melanoma": "melanoma"}, "skin_tones": {"scale": "fitzpatrick", "values": [2]},
        "real": {"source": "phantom", "count": 2, "splits": {"train": 1.0}},
        "finetune": [{"name": "tuned", "method": method, "strategy": tuned_for, "settings": FEW | prior | precision}],
        "generate": [{"name": "made", "strategy": strategy, "adapter": "tuned", "settings": settings, **start}],
    }  # fmt: skip
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    plan, root = load_plan.read(path, EXTENSIONS, tmp_path / "run"), tmp_path / "run"
    *steps, _ = finetune.finetune(finetune.prepare(plan, root), "cpu")
    assert sum(len(step.losses) for step in steps) == 2
    job = generate.prepare(plan, root)
    assert [receipt.failed for receipt in generate.generate(job, DeviceRequest("cpu", "fp32"))] == [0]
    [name] = plan.adapters
    assert {json.loads(one.files["json"])["adapter"] for one in tar_samples.read(root / "made" / "00000.tar")} == {name}


@pytest.mark.parametrize(
    ("family", "changes", "fault"),
    [
        ("sdxl", {"method": "textual-inversion"}, r"finetune\[0\].method: can't tune a StableDiffusionXLPipeline"),
        ("sd-inpainting", {"method": "lora"}, r"finetune\[0\].model: .* is for inpainting"),
        (
            "sd",
            {"method": "lora", "settings": {"resolution": 30}},
            r"finetune\[0\].settings.resolution: must be a mult",
        ),
    ],
)
def test_what_a_family_can_not_do_is_refused_at_once(
    family: str, changes: dict[str, Any], fault: str, tiny_model: Callable[[str], Path], make_plan: Callable[..., Any]
) -> None:
    """A method, a strategy or a size that the model can't have is a fault of the manifest."""
    with pytest.raises(ManifestError, match=fault):
        make_plan(
            model=str(tiny_model(family)),
            real={"source": "phantom", "count": 4},
            finetune=[{"name": "tuned", **changes}],
        )


def test_an_adapter_for_few_steps_is_sampled_by_its_scheduler(
    tuned: Path, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """As LCM, Turbo and Lightning adapters are: a LoRA from a folder, four steps without guidance; another picture."""
    digests = []
    for adapter in ({"adapter": str(tuned / "adapters/lora-melanoma")}, {}):
        settings = {"scheduler": "lcm", "num_inference_steps": 4, "guidance_scale": 1.0, "height": 32, "width": 32}
        document = {
            "name": "few", "seed": 3, "model": str(tiny_model("sd")), "prompts": "sagers2023",
            "labels": {"melanoma": "melanoma"}, "skin_tones": {"scale": "fitzpatrick", "values": [2]},
            "generate": [{"name": "made", "strategy": "text2img", "per_cell": 2, "settings": settings, **adapter}],
        }  # fmt: skip
        path, root = tmp_path / "manifest.yaml", tmp_path / f"run-{len(digests)}"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        job = generate.prepare(load_plan.read(path, EXTENSIONS, root), root)
        assert [receipt.failed for receipt in generate.generate(job, DeviceRequest("cpu", "fp32"))] == [0]
        records = [json.loads(one.files["json"]) for one in tar_samples.read(root / "made" / "00000.tar")]
        assert {(one["scheduler"], one["num_inference_steps"]) for one in records} == {("lcm", 4)}
        digests.append([one["image_sha256"] for one in records])
    assert digests[0] != digests[1]
