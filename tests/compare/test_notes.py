"""What a comparison says beside its numbers."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from synthgen.compare import notes
from synthgen.compare.matching import Asked, Matched
from synthgen.compare.scores import ImageScores, same_rules
from synthgen.plan.manifest import Curate


def generator(name: str, **facts: Any) -> Any:
    """A generator that made two images and differs in nothing."""
    plain: dict[str, Any] = {"name": name, "made": 2, "planned": 2, "failed": 0, "differs": (), "sizes": "64 x 64"}
    return SimpleNamespace(**plain | {"own_words": [], "finished": ()} | facts)


def said(*generators: Any, parents: tuple[str, str] = ("", ""), values: tuple[float, float] = (1, 1)) -> list[str]:
    """The sentences of a comparison of two images at a price."""
    images = tuple(Asked(f"text-{number}", "text", "healthy", "I", parent) for number, parent in enumerate(parents))
    scored = [ImageScores({"tone_distance": np.array(values, float)}, {}) for _ in generators]
    return list(notes.sentences(Matched(generators, images, "fitzpatrick", 5), scored, 10, 1.0))


def test_generators_that_are_alike_need_no_word() -> None:
    """Nothing is missing, left out or otherwise."""
    assert said(generator("a"), generator("b")) == []


def test_images_that_share_what_they_start_from_are_not_independent() -> None:
    """Which makes intervals too narrow; one image each does not."""
    lines = said(generator("a"), generator("b"), parents=("real-1", "real-1"))
    assert any(line.startswith("2 of 2 images start from the same image") for line in lines)
    assert not any("too narrow" in line for line in said(generator("a"), generator("b"), parents=("real-1", "real-2")))


def test_what_measures_may_see_beside_the_model_is_said() -> None:
    """How images are stored, an adapter's own words, what could not be made, and what is known of few images."""
    other = generator("b", differs=("output.quality: 95 -> 50",), own_words=["healthy"], planned=3, failed=1)
    lines = "\n".join(said(generator("a"), other, values=(1, float("nan"))))
    assert "b stores images otherwise than a" in lines
    assert "Prompts of b say healthy by a word of its adapter's" in lines
    assert "b made 2 of 3 images, 1 could not be made" in lines
    assert "known of 1 to 1 of 2 images" in lines


def judged_by(**block: Any) -> Any:
    """A generator whose manifest has these rules."""
    curate = Curate(scorers={"quality": {}}, **block)
    plan = SimpleNamespace(manifest=SimpleNamespace(document=SimpleNamespace(curate=curate)))
    return SimpleNamespace(run=SimpleNamespace(plan=plan, root=Path()))


def test_other_rules_are_told_from_another_quota() -> None:
    """How many images are wanted decides no image."""
    assert same_rules([judged_by(keep=["quality.faults < 1"]), judged_by(keep=["quality.faults < 1"], quota=5)])
    assert not same_rules([judged_by(keep=["quality.faults < 1"]), judged_by(keep=["quality.faults < 2"])])
