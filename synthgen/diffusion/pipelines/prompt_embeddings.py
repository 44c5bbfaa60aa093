"""The embeddings of prompts, as each family takes them: one, or one and a pooled one, of one encoder or several."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from synthgen.diffusion.pipelines.families import family
from synthgen.diffusion.pipelines.out_of_memory import no_memory_for_text
from synthgen.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

_BATCH = 16
_CACHED_BYTES = 2**30
_SMALL_BYTES = 2**30

Row = Mapping[str, "Tensor"]
"""The embeddings of one text on the CPU, as of :func:`encode`, without the dimension of texts."""


class TextEncoders(Protocol):
    """A pipeline whose text encoders are ready, as long as a ``with`` lasts."""

    def __call__(self) -> Any:
        """A context manager that gives the pipeline."""


class TextEncodersApart:
    """Text encoders that are read when a text is first asked for, and take a GPU's memory while they encode alone.

    Then they wait in the computer's memory where they are small or were asked for twice, and are let go of otherwise.

    Args:
        read: Reads a pipeline that has them, onto the CPU.
        device: torch's device that they encode on.
        beside: The pipeline whose parts make room for them there; ``None`` for none.

    Attributes:
        stays: Whether they stay on the device, beside that pipeline.
        displaced: Whether that pipeline is, or had to be left, elsewhere than on the device.
    """

    def __init__(self, read: Callable[[], Any], device: str, beside: Any = None) -> None:
        self._read, self._device = read, device
        self._beside = None if device == "cpu" else beside
        self._pipe: Any = None
        self._times = 0
        self.stays = self.displaced = False

    @contextmanager
    def __call__(self) -> Iterator[Any]:
        """The pipeline on its device."""
        apart = None if self.stays else self._beside
        try:
            self._bring(apart)
            yield self._pipe
        except BaseException:
            with suppress(RuntimeError, MemoryError):  # what came first says more
                self._put_back(apart)
            raise
        self._put_back(apart)

    def _bring(self, apart: Any) -> None:
        """Bring the text encoders to the device, in place of what else is there."""
        with _usual_tensors():
            if apart is not None:
                self.displaced = True
                apart.to("cpu", silence_dtype_warnings=True)
            self._pipe = (self._pipe or self._read()).to(self._device)
        self._times += 1

    def _put_back(self, apart: Any) -> None:
        """Leave the device as it was before."""
        import torch

        with _usual_tensors():
            if not self.stays and self._pipe is not None:
                keeps = self._times > 1 or _weights(self._pipe) <= _SMALL_BYTES
                self._pipe = self._pipe.to("cpu") if keeps else None
                if self._device == "cuda":
                    gc.collect()
                    torch.cuda.empty_cache()
            if apart is not None:
                apart.to(self._device)
                self.displaced = False


@contextmanager
def _usual_tensors() -> Iterator[None]:
    """Outside torch's inference mode, in which weights that are moved can be used by nobody else."""
    import torch

    with torch.inference_mode(mode=False):
        yield


def _weights(pipe: Any) -> int:
    """Bytes of all parameters of a pipeline."""
    parts = [part for part in pipe.components.values() if hasattr(part, "parameters")]
    return sum(one.nbytes for part in parts for one in part.parameters())


class PromptEmbeddings:
    """Embeddings of texts for one pipeline: each distinct text is encoded once, in batches of one fixed shape.

    An embedding then depends on its text alone. They are kept on the CPU, at most a GiB of them.

    Args:
        pipe: A diffusers pipeline, which is where they are wanted.
        encoders: Its text encoders, where it has none itself.

    Attributes:
        encoded: What is encoded already, by text.
        encoders: The text encoders.
        filled_from: Where ``encoded`` was read; empty for nowhere.
    """

    def __init__(self, pipe: Any, encoders: TextEncoders | None = None) -> None:
        self._pipe = pipe
        self.encoders: TextEncoders = encoders or _own(pipe)
        self.encoded: Mapping[str, Row] = {}
        self.filled_from = ""
        self._cache: OrderedDict[str, Row] = OrderedDict()

    def __call__(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The embeddings of texts in the text encoders' dtype, as of :func:`encode`.

        Raises:
            InputError: A text is longer than the model reads.
        """
        import torch

        new = [text for text in dict.fromkeys(texts) if text not in self.encoded and text not in self._cache]
        if new:
            self._cache.update(self.encode(new))
        found = [self.encoded[text] if text in self.encoded else self._cache[text] for text in texts]
        while sum(map(_bytes, self._cache.values())) > _CACHED_BYTES:
            self._cache.popitem(last=False)
        return {name: torch.stack([one[name] for one in found]).to(self._pipe._execution_device) for name in found[0]}

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[str, Row]]:
        """Each text with its embeddings, encoded now.

        Raises:
            InputError: A text is longer than the model reads.
            UnavailableError: There is no memory for it.
        """
        with self.encoding() as pipe:
            check_lengths(pipe, texts)
            yield from encode_rows(pipe, texts)

    @contextmanager
    def encoding(self) -> Iterator[Any]:
        """A pipeline whose text encoders are ready, as long as a ``with`` lasts.

        Raises:
            UnavailableError: There is no memory for them.
        """
        with no_memory_for_text(), self.encoders() as pipe:
            yield pipe


def encode_rows(pipe: Any, texts: Sequence[str]) -> Iterator[tuple[str, Row]]:
    """Each text with its embeddings on the CPU, by a pipeline that has text encoders, in batches of one fixed shape."""
    import torch

    for first in range(0, len(texts), _BATCH):
        batch = texts[first : first + _BATCH]
        with torch.inference_mode():
            encoded = encode(pipe, [*batch, *[batch[-1]] * (_BATCH - len(batch))])
        for place, text in enumerate(batch):
            # a copy, since a view of a row would keep the whole batch in memory
            yield text, {name: value[place].cpu().clone() for name, value in encoded.items()}


def _bytes(row: Row) -> int:
    return sum(value.nbytes for value in row.values())


def _own(pipe: Any) -> TextEncoders:
    """The text encoders that a pipeline has itself."""

    @contextmanager
    def ready() -> Iterator[Any]:
        yield pipe

    return ready


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
