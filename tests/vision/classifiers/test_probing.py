"""A probe learns what features show, spends its budget to the step, and gives the same numbers again."""

from typing import Any

import numpy as np
import pytest

from synthgen.errors import InputError
from synthgen.vision.classifiers import FitResult, ProbeSettings, batches, probe

NONE = np.array([], np.int64)


def table(apart: float = 6.0, seed: int = 0, dim: int = 12) -> tuple[Any, Any]:
    """Features of 3 classes around centres so far apart, 100 rows a class."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(3), 100)
    centres = np.eye(3, dim) * apart
    return (rng.normal(size=(300, dim)) + centres[labels]).astype(np.float32), labels


def learned(features: Any, labels: Any, steps: int = 60, training: Any = None, **settings: Any) -> FitResult:
    """Trained on the first 60 rows, chosen on the next 60, answering for the rest."""
    rows = np.arange(60) if training is None else training
    drawn = batches(np.random.default_rng(1), rows, NONE, labels, batch_size=16, mix="union", steps=steps)
    held_out, asked = np.arange(60, 120), np.arange(120, 300)
    return probe(
        features, labels, drawn, validation=held_out, test=asked, settings=ProbeSettings(steps, **settings), classes=3
    )


def test_classes_that_features_tell_apart_are_learned() -> None:
    """Separated classes are named rightly, and the rows of probabilities sum to 1."""
    features, labels = table()
    found = learned(features, labels)
    assert (found.test.argmax(1) == labels[120:]).mean() > 0.93
    assert (found.validation.shape, found.test.shape) == ((60, 3), (180, 3))
    assert found.test.sum(1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("steps", [1, 7, 60])
def test_every_step_is_counted(steps: int) -> None:
    """The steps told are those of the budget."""
    assert learned(*table(), steps=steps).optimizer_steps == steps


def test_the_same_training_gives_the_same_bits() -> None:
    """Nothing but the batches is random."""
    one, other = learned(*table()), learned(*table())
    assert np.array_equal(one.test, other.test)


def test_each_strength_is_an_adamw_of_its_own() -> None:
    """Several steps for two strengths at once equal two optimizers of torch with that decay, the bias left alone."""
    import torch

    from synthgen.vision.classifiers.probing import _Head

    torch.manual_seed(0)
    inputs, targets, steps, strengths = torch.randn(5, 16, 4), torch.randint(3, (5, 16)), 8, (0.5, 2.0)
    inputs[..., -1] = 1
    head = _Head(4, 3, ProbeSettings(steps, learning_rate=0.05, strengths=strengths))
    for given, wanted in zip(inputs, targets, strict=True):
        head.step(given, wanted)
    for place, strength in enumerate(strengths):
        weights, bias = torch.zeros(3, 3, requires_grad=True), torch.zeros(3, requires_grad=True)
        groups = [{"params": [weights], "weight_decay": strength}, {"params": [bias], "weight_decay": 0}]
        optimizer = torch.optim.AdamW(groups, 0.05)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for given, wanted in zip(inputs, targets, strict=True):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(given[:, :-1] @ weights + bias, wanted).backward()
            optimizer.step()
            schedule.step()
        expected = (inputs[0, :, :-1] @ weights + bias).softmax(1)
        assert torch.allclose(head.probabilities(inputs[0])[:, place], expected, atol=1e-5)


def test_noise_is_answered_with_doubt() -> None:
    """Where features say nothing, validation chooses a strong L2, and no class is sure."""
    found = learned(*table(apart=0, dim=200), steps=300)
    assert found.chosen >= 1
    assert found.test.max(1).mean() < 0.6


def test_of_equal_strengths_the_strongest_is_chosen() -> None:
    """After a feature that says nothing at all, every strength is as good, and the strongest is taken."""
    _, labels = table()
    assert learned(np.zeros((300, 4), np.float32), labels, strengths=(0.1, 3.0, 1.0)).chosen == 3.0


def test_a_feature_out_of_all_proportion_does_no_harm() -> None:
    """A feature that is almost constant in training but not in the test answers finite probabilities."""
    features, labels = table()
    features = np.concatenate([features, np.where(np.arange(300) < 60, 0, 1e6).astype(np.float32)[:, None]], 1)
    found = learned(features, labels)
    assert np.isfinite(found.test).all()
    assert (found.test.argmax(1) == labels[120:]).mean() > 0.9


def test_one_image_a_class_is_enough_to_learn() -> None:
    """With a single row of each class, it does better than chance."""
    features, labels = table(apart=8, dim=3)
    assert (learned(features, labels, training=np.arange(3)).test.argmax(1) == labels[120:]).mean() > 0.8


def test_batches_that_are_not_the_budget_are_refused() -> None:
    """A budget of ten steps with nine batches is a fault, never a shorter training."""
    features, labels = table()
    with pytest.raises(InputError, match=r"^probe: .*\b9\b.*\b10\b"):
        probe(
            features,
            labels,
            [np.arange(4)] * 9,
            validation=np.arange(60, 70),
            test=np.arange(70, 80),
            settings=ProbeSettings(10),
            classes=3,
        )


@pytest.mark.parametrize(
    ("validation", "test", "named"),
    [
        (NONE, np.arange(3), "validation"),
        (np.arange(3), np.arange(2, 5), "validation and in test"),
        (np.arange(3), np.array([300]), "test row"),
    ],
)
def test_rows_that_can_not_judge_are_refused(validation: Any, test: Any, named: str) -> None:
    """No validation, an overlap and a row that is not there are each said."""
    features, labels = table()
    with pytest.raises(InputError, match=named):
        probe(features, labels, [np.arange(4)], validation=validation, test=test, settings=ProbeSettings(1), classes=3)


def test_features_that_are_not_finite_are_refused() -> None:
    """They would make every probability nan."""
    features, labels = table()
    features[5, 5] = np.nan
    with pytest.raises(InputError, match=r"^probe: features"):
        learned(features, labels)
