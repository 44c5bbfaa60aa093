"""Prompts of any pipeline, encoded once a text: what its own ``encode_prompt`` says of each, joined to a batch.

A pipeline then is called with plain texts, whatever its embeddings are: one tensor or several, with masks, or lists.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from synthgen.diffusion.pipelines.latents import denoiser
from synthgen.diffusion.pipelines.out_of_memory import no_memory_for_text
from synthgen.errors import InputError

if TYPE_CHECKING:
    import torch

_CACHED = 2048  # texts
_SHORT, _LONG = "a", "a picture of a picture of a picture"
_FILLER = "a " * 1024  # fills the window of a text encoder, which cuts the rest off


class PromptRows:
    """Takes the place of a pipeline's ``encode_prompt``: each text is encoded by itself, once, and then kept.

    So what a prompt is encoded to depends on its text alone, in its shape too: where that follows the longest text of a
    batch, each is encoded beside one that fills the encoder's window.

    Args:
        pipe: A diffusers pipeline.
    """

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._encode = pipe.encode_prompt
        self._signature = inspect.signature(self._encode)
        self._kept: OrderedDict[Any, tuple[Any, ...]] = OrderedDict()
        self._shapes: dict[str, _Shape] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What ``encode_prompt`` gives for a batch of texts; called as that is.

        Raises:
            InputError: A text is longer than any of the text encoders reads.
            UnavailableError: There is no memory to encode it.
        """
        given = self._given(args, kwargs)
        texts = given.get("prompt")
        if texts is None or given.get("prompt_embeds") is not None:
            return self._encode(*args, **kwargs)
        texts = [texts] if isinstance(texts, str) else list(texts)
        by_row = {"prompt": texts}
        for name, value in given.items():
            if name.startswith("negative_prompt") and isinstance(value, str):
                by_row[name] = [value] * len(texts)
            elif name.startswith(("prompt", "negative_prompt")) and _are_texts(value, len(texts)):
                by_row[name] = list(value)
        rest = {name: value for name, value in given.items() if name not in by_row}
        key = repr(sorted((name, repr(value)) for name, value in rest.items()))
        shape = self._shape(key, by_row, rest)
        rows = [
            self._row(shape, key, {name: values[place] for name, values in by_row.items()}, rest)
            for place in range(len(texts))
        ]
        while len(self._kept) > _CACHED:
            self._kept.popitem(last=False)
        columns = zip(*rows, strict=True)
        joined = tuple(self._joined(parts, batched) for parts, batched in zip(columns, shape.batched, strict=True))
        return joined if shape.several else joined[0]

    def _given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name, defaults among them."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = dict(bound.arguments)
        for name, parameter in self._signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                given |= given.pop(name, {})
        return given

    def _shape(self, key: str, by_row: Mapping[str, Sequence[str]], rest: Mapping[str, Any]) -> _Shape:
        """How the answer to a call is laid out, asked once for each kind of call."""
        if key not in self._shapes:
            short, longer, two = (
                self._encode(**{name: list(texts) for name in by_row}, **rest)
                for texts in ([_SHORT], [_LONG], [_SHORT, _LONG])
            )
            self._shapes[key] = _Shape.found(short, longer, two)
        return self._shapes[key]

    def _row(self, shape: _Shape, key: str, texts: Mapping[str, str], rest: Mapping[str, Any]) -> tuple[Any, ...]:
        """The parts of the answer for one row of a batch."""
        place = (key, *texts.items())
        if place not in self._kept:
            beside = [_FILLER] if shape.ragged else []
            with _refusing_to_cut(self._pipe, texts.values()), no_memory_for_text():
                found = _parts(self._encode(**{name: [text, *beside] for name, text in texts.items()}, **rest))
            if shape.ragged:
                _refuse_full(found, shape.batched, texts["prompt"])
            self._kept[place] = tuple(
                _first(part) if batched else part for part, batched in zip(found, shape.batched, strict=True)
            )
        return self._kept[place]

    def _joined(self, parts: Sequence[Any], batched: bool) -> Any:
        """A part of the rows' answers as one batch's, in the dtype that the denoiser computes in."""
        import torch

        first = next((part for part in parts if part is not None), None)
        if not batched or first is None:
            return _brought(first, denoiser(self._pipe).dtype)
        if isinstance(first, torch.Tensor):
            whole = [torch.ones_like(first) if part is None else part for part in parts]  # a mask that hides nothing
            return _brought(torch.cat(whole), denoiser(self._pipe).dtype)
        return [_brought(one, denoiser(self._pipe).dtype) for part in parts for one in part]


