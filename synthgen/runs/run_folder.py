"""A run's own file, ``run.json``: the manifest it follows, the digests of its entries, the environments it pins."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from synthgen.core import adapter_folder, atomic, checksums, releases
from synthgen.core.plugins import FilePlugin
from synthgen.errors import Fault, IncompleteError, InputError, ManifestError, PlanMismatchError, UnavailableError
from synthgen.plan import EntryPlan, Plan, manifest, real_index
from synthgen.plan.growth import Difference
from synthgen.plan.manifest import KeptPlugins, plugin_files
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.real_index import Index
from synthgen.plan.sample import Recipe
from synthgen.plan.top_ups import Round
from synthgen.runs import metadata_changes, revision, run_file, set_aside, verdicts
from synthgen.runs.pinned_environment import apply_pin, drift, lower_batch_size, pin, pinned, short
from synthgen.runs.revision import Revision
from synthgen.runs.run_file import FORMAT, GROWN, PRUNED, is_run, layouts, locked, read, text, write


def located(recipe: Recipe, root: Path | None) -> Recipe:
    """The recipe with the folder that its adapter lies in, in a run or elsewhere.

    Raises:
        IncompleteError: The adapter is not trained yet, or nobody says which run holds it.
        DamagedError: Another lies in its place.
    """
    if recipe.adapter is None:
        return recipe
    if root is None and recipe.adapter.folder is None:
        raise IncompleteError(
            f"made by adapter {recipe.adapter}, which is never packed; say which run has it: --work RUN"
        )
    return replace(recipe, adapter=recipe.adapter.located(root or Path()))


def weights_of(entry: EntryPlan, root: Path) -> dict[str, str]:
    """The sha256 of the weights of every adapter that an entry's images are made with, by what records call it.

    Raises:
        IncompleteError: One of them is not trained yet.
        DamagedError: Another lies in its place.
    """
    used = {str(one): one.located(root) for one in entry.adapters.values() if one}
    return {name: adapter_folder.weights_sha256(one.folder) for name, one in used.items() if one.folder}


__all__ = [
    "apply_pin",
    "check_ours",
    "check_run",
    "compared",
    "is_run",
    "located",
    "lower_batch_size",
    "pin",
    "pinned",
    "read_plan",
    "reserve",
    "signature",
    "weights_of",
]


def reserve(root: Path, plan: Plan, extensions: Extensions | None = None, *, accept_changes: bool = False) -> Plan:
    """Make a folder this plan's, or check that it is; returns the plan with its work shards as they lie there.

    Entries that are new to it, or of which nothing is made, are set. Of one that has changed, the images that the plan
    has too stay in their shards, what is new is laid out in shards of its own, and the others are set aside.

    Args:
        root: The folder.
        plan: The plan.
        extensions: The plug-ins there are, by which the plan that the folder has is read; nothing changes without.
        accept_changes: Whether images that are made may be set aside.

    Raises:
        PlanMismatchError: Images that are made would be set aside, and that was not accepted.
        UnavailableError: The file of a strategy or a method is not the one that images or an adapter were made by.
        InputError: It is not empty and no run, so nothing is written to it.
    """
    if not (root / ".lock").exists():
        check_ours(root)
    root.mkdir(parents=True, exist_ok=True)
    with locked(root):
        check_ours(root)
        atomic.sweep(root)
        held = read(root) if is_run(root) else {}
        plan = _with_rounds(plan, run_file.rounds(root, held))
        old = held.get("entries", {})
        laid_out = layouts(held) if held else {}
        revised = _revised(root, held, plan, extensions, accept=accept_changes)
        laid_out |= revised.layouts if revised else {}
        former = revised.former if revised else run_file.former(held)
        aside = revised.aside if revised else set_aside.read(root)
        _check_strategies(root, _begun(root, old), plan)
        _check_methods(root, plan)
        if held:
            run_file.check_seal(root)
        plan = Plan(plan.manifest, plan.index, plan.rounds, laid_out) if laid_out else plan
        planned = plan.entries.values()
        entries = {
            name: {
                "digest": entry.digest,
                "samples": entry.samples,
                "shards": entry.shards,
                "environment": _kept(old.get(name, {}), entry, revised),
            }
            | ({"layout": entry.layout.to_dict()} if entry.layout else {})
            for name, entry in plan.entries.items()
        }
        needed = PRUNED if aside or former else GROWN if any(one.layout for one in planned) else FORMAT
        document = {
            "format": max(held.get("format", FORMAT), needed),  # a version that was shut out stays out
            "generator": releases.signature(_begun_by(held)),
            "name": plan.manifest.document.name,
            "plan": plan.digest,
            "manifest": plan.manifest.text,
            "prompts": plan.manifest.prompts_text,
            "base": str(plan.manifest.base),
            "adapters": adapter_folder.table(plan.adapters.values()),
            "entries": entries,
        }
        if plan.rounds:
            document[run_file.ROUNDS] = run_file.round_digests(plan.rounds)
        if former:
            document[run_file.FORMER] = {name: layout.to_dict() for name, layout in former.items()}
        if plan.index and plan.manifest.real and plan.manifest.real.settings.exclude:
            document[run_file.EXCLUDED] = dict(plan.index.excluded)
        if plan.index and plan.index.file != real_index.FILE:
            document |= {run_file.INDEX: plan.index.file, "format": PRUNED}
        if plan.manifest.packages:
            document[run_file.PACKAGES] = dict(plan.manifest.packages)
        if plan.manifest.plugins:
            document["plugins"] = plugin_files.table(plan.manifest.plugins)
        if is_run(root) and not run_file.is_sealed(root):
            _seal(root)
        set_aside.write(root, (*aside, *(revised.restored if revised else ())))
        if not is_run(root) or read(root) != document:
            write(root, document)
        gone = set(revision.stale(aside, plan))  # of who died before this
        set_aside.write(root, (one for one in aside if one not in gone))
        for file in plan.manifest.plugins:
            copy, content = root / plugin_files.place(file), file.text.encode()
            if not copy.is_file() or copy.read_bytes() != content:
                copy.parent.mkdir(parents=True, exist_ok=True)
                atomic.sweep(copy.parent)
                _keep_older(copy)
                atomic.write(copy, content)
        return plan


def _with_rounds(plan: Plan, there: Sequence[Round]) -> Plan:
    """The plan with every round that the run has, of which another process may have added one since it was planned."""
    if len(there) <= len(plan.rounds):
        return plan
    layouts = {name: entry.layout for name, entry in plan.entries.items() if entry.layout}
    return Plan(plan.manifest, plan.index, there, layouts)


def _seal(root: Path) -> None:
    """Take what an earlier version left as it is from now on; a run that can't be written to stays as it was."""
    with suppress(OSError):
        if not (root / checksums.FILE).exists() and (root / verdicts.FILE).exists():
            checksums.write(root, verdicts.LISTED)
        report = root / "fidelity"
        if report.is_dir() and not (report / checksums.FILE).exists():
            checksums.write(report, [one.name for one in report.iterdir()])
        write(root, read(root))


