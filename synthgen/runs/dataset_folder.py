"""A packed dataset folder: what lies where in it, and how its own files are read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthgen.core import seal, table_file, yaml_documents
from synthgen.core.devices import Environment
from synthgen.core.hashing import sha256_file
from synthgen.errors import DamagedError, Fault, InputError, ManifestError
from synthgen.plan import Plan, manifest, real_index, top_ups
from synthgen.plan.manifest import KeptPlugins, Layout
from synthgen.plan.manifest.schema import LAYOUTS
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.real_index import Index
from synthgen.plan.sample import mask_sha256
from synthgen.runs import parquet_samples, tar_samples
from synthgen.runs.own_files import own_file
from synthgen.runs.tar_samples import TarSample

PROVENANCE = "provenance.json"
MANIFEST = "manifest.yaml"
METADATA = "metadata.parquet"
PROMPTS = "prompts/prompts.yaml"
SOURCES = real_index.FILE
CARD = "README.md"
NEXT_CARD = ".README.md.next"  # the card with a report, from before provenance.json promises it until it has its name
CROISSANT = "croissant.json"
WITHHELD = "withheld"  # what the manifest in a dataset has in place of a path
_ENTRIES = ("generate", "finetune")
SIGNATURE = "provenance.c2pa"  # of whoever signed it; neither in the digest nor in provenance.json
SHEET = "assets/contact_sheet.png"


def listing(split: str) -> str:
    """The path of the file that lists a split's images in a dataset of image files."""
    return f"data/{split}/{METADATA}"


def is_dataset(root: Path) -> bool:
    """Whether a folder is a packed dataset."""
    return (root / PROVENANCE).is_file()


def check_ours(root: Path) -> None:
    """Check that a folder is a packed dataset, empty, or not there.

    Raises:
        InputError: It holds something else, so nothing is written to it.
    """
    free = not root.exists() or (root.is_dir() and not any(root.iterdir()))
    if not free and not is_dataset(root):
        raise InputError(f"{root} is not empty and not a packed dataset; choose another folder")


def read_provenance(root: Path) -> dict[str, Any]:
    """How a packed dataset was made, and the sha256 and size of its files.

    Raises:
        InputError: It is not a dataset that ``pack`` made.
    """
    path = root / PROVENANCE
    try:
        document = seal.loads(path.read_bytes())
        found = document | {"files": dict(document["files"])}
        if found.setdefault("layout", LAYOUTS[0]) not in LAYOUTS and not found.get("layout_plugin"):
            raise ValueError(f"layout `{found['layout']}` is unknown to this version of synthgen")
        if strange := [name for name, facts in found["files"].items() if not isinstance(facts, dict)]:
            raise TypeError(f"of `{strange[0]}` it says neither size nor sha256")
        for environment in filter(None, found.get("environments", {}).values()):
            Environment(**environment)
        return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a packed dataset's file: {error}") from None


def changed(root: Path) -> str:
    """What to say of a provenance that is not what was written; empty where it is, or nothing tells."""
    same = not seal.has_changed((root / PROVENANCE).read_bytes())
    return "" if same else f"{seal.CHANGED}; put back a copy, or pack the run again"


def has_next_card(root: Path) -> bool:
    """Whether a dataset is promised a card that is on disk and has not its name yet."""
    path = root / NEXT_CARD
    facts = read_provenance(root)["files"].get(CARD, {})
    return path.is_file() and sha256_file(path) == facts.get("sha256")


def check_seal(root: Path) -> None:
    """Refuse a dataset whose provenance is not what was written.

    Raises:
        DamagedError: It is not.
    """
    if said := changed(root):
        raise DamagedError(f"{root / PROVENANCE}: {said}")


def read_plan(root: Path, extensions: Extensions) -> Plan:
    """The plan of the run that a dataset was packed from.

    Raises:
        InputError: Its manifest can't be read any more.
    """
    try:
        read = manifest.parse(
            yaml_documents.read_text(root / MANIFEST),
            extensions,
            base=root.resolve(),
            where=str(root / MANIFEST),
            prompts_text=yaml_documents.read_text(root / PROMPTS),
            kept=KeptPlugins.read(read_provenance(root).get("plugins", [])),
        )
    except ManifestError as error:
        raise InputError(*(_with_advice(fault).in_file(root) for fault in error.faults)) from None
    index = read_index(root) if read.starts_from_real and (root / SOURCES).exists() else None
    try:
        return Plan(read, index, top_ups.parse(read_provenance(root).get("top_up", [])))
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{root / PROVENANCE}: top_up: {error}") from None


