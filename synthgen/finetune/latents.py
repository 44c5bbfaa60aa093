"""The latents of every training image that is shown and the embeddings of its prompts, computed once before training.

An image has ``variants``, each augmented anew and, where the strategy paints, with another mask. The mean and the
deviation of its latents are kept, so each step still draws from the posterior.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synthgen.diffusion import pipelines
from synthgen.finetune import augmentation, step_seeds
from synthgen.finetune.settings import TrainingSettings
from synthgen.plan import skin_tones
from synthgen.plan.adapters import AdapterPlan
from synthgen.plan.manifest import Manifest
from synthgen.plan.real_index import Source
from synthgen.vision.images import untrusted

if TYPE_CHECKING:
    from torch import Tensor

    from synthgen.core.types import Bools, Pixels

_PROMPTS_AN_IMAGE = 8  # drawn, and kept where they differ
_BATCH = 16


def pool_prompts(manifest: Manifest, adapter_plan: AdapterPlan) -> list[tuple[str, ...]]:
    """The prompts of each image of an adapter's pool: the distinct ones of eight draws, a label's new word in them."""
    return [_prompts(manifest, adapter_plan, source, new=True) for source in adapter_plan.pool]


def prompts_of(manifest: Manifest, adapter_plan: AdapterPlan, images: Sequence[Source]) -> list[tuple[str, ...]]:
    """The same of other images of its labels."""
    return [_prompts(manifest, adapter_plan, source, new=True) for source in images]


def grid_prompts(manifest: Manifest, adapter_plan: AdapterPlan, count: int, *, new: bool) -> list[str]:
    """The prompt of each image of a sample grid: labels and skin tones of the pool in turns.

    Args:
        manifest: The manifest.
        adapter_plan: The adapter.
        count: How many.
        new: Whether labels are called by their new words, where the method learns some.
    """
    return [_prompts(manifest, adapter_plan, source, new=new)[0] for source in grid_sources(adapter_plan, count)]


def grid_sources(adapter_plan: AdapterPlan, count: int) -> list[Source]:
    """So many images of the pool, first one of each label and skin tone; the same again where the pool has fewer."""
    first = {(source.label, source.tone): source for source in reversed(adapter_plan.pool)}
    order = [first[cell] for cell in sorted(first)]
    order += [source for source in adapter_plan.pool if first[source.label, source.tone] is not source]
    apart = len(first) / count if count < len(first) else 1  # evenly over the cells where not each gets a picture
    return [order[int(place * apart) % len(order)] for place in range(count)]


def _prompts(manifest: Manifest, adapter_plan: AdapterPlan, source: Source, *, new: bool) -> tuple[str, ...]:
    scale, own = manifest.document.skin_tones.scale, adapter_plan.labels[source.label]
    words = adapter_plan.adapter.word(source.label, own) if new else own
    tone = (scale, source.tone, skin_tones.name(scale, source.tone))
    seeds = (step_seeds.seed(adapter_plan.seed_digest, "prompt", source.id, turn) for turn in range(_PROMPTS_AN_IMAGE))
    about = source.about
    texts = (manifest.prompts.render(source.label, words, tone, seed, about).text for seed in seeds)
    return tuple(dict.fromkeys(texts))


@dataclass(frozen=True)
class TrainingImages:
    """Encoded training images: a row of each tensor is one variant of one image.

    Attributes:
        rows: Where each lies, by its number, ``image * variants + variant``.
        mean: The mean of the latents, as the denoiser takes them, fp32, shape (rows, channels, h, w).
        deviation: Their standard deviation, the same shape.
        masks: 1 where is painted, shape (rows, 1, h, w); ``None`` where nothing is masked.
        masked: The latents of the image with grey under the mask, as ``mean``; ``None`` where no denoiser reads them.
        texts: The prompts of each image.
        variants: How often each image is there.
    """

    rows: Mapping[int, int]
    mean: Tensor
    deviation: Tensor
    masks: Tensor | None
    masked: Tensor | None
    texts: tuple[tuple[str, ...], ...]
    variants: int

    def __len__(self) -> int:
        return len(self.texts)

    def places(self, rows: Sequence[int]) -> list[int]:
        """Where these variants lie in the tensors."""
        return [self.rows[row] for row in rows]


def encode(
    pipe: Any,
    images: Sequence[Callable[[], Pixels]],
    texts: Sequence[tuple[str, ...]],
    settings: TrainingSettings,
    *,
    masked: bool,
    digest: str,
    rows: Collection[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingImages:
    """The variants of images that are shown, encoded.

    Args:
        pipe: The pipeline; its autoencoder is used where it lies.
        images: Reads each image: uint8 RGB, shape (height, width, 3).
        texts: The prompts of each image.
        settings: The method's settings.
        masked: Whether images are masked.
        digest: The adapter's digest, from which all chance follows.
        rows: Which are shown, ``image * variants + variant``; all if left out.
        progress: Told after each batch how many are encoded, of how many; what it raises ends the encoding.
    """
    import torch

    variants = variants_of(settings, masked=masked)
    shown = range(len(images) * variants) if rows is None else sorted(rows)
    reads_mask = masked and pipelines.reads_mask(pipe)
    means, deviations, all_masks, all_masked = list["Tensor"](), list["Tensor"](), list["Tensor"](), list["Tensor"]()
    with torch.inference_mode():
        for pixels, masks in _batches(images, shown, settings, variants, masked=masked, digest=digest):
            mean, deviation = _latents(pipe, pixels / 127.5 - 1)
            means.append(mean)
            deviations.append(deviation)
            if masked:
                all_masks.append(torch.nn.functional.interpolate(masks, size=mean.shape[-2:]))
            if reads_mask:
                all_masked.append(_latents(pipe, (pixels / 127.5 - 1) * (masks < 0.5))[0])
            if progress is not None:
                progress(min(len(means) * _BATCH, len(shown)), len(shown))

    def stacked(parts: list[Tensor]) -> Tensor:  # without what filled the last batch up
        return torch.cat(parts)[: len(shown)].clone()

    return TrainingImages(
        rows={row: place for place, row in enumerate(shown)},
        mean=stacked(means),
        deviation=stacked(deviations),
        masks=stacked(all_masks) if all_masks else None,
        masked=stacked(all_masked) if all_masked else None,
        texts=tuple(texts),
        variants=variants,
    )


def embed(pipe: Any, texts: Sequence[str]) -> dict[str, dict[str, Tensor]]:
    """The embeddings of each distinct text, on the CPU, encoded in batches of one fixed shape."""
    import torch

    new, found = sorted(set(texts)), dict[str, dict[str, "Tensor"]]()
    with torch.inference_mode():
        for first in range(0, len(new), _BATCH):
            batch = new[first : first + _BATCH]
            encoded = pipelines.encode(pipe, [*batch, *[batch[-1]] * (_BATCH - len(batch))])
            for place, text in enumerate(batch):
                found[text] = {name: value[place].to("cpu", copy=True) for name, value in encoded.items()}
    return found


def variants_of(settings: TrainingSettings, *, masked: bool) -> int:
    """How many variants each image has: one where two of them can't differ."""
    changes = masked or settings.random_flip or settings.crop_scale or settings.color_jitter
    return settings.variants if changes else 1


