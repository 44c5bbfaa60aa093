"""Adapters: what fine-tuning leaves, as a folder that plain diffusers and peft load, with the recipe that it came from.

``adapter.json`` beside the weights tells name, digest, method, strategy, labels, base model and revision, the ids of
the real images that were shown, and the sha256 of the weights. Only safetensors are ever read.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from synthgen.core import atomic, digits, model_folder, seal
from synthgen.core.hashing import sha256_file
from synthgen.core.known_digests import sha256_large
from synthgen.errors import DamagedError, IncompleteError, ManifestError

FOLDER = "adapters"
FACTS = "adapter.json"
LORA = "pytorch_lora_weights.safetensors"
EMBEDDINGS = "learned_embeds*.safetensors"
_LOADED = ("lora", "full", "textual-inversion")
_FORMAT = 1
_ENTRIES = ("run.json", "provenance.json")


@dataclass(frozen=True, slots=True)
class Adapter:
    """An adapter as a plan knows it, trained or not.

    Attributes:
        name: Its folder's name.
        digest: The sha256, in hex, over everything that decides it: recipe, seed and the images that it is shown; for a
            folder from elsewhere, over its weights.
        method: The name of the plug-in that trains it.
        pool: The ids of the real images that it has seen, sorted; ``None`` where nobody knows.
        words: The word that a prompt uses for a label in place of its own, by label.
        folder: Where it lies; ``None`` for one that a run trains itself.
    """

    name: str
    digest: str
    method: str
    pool: tuple[str, ...] | None
    words: tuple[tuple[str, str], ...] = ()
    folder: Path | None = None

    def __str__(self) -> str:
        """What records call it: its name and the beginning of its digest."""
        return f"{self.name}@{self.digest[:12]}"

    @property
    def loads_as(self) -> str:
        """The built-in method whose files it has: of a method of one's own, as what lies in the folder shows."""
        return self.method if self.method in _LOADED or self.folder is None else _method(self.folder, own=True)

    def word(self, label: str, words: str) -> str:
        """What a prompt calls a label whose own words are given."""
        return dict(self.words).get(label, words)

    def facts(self) -> dict[str, Any]:
        """What a run and a packed dataset tell of it."""
        pool = None if self.pool is None else list(self.pool)
        return {"name": self.name, "digest": self.digest, "method": self.method, "pool": pool}

    def located(self, root: Path) -> Self:
        """The same with the folder that it lies in.

        Args:
            root: The folder of the run that trains it.

        Raises:
            IncompleteError: It is not trained yet, or what lies there is of another recipe.
            DamagedError: Its weights are not those that were written.
        """
        folder = self.folder or root / FOLDER / self.name
        if not folder.is_dir():
            raise IncompleteError(
                f"adapter `{self.name}` is not trained yet (no {folder}); run `synthgen finetune` first"
            )
        if self.folder is None:
            facts = read(folder)
            if facts["digest"] != self.digest:
                raise IncompleteError(
                    f"adapter `{self.name}` is to be trained again ({folder} is of another recipe or of other images); "
                    "run `synthgen finetune --accept-changes`, which sets that one aside"
                )
            if facts["weights_sha256"] != weights_sha256(folder):
                raise DamagedError(f"{folder}: its weights have changed; move it away and run `synthgen finetune`")
            _check_seal(folder)
        return replace(self, folder=folder)


def describe(folder: Path) -> Adapter:
    """An adapter by the folder that it lies in: ours, or any that diffusers' ``load_lora_weights`` reads.

    Raises:
        ManifestError: It is none, or has only weights that can run code when loaded.
    """
    if not folder.is_dir():
        raise ManifestError(f"no folder {folder}")
    model_folder.refuse_unsafe(folder, [folder])
    own = (folder / FACTS).is_file()
    method = _method(folder, own=own)
    digest = weights_sha256(folder)
    if not own:
        return Adapter(folder.name, digest, method, None, folder=folder)
    facts = read(folder)
    words = tuple(sorted(facts["words"].items()))
    _check_seal(folder)
    return Adapter(facts["name"], digest, method, tuple(facts["pool"]["ids"]), words, folder)


def read(folder: Path) -> dict[str, Any]:
    """The facts that lie beside an adapter's weights.

    Raises:
        DamagedError: They can't be read.
    """
    path = folder / FACTS
    try:
        facts = seal.loads(path.read_bytes())
        if facts.pop("format") != _FORMAT or not {"name", "digest", "weights_sha256", "pool", "words"} <= set(facts):
            raise ValueError("written by another version of synthgen")
        texts = [facts["name"], facts["digest"], facts["weights_sha256"], *facts["pool"]["ids"]]
        texts += [one for pair in facts["words"].items() for one in pair]
        if not all(isinstance(one, str) for one in texts):
            raise TypeError("a name in it is no text")
        return dict(facts)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise DamagedError(f"{path}: not an adapter's file ({error}); train it again") from None


