"""What a user names by its folder: a run, or a packed dataset; opened by :func:`open_folder`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.core import adapter_folder
from synthgen.core.devices import Environment
from synthgen.errors import IncompleteError, InputError, UnavailableError
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.sample import Record, Sample, field_types
from synthgen.runs import dataset_folder, run_folder, set_aside, start_images, stored_images, tar_samples, verdicts
from synthgen.runs.own_files import own_file
from synthgen.runs.receipts import FinishedShard, Ledger, check_tar, finished_shards, kept, shards_digest
from synthgen.runs.start_images import StartImages
from synthgen.runs.stored_images import Location
from synthgen.runs.tar_samples import TarSample
from synthgen.runs.verdicts import Verdict
from synthgen.vision.images import codec

if TYPE_CHECKING:
    import pandas
    import pyarrow
    from PIL import Image

NEITHER = "neither a run (run.json) nor a packed dataset (provenance.json)"


class _Folder(ABC):
    """A folder of generated images, whichever way they are stored.

    Args:
        root: The folder.
        extensions: The plug-ins there are.
    """

    root: Path

    def __init__(self, root: Path, extensions: Extensions) -> None:
        self.root = root
        self.extensions = extensions

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    @cached_property
    @abstractmethod
    def plan(self) -> Plan:
        """Its plan, read once.

        Raises:
            InputError: Its manifest can't be read any more.
        """

    @abstractmethod
    def sha256s(self) -> Mapping[Path, str]:
        """The sha256 of each file that holds its images, or lists them, as its receipt or provenance has it."""

    def set_aside(self) -> Mapping[Path, frozenset[str]]:
        """The keys of the samples in each file that count no more, where there are any."""
        return {}

    @property
    def shards(self) -> Sequence[Path]:
        """The files that hold its images, or list them, in their order."""
        return list(self.sha256s())

    @property
    def adapters(self) -> Mapping[str, frozenset[str] | None]:
        """The ids of the real images that each adapter was trained on, by what records call it; ``None``: unknown."""
        return adapter_folder.pools(self.root)

    def records(self) -> Iterator[Record]:
        """The record of every image that there is; of a run that is not finished, of those made so far.

        Raises:
            DamagedError: A shard can't be read.
        """
        yield from (record for record, _ in self.located(partial=True))

    def images(self) -> Iterator[tuple[Record, Image.Image]]:
        """Every image that there is with its record, decoded one at a time, as PIL's RGB images.

        Raises:
            DamagedError: A shard can't be read.
        """
        from PIL import Image

        aside = self.set_aside()
        for shard, sha256 in self.sha256s().items():
            check_tar(shard, sha256)
            for stored in kept(dataset_folder.read_shard(shard), aside.get(shard, ())):
                record = stored_images.record_of(shard, stored)
                yield record, Image.fromarray(codec.decode(stored_images.image_of(shard, stored, record)))

    def located(self, *, partial: bool = False) -> Iterator[tuple[Record, Location]]:
        """The record of every image and where it lies, none of them decoded; of tars the records alone are read.

        Args:
            partial: Whether a run may lack work shards.

        Raises:
            IncompleteError: Work shards of a run are missing.
            DamagedError: A shard can't be read.
        """
        shards, aside = self.sha256s(), self.set_aside()
        if not partial:
            self._check_whole(len(shards))
        for shard, sha256 in shards.items():
            check_tar(shard, sha256)
            gone = aside.get(shard, ())
            yield from ((record, place) for record, place in stored_images.located(shard) if place.key not in gone)

    def to_pandas(self) -> pandas.DataFrame:
        """A table with a row an image: the fields of its record and, of a run, its verdict and its scores.

        Of a dataset there are the columns ``split``, ``shard`` and ``offset`` as well, which say where the image lies.
        Verdicts are the columns ``accepted`` and ``reasons``, scores those that rules name, as ``quality.sharpness``.

        Raises:
            UnavailableError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError:
            raise UnavailableError("to_pandas: pandas is not installed; pip install pandas") from None
        names = list(field_types())
        rows = ([getattr(record, name) for name in names] for record in self.records())
        table = pd.DataFrame(rows, columns=names)
        judged = {one.key: one for one in self.verdicts()}
        if judged:
            found = [judged.get(key) for key in table["key"]]
            table["accepted"] = pd.array([one.accepted if one else None for one in found], dtype="boolean")
            table["reasons"] = ["; ".join(one.reasons) if one else "" for one in found]
        for scorer, scores in self.scores().items():
            columns = scores.drop_columns([name for name in ("label", "skin_tone") if name in scores.column_names])
            columns = columns.to_pandas().set_index("key").add_prefix(f"{scorer}.")
            table = table.join(columns, on="key")
        if places := self._places():
            table = table.join(pd.DataFrame(places).set_index("key"), on="key")
        return table

    def _places(self) -> list[dict[str, Any]]:
        """Where each image of a packed dataset lies, as its metadata say."""
        return []

    @abstractmethod
    def verdicts(self) -> Iterator[Verdict]:
        """What was decided on each image by the last ``curate``, in the plan's order."""

    @abstractmethod
    def scores(self) -> Mapping[str, pyarrow.Table]:
        """The scores of each scorer that has finished, by its name: a row an image, with its ``key``."""

    @abstractmethod
    def stored(self, key: str) -> tuple[TarSample, Environment]:
        """The stored image of that key, and the environment that it was made in.

        Raises:
            InputError: There is none.
        """

    @abstractmethod
    def start_images(self, samples: Iterable[Sample], photographs: Path | None = None) -> StartImages:
        """What finds the images that some samples of the plan start from."""

    @abstractmethod
    def _check_whole(self, shards: int) -> None:
        """Raise IncompleteError where so many shards are not all that there are to be."""


