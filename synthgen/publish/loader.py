"""Opens a dataset folder the way its readers will: with ``datasets``, through the card, one sample of each tar."""

import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath


def faults(root: Path, tars: list[str]) -> Iterator[str]:
    """What ``datasets`` can't open, one line each; nothing where the first sample of every tar comes out.

    Args:
        root: The dataset folder.
        tars: The paths of its tars, relative to the folder.
    """
    import datasets
    from datasets.exceptions import DatasetsError

    expected = {PurePosixPath(name).name for name in tars}
    with tempfile.TemporaryDirectory(prefix="synthgen-publish-") as cache, _without_bars():
        try:
            splits = datasets.load_dataset(str(root.resolve()), streaming=True, cache_dir=cache)
            found = [url for split in splits.values() for url in _first_of_each(split)]
        except (DatasetsError, OSError, ValueError, TypeError, LookupError, RuntimeError, tarfile.TarError) as error:
            said = " ".join(str(error).split())[:300]
            yield f"`datasets` can't open it: {type(error).__name__}: {said}"
            return
    for name in sorted(expected - {PurePosixPath(url).name for url in found}):
        yield f"`datasets` does not find data/{name}; the card's `configs` leave it out"


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep the loader's own progress bars away."""
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    disabled = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not disabled:
            enable_progress_bars()


def _first_of_each(split: object) -> Iterator[str]:
    """The tar's path of the first sample of each tar of a stream."""
    count: int = split.num_shards  # type: ignore[attr-defined]
    for index in range(count):
        part = split.shard(num_shards=count, index=index)  # type: ignore[attr-defined]
        yield next(iter(part))["__url__"]
