"""Where a dataset is written before it has its name: a folder named by its digest, held by one process at a time."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core import atomic, locks
from synthgen.errors import InputError
from synthgen.plan.manifest import Layout
from synthgen.plan.source_names import Pseudonyms
from synthgen.runs import dataset_folder

_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Scratch:
    """The scratch folder of one dataset.

    Attributes:
        out: The folder that the dataset becomes.
        folder: The scratch folder, beside it.
    """

    out: Path
    folder: Path

    @property
    def dataset(self) -> Path:
        """The dataset so far."""
        return self.folder / "dataset"

    @property
    def state(self) -> Path:
        """What is known of its finished parts."""
        return self.folder / "state"

    @property
    def order(self) -> Path:
        """The sorted samples."""
        return self.folder / "order.sqlite"

    @property
    def replaced(self) -> Path:
        """Where the dataset lies that had the name before, while this one is given it."""
        return self.out.with_name(f".{self.out.name}.replaced")

    def recover(self) -> None:
        """Give the dataset that was to be replaced its name back, or take it away, where a process died in between."""
        if self.replaced.is_dir():
            if self.out.exists():
                shutil.rmtree(self.replaced)
            else:
                atomic.publish(self.replaced, self.out)

    def rows(self, name: str) -> Path:
        """The rows of metadata of a part."""
        return self.state / f"{name}.parquet"

    def receipt(self, name: str) -> dict[str, Any] | None:
        """The receipt of a part; ``None`` where the part is not finished."""
        try:
            return dict(json.loads((self.state / f"{name}.json").read_bytes()))
        except FileNotFoundError:
            return None

    def publish(self) -> None:
        """Give the dataset its name; one that has it is kept beside until this one has it, and goes then."""
        try:
            if dataset_folder.is_dataset(self.out):
                atomic.publish(self.out, self.replaced)
            elif self.out.exists():
                self.out.rmdir()  # empty, or it would have been refused
            atomic.publish(self.dataset, self.out)
            shutil.rmtree(self.replaced, ignore_errors=True)
        except OSError as error:
            raise InputError(
                f"{self.out}: can't become the dataset ({str(error.strerror).lower()}); clear it away and run the same "
                "command again: what is packed is kept"
            ) from None

    def prepare(self) -> None:
        """Make the folders there are, and remove what a killed process left half written in them."""
        for folder in (self.state, self.dataset / "data"):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.state, self.dataset, *(path for path in self.dataset.iterdir() if path.is_dir())):
            for path in folder.glob(".*"):
                path.unlink()


@dataclass(frozen=True, slots=True)
class PackJob:
    """One dataset to write.

    Attributes:
        scratch: Where it is written.
        root: The run that its samples come from.
        layout: How it is laid out.
        labels: Its classes, in the order of their numbers.
        names: What it calls real images and their groups; ``None`` for their own names.
        content_defined_chunking: Whether the chunks of Parquet follow the content.
        masks: Whether a label map is beside each image.
        private: Whether folders are left out of the names of models.
    """

    scratch: Scratch
    root: Path
    layout: Layout
    labels: tuple[str, ...]
    names: Pseudonyms | None = None
    content_defined_chunking: bool = False
    masks: bool = False
    private: bool = False


@contextmanager
def reserve(out: Path, digest: str) -> Iterator[Scratch]:
    """The scratch folder of a dataset, held with its name by this process; the system lets go when a process dies.

    Afterwards the scratch folder is gone where the dataset has its name, or where no part of it was finished. Scratch
    of other datasets goes once this one has the name that they were meant for.

    Raises:
        InputError: Another process is packing there.
    """
    out = out.resolve()
    if out.is_mount():
        raise InputError(f"{out}: is a mount point, which no folder can be moved onto; choose a folder in it")
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Scratch(out, out.with_name(f".{out.name}.{digest[:_DIGITS]}"))
    with _locked(out):
        try:
            scratch.recover()
            scratch.prepare()
            yield scratch
        finally:
            scratch.recover()
            if _holds(out, digest):
                for folder in leftovers(out):
                    shutil.rmtree(folder)
            elif not any(scratch.state.glob("*.json")):
                shutil.rmtree(scratch.folder)


def _holds(out: Path, digest: str) -> bool:
    return dataset_folder.is_dataset(out) and dataset_folder.read_provenance(out)["dataset_digest"] == digest


def leftovers(out: Path) -> list[Path]:
    """The scratch folders there are of a dataset's name, whatever their digest."""
    out = out.resolve()
    name = re.compile(rf"\.{re.escape(out.name)}\.[0-9a-f]{{{_DIGITS}}}")
    return [path for path in out.parent.iterdir() if name.fullmatch(path.name) and path.is_dir()]


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    busy = f"{out}: another process is packing it; wait until it is done, then run this again"
    with locks.held(out.with_name(f".{out.name}.lock"), busy, passing=True):
        yield
