"""The embeddings of all prompts of a run, encoded once, in a file that its workers share.

The text encoders then are needed no more: T5 takes 9 GiB beside Stable Diffusion 3 and Flux. The file is safetensors,
read row by row from where it lies, with a sealed receipt beside it that is written last. What is damaged is made again.
Not a cache of `datasets` or joblib: both pickle.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, cast

from synthgen.core import atomic, locks, seal, weight_file
from synthgen.core.hashing import sha256_file, stable_hash
from synthgen.diffusion.pipelines.prompt_embeddings import (
    PromptEmbeddings,
    Row,
    TextEncodersApart,
    check_lengths,
    encode_rows,
)

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
            UnavailableError: There is no memory to encode prompts.
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
                there = self._brought_up(path, there, receipt, embeddings, encoded_by)
        embeddings.encoded, embeddings.filled_from = there or {}, digest

    def _brought_up(
        self,
        path: Path,
        there: EmbeddingFile | None,
        receipt: Mapping[str, Any],
        embeddings: PromptEmbeddings,
        encoded_by: Mapping[str, Any],
    ) -> EmbeddingFile | None:
        """The file with all prompts of the plan in it; the one that is there where they would take too much room.

        Prompts are counted up to what there is room for, which the size of one row tells; the rest is never looked at.
        Those of an earlier plan stay where there is room for them too.
        """
        verdict = _sealed(_verdict(path))
        if (verdict.get("plan"), verdict.get("most_bytes")) == (self.digest, MOST_BYTES):
            _stay(embeddings, int(verdict["too_many"]))
            return there
        with ExitStack() as encoders:
            pipe, row = None, next(iter(there.values()), None) if there else None
            if row is None:
                first = next(iter(self.texts()), None)
                if first is None:
                    return there
                pipe = encoders.enter_context(embeddings.encoding())
                # by itself and once more below, so that batches are the same, to the bit, whatever text is met first
                check_lengths(pipe, [first])
                ((_, row),) = encode_rows(pipe, [first])
            row_bytes = sum(value.nbytes for value in row.values())
            most = MOST_BYTES // row_bytes
            known: Mapping[str, Row] = there or {}
            own = _distinct(self.texts(), most + 1)
            texts = sorted(own | known.keys() if len(own | known.keys()) <= most else own)
            new = [text for text in texts if text not in known]
            if new:
                pipe = pipe or encoders.enter_context(embeddings.encoding())
                check_lengths(pipe, new)
            if len(texts) > most:
                facts = {"plan": self.digest, "too_many": most, "row_bytes": row_bytes, "most_bytes": MOST_BYTES}
                document = {"format": _FORMAT, **facts, "encoded_by": dict(encoded_by)}
                atomic.write(_verdict(path), seal.dumps(document))
                _stay(embeddings, most)
                return there
            encoded = encode_rows(pipe, new) if new else ()
            columns = _columns(texts, row, chain(((text, known[text]) for text in texts if text in known), encoded))
        facts = {"plan": self.digest, "texts": len(texts), "encoded_by": dict(encoded_by)}
        sha256 = _write(path, texts, columns, facts)
        alike = (receipt.get("plan"), receipt.get("texts")) == (self.digest, len(texts))
        if alike and receipt.get("sha256") not in (None, sha256):
            _log.warning(
                "%s: made again, it is not what it was (%s then, %s now): images are equal within a PSNR tolerance",
                path, str(receipt["sha256"])[:12], sha256[:12],
            )  # fmt: skip
        _log.info("%s: %d prompts, %.1f MB; their text encoders are left out", path, len(texts), _size(path) / 1e6)
        return EmbeddingFile(path)


def _stay(embeddings: PromptEmbeddings, most: int) -> None:
    """Say that prompts are encoded as they come, and leave the text encoders on the device once they are there."""
    _log.warning(
        "more than %d distinct prompts would take more than %.1f GiB: they are encoded as they come, the text "
        "encoders stay loaded", most, MOST_BYTES / 2**30,
    )  # fmt: skip
    if isinstance(embeddings.encoders, TextEncodersApart):
        embeddings.encoders.stays = True


def _distinct(texts: Iterable[str], most: int) -> set[str]:
    """The different ones among texts; no more are looked at once there are so many."""
    found = set[str]()
    for text in texts:
        found.add(text)
        if len(found) == most:
            break
    return found


def _columns(texts: Sequence[str], row: Row, rows: Iterable[tuple[str, Row]]) -> dict[str, Any]:
    """The rows of texts, in any order, as a tensor for each name, in the order of the texts."""
    columns = {name: value.new_empty((len(texts), *value.shape)) for name, value in row.items()}
    places = {text: place for place, text in enumerate(texts)}
    for text, found in rows:
        for name, value in found.items():
            columns[name][places[text]] = value
    return columns


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
    return _sealed(path.with_suffix(".json"))


def _verdict(path: Path) -> Path:
    """Where it says that the prompts of a plan are too many for a file; beside the receipt of one that there may be."""
    return path.with_suffix(".too_many.json")


def _sealed(path: Path) -> dict[str, Any]:
    """What a sealed file says; empty where there is none that is whole."""
    with suppress(OSError, ValueError):
        content = path.read_bytes()
        document = seal.loads(content)
        if not seal.has_changed(content) and document.get("format") == _FORMAT:
            return document
    return {}


def _is_whole(path: Path, receipt: Mapping[str, Any]) -> bool:
    return path.is_file() and sha256_file(path) == receipt.get("sha256")


def _write(path: Path, texts: list[str], columns: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Write the file, and then its receipt; returns the file's sha256, in hex."""
    folder = path.with_name(f".{path.name}.{atomic.owner()}")  # since safetensors writes beside the file, and renames
    folder.mkdir(exist_ok=True)
    scratch = folder / path.name
    try:
        weight_file.save(columns, scratch, {"texts": json.dumps(texts)})
        scratch.chmod(path.parent.stat().st_mode & 0o666)  # safetensors writes for its owner alone
        with scratch.open("rb+") as file:
            os.fsync(file.fileno())
        sha256 = sha256_file(scratch)
        atomic.publish(scratch, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    document = {"format": _FORMAT, "file": path.name, "size": _size(path), "sha256": sha256, **facts}
    atomic.write(path.with_suffix(".json"), seal.dumps(document))
    return sha256
