"""Scorers: a module here is one thing that can be measured of an image; its name is its name in a manifest.

Each module has:

* a docstring whose first line is its help;
* ``Settings``, a :class:`synthgen.plan.manifest.settings.ScorerSettings`, valid before anything runs;
* ``COLUMNS``, what it measures: names, each with a sentence; and ``TEXTS``, the same for columns of text;
* ``open_scorer(settings, context) -> Scorer``.

Beside them there are scorers of one's own, modules like these or one function each (``_custom.py``), found through
entry points of the group ``synthgen.scorers``, under ``plugins`` of a manifest, or by ``file`` under their name:
docs/plugins/scorer.md.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from synthgen.core import atomic
from synthgen.core.plugins import NAME, FilePlugin, PluginFolder, Promise
from synthgen.errors import InputError
from synthgen.plan.manifest.settings import ScorerSettings
from synthgen.plan.real_index import Source
from synthgen.plan.sample import Record

if TYPE_CHECKING:
    import numpy.typing as npt

    from synthgen.core.types import Floats, Pixels
    from synthgen.vision.features import Backbone


class ScorerFolder(PluginFolder):
    """The scorers there are; one of a single function is made a scorer by the columns that a manifest says it has."""

    def chosen(self, name: str, given: object) -> Any:
        """The module of that name, the file that stands under it, or the function that is installed under it.

        Raises:
            InputError: There is none.
        """
        from synthgen.curate.scorers import _custom

        under = given if isinstance(given, Mapping) else {}
        ready = isinstance(name, FilePlugin) or name in self.files or name in self.built_in()
        if ready or not {"file", "columns"} & set(under):
            module = self.module(name)
            of_settings = getattr(module, "for_settings", None)  # one whose columns its settings say
            return of_settings(under) if of_settings else module
        if not NAME.fullmatch(name) or "-" in name:
            raise InputError(f"`{name}` can't name a scorer; use lower-case letters, digits and underscores")
        if "file" in under:
            return _custom.from_file(str(under["file"]), under.get("columns"))
        return _custom.installed(name, under.get("columns"))

    def hint(self, module: object) -> str:
        """How a single function is named."""
        if inspect.isfunction(module):
            return "a single function is named by `curate.scorers: {NAME: {columns: [...]}}`; "
        if callable(getattr(module, "score", None)):
            return (
                "a file that has just a function `score` is named by "
                "`curate.scorers: {NAME: {file: ..., columns: [...]}}` and not under `plugins`; "
            )
        return ""


plugins = ScorerFolder(
    __name__, Promise({"open_scorer": "settings, context"}, ScorerSettings, values=("COLUMNS", "TEXTS"))
)
Scores = Mapping[str, "Sequence[float] | Sequence[str] | npt.NDArray[Any]"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Images of one work shard.

    Attributes:
        records: Their records.
        pixels: uint8 RGB, shape (n, height, width, 3).
        sha256: Of the work shard that they are all of, in hex; empty for other images.
    """

    records: tuple[Record, ...]
    pixels: Pixels
    sha256: str = ""


@dataclass(frozen=True)
class Context:
    """What a scorer may look at beside the images that it scores.

    Attributes:
        labels: The manifest's labels, in order.
        scale: The manifest's skin-tone scale.
        seed: The manifest's seed.
        sources: The usable real images of all splits.
        read: Reads a real image, uint8 RGB, at the size of the images that are made.
        batches: Reads every image of the run, shard after shard.
        run_digest: Names all images of the run.
        cache: A folder for features.
        base: The manifest's folder, which a file of one's own starts from.
        images: How many images the run has.
        device: What networks compute on: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        words: The words of each label, as prompts use them.
    """

    labels: tuple[str, ...]
    scale: str
    seed: int
    sources: tuple[Source, ...]
    read: Callable[[Source], Pixels]
    batches: Callable[[], Iterator[Batch]]
    run_digest: str
    cache: Path
    base: Path = Path()
    images: int = 0
    device: str = "auto"
    words: Mapping[str, str] = field(default_factory=dict)

    def backbone(self, name: str, revision: str | None = None) -> Backbone:
        """A backbone on the device: in float32 on a CPU, in bfloat16 on a GPU that computes in it.

        Raises:
            UnavailableError: There is no such backbone, or no such device.
        """
        from synthgen.core import devices
        from synthgen.vision import features

        if name == features.GABOR:  # a formula, and no network: torch is not imported for it
            return features.backbone(name)
        kind = devices.available()[0] if self.device == "auto" else devices.describe(self.device).kind
        half = kind == "cuda" and devices.describe(kind).bf16
        return features.backbone(name, revision=revision, device=kind, half=half)

    def features(self, backbone: Backbone, batch: Batch) -> Floats:
        """The features of a batch, float32, shape (n, dim); those of a work shard are computed once for all scorers.

        They are kept on disk by the shard's sha256. Not by :func:`synthgen.vision.features.extract`, whose batches are
        of another shape than a shard, and kernels shift with that: scores that there are would have other last digits.
        """
        import hashlib
        import io
        import zipfile

        import numpy as np

        if not batch.sha256:
            return backbone(batch.pixels)
        folder = self.cache / f"shards-{hashlib.sha256(backbone.digest.encode()).hexdigest()[:32]}"
        path = folder / f"{batch.sha256}.npz"  # a ZIP, which has a checksum of each array
        try:
            with np.load(path, allow_pickle=False) as part:
                kept: Floats = part["features"]
            if kept.shape == (len(batch.records), backbone.dim):
                return kept
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            pass  # not there, or damaged: computed again
        found = backbone(batch.pixels)
        content = io.BytesIO()
        np.savez(content, features=found)
        with contextlib.suppress(OSError):  # of a run that can't be written to, they are computed each time
            folder.mkdir(parents=True, exist_ok=True)
            atomic.write(path, content.getvalue())
        return found

    def split(self, *names: str) -> tuple[Source, ...]:
        """The real images of some splits."""
        return tuple(source for source in self.sources if source.split in names)


def digest(sources: Sequence[Source]) -> str:
    """What real images are told apart by: the sha256, in hex, of what each is and what is said of it."""
    import hashlib

    lines = (f"{one.id}\0{one.sha256}\0{one.split}\0{one.label}\0{one.tone}\n" for one in sources)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Scorer:
    """A scorer that is ready to be loaded.

    Attributes:
        facts: All that its scores depend on beside the image and its record, as plain values; kept with the scores.
        load: Loads it; what it gives takes a batch and returns each column, one value an image.
    """

    facts: Mapping[str, Any]
    load: Callable[[], Callable[[Batch], Scores]]


def code_of(name: str, scorer: Module) -> dict[str, str]:
    """What the code of a scorer of one's own is told apart by; a single function's is among its facts."""
    from synthgen.curate.scorers._custom import Own

    return {} if isinstance(scorer, Own) else plugins.versions(name)


class Module(Protocol):
    """What every scorer is."""

    Settings: type[ScorerSettings]
    COLUMNS: Mapping[str, str]
    TEXTS: Mapping[str, str]

    def open_scorer(self, settings: Any, context: Context) -> Scorer:
        """Make a scorer ready; raises UnavailableError where it can't be had here."""


def module(name: str, settings: ScorerSettings | None = None) -> Module:
    """The scorer of that name, or of the file that its settings name.

    Raises:
        InputError: There is none.
    """
    return cast(Module, plugins.chosen(name, settings.model_dump() if settings else {}))