def set_aside(root: Path, name: str, digest: str) -> None:
    """Move an adapter of a run out of the way of another of its name; none of its bytes changes."""
    kept = _kept(root, name, digest)
    kept.parent.mkdir(exist_ok=True)
    atomic.publish(root / FOLDER / name, kept)


def restore(root: Path, name: str, digest: str) -> bool:
    """Whether a run has an adapter, once one that was set aside, and is the one asked for, is back in its place."""
    folder, kept = root / FOLDER / name, _kept(root, name, digest)
    if not folder.exists() and kept.is_dir() and read(kept)["digest"] == digest:
        atomic.publish(kept, folder)
    return folder.exists()


def _kept(root: Path, name: str, digest: str) -> Path:
    return root / FOLDER / ".aside" / f"{name}-{digest[:12]}"


def write(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the facts beside an adapter's weights, as the last of its files."""
    content = {"format": _FORMAT, **facts, "weights_sha256": weights_sha256(folder), "files": _files(folder)}
    atomic.write(folder / FACTS, seal.dumps(content))


def damage(folder: Path) -> Iterator[tuple[str, str]]:
    """Each file of an adapter that is not what was written, and what is wrong with it; every byte is read.

    Raises:
        DamagedError: Its facts can't be read.
    """
    facts = read(folder)
    if weights_sha256(folder, sha256_file) != facts["weights_sha256"]:
        yield "", "its weights have changed; move it away and run `synthgen finetune`"
    now = _files(folder)
    for name, sha256 in facts.get("files", {}).items():
        if now.get(name) != sha256:
            said = "is gone" if name not in now else "has changed"
            yield name, f"{said} since it was written; move the adapter away and run `synthgen finetune`"
    _check_seal(folder)


def _check_seal(folder: Path) -> None:
    path = folder / FACTS
    if path.is_file() and seal.has_changed(path.read_bytes()):
        raise DamagedError(f"{path}: {seal.CHANGED}; put back a copy, or move the adapter away and train it again")


def _files(folder: Path) -> dict[str, str]:
    """The sha256, in hex, of every file of an adapter but its facts."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / FACTS)
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in paths if path.name[0] != "."}


def weights_sha256(folder: Path, sha256: Callable[[Path], str] | None = None) -> str:
    """The sha256, in hex, over the names and bytes of every safetensors file in a folder.

    Args:
        folder: The folder.
        sha256: Gives that of a file; if left out, a file that was read before and looks the same is not read again.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(bytes.fromhex((sha256 or _known_sha256)(path)))
    return digest.hexdigest()


def embedding_files(folder: Path) -> list[Path]:
    """The files of learned embeddings that are loaded, sorted.

    Of what diffusers' own script leaves, ``learned_embeds.safetensors`` goes before those of its steps, and of these
    alone the last counts: all of them stand for the same word.
    """
    found: dict[str, tuple[float, Path]] = {}
    for path in folder.glob(EMBEDDINGS):
        name, at, steps = path.stem.rpartition("-steps-")
        key, rank = (name, float(steps)) if at and digits.whole(steps) is not None else (path.stem, math.inf)
        found[key] = max(found.get(key, (-1.0, path)), (rank, path))
    return sorted(path for _, path in found.values())


def pools(root: Path) -> dict[str, frozenset[str] | None]:
    """Which real images each adapter has seen, by what records call it, for a run or a packed dataset.

    ``None`` where nobody knows. Images whose record names no adapter are of a model that has seen none of them.

    Raises:
        DamagedError: The folder's own file can't be read.
    """
    for name in _ENTRIES:
        path = root / name
        if not path.is_file():
            continue
        try:
            found = json.loads(path.read_bytes()).get("adapters", {})
            return {key: None if one["pool"] is None else frozenset(one["pool"]) for key, one in found.items()}
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise DamagedError(f"{path}: can't be read: {error}") from None
    return {}


def table(adapters: Iterable[Adapter]) -> dict[str, dict[str, Any]]:
    """The facts of adapters, by what records call them, as :func:`pools` reads them."""
    return {str(one): one.facts() for one in adapters}


def _method(folder: Path, *, own: bool) -> str:
    if (folder / LORA).is_file():
        return "lora"
    if any(folder.glob(EMBEDDINGS)):
        return "textual-inversion"
    if (folder / "model_index.json").is_file():
        if own:
            return "full"
        raise ManifestError(f"{folder} is a whole model, not an adapter; name it under `model`")
    raise ManifestError(f"{folder} is no adapter: it has neither {LORA} nor {EMBEDDINGS}")


def _known_sha256(path: Path) -> str:
    status = path.stat()
    return _kept_sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _kept_sha256(path: Path, _size: int, _mtime_ns: int) -> str:
    return sha256_large(path)