def _with_advice(fault: Fault) -> Fault:
    """A fault that a folder is not there, with where it is; any other as it is."""
    if "no folder " not in fault:
        return fault
    said = f"{fault}; a model or an adapter of one's own is never packed: put it there, or give the run, as --work RUN"
    return Fault(said, path=fault.path, kind=fault.kind)


def read_index(root: Path) -> Index:
    """The real images that a dataset was made from, by the names that it has for them.

    Raises:
        DamagedError: They can't be read.
    """
    return Index.read(root / SOURCES)


def withholds_places(root: Path) -> bool:
    """Whether the manifest in a dataset says `withheld` of a model or a plug-in, so that nothing can be planned by it.

    What is withheld of real images alone is no matter: images under pseudonyms are planned by their run.
    """
    return is_placeless(yaml_documents.read_text(root / MANIFEST))


def is_placeless(text: str) -> bool:
    """The same of a manifest's text."""
    document = yaml_documents.parse(text, MANIFEST, kept=True) if WITHHELD in text else {}
    return any(_holds(value, WITHHELD) for name, value in document.items() if name in ("model", "plugins", *_ENTRIES))


def _holds(value: object, text: str) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value == text or any(_holds(one, text) for one in inner)


def layout_of(provenance: dict[str, Any]) -> Layout:
    """How a dataset is laid out."""
    found: Layout = provenance["layout"]
    return found


def shards(provenance: dict[str, Any]) -> dict[str, int]:
    """The files that hold samples, or list those of an image folder: how many samples, by path."""
    files: dict[str, Any] = provenance["files"]
    return {name: facts["samples"] for name, facts in files.items() if isinstance(facts, dict) and "samples" in facts}


def read_shard(path: Path, key: str = "") -> Iterator[TarSample]:
    """Every sample of one shard, or the one with that key, whichever the layout, as the files that it has in a tar.

    Raises:
        DamagedError: The shard is not whole.
        InputError: It is in the format of a plug-in.
    """
    match path.suffix, path.name:
        case ".tar", _:
            yield from (sample for sample in tar_samples.read(path) if not key or sample.key == key)
        case _, name if name == METADATA:
            yield from parquet_samples.read_listing(path, key)
        case ".parquet", _:
            yield from parquet_samples.read(path, key)
        case _:
            said = "in the format of a plug-in, which can be verified and not read; use the run, or another format"
            raise InputError(Fault.at(str(path), said, "unsupported"))


def read_sample(root: Path, key: str) -> TarSample | None:
    """The stored sample with that key, found through the metadata; ``None`` where there is none."""
    rows = read_metadata(root, ["split", "shard"], [("key", "==", key)])
    if not rows:
        return None
    layout = layout_of(read_provenance(root))
    shard = own_file(root, listing(rows[0]["split"]) if layout == "imagefolder" else rows[0]["shard"])
    return next(read_shard(shard, key), None)


def image_files(root: Path, provenance: dict[str, Any]) -> dict[str, str]:
    """The sha256 of each image and label map by path, where each is a file of its own; the metadata alone have them."""
    if layout_of(provenance) != "imagefolder":
        return {}
    found = dict[str, str]()
    for row in read_metadata(root, ["shard", "image_sha256", "attributes"]):
        found[row["shard"]] = row["image_sha256"]
        if sha256 := mask_sha256(row["attributes"]):
            found[mask_file(row["shard"])] = sha256
    return found


def mask_file(image: str) -> str:
    """The path of the label map that lies beside an image."""
    return f"{image.rpartition('.')[0]}.{tar_samples.MASK}"


def read_cells(root: Path) -> Iterator[tuple[str, str, str]]:
    """The entry, label and skin tone of every sample, from the metadata."""
    for row in read_metadata(root, ["entry", "label", "skin_tone"]):
        yield row["entry"], row["label"], row["skin_tone"]


def read_metadata(root: Path, columns: list[str], filters: Any = None) -> list[dict[str, Any]]:
    """Some columns of a dataset's metadata, a row a sample, in the order of its shards.

    Args:
        root: The dataset.
        columns: Their names.
        filters: Which rows, as pyarrow takes them; ``None`` for all.

    Raises:
        DamagedError: They can't be read.
    """
    from pyarrow import parquet

    path = root / METADATA
    with table_file.reading(path, advice="run `synthgen verify`"):
        return list(parquet.read_table(path, columns=columns, filters=filters).to_pylist())


def unknown_files(root: Path, provenance: dict[str, Any], *, hidden: bool = False) -> Iterator[str]:
    """Files in a dataset folder that are none of its own, hidden ones left out unless they are asked for."""
    known = {*provenance["files"], *image_files(root, provenance), PROVENANCE, SIGNATURE}
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        seen = hidden or not any(part.startswith(".") for part in Path(name).parts)
        if path.is_file() and seen and name not in known:
            yield name
