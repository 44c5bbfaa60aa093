"""What is damaged or gone of all that lies beside the work shards of a run, and of a report; every byte is read.

Each finding says what to do: what can be made again from what is whole is made again by the command that made it.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from synthgen.core import adapter_folder, checksums, seal, table_file
from synthgen.core.hashing import sha256_file
from synthgen.core.plugins import text_sha256
from synthgen.errors import DamagedError
from synthgen.plan import Plan, real_index, top_ups
from synthgen.plan.manifest import plugin_files
from synthgen.plan.real_index import Index
from synthgen.runs import run_file, set_aside, verdicts

FIDELITY = "fidelity"  # the folder in a run
STUDY = "study.json"  # what only a report has
Damage = tuple[str, str]
"""A file's path in the folder, and what is wrong with it."""
_KEPT = "sources"
_EMBEDDINGS = "prompt_embeddings"
_HEADER = 4096  # bytes of a safetensors file in which its metadata stand


def of_run(root: Path, plan: Plan) -> Iterator[Damage]:
    """What is damaged of a run beside its work shards."""
    again = f"run `synthgen curate {root}` again"
    yield from _index(root)
    if plan.rounds and (root / top_ups.FILE).read_bytes() != top_ups.to_json(plan.rounds):
        yield top_ups.FILE, f"{seal.CHANGED}; put back a copy: what it says is still read, and is right"
    yield from _aside(root)
    yield from _listed(root, again)
    if run_file.is_sealed(root) and (root / verdicts.FILE).exists() and not (root / checksums.FILE).exists():
        yield checksums.FILE, f"is gone, or `curate` was stopped; {again}"
    yield from _scores(root, again)
    yield from _adapters(root)
    yield from _embeddings(root)
    for file in plan.manifest.plugins:
        copy = root / plugin_files.place(file)
        if not copy.is_file() or text_sha256(copy.read_bytes().decode(errors="replace")) != file.sha256:
            yield (
                plugin_files.place(file).as_posix(),
                "not the code of this run; `synthgen generate MANIFEST` puts it back",
            )
    for path in _files(root / _KEPT):
        if len(path.name) == 64 and sha256_file(path) != path.name:
            yield _name(path, root), f"not the image that was kept; remove {root / _KEPT} and index again elsewhere"
    report, again = root / FIDELITY, f"run `synthgen curate {root} --report` again"
    yield from _report(report, root, again)
    if run_file.is_sealed(root) and any(_files(report)) and not (report / checksums.FILE).exists():
        yield _name(report / checksums.FILE, root), f"is gone, or the report was stopped; {again}"


def of_report(root: Path) -> Iterator[Damage]:
    """What is damaged of a report of `classifier-eval`: its files, and the predictions of each training."""
    again = "run the same `synthgen classifier-eval` again"
    yield from _report(root, root, again)
    for path in _files(root / "trials"):
        content = path.read_bytes()
        sealed = seal.is_sealed(content) or seal.KEY.encode() in content[:_HEADER]
        if path.suffix != ".safetensors" or (sealed and not seal.is_whole(content)):
            yield _name(path, root), f"{seal.CHANGED}; {again}: that training is done anew"
    if not (root / checksums.FILE).exists():
        yield checksums.FILE, f"is not there: not written yet, or by an earlier version; {again}"


def files_of_report(root: Path) -> list[str]:
    """The files that a report has checksums of, and those of its trainings."""
    try:
        listed = {_name(root / name, root) for name, _ in checksums.differing(root)}
    except DamagedError:
        listed = set()
    return sorted(listed | {_name(path, root) for path in _files(root / "trials")})


def _index(root: Path) -> Iterator[Damage]:
    for path in sorted((*root.glob(real_index.FILE), *root.glob("sources.*.parquet"))):
        try:
            Index.read(path)
        except DamagedError as error:
            yield path.name, str(error)


def _aside(root: Path) -> Iterator[Damage]:
    try:
        set_aside.read(root)
    except DamagedError as error:
        yield set_aside.FILE, str(error)


def _listed(folder: Path, advice: str) -> Iterator[Damage]:
    """What is not as the list of checksums in a folder says."""
    try:
        for name, same in checksums.differing(folder):
            if not same:
                yield name, f"not what {checksums.FILE} says; {advice}"
    except DamagedError as error:
        yield checksums.FILE, f"{error}; {advice}"


def _report(folder: Path, root: Path, advice: str) -> Iterator[Damage]:
    for name, message in _listed(folder, advice):
        yield _name(folder / name, root), message


def _scores(root: Path, advice: str) -> Iterator[Damage]:
    """Scores and their parts are sealed; what verdicts were judged by is what it was then."""
    folder = root / verdicts.SCORES
    tables = [path for path in _files(folder) if path.suffix == ".parquet"]
    for path in tables:
        try:
            with table_file.reading(path):
                table_file.read(path)
        except DamagedError as error:
            yield _name(path, root), f"{error}; {advice}"
    for path in _files(folder / ".features"):
        if path.suffix == ".npz" and not _is_whole_zip(path):
            yield _name(path, root), f"not a whole file of features; {advice}: it is computed anew"
    listed = (root / checksums.FILE).exists() or not run_file.is_sealed(root)
    try:
        judged = verdicts.read_summary(root) if listed else None
    except DamagedError as error:
        yield verdicts.FILE, str(error)
        return
    for name, sha256 in (judged.scores if judged else {}).items():
        if verdicts.score_digest(root, name) != sha256:
            yield _name(verdicts.scores_path(root, name), root), f"not what the verdicts were judged by; {advice}"


def _adapters(root: Path) -> Iterator[Damage]:
    folder = root / adapter_folder.FOLDER
    for adapter in sorted(folder.glob("[!.]*/")) if folder.is_dir() else ():
        try:
            for name, message in adapter_folder.damage(adapter):
                yield _name(adapter / name, root), message
        except DamagedError as error:
            yield _name(adapter / adapter_folder.FACTS, root), str(error)


def _embeddings(root: Path) -> Iterator[Damage]:
    """Prompts that are encoded once: who makes more images relies on them, and makes again what is not whole."""
    again = "the next `synthgen generate` makes it again"
    for path in _files(root / _EMBEDDINGS):
        content = path.read_bytes() if path.suffix == ".json" else b""
        if content and not seal.is_whole(content):
            yield _name(path, root), f"{seal.CHANGED}; {again}"
        elif path.suffix == ".safetensors":
            receipt = path.with_suffix(".json")
            said = receipt.read_bytes() if receipt.is_file() else b""
            if not said:
                yield _name(receipt, root), f"is gone, or `generate` was stopped; {again}"
            elif seal.is_whole(said) and seal.loads(said).get("sha256") != sha256_file(path):
                yield _name(path, root), f"not what {receipt.name} says; {again}"
        elif content and (file := seal.loads(content).get("file")) and not (path.parent / str(file)).is_file():
            yield _name(path.parent / str(file), root), f"is gone; {again}"


def _is_whole_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def _files(folder: Path) -> list[Path]:
    """The files below a folder, none that somebody is writing."""
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not _is_scratch(path)]


def _is_scratch(path: Path) -> bool:
    return path.name.startswith(".") and path.name.rpartition(".")[2].isdigit()


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
