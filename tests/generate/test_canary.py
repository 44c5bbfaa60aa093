"""A device whose bytes have changed adds nothing to a run, and an image can be made again at its place."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synthgen.core.devices import DeviceRequest
from synthgen.diffusion.maker import ImageMaker, MadeImages
from synthgen.diffusion.strategies import fake
from synthgen.errors import OutOfMemoryError, UnavailableError
from synthgen.generate import canary, reproduce
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.sample import Sample

ASKED = DeviceRequest(batch_size=4)


@pytest.fixture
def plan(make_plan: Callable[..., Plan]) -> Plan:
    """Three shards of five images, so that batches of four are padded."""
    return make_plan(output={"image_format": "png", "shard_samples": 5})


def by_place(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Have the fake strategy make other pixels at each place of a batch, as kernels of a GPU may."""
    usual = fake.maker

    def maker(*args: Any) -> ImageMaker:
        of_all = usual(*args)

        def make(samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
            made = of_all(samples, precise=precise)
            pixels = made.pixels.copy()
            for place in range(len(samples)):
                pixels[place, 0, 0, 0] = (int(pixels[place, 0, 0, 0]) + step * (place + 1)) % 256
            return replace(made, pixels=pixels, extremes=None)

        return make

    monkeypatch.setattr(fake, "maker", maker)


def test_an_image_is_made_again_at_its_place(
    plan: Plan,
    make_images: Callable[..., Any],
    extensions: Extensions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where its bytes depend on it, ``exact`` gives them; alone in its batch it is near."""
    by_place(monkeypatch, 3)
    make_images(plan, tmp_path, ASKED)
    keys = [one.key for one in plan.entries[next(iter(plan.entries))].shard(0)]
    again = [reproduce.reproduce(tmp_path, key, extensions, exact=True) for key in keys]
    assert [one.identical for one in again] == [True] * 5
    alone = reproduce.reproduce(tmp_path, keys[1], extensions)
    assert not alone.identical
    assert alone.within_tolerance


def begun_then(
    changed: int, plan: Plan, make_images: Callable[..., Any], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Make one shard, and the others on a device that may make other bytes."""
    monkeypatch.setattr(canary, "needed", lambda _entry: True)
    make_images(plan, root, ASKED, shards=(0, 1))
    if changed:
        by_place(monkeypatch, changed)
    make_images(plan, root)


def test_a_device_that_makes_other_bytes_adds_none(
    plan: Plan, make_images: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said with the image and how far it is from the one that the run holds."""
    with pytest.raises(UnavailableError, match=r"makes another image of `\S+` than the run holds, \d+\.\d dB from it"):
        begun_then(1, plan, make_images, tmp_path, monkeypatch)
    assert len(list(tmp_path.rglob("*.tar"))) == 1


def test_a_shard_of_another_device_is_compared_with_nothing(
    plan: Plan, make_images: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its receipt says where it was made, so the device that the run was begun on is not blamed for it."""
    here = fake.environment
    make_images(plan, tmp_path, ASKED, shards=(0, 1))
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(fake, "environment", lambda *asked: replace(here(*asked), device_name="another one"))
        make_images(plan, tmp_path, shards=(1, 2))
    for path in tmp_path.glob("*/00000.*"):
        path.unlink()
    monkeypatch.setattr(canary, "needed", lambda _entry: True)
    by_place(monkeypatch, 1)
    make_images(plan, tmp_path)
    assert len(list(tmp_path.rglob("*.tar"))) == plan.shards


def test_a_batch_that_no_longer_fits_is_no_reason_to_end(
    plan: Plan, make_images: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is known to differ; images that are still to be made come in smaller batches."""

    def full(*_: object, **__: object) -> None:
        raise OutOfMemoryError("no memory")

    monkeypatch.setattr(canary, "_first_batch", full)
    begun_then(0, plan, make_images, tmp_path, monkeypatch)
    assert len(list(tmp_path.rglob("*.tar"))) == plan.shards


def test_a_device_that_makes_the_same_goes_on(
    plan: Plan, make_images: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run becomes whole."""
    begun_then(0, plan, make_images, tmp_path, monkeypatch)
    assert len(list(tmp_path.rglob("*.tar"))) == plan.shards