def signature(root: Path) -> str:
    """The ``synthgen VERSION`` that signs what is made for a run, as of :func:`synthgen.core.releases.signature`."""
    return releases.signature(_begun_by(read(root)) if is_run(root) else "")


def read_plan(root: Path, extensions: Extensions) -> Plan:
    """The plan that a run follows, from the manifest that it keeps.

    Raises:
        InputError: The folder is no run, or its manifest can't be read any more.
        PlanMismatchError: This version of synthgen plans other images from it.
    """
    check_run(root)
    document = read(root)
    try:
        asked = manifest.parse(
            text(root, document, "manifest"),
            extensions,
            base=Path(text(root, document, "base")),
            where=f"{root}/run.json: manifest",
            prompts_text=text(root, document, "prompts"),
            kept=KeptPlugins.read(document.get("plugins", []), root / plugin_files.FOLDER),
        )
    except ManifestError as error:
        faults = (_with_package(fault, document) for fault in error.faults)
        raise InputError(*(fault.in_file(f"{root}/run.json") for fault in faults)) from None
    path = root / run_file.index_file(document)
    index = Index.read(path) if asked.starts_from_real and path.exists() else None
    if index:
        index = replace(index, file=path.name).without(run_file.excluded(document) or {})
        metadata_changes.warn(root, asked, index)
    plan = Plan(asked, index, run_file.rounds(root, document), layouts(document))
    _check_same(root, document["entries"], plan)
    run_file.check_seal(root)
    return plan


