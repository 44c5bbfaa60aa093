"""Packing re-cuts a run into shuffled, even tars, the same to the byte each time, and counts what its card says."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from synthgen import pack, study
from synthgen.core.devices import DeviceRequest
from synthgen.errors import DamagedError, IncompleteError, InputError, ManifestError, PlanMismatchError
from synthgen.pack import card
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.sample import Record
from synthgen.runs import dataset_folder, load_plan, run_file, tar_samples
from synthgen.runs.cell import Cell
from synthgen.runs.folders import Run, open_folder
from synthgen.runs.tar_samples import TarSample
from synthgen.vision import contact_sheet

MakePlan = Callable[..., Plan]
SMALL_ENTRY = {"strategy": "fake", "per_cell": 4, "settings": {"height": 32, "width": 32}}
HOSTILE = "<b>x</b> | *bold* `code` [a](http://b) {{ seed }} {% endraw %} #"


def pack_all(root: Path, out: Path, **options: Any) -> list[pack.PackedShard]:
    """Pack a run as the command does."""
    return list(study.pack(root, out, **options))


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def samples_of(dataset: Path) -> dict[str, list[TarSample]]:
    """The samples of each tar of a dataset, by the tar's path."""
    return {
        path.relative_to(dataset).as_posix(): list(tar_samples.read(path)) for path in sorted(dataset.rglob("*.tar"))
    }


def records(dataset: Path) -> list[Record]:
    """Every record of a dataset, in the tars' order."""
    return [Record.from_json(one.files["json"]) for held in samples_of(dataset).values() for one in held]


def header_of(text: str) -> Any:
    """The YAML header of a card, as the Hub's own client reads it."""
    from huggingface_hub import DatasetCard

    return DatasetCard(text).data.to_dict()


