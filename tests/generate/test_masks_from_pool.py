"""`mask: {from: pool}`: an image is painted in the mask of another real image, which its sample alone decides."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.core.devices import Environment
from synthgen.diffusion.maker import MadeImages
from synthgen.diffusion.strategies import inpaint
from synthgen.errors import InputError, ManifestError
from synthgen.extensions import EXTENSIONS
from synthgen.plan import Plan
from synthgen.plan.mask_pool import MaskPool
from synthgen.plan.real_index import Source
from synthgen.plan.sample import record
from synthgen.plan.source_names import Pseudonyms, SourceNames
from synthgen.real import indexing
from synthgen.runs import load_plan, start_images
from synthgen.vision.images import untrusted

LABELS = {"healthy": "healthy skin", "melanoma": "melanoma"}
ENTRY = {
    "name": "lesions", "strategy": "inpaint", "per_source": 2, "source_label": "healthy", "target_label": "melanoma",
    "settings": {"height": 32, "width": 32, "num_inference_steps": 2, "mask": {"from": "pool"}},
}  # fmt: skip
REAL = {"source": "phantom", "count": 16, "splits": {"train": 1.0}}


@pytest.fixture
def planned(write_manifest: Callable[..., Path], tmp_path: Path) -> Callable[..., Plan]:
    """Plans the entry above in a run's folder; keywords change the entry, or ``real`` the images."""

    def plan(real: dict[str, Any] = REAL, root: str = "run", **changes: Any) -> Plan:
        path = write_manifest(labels=LABELS, real=real, generate=[ENTRY | changes])
        return load_plan.read(path, EXTENSIONS, tmp_path / root)

    return plan


def sources(label: str, count: int) -> list[Source]:
    """Real images of a label, each with a mask."""
    return [Source(f"{label}-{n}", label, 1, f"g{n}", "train", "", "", f"{n}.png", mask=f"m{n}") for n in range(count)]


def test_lesions_are_painted_into_healthy_skin_in_masks_of_lesions(
    planned: Callable[..., Plan], tmp_path: Path
) -> None:
    """A sample starts from an image of one label and has the mask of an image of another, which is its label."""
    plan = planned()
    entry = plan.entries["lesions"]
    samples = [entry.sample(index) for index in range(entry.samples)]
    assert {one.source.label for one in samples if one.source} == {"healthy"}
    assert (
        {one.label for one in samples} == {one.mask_source.label for one in samples if one.mask_source} == {"melanoma"}
    )
    assert len({one.mask_source.id for one in samples if one.mask_source}) > 1
    found = start_images.of_run(plan, tmp_path / "run")
    found.fetch(samples)
    real = plan.manifest.real
    assert real
    read = indexing.open_masks(real.source, real.settings, plan.manifest.base, tmp_path / "run")
    for sample in samples:
        assert sample.mask_source
        wanted = untrusted.fit_mask(untrusted.open_mask(read(sample.mask_source)), 32, 32, "crop")
        assert wanted.any()
        assert np.array_equal(found(sample).mask, wanted)


def test_only_that_mask_is_painted(planned: Callable[..., Plan], tmp_path: Path, monkeypatch: Any) -> None:
    """Whatever a model makes of the whole image, what lies outside is the photograph's own."""
    plan = planned()
    samples = [plan.entries["lesions"].sample(index) for index in range(3)]
    found = start_images.of_run(plan, tmp_path / "run")
    found.fetch(samples)

    class Red:
        """A pipeline that paints everything."""

        def inpaint(self, _samples: Any, images: Any, masks: Any, *, precise: bool) -> MadeImages:
            assert np.array_equal(masks, [found(one).mask for one in samples])
            return MadeImages(np.full_like(images, (255, 0, 0)), np.full(len(images), not precise))

    monkeypatch.setattr(inpaint, "load", lambda *_: Red())
    environment = Environment("cpu", "cpu", "float32", "sdpa", 3, 1, "", {})
    made = inpaint.maker(samples[0].recipe, environment, found)(samples)
    assert made.faults == ("", "", "")
    for sample, pixels in zip(samples, made.pixels, strict=True):
        start = found(sample)
        assert np.array_equal(pixels, np.where(start.mask[..., None], np.uint8((255, 0, 0)), start.pixels))


