"""Scorers measure what they say, on phantoms whose truth is known."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFilter

from synthgen.curate.scorers import Batch, Context, module, skin_tone
from synthgen.errors import UnavailableError
from synthgen.phantom.render import Phantoms, render
from synthgen.vision.near_duplicates import CHANCE, THRESHOLD

Scores = Callable[..., dict[str, Any]]
Batches = Callable[..., Batch]
Contexts = Callable[..., Context]
LABELS = ("psoriasis", "vitiligo", "healthy")


def phantoms(count: int, seed: int, site: str = "b") -> Phantoms:
    """Phantoms of each label in turn, on each type in turn."""
    return render([LABELS[n % 3] for n in range(count)], [n // 3 % 6 + 1 for n in range(count)], site=site, seed=seed)


def test_a_copy_of_a_training_image_is_near_it(batch_of: Batches, context_of: Contexts, scores: Scores) -> None:
    """Mirrored copies of real images are found, by id and by split; other images are not."""
    real = phantoms(18, 1)
    copies = replace(phantoms(18, 2), images=real.images[:, :, ::-1])
    context = context_of(real)
    found = scores("near_copy", batch_of(copies), context, others=False)
    assert (found["similarity"] > THRESHOLD).all()
    assert found["id"] == [f"real-{n}" for n in range(18)]
    assert found["test_id"][4] == "real-4"
    assert found["train_similarity"][4] < THRESHOLD < found["test_similarity"][4]
    others = scores("near_copy", batch_of(phantoms(18, 3)), context, others=False)
    assert (others["similarity"] < THRESHOLD).all()
    assert (others["other_similarity"] == 0).all()


def test_the_own_source_is_told_apart(batch_of: Batches, context_of: Contexts, scores: Scores) -> None:
    """An image made from a real one is near that one, and that alone does not make it a copy."""
    real = phantoms(6, 1)
    found = scores("near_copy", batch_of(real, source_id="real-0"), context_of(real), others=False)
    assert found["source_similarity"][0] == pytest.approx(1, abs=1e-4)
    assert found["train_similarity"][0] < THRESHOLD
    assert found["train_similarity"][2] == pytest.approx(1, abs=1e-4)


def test_copies_are_less_likely_than_chance(batch_of: Batches, context_of: Contexts, scores: Scores) -> None:
    """Turned copies name their original; what was drawn apart is as likely as not; the own source does not count."""
    real = phantoms(18, 1)
    context, turned = context_of(real), replace(phantoms(18, 2), images=np.rot90(real.images, axes=(1, 2)).copy())
    found = scores("copy", batch_of(turned), context)
    assert (np.asarray(found["chance"]) <= CHANCE).all()
    assert found["id"] == [f"real-{n}" for n in range(18)]
    lower = np.minimum(found["train_chance"], found["test_chance"])
    assert np.allclose(found["chance"], np.minimum(1, 2 * lower)), "of two that either may be by chance"
    assert found["train_chance"][4] > CHANCE >= found["test_chance"][4]
    assert (np.asarray(scores("copy", batch_of(phantoms(18, 3)), context)["chance"]) > CHANCE).sum() >= 17
    own = scores("copy", batch_of(real, source_id="real-0"), context)
    assert (own["train_chance"][0] > CHANCE, own["train_chance"][2] > CHANCE) == (True, False)
    without = scores("copy", batch_of(real), context_of())
    assert (without["id"], np.asarray(without["chance"]).min()) == ([""] * 18, 1)


def test_twins_within_a_run_are_found(batch_of: Batches, context_of: Contexts, scores: Scores) -> None:
    """Two images of a run that are the same name each other, and none names itself."""
    drawn = phantoms(6, 1)
    drawn.images[3] = drawn.images[0]
    batch = batch_of(drawn)
    found = scores("near_copy", batch, context_of(batches=[batch]))
    assert found["other_key"][0] == "text-3"
    assert found["other_key"][3] == "text-0"
    assert (found["other_similarity"] > THRESHOLD).tolist() == [True, False, False, True, False, False]
    assert found["id"] == [""] * 6


def test_skin_tone_is_near_the_truth(batch_of: Batches, context_of: Contexts, scores: Scores) -> None:
    """On phantoms of both sites the angle is near the unlit skin's, where light is good, and ranks as it everywhere."""
    for site, degrees in (("a", 10), ("b", 20)):
        drawn = phantoms(36, 4, site)
        found = scores("skin_tone", batch_of(drawn), context_of())
        assert np.median(np.abs(found["ita"] - drawn.ita)) < degrees
        assert np.corrcoef(found["ita"], drawn.ita)[0, 1] > 0.9
        assert (found["skin_share"] > 0.3).all()


def test_a_wrong_tone_is_far_from_the_one_asked_for(batch_of: Batches, context_of: Contexts, scores: Scores) -> None:
    """Light skin where dark was asked for is farther off than light skin where light was."""
    drawn = phantoms(36, 4)
    right = scores("skin_tone", batch_of(drawn), context_of())["distance"]
    wrong = scores("skin_tone", batch_of(replace(drawn, tones=7 - drawn.tones)), context_of())["distance"]
    assert np.median(wrong) > np.median(right) + 20


