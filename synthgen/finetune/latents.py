"""What a training shows its model: every image's latents and every prompt's embeddings, computed once.

An image is encoded ``variants`` times, each time augmented anew and, where the strategy paints, with another mask. The
mean and the deviation of its latents are kept, so each step still draws from the posterior.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthgen.diffusion import pipelines
from synthgen.finetune import augmentation, step_seeds

if TYPE_CHECKING:
    from synthgen.core.types import Pixels

from synthgen.plan import skin_tones
from synthgen.plan.adapters import AdapterPlan
from synthgen.plan.manifest import Manifest
from synthgen.plan.real_index import Source

_DRAWS = 8


def of(manifest: Manifest, tuning: AdapterPlan) -> list[tuple[str, ...]]:
    """The distinct prompts that a few draws give for each image of the pool, a label's new word in place of its own."""
    return [_prompts(manifest, tuning, source, new=True) for source in tuning.pool]


def samples(manifest: Manifest, tuning: AdapterPlan, count: int, *, new: bool) -> list[str]:
    """The prompt of each picture of a grid: labels and skin tones of the pool in turns.

    Args:
        manifest: The manifest.
        tuning: The adapter.
        count: How many.
        new: Whether labels are called by their new words, where the method learns some.
    """
    return [_prompts(manifest, tuning, source, new=new)[0] for source in examples(tuning, count)]


def examples(tuning: AdapterPlan, count: int) -> list[Source]:
    """So many images of the pool, first one of each label and skin tone; the same again where the pool has fewer."""
    first = {(source.label, source.tone): source for source in reversed(tuning.pool)}
    order = [first[cell] for cell in sorted(first)]
    order += [source for source in tuning.pool if first[source.label, source.tone] is not source]
    apart = len(first) / count if count < len(first) else 1  # evenly over the cells where not each gets a picture
    return [order[int(place * apart) % len(order)] for place in range(count)]


def _prompts(manifest: Manifest, tuning: AdapterPlan, source: Source, *, new: bool) -> tuple[str, ...]:
    scale, own = manifest.document.skin_tones.scale, tuning.labels[source.label]
    words = tuning.adapter.word(source.label, own) if new else own
    tone = (scale, source.tone, skin_tones.name(scale, source.tone))
    drawn = (step_seeds.seed(tuning.adapter.digest, "prompt", source.id, turn) for turn in range(_DRAWS))
    texts = (manifest.prompts.render(source.label, words, tone, one).text for one in drawn)
    return tuple(dict.fromkeys(texts))


_BATCH = 16


@dataclass(frozen=True)
class Material:
    """Images as a training shows them; row ``image * variants + variant`` of each tensor is one variant of one image.

    Attributes:
        mean: The mean of the latents, as the denoiser takes them, fp32, shape (rows, channels, h, w).
        deviation: Their standard deviation, the same shape.
        masks: 1 where is painted, shape (rows, 1, h, w); ``None`` where nothing is masked.
        masked: The latents of the image with grey under the mask, as ``mean``; ``None`` where no denoiser reads them.
        texts: The prompts of each image.
        variants: How often each image is there.
    """

    mean: Any
    deviation: Any
    masks: Any
    masked: Any
    texts: tuple[tuple[str, ...], ...]
    variants: int

    def __len__(self) -> int:
        return len(self.texts)


def encode(
    pipe: Any,
    images: Sequence[Callable[[], Pixels]],
    texts: Sequence[tuple[str, ...]],
    settings: Any,
    *,
    masked: bool,
    digest: str,
) -> Material:
    """Encode every variant of every image.

    Args:
        pipe: The pipeline; its autoencoder is used where it lies.
        images: Reads each image: uint8 RGB, shape (height, width, 3).
        texts: The prompts of each image.
        settings: The method's settings.
        masked: Whether images are masked.
        digest: The adapter's digest, from which all chance follows.
    """
    import torch

    variants = settings.variants if masked or _changes(settings) else 1
    reads_mask = masked and pipelines.reads_mask(pipe)
    found: dict[str, list[Any]] = {"mean": [], "deviation": [], "masks": [], "masked": []}
    with torch.inference_mode():
        for pixels, masks in _batches(images, settings, variants, masked=masked, digest=digest):
            mean, deviation = _latents(pipe, pixels / 127.5 - 1)
            found["mean"].append(mean)
            found["deviation"].append(deviation)
            if masked:
                small = torch.nn.functional.interpolate(masks, size=mean.shape[-2:])
                found["masks"].append(small)
            if reads_mask:
                found["masked"].append(_latents(pipe, (pixels / 127.5 - 1) * (masks < 0.5))[0])
    rows = len(images) * variants
    stacked = {name: torch.cat(parts)[:rows].clone() if parts else None for name, parts in found.items()}
    return Material(texts=tuple(texts), variants=variants, **stacked)


def embed(pipe: Any, texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The embeddings of each distinct text, encoded in batches of one fixed shape."""
    import torch

    new, found = sorted(set(texts)), {}
    with torch.inference_mode():
        for first in range(0, len(new), _BATCH):
            batch = new[first : first + _BATCH]
            encoded = pipelines.encode(pipe, [*batch, *[batch[-1]] * (_BATCH - len(batch))])
            for place, text in enumerate(batch):
                found[text] = {name: value[place].clone() for name, value in encoded.items()}
    return found


def _changes(settings: Any) -> bool:
    """Whether two variants of an image can differ."""
    return bool(settings.random_flip or settings.crop_scale or settings.color_jitter)


def _batches(
    images: Sequence[Callable[[], Pixels]], settings: Any, variants: int, *, masked: bool, digest: str
) -> Iterator[tuple[Any, Any]]:
    """All variants in batches of one fixed shape, the last one padded: pixels from 0 to 255, and masks of 0 and 1."""
    import numpy as np
    import torch

    pixels, masks = list[Any](), list[Any]()
    total, side = len(images) * variants, settings.resolution
    whole: Any = None
    for row in range(total):
        image, variant = divmod(row, variants)
        whole = images[image]() if variant == 0 else whole
        rng = step_seeds.generator(digest, "variant", image, variant)
        changed = augmentation.augment(whole, settings, rng) if variants > 1 else _plain(whole, settings)
        pixels.append(changed)
        masks.append(augmentation.draw_mask(side, rng) if masked else np.zeros((side, side), bool))
        if len(pixels) == _BATCH or row == total - 1:
            empty = _BATCH - len(pixels)
            stacked = [np.stack([*rows, *[rows[-1]] * empty]) for rows in (pixels, masks)]
            yield (
                torch.from_numpy(stacked[0]).permute(0, 3, 1, 2).float(),
                torch.from_numpy(stacked[1])[:, None].float(),
            )
            pixels, masks = [], []


def _plain(pixels: Pixels, settings: Any) -> Pixels:
    from synthgen.vision.images import untrusted

    return untrusted.fit(pixels, settings.resolution, settings.resolution, "crop")


def _latents(pipe: Any, pixels: Any) -> tuple[Any, Any]:
    """Mean and deviation of the latents of images from -1 to 1, on the CPU."""
    vae = pipe.vae
    posterior = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist
    shift, scale = getattr(vae.config, "shift_factor", None) or 0.0, vae.config.scaling_factor
    mean = (posterior.mean.float() - shift) * scale
    return mean.cpu(), (posterior.std.float() * scale).cpu()
