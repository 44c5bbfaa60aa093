"""What was published is read back by the clients that people use, in a process of their own, and is what was made."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from calls import TOKEN
from conftest import REPO, Publish, environment
from hub import Hub

from synthgen.plan.sample import Record
from synthgen.runs import tar_samples

READ = """
import hashlib, json, sys
import datasets, pandas

def rows(**options):
    found = datasets.load_dataset("org/name", split="train", **options)
    names = found.features["cls"].names
    images = [row["png"].size for row in found]
    found = found.cast_column("png", datasets.Image(decode=False))
    return names, images, {
        row["json"]["key"]: [hashlib.sha256(row["png"]["bytes"]).hexdigest(), row["cls"], row["json"]] for row in found
    }

table = pandas.read_parquet("hf://datasets/org/name/metadata.parquet")
print(json.dumps({
    "whole": rows(), "streamed": rows(streaming=True),
    "pandas": {row["key"]: row["image_sha256"] for row in table.to_dict("records")},
}))
"""


@pytest.fixture(scope="module")
def generated(packed: Path) -> dict[str, list[Any]]:
    """What was generated: sha256 of the image, class and record by key, read from the run's own work shards."""
    found = {}
    for path in (packed / "larger-run").rglob("*.tar"):
        for one in tar_samples.read(path):
            record = Record.from_json(one.files["json"])
            content = json.loads(one.files["json"])
            found[one.key] = [sha256(one.files["png"]).hexdigest(), record.label_id, content]
    return found


def test_datasets_and_pandas_read_what_was_generated(
    hub: Hub, publish: Publish, dataset: Path, outside: Callable[..., Any], generated: dict[str, list[Any]]
) -> None:
    """`load_dataset("org/name")` whole and streaming, and pandas, give every image, class, tone and hash."""
    publish(dataset)
    done = outside("-c", READ)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for names, sizes, rows in (found["whole"], found["streamed"]):
        assert names == ["psoriasis", "healthy"]
        assert sizes == [[32, 32]] * 24
        assert rows == generated
        assert {row[2]["skin_tone"] for row in rows.values()} == {"I", "III", "VI"}
    assert found["pandas"] == {key: row[0] for key, row in generated.items()}


def test_the_hub_is_given_back_byte_for_byte(
    hub: Hub, publish: Publish, dataset: Path, outside: Callable[..., Any], tmp_path: Path
) -> None:
    """`snapshot_download` brings back every file of the folder as it was."""
    publish(dataset)
    code = (
        "import sys, huggingface_hub as h; h.snapshot_download(sys.argv[1], repo_type='dataset', local_dir=sys.argv[2])"
    )
    done = outside("-c", code, REPO, tmp_path / "back")
    assert done.returncode == 0, done.stderr
    for path in (one for one in dataset.rglob("*") if one.is_file()):
        assert (tmp_path / "back" / path.relative_to(dataset)).read_bytes() == path.read_bytes()


def test_an_empty_repository_is_no_dataset(
    hub: Hub, publish: Publish, dataset: Path, outside: Callable[..., Any]
) -> None:
    """Between creation and the commit a reader is told that there is nothing, and never gets a part."""
    hub.misbehave("POST", "/commit/", status=403, message="no", times=9)
    with pytest.raises(Exception, match="403"):
        publish(dataset)
    done = outside("-c", "import datasets; datasets.load_dataset('org/name')")
    assert done.returncode == 1
    assert "EmptyDatasetError" in done.stderr or "DataFilesNotFoundError" in done.stderr


def test_the_command_publishes_from_a_shell(
    hub: Hub, dataset: Path, outside: Callable[..., Any], tmp_path: Path
) -> None:
    """The whole command in a process of its own: exit 0, the summary on stdout, and no token anywhere."""
    assert environment(hub, tmp_path)["HF_TOKEN"] == TOKEN
    hub.misbehave("PUT", "/storage/", status=503, message="Service Unavailable")
    done = outside("-m", "synthgen", "publish", dataset, "--repo", REPO, "--tag", "v1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("published in 1 commit; 10 files (")
    assert done.stdout.splitlines()[1].endswith(f"at {hub[REPO].references['main'][:12]}, tag v1")
    assert TOKEN not in done.stdout + done.stderr
    assert "X-Amz" not in done.stderr
    assert "thrown while" not in done.stderr
