"""Pseudonyms on disk: the salt that a run keeps and never gives away, and the way back from a dataset to its run."""

import logging
import re
import secrets
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from synthgen.core import atomic
from synthgen.errors import DamagedError, Fault, InputError, PlanMismatchError
from synthgen.plan import Plan
from synthgen.plan.source_names import Pseudonyms, SourceNames, is_pseudonym, mark_of
from synthgen.runs import run_file, study_layout
from synthgen.runs.folders import Dataset, Run

FILE = ".pseudonyms"
PSEUDONYM = "pseudonym"
_SALT = re.compile(r"[0-9a-f]{64}")
_log = logging.getLogger(__name__)


def of_run(run: Run) -> Pseudonyms | None:
    """The pseudonyms of a run's real images and groups; ``None`` where none of their names could be a person's.

    The salt is made the first time, once whoever asks.

    Raises:
        DamagedError: The file of the salt holds something else.
        InputError: It can't be written.
    """
    names = _names(run.plan)
    if all(names.is_nobody(image, group) for image, group in _all_names(run.plan)):
        return None
    return Pseudonyms(salt_of(run.root), names)


def salt_of(folder: Path) -> str:
    """The salt of the pseudonyms that leave a folder, in hex; made the first time, and readable by its owner alone.

    Raises:
        DamagedError: The file of the salt holds something else.
        InputError: It can't be written.
    """
    return _salt(folder) or _made(folder)


def is_pseudonymous(dataset: Dataset) -> bool:
    """Whether a dataset names the real images that it was made from by pseudonyms."""
    return bool(dataset.provenance.get("identifiers") == PSEUDONYM)


class Originals:
    """The way back from a dataset's pseudonyms to the names in the run that it was packed from.

    Args:
        run: The run.
        pseudonyms: Its pseudonyms.
    """

    def __init__(self, run: Run, pseudonyms: Pseudonyms) -> None:
        self.run = run
        self._pseudonyms = pseudonyms

    def image(self, pseudonym: str) -> str:
        """The name of the image that a dataset calls so; of a name that is no pseudonym that itself.

        Raises:
            DamagedError: The run has no such image.
        """
        found = self._images.get(pseudonym, "" if is_pseudonym(pseudonym) else pseudonym)
        if pseudonym and not found:
            raise DamagedError(
                f"{self.run.root}: its real images have none that the dataset calls `{pseudonym}`; "
                "was its sources.parquet made anew?"
            )
        return found

    def key(self, key: str, source_id: str) -> str:
        """The key that an image has in the run, by the key and the ``source_id`` that it has in the dataset."""
        image = self.image(source_id)
        head, found, tail = key.partition(f"-{source_id}-")
        return f"{head}-{image}-{tail}" if found and image != source_id else key

    @cached_property
    def _images(self) -> dict[str, str]:
        return {self._pseudonyms.image(image): image for image, _ in _all_names(self.run.plan, every=True)}


def originals(dataset: Dataset, work: Path | None = None) -> Originals | None:
    """The way back to the run that a dataset was packed from; ``None`` where nobody has said which run that is.

    Args:
        dataset: A dataset of pseudonyms.
        work: The run; where left out the one beside the dataset that has its salt.

    Raises:
        InputError: ``work`` is no run, or not the one that the dataset was packed from, or has lost its salt.
        DamagedError: The file of the salt holds something else.
    """
    mark, root = dataset.provenance.get("pseudonyms"), work or _beside(dataset)
    if root is None:
        return None
    if not run_file.is_run(root):
        raise InputError(f"--work {work}: no run here (no run.json); give the folder that `generate` made")
    salt = _salt(root)
    if salt is None or mark_of(salt) != mark:
        has = f"has lost {FILE}, the salt of the pseudonyms" if salt is None else "has another salt than the pseudonyms"
        said = f"{root / FILE}: the run {has} in {dataset.root}; put the file back, or pack again into another folder"
        raise InputError(Fault(said, path=str(root / FILE), kind="conflict"))
    run = Run(root, dataset.extensions)
    return Originals(run, Pseudonyms(salt, _names(run.plan)))


def image_names(folder: Run | Dataset) -> Callable[[str], str]:
    """What gives the run's own name of an image that a folder names; each as it is where the run can't be found.

    Raises:
        InputError: The run has lost its salt.
    """
    found = originals(folder) if isinstance(folder, Dataset) and is_pseudonymous(folder) else None
    return found.image if found else lambda name: name


def _beside(dataset: Dataset) -> Path | None:
    """The run beside a dataset that has its salt, or else a study's own run, which may have lost it."""
    parent = dataset.root.resolve().parent
    for path in sorted((*parent.glob(FILE), *parent.glob(f"*/{FILE}"))):
        try:
            found = run_file.is_run(path.parent) and mark_of(_salt(path.parent) or "")
        except (DamagedError, OSError):
            continue  # another's run, which is none of this dataset's business
        if found == dataset.provenance.get("pseudonyms"):
            return path.parent
    work = study_layout.run_in(parent)
    own = work and run_file.read(work).get("plan") == dataset.provenance.get("plan_digest")
    return work if own else None


def check_salt(run: Run, dataset: Path, *, replace: bool) -> None:
    """Refuse to make another salt for a run that has lost that of a dataset, or say so where it is to be replaced.

    Raises:
        PlanMismatchError: It has, and the dataset is not to be replaced.
        DamagedError: The file of the salt holds something else.
    """
    held = Dataset(dataset, run.extensions)
    if not is_pseudonymous(held) or _salt(run.root) is not None:
        return
    path = run.root / FILE
    if not replace:
        said = f"{path}: the salt of the pseudonyms in {dataset} is gone; put the file back, or use another --out"
        raise PlanMismatchError(Fault(said, path=str(path), kind="not_found"))
    _log.warning("%s: the salt is gone, so images and groups get other pseudonyms than %s has", path, dataset)


def _salt(root: Path) -> str | None:
    """The salt of a run; ``None`` before one is made."""
    path = root / FILE
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DamagedError(f"{path}: can't be read: {error}") from None
    if not _SALT.fullmatch(text):
        raise DamagedError(
            f"{path}: not the salt of a run's pseudonyms; put it back, or remove it for other pseudonyms"
        )
    return text


def _made(root: Path) -> str:
    """The salt of a run, made where there is none; its owner alone can read it."""
    path = root / FILE
    try:
        with run_file.locked(root):
            if (found := _salt(root)) is None:
                found = secrets.token_hex(32)
                atomic.write(path, f"{found}\n".encode(), mode=0o600)
    except OSError as error:
        reason = str(error.strerror).lower()
        said = f"{path}: can't be written ({reason}), and names of patients need it; make the run's folder writable"
        raise InputError(Fault(said, path=str(path), kind="unreadable")) from None
    return found


def _names(plan: Plan) -> SourceNames:
    sources = plan.index.sources if plan.index else ()
    pools = {one for adapter in plan.adapters.values() for one in adapter.pool or ()}
    images, groups = max(len(sources), len(pools)), len({source.group for source in sources})
    return SourceNames(frozenset(plan.manifest.document.labels), images, groups)


def _all_names(plan: Plan, *, every: bool = False) -> Iterator[tuple[str, str]]:
    """The names of images and of their groups that a dataset has: of those to train on, or of every one."""
    for source in (plan.index.sources if every else plan.index.usable("train")) if plan.index else ():
        yield source.id, source.group
    for adapter in plan.adapters.values():
        yield from ((image, "") for image in adapter.pool or ())
