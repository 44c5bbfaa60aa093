"""What a model takes of a card's memory, by rule from its configuration alone; pure, imports no torch.

The rules are fitted to peaks that full-size architectures show when they are run on meta tensors with PyTorch's
scaled_dot_product_attention: a resolution of a UNet peaks where it holds its widest block (feed-forward layers of
attention hold more than convolutions), a transformer's tokens in its widest layer, an autoencoder in its last block.
``accelerate estimate-memory`` tells weights alone, of transformers' models alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

GIB = 2**30
CARDS = (16, 24, 40, 80)
"""Sizes of cards in GB that are told of."""
MAX_BATCH = 128
KEPT = 0.1  # of what is free, for what an allocator can't use and for small tensors that no rule counts
_BEFORE = 0.06  # of a card, that CUDA's context, its libraries and an allocator's rounding take
_ATTENDING, _CONVOLVING = 26.5, 16.0  # tensors of a UNet's resolution that are alive at its peak
_JOINT, _SINGLE_STREAM = 14.0, 30.5  # the same of a transformer's tokens
_TEXT_TOKENS = 512  # that such a transformer reads in one row with the image's
_DECODING = 6.0  # tensors of the image's size and the first block's width, at the decoder's peak
_SLICED_ABOVE = 1024 * 1024  # pixels of a batch, above which it is decoded image by image


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a model takes, in bytes.

    Attributes:
        weights: Of everything that stays loaded while images are made.
        step: Activations of the denoiser, an image.
        decode: Activations of the autoencoder, an image.
        pixels: Height times width of an image.
        text: Of the text encoders that encode a run's prompts before all else is loaded; 0 where they stay loaded.
        denoiser: Of the denoiser, which is among the weights.
    """

    weights: int
    step: int
    decode: int
    pixels: int
    text: int = 0
    denoiser: int = 0

    def held(self, memory: str) -> "Footprint":
        """The same with ``--memory``: ``fp8`` halves the denoiser, ``offload`` leaves it outside."""
        saved = {"fp8": self.denoiser // 2, "offload": self.denoiser}.get(memory, 0)
        return replace(self, weights=self.weights - saved)

    def batch_size(self, free: int, shard_samples: int) -> int:
        """The images that fit beside the weights into free memory at once; 0 where not one does."""
        if self.text > int(free * (1 - KEPT)):
            return 0
        return batch_that_fits(free - self.weights, self.step, self.decode, self.pixels, shard_samples)

    def on_card(self, gigabytes: int, shard_samples: int) -> int:
        """The images that fit an empty card of so many GB at once; 0 where not one does."""
        return self.batch_size(int(gigabytes * GIB * (1 - _BEFORE)), shard_samples)


def batch_that_fits(free: int, step: int, decode: int, pixels: int, shard_samples: int) -> int:
    """The images that are denoised together in what is free once the weights are loaded; 0 where not one fits.

    A tenth stays free, and what decoding takes beside it where more than one image is made. Of the sizes that fit, the
    greatest that divides the shard, so that no batch is padded, unless that is less than half of what fits.

    Args:
        free: Bytes that are free.
        step: Bytes that the denoiser takes for each further image.
        decode: Bytes that the autoencoder takes for an image.
        pixels: Height times width of an image.
        shard_samples: Images of a work shard.
    """
    budget = int(free * (1 - KEPT))
    if max(step, decode) > budget:
        return 0
    together = max(1, _SLICED_ABOVE // max(1, pixels))  # images that are decoded at once, at most
    most = 1
    for batch in range(2, min(MAX_BATCH, shard_samples) + 1):
        decoded = batch if batch <= together else 1
        if batch * step + decoded * decode <= budget:
            most = batch
    return divisor(shard_samples, most)


def divisor(shard_samples: int, most: int) -> int:
    """The greatest size up to a limit that cuts a shard into whole batches, or into nearly equal ones."""
    whole = next(size for size in range(min(most, shard_samples), 0, -1) if shard_samples % size == 0)
    batches = -(-shard_samples // most)
    return whole if 2 * whole >= most else -(-shard_samples // batches)


def step_bytes(denoiser: Mapping[str, Any], pixels: int, factor: int, itemsize: int, *, guided: bool) -> int | None:
    """What a denoiser's activations take for an image; ``None`` for a configuration that says too little.

    Args:
        denoiser: Its ``config.json``.
        pixels: Height times width of the image.
        factor: Pixels of a side to one of the latents'.
        itemsize: Bytes of a number.
        guided: Whether each image is denoised twice, with its prompt and without.
    """
    latents, times = pixels / factor**2, itemsize * (2 if guided else 1)
    widths, blocks = denoiser.get("block_out_channels"), denoiser.get("down_block_types")
    if _numbers(widths) and isinstance(blocks, list) and len(blocks) == len(widths):
        peaks = [
            latents / 4**level * width * (_ATTENDING if "Attn" in str(block) else _CONVOLVING)
            for level, (width, block) in enumerate(zip(widths, blocks, strict=True))
        ]
        return int(max(peaks) * times)
    sizes = [denoiser.get(key) for key in ("num_attention_heads", "attention_head_dim", "patch_size")]
    if not _numbers(sizes):
        return None
    heads, head, patch = sizes
    packed = denoiser.get("in_channels") == 64 and patch == 1  # squares of two by two latents, a channel each
    tokens = latents / (4 if packed else patch**2)
    single = bool(denoiser.get("num_single_layers"))
    alive, tokens = (_SINGLE_STREAM, tokens + _TEXT_TOKENS) if single else (_JOINT, tokens)
    return int(tokens * heads * head * alive * times)


def decode_bytes(autoencoder: Mapping[str, Any], pixels: int, itemsize: int) -> int | None:
    """What an autoencoder's activations take while an image is decoded; ``None`` where its width is not known."""
    widths = autoencoder.get("block_out_channels")
    return int(_DECODING * widths[0] * pixels * itemsize) if _numbers(widths) else None


def _numbers(values: Any) -> TypeGuard[list[int]]:
    return isinstance(values, list) and bool(values) and all(type(one) is int and one > 0 for one in values)
