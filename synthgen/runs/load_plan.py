"""From a manifest file to its plan, the real images that it starts from indexed."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from synthgen.core import yaml_documents
from synthgen.errors import Fault, InputError, PlanMismatchError, SynthgenError, one_line
from synthgen.plan import Plan, manifest, real_index
from synthgen.plan.manifest import Manifest, RealImages
from synthgen.plan.manifest.exclude import Exclude
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.real_index import Index, Source
from synthgen.real import indexing
from synthgen.real.indexing import exclusion, misnamed
from synthgen.real.indexing.misnamed import Unmatched
from synthgen.runs import metadata_changes, run_file, run_folder

Progress = Callable[[int, int], None]
_log = logging.getLogger(__name__)


def read(path: Path, extensions: Extensions, root: Path | None = None, progress: Progress | None = None) -> Plan:
    """Read a manifest file and plan it.

    Args:
        path: The manifest's file, or the bare name of one that ships.
        extensions: The plug-ins there are.
        root: The run's folder, which keeps the index of real images, made and written here where it lacks one; ``None``
            for a dry run, which reads their metadata alone and writes nothing.
        progress: Told how many real images have been opened, and of how many, while they are indexed.

    Raises:
        ManifestError: Every fault found, each as ``path: message``.
        InputError: The real images can't be had, or the folder is neither empty nor a run.
        PlanMismatchError: The folder holds the index of other real images.
    """
    return plan_manifest(manifest.read(path, extensions), root, progress)


def plan_manifest(read_manifest: Manifest, root: Path | None = None, progress: Progress | None = None) -> Plan:
    """The plan of a manifest that is read already; arguments and errors as of :func:`read`."""
    held = run_file.read(root) if root and run_file.is_run(root) else None
    rounds = run_file.rounds(root, held) if root else ()
    layouts = run_file.layouts(held) if held else {}
    if read_manifest.real is None or not read_manifest.starts_from_real:
        return Plan(read_manifest, None, rounds, layouts)
    return Plan(read_manifest, index(read_manifest, read_manifest.real, root, progress, other=True), rounds, layouts)


def index(
    read: Manifest,
    images: RealImages,
    root: Path | None,
    progress: Progress | None = None,
    *,
    other: bool = False,
) -> Index:
    """The index of a manifest's real images: the one that a run keeps, or else a new one, which it then keeps.

    One without an image to start from has made nothing, so it is made anew: the images may have come since.

    Args:
        read: The manifest.
        images: Where its real images come from.
        root: The run's folder; ``None`` for a dry run, which reads the metadata alone.
        progress: Told how many real images have been opened, and of how many.
        other: Whether the run may get another index beside the one that it has, which it follows once it is reserved.

    Raises:
        PlanMismatchError: The run has another index, and is to have no other.
        InputError: The real images can't be had.
    """
    document, name = read.document, images.source
    arguments: dict[str, Any] = {
        "labels": document.labels,
        "scale": document.skin_tones.scale,
        "tones": document.skin_tones.values,
        "seed": document.seed,
    }
    if root is None:
        listed = indexing.scan(name, images.settings, base=read.base, **arguments)
        return listed.without(excluded(listed, read, images))
    described = json.dumps([name, images.settings.model_dump(mode="json"), arguments], sort_keys=True)
    recipe = hashlib.sha256(described.encode()).hexdigest()
    run_folder.check_ours(root)
    held = run_file.read(root) if run_file.is_run(root) else None
    path = root / run_file.index_file(held)
    kept = Index.read(path) if path.exists() else None
    if kept and kept.recipe != recipe and kept.usable("train"):
        if not other:
            advice = "run `synthgen generate` with this manifest first" if held else "use another --out"
            raise PlanMismatchError(f"{path} {_otherwise(held, read)}: {advice}")
        path = next((one for one in _indexes(root, recipe) if one.exists()), root / f"sources.{recipe[:12]}.parquet")
        kept = Index.read(path) if path.exists() else None
    if kept is None or not kept.usable("train"):
        built = indexing.build(
            name,
            images.settings,
            base=read.base,
            root=root,
            recipe=recipe,
            file=path.name,
            progress=progress,
            **arguments,
        )
        return built.without(excluded(built, read, images, root))
    kept = replace(kept, file=path.name)
    kept = kept.without(excluded(kept, read, images, root))
    metadata_changes.warn(root, read, kept)
    return kept


def _indexes(root: Path, recipe: str) -> Iterator[Path]:
    """Where the index of a recipe lies, if a run has one."""
    first = root / real_index.FILE
    if first.exists() and Index.read(first).recipe == recipe:
        yield first
    yield root / f"sources.{recipe[:12]}.parquet"


def _otherwise(held: Mapping[str, Any] | None, read: Manifest) -> str:
    """By which keys a run's real images were read otherwise than a manifest asks."""
    before = yaml_documents.parse(str(held.get("manifest", "")), "run.json", kept=True) if held else {}
    after = yaml_documents.parse(read.text, "manifest", kept=True)
    keys = [key for key in ("real", "labels", "skin_tones", "seed") if before.get(key) != after.get(key)]
    listed = ", ".join(f"`{key}`" for key in keys) or "another `real:` block, other labels, tones or another seed"
    return f"is of another manifest, which says otherwise of {listed}"


