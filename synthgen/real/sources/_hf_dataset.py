"""A dataset that the ``datasets`` library has opened: its columns, its rows without images, and single images."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from synthgen.errors import DamagedError
from synthgen.real.sources import _hf_loading
from synthgen.real.sources._hf_places import Places

_BATCH = 1000
Paths = dict[str, str]


class Opened:
    """The splits of a dataset, their images undecoded.

    Args:
        path: What messages call it.
        splits: The splits, by name.
        streaming: Whether rows come one after another.
        places: Where the files may lie that its cells name.

    Attributes:
        pictures: The columns that hold images.
        columns: The others; ``a.b`` is field ``b`` of struct ``a``.
    """

    def __init__(self, path: str, splits: Mapping[str, Any], streaming: bool, places: Places) -> None:
        import datasets

        self._path, self._streaming, self._places = path, streaming, places
        self._splits = dict(splits)
        self._features: dict[str, Any] = {}
        for split in splits.values():
            self._features |= dict(split.features or {})
        features = self._features.items()
        self.pictures = [name for name, feature in features if isinstance(feature, datasets.Image)]
        for split, name in ((split, name) for split in splits for name in self.pictures):
            self._splits[split] = self._splits[split].cast_column(name, datasets.Image(decode=False))
        inner = [f"{name}.{part}" for name, feature in features if isinstance(feature, dict) for part in feature]
        self.columns = [name for name in self._features if name not in self.pictures] + inner

    @property
    def told_of_others(self) -> str:
        """What is said of columns that may hold images and don't say so; empty where there are none such."""
        import datasets

        said = []
        for name, feature in self._features.items():
            inner = getattr(feature, "feature", feature[0] if isinstance(feature, list) and feature else None)
            if isinstance(feature, dict) and {"bytes", "path"} <= set(feature):
                said.append(f"`{name}` has bytes and a path without saying that they are an image: save it with the "
                            "feature `datasets.Image()`")  # fmt: skip
            elif isinstance(inner, datasets.Image):
                said.append(f"`{name}` has several images a row: save a row an image")
            elif getattr(feature, "dtype", "") in ("binary", "large_binary"):
                said.append(f"`{name}` has bytes without saying what of: save it with the feature `datasets.Image()`")
        return "; ".join(said)

    def rows(self, images: Sequence[str]) -> Iterator[tuple[str, int, Paths, Paths, dict[str, Any]]]:
        """Split, number, the path in each of some columns of images that is not empty, and the metadata of each row.

        Beside the paths come the reasons, by column, why the file that a cell names is not read.
        """
        for split, number, row in self.streamed() if self._streaming else self._listed(images):
            paths = {name: row[name]["path"] or "" for name in images if row.get(name) is not None}
            refused = {name: self._places.refusal(path) for name, path in paths.items() if not _held(row[name])}
            rest = {name: self._meant(name, value) for name, value in row.items() if name not in self.pictures}
            structs = ((name, value) for name, value in rest.items() if isinstance(value, dict))
            inner = {f"{name}.{part}": one for name, value in structs for part, one in value.items()}
            yield split, number, paths, refused, rest | inner

    def streamed(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Split, number and row, with images' bytes, one after another."""
        with _hf_loading.reasons(self._path):
            for split, rows in self._splits.items():
                yield from ((split, number, row) for number, row in enumerate(rows))

    def read(self, split: str, number: int, name: str) -> bytes:
        """The bytes of one image.

        Raises:
            DamagedError: There is none.
            InputError: The dataset can't be read.
        """
        try:
            with _hf_loading.reasons(self._path):
                return self.content(self._splits[split][number][name])
        except (KeyError, IndexError):
            raise DamagedError(f"no image {split}/{number}/{name} in {self._path}") from None

    def content(self, image: Any) -> bytes:
        """The bytes of an undecoded image: its own, or those of the file of the dataset that it names.

        Raises:
            DamagedError: There is none, or the file is not the dataset's.
            InputError: It can't be reached.
        """
        if image is None:
            raise DamagedError("no image")
        if _held(image):
            return bytes(image["bytes"])
        if refused := self._places.refusal(image["path"] or ""):
            raise DamagedError(refused)
        return _file(image["path"])

    def _meant(self, name: str, value: Any) -> Any:
        """A ClassLabel's number as its name; one that is missing as nothing."""
        names = getattr(self._features.get(name), "names", None)
        if names is None or not isinstance(value, int):
            return value
        return names[value] if 0 <= value < len(names) else None

    def _listed(self, images: Sequence[str]) -> Iterator[tuple[str, int, dict[str, Any]]]:
        """Every row without the bytes of its images, which stay on disk."""
        for split, rows in self._splits.items():
            tables = rows.with_format("arrow")
            for first in range(0, len(rows), _BATCH):
                table = tables[first : first + _BATCH]
                names = [name for name in table.column_names if name in images or name not in self.pictures]
                cells = (_paths(table, name) if name in images else table[name].to_pylist() for name in names)
                for number, row in enumerate(zip(*cells, strict=True), start=first):
                    yield split, number, dict(zip(names, row, strict=True))


def _held(cell: Mapping[str, Any]) -> bool:
    """Whether a cell holds an image's bytes itself."""
    return cell.get("bytes") is not None


def _file(path: str) -> bytes:
    """The bytes of a file, here or at an address."""
    import fsspec

    name = path.rpartition("/")[2]
    with _hf_loading.reasons(name):
        try:
            if "://" not in path and not Path(path).is_file():  # a pipe would be waited for
                raise DamagedError(f"no file {name}")
            with fsspec.open(path, "rb") as opened:
                return bytes(opened.read())
        except FileNotFoundError:
            raise DamagedError(f"no file {name}") from None


def _paths(table: Any, name: str) -> list[dict[str, Any] | None]:
    """The paths of a column of images, and no more than whether there are bytes beside them, which stay on disk."""
    from pyarrow import compute

    paths, there = compute.struct_field(table[name], "path").to_pylist(), table[name].is_valid().to_pylist()
    held = compute.struct_field(table[name], "bytes").is_valid().to_pylist()
    return [
        {"path": path, "bytes": b"" if own else None} if valid else None
        for path, own, valid in zip(paths, held, there, strict=True)
    ]