def test_the_record_says_where_the_mask_is_from_and_names_nobody(planned: Callable[..., Plan]) -> None:
    """The image whose mask it is follows from manifest and index; its name is not in what is published."""
    sample = planned().entries["lesions"].sample(0)
    said = record(sample, image_sha256="", model_revision="", generator="")
    assert json.loads(said.mask) == {"from": "pool", "feather": 0.0}
    assert sample.mask_source
    assert sample.mask_source.id not in said.to_json().decode()


def test_a_dataset_of_pseudonyms_is_planned_with_its_masks(planned: Callable[..., Plan]) -> None:
    """It says of each real image that there was a mask, and nothing of where that is."""
    plan = planned()
    assert plan.index
    named = [replace(one, id=f"mrn-{one.id}", location=f"/p/{one.id}", mask="/p/m.png") for one in plan.index.sources]
    pseudonyms = Pseudonyms("00" * 16, SourceNames(frozenset(LABELS), len(named), len(named)))
    renamed = tuple(map(pseudonyms.source, [*named, replace(named[0], id="mrn-none", mask="")]))
    assert not any("mrn" in text or "/" in text for one in renamed for text in (one.id, one.location, one.mask))
    assert [bool(one.mask) for one in renamed] == [*([True] * len(named)), False]
    again = Plan(plan.manifest, replace(plan.index, sources=renamed[:-1]))
    assert again.entries["lesions"].samples == plan.entries["lesions"].samples


def test_the_images_whose_masks_are_drawn_decide_a_run(planned: Callable[..., Plan]) -> None:
    """Another mask in the pool is another plan."""
    one, other = planned(), planned(real=REAL | {"count": 18}, root="other")
    assert one.entries["lesions"].digest != other.entries["lesions"].digest


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settings": {"mask": {"from": "pool", "shape": "ellipse"}}}, "`shape` is not for `from: pool`"),
        ({"settings": {"mask": {"from": "pool", "fraction": 0.5}}}, "`fraction` is not for `from: pool`"),
        ({"settings": {"mask": {"from": "else"}}}, r"settings\.mask\.from"),
        ({"source_label": "melanom"}, "source_label: no such label; .*melanoma"),
    ],
)
def test_what_does_not_go_together_is_said(changes: dict[str, Any], said: str, planned: Callable[..., Plan]) -> None:
    """Where in the manifest, and what."""
    with pytest.raises(ManifestError, match=said):
        planned(**changes)


def test_real_images_without_masks_are_said(planned: Callable[..., Plan], tmp_path: Path) -> None:
    """Before anything is made."""
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "metadata.csv").write_text("image,label\na.png,healthy\n")
    with pytest.raises(ManifestError, match=r"settings\.mask\.from: `pool` needs .*real\.columns\.mask"):
        planned(real={"source": "folder", "path": str(folder), "columns": {"label": "label"}})


def test_a_label_without_masks_is_said(planned: Callable[..., Plan]) -> None:
    """Two images of it, one of which starts a sample, is not enough of a pool for that one."""
    real = {"source": "phantom", "count": 2, "splits": {"train": 1.0}}
    with pytest.raises(InputError, match=r"`lesions`: .*no mask of another image of `melanoma`"):
        planned(real=real, source_label="melanoma", target_label=None)


def test_a_mask_is_of_the_label_and_of_another_image() -> None:
    """Whatever the seed; each image's mask is drawn about as often as another's."""
    pool = MaskPool([*sources("mole", 5), *sources("scar", 2), replace(sources("mole", 9)[8], mask="")])
    start = sources("mole", 1)[0]
    drawn = [pool.draw("mole", seed, start).id for seed in range(400)]
    assert set(drawn) == {f"mole-{number}" for number in range(1, 5)}
    assert min(map(drawn.count, set(drawn))) > 40


def test_an_image_that_is_taken_out_changes_only_what_had_its_mask() -> None:
    """A patient who withdraws leaves everybody else's images as they are."""
    everyone = sources("mole", 8)
    whole, fewer = MaskPool(everyone), MaskPool(everyone[:3] + everyone[4:])
    for seed in range(200):
        before, after = whole.draw("mole", seed, None), fewer.draw("mole", seed, None)
        assert before == after or before.id == "mole-3"
