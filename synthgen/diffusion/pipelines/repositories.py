"""Where a model lies, at which commit, and which files it has: in a folder, on the Hub, or downloaded before."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

from synthgen.core import hub, model_folder
from synthgen.diffusion.pipelines.weight_files import Repository
from synthgen.errors import UnavailableError, one_line

_log = logging.getLogger(__name__)


class NamesModel(Protocol):
    """A recipe of images, or an entry of ``finetune``: either names a model and its revision."""

    @property
    def model(self) -> model_folder.ModelFacts:
        """What is known of it."""

    @property
    def revision(self) -> str:
        """The commit or tag asked of a Hub id; empty for its newest."""


def resolve(recipe: NamesModel, *, sizes: bool = False) -> Repository:
    """The commit of a Hub id (its pinned, newest or already downloaded one) or a folder's fingerprint, and its files.

    Args:
        recipe: What names the model.
        sizes: Whether the sizes of files are asked for too; no fingerprint of a folder is taken then, which reads it.

    Raises:
        UnavailableError: It has no such model, or its terms have to be accepted first.
        UnreachableError: The Hub can't be reached and nothing is downloaded.
    """
    folder = recipe.model.folder
    if folder is not None:
        return _on_disk(folder, "" if sizes else model_folder.fingerprint(folder))
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    name, revision = recipe.model.name, recipe.revision or None
    kind: type[UnavailableError] = UnreachableError
    try:
        info = HfApi().model_info(name, revision=revision, files_metadata=sizes)
        listed = tuple(info.siblings or ())
        known = {one.rfilename: one.size for one in listed if one.size}
        return Repository(str(info.sha), tuple(one.rfilename for one in listed), known)
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        kind, reason = UnavailableError, one_line(error)[:200]
    except (hub.http_error(), OSError, ValueError) as error:
        reason = one_line(error)[:200]
    try:
        downloaded = snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=["*.json"])
    except LocalEntryNotFoundError:
        raise kind(
            f"model {name}: not downloaded before, and the Hub did not give it: {reason}; "
            f"check the id, log in with `hf auth login` if it is gated, or use a local folder or `phantom`"
        ) from None
    _log.warning("the Hub can't be asked about %s; using what was downloaded before", name)
    return _on_disk(Path(downloaded), Path(downloaded).name)


class UnreachableError(UnavailableError):
    """Nothing is known of a model: the Hub can't be reached, and nothing of it was downloaded before."""


def _on_disk(folder: Path, revision: str) -> Repository:
    files = _files(folder)
    return Repository(revision, files, {path: (folder / path).stat().st_size for path in files}, folder)


def _files(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
