"""Scores a run: each work shard once a scorer, in parts that a kill can't spoil, put together as one file a scorer.

Not ``joblib.Memory``, which pickles: parts are Parquet, named by their shard's sha256 and all that a score depends on.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core import atomic, table_file
from synthgen.core.plugins import takes
from synthgen.curate.scorers import Batch, Context, Module, Scorer, Scores, code_of, module
from synthgen.errors import DamagedError, StoppedError, SynthgenError
from synthgen.plan import Plan, ShardRef
from synthgen.plan.manifest.settings import ScorerSettings
from synthgen.plan.sample import Record
from synthgen.runs import run_folder
from synthgen.runs.receipts import FinishedShard, finished_shards
from synthgen.vision.images import codec

FOLDER = "scores"
_FACTS = "synthgen"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished work shard as scorers see it, without what is set aside.

    Attributes:
        finished: The shard.
    """

    finished: FinishedShard

    @property
    def entry(self) -> str:
        """The entry that it is of."""
        return self.finished.entry.name

    @property
    def number(self) -> int:
        """Its number there."""
        return self.finished.receipt.shard

    @property
    def ref(self) -> ShardRef:
        """Which it is."""
        return ShardRef(self.entry, self.number)

    @property
    def digest(self) -> str:
        """What names its images."""
        return self.finished.digest

    @property
    def images(self) -> int:
        """How many images it holds."""
        return self.finished.count

    def batch(self) -> Batch:
        """The shard's records and pixels.

        Raises:
            DamagedError: It can't be read.
        """
        import numpy as np

        self.finished.check()
        records, pixels = list[Record](), []
        for sample in self.finished.read():
            try:
                records.append(Record.from_json(sample.files["json"]))
                pixels.append(codec.decode(sample.image))
            except (ValueError, LookupError, StopIteration, DamagedError) as error:
                raise DamagedError(f"{self.finished.tar}: {sample.key}: {error}; run `synthgen verify`") from None
        shape = pixels[0].shape if pixels else (1, 1, 3)
        return Batch(tuple(records), np.stack(pixels) if pixels else np.empty((0, *shape), np.uint8), self.digest)