def excluded(index: Index, read: Manifest, images: RealImages, root: Path | None = None) -> dict[str, str]:
    """The images of an index that the manifest takes out, under whichever names they are there: why, by their ids.

    Rules on metadata are asked of the metadata as they are now, so whoever withdraws later is out of the next command.
    Where these can't be reached, as where a run was moved, it is who was out when they last could be, if these rules
    are the run's own; ids, and names in the file, need no metadata.

    Raises:
        InputError: The file of ids can't be read, there is no such column, or the metadata that a new rule asks can't
            be reached.
    """
    exclude = images.settings.exclude
    if exclude is None:
        return {}
    settings, groups, found = images.settings, exclusion.groups_of(index), dict[str, str]()
    held = run_file.read(root) if root and run_file.is_run(root) else {}
    try:
        if settings.near_duplicates and (exclude.groups or exclude.file):
            filed = exclusion.groups_as_filed(index, images.source, settings, read.base)
            groups = {name: [*groups.get(name, ()), *filed.get(name, ())] for name in {*groups, *filed}}
    except (SynthgenError, OSError) as error:
        found |= _as_before(held, exclude, ("groups", "file", "where"), error)
    named = exclusion.named(index, exclude, settings, read.base, groups)
    unknown = [one for one in named.unmatched if not _known_before(held, one)]
    former = _former(root, index) if root and unknown else ()
    misnamed.check(unknown, named.there, images.source, settings, read.base, former=former)
    found |= named.excluded
    try:
        found |= exclusion.ruled(index, exclude, images.source, settings, read.base)
    except (SynthgenError, OSError) as error:
        found |= _as_before(held, exclude, ("where",), error)
    return exclusion.with_copies(index, found)


def _known_before(held: Mapping[str, Any], one: Unmatched) -> bool:
    """Whether a name has taken somebody out of the run before."""
    return f"{one.key} {one.name}" in (run_file.excluded(held) or {}).values()


def _former(root: Path, index: Index) -> Iterator[Source]:
    """The real images that a run has known, as its indexes have them."""
    for path in sorted(root.glob("sources*.parquet")):
        if path.name != index.file:
            with suppress(SynthgenError):
                yield from Index.read(path).sources


def _as_before(
    held: Mapping[str, Any], exclude: Exclude, keys: tuple[str, ...], error: SynthgenError | OSError
) -> dict[str, str]:
    """Who some keys of ``real.exclude`` took out when a run could last ask the metadata, which it now can't.

    Raises:
        InputError: The fault is the manifest's, or the run had not these values of these keys.
    """
    if any(fault.path.startswith("real.exclude") for fault in getattr(error, "faults", ())):
        raise error
    kept = run_file.excluded(held)
    whole = yaml_documents.parse(str(held["manifest"]), "run.json", kept=True) if kept is not None else {}
    before = whole.get("real") or {}
    rules = Exclude.model_validate(before["exclude"]) if before.get("exclude") else None
    asked = [key for key in keys if getattr(exclude, key)]
    if kept is None or rules is None or any(getattr(rules, key) != getattr(exclude, key) for key in asked):
        path = f"real.exclude.{asked[0]}"
        said = f"can't be asked of the metadata, which can't be read; put them back: {one_line(error)}"
        raise InputError(Fault.at(path, said, "unreadable")) from None
    _log.warning("real.exclude: those stay out that were before: %s", one_line(error))
    return {image: why for image, why in kept.items() if why.startswith(tuple(f"{key} " for key in keys))}
