"""The embeddings of prompts, as each family takes them: one, or one and a pooled one, of one encoder or several."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from synthgen.diffusion.pipelines.families import family
from synthgen.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

_BATCH = 16
_CACHED = 2048  # texts


class PromptEmbeddings:
    """Embeddings of texts for one pipeline: each distinct text is encoded once, in batches of one fixed shape.

    An embedding then depends on its text alone.

    Args:
        pipe: A diffusers pipeline.
    """

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._cache: OrderedDict[str, dict[str, Tensor]] = OrderedDict()

    def __call__(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The embeddings of texts in the text encoders' dtype, as of :func:`encode`."""
        import torch

        new = [text for text in dict.fromkeys(texts) if text not in self._cache]
        for first in range(0, len(new), _BATCH):
            batch = new[first : first + _BATCH]
            encoded = encode(self._pipe, [*batch, *[batch[-1]] * (_BATCH - len(batch))])
            for place, text in enumerate(batch):
                # a copy, since a view of a row would keep the whole batch in memory
                self._cache[text] = {name: value[place].clone() for name, value in encoded.items()}
        found = [self._cache[text] for text in texts]
        while len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return {name: torch.stack([one[name] for one in found]) for name in found[0]}


def encode(pipe: Any, texts: Sequence[str]) -> dict[str, Tensor]:
    """Embeddings of texts, under the names by which the pipeline takes them.

    Args:
        pipe: A diffusers pipeline.
        texts: The texts.

    Returns:
        ``prompt_embeds``, shape (texts, tokens, width); and for all families but Stable Diffusion 1 and 2
        ``pooled_prompt_embeds``, shape (texts, width).
    """
    device, prompts, plain = pipe.device, list(texts), {"do_classifier_free_guidance": False}
    match family(pipe):
        case "Flux":
            embeds, pooled, _ = pipe.encode_prompt(prompts, None, device=device)
        case "StableDiffusion3":
            embeds, _, pooled, _ = pipe.encode_prompt(prompts, None, None, device=device, **plain)
        case "StableDiffusionXL":
            embeds, _, pooled, _ = pipe.encode_prompt(prompts, device=device, **plain)
        case "StableDiffusion":
            embeds, _ = pipe.encode_prompt(prompts, device, 1, False)
            return {"prompt_embeds": embeds}
    return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}


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
    """How many tokens of a text are read; T5's tokenizer knows no limit, its pipelines read 256 of it or more."""
    return min(int(tokenizer.model_max_length), 256)