def work_shards(root: Path, plan: Plan) -> Iterator[Shard]:
    """Every finished shard, in the plan's order."""
    yield from map(Shard, finished_shards(plan, root))


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of one work shard are on disk: the scorer, the shard, and how many images."""

    scorer: str
    entry: str
    shard: int
    images: int

    @property
    def ref(self) -> ShardRef:
        """The work shard."""
        return ShardRef(self.entry, self.shard)


class Scoring:
    """One scorer on a run.

    Args:
        name: The scorer.
        settings: Its settings.
        context: What it may look at.
        root: The run.
    """

    def __init__(self, name: str, settings: ScorerSettings, context: Context, root: Path) -> None:
        self.name, self.settings, self._root = name, settings, root
        self._module: Module = module(name, settings)
        self._scorer = _promised(name, self._module.open_scorer(settings, context))
        identity = {
            "scorer": name,
            "settings": settings.model_dump(mode="json"),
            **self._scorer.facts,
            **code_of(name, self._module),
        }
        self.digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self._facts = identity | {"digest": self.digest, "generator": run_folder.signature(root)}
        self._parts = root / FOLDER / ".parts" / f"{name}-{self.digest[:16]}"
        self._whole = set[Path]()

    @property
    def path(self) -> Path:
        """The file of all its scores."""
        return self._root / FOLDER / f"{self.name}.parquet"

    def unscored(self, shards: Sequence[Shard]) -> list[Shard]:
        """The shards that it has not scored yet, or whose scores are damaged."""
        return [shard for shard in shards if not self._is_scored(shard)]

    def _is_scored(self, shard: Shard) -> bool:
        """Whether the part of a shard is there and whole; each is read once."""
        path = self._part(shard)
        if path not in self._whole and path.is_file():
            try:
                _read(path)
            except DamagedError as error:
                _log.warning("scored again: %s", error)
                return False
            self._whole.add(path)
        return path in self._whole

    def score(self, todo: Iterable[Shard], stop: Callable[[], bool]) -> Iterator[Scored]:
        """Score shards; yields each once its part is on disk.

        Raises:
            StoppedError: ``stop`` said so between two shards.
            SynthgenError: The scorer does not give what it promises.
        """
        self._parts.mkdir(parents=True, exist_ok=True)
        atomic.sweep(self._parts)
        score = None
        for shard in todo:
            if stop():
                raise StoppedError("stopped by a signal; run the same command again to go on")
            score = score or self._load()
            batch = shard.batch()
            given = score(batch) if batch.records else {}
            try:
                columns = dict(given)
            except (TypeError, ValueError):
                said = "a mapping from each column to one value an image"
                raise _other(self.name, "what it gives", given, said) from None
            _write(self._part(shard), self._table(batch, columns), {})
            yield Scored(self.name, shard.entry, shard.number, len(batch.records))

    def _load(self) -> Callable[[Batch], Scores]:
        score = self._scorer.load()
        if not callable(score):
            raise _other(self.name, "its `load`", score, "a function from a Batch to its columns")
        return score

    def finish(self, shards: Sequence[Shard]) -> Any:
        """Put the parts of all shards together, write them where that is not done yet, and return the table."""
        images = hashlib.sha256("".join(shard.digest for shard in shards).encode()).hexdigest()
        facts = self._facts | {"images": images}
        if (held := self._held()) is not None and held[1] == facts:
            return held[0]
        _write(self.path, self.table(shards).combine_chunks(), facts)
        return _read(self.path)[0]

    def table(self, shards: Sequence[Shard]) -> Any:
        """The scores of shards that are scored, put together as an Arrow table; nothing is written.

        Raises:
            DamagedError: Those of one can't be read.
        """
        import pyarrow as pa

        return pa.concat_tables([_read(self._part(shard))[0] for shard in shards])

    def _held(self) -> tuple[Any, Mapping[str, Any]] | None:
        try:
            return _read(self.path) if self.path.is_file() else None
        except DamagedError:
            return None  # it is written anew from its parts

    def _part(self, shard: Shard) -> Path:
        return self._parts / f"{shard.entry}-{shard.number:05d}-{shard.digest[:16]}.parquet"

    def _table(self, batch: Batch, columns: Mapping[str, Any]) -> Any:
        import pyarrow as pa

        found = {name: [getattr(record, name) for record in batch.records] for name in ("key", "label", "skin_tone")}
        arrays = {name: pa.array(values, pa.string()) for name, values in found.items()}
        promised = {**self._module.COLUMNS, **self._module.TEXTS}
        if batch.records and set(columns) != set(promised):
            raise SynthgenError(f"scorer {self.name}: gives {', '.join(columns)}; promised are {', '.join(promised)}")
        for name in promised:
            arrays[name] = self._column(name, columns.get(name, []), len(batch.records))
        return pa.table(arrays)

    def _column(self, name: str, values: Any, images: int) -> Any:
        """A column as an Arrow array: float64, or text."""
        import numpy as np
        import pyarrow as pa

        if not hasattr(values, "__len__") or isinstance(values, str):
            raise _other(self.name, f"`{name}`", values, "a list or array of one value an image")
        if len(values) != images:
            raise SynthgenError(f"scorer {self.name}: {len(values)} of {name} for {images} images")
        text = name in self._module.TEXTS
        try:
            return pa.array(list(values), pa.string()) if text else pa.array(np.asarray(values, np.float64))
        except (TypeError, ValueError, pa.ArrowException):
            strange = next((one for one in values if one is not None and isinstance(one, str) is not text), values)
            said = "text, as for all of `TEXTS`" if text else "numbers; a column of text belongs in `TEXTS`"
            raise _other(self.name, f"`{name}`", strange, said) from None


def _promised(name: str, opened: Any) -> Scorer:
    """What a scorer's ``open_scorer`` gave, if it is a scorer that can be loaded; a scorer may be anybody's."""
    if not isinstance(opened, Scorer):
        raise _other(name, "`open_scorer`", opened, "a Scorer(facts, load)")
    try:
        json.dumps(dict(opened.facts), sort_keys=True)
    except (TypeError, ValueError) as error:
        raise SynthgenError(f"scorer `{name}`: its `facts`: {error}; promised is a mapping of plain values") from None
    if not callable(opened.load) or not takes(opened.load, ""):
        said = "a function of no argument that gives the one that scores, as `lambda: score`"
        raise _other(name, "`load`", opened.load, said)
    return opened


def _other(scorer: str, what: str, given: object, promised: str) -> SynthgenError:
    kind = type(given).__name__
    call = f" `{given.__name__}{inspect.signature(given)}`" if inspect.isfunction(given) else ""
    return SynthgenError(f"scorer `{scorer}`: {what} is a {kind}{call}; promised is {promised}")


def _write(path: Path, table: Any, facts: Mapping[str, Any]) -> None:
    table_file.write(path, table, {_FACTS: json.dumps(facts, sort_keys=True)}, sealed=True)


def _read(path: Path) -> tuple[Any, Mapping[str, Any]]:
    with table_file.reading(path, "scores can't be read", "remove it and run `synthgen curate`"):
        table, said = table_file.read(path)
        return table, json.loads(said[_FACTS])
