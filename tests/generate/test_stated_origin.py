"""Images say of themselves what the manifest asks for, and the digest of a plan that asks for nothing stays."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from synthgen.generate import stated_origin
from synthgen.plan.manifest import Output
from synthgen.runs import tar_samples


def stated(sample: Any, iptc: str) -> tuple[str, str, str]:
    """Model, version and prompt as the image will say them."""
    output = Output(iptc=iptc)  # type: ignore[arg-type]
    found = stated_origin.made_by(sample, output, "abc", {"accelerate": "def"})
    return found.system, found.version, found.prompt


def test_a_manifest_chooses_what_is_said(make_plan: Callable[..., Any]) -> None:
    """The source type alone, the model with its revision, or the prompt too."""
    settings = {"height": 64, "width": 64, "num_inference_steps": 2, "guidance_scale": 1.0, "scheduler": "ddim"}
    entry = {"name": "text", "strategy": "text2img", "per_cell": 1, "settings": settings}
    sample = make_plan(model="phantom", generate=[entry]).entries["text"].sample(0)
    assert stated(sample, "source-type") == ("", "", "")
    assert stated(sample, "system") == ("phantom", "abc", "")
    assert stated(sample, "prompt") == ("phantom", "abc", sample.prompt)


def test_a_few_step_adapter_is_named_beside_the_model(make_plan: Callable[..., Any]) -> None:
    """Both made the image, each of its own revision."""
    settings = {"height": 64, "width": 64}
    entry = {"strategy": "text2img", "per_cell": 1, "settings": settings, "accelerate": "phantom-lcm"}
    plan = make_plan(model="phantom", generate=[entry])
    assert stated(next(iter(plan.entries.values())).sample(0), "system") == (
        "phantom with phantom-lcm",
        "abc with def",
        "",
    )


def test_what_no_model_made_names_none(make_plan: Callable[..., Any]) -> None:
    """A strategy that has no use for a model says none, whatever the manifest's model is."""
    assert stated(make_plan().entries["fake"].sample(0), "prompt") == ("", "", "")


def test_only_who_asks_for_it_gets_another_digest(make_plan: Callable[..., Any]) -> None:
    """A key that earlier versions do not know enters a digest where it is used, so that old runs go on."""
    plain, said, asked = make_plan(), make_plan(output={"iptc": "source-type"}), make_plan(output={"iptc": "system"})
    digests = [plan.entries["fake"].digest for plan in (plain, said, asked)]
    assert digests[1] == make_plan(output={}).entries["fake"].digest
    assert digests[1] != digests[2]


@pytest.mark.parametrize("iptc", ["source-type", "prompt"])
def test_an_image_of_a_run_carries_it(
    iptc: str, make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path: Path, monkeypatch: Any
) -> None:
    """The prompt in a file is that of its record; by itself it is not there."""
    from synthgen.diffusion.strategies.fake import Settings

    monkeypatch.setattr(Settings, "uses_model", True)
    make_images(make_plan(output={"iptc": iptc}), tmp_path / "run")
    sample = next(tar_samples.read(next((tmp_path / "run").rglob("*.tar"))))
    (extension,) = sample.files.keys() - tar_samples.SIDECARS
    with Image.open(io.BytesIO(sample.files[extension])) as image:
        said = image.getxmp()["xmpmeta"]["RDF"]["Description"].get("AIPromptInformation", "")
    assert said == (json.loads(sample.files["json"])["prompt"] if iptc == "prompt" else "")