def _with_package(fault: Fault, document: Mapping[str, Any]) -> Fault:
    """A fault that a plug-in is not there, with the package that the run had it from; any other as it is."""
    pinned = [(one["environment"] or {}).get("versions", {}) for one in document["entries"].values()]
    named = document.get(run_file.PACKAGES)
    for plugins in [*pinned, named if isinstance(named, dict) else {}]:
        for plugin, version in plugins.items():
            kind, _, name = plugin.partition(" ")
            before, missing, _ = fault.partition(f"no {kind} `{name}`;")
            if name and missing and fault.kind == "not_found":
                said = f"{before}no {kind} `{name}` here; the run was begun with that of {version}: install it"
                return Fault(said, path=fault.path, kind=fault.kind)
    return fault


def check_run(root: Path) -> None:
    """Check that a folder is a run.

    Raises:
        InputError: It is none.
    """
    if not is_run(root):
        raise InputError(f"{root}: no run here (no run.json); give the folder that `generate` made")


def _check_same(root: Path, old: dict[str, Any], plan: Plan) -> None:
    faults = []
    for name, entry in old.items():
        if name not in plan.entries:
            faults.append(f"{root} holds entry `{name}`, which the manifest lacks; put it back, or use another --out")
        elif plan.entries[name].digest != entry["digest"]:
            faults.append(
                f"{root} holds another plan of entry `{name}` (there {entry['digest'][:12]}, "
                f"asked {plan.entries[name].digest[:12]}): use another --out, rename the entry, or undo the change"
            )
    if faults:
        raise PlanMismatchError(*faults)


def _revised(
    root: Path, held: dict[str, Any], plan: Plan, extensions: Extensions | None, *, accept: bool
) -> Revision | None:
    """What becomes of what is made, where the plan is another than the run's; ``None`` where nothing does.

    Raises:
        PlanMismatchError: Images that are made would be set aside, and that was not accepted.
    """
    old = held.get("entries", {})
    begun, former = _begun(root, old), run_file.former(held)
    other = any(name not in plan.entries or plan.entries[name].digest != one["digest"] for name, one in begun.items())
    if not other and not former.keys() & plan.entries.keys():
        return None
    if extensions is None:
        _check_same(root, begun, plan)
        return None
    found = revision.revise(root, read_plan(root, extensions), tuple(begun), former, plan)
    faults = [
        f"{root}: {one.aside:,} images of entry `{one.entry}` that are made would be set aside "
        f"({'; '.join(one.changes) or 'its real images are others'}); --accept-changes does that and deletes none, "
        "or undo the change, or use another --out"
        for one in found.differences
        if one.aside
    ]
    if faults and not accept:
        raise PlanMismatchError(*faults)
    return found


def compared(root: Path, plan: Plan, extensions: Extensions) -> Sequence[Difference]:
    """What of each entry a run has already, and what would be new, set aside or count again; nothing is written.

    Raises:
        InputError: The folder is no run, or its manifest can't be read any more.
    """
    held, document = read_plan(root, extensions), read(root)
    begun = tuple(_begun(root, document["entries"]))
    return revision.revise(root, held, begun, run_file.former(document), plan).differences