def test_real_images_calibrate_the_camera(batch_of: Batches, context_of: Contexts, scores: Scores) -> None:
    """Calibrated by real images of the same camera, angles are nearer to the truth; without such it is refused."""
    drawn = phantoms(36, 4)
    plain = scores("skin_tone", batch_of(drawn), context_of())
    shifted = scores("skin_tone", batch_of(drawn), context_of(phantoms(72, 1)), calibrate=True)
    errors = [np.median(np.abs(found["ita"] - drawn.ita)) for found in (plain, shifted)]
    assert errors[1] < errors[0] / 2
    with pytest.raises(UnavailableError, match=r"^curate\.scorers\.skin_tone\.calibrate: 0 "):
        module("skin_tone").open_scorer(module("skin_tone").Settings(calibrate=True), context_of())


@pytest.mark.parametrize(
    ("scale", "tone", "angles"),
    [
        ("fitzpatrick", "I", (55, 90)),
        ("fitzpatrick", "VI", (-90, -30)),
        ("fitzpatrick-groups", "34", (10, 41)),
        ("monk", "3", None),
        ("fitzpatrick", "unknown", None),
    ],
)
def test_a_tone_has_a_range(scale: str, tone: str, angles: tuple[float, float] | None) -> None:
    """The table gives each Fitzpatrick type, and pair of types, a range of angles; other scales have none."""
    assert skin_tone.angles_of_tone(scale, tone) == angles


def broken(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Images that are black, flat, blurred, out of a poor JPEG's blocks, green, and white, in turn."""
    found = images.copy()
    found[0] //= 30
    found[1] = 120
    found[2] = np.asarray(Image.fromarray(images[2]).filter(ImageFilter.GaussianBlur(3)))
    found[3] = (
        images[3]
        .reshape(8, 8, 8, 8, 3)
        .mean((1, 3), keepdims=True)
        .astype(np.uint8)
        .repeat(8, 1)
        .repeat(8, 3)
        .reshape(64, 64, 3)
    )
    found[4, ..., 0] //= 3
    found[5] = np.clip(found[5].astype(int) + 150, 0, 255)
    return found


def test_broken_images_are_outside_the_range_of_real_ones(
    batch_of: Batches, context_of: Contexts, scores: Scores
) -> None:
    """Each kind of broken image has a fault, and whole ones all but none, with real images or without."""
    real, drawn = phantoms(72, 1), phantoms(36, 2)
    spoilt = replace(phantoms(6, 3), images=broken(phantoms(6, 3).images))
    whole = scores("quality", batch_of(drawn), context_of(real))["faults"]
    assert (whole > 0).mean() <= 0.06
    found = scores("quality", batch_of(spoilt), context_of(real))
    assert (found["faults"] > 0).all(), found["fault"]
    assert "sharpness low" in found["fault"][2]
    alone = scores("quality", batch_of(spoilt), context_of())["faults"]
    assert (alone[[0, 1]] > 0).all()
    assert (scores("quality", batch_of(drawn), context_of())["faults"] == 0).all()


def test_what_is_no_skin_is_out_of_the_domain(batch_of: Batches, context_of: Contexts, scores: Scores) -> None:
    """Checks and noise lie far beyond what real images keep within; skin does not."""
    context = context_of(phantoms(72, 1))
    skin = scores("domain", batch_of(phantoms(24, 2)), context)["distance"]
    checks = (np.indices((64, 64)).sum(0) // 8 % 2 * 255).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    strange = np.stack([np.repeat(each[..., None], 3, 2) for each in (checks, noise)])
    far = scores("domain", batch_of(replace(phantoms(2, 3), images=strange)), context)["distance"]
    assert (skin < 1.5).mean() > 0.95
    assert far.min() > 1.5 * np.median(skin)


def test_the_ensemble_sees_the_label_that_was_drawn(batch_of: Batches, context_of: Contexts, scores: Scores) -> None:
    """Right labels are more probable than wrong ones, and margin and agreement say so too."""
    drawn = phantoms(36, 2)
    right = batch_of(drawn)
    turned = batch_of(replace(drawn, labels=tuple(LABELS[(n + 1) % 3] for n in range(36))))
    settings = {"members": 2, "optimizer_steps": 60}
    context = context_of(phantoms(108, 1), [right])
    good, bad = (scores("agreement", each, context, **settings) for each in (right, turned))
    assert good["probability"].mean() > bad["probability"].mean() + 0.3
    assert good["margin"].mean() > 0 > bad["margin"].mean()
    assert good["agree"].mean() > bad["agree"].mean()
    assert set(good["label"]) <= set(LABELS)


@pytest.mark.parametrize(("name", "lacking"), [("agreement", "healthy, psoriasis, vitiligo"), ("domain", "0 ")])
def test_a_scorer_that_needs_real_images_says_so(context_of: Contexts, name: str, lacking: str) -> None:
    """Without real images it can't be had, and the line says which lack and where to give them."""
    held = module(name)
    with pytest.raises(UnavailableError, match=rf"^curate\.scorers\.{name}: .*{lacking}.*`real:`"):
        held.open_scorer(held.Settings(), context_of())
