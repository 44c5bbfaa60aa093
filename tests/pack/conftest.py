"""What the tests of packing share: runs of small images, some of them made from real ones."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synthgen import study
from synthgen.plan import Plan
from synthgen.plan.sample import Record
from synthgen.runs import tar_samples
from synthgen.runs.receipts import Ledger

Pack = Callable[..., Path]


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Reads every file below a folder."""

    def read(root: Path) -> dict[str, bytes]:
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    return read


@pytest.fixture(scope="session")
def run_of(
    make_plan: Callable[..., Plan], make_images: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Makes a run of the small manifest with changes."""

    def make(**changes: Any) -> Path:
        root = tmp_path_factory.mktemp("made") / "run"
        make_images(make_plan(**changes), root)
        return root

    return make


@pytest.fixture(scope="session")
def small(run_of: Callable[..., Path]) -> Path:
    """A run of 24 images that packs into four shards; nobody changes it."""
    return run_of(pack={"images_per_shard": 7}, publish={"license": "openrail"})


@pytest.fixture(scope="session")
def two_splits(run_of: Callable[..., Path]) -> Path:
    """A run of 24 images that packs into two splits; nobody changes it."""
    splits = {"train": 0.7, "test": 0.3}
    return run_of(pack={"images_per_shard": 7, "splits": splits}, publish={"license": "openrail"})


@pytest.fixture(scope="session")
def from_real(make_plan: Callable[..., Plan], run_of: Callable[..., Path]) -> Callable[..., Path]:
    """Makes a run whose records name real images: ``sources(number)`` gives the fields of the number-th record."""

    def make(sources: Callable[[int], dict[str, str]], **changes: Any) -> Path:
        root = run_of(**changes)
        plan, number = make_plan(**changes), 0
        for name, entry in plan.entries.items():
            ledger = Ledger(root, name, entry.digest)
            for shard in range(entry.shards):
                receipt = ledger.trusted(shard)
                assert receipt is not None
                samples = []
                for one in tar_samples.read(ledger.tar(shard)):
                    record = replace(Record.from_json(one.files["json"]), **sources(number))
                    samples.append((one.key, {**one.files, "json": record.to_json()}))
                    number += 1
                ledger.commit(
                    shard,
                    lambda file, samples=samples: list(tar_samples.write(file, samples)),
                    lambda _: None,
                    samples=receipt.samples,
                    environment=receipt.environment,
                    timing=receipt.timing,
                )
        return root

    return make


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    """Packs a run as the command does; returns the dataset's folder."""

    def run(root: Path, name: str = "dataset", **options: Any) -> Path:
        list(study.pack(root, tmp_path / name, **options))
        return tmp_path / name

    return run


@pytest.fixture
def rows() -> Callable[[Path], list[dict[str, Any]]]:
    """Reads a dataset's metadata."""

    def read(dataset: Path) -> list[dict[str, Any]]:
        import pyarrow.parquet

        found: list[dict[str, Any]] = pyarrow.parquet.read_table(dataset / "metadata.parquet").to_pylist()
        return found

    return read


@pytest.fixture
def provenance() -> Callable[[Path], Any]:
    """Reads a dataset's provenance."""
    return lambda dataset: json.loads((dataset / "provenance.json").read_bytes())