def _check_strategies(root: Path, begun: dict[str, Any], plan: Plan) -> None:
    """Refuse the file of a strategy that is another than images were made by, before its copy here is replaced."""
    faults = list[str]()
    for name, entry in begun.items():
        if name not in plan.entries:
            continue
        strategy, versions = plan.entries[name].recipe.strategy, (entry["environment"] or {}).get("versions", {})
        if isinstance(strategy, FilePlugin):
            now = strategy.file.version
            files = dict.fromkeys(now, strategy.file.path)
            faults += drift(root, {key: version for key, version in versions.items() if key in now}, now, files)
    if faults:
        raise UnavailableError(*dict.fromkeys(faults))


def _check_methods(root: Path, plan: Plan) -> None:
    """Refuse the file of a method that is another than an adapter was trained by, before its copy here is replaced."""
    faults = list[str]()
    for name, adapter_plan in plan.adapter_plans.items():
        folder, method = root / adapter_folder.FOLDER / name, adapter_plan.entry.method
        if not isinstance(method, FilePlugin) or not (folder / adapter_folder.FACTS).is_file():
            continue
        versions = adapter_folder.read(folder).get("environment", {}).get("versions", {})
        for key, now in method.file.version.items():
            if (trained := versions.get(key, now)) != now:
                faults.append(
                    f"{folder} was trained by {key} {short(trained)}, {method.file.path} is {short(now)}; "
                    "put that file back, move the adapter away to train it again, or use another --out"
                )
    if faults:
        raise UnavailableError(*faults)


def _keep_older(copy: Path) -> None:
    """Keep the code that lies where other code is about to be written, under its sha256: images or scores name it."""
    if copy.is_file():
        older = copy.read_bytes()
        atomic.write(copy.with_name(f"{copy.stem}.{hashlib.sha256(older).hexdigest()}.py"), older)


def _kept(old: dict[str, Any], entry: EntryPlan, revised: Revision | None) -> dict[str, Any] | None:
    """What an entry pins, as long as it is the same entry, or images of it stay or count again; of adapters those used.

    One that was trained anew is pinned by the first image that is made with it; one that counts again, by its images.
    """
    stays = any(one.stays for one in (revised.differences if revised else ()) if one.entry == entry.name)
    environment: dict[str, Any] | None = old.get("environment") if stays or old.get("digest") == entry.digest else None
    again = dict[str, str]()
    if revised and entry.name in revised.environments:
        environment = dict(revised.environments[entry.name])
    if revised and environment:
        again = dict(revised.adapters.get(entry.name, {}))
    if not environment or not (pinned := environment.get("adapters", {}) | again):
        return environment
    used = {str(one) for one in entry.adapters.values() if one}
    return environment | {"adapters": {name: sha256 for name, sha256 in pinned.items() if name in used}}


def _begun_by(document: dict[str, Any]) -> str:
    """The signature of the release that a run was begun with; empty before the environment of an entry is pinned."""
    pinned = any(entry["environment"] for entry in document.get("entries", {}).values())
    return str(document.get("generator", "")) if pinned else ""


def _begun(root: Path, entries: dict[str, Any]) -> dict[str, Any]:
    """The entries of which anything has been made; the others can still change."""
    return {name: entry for name, entry in entries.items() if any((root / name).glob("**/*.tar"))}


def check_ours(root: Path) -> None:
    """Check that a folder is a run, empty, or not there.

    Raises:
        InputError: It holds something else, so nothing is written to it, or it is a file, or below one.
    """
    there = next((one for one in (root, *root.parents) if one.exists()), None)
    if there and not there.is_dir():
        raise InputError(f"{there}: not a directory; choose another path")
    ours = (".lock", ".run", ".mirror", "sources", f".{real_index.FILE}")
    foreign = root.exists() and [path.name for path in root.iterdir() if not path.name.startswith(ours)]
    if foreign and not is_run(root):
        raise InputError(f"{root} is not empty and not a synthgen run; choose another folder")
