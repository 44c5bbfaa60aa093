"""Likeness asks a CLIP model, read from safetensors alone, and says in one line what can't be had."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.core import model_folder
from synthgen.curate.scorers import Batch, Context, likeness
from synthgen.errors import UnavailableError
from synthgen.phantom.render import render


def tokenizer() -> Any:
    """The bundled tokenizer."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(model_folder.describe(model_folder.BUNDLED, Path()).folder / "tokenizer")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP model with random weights, as small as it gets, with its tokenizer and preprocessing."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel

    torch.manual_seed(0)
    folder, words = tmp_path_factory.mktemp("clip"), tokenizer()
    half = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = half | {
        "vocab_size": len(words), "max_position_embeddings": words.model_max_length, "eos_token_id": words.eos_token_id,
        "bos_token_id": words.bos_token_id, "pad_token_id": words.pad_token_id,
    }  # fmt: skip
    config = CLIPConfig(
        text_config=text,
        vision_config=half | {"image_size": 32, "patch_size": 8},
        projection_dim=8,
        initializer_factor=5.0,
    )
    CLIPModel(config).save_pretrained(folder)
    words.save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def batch(batch_of: Callable[..., Batch], prompts: tuple[str, ...]) -> Batch:
    """Two phantoms, asked for by these prompts."""
    drawn = batch_of(render(["psoriasis", "vitiligo"], [1, 6], site="b", seed=1))
    records = tuple(replace(one, prompt=prompt) for one, prompt in zip(drawn.records, prompts, strict=True))
    return Batch(records, drawn.pixels)


def test_the_similarity_is_the_models_own(
    clip: Path, batch_of: Callable[..., Batch], context_of: Callable[..., Context], scores: Callable[..., Any]
) -> None:
    """It is what the model itself gives for each image and its prompt, and another prompt has another."""
    import torch
    from transformers import AutoImageProcessor, CLIPModel

    images = batch(batch_of, ("an image of psoriasis", "an image of vitiligo on dark skin"))
    found = scores("likeness", images, context_of(), model=str(clip))["similarity"]
    network = CLIPModel.from_pretrained(clip).eval()
    tokens = tokenizer()([one.prompt for one in images.records], padding=True, return_tensors="pt")
    shown = AutoImageProcessor.from_pretrained(clip, backend="pil")(images=list(images.pixels), return_tensors="pt")
    with torch.inference_mode():
        told = network(**tokens, **shown)
    expected = (told.image_embeds * told.text_embeds).sum(1).numpy()
    assert np.allclose(found, expected, atol=1e-5)
    other = scores("likeness", batch(batch_of, ("skin", "skin")), context_of(), model=str(clip))["similarity"]
    assert not np.allclose(found, other, atol=1e-3)


def test_a_long_prompt_is_cut(
    clip: Path, batch_of: Callable[..., Batch], context_of: Callable[..., Context], scores: Callable[..., Any]
) -> None:
    """A prompt longer than the model reads is scored by what it reads."""
    found = scores("likeness", batch(batch_of, ("skin " * 400, "skin")), context_of(), model=str(clip))
    assert np.isfinite(found["similarity"]).all()


def test_pickled_weights_are_refused(clip: Path, tmp_path: Path, context_of: Callable[..., Context]) -> None:
    """A folder whose weights are pickled is not opened."""
    (tmp_path / "config.json").write_bytes((clip / "config.json").read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UnavailableError, match=f"^{re.escape(str(tmp_path))}.*pickle"):
        likeness.open_scorer(likeness.Settings(model=str(tmp_path)), context_of())


def test_a_model_of_images_alone_is_refused(context_of: Callable[..., Context], tmp_path: Path) -> None:
    """A vision model has no text half, which is said."""
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8
    )
    ViTModel(config).save_pretrained(tmp_path)
    with pytest.raises(UnavailableError, match=f"^{re.escape(str(tmp_path))}: "):
        likeness.open_scorer(likeness.Settings(model=str(tmp_path)), context_of())


def test_a_hub_id_offline_is_refused_in_one_line(
    context_of: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without network and cache the line names the model and says what to give instead."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UnavailableError, match=r"^no-such/clip: ") as told:
        likeness.open_scorer(likeness.Settings(model="no-such/clip"), context_of())
    assert "\n" not in str(told.value)
