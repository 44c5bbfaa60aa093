"""What hashes decide (seeds, splits, orders, names) stays as it is in all that was made before."""

from collections.abc import Callable
from pathlib import Path

import pytest

from synthgen.core import adapter_folder, hashing, model_folder
from synthgen.evaluate.design import trials
from synthgen.finetune import step_seeds
from synthgen.pack.write_shards import size_and_sha256
from synthgen.phantom.render import image_seed
from synthgen.plan import seeding
from synthgen.plan.ordering.by_source import BySource
from synthgen.plan.real_index import Source, split_of
from synthgen.runs import verdicts

THIRDS = {"train": 1 / 3, "validation": 1 / 3, "test": 1 / 3}


def source(name: str) -> Source:
    """A real image of that id."""
    return Source(name, "psoriasis", 1, name, "train", "", "", "")


@pytest.mark.parametrize(
    ("found", "golden"),
    [
        pytest.param(lambda: seeding.seed_of(42, "é-0000123", 1), 1647805492216304824, id="seed-of-a-sample"),
        pytest.param(
            lambda: [seeding.draw(7, f"tone {n}", (0.2, 0, 1.5, 3)) for n in range(12)],
            [3, 2, 2, 3, 0, 2, 2, 0, 3, 3, 3, 3],
            id="draws",
        ),
        pytest.param(lambda: step_seeds.seed("ab" * 32), 1134950822831175776, id="seed-of-a-training"),
        pytest.param(lambda: step_seeds.seed("ab" * 32, "batch", 3, "é"), 9086605009102049132, id="seed-of-a-batch"),
        pytest.param(
            lambda: image_seed(7, "clinic", "lichen planus", 3, 12), 6633066226279199064, id="seed-of-a-phantom"
        ),
        pytest.param(
            lambda: hashing.stable_hash(7, "draw", 0, "group", "é").hex(), "7c75d27aedffbb47", id="rank-of-a-group"
        ),
        pytest.param(
            lambda: [split_of(3, f"p{n}", THIRDS)[:2] for n in range(12)],
            ["te", "te", "tr", "te", "tr", "te", "te", "tr", "tr", "va", "te", "te"],
            id="splits",
        ),
        pytest.param(
            lambda: [BySource([source(c) for c in "abcdefg"], 1, None, 9)[n].name for n in range(7)],
            ["a-000", "b-000", "f-000", "c-000", "g-000", "d-000", "e-000"],
            id="order",
        ),
        pytest.param(
            lambda: trials.digest(["7", "real", "é", ""]), "739ed6f7ef0f2e13a6638a7179dccd43", id="digest-of-a-trial"
        ),
    ],
)
def test_what_a_hash_decides_never_changes(found: Callable[[], object], golden: object) -> None:
    """Each of these is in runs and datasets that there are, so it is the same for ever."""
    assert found() == golden


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with one file of each kind that a model folder has, and a run's scores."""
    for name in ("a/model.safetensors", "config.json", "scores/domain.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode() * 1000)
    return tmp_path


def test_what_names_files_never_changes(files: Path) -> None:
    """A digest over files is over their names and bytes, in one way."""
    assert adapter_folder.weights_sha256(files) == "43b71ee00b9dd325dfdb6ac594ad9d229020e1621a29f82ad07bd52b4f906a8d"
    assert model_folder.fingerprint(files) == "sha256:31cd601b1f6a2b312da5c3eb930da4a4"
    assert verdicts.score_digest(files, "domain") == "a842dba3768371d1dc442c37671e6a26277e42a2e74a7ac1d8a296cdc99886a9"
    assert verdicts.score_digest(files, "quality") == ""
    assert size_and_sha256(files / "config.json") == (
        11000,
        "b71902c25588268d0c87bb80f6b3e7d9898bf5e42ea1a8410747d9996fd569b2",
    )
