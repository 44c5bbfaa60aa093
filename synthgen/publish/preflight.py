"""Reads a dataset folder from end to end before anything of it leaves, and lists every fault at once."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from synthgen.core import yaml_documents
from synthgen.core.hashing import sha256_file
from synthgen.errors import DamagedError, InputError, ManifestError, UnavailableError, one_line
from synthgen.plan.sample import FROM_REAL
from synthgen.publish import card_check, croissant_check, load_check, secrets
from synthgen.publish.diff import LocalFile
from synthgen.publish.events import Begun, Checked
from synthgen.runs import dataset_folder as layout
from synthgen.runs import signature
from synthgen.runs.tar_samples import TEXTS, TarSample

_NEEDED = (layout.CARD, layout.MANIFEST, layout.METADATA)
_BINARY = (".tar", ".parquet", ".png", ".jpg", ".jpeg", ".webp")
MOST_IMAGE_FILES = 10_000  # that the Hub takes well
LARGEST_FILE = 50_000_000_000  # that the Hub takes, https://huggingface.co/docs/hub/storage-limits
MOST_IN_A_FOLDER = 10_000
Schema = tuple[tuple[str, str], ...]


class Preflight:
    """The check of one dataset folder: what is in it, and what keeps it from being published.

    Args:
        root: The folder.
        token: The Hub token in use here, a secret that no file may hold.
        most_image_files: How many image files a dataset of the layout ``imagefolder`` may have.

    Attributes:
        provenance: The folder's ``provenance.json``.
        files: What goes to the Hub, complete once :meth:`check` has run.
        faults: What was found, one line each.

    Raises:
        InputError: The folder is no packed dataset.
    """

    def __init__(self, root: Path, token: str | None = None, *, most_image_files: int = MOST_IMAGE_FILES) -> None:
        if not layout.is_dataset(root):
            raise InputError(f"{root}: not a packed dataset (no {layout.PROVENANCE}); run `synthgen pack` first")
        self.provenance = layout.read_provenance(root)
        self.files: list[LocalFile] = []
        self.faults: list[str] = []
        self._root, self._token, self._most_image_files = root, token, most_image_files
        self._schema: tuple[str, Schema, frozenset[str]] | None = None
        self._real_sources = False

    def check(self) -> Iterator[Begun | Checked]:
        """Check everything that can be checked without the Hub; yields each file as it was read."""
        promised = self._listed()
        yield Begun("check", len(promised) + 1, self._size([*promised, layout.PROVENANCE]))
        for name in _NEEDED:
            if name not in promised:
                self._fault(layout.PROVENANCE, f"does not list {name}")
        if not self._shards():
            self._fault(layout.PROVENANCE, "lists no shard under data/")
        signed = [layout.SIGNATURE] if (self._root / layout.SIGNATURE).is_file() else []
        for name in (*sorted(promised), layout.PROVENANCE, *signed):
            size = self._check_file(name, promised.get(name))
            yield Checked(name, size)
        self._check_unknown()
        self.faults += [f"{self._root / name}: {fault}" for name, fault in _too_large(self.files)]
        self._check_card()
        self._check_croissant()
        if not self.faults and (said := layout.changed(self._root)):
            self._fault(layout.PROVENANCE, said)
        if not self.faults:
            splits = self.provenance.get("splits", {"train": 0})
            self.faults += [f"{self._root}: {fault}" for fault in load_check.faults(self._root, self._shards(), splits)]

    @property
    def card(self) -> str:
        """The text of README.md."""
        return (self._root / layout.CARD).read_text(encoding="utf-8")

    def digest(self, name: str) -> str:
        """The ``plan_digest`` or ``dataset_digest`` of the dataset."""
        return str(self.provenance.get(name, "unknown"))

    def _shards(self) -> list[str]:
        return [name for name in layout.shards(self.provenance) if name.startswith("data/")]

    def _size(self, names: list[str]) -> int:
        return sum(path.stat().st_size for name in names if (path := self._root / name).is_file())

    def _listed(self) -> dict[str, Any]:
        """What provenance, or the metadata of image files, says of each file."""
        promised = dict(self.provenance["files"])
        try:
            images = layout.image_files(self._root, self.provenance)
        except DamagedError as error:
            self.faults.append(str(error))
            return promised
        if len(images) > self._most_image_files:
            self.faults.append(
                f"{self._root}: {len(images):,} image files are more than the Hub takes well "
                f"({self._most_image_files:,}); pack with --format webdataset or parquet"
            )
        return promised | {name: {"sha256": sha256} for name, sha256 in images.items()}

    def _check_unknown(self) -> None:
        try:
            unknown = sorted(layout.unknown_files(self._root, self.provenance))
        except DamagedError:  # said already
            return
        for name in unknown:
            self._fault(name, "not a file of this dataset; move it away")

    def _fault(self, name: str, message: str) -> None:
        self.faults.append(f"{self._root / name}: {message}")

    def _check_file(self, name: str, promised: Any) -> int:
        """Read one file; returns its size."""
        path = self._root / name
        if not path.resolve().is_relative_to(self._root.resolve()):
            self._fault(layout.PROVENANCE, f"names a file outside the folder: {name}")
            return 0
        if not path.is_file():
            self._fault(name, "the file is gone")
            return 0
        status = path.stat()
        sha256 = sha256_file(path)
        self.files.append(LocalFile(name, path, status.st_size, sha256, status.st_mtime_ns))
        listed = promised if isinstance(promised, dict) else {}
        size = listed.get("size", status.st_size if "sha256" in listed else None)
        if name == layout.SIGNATURE:
            self._check_signature()
        elif name != layout.PROVENANCE and (sha256, status.st_size) != (listed.get("sha256"), size):
            self._fault(name, "its size or sha256 is not the one in provenance.json; run `synthgen verify`")
        elif "samples" in listed or path.suffix == ".tar":
            self._check_shard(name, path, _number(listed, "samples"))
        elif path.suffix == ".parquet":
            self._check_table(name, path)
        elif path.suffix not in _BINARY:
            self._check_secrets(name, path.read_bytes())
        return status.st_size

    def _check_signature(self) -> None:
        try:
            signature.read(self._root)
        except (DamagedError, UnavailableError) as error:
            self._fault(layout.SIGNATURE, str(error))

    def _check_table(self, name: str, path: Path) -> None:
        """No text of a table that lies beside the shards holds a secret."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file:
                texts = [
                    field.name
                    for field in file.schema_arrow
                    if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
                ]
                found = {
                    (column, kind)
                    for batch in file.iter_batches(columns=texts)
                    for column in texts
                    for kind in self._secrets_of(batch.column(column))
                }
        except (pa.ArrowException, OSError) as error:
            self._fault(name, f"can't be read as a table: {one_line(error)[:200]}")
            return
        for column, kind in sorted(found):
            self._fault(name, f"column {column} holds what looks like {kind}; take it out and pack again")

    def _secrets_of(self, values: Any) -> list[str]:
        return list(secrets.find("\n".join(values.unique().drop_null().to_pylist()).encode(), self._token))

    def _check_secrets(self, name: str, content: bytes) -> None:
        for kind in secrets.find(content, self._token):
            self._fault(name, f"holds what looks like {kind}; take it out and pack again")

    def _check_shard(self, name: str, path: Path, samples: int) -> None:
        """Every sample of a shard has the fields and files of the first sample of all, and no secret in its text."""
        found = 0
        try:
            for sample in layout.read_shard(path):
                found += 1
                if not self._check_sample(name, sample):
                    return
        except DamagedError as error:
            self.faults.append(str(error))
            return
        if found != samples:
            self._fault(name, f"holds {found} samples, provenance.json says {samples}")

    def _check_sample(self, name: str, sample: TarSample) -> bool:
        try:
            record = json.loads(sample.files.get("json", b""))
            schema = tuple((field, type(value).__name__) for field, value in record.items())
        except (ValueError, AttributeError):
            self._fault(name, f"{sample.key} has no readable .json")
            return False
        extensions = frozenset(sample.files)
        if self._schema is None:
            self._schema = (sample.key, schema, extensions)
        key, expected, files = self._schema
        if (schema, extensions) != (expected, files):
            self._fault(name, f"{sample.key} has {_difference(schema, extensions, expected, files)} than {key}")
            return False
        self._real_sources |= any(record.get(field) for field in FROM_REAL)
        for extension in sorted(TEXTS & extensions):
            self._check_secrets(f"{name}/{sample.key}.{extension}", sample.files[extension])
        return True

    def _check_croissant(self) -> None:
        """Datasets of earlier versions have none."""
        path = self._root / layout.CROISSANT
        if layout.CROISSANT in self.provenance["files"] and path.is_file():
            for fault in croissant_check.faults(path.read_bytes(), self.provenance):
                self._fault(layout.CROISSANT, fault)

    def elsewhere(self, repo: str, branch: str) -> str:
        """What to say where ``croissant.json`` has other addresses than those of a branch of a repository."""
        if layout.CROISSANT not in self.provenance["files"]:
            return ""
        path = self._root / layout.CROISSANT
        said = croissant_check.elsewhere(path.read_bytes(), repo, branch)
        return f"{path}: {said}" if said else ""

    def _check_card(self) -> None:
        if not (self._root / layout.CARD).is_file():
            return
        try:
            text = self.card
        except UnicodeDecodeError:
            self._fault(layout.CARD, "not UTF-8 text")
            return
        for fault in card_check.faults(text, self.provenance, real_sources=self._real_sources):
            self._fault(layout.CARD, fault)


