"""What a run sets aside leaves the Hub with the next dataset, and no dataset that still holds it goes there."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub import Hub

Synthgen = Callable[..., Any]
REPO = "org/name"


def images(hub: Hub) -> set[str]:
    """The keys of all images that the newest state of the repository holds."""
    found = set[str]()
    for name, file in hub[REPO].snapshot().items():
        if name.endswith(".tar"):
            with tarfile.open(fileobj=io.BytesIO(hub.objects[file])) as tar:
                found |= {member.split(".")[0] for member in tar.getnames()}
    return found


def test_what_is_set_aside_leaves_the_hub(
    hub: Hub, synthgen: Synthgen, write_manifest: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old dataset is refused, `plan` and `generate` say that it has to be replaced, and the new one replaces it."""
    monkeypatch.chdir(tmp_path)
    more = {"publish": {"repo": REPO, "license": "openrail"}, "pack": {"images_per_shard": 8}}
    manifest = write_manifest(**more)
    assert synthgen("run", manifest, "-q").code == 0
    assert synthgen("publish", "runs/small").code == 0
    assert len(images(hub)) == 24
    write_manifest(labels={"psoriasis": "psoriasis"}, **more)
    assert "dataset holds images that would be set aside" in synthgen("plan", manifest, "--out", "runs/small").err
    said = synthgen("generate", manifest, "--out", "runs/small", "--accept-changes")
    assert "runs/small/dataset holds 12 images that are set aside: pack it again" in said.err
    said = synthgen("publish", "runs/small")
    assert said.code == 1
    assert "12 of its images were set aside in its run since it was packed" in said.errors[0]
    assert len(images(hub)) == 24
    assert synthgen("run", manifest, "-q").code == 0
    assert synthgen("publish", "runs/small/work").code == 0
    kept = images(hub)
    assert len(kept) == 12
    assert all("psoriasis" in key for key in kept)