class Run(_Folder):
    """A run: the folder that ``generate`` makes, with work shards and their receipts, scores and verdicts.

    Args:
        root: The folder.
        extensions: The plug-ins there are.
        plan: Its plan, where it is known already; read from ``run.json`` otherwise, when it is first asked for.

    Attributes:
        root: The folder.
    """

    def __init__(self, root: Path, extensions: Extensions, plan: Plan | None = None) -> None:
        super().__init__(root, extensions)
        if plan is not None:
            self.__dict__["plan"] = plan

    @cached_property
    def plan(self) -> Plan:
        """The plan that it follows, read once, what was topped up included.

        Raises:
            InputError: Its manifest can't be read any more.
            PlanMismatchError: This version of synthgen plans other images from it.
        """
        return run_folder.read_plan(self.root, self.extensions)

    def finished_shards(self) -> Iterator[FinishedShard]:
        """Each work shard that is finished, with its receipt, in the plan's order."""
        return finished_shards(self.plan, self.root)

    def sha256s(self) -> Mapping[Path, str]:
        """The sha256 of the tar of each finished work shard, in the plan's order."""
        return {shard.tar: shard.receipt.sha256 for shard in self.finished_shards()}

    def set_aside(self) -> Mapping[Path, frozenset[str]]:
        """The keys of the samples in each work shard that its plan has no more, where there are any."""
        return {shard.tar: shard.aside for shard in self.finished_shards() if shard.aside}

    @property
    def digest(self) -> str:
        """The sha256, in hex, over its finished work shards, as verdicts name the run that they are of."""
        return shards_digest(shard.digest for shard in self.finished_shards())

    @property
    def failed(self) -> int:
        """How many images could not be made, as receipts say."""
        return sum(shard.failed for shard in self.finished_shards())

    def verdicts(self) -> Iterator[Verdict]:
        """What was decided on each image by the last ``curate``, in the plan's order; nothing before the first.

        Nothing of an image that was set aside since, or that took the place of such a one.

        Raises:
            DamagedError: They can't be read.
        """
        judged_before = self._judged_before
        return (verdict for verdict in verdicts.read(self.root) if verdict.key not in judged_before)

    def scores(self) -> Mapping[str, pyarrow.Table]:
        """The scores of each scorer that has finished, by its name: a row an image, with its ``key``.

        Nothing of an image that was set aside since, or that took the place of such a one.

        Raises:
            DamagedError: They can't be read.
        """
        found = verdicts.read_scores(self.root)
        if not (judged_before := self._judged_before):
            return found
        return {
            name: table.filter([key not in judged_before for key in table["key"].to_pylist()])
            for name, table in found.items()
        }

    @property
    def _judged_before(self) -> frozenset[str]:
        """The keys of images that are set aside, where the run was last judged with them in it."""
        aside = frozenset(row.key for row in set_aside.read(self.root))
        judged = verdicts.read_summary(self.root) if aside else None
        return aside if judged and judged.run != self.digest else frozenset()

    def stored(self, key: str) -> tuple[TarSample, Environment]:
        """The stored image of that key, and the environment that it was made in.

        Raises:
            InputError: The plan has no such image, or it is not made yet, or could not be made.
        """
        sample = self.plan.find(key)
        if sample is None:
            raise InputError(f"{self.root}: the plan has no image `{key}`")
        entry = self.plan.entries[sample.recipe.entry]
        ledger, number = Ledger(self.root, entry.name, entry.digest_of), entry.shard_of(sample.index)
        receipt = ledger.trusted(number)
        if receipt is None:
            raise InputError(f"{self.root}: the shard of `{key}` is not made yet, or damaged")
        check_tar(ledger.tar(number), receipt.sha256)
        for stored in tar_samples.read(ledger.tar(number)):
            if stored.key == key:
                return stored, Environment(**receipt.environment)
        raise InputError(f"{self.root}: `{key}` could not be made; its receipt says why")

    def start_images(self, samples: Iterable[Sample], photographs: Path | None = None) -> StartImages:
        """What finds the images that some samples of the plan start from."""
        return start_images.of_run(self.plan, self.root, photographs)

    def _check_whole(self, shards: int) -> None:
        if shards < self.plan.shards:
            raise IncompleteError(
                f"{self.root}: {self.plan.shards - shards} of {self.plan.shards} work shards are missing or damaged; "
                "run `synthgen generate` again"
            )


