"""Precision, recall, density and coverage are what hand and brute force say."""

import numpy as np
import pytest

from synthgen.vision.metrics.manifold import density_coverage, inside, precision_recall
from synthgen.vision.metrics.neighbours import Cloud, nearest

RNG = np.random.default_rng(0)
LINE = np.arange(20.0)[:, None]  # 20 images a step apart


def test_radii_are_distances_to_neighbours_and_leave_the_image_itself_out() -> None:
    """On a line the third neighbour of an end is three steps away, of a middle one two."""
    assert Cloud(LINE).radii(3)[[0, 10]].tolist() == [9, 4]


def test_blocks_give_the_distances_of_brute_force() -> None:
    """However few pairs are held at a time, the nearest is the nearest."""
    queries, references = RNG.normal(size=(31, 5)), RNG.normal(size=(23, 5))
    distances, rows = nearest(queries, references, pairs=50)
    brute = np.linalg.norm(queries[:, None] - references, axis=2)
    np.testing.assert_allclose(distances, brute.min(1))
    assert rows.tolist() == brute.argmin(1).tolist()


def test_membership_is_counted_by_hand() -> None:
    """A ball about an end of the line reaches three steps out, and its surface is in it."""
    outside = np.array([[-3.0], [-3.5], [22.0], [10.25]])
    assert inside(outside, Cloud(LINE)) == 3 / 4


def test_equal_sets_have_all_of_one_another() -> None:
    """Precision, recall and coverage of a set against itself shuffled are 1, and no less for the order."""
    references = RNG.normal(size=(60, 4))
    shuffled = Cloud(RNG.permutation(references))
    found = [one.value for one in precision_recall(shuffled, Cloud(references))]
    assert [*found, density_coverage(shuffled, Cloud(references))[1].value] == [1, 1, 1]


def test_a_set_against_itself_has_a_density_of_one() -> None:
    """Each ball holds its own image and the four that are nearer than its surface, as in the paper's code."""
    references = RNG.normal(size=(60, 4))
    for generated in (references, RNG.permutation(references)):
        density, coverage = density_coverage(Cloud(generated), Cloud(references))
        assert (density.value, coverage.value) == (pytest.approx(1), 1)


def test_disjoint_sets_have_nothing_of_one_another() -> None:
    """Sets far apart have 0 of everything."""
    near, far = Cloud(RNG.normal(size=(40, 4))), Cloud(RNG.normal(100, 1, (40, 4)))
    assert [one.value for one in (*precision_recall(far, near), *density_coverage(far, near))] == [0, 0, 0, 0]


def test_one_mode_of_two_is_precise_but_recalls_half() -> None:
    """Dropping a mode shows in recall and coverage alone."""
    modes = RNG.normal(size=(200, 3)) + np.repeat([[0], [50]], 100, 0)
    generated = Cloud(RNG.normal(size=(100, 3)))
    precision, recall = precision_recall(generated, Cloud(modes))
    assert precision.value > 0.7
    assert recall.value <= 0.5
    assert density_coverage(generated, Cloud(modes))[1].value <= 0.5


def test_density_and_coverage_of_one_distribution_are_as_the_paper_expects() -> None:
    """Of as many images of the same distribution, density is about 1 and coverage about 1 - 2^-5."""
    density, coverage = density_coverage(Cloud(RNG.normal(size=(800, 3))), Cloud(RNG.normal(size=(800, 3))))
    assert density.value == pytest.approx(1, abs=0.1)
    assert coverage.value == pytest.approx(1 - 2**-5, abs=0.03)


def test_too_few_images_give_reasons() -> None:
    """Nineteen images on a side are not measured."""
    few = Cloud(LINE[:19])
    assert all("needs 20" in one.note for one in (*precision_recall(few, Cloud(LINE)), *density_coverage(few, few)))
