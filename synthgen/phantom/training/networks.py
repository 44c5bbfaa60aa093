"""The model's parts, untrained, in the classes of diffusers and transformers; torch is imported when called."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from synthgen.phantom.training.recipe import (
    LABELS,
    LATENT_CHANNELS,
    LATENT_SIDE,
    MAX_TOKENS,
    SIDE,
    TEXT_WIDTH,
    TONES,
    Recipe,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

_START, _END = "<|startoftext|>", "<|endoftext|>"


def classifier() -> nn.Module:
    """A small convolutional network: label (8) and type (6) scores from images of shape (n, 3, 64, 64).

    Called with ``features=True`` it returns the four levels' feature maps instead.
    """
    from torch import nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = (3, 24, 48, 96, 128)
            self.levels = nn.ModuleList(
                nn.Sequential(
                    nn.Conv2d(before, after, 3, stride=2, padding=1),
                    nn.GroupNorm(8, after),
                    nn.SiLU(),
                    nn.Conv2d(after, after, 3, padding=1),
                    nn.GroupNorm(8, after),
                    nn.SiLU(),
                )
                for before, after in itertools.pairwise(widths)
            )
            self.label = nn.Linear(widths[-1], len(LABELS))
            self.tone = nn.Linear(widths[-1], len(TONES))

        def forward(self, pixels: Tensor, *, features: bool = False) -> list[Tensor] | tuple[Tensor, Tensor]:
            maps = []
            for level in self.levels:
                pixels = level(pixels)
                maps.append(pixels)
            if features:
                return maps
            pooled = pixels.mean(dim=(2, 3))
            return self.label(pooled), self.tone(pooled)

    return Classifier()


def autoencoder(recipe: Recipe) -> Any:
    """A variational autoencoder: 64 x 64 x 3 to 16 x 16 x 4 and back."""
    from diffusers import AutoencoderKL

    levels = len(recipe.autoencoder_channels)
    return AutoencoderKL(
        sample_size=SIDE,
        latent_channels=LATENT_CHANNELS,
        block_out_channels=recipe.autoencoder_channels,
        down_block_types=["DownEncoderBlock2D"] * levels,
        up_block_types=["UpDecoderBlock2D"] * levels,
        layers_per_block=1,
        norm_num_groups=8,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )


def tokenizer(corpus: Iterable[str]) -> Any:
    """A CLIP tokenizer whose byte pairs were merged on a corpus; any text can be written in its 512 bytes and pairs."""
    import json

    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    own = CLIPTokenizer()
    training = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=_END))
    training.normalizer = own.backend_tokenizer.normalizer or normalizers.Lowercase()
    training.pre_tokenizer = own.backend_tokenizer.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=1024, initial_alphabet=alphabet, end_of_word_suffix="</w>", min_frequency=8, show_progress=False
    )
    training.train_from_iterator(corpus, trainer)
    model = json.loads(training.to_str())["model"]
    words = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    words += [word for word, _ in sorted(model["vocab"].items(), key=lambda pair: pair[1]) if word not in set(words)]
    vocab = {word: number for number, word in enumerate([*words, _START, _END])}
    merges = [tuple(merge) for merge in model["merges"]]
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_TOKENS)


def text_encoder(vocab_size: int) -> Any:
    """A CLIP text transformer of two layers."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocab_size,
            hidden_size=TEXT_WIDTH,
            intermediate_size=3 * TEXT_WIDTH,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=MAX_TOKENS,
            bos_token_id=vocab_size - 2,
            eos_token_id=vocab_size - 1,
            pad_token_id=vocab_size - 1,
        )
    )


def denoiser(recipe: Recipe) -> Any:
    """A UNet on latents that reads the text by cross-attention, and its pooled meaning with the timestep."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=LATENT_SIDE,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=recipe.denoiser_channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=16,
        attention_head_dim=4,
        cross_attention_dim=TEXT_WIDTH,
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )


def schedule() -> Any:
    """The noise: Stable Diffusion's scaled-linear betas, rescaled to zero terminal SNR, predicting v."""
    from diffusers import DDPMScheduler

    return DDPMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        steps_offset=1,
        clip_sample=False,
    )