class Dataset(_Folder):
    """A packed dataset: the folder that ``pack`` makes, of what was accepted alone.

    Args:
        root: The folder.
        extensions: The plug-ins there are.

    Attributes:
        root: The folder.
    """

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """How it was made, and the sha256 and size of its files: ``provenance.json``.

        Raises:
            InputError: It can't be read.
        """
        return dataset_folder.read_provenance(self.root)

    @cached_property
    def plan(self) -> Plan:
        """The plan of the run that it was packed from, read once.

        Raises:
            InputError: Its manifest can't be read any more.
        """
        return dataset_folder.read_plan(self.root, self.extensions)

    def sha256s(self) -> Mapping[Path, str]:
        """The sha256 of each file under ``data/`` that holds its images or, of image files, lists them."""
        files = self.provenance["files"]
        return {
            own_file(self.root, name): str(files[name].get("sha256", ""))
            for name in dataset_folder.shards(self.provenance)
        }

    def verdicts(self) -> Iterator[Verdict]:
        """Nothing: a dataset holds what was accepted alone, and its ``provenance`` what that followed from."""
        return iter(())

    def scores(self) -> Mapping[str, pyarrow.Table]:
        """Nothing: scores stay with the run."""
        return {}

    def stored(self, key: str) -> tuple[TarSample, Environment]:
        """The stored image of that key, and the environment that it was made in.

        Raises:
            InputError: It holds no such image.
        """
        stored = dataset_folder.read_sample(self.root, key)
        if stored is None:
            raise InputError(f"{self.root}: no image `{key}` in its metadata")
        record = stored_images.record_of(self.root, stored)
        stored_images.image_of(self.root, stored, record)
        entry = record.entry
        return stored, Environment(**self.provenance["environments"][entry])

    def start_images(self, samples: Iterable[Sample], photographs: Path | None = None) -> StartImages:
        """What finds the images that some samples of the plan start from."""
        return start_images.of_dataset(self.plan, self.root, samples, photographs)

    def _places(self) -> list[dict[str, Any]]:
        return dataset_folder.read_metadata(self.root, ["key", "split", "shard", "offset"])

    def _check_whole(self, shards: int) -> None:
        """Nothing to check: a folder has a dataset's name once all of it is there."""


def open_folder(root: Path, extensions: Extensions) -> Run | Dataset:
    """A run or a packed dataset by its folder; its plan and its images are read when they are asked for.

    Raises:
        InputError: The folder is neither.
    """
    if run_folder.is_run(root):
        return Run(root, extensions)
    if dataset_folder.is_dataset(root):
        return Dataset(root, extensions)
    raise InputError(f"{root}: {NEITHER}")


def open_run(root: Path, extensions: Extensions) -> Run:
    """A run by its folder.

    Raises:
        InputError: The folder is no run.
    """
    run_folder.check_run(root)
    return Run(root, extensions)


def is_either(root: Path) -> bool:
    """Whether a folder is a run or a packed dataset."""
    return run_folder.is_run(root) or dataset_folder.is_dataset(root)
