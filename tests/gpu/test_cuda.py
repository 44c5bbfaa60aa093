"""On a CUDA device: fp16 by default, images that hardly see the batch, and room made where memory is short."""

import dataclasses
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen import study
from synthgen.core import devices
from synthgen.core.devices import DeviceRequest, Environment
from synthgen.diffusion.strategies import text2img
from synthgen.generate.reproduce import reproduce
from synthgen.plan import Plan
from synthgen.vision.images import codec

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    # diffusers' schedulers hand torch tensors to numpy in a way that numpy 2 deprecates.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

MakePlan = Callable[..., Plan]
CUDA = DeviceRequest(device="cuda")


def entry(per_cell: int = 2, **settings: Any) -> list[dict[str, Any]]:
    """One text2img entry on the bundled model."""
    sampler = {"height": 64, "width": 64, "num_inference_steps": 4, "guidance_scale": 2.5}
    return [{"name": "text", "strategy": "text2img", "per_cell": per_cell, "settings": sampler | settings}]


def paint(plan: Plan, asked: DeviceRequest, indices: list[int]) -> Any:
    """Make samples given by index in one batch on the device."""
    planned = plan.entries["text"]
    environment = text2img.environment(planned.recipe, asked, plan.manifest.document.output.shard_samples)
    painted = text2img.maker(planned.recipe, environment)([planned.sample(index) for index in indices])
    assert painted.finite.all()
    return painted.pixels


def test_the_device_is_described() -> None:
    """CUDA is found first, with its name, its free memory and whether it has bf16."""
    import torch

    device = devices.describe()
    assert (device.kind, device.name) == ("cuda", torch.cuda.get_device_name())
    assert 0 < device.free_memory <= torch.cuda.get_device_properties(0).total_memory
    assert device.bf16 == torch.cuda.is_bf16_supported()
    assert device.xformers == (find_spec("xformers") is not None)


def test_fp16_and_sdpa_are_the_default(make_plan: MakePlan) -> None:
    """Nothing wished for, a run on CUDA computes in fp16 with PyTorch's own attention."""
    environment = text2img.environment(make_plan(generate=entry()).entries["text"].recipe, DeviceRequest(), 12)
    assert (environment.device, environment.dtype, environment.attention) == ("cuda", "float16", "sdpa")
    assert environment.batch_size == 12


def test_a_run_on_cuda_is_whole_and_its_images_come_again(
    make_plan: MakePlan, make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """Twelve images are made in fp16, none of them blank, and one of them is made again to the byte."""
    plan = make_plan(generate=entry())
    receipts = make_images(plan, tmp_path, CUDA)
    assert sum(receipt.count for receipt in receipts) == 12
    assert {Environment(**receipt.environment).dtype for receipt in receipts} == {"float16"}
    assert reproduce(tmp_path, plan.entries["text"].sample(3).key, study.EXTENSIONS).identical


def test_the_batch_size_is_hardly_seen(make_plan: MakePlan) -> None:
    """An image alone and the same image in a batch of eight differ by less than the tolerance of 40 dB, in fp32.

    In fp16 the sums of another kernel may end further apart; 25 dB still is the same picture.
    """
    plan = make_plan(generate=entry())
    for dtype, tolerance in (("fp32", 40), ("fp16", 25)):
        together = paint(plan, DeviceRequest("cuda", dtype, batch_size=8), list(range(8)))
        alone = paint(plan, DeviceRequest("cuda", dtype, batch_size=1), [5])
        assert codec.psnr(alone[0], together[5]) >= tolerance


def test_neighbours_are_not_seen(make_plan: MakePlan) -> None:
    """In a batch of one size, an image does not depend on its place or its neighbours."""
    plan = make_plan(generate=entry())
    assert np.array_equal(paint(plan, CUDA, [0, 1, 2, 3])[1], paint(plan, CUDA, [6, 5, 4, 1])[3])


@pytest.mark.parametrize("interval", [{}, {"guidance_start": 0.25, "guidance_stop": 0.75}], ids=["guided", "in-part"])
def test_cuda_and_cpu_draw_the_same_picture(interval: dict[str, float], make_plan: MakePlan) -> None:
    """Noise comes from the CPU's generator, so in fp32 a GPU paints what a CPU paints, within 30 dB."""
    plan = make_plan(generate=entry(**interval))
    on_cuda, on_cpu = (paint(plan, DeviceRequest(kind, "fp32"), [0, 1])[0] for kind in ("cuda", "cpu"))
    assert codec.psnr(on_cuda, on_cpu) >= 30


@pytest.mark.skipif(find_spec("xformers") is None, reason="xformers is not installed")
def test_xformers_paints_the_same_picture(make_plan: MakePlan) -> None:
    """The attention of xformers, when asked for, is used, and gives the image of PyTorch's within 25 dB."""
    plan = make_plan(generate=entry())
    asked = DeviceRequest("cuda", attention="xformers")
    assert text2img.environment(plan.entries["text"].recipe, asked, 12).attention == "xformers"
    assert codec.psnr(paint(plan, asked, [0])[0], paint(plan, CUDA, [0])[0]) >= 25


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Allow this process a small part of the device's memory."""
    import torch

    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, 1.5 * 2**30 / total))
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


@pytest.mark.usefixtures("little_memory")
def test_a_batch_too_large_is_halved(
    make_plan: MakePlan, make_images: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where `auto` took too much, the batch is halved until it fits, every image is made, and the receipt says so."""
    plan = make_plan(generate=entry(per_cell=11, height=512, width=512, num_inference_steps=1),
                     output={"image_format": "jpeg", "shard_samples": 66})  # fmt: skip
    plenty = devices.describe

    def describe(asked: str = "auto") -> devices.Device:
        return dataclasses.replace(plenty(asked), free_memory=80 * 2**30)

    monkeypatch.setattr(devices, "describe", describe)
    (receipt,) = make_images(plan, tmp_path, CUDA)
    assert receipt.count == 66
    assert Environment(**receipt.environment).batch_size < 66
