"""One model is alive at a time, its parts shared by the tasks that ask for it."""

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.diffusion import pipelines
from synthgen.diffusion.pipelines import loading
from synthgen.runs import tar_samples

pytestmark = pytest.mark.slow

SETTINGS = {"num_inference_steps": 2, "guidance_scale": 3.0, "height": 32, "width": 32}


@pytest.fixture(autouse=True)
def _nothing_loaded() -> None:
    pipelines.release()


@pytest.fixture
def planned(tiny_model: Callable[[str], Path], make_plan: Callable[..., Any]) -> Callable[..., Any]:
    """Plans a text-to-image entry, and one that starts from its images, of models by family."""

    def plan(first: str, second: str) -> Any:
        entries = [
            {"name": "a", "strategy": "text2img", "per_cell": 1, "model": str(tiny_model(first))},
            {"name": "b", "strategy": "img2img", "from": "a", "model": str(tiny_model(second))},
        ]
        for entry, family in zip(entries, (first, second), strict=True):
            own = {"scheduler": "default"} if family in ("sd3", "flux") else {}
            entry["settings"] = SETTINGS | own
        return make_plan(labels={"melanoma": "melanoma"}, generate=entries)

    return plan


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many denoisers are alive whenever a model is read."""
    alive, seen = list[weakref.ref[Any]](), list[int]()
    read = loading.load_diffusers

    def counted(*arguments: Any, **options: Any) -> Any:
        seen.append(sum(one() is not None for one in alive))
        pipe = read(*arguments, **options)
        alive.append(weakref.ref(pipelines.denoiser(pipe)))
        return pipe

    monkeypatch.setattr(loading, "load_diffusers", counted)
    return seen


@pytest.mark.parametrize("family", ["sd", "sdxl", "sd3", "flux"])
def test_tasks_of_one_model_share_it(
    family: str, planned: Callable[..., Any], make_images: Callable[..., Any], reads: list[int], tmp_path: Path
) -> None:
    """It is read once for both, and the second task's images are those of a pipeline that was read for it."""
    plan = planned(family, family)
    make_images(plan, tmp_path / "shared")
    assert reads == [0]
    pipelines.release()
    again = tmp_path / "again"
    for tar in (tmp_path / "shared").rglob("*.tar"):
        (again / tar.parent.name).mkdir(parents=True, exist_ok=True)
        for file in (tar, tar.with_suffix(".json")) if tar.parent.name == "a" else ():
            (again / "a" / file.name).write_bytes(file.read_bytes())
    (again / "run.json").write_bytes((tmp_path / "shared" / "run.json").read_bytes())
    make_images(plan, again)
    assert reads == [0, 0]
    first, second = (
        {one.key: one.image for tar in sorted((root / "b").glob("*.tar")) for one in tar_samples.read(tar)}
        for root in (tmp_path / "shared", again)
    )
    assert len(first) == 3
    assert first == second


def test_a_model_is_gone_before_another_is_read(
    planned: Callable[..., Any], make_images: Callable[..., Any], reads: list[int], tmp_path: Path
) -> None:
    """Two models of a run are never side by side, which a card that fits one would not survive."""
    make_images(planned("sd", "sdxl"), tmp_path / "run")
    assert reads == [0, 0]
    gc.collect()


def test_a_released_model_leaves_nothing(
    planned: Callable[..., Any], make_images: Callable[..., Any], reads: list[int], tmp_path: Path
) -> None:
    """What curates or evaluates after the images finds the memory of the model."""
    make_images(planned("sd", "sd"), tmp_path / "run")
    pipelines.release()
    make_images(planned("sd", "sd"), tmp_path / "second")
    assert reads == [0, 0]
