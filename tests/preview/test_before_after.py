"""A picture that was made from another image is shown beside it, as far as that image can be had."""

import base64
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen import generate, study
from synthgen.cli import call
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import Extensions
from synthgen.preview import show
from synthgen.runs import load_plan, verdicts
from synthgen.runs.folders import open_folder
from synthgen.runs.start_images import of_run
from synthgen.vision.images import codec

Write = Callable[..., Path]
TRAIN = {"splits": {"train": 1.0}}
PHANTOM = {"source": "phantom", "count": 12, "seed": 5} | TRAIN
CHAIN = [
    {"name": "first", "strategy": "fake", "per_source": 2},
    {"name": "second", "strategy": "fake", "from": "first", "settings": {"width": 32, "height": 32}},
]
NOTE = "<strong>Holds real photographs</strong> (the left of each pair): mind who may see this page."


@pytest.fixture
def chain(write_manifest: Write, tmp_path: Path, extensions: Extensions) -> tuple[Path, Plan]:
    """The run of a chain from phantoms, and its plan."""
    return made(write_manifest(real=PHANTOM, generate=CHAIN), tmp_path / "run", extensions)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder of four photographs, of which the metadata say label and skin tone."""
    folder, rows = tmp_path / "photographs", ["file_name,label,skin_tone"]
    folder.mkdir()
    for number in range(4):
        grain = np.random.default_rng(number).integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(grain).save(folder / f"{number}.png")
        rows.append(f"{number}.png,psoriasis,{(1, 3, 6, 6)[number]}")
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture
def run_of_photographs(photographs: Path, write_manifest: Write, tmp_path: Path, extensions: Extensions) -> Path:
    """The run of one entry from the folder of photographs."""
    real = {"source": "folder", "path": str(photographs)} | TRAIN
    return made(write_manifest(real=real, generate=CHAIN[:1]), tmp_path / "run", extensions)[0]


def made(path: Path, root: Path, extensions: Extensions) -> tuple[Path, Plan]:
    plan = load_plan.read(path, extensions, root)
    list(generate.generate(generate.prepare(plan, root, generate.Selection()), None))
    return root, plan


def shown(root: Path, extensions: Extensions, **options: Any) -> tuple[str, dict[str, Any]]:
    """The page of a run or dataset, and what its block of JSON says."""
    out = root.parent / "page.html"
    show(open_folder(root, extensions), out, **options)
    html = out.read_text("utf-8")
    block = re.search(r'<script id="data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert block
    return html, json.loads(block[1])


def originals(data: dict[str, Any]) -> dict[str, str | None]:
    """The address of what each picture starts from, by the picture's key."""
    key = data["fields"].index("key")
    return {
        one["record"][key]: None if one["original"] is None else data["originals"][one["original"]]
        for one in data["pictures"]
    }


def pixels(address: str) -> Any:
    with Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))) as image:
        return np.asarray(image.convert("RGB"))


def test_each_picture_stands_beside_what_it_starts_from(chain: tuple[Path, Plan], extensions: Extensions) -> None:
    """Of a real image and of an image made before, every pixel is there at the size that was made."""
    root, plan = chain
    found, read = originals(shown(root, extensions)[1]), of_run(plan, root)
    assert len(found) == plan.samples
    for entry in plan.entries.values():
        for number in range(entry.shards):
            read.fetch(samples := entry.shard(number))
            for sample in samples:
                address = found[sample.key]
                assert address is not None
                assert (pixels(address) == read(sample).pixels).all()


def test_a_real_image_is_there_once(chain: tuple[Path, Plan], extensions: Extensions) -> None:
    """Two pictures of one real image share it; those made from pictures have each its own."""
    root, plan = chain
    data = shown(root, extensions)[1]
    sources = {sample.source for sample in map(plan.entries["first"].sample, range(len(plan.entries["first"])))}
    assert len(data["originals"]) == len(set(data["originals"])) == len(sources) + len(plan.entries["second"])
    found = originals(data)
    first = plan.entries["first"]
    same = [one.key for one in map(first.sample, range(len(first))) if one.source == first.sample(0).source]
    assert len(same) == 2
    assert found[same[0]] == found[same[1]]


def test_a_dataset_shows_the_same_pairs_as_its_run(
    chain: tuple[Path, Plan], extensions: Extensions, tmp_path: Path
) -> None:
    """What an earlier entry made is found in the dataset itself."""
    list(study.pack(chain[0], tmp_path / "dataset"))
    found = originals(shown(tmp_path / "dataset", extensions)[1])
    assert None not in found.values()
    assert found == originals(shown(chain[0], extensions)[1])


def test_what_starts_from_nothing_stands_alone(write_manifest: Write, tmp_path: Path, extensions: Extensions) -> None:
    """Pictures made from prompts alone have no original, and the page speaks of no pairs."""
    root, _ = made(write_manifest(), tmp_path / "run", extensions)
    html, data = shown(root, extensions)
    assert data["originals"] == []
    assert {one["original"] for one in data["pictures"]} == {None}
    assert "<strong>All images are synthetic</strong>" in html


def test_a_run_that_is_not_finished_says_how_far_it_is(
    write_manifest: Write, make_images: Any, tmp_path: Path, extensions: Extensions
) -> None:
    """A gallery of a part of a run tells how many of the planned images are there."""
    make_images(load_plan.read(write_manifest(), extensions), tmp_path / "run", limit=1)
    assert "5 of 24 planned images" in shown(tmp_path / "run", extensions)[0]


