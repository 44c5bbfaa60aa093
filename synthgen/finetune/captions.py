"""The prompts that an adapter's images are shown with: the manifest's own templates, a few draws for each image."""

from synthgen import skin_tones
from synthgen.finetune import seeds
from synthgen.manifest import Manifest
from synthgen.real import Source
from synthgen.tunings import Tuning

_DRAWS = 8


def of(manifest: Manifest, tuning: Tuning) -> list[tuple[str, ...]]:
    """The distinct prompts that a few draws give for each image of the pool, a label's new word in place of its own."""
    return [_prompts(manifest, tuning, source, new=True) for source in tuning.pool]


def samples(manifest: Manifest, tuning: Tuning, count: int, *, new: bool) -> list[str]:
    """The prompt of each picture of a grid: labels and skin tones of the pool in turns.

    Args:
        manifest: The manifest.
        tuning: The adapter.
        count: How many.
        new: Whether labels are called by their new words, where the method learns some.
    """
    return [_prompts(manifest, tuning, source, new=new)[0] for source in examples(tuning, count)]


def examples(tuning: Tuning, count: int) -> list[Source]:
    """So many images of the pool, first one of each label and skin tone; the same again where the pool has fewer."""
    first = {(source.label, source.tone): source for source in reversed(tuning.pool)}
    order = [first[cell] for cell in sorted(first)]
    order += [source for source in tuning.pool if first[source.label, source.tone] is not source]
    apart = len(first) / count if count < len(first) else 1  # evenly over the cells where not each gets a picture
    return [order[int(place * apart) % len(order)] for place in range(count)]


def _prompts(manifest: Manifest, tuning: Tuning, source: Source, *, new: bool) -> tuple[str, ...]:
    scale, own = manifest.document.skin_tones.scale, tuning.labels[source.label]
    words = tuning.adapter.word(source.label, own) if new else own
    tone = (scale, source.tone, skin_tones.name(scale, source.tone))
    drawn = (seeds.seed(tuning.adapter.digest, "prompt", source.id, turn) for turn in range(_DRAWS))
    texts = (manifest.prompts.render(source.label, words, tone, one).text for one in drawn)
    return tuple(dict.fromkeys(texts))