@pytest.fixture(scope="module")
def big(
    make_plan: MakePlan, make_images: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """A run of 300 images and its dataset of five tars; nobody changes either."""
    root = tmp_path_factory.mktemp("big")
    planned = make_plan(
        generate=[
            SMALL_ENTRY | {"name": "even", "per_cell": 40},
            SMALL_ENTRY | {"name": "flawed", "per_cell": 10, "settings": SMALL_ENTRY["settings"] | {"flat": [5, 9]}},
        ],
        pack={"images_per_shard": 65},
        publish={"license": "apache-2.0", "pretty_name": "Big", "repo": "org/big", "tags": ["dermatology"]},
        output={"image_format": "jpeg", "shard_samples": 48},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        make_images(planned, root / "run")
        pack_all(root / "run", root / "dataset")
    return root / "run", root / "dataset"


@pytest.fixture
def small(make_plan: MakePlan, make_images: Callable[..., Any], tmp_path: Path) -> Path:
    """A run of 24 images."""
    make_images(make_plan(), tmp_path / "run")
    return tmp_path / "run"


# what is in the tars


def test_the_same_run_gives_the_same_bytes(big: tuple[Path, Path], tmp_path: Path) -> None:
    """Two packs of one run are equal in every file."""
    run, dataset = big
    pack_all(run, tmp_path / "again")
    assert tree(tmp_path / "again") == tree(dataset)


def test_how_a_run_was_made_does_not_show_in_the_tars(
    make_plan: MakePlan, make_images: Callable[..., Any], small: Path, tmp_path: Path
) -> None:
    """Runs that were made with other batch sizes and in another order give the same tars and metadata."""
    planned = make_plan()
    for part in (1, 0):
        make_images(planned, tmp_path / "other", DeviceRequest(batch_size=2), array=(part, 2))
    pack_all(small, tmp_path / "one")
    pack_all(tmp_path / "other", tmp_path / "two")
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two")
    assert one["data/train-00000-of-00001.tar"] == two["data/train-00000-of-00001.tar"]
    assert one["metadata.parquet"] == two["metadata.parquet"]


def test_every_image_of_the_run_is_there_once(big: tuple[Path, Path]) -> None:
    """The files of each sample are those of the run, to the byte, under the same key."""
    run, dataset = big
    made = {one.key: one.files for path in run.rglob("*.tar") for one in tar_samples.read(path)}
    packed = [(one.key, one.files) for held in samples_of(dataset).values() for one in held]
    assert len(packed) == 300
    assert dict(packed) == made


def test_the_first_tar_holds_everything(big: tuple[Path, Path]) -> None:
    """A reader that streams one tar sees every label, tone and entry."""
    _, dataset = big
    first = next(iter(samples_of(dataset).values()))
    found = [Record.from_json(one.files["json"]) for one in first]
    assert {(one.label, one.skin_tone) for one in found} == {
        (label, tone) for label in ("psoriasis", "healthy") for tone in ("I", "III", "VI")
    }
    assert {one.entry for one in found} == {"even", "flawed"}


def test_the_order_is_not_the_run_s(big: tuple[Path, Path]) -> None:
    """Neighbours in a tar were no neighbours in the run, but for chance."""
    run, dataset = big
    made = [one.key for path in sorted(run.rglob("*.tar")) for one in tar_samples.read(path)]
    packed = [one.key for one in records(dataset)]
    pairs = set(itertools.pairwise(made))
    assert sum(pair in pairs for pair in itertools.pairwise(packed)) < 10


def test_another_seed_gives_another_order(
    make_plan: MakePlan, make_images: Callable[..., Any], small: Path, tmp_path: Path
) -> None:
    """The order follows from the manifest's seed."""
    make_images(make_plan(seed=8), tmp_path / "other")
    pack_all(small, tmp_path / "one")
    pack_all(tmp_path / "other", tmp_path / "two")
    assert [one.key for one in records(tmp_path / "one")] != [one.key for one in records(tmp_path / "two")]


def test_tars_are_even_and_as_few_as_can_be(big: tuple[Path, Path]) -> None:
    """300 images at 65 a tar at the most are five tars of 60."""
    _, dataset = big
    held = samples_of(dataset)
    assert [len(found) for found in held.values()] == [60] * 5
    assert list(held) == [f"data/train-{number:05d}-of-00005.tar" for number in range(5)]


@pytest.mark.parametrize("at_most", [1, 5, 7, 23, 24, 100])
def test_tars_differ_by_one_image_at_the_most(
    at_most: int, make_plan: MakePlan, make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """Whatever the limit, it is kept, tars are even within one, and no fewer tars would do."""
    make_images(make_plan(pack={"images_per_shard": at_most}), tmp_path / "run")
    counts = [shard.samples for shard in pack_all(tmp_path / "run", tmp_path / "dataset")]
    assert sum(counts) == 24
    assert max(counts) <= at_most
    assert max(counts) - min(counts) <= 1
    assert len(counts) == -(-24 // at_most)


def test_no_tar_is_larger_than_allowed(make_plan: MakePlan, make_images: Callable[..., Any], tmp_path: Path) -> None:
    """`max_shard_bytes` is kept in bytes on disk, by making more tars."""
    make_images(make_plan(pack={"max_shard_bytes": 50_000}), tmp_path / "run")
    shards = pack_all(tmp_path / "run", tmp_path / "dataset")
    sizes = {shard.path: (tmp_path / "dataset" / shard.path).stat().st_size for shard in shards}
    assert len(shards) > 1
    assert {shard.path: shard.size for shard in shards} == sizes
    assert max(sizes.values()) <= 50_000
    assert max(shard.samples for shard in shards) - min(shard.samples for shard in shards) <= 1


def test_a_tar_too_small_for_one_image_is_bad_input(
    make_plan: MakePlan, make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """A limit that no sample fits is said, and leaves nothing."""
    make_images(make_plan(pack={"max_shard_bytes": 10_000}), tmp_path / "run")
    with pytest.raises(InputError, match=r"^pack\.max_shard_bytes: "):
        pack_all(tmp_path / "run", tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()


# when it packs, and when it doesn't


def test_an_incomplete_run_is_refused(make_plan: MakePlan, make_images: Callable[..., Any], tmp_path: Path) -> None:
    """A run that lacks shards is not packed by accident."""
    make_images(make_plan(), tmp_path / "run", limit=10)
    with pytest.raises(IncompleteError, match="3 of 5 work shards"):
        pack_all(tmp_path / "run", tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()


def test_an_incomplete_run_can_be_packed_on_purpose(
    make_plan: MakePlan, make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """With `partial`, what is there is packed, and the card counts both."""
    make_images(make_plan(), tmp_path / "run", limit=10)
    pack_all(tmp_path / "run", tmp_path / "dataset", partial=True)
    assert len(records(tmp_path / "dataset")) == 10
    assert dataset_folder.read_provenance(tmp_path / "dataset")["planned"] == 24
    assert "Of 24 planned images 10 are here" in (tmp_path / "dataset" / "README.md").read_text()


def test_a_run_without_images_is_bad_input(
    make_plan: MakePlan, make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """There is no dataset of nothing, not even a partial one."""
    flat = SMALL_ENTRY["settings"] | {"flat": list(range(24)), "flat_attempts": 9}
    make_images(make_plan(generate=[SMALL_ENTRY | {"settings": flat}]), tmp_path / "run")
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path / 'run'))}: "):
        pack_all(tmp_path / "run", tmp_path / "dataset", partial=True)


def test_packing_twice_changes_nothing(small: Path, tmp_path: Path) -> None:
    """The second pack yields nothing and touches nothing."""
    assert len(pack_all(small, tmp_path / "dataset")) == 1
    files = list((tmp_path / "dataset").rglob("*"))
    before = {path: path.stat().st_mtime_ns for path in files}
    assert pack_all(small, tmp_path / "dataset") == []
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_an_empty_folder_may_be_there(small: Path, tmp_path: Path) -> None:
    """An empty folder of the dataset's name is as good as none."""
    (tmp_path / "dataset").mkdir()
    assert len(pack_all(small, tmp_path / "dataset")) == 1


def test_another_dataset_is_refused(small: Path, big: tuple[Path, Path], tmp_path: Path) -> None:
    """A folder of another dataset is refused with both digests, and left as it is."""
    dataset = Path(shutil.copytree(big[1], tmp_path / "dataset"))
    there = dataset_folder.read_provenance(dataset)["dataset_digest"]
    pack_all(small, tmp_path / "own")
    asked = dataset_folder.read_provenance(tmp_path / "own")["dataset_digest"]
    before = tree(dataset)
    with pytest.raises(PlanMismatchError, match=f"{there[:12]}.*{asked[:12]}.*is none of {small}"):
        pack_all(small, dataset)
    assert tree(dataset) == before


def test_damage_on_the_way_is_found(small: Path, tmp_path: Path) -> None:
    """A bit that turned in a picture since the run was made is found by its sha256, and nothing is packed."""
    path = small / "fake" / "00001.tar"
    status, content = path.stat(), bytearray(path.read_bytes())
    start = content.index(b"IDAT") + 100
    content[start] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(DamagedError, match=r"00001\.tar: "):
        pack_all(small, tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()


class _PowerCut(BaseException):
    """Ends a process as nothing in it expects."""


@pytest.mark.parametrize("when", ["after a tar", "in the sheet"])
def test_a_crash_leaves_no_dataset(
    when: str, small: Path, extensions: Extensions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pack that dies midway leaves no folder of the dataset's name, and the next one in this process works."""
    out = tmp_path / "dataset"

    def draw(*_: object, **_options: object) -> None:
        raise _PowerCut

    packing = pack.pack(Run(small, extensions), out)
    with pytest.raises(_PowerCut):  # noqa: PT012 - the first tar has to be taken for the crash to come after it
        next(packing)
        if when == "after a tar":
            packing.throw(_PowerCut)
        monkeypatch.setattr(contact_sheet, "write_contact_sheet", draw)
        next(packing)
    monkeypatch.undo()
    assert not out.exists()
    assert len(pack_all(small, out)) == 1
    assert len(records(out)) == 24


KILLED = """
import os, signal, sys
from pathlib import Path
from synthgen import study
root, out = map(Path, sys.argv[1:])
for shard in study.pack(root, out):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_killed_pack_leaves_no_dataset(small: Path, tmp_path: Path) -> None:
    """What a killed process left behind is not a dataset, is in nobody's way, and is swept up."""
    out = tmp_path / "dataset"
    done = subprocess.run([sys.executable, "-c", KILLED, small, out], timeout=60, check=False)
    assert done.returncode == -9
    assert not out.exists()
    assert len(pack_all(small, out)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "run"]


# metadata, provenance, manifest


def test_metadata_has_a_row_a_sample(big: tuple[Path, Path]) -> None:
    """The rows are the records, field by field, in the tars' order."""
    _, dataset = big
    rows = pyarrow.parquet.read_table(dataset / "metadata.parquet").to_pylist()
    fields = [{name: value for name, value in row.items() if name not in ("split", "shard", "offset")} for row in rows]
    assert fields == [{name: getattr(one, name) for name in Record.__dataclass_fields__} for one in records(dataset)]


def test_metadata_says_where_each_sample_lies(big: tuple[Path, Path]) -> None:
    """At `offset` of `shard` begins the header of the sample's first member."""
    _, dataset = big
    table = pyarrow.parquet.read_table(dataset / "metadata.parquet", columns=["key", "shard", "offset"])
    for row in table.to_pylist():
        with (dataset / row["shard"]).open("rb") as file:
            file.seek(row["offset"])
            header = file.read(512)
        assert header[:100].rstrip(b"\0").decode().partition(".")[0] == row["key"]
        assert header[257:262] == b"ustar"


def test_metadata_is_no_part_of_what_the_loader_reads(big: tuple[Path, Path]) -> None:
    """A Hub repository has one loader, and it is the tars'."""
    header = header_of((big[1] / "README.md").read_text(encoding="utf-8"))
    assert header["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*.tar"}]}
    ]


def test_provenance_knows_every_file(big: tuple[Path, Path]) -> None:
    """Every file but provenance itself is there with its sha256 and its size."""
    _, dataset = big
    listed = json.loads((dataset / "provenance.json").read_bytes())["files"]
    files = {name: content for name, content in tree(dataset).items() if name != "provenance.json"}
    assert {name: (facts["sha256"], facts["size"]) for name, facts in listed.items()} == {
        name: (sha256(content).hexdigest(), len(content)) for name, content in files.items()
    }


def test_provenance_counts(big: tuple[Path, Path]) -> None:
    """Planned, packed and failed images, and those of each tar, are counted."""
    document = dataset_folder.read_provenance(big[1])
    assert (document["planned"], document["packed"], document["failed"]) == (300, 300, 0)
    assert [facts["samples"] for facts in document["files"].values() if "samples" in facts] == [60] * 5


def test_provenance_says_what_each_entry_was_made_with(big: tuple[Path, Path]) -> None:
    """Each entry's pinned environment is kept: device, dtype, batch size, versions."""
    run, dataset = big
    pinned = {
        name: entry["environment"] for name, entry in json.loads((run / "run.json").read_text())["entries"].items()
    }
    assert dataset_folder.read_provenance(dataset)["environments"] == pinned


def test_files_are_those_promised(big: tuple[Path, Path]) -> None:
    """A dataset is its tars, its card for people and for machines, its metadata, its manifest and a picture."""
    assert {name for name in tree(big[1]) if not name.startswith("data/")} == {
        "README.md",
        "assets/contact_sheet.png",
        "croissant.json",
        "manifest.yaml",
        "metadata.parquet",
        "prompts/prompts.yaml",
        "provenance.json",
    }


@pytest.mark.parametrize(
    "line",
    [
        "",
        "prompts: dermatology\n",
        '"prompts": dermatology.yaml\n',
        "prompts:\n  dermatology\n",
        "? prompts\n: dermatology\n",
        "prompts: own.yaml  # our own words\n",
        "prompts: >-\n  own.yaml\n",
    ],
)
def test_the_dataset_s_manifest_stands_on_its_own(
    line: str, make_plan: MakePlan, make_images: Callable[..., Any], extensions: Extensions, tmp_path: Path
) -> None:
    """However its prompts were written, the dataset's manifest plans the same images from the dataset's folder."""
    (tmp_path / "own.yaml").write_text('templates: ["a photo of {label}, type {skin_tone}"]\n')
    path = tmp_path / "manifest.yaml"
    path.write_text(f"# A study of ours.\n{line}{make_plan().manifest.text}", encoding="utf-8")
    planned = load_plan.read(path, extensions)
    make_images(planned, tmp_path / "run")
    pack_all(tmp_path / "run", tmp_path / "dataset")
    moved = (tmp_path / "dataset").rename(tmp_path / "moved")
    assert dataset_folder.read_plan(moved, extensions).digest == planned.digest
    assert load_plan.read(moved / "manifest.yaml", extensions).digest == planned.digest


def test_the_dataset_s_manifest_keeps_its_comments(
    make_plan: MakePlan, make_images: Callable[..., Any], extensions: Extensions, tmp_path: Path
) -> None:
    """What a person wrote beside the keys is still there."""
    path = tmp_path / "manifest.yaml"
    path.write_text(f"# A study of ours.\n{make_plan().manifest.text}", encoding="utf-8")
    make_images(load_plan.read(path, extensions), tmp_path / "run")
    pack_all(tmp_path / "run", tmp_path / "dataset")
    assert (tmp_path / "dataset" / "manifest.yaml").read_text(encoding="utf-8").startswith("# A study of ours.\n")


def test_a_number_that_earlier_versions_kept_is_read_as_they_did(
    make_plan: MakePlan, make_images: Callable[..., Any], extensions: Extensions, tmp_path: Path
) -> None:
    """A key such as `010`, which a manifest is refused for today, opens in a run and in a dataset as the 8 it was."""
    real = {"source": "webdataset", "path": ["https://a.org/b.tar"], "labels": {8: "psoriasis"}}
    planned = make_plan(real=real, pack={"identifiers": "original"})
    run, dataset = tmp_path / "run", tmp_path / "dataset"
    make_images(planned, run)
    document = run_file.read(run)
    run_file.write(run, document | {"manifest": re.sub(r"\b8: psoriasis", "010: psoriasis", document["manifest"])})
    assert "010: psoriasis" in run_file.read(run)["manifest"]
    assert Run(run, extensions).plan.digest == planned.digest
    pack_all(run, dataset)
    assert "010: psoriasis" in (dataset / "manifest.yaml").read_text(encoding="utf-8")
    assert dataset_folder.read_plan(dataset, extensions).digest == planned.digest
    with pytest.raises(ManifestError, match="`010` is the number 8 to YAML"):
        load_plan.read(dataset / "manifest.yaml", extensions)


def test_a_dataset_needs_its_model_only_to_make_an_image_again(
    make_plan: MakePlan, make_images: Callable[..., Any], extensions: Extensions, tmp_path: Path
) -> None:
    """A dataset shows without the model that made it, and says which folder making an image again would need."""
    from synthgen import preview
    from synthgen.core import model_folder

    weights = model_folder.describe(model_folder.BUNDLED, tmp_path).folder
    assert weights is not None
    shutil.copytree(weights, tmp_path / "study" / "weights")
    path = tmp_path / "study" / "manifest.yaml"
    path.write_text(f"model: ./weights\n{make_plan().manifest.text}", encoding="utf-8")
    planned = load_plan.read(path, extensions)
    make_images(planned, tmp_path / "run")
    pack_all(tmp_path / "run", tmp_path / "elsewhere" / "dataset")
    dataset = tmp_path / "elsewhere" / "dataset"
    assert preview.show(open_folder(dataset, extensions), tmp_path / "page.html").exists()
    with pytest.raises(InputError, match=r"model: no folder .*weights"):
        dataset_folder.read_plan(dataset, extensions)


# the card


def test_the_card_s_header_is_valid(big: tuple[Path, Path]) -> None:
    """The header is YAML with the licence, the name, the tags and the size that the Hub indexes."""
    header = header_of((big[1] / "README.md").read_text(encoding="utf-8"))
    assert (header["license"], header["pretty_name"]) == ("apache-2.0", "Big")
    assert header["size_categories"] == ["n<1K"]
    assert header["task_categories"] == ["image-classification"]
    assert {"synthetic", "webdataset", "dermatology"} <= set(header["tags"])


def test_the_card_s_header_names_the_classes(big: tuple[Path, Path]) -> None:
    """`cls` is a ClassLabel whose names stand in the manifest's order."""
    header = header_of((big[1] / "README.md").read_text(encoding="utf-8"))
    features = {feature["name"]: feature for feature in header["dataset_info"]["features"]}
    assert features["cls"]["dtype"]["class_label"]["names"] == {"0": "psoriasis", "1": "healthy"}
    assert list(features) == ["__key__", "__url__", "jpg", "cls", "json"]


def test_the_card_s_table_is_counted(big: tuple[Path, Path]) -> None:
    """The table of labels and tones holds what counting the tars gives."""
    text = (big[1] / "README.md").read_text(encoding="utf-8")
    counts = Counter((one.label, one.skin_tone) for one in records(big[1]))
    for label in ("psoriasis", "healthy"):
        cells = [counts[label, tone] for tone in ("I", "III", "VI")]
        assert f"| {label} | {' | '.join(map(str, cells))} | {sum(cells)} |" in text
    assert "| **all** | 100 | 100 | 100 | 300 |" in text
    assert "**300 synthetic images** of 2 skin conditions on 3 skin tones" in text


def test_the_card_counts_what_was_made_again(big: tuple[Path, Path]) -> None:
    """Each entry's row ends in planned, made, failed and made again, from the receipts."""
    text = (big[1] / "README.md").read_text(encoding="utf-8")
    rows = {line.split(" | ")[0]: line for line in text.splitlines() if "| fake |" in line}
    assert rows["| even"].endswith("| 240 | 240 | 0 | 0 |")
    assert rows["| flawed"].endswith("| 60 | 60 | 0 | 2 |")


def test_the_card_counts_what_failed(make_plan: MakePlan, make_images: Callable[..., Any], tmp_path: Path) -> None:
    """An image that could not be made is in the card's numbers and not in the tars."""
    flat = SMALL_ENTRY["settings"] | {"flat": [3], "flat_attempts": 9}
    make_images(make_plan(generate=[SMALL_ENTRY | {"settings": flat}]), tmp_path / "run")
    pack_all(tmp_path / "run", tmp_path / "dataset")
    text = (tmp_path / "dataset" / "README.md").read_text(encoding="utf-8")
    assert "Of 24 planned images 23 are here and 1 could not be made." in text
    assert "| 24 | 23 | 1 | 1 |" in text


def test_the_card_says_that_it_is_synthetic(big: tuple[Path, Path]) -> None:
    """Whoever opens the card reads that no image is a photograph and none is for clinics."""
    text = " ".join((big[1] / "README.md").read_text(encoding="utf-8").split())
    assert "Every image is generated; none is a photograph of a person." in text
    assert "Not for clinical use." in text


def test_no_placeholder_is_left_in_the_card(big: tuple[Path, Path]) -> None:
    """Every placeholder of the template was filled."""
    text = (big[1] / "README.md").read_text(encoding="utf-8")
    assert "{{" not in text
    assert "{%" not in text
    assert "None" not in text


@pytest.mark.parametrize("where", ["labels", "pretty_name", "license", "prompts", "tag"])
def test_hostile_words_show_as_themselves(
    where: str, make_plan: MakePlan, make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """Markup in a label, a name or a prompt reaches neither the page nor the header's structure."""
    changes: dict[str, Any] = {
        "labels": {"labels": {"psoriasis": HOSTILE, "healthy": "healthy skin"}},
        "pretty_name": {"publish": {"pretty_name": f"{HOSTILE}\n---\nlicense: mit"}},
        "license": {"publish": {"license": HOSTILE}},
        "prompts": {"prompts_text": json.dumps({"templates": [HOSTILE.replace("{", "{{").replace("}", "}}")]})},
        "tag": {"publish": {"tags": [HOSTILE]}},
    }[where]
    make_images(make_plan(**changes), tmp_path / "run")
    pack_all(tmp_path / "run", tmp_path / "dataset")
    text = (tmp_path / "dataset" / "README.md").read_text(encoding="utf-8")
    header, body = header_of(text), text.partition("\n---\n")[2]
    assert header["task_categories"] == ["image-classification"]
    assert header["license"] == changes.get("publish", {}).get("license", "unknown")
    assert "<b>" not in body
    assert "[a](http" not in body
    assert "*bold*" not in body.replace("\\*bold\\*", "")


def facts(make_plan: MakePlan) -> card.CardFacts:
    """Facts of a dataset with one image."""
    return facts_of(make_plan, 1)


def facts_of(make_plan: MakePlan, images: int, shards: int = 1, **changes: Any) -> card.CardFacts:
    """Facts of a dataset of one cell."""
    counts = {Cell("fake", "psoriasis", "I"): images}
    return card.CardFacts(make_plan(), {}, counts, {"train": card.Size(images, shards)}, "d" * 64, **changes)


def test_a_placeholder_that_nothing_fills_is_an_error(make_plan: MakePlan, tmp_path: Path) -> None:
    """A template with an unknown name is refused with that name, in place of a card with a hole."""
    template = tmp_path / "card.md"
    template.write_text("---\n{{ card_data }}\n---\n{{ images }} {{ imges }} {% if mad %}x{% endif %}\n")
    with pytest.raises(InputError, match=r"card\.md: .*\bimges\b.*\bmad\b"):
        card.render(facts(make_plan), card.Template(template))


def test_a_template_of_one_s_own_is_filled(make_plan: MakePlan, tmp_path: Path) -> None:
    """Another template gets the same header and the same values."""
    template = tmp_path / "card.md"
    template.write_text("---\n{{ card_data }}\n---\n{{ images }} of {{ planned }}\n")
    text = card.render(facts(make_plan), card.Template(template))
    assert text.rstrip().endswith("\n1 of 24")
    assert header_of(text)["license"] == "unknown"


@pytest.mark.parametrize(
    ("images", "size"),
    [(999, "n<1K"), (1000, "1K<n<10K"), (458_920, "100K<n<1M"), (10**7, "10M<n<100M")],
)
def test_the_size_category_is_the_hub_s(images: int, size: str, make_plan: MakePlan) -> None:
    """The size in the header is the Hub's category for the number of images."""
    assert header_of(card.render(facts_of(make_plan, images)))["size_categories"] == [size]


def test_several_tars_are_one_pattern(make_plan: MakePlan) -> None:
    """The card's webdataset example expands to every tar's name."""
    import braceexpand

    text = card.render(facts_of(make_plan, 1, shards=12))
    pattern = text.partition('webdataset.WebDataset("')[2].partition('"')[0]
    assert list(braceexpand.braceexpand(pattern)) == [f"data/train-{n:05d}-of-00012.tar" for n in range(12)]