def _batches(
    images: Sequence[Callable[[], Pixels]],
    rows: Sequence[int],
    settings: TrainingSettings,
    variants: int,
    *,
    masked: bool,
    digest: str,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Variants in batches of one fixed shape, the last one padded: pixels from 0 to 255, and masks of 0 and 1."""
    import numpy as np
    import torch

    pixels, masks, side = list["Pixels"](), list["Bools"](), settings.side
    opened, whole = -1, np.empty((0, 0, 3), np.uint8)
    for row in rows:
        image, variant = divmod(row, variants)
        if image != opened:
            opened, whole = image, images[image]()
        rng = step_seeds.generator(digest, "variant", image, variant)
        changed = (
            augmentation.augment(whole, settings, rng) if variants > 1 else untrusted.fit(whole, side, side, "crop")
        )
        pixels.append(changed)
        masks.append(augmentation.draw_mask(side, rng) if masked else np.zeros((side, side), bool))
        if len(pixels) == _BATCH or row == rows[-1]:
            empty = _BATCH - len(pixels)
            yield (
                torch.from_numpy(np.stack(pixels + pixels[-1:] * empty)).permute(0, 3, 1, 2).float(),
                torch.from_numpy(np.stack(masks + masks[-1:] * empty))[:, None].float(),
            )
            pixels, masks = [], []


def _latents(pipe: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the latents of images from -1 to 1, on the CPU."""
    vae = pipe.vae
    posterior = vae.encode(pixels.to(vae.device, vae.dtype)).latent_dist
    shift, scale = getattr(vae.config, "shift_factor", None) or 0.0, vae.config.scaling_factor
    mean = (posterior.mean.float() - shift) * scale
    return mean.cpu(), (posterior.std.float() * scale).cpu()
