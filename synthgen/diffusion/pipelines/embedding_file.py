"""The embeddings of all prompts of a run, encoded once, in a file that its workers share.

The text encoders then are needed no more: T5 takes 9 GiB beside Stable Diffusion 3 and Flux. The file is safetensors,
read row by row from where it lies, with a sealed receipt beside it that is written last. What is damaged is made again.
Not a cache of `datasets` or joblib: both pickle.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, cast

from synthgen.core import atomic, locks, seal
from synthgen.core.hashing import sha256_file, stable_hash
from synthgen.diffusion.pipelines.prompt_embeddings import PromptEmbeddings, Row, TextEncodersApart

FOLDER = "prompt_embeddings"
MOST_BYTES = 4 * 2**30
_FORMAT = 1
_log = logging.getLogger(__name__)


class EmbeddingFile(Mapping[str, Row]):
    """The embeddings of texts, read from a safetensors file one at a time.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        from safetensors import safe_open

        self.path = path
        self._open = cast("Any", safe_open(path, "pt"))
        texts = json.loads(self._open.metadata()["texts"])
        self._places = {text: place for place, text in enumerate(texts)}
        self._tensors = {name: self._open.get_slice(name) for name in self._open.keys()}  # noqa: SIM118 - no mapping

    def __getitem__(self, text: str) -> Row:
        place = self._places[text]
        return {name: tensor[place : place + 1][0] for name, tensor in self._tensors.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, text: object) -> bool:
        return text in self._places


@dataclass(frozen=True, slots=True)
class RunPrompts:
    """The prompts of a run, and where their embeddings are kept.

    Attributes:
        root: The run's folder.
        digest: What the prompts follow from; another one where the plan has grown.
        texts: Gives every prompt and negative prompt that is encoded by one model, more than once or not.
    """

    root: Path
    digest: str
    texts: Callable[[], Iterable[str]]

    def fill(self, embeddings: PromptEmbeddings, encoded_by: Mapping[str, Any]) -> None:
        """Give a pipeline the embeddings of all prompts, made where they are not there yet, or not whole.

        Args:
            embeddings: The pipeline's, which encodes what is lacking.
            encoded_by: Everything that decides an embedding beside its text, as plain values.

        Raises:
            InputError: A prompt is longer than the model reads.
        """
        folder = self.root / FOLDER
        path = folder / f"{stable_hash(json.dumps(encoded_by, sort_keys=True)).hex()}.safetensors"
        digest = f"{path} {self.digest}"
        if embeddings.filled_from == digest:
            return
        folder.mkdir(parents=True, exist_ok=True)
        with locks.held(folder / f".{path.stem}.lock"):
            atomic.sweep(folder)
            receipt = _receipt(path)
            there = EmbeddingFile(path) if receipt and _is_whole(path, receipt) else None
            if there is None or receipt.get("plan") != self.digest:
                there = self._made(path, there, receipt, embeddings, encoded_by)
        embeddings.encoded, embeddings.filled_from = there or {}, digest

    def _made(
        self,
        path: Path,
        there: EmbeddingFile | None,
        receipt: Mapping[str, Any],
        embeddings: PromptEmbeddings,
        encoded_by: Mapping[str, Any],
    ) -> EmbeddingFile | None:
        """The file with all prompts in it, written anew; ``None`` where they would take too much room."""
        known: Mapping[str, Row] = there or {}
        texts = sorted({*self.texts(), *known})
        new = [text for text in texts if text not in known]
        rows = chain(((text, known[text]) for text in known), embeddings.encode(new) if new else ())
        columns: dict[str, Any] = {}
        places = {text: place for place, text in enumerate(texts)}
        for text, row in rows:
            if not columns:
                size = len(texts) * sum(value.nbytes for value in row.values())
                if size > MOST_BYTES:
                    self._stay(embeddings, len(texts), size)
                    return None
                columns = {name: value.new_empty((len(texts), *value.shape)) for name, value in row.items()}
            for name, value in row.items():
                columns[name][places[text]] = value
        if not columns:
            return None
        facts = {"plan": self.digest, "texts": len(texts), "encoded_by": dict(encoded_by)}
        sha256 = _write(path, texts, columns, facts)
        if receipt.get("plan") == self.digest and receipt.get("sha256") not in (None, sha256):
            _log.warning(
                "%s: made again, it is not what it was (%s then, %s now): images are equal within a PSNR tolerance",
                path, str(receipt["sha256"])[:12], sha256[:12],
            )  # fmt: skip
        _log.info("%s: %d prompts, %.1f MB; their text encoders are left out", path, len(texts), _size(path) / 1e6)
        return EmbeddingFile(path)

    def _stay(self, embeddings: PromptEmbeddings, count: int, size: int) -> None:
        _log.warning(
            "%d distinct prompts would take %.1f GiB: they are encoded as they come, the text encoders stay loaded",
            count, size / 2**30,
        )  # fmt: skip
        if isinstance(embeddings.encoders, TextEncodersApart):
            embeddings.encoders.stays = True


_run: ContextVar[RunPrompts | None] = ContextVar("run_prompts", default=None)


@contextmanager
def prompts_of(run: RunPrompts | None) -> Iterator[None]:
    """Have every pipeline that is loaded inside take the embeddings of a run's prompts from its file."""
    token = _run.set(run)
    try:
        yield
    finally:
        _run.reset(token)


def current() -> RunPrompts | None:
    """The run whose pipelines are loaded at the moment; ``None`` for none."""
    return _run.get()


def _size(path: Path) -> int:
    return path.stat().st_size


def _receipt(path: Path) -> dict[str, Any]:
    """What a file's receipt says; empty where there is none that is whole."""
    with suppress(OSError, ValueError):
        content = path.with_suffix(".json").read_bytes()
        document = seal.loads(content)
        if not seal.has_changed(content) and document.get("format") == _FORMAT:
            return document
    return {}


def _is_whole(path: Path, receipt: Mapping[str, Any]) -> bool:
    return path.is_file() and sha256_file(path) == receipt.get("sha256")


def _write(path: Path, texts: list[str], columns: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Write the file, and then its receipt; returns the file's sha256, in hex."""
    from safetensors.torch import save_file

    scratch = path.with_name(f".{path.name}.{atomic.owner()}")
    save_file(dict(columns), scratch, {"texts": json.dumps(texts)})
    scratch.chmod(path.parent.stat().st_mode & 0o666)  # safetensors writes for its owner alone
    with scratch.open("rb+") as file:
        os.fsync(file.fileno())
    sha256 = sha256_file(scratch)
    atomic.publish(scratch, path)
    document = {"format": _FORMAT, "file": path.name, "size": _size(path), "sha256": sha256, **facts}
    atomic.write(path.with_suffix(".json"), seal.dumps(document))
    return sha256