class _Shape:
    """How an answer of ``encode_prompt`` is laid out.

    Attributes:
        several: Whether it has several parts, or is one.
        batched: For each part whether it has a row a text.
        ragged: Whether the shape of a row follows the longest text beside it.
    """

    def __init__(self, several: bool, batched: tuple[bool, ...], ragged: bool) -> None:
        self.several, self.batched, self.ragged = several, batched, ragged

    @classmethod
    def found(cls, short: Any, longer: Any, two: Any) -> _Shape:
        """The layout, of the answers for a short text, for a longer one, and for both."""
        pairs = list(zip(_parts(short), _parts(two), strict=True))
        batched = tuple(_rows(both) == 2 and (one is None or _rows(one) == 1) for one, both in pairs)
        sizes = zip(_parts(short), _parts(longer), batched, strict=True)
        ragged = any(
            rows and hasattr(one, "shape") and getattr(other, "shape", None) != one.shape for one, other, rows in sizes
        )
        return cls(isinstance(short, tuple | list), batched, ragged)


def _parts(answer: Any) -> tuple[Any, ...]:
    return tuple(answer) if isinstance(answer, tuple | list) else (answer,)


def _rows(part: Any) -> int:
    """How many rows a part of an answer has; 0 for one without."""
    if getattr(part, "ndim", 0):
        return int(part.shape[0])
    return len(part) if isinstance(part, list) else 0


def _first(part: Any) -> Any:
    """The first row of a part, as a copy: a view would keep the others in memory."""
    if part is None or isinstance(part, list):
        return part and part[:1]
    return part[:1].clone()


def _brought(part: Any, dtype: torch.dtype) -> Any:
    """Numbers in a dtype; masks, places and what is no tensor as they are."""
    return part.to(dtype) if getattr(part, "is_floating_point", lambda: False)() else part


def _are_texts(value: Any, count: int) -> bool:
    return isinstance(value, list | tuple) and len(value) == count and all(isinstance(one, str) for one in value)


def _refuse_full(parts: Sequence[Any], batched: Sequence[bool], text: str) -> None:
    """Refuse a text that fills the window of a pipeline which cuts embeddings, not tokens: more than that is dropped.

    Raises:
        InputError: No mask says that a part of the window is empty.
    """
    rows = [part for part, there in zip(parts, batched, strict=True) if there]
    masks = [part for part in rows if part is None or not getattr(part, "is_floating_point", lambda: True)()]
    if masks and all(mask is None or bool(mask[0].all()) for mask in masks):
        window = next(int(part.shape[1]) for part in rows if getattr(part, "ndim", 0) > 1)
        raise _too_long(f"{window} or more", window, text)


def _too_long(tokens: str, window: int, text: str) -> InputError:
    said = f"prompt of {tokens} tokens, the model reads {window} and would drop the rest; shorten it: {text}"
    return InputError(said)


@contextmanager
def _refusing_to_cut(pipe: Any, texts: Collection[str]) -> Iterator[None]:
    """Refuse a text that all tokenizers cut off that see it: the skin tone is often last.

    What is counted is what a tokenizer is given, the words of a chat's template among it.

    Raises:
        InputError: All of them did.
    """
    seen: dict[str, list[tuple[int, int]]] = {}
    tokenizers = {id(one): one for name, one in pipe.components.items() if name.startswith("tokenizer") and one}
    usual = {place: type(one) for place, one in tokenizers.items()}
    for place, one in tokenizers.items():
        one.__class__ = _noting(usual[place], seen)
    try:
        yield
    finally:
        for place, one in tokenizers.items():
            one.__class__ = usual[place]
    for text, counts in seen.items():
        if all(tokens > window for tokens, window in counts):
            tokens, window = max(counts, key=lambda count: count[1])
            raise _too_long(f"{tokens}", window, next((one for one in texts if one and one in text), text))


def _noting(kind: type, seen: dict[str, list[tuple[int, int]]]) -> type:
    """A tokenizer's class that notes of the first text of each call its tokens, and how many were asked for."""

    def __call__(self: Any, text: Any = None, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - is that method
        first = text[0] if isinstance(text, list | tuple) and text else text
        if kwargs.get("truncation") and isinstance(first, str) and _FILLER not in first:
            tokens = len(kind.__call__(self, first, truncation=False, verbose=False)["input_ids"])
            window = int(kwargs.get("max_length") or self.model_max_length)
            seen.setdefault(first, []).append((tokens, window))
        return kind.__call__(self, text, *args, **kwargs)

    return type(kind.__name__, (kind,), {"__call__": __call__, "__module__": kind.__module__})
