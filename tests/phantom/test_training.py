"""The training of the bundled model is seeded, resumable, and ends in a folder that diffusers loads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.core import model_folder
from synthgen.phantom.training import autoencoder, data, networks
from synthgen.phantom.training.loop import Machine, TrainingStage, curve
from synthgen.phantom.training.recipe import LABELS, MAX_TOKENS, Recipe
from synthgen.phantom.training.wording import Wording

torch = pytest.importorskip("torch")
CPU = Machine("cpu", bf16=False)
TINY = Recipe(
    per_cell=1,
    classifier_steps=1,
    autoencoder_steps=4,
    text_steps=2,
    denoiser_steps=2,
    autoencoder_channels=(8, 8, 8),
    denoiser_channels=(16, 16, 16),
)


class StoppedError(Exception):
    """What a kill is in these tests."""


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """The tokenizer of the training."""
    return networks.tokenizer(Wording().corpus())


def weights(folder: Path, stop_at: int | None = None, **options: float) -> Any:
    """The weights of a linear layer after 40 steps of a stage."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 1)

    def loss(step: int, rng: np.random.Generator) -> tuple[Any, dict[str, float]]:
        if step == stop_at:
            raise StoppedError
        inputs = torch.from_numpy(rng.normal(size=(8, 3))).float()
        return ((layer(inputs) - inputs.sum(1, keepdim=True) + torch.randn(8, 1)) ** 2).mean(), {}

    TrainingStage("line", folder, {"layer": layer}, seed=1, steps=40, learning_rate=0.1, ema=0.9, **options).run(loss)
    return layer.weight.detach().clone()


def test_a_stage_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    """Killed between checkpoints and run again, a stage ends with the bits of an unbroken one."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    expected = weights(whole)
    with pytest.raises(StoppedError):
        weights(broken, stop_at=23, checkpoint_seconds=0.0)
    assert torch.equal(weights(broken, checkpoint_seconds=0.0), expected)


def test_a_finished_stage_is_not_trained_again(tmp_path: Path) -> None:
    """Its weights come from the checkpoint, and no step is made."""
    expected = weights(tmp_path)
    assert torch.equal(weights(tmp_path, stop_at=0), expected)


def test_the_log_says_step_and_loss(tmp_path: Path) -> None:
    weights(tmp_path)
    assert [(line["step"], set(line)) for line in curve(tmp_path / "line.jsonl")] == [
        (40, {"stage", "step", "loss", "seconds"})
    ]


def test_another_seed_starts_anew(tmp_path: Path) -> None:
    """A checkpoint of another seed is not taken for this one's."""
    layer = torch.nn.Linear(3, 1)
    weights(tmp_path)
    assert TrainingStage("line", tmp_path, {"layer": layer}, seed=2, steps=40, learning_rate=0.1).done == 0


def test_every_training_prompt_fits(tokenizer: Any) -> None:
    """No prompt is cut, and each names the label."""
    rng, wording = np.random.default_rng(0), Wording()
    for label, words in LABELS.items():
        for tone in range(1, 7):
            text = wording.draw(rng, label, tone, blurred=True)
            assert words in text
            assert len(tokenizer(text).input_ids) <= MAX_TOKENS


def test_any_text_has_tokens(tokenizer: Any) -> None:
    """Words that nobody trained on are spelt, in any script, and come back."""
    for text in ("hidradenitis suppurativa", "pórfiria", "皮膚"):
        found = tokenizer(text).input_ids
        assert tokenizer.unk_token_id not in found[1:-1]
        assert tokenizer.decode(found, skip_special_tokens=True) == text


def test_words_of_the_conditions_are_short(tokenizer: Any) -> None:
    """The words that matter are a few tokens each, so that a prompt has room."""
    assert max(len(tokenizer.tokenize(words)) for words in LABELS.values()) <= 4


def test_normalised_latents_draw_the_same(tmp_path: Path) -> None:
    """Folding mean and deviation into the convolutions changes latents, and no image."""
    phantoms = data.load(tmp_path, TINY)
    torch.manual_seed(0)
    vae = networks.autoencoder(TINY).eval()
    pixels = autoencoder.pixels(phantoms.images[:8], CPU)
    with torch.no_grad():
        before = vae.decode(vae.encode(pixels).latent_dist.mean).sample
        autoencoder.normalise_latents(vae, phantoms, TINY, CPU)
        latents = vae.encode(autoencoder.pixels(phantoms.images, CPU)).latent_dist.mean
        after = vae.decode(vae.encode(pixels).latent_dist.mean).sample
    assert torch.allclose(before, after, atol=1e-4)
    assert latents.mean(dim=(0, 2, 3)).abs().max() < 0.2
    assert (latents.std(dim=(0, 2, 3)) - 1).abs().max() < 0.2


@pytest.mark.slow
def test_it_trains_a_model_that_diffusers_loads(tmp_path: Path) -> None:
    """A few steps of every stage end in a folder that the Auto pipeline opens and draws with."""
    from diffusers import AutoPipelineForText2Image

    from synthgen.phantom.training.__main__ import train

    train(tmp_path / "work", tmp_path / "model", TINY, CPU)
    pipe = AutoPipelineForText2Image.from_pretrained(tmp_path / "model")
    pipe.set_progress_bar_config(disable=True)
    image = pipe("An image of psoriasis", num_inference_steps=2, output_type="np").images[0]
    assert image.shape == (64, 64, 3)
    assert sum(path.stat().st_size for path in (tmp_path / "model").rglob("*")) < 16 * 2**20


def test_what_is_trained_on_is_what_the_model_is_said_to_know() -> None:
    """Whoever asks the bundled model for another condition is told so by this list."""
    assert tuple(LABELS.values()) == model_folder.LEARNED
