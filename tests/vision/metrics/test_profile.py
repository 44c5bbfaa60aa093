"""Generated images and the yardstick are measured on equally many."""

import numpy as np

from synthgen.vision.metrics import MEASURES, compare

RNG = np.random.default_rng(0)
REFERENCES = RNG.normal(size=(80, 4))


def test_the_larger_set_is_cut_to_draws_of_the_smaller_one() -> None:
    """A hundred generated images beside thirty real ones are three draws of thirty, whose spread is known."""
    generated, real = compare(RNG.normal(size=(100, 4)), RNG.normal(size=(30, 4)), REFERENCES)
    assert [(one.n, one.draws, one.references) for one in (generated, real)] == [(30, 3, 80), (30, 1, 80)]
    assert generated.measures["frechet"].standard_error > 0
    assert np.isnan(real.measures["frechet"].standard_error)
    assert set(real.measures) == set(MEASURES)


def test_without_a_yardstick_all_generated_images_are_one_draw() -> None:
    """What can't be held against a yardstick is measured all the same, and the yardstick says that it has no images."""
    generated, real = compare(RNG.normal(size=(50, 4)), np.empty((0, 4)), REFERENCES)
    assert (generated.n, generated.draws, real.draws) == (50, 1, 0)
    assert real.measures["kid"].note == "no images"


def test_a_yardstick_too_small_to_be_measured_cuts_nothing_down() -> None:
    """Beside nineteen real images all fifty generated ones are measured, and the yardstick says that it is too few."""
    generated, real = compare(RNG.normal(size=(50, 4)), RNG.normal(size=(19, 4)), REFERENCES)
    assert (generated.n, real.n) == (50, 19)
    assert np.isfinite(generated.measures["kid"].value)
    assert "has 19" in real.measures["kid"].note


def test_without_references_the_vendi_score_is_left() -> None:
    """A run without real images gets what needs none, and a reason for each other measure."""
    generated, _ = compare(RNG.normal(size=(50, 4)), np.empty((0, 4)), np.empty((0, 4)))
    valued = [name for name in MEASURES if np.isfinite(generated.measures[name].value)]
    assert valued == ["vendi"]
    assert all(generated.measures[name].note for name in MEASURES if name not in valued)


def test_no_images_at_all_are_no_fault() -> None:
    """An empty group has reasons and no values."""
    generated, _ = compare(np.empty((0, 4)), REFERENCES[:30], REFERENCES)
    assert all(one.note == "no images" for one in generated.measures.values())
