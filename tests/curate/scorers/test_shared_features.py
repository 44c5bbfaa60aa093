"""Scorers that look through one network compute the features of a work shard once, on the device there is."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from synthgen.core import devices
from synthgen.curate.scorers import Batch, Context
from synthgen.phantom.render import render
from synthgen.vision import features
from synthgen.vision.features import Backbone


class Counting:
    """Stands in for a network: gives the mean colour, and counts the images that it was given."""

    def __init__(self) -> None:
        self.images = 0

    def __call__(self, pixels: Any) -> Any:
        """The mean colour of each."""
        self.images += len(pixels)
        return pixels.mean((1, 2)).astype(np.float32)


@pytest.fixture
def network() -> Counting:
    """The network."""
    return Counting()


@pytest.fixture
def backbone(network: Counting) -> Backbone:
    """A backbone of it."""
    return Backbone("counting", "counting-1", 3, 32, "Counts.", network)


@pytest.fixture
def batch(batch_of: Callable[..., Batch]) -> Batch:
    """The images of a work shard."""
    drawn = render(["psoriasis", "healthy"], [1, 6], site="a", seed=3)
    return replace(batch_of(drawn), sha256="a" * 64)


def test_a_shard_s_features_are_computed_once(
    context_of: Callable[..., Context], backbone: Backbone, network: Counting, batch: Batch
) -> None:
    """Whoever asks second is given the same."""
    context = context_of()
    first = context.features(backbone, batch)
    np.testing.assert_array_equal(context.features(backbone, batch), first)
    assert network.images == len(batch.records)


@pytest.mark.parametrize(
    "other",
    [
        lambda backbone, batch: (replace(backbone, digest="counting-2"), batch),
        lambda backbone, batch: (backbone, replace(batch, sha256="b" * 64)),
        lambda backbone, batch: (backbone, replace(batch, sha256="")),
    ],
    ids=["another backbone", "another shard", "no shard"],
)
def test_what_is_another_is_computed_anew(
    context_of: Callable[..., Context], backbone: Backbone, network: Counting, batch: Batch, other: Any
) -> None:
    """Nothing is taken for what it is not."""
    context = context_of()
    context.features(backbone, batch)
    context.features(*other(backbone, batch))
    assert network.images == 2 * len(batch.records)


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"\x93NUMPY")])
def test_damaged_features_are_computed_again(
    context_of: Callable[..., Context], backbone: Backbone, batch: Batch, tmp_path: Path, damage: Any
) -> None:
    """What is kept is a cache."""
    context = context_of()
    first = context.features(backbone, batch)
    (kept,) = tmp_path.rglob("*.npz")
    damage(kept)
    np.testing.assert_array_equal(context.features(backbone, batch), first)


@pytest.mark.parametrize(
    ("machine", "used"),
    [
        (("auto", ["cuda", "cpu"], True), ("cuda", True)),
        (("auto", ["cuda", "cpu"], False), ("cuda", False)),
        (("auto", ["mps", "cpu"], False), ("mps", False)),
        (("auto", ["cpu"], True), ("cpu", False)),
        (("cpu", ["cuda", "cpu"], True), ("cpu", False)),
    ],
)
def test_networks_compute_on_the_device_that_is_there(
    context_of: Callable[..., Context],
    monkeypatch: pytest.MonkeyPatch,
    machine: tuple[str, list[str], bool],
    used: tuple[str, bool],
) -> None:
    """In bfloat16 on a GPU that computes in it, and else in float32."""
    (asked, there, bf16), found = machine, list[tuple[str, bool]]()
    monkeypatch.setattr(devices, "available", lambda: there)
    monkeypatch.setattr(devices, "describe", lambda kind="auto": SimpleNamespace(kind=kind, bf16=bf16))
    monkeypatch.setattr(features, "backbone", lambda _name, *, device, half, **_rest: found.append((device, half)))
    replace(context_of(), device=asked).backbone("./network")
    assert found == [used]


def test_a_formula_asks_for_no_device(context_of: Callable[..., Context], monkeypatch: pytest.MonkeyPatch) -> None:
    """Gabor features are computed without torch, so none is looked for."""

    def unwanted(*_args: Any) -> Any:
        raise AssertionError("torch was asked for a device")

    monkeypatch.setattr(devices, "available", unwanted)
    monkeypatch.setattr(devices, "describe", unwanted)
    assert context_of().backbone(features.GABOR).name == features.GABOR
