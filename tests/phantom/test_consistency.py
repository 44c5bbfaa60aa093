"""The few-step adapter: its distillation is seeded and resumable, and ends in a LoRA that diffusers loads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.phantom.training import consistency, networks
from synthgen.phantom.training.consistency import ConsistencyRecipe, Distillation
from synthgen.phantom.training.loop import Machine
from synthgen.phantom.training.low_rank import LowRank
from synthgen.phantom.training.recipe import LABELS, TEXT_WIDTH, Recipe

torch = pytest.importorskip("torch")
CPU = Machine("cpu", bf16=False)
TINY = ConsistencyRecipe(steps=3, batch=4, rank=2, prompts=1)
CELLS = len(LABELS) * 6


class Prompts:
    """States of prompts that no text encoder has to give."""

    negative = torch.zeros(1, 2, TEXT_WIDTH)

    def __init__(self, until: int = 99) -> None:
        self._left = until

    def draw(self, _rng: Any, labels: Any, _tones: Any) -> Any:
        """The same states for all; a kill where the draws are used up."""
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        return torch.ones(len(labels), 2, TEXT_WIDTH)


def unet() -> Any:
    """A denoiser of the bundled one's make, small and always the same."""
    torch.manual_seed(0)
    return networks.denoiser(Recipe(denoiser_channels=(16, 16, 16))).eval().requires_grad_(requires_grad=False)


class Phantoms:
    """What the training reads of phantoms and of their latents."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.values = rng.normal(size=(CELLS, 4, 16, 16)).astype(np.float16)
        self.phantoms, self.blurred = np.arange(CELLS), np.zeros(CELLS, bool)
        self.labels, self.tones = np.repeat(np.arange(len(LABELS)), 6), np.tile(np.arange(1, 7), len(LABELS))


def distil(folder: Path, recipe: ConsistencyRecipe = TINY, prompts: Any = None) -> dict[str, Any]:
    """The LoRA of a few steps, with a checkpoint after each."""
    folder.mkdir(exist_ok=True)
    told: Any = Phantoms()
    said = prompts or Prompts()
    return consistency.train(
        folder, told, told, unet=unet(), prompts=said, recipe=recipe, machine=CPU, checkpoint_seconds=0.0
    )


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An unbroken training's LoRA."""
    return distil(tmp_path_factory.mktemp("whole"))


def test_it_is_seeded(tmp_path: Path, layers: dict[str, Any]) -> None:
    """The same recipe ends in the same weights, another seed in others."""
    again, other = distil(tmp_path / "again"), distil(tmp_path / "other", ConsistencyRecipe(1, 3, 4, 2, prompts=1))
    assert all(torch.equal(layers[name], again[name]) for name in layers)
    assert not all(torch.equal(layers[name], other[name]) for name in layers)


def test_it_goes_on_from_its_checkpoint(tmp_path: Path, layers: dict[str, Any]) -> None:
    """Killed between two steps and run again, it ends with the bits of an unbroken training."""
    with pytest.raises(KeyboardInterrupt):
        distil(tmp_path / "broken", prompts=Prompts(until=2))
    whole = distil(tmp_path / "broken")
    assert all(torch.equal(layers[name], whole[name]) for name in layers)


def test_diffusers_adds_what_was_trained(tmp_path: Path, layers: dict[str, Any]) -> None:
    """A UNet with the LoRA loaded and fused by diffusers has the weights that the training ran with."""
    own = LowRank(unet(), TINY.rank, "cpu")
    with torch.no_grad():
        for network in own.networks.values():
            for value in network.parameters():
                value.copy_(torch.randn_like(value).half().float() / 8)
    model = unet()
    model.load_lora_adapter({f"unet.{name}": value for name, value in own.layers().items()}, prefix="unet")
    model.fuse_lora()
    loaded = {name.replace(".base_layer", ""): value for name, value in model.state_dict().items()}
    wanted = own.weights()
    assert len(wanted) * 2 == len(layers)
    for name, value in wanted.items():
        assert torch.allclose(loaded[name], value, atol=1e-5), name


def test_a_student_that_is_the_teacher_learns_nothing_at_the_first_timestep() -> None:
    """Before the first step the student's answer at a path's last timestep is the teacher's, where it is unguided."""
    recipe = ConsistencyRecipe(steps=1, batch=4, rank=2, prompts=1, original_inference_steps=1, guidance=())
    told: Any = Prompts()
    distillation = Distillation(unet(), told, recipe, CPU, schedule=networks.schedule())
    rng = np.random.default_rng(0)
    latents = torch.randn(4, 4, 16, 16)
    loss = distillation.loss(latents, np.zeros(4, np.int64), np.ones(4, np.int64), rng, distillation.lora.values())
    assert loss.item() < 1e-4


def test_the_answers_are_those_of_the_scheduler() -> None:
    """What the student is trained to say is what LCMScheduler makes of a UNet's output in its last step."""
    from diffusers import LCMScheduler

    told: Any = Prompts()
    distillation = Distillation(unet(), told, TINY, CPU, schedule=networks.schedule())
    scheduler = LCMScheduler.from_config(networks.schedule().config)
    scheduler.set_timesteps(1)
    latents, velocity = torch.randn(2, 1, 4, 16, 16).unbind()
    expected = scheduler.step(velocity, scheduler.timesteps[0], latents).denoised
    assert torch.allclose(distillation.answer(latents, scheduler.timesteps[:1], velocity), expected, atol=1e-5)
