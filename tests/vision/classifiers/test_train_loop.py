"""Networks learn from pixels inside a trial, within their budget, and give the same numbers again."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.errors import InputError, UnavailableError
from synthgen.vision.classifiers import FinetuneSettings, FitResult, batches, finetune

NONE = np.array([], np.int64)
LABELS = np.tile(np.arange(2), 30)


def images() -> Any:
    """Noise that is redder for class 1."""
    noise = np.random.default_rng(0).integers(0, 156, (60, 32, 32, 3), np.uint8)
    noise[LABELS == 1, :, :, 0] += 100
    return noise


def learned(pixels: Any = None, steps: int = 12, drawn: int | None = None, **settings: Any) -> FitResult:
    """Trained on 20 images, with 10 to look at and 30 to answer for."""
    rng = np.random.default_rng(0)
    plan = batches(rng, np.arange(20), NONE, LABELS, batch_size=8, mix="union", steps=drawn or steps)
    return finetune(
        images() if pixels is None else pixels,
        LABELS,
        plan,
        validation=np.arange(20, 30),
        test=np.arange(30, 60),
        settings=FinetuneSettings(steps, **settings),
        seed=3,
        classes=2,
    )


def test_a_budget_of_one_step_is_one_step() -> None:
    """The rate has risen by then and has no step left to fall."""
    assert (learned(steps=1).optimizer_steps, learned(steps=1).test.shape) == (1, (30, 2))


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("vit")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    ViTForImageClassification(ViTConfig(**sizes, image_size=32, patch_size=8, num_labels=5)).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def convnext(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import ConvNextConfig, ConvNextForImageClassification, ConvNextImageProcessorPil

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("convnext")
    config = ConvNextConfig(hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], image_size=32)
    ConvNextForImageClassification(config).save_pretrained(folder)
    ConvNextImageProcessorPil(size={"shortest_edge": 32}).save_pretrained(folder)
    return folder


def test_the_small_network_learns() -> None:
    """It tells a red class from another after a dozen steps, all of them counted."""
    found = learned(steps=30)
    assert (found.test.argmax(1) == LABELS[30:]).mean() > 0.9
    assert found.optimizer_steps == 30
    assert found.test.sum(1) == pytest.approx(1, abs=1e-5)


def test_the_same_training_gives_the_same_bits() -> None:
    """The seed decides first weights and augmentation, and torch's own state is left as it was."""
    import torch

    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    one = learned(augment="classic")
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(10)
    assert np.array_equal(one.test, learned(augment="classic").test)


def test_the_best_weights_are_kept_and_the_budget_spent() -> None:
    """Without patience all steps are done, whichever step's weights are kept."""
    found = learned(steps=20, learning_rate=0.5)
    assert found.optimizer_steps == 20
    assert 0 < found.chosen <= 20


def test_patience_ends_early_and_tells_the_steps_done() -> None:
    """With patience, steps after validation got no better are not done and not counted."""
    found = learned(steps=200, learning_rate=0.5, evaluations=100, patience=1)
    assert found.chosen < found.optimizer_steps < 200


def test_a_vit_is_finetuned_to_other_classes(vit: Path) -> None:
    """A checkpoint of five classes gets a head for two, drawn by the seed."""
    one, other = learned(backbone=str(vit), steps=4), learned(backbone=str(vit), steps=4)
    assert one.test.shape == (30, 2)
    assert np.array_equal(one.test, other.test)


def test_a_frozen_backbone_stays_as_it_was(convnext: Path) -> None:
    """With the backbone frozen, only the head's weights differ after training."""
    import torch

    from synthgen.vision.classifiers import networks
    from synthgen.vision.classifiers.train_loop import Trainer

    network = networks.build(str(convnext), 2)
    before = {name: each.clone() for name, each in network.module.state_dict().items()}
    trainer = Trainer(network, FinetuneSettings(2, str(convnext), frozen=True), 0)
    trainer.step(images()[:4], torch.from_numpy(LABELS[:4]))
    changed = {name for name, each in network.module.state_dict().items() if not torch.equal(each, before[name])}
    assert changed == {"model.classifier.weight", "model.classifier.bias"}


def test_a_convnext_is_finetuned(convnext: Path) -> None:
    """Another family learns by the same call."""
    assert learned(backbone=str(convnext), steps=2).optimizer_steps == 2


def test_a_checkpoint_that_lacks_weights_is_refused(vit: Path, tmp_path: Path) -> None:
    """A backbone of which a part would be drawn at random is no pretrained one."""
    import shutil

    from safetensors.numpy import load_file, save_file

    broken = shutil.copytree(vit, tmp_path / "vit")
    weights = load_file(broken / "model.safetensors")
    kept = {name: each for name, each in weights.items() if "patch_embeddings" not in name}
    save_file(kept, broken / "model.safetensors", {"format": "pt"})
    with pytest.raises(UnavailableError, match="patch_embeddings"):
        learned(backbone=str(broken), steps=1)


def test_images_too_small_are_refused() -> None:
    """Five halvings need 16 pixels a side."""
    with pytest.raises(UnavailableError, match="small-cnn"):
        learned(images()[:, :8, :8])


def test_batches_that_are_not_the_budget_are_refused() -> None:
    """Fewer batches than steps are a fault, before anything is trained."""
    with pytest.raises(InputError, match=r"^finetune:"):
        learned(steps=4, drawn=3)
