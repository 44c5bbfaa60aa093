"""What verbs are asked with: manifests and folders, as whoever calls has them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeAlias

from synthgen.errors import Fault, InputError, ManifestError, one_line
from synthgen.evaluate import check_real
from synthgen.extensions import EXTENSIONS
from synthgen.plan import Plan
from synthgen.plan import manifest as manifests
from synthgen.plan.growth import Difference
from synthgen.plan.manifest import Manifest
from synthgen.plan.real_index import Index
from synthgen.runs import folders, load_plan, run_folder, study_layout, trained_adapters, withdrawn
from synthgen.runs import mirror as mirrors
from synthgen.runs.folders import Dataset, Run
from synthgen.runs.mirror import Mirror, NoMirror
from synthgen.runs.trained_adapters import OtherAdapter

__all__ = [  # noqa: RUF022 - in the order that a study uses them
    "read_manifest",
    "plan",
    "open",
    "ManifestLike",
    "FolderLike",
    "Progress",
    "Stop",
]

ManifestLike: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any] | Manifest | Plan"
"""A manifest: its file, the bare name of one that ships, its content, or what ``read_manifest`` or ``plan`` gave."""
FolderLike: TypeAlias = "str | os.PathLike[str] | Run | Dataset"
"""A run or a packed dataset: its folder, or what ``open`` gave."""
MirrorLike: TypeAlias = "str | Mirror | NoMirror | None"
"""The mirror of a run: an address that fsspec opens, or what :func:`open_mirror` gave; ``None`` for none."""
Stop: TypeAlias = Callable[[], bool]
"""Asked in between whether to stop."""
Progress: TypeAlias = Callable[[str, int, int], None]
"""Told of preparations: what is done, how much of it, and how much there is; may raise to stop."""


def never() -> bool:
    """Say that there is no reason to stop."""
    return False


def read_manifest(
    manifest: str | os.PathLike[str] | Mapping[str, Any] | Manifest, *, base: str | os.PathLike[str] | None = None
) -> Manifest:
    """A manifest, checked: every entry against its strategy and model, every name against what there is.

    Args:
        manifest: Its file, the bare name of one that ships, or its content as plain values, as YAML would give them. A
            run keeps a dict as YAML, so a run made from one can be gone on with from the command line.
        base: The folder that relative paths of a dict start from; the current one where left out. Those of a file
            start from its own folder.

    Raises:
        ManifestError: Every fault found, each as ``path: message``.
    """
    match manifest:
        case Manifest():
            return manifest
        case Mapping():
            text = _yaml(manifest)
            return manifests.parse(text, EXTENSIONS, base=Path(base or ".").resolve(), where="manifest")
        case _:
            return manifests.read(Path(manifest), EXTENSIONS)


def plan(
    manifest: ManifestLike,
    out: str | os.PathLike[str] | None = None,
    *,
    base: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Plan:
    """The plan of a manifest: every sample and work shard, lazily, without making any.

    Args:
        manifest: The manifest.
        out: The run's folder, which keeps the index of real images and what is made beyond the manifest; where left
            out nothing is written, and of real images only the metadata are read.
        base: The folder that relative paths of a dict start from.
        progress: Told of real images as they are indexed.

    Raises:
        ManifestError: Every fault found, each as ``path: message``.
        InputError: The real images can't be had, or the folder is neither empty nor a run.
        PlanMismatchError: The folder holds the index of other real images.
    """
    if isinstance(manifest, Plan):
        if out is None:
            return manifest
        manifest = manifest.manifest  # planned anew for the folder, whose real images and rounds it may lack
    told = partial(progress, "indexing real images") if progress else None
    return load_plan.plan_manifest(read_manifest(manifest, base=base), Path(out) if out is not None else None, told)


def check_study(planned: Plan, index: Index | None = None) -> str:
    """Refuse an `evaluate:` that its real images make impossible, as far as their metadata show.

    Args:
        planned: The plan.
        index: Its real images, where somebody has them; they are looked for where left out.

    Returns:
        Why that can't be told, where the images are not here yet; empty otherwise.

    Raises:
        InputError: The study can't be done as asked; one line for each fault.
    """
    read, index = planned.manifest, index or planned.index
    if read.document.evaluate is None or read.real is None:
        return ""
    if index is None:
        try:
            index = scan(read)
        except InputError as error:
            return f"evaluate: not checked against real images: {one_line(error)}"
    if index is not None:
        check_real(read, index)
    return ""


def scan(read: Manifest) -> Index | None:
    """The real images of a manifest by their metadata alone, whatever they serve; ``None`` where it names none.

    Raises:
        InputError: The real images can't be had.
    """
    return None if read.real is None else load_plan.index(read, read.real, None)


def scan_if_there(read: Manifest) -> Index | None:
    """The same as :func:`scan` of real images that are here; ``None`` of others."""
    try:
        return scan(read)
    except InputError:
        return None


def differences(planned: Plan, run: FolderLike) -> list[Difference]:
    """What a plan has that a run does not, entry by entry: images new, set aside or made again, and by which keys.

    Args:
        planned: The plan, made with the run's folder as ``out``.
        run: The run.

    Raises:
        InputError: The folder is no run, or its manifest can't be read any more.
    """
    return list(run_folder.compared(open_run(run).root, planned, EXTENSIONS))


def retrained(planned: Plan, run: FolderLike) -> list[OtherAdapter]:
    """The adapters of a run that a plan wants trained again, and the entries that wait for it.

    Args:
        planned: The plan, made with the run's folder as ``out``.
        run: The run.

    Raises:
        DamagedError: The facts of one can't be read.
    """
    return list(trained_adapters.others(planned, open_run(run).root))


def withdrawn_images(run: FolderLike) -> tuple[Path, int] | None:
    """The packed dataset of a run's study, and how many images it holds that are set aside; ``None`` without any.

    Args:
        run: The run.
    """
    dataset = study_layout.dataset_in(study_layout.home_of(open_run(run).root))
    held = withdrawn.count(dataset, EXTENSIONS) if dataset else 0
    return (dataset, held) if dataset and held else None


def study_folder(manifest: Manifest) -> Path:
    """The folder of a study that nobody named: ``runs/NAME``."""
    return Path("runs") / manifest.document.name


def open(folder: FolderLike) -> Run | Dataset:  # noqa: A001 - as `PIL.Image.open`; called `synthgen.open`
    """A run or a packed dataset, by its folder: its records, images, verdicts and scores, or all of them as a table.

    Args:
        folder: The folder; of a study's own folder its run is meant.

    Raises:
        InputError: The folder is neither.
    """
    if isinstance(folder, Run | Dataset):
        return folder
    return folders.open_folder(study_layout.either_of(Path(folder)), EXTENSIONS)


def open_run(folder: FolderLike) -> Run:
    """A run, by its folder, or by that of its study or its study's dataset.

    Raises:
        InputError: The folder is no run.
    """
    return folder if isinstance(folder, Run) else folders.open_run(study_layout.run_of(path_of(folder)), EXTENSIONS)


def open_mirror(mirror: MirrorLike, out: str | os.PathLike[str], *, stop: Stop = never) -> Mirror | NoMirror:
    """The mirror of a run, opened, and what the run's images rest on brought from it; see :func:`generate`.

    Args:
        mirror: Its address.
        out: The run's folder, which may be new.
        stop: Whether to stop trying again.

    Raises:
        InputError: The address or the folder is at fault, or the mirror can't be had, or is of another plan.
    """
    return mirrors.opened(mirror, run_folder_of(out), stop)


def brought(
    folder: FolderLike, mirror: MirrorLike, *, progress: Progress | None = None, stop: Stop = never
) -> FolderLike:
    """The same run, with all that its mirror has and it lacked.

    Args:
        folder: The run; its folder may be new.
        mirror: Its mirror; where left out, nothing is brought.
        progress: Told of work shards as they are brought.
        stop: Whether to stop.

    Raises:
        InputError: The mirror can't be had, or is of another plan, or holds no run.
    """
    root = study_layout.run_of(path_of(folder))
    opened = mirrors.opened(mirror, root, stop)
    if isinstance(opened, NoMirror):
        return folder
    opened.bring_shards(progress=progress, stop=stop)
    if not run_folder.is_run(root):
        raise InputError(f"--mirror: holds no run, and neither does {root}; `generate --mirror` makes one")
    return root


def run_folder_of(out: str | os.PathLike[str]) -> Path:
    """The folder of a run that is gone on with, where a study's folder is named; else the folder as it is named."""
    return study_layout.run_in(Path(out)) or Path(out)


def path_of(folder: FolderLike) -> Path:
    """The path of a run or a packed dataset, opened or not."""
    return folder.root if isinstance(folder, Run | Dataset) else Path(folder)


def _yaml(document: Mapping[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(_plain(document, ""), sort_keys=False, allow_unicode=True))


def _plain(value: Any, path: str) -> Any:
    """A value as YAML's own kinds, numbers of numpy's as Python's.

    Raises:
        ManifestError: There is no such kind; the line says at which key.
    """
    match value:
        case str():
            return str.__str__(value)
        case bool() | None:
            return value
        case Mapping():
            return {_plain(key, path): _plain(one, f"{path}.{key}" if path else str(key)) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one, f"{path}[{place}]") for place, one in enumerate(value)]
        case Real():
            return int(value) if isinstance(value, Integral) else float(value)
    import yaml

    try:
        yaml.safe_dump(value)
    except yaml.YAMLError:
        said = f"YAML has no way to write a {type(value).__name__} ({one_line(repr(value))[:80]})"
        raise ManifestError(Fault.at(path or "manifest", said, "wrong_type")) from None
    return value