def test_an_image_made_from_a_prompt_is_an_original(
    write_manifest: Write, tmp_path: Path, extensions: Extensions
) -> None:
    """A chain that begins with prompts shows its second half as pairs, without a word of photographs."""
    entries = [{"name": "first", "strategy": "fake", "per_cell": 1}, CHAIN[1]]
    root, _ = made(write_manifest(generate=entries), tmp_path / "run", extensions)
    html, data = shown(root, extensions)
    assert {key.split("-")[0] for key, address in originals(data).items() if address} == {"second"}
    assert NOTE not in html


def test_drawn_phantoms_are_not_called_photographs(chain: tuple[Path, Plan], extensions: Extensions) -> None:
    """A page of phantoms does not claim to hold photographs, and does not call them made by a model."""
    html, _ = shown(chain[0], extensions)
    assert NOTE not in html
    assert "the left of each pair is the image that the right one starts from" in html


def test_real_photographs_are_warned_of(run_of_photographs: Path, extensions: Extensions) -> None:
    """A page with real photographs on it says so at its top."""
    html, data = shown(run_of_photographs, extensions)
    assert len(data["originals"]) == 4
    assert NOTE in html.split("<main")[0]


def test_without_originals_no_photograph_is_there(run_of_photographs: Path, tmp_path: Path, caplog: Any) -> None:
    """`--no-originals` leaves them out of the page, and needs no warning."""
    caplog.set_level("WARNING", "synthgen")  # which undoes what `-q` does to the log
    out = tmp_path / "page.html"
    assert call(["preview", str(run_of_photographs), "--out", str(out), "--no-originals", "-q"]) == 0
    assert '"originals":[]' in out.read_text("utf-8")
    assert NOTE not in out.read_text("utf-8")


def test_the_contact_sheet_holds_no_original(run_of_photographs: Path, extensions: Extensions, tmp_path: Path) -> None:
    """The sheet is the same with and without originals in the page."""
    run = open_folder(run_of_photographs, extensions)
    with_them = show(run, tmp_path / "with.html").read_bytes()
    assert show(run, tmp_path / "none.html", starts=False).read_bytes() == with_them


@pytest.mark.parametrize("what", ["run", "dataset"])
def test_photographs_that_are_gone_are_said_to_be(
    what: str, run_of_photographs: Path, photographs: Path, extensions: Extensions, caplog: Any
) -> None:
    """Without them there is still a gallery; its facts and one line of the log say what it lacks."""
    list(study.pack(run_of_photographs, run_of_photographs.with_name("dataset")))
    shutil.rmtree(photographs)
    html, data = shown(run_of_photographs.with_name(what), extensions)
    assert data["originals"] == []
    assert len(data["pictures"]) == 8
    assert "<dt>originals</dt><dd>not shown: " in html
    assert NOTE not in html
    (line,) = caplog.messages
    assert line.startswith("the gallery lacks the images that its pictures start from: real.path: no folder ")
    assert str(photographs) not in html


def test_a_changed_photograph_is_not_shown(
    run_of_photographs: Path, photographs: Path, extensions: Extensions, caplog: Any
) -> None:
    """Another file under a photograph's name is never taken for what a picture starts from."""
    shutil.copy(photographs / "0.png", photographs / "1.png")
    assert shown(run_of_photographs, extensions)[1]["originals"] == []
    assert "has changed since it was indexed" in caplog.text


def test_a_dataset_without_the_picture_before_says_so(
    write_manifest: Write, extensions: Extensions, tmp_path: Path, caplog: Any
) -> None:
    """A picture whose parent was rejected, so is not in the dataset, leaves the page without originals and says why."""
    keep_some = {"scorers": {"fake": {}}, "keep": ["fake.chance < 0.5"]}
    root, plan = made(write_manifest(real=PHANTOM, generate=CHAIN, curate=keep_some), tmp_path / "run", extensions)
    list(study.curate(root))
    kept = {key for key, accepted in verdicts.read_accepted(root) if accepted}
    second = plan.entries["second"]
    orphans = {one.parent for one in map(second.sample, range(len(second))) if one.key in kept} - kept
    assert orphans
    list(study.pack(root, tmp_path / "dataset"))
    assert shown(tmp_path / "dataset", extensions)[1]["originals"] == []
    assert any(f"`{parent}`" in caplog.text for parent in orphans)


def test_another_plan_s_images_are_not_shown(
    run_of_photographs: Path, extensions: Extensions, tmp_path: Path, caplog: Any
) -> None:
    """A dataset whose records name other sources than its manifest plans has no pairs that could be wrong."""
    from synthgen.plan import real_index

    list(study.pack(run_of_photographs, tmp_path / "dataset"))
    path = tmp_path / "dataset" / real_index.FILE
    index = real_index.Index.read(path)
    real_index.Index(index.sources[:2], index.left_out, index.recipe).write(path)
    assert shown(tmp_path / "dataset", extensions)[1]["originals"] == []
    assert "plans another image" in caplog.text


def test_large_images_are_reduced(
    photographs: Path, write_manifest: Write, tmp_path: Path, extensions: Extensions
) -> None:
    """What a picture of 160 pixels starts from is embedded 128 pixels wide."""
    entry = CHAIN[0] | {"settings": {"width": 160, "height": 160}}
    real = {"source": "folder", "path": str(photographs)} | TRAIN
    root, _ = made(write_manifest(real=real, generate=[entry]), tmp_path / "run", extensions)
    data = shown(root, extensions)[1]
    assert {pixels(address).shape for address in data["originals"]} == {(128, 128, 3)}
    assert codec.decode(base64.b64decode(data["originals"][0].split(",")[1])).shape == (128, 128, 3)