def _too_large(files: list[LocalFile]) -> Iterator[tuple[str, str]]:
    """The files and folders that are larger than the Hub takes."""
    for file in files:
        if file.size > LARGEST_FILE:
            said = f"{file.size / 1e9:,.0f} GB are more than the Hub takes in a file ({LARGEST_FILE / 1e9:.0f} GB)"
            yield file.name, f"{said}; set a smaller `pack.max_shard_bytes`, and pack again"
    for folder, held in Counter(PurePosixPath(file.name).parent.as_posix() for file in files).items():
        if held > MOST_IN_A_FOLDER:
            said = f"{held:,} files are more than the Hub takes in a folder ({MOST_IN_A_FOLDER:,})"
            yield folder, f"{said}; set a larger `pack.images_per_shard` and `pack.max_shard_bytes`, and pack again"


def repo_of(root: Path) -> str | None:
    """The repository that the dataset's manifest names, ``publish.repo``; ``None`` where it names none."""
    try:
        document = yaml_documents.parse(yaml_documents.read_text(root / layout.MANIFEST), layout.MANIFEST, kept=True)
    except ManifestError:
        return None
    publish = document.get("publish")
    repo = publish.get("repo") if isinstance(publish, dict) else None
    return repo if isinstance(repo, str) else None


def _number(facts: Any, name: str) -> int:
    value = facts.get(name) if isinstance(facts, dict) else None
    return value if isinstance(value, int) else 0


def _difference(schema: Schema, extensions: frozenset[str], expected: Schema, files: frozenset[str]) -> str:
    if extensions != files:
        return f"other files (.{', .'.join(sorted(extensions))} and not .{', .'.join(sorted(files))})"
    fields = sorted({name for name, _ in set(schema) ^ set(expected)})
    return f"other fields ({', '.join(fields)})" if fields else "its fields in another order"
