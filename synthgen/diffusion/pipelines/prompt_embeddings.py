"""Prompts as each family of models reads them: one embedding, or one and a pooled one, of one encoder or several."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from synthgen.errors import InputError

_BATCH = 16
_KEPT = 2048


class Embeddings:
    """Embeddings of texts for one pipeline: each distinct text is encoded once, in batches of one fixed shape.

    An embedding then depends on its text alone.

    Args:
        pipe: A diffusers pipeline.
    """

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._kept: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def __call__(self, texts: Sequence[str]) -> dict[str, Any]:
        """The embeddings of texts in the text encoders' dtype, as of :func:`encode`."""
        import torch

        new = [text for text in dict.fromkeys(texts) if text not in self._kept]
        for first in range(0, len(new), _BATCH):
            batch = new[first : first + _BATCH]
            encoded = encode(self._pipe, [*batch, *[batch[-1]] * (_BATCH - len(batch))])
            for place, text in enumerate(batch):
                # a copy, since a view of a row would keep the whole batch in memory
                self._kept[text] = {name: value[place].clone() for name, value in encoded.items()}
        found = [self._kept[text] for text in texts]
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return {name: torch.stack([one[name] for one in found]) for name in found[0]}


def encode(pipe: Any, texts: Sequence[str]) -> dict[str, Any]:
    """Embeddings of texts, under the names by which the pipeline takes them.

    Args:
        pipe: A diffusers pipeline.
        texts: The texts.

    Returns:
        ``prompt_embeds``, shape (texts, tokens, width); and for all families but Stable Diffusion 1 and 2
        ``pooled_prompt_embeds``, shape (texts, width).
    """
    kind, device, prompts = type(pipe).__name__, pipe.device, list(texts)
    if kind.startswith("Flux"):
        embeds, pooled, _ = pipe.encode_prompt(prompts, None, device=device)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
    if kind.startswith("StableDiffusion3"):
        embeds, _, pooled, _ = pipe.encode_prompt(prompts, None, None, device=device, do_classifier_free_guidance=False)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
    if kind.startswith("StableDiffusionXL"):
        embeds, _, pooled, _ = pipe.encode_prompt(prompts, device=device, do_classifier_free_guidance=False)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}
    embeds, _ = pipe.encode_prompt(prompts, device, 1, False)
    return {"prompt_embeds": embeds}


def check_lengths(pipe: Any, texts: Iterable[str]) -> None:
    """Refuse what a text encoder would cut off: the skin tone is often last.

    Raises:
        InputError: A text has more tokens than the encoder with the longest window reads.
    """
    named = [getattr(pipe, name, None) for name in ("tokenizer", "tokenizer_2", "tokenizer_3")]
    tokenizer = max((one for one in named if one is not None), key=_window)
    expand = getattr(pipe, "maybe_convert_prompt", lambda text, _: text)  # a learned token may stand for several
    for text in sorted(texts):
        tokens = len(tokenizer(expand(text, tokenizer), truncation=False, verbose=False).input_ids)
        if tokens > _window(tokenizer):
            raise InputError(
                f"prompt of {tokens} tokens, the model reads {_window(tokenizer)} "
                f"and would drop the rest; shorten it: {text}"
            )


def _window(tokenizer: Any) -> int:
    """How many tokens are read of a text; T5's tokenizer knows no limit, its pipelines read 256 of it or more."""
    return min(int(tokenizer.model_max_length), 256)
