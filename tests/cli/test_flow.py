"""The main job, command by command, with pictures that take no model."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.cli import call

Synthgen = Callable[..., Any]
KEY = "fake-psoriasis-3-0000002"


def tars(root: Path) -> dict[str, tuple[bytes, int]]:
    """The bytes and the time of every tar below a folder."""
    found = sorted(root.rglob("*.tar"))
    return {path.relative_to(root).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def contents(root: Path) -> dict[str, bytes]:
    """The bytes of every tar below a folder."""
    return {name: content for name, (content, _) in tars(root).items()}


def flip(path: Path, place: int = -2000) -> None:
    """Turn one bit of a file around, its size and time as before."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def faulty(**settings: Any) -> list[dict[str, Any]]:
    """One entry of the fake strategy that acts out faults."""
    return [{"strategy": "fake", "per_cell": 4, "settings": {"height": 32, "width": 32} | settings}]


# plan


def test_plan_shows_a_table(synthgen: Synthgen, write_manifest: Any) -> None:
    """`plan` shows a row a label, a column a tone, and the totals."""
    said = synthgen("plan", write_manifest())
    lines = [line.split() for line in said.out.splitlines()]
    assert (said.code, said.err) == (0, "")
    assert ["psoriasis", "4", "4", "4", "12"] in lines
    assert ["healthy", "4", "4", "4", "12"] in lines
    assert "24 images in 5 work shards" in said.out


def test_plan_shows_tones_in_their_order(synthgen: Synthgen, write_manifest: Any) -> None:
    """Whatever the order in the manifest; and a strategy that uses no model names none."""
    said = synthgen("plan", write_manifest(skin_tones={"scale": "fitzpatrick", "values": [6, 1, 3]})).out
    assert ["label", "\\", "skin", "tone", "1", "3", "6", "all"] in [line.split() for line in said.splitlines()]
    assert "phantom" not in said


def test_plan_makes_nothing(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """A dry run leaves no file."""
    synthgen("plan", write_manifest())
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.yaml"]


def test_plan_json_has_exactly_the_promised_keys(synthgen: Synthgen, write_manifest: Any) -> None:
    """`plan --json` is one object of the promised keys; time is null where nothing was measured."""
    planned = json.loads(synthgen("plan", write_manifest(), "--json").out)
    assert set(planned) == {"samples", "shards", "bytes", "seconds", "cells"}
    assert (planned["samples"], planned["shards"], planned["seconds"]) == (24, 5, None)
    assert isinstance(planned["bytes"], int)
    assert planned["cells"][1] == {"entry": "fake", "label": "psoriasis", "skin_tone": "III", "samples": 4}
    assert len(planned["cells"]) == 6


def test_plan_knows_the_time_once_it_was_measured(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """After a run of the kind, time is a number and disk is what the run took, within a hundredth."""
    manifest, run = write_manifest(), tmp_path / "run"
    synthgen("generate", manifest, "--out", run)
    planned = json.loads(synthgen("plan", manifest, "--json").out)
    assert isinstance(planned["seconds"], float)
    assert planned["bytes"] == pytest.approx(sum(len(content) for content in contents(run).values()), rel=0.01)


def test_plan_says_that_a_hub_model_was_not_checked(synthgen: Synthgen, write_manifest: Any) -> None:
    """A model on the Hub is planned without a network, and the table says that nobody looked."""
    entry = {"strategy": "text2img", "per_cell": 1, "settings": {"height": 512, "width": 512}}
    said = synthgen("plan", write_manifest(model="org/some-model", generate=[entry]))
    assert said.code == 0
    assert "model org/some-model: not checked" in said.out


# generate


def test_generate_says_what_it_made(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """`generate` ends with how many images lie where, and what comes next."""
    run = tmp_path / "run"
    said = synthgen("generate", write_manifest(), "--out", run)
    assert said.code == 0
    assert said.out == f"24 images in {run}; next: synthgen pack {run} --out {run / 'dataset'}\n"
    assert len(tars(run)) == 5


def test_what_is_to_be_judged_is_curated_next(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """Where the manifest says what to keep, `generate` names `curate`, not `pack`, which would refuse."""
    run, manifest = tmp_path / "run", write_manifest(curate={"scorers": {"fake": {}}, "keep": ["fake.chance < 0.5"]})
    assert synthgen("generate", manifest, "--out", run).out.endswith(f"next: synthgen curate {run}\n")


def test_piped_progress_is_plain_lines(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """Without a terminal there is a line a shard that counts up to all, and no carriage return."""
    said = synthgen("generate", write_manifest(), "--out", tmp_path / "run")
    lines = said.err.splitlines()
    assert "\r" not in said.err + said.out
    assert "\x1b" not in said.err + said.out
    assert [line.partition(" images")[0] for line in lines] == [
        f"fake {number:05d}: {min(24, 5 * number + 5)} of 24" for number in range(5)
    ]


def test_what_fails_for_good_is_exit_1(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """Images that stay flat are counted, said, and end in exit code 1; the rest is there."""
    manifest = write_manifest(generate=faulty(flat=[3, 7], flat_attempts=9))
    said = synthgen("generate", manifest, "--out", tmp_path / "run")
    assert said.code == 1
    assert said.out.startswith(f"22 images in {tmp_path / 'run'}; 2 could not be made (their receipts say why)")


def test_what_failed_before_still_is_exit_1(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """A second call makes nothing, and says of the failed images what the first one said."""
    manifest, run = write_manifest(generate=faulty(flat=[3], flat_attempts=9)), tmp_path / "run"
    synthgen("generate", manifest, "--out", run)
    before = tars(run)
    said = synthgen("generate", manifest, "--out", run)
    assert said.code == 1
    assert "1 could not be made" in said.out
    assert tars(run) == before


def test_what_comes_out_right_later_is_exit_0(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """An image that is flat once and NaN once is made again, and the run is whole."""
    manifest = write_manifest(generate=faulty(flat=[3], nonfinite=[7]))
    said = synthgen("generate", manifest, "--out", tmp_path / "run")
    assert said.code == 0
    assert said.out.startswith("24 images in ")


def test_limit_stops_and_the_next_call_goes_on(
    synthgen: Synthgen, write_manifest: Any, made: Path, tmp_path: Path
) -> None:
    """`--limit` makes whole shards and says what is left; without it the run becomes that of one go."""
    manifest, run = write_manifest(), tmp_path / "run"
    first = synthgen("generate", manifest, "--out", run, "--limit", "6")
    assert first.code == 0
    assert first.out == f"10 images in {run}; 14 of the plan's 24 are still to be made\n"
    second = synthgen("generate", manifest, "--out", run)
    assert second.out.startswith(f"24 images in {run}, 10 of them from before; next: ")
    assert contents(run) == contents(made / "run")


def test_parts_of_an_array_make_the_whole(synthgen: Synthgen, write_manifest: Any, made: Path, tmp_path: Path) -> None:
    """Every part of a job array makes its own shards, and all parts together make the run."""
    manifest, run = write_manifest(), tmp_path / "run"
    synthgen("generate", manifest, "--out", run, "--array", "1/2")
    assert sorted(tars(run)) == ["fake/00001.tar", "fake/00003.tar"]
    synthgen("generate", manifest, "--out", run, "--array", "0/2")
    assert contents(run) == contents(made / "run")


def test_shards_are_counted_as_in_a_slice(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """`--shards A:B` makes A and what follows, and leaves B out."""
    synthgen("generate", write_manifest(), "--out", tmp_path / "run", "--shards", "1:3")
    assert sorted(tars(tmp_path / "run")) == ["fake/00001.tar", "fake/00002.tar"]


def test_generating_again_changes_nothing(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """A run that is whole is left alone to the byte and to the nanosecond."""
    manifest, run = write_manifest(), tmp_path / "run"
    synthgen("generate", manifest, "--out", run)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.rglob("*") if path.is_file()}
    said = synthgen("generate", manifest, "--out", run)
    assert said.code == 0
    assert said.out.startswith(f"24 images in {run}, 24 of them from before; next: ")
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.rglob("*") if path.is_file()}


@pytest.mark.parametrize("batch_size", ["1", "4", "auto"])
def test_the_batch_size_shows_in_no_image(
    batch_size: str, synthgen: Synthgen, write_manifest: Any, made: Path, tmp_path: Path
) -> None:
    """Whatever the batch, the tars are the same, since a pattern depends on its seed alone."""
    synthgen("generate", write_manifest(), "--out", tmp_path / "run", "--batch-size", batch_size)
    assert contents(tmp_path / "run") == contents(made / "run")


# quiet


def test_quiet_says_nothing(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """With `-q` every command that succeeds prints nothing at all."""
    manifest, run, dataset = write_manifest(), tmp_path / "run", tmp_path / "dataset"
    for arguments in (
        ["plan", manifest],
        ["generate", manifest, "--out", run],
        ["verify", run],
        ["pack", run, "--out", dataset],
        ["verify", dataset],
        ["preview", run, "--out", tmp_path / "page.html"],
        ["reproduce", run, KEY, "--out", tmp_path / "again.png"],
        ["run", manifest, "--out", tmp_path / "study"],
    ):
        assert synthgen(*arguments, "-q") == (0, "", ""), arguments


def test_quiet_plan_still_prints_the_json_asked_for(synthgen: Synthgen, write_manifest: Any) -> None:
    """`-q` leaves out what was not asked for, not what was."""
    assert json.loads(synthgen("plan", write_manifest(), "--json", "-q").out)["samples"] == 24


# verify


def test_verify_a_whole_run(synthgen: Synthgen, run: Path) -> None:
    """A whole run is exit 0, with its shards and images counted."""
    assert synthgen("verify", run) == (0, "5 files whole, 0 missing, 0 damaged; 24 images\n", "")


def test_verify_a_whole_dataset(synthgen: Synthgen, dataset: Path) -> None:
    """A whole dataset is exit 0, with its images counted."""
    said = synthgen("verify", dataset)
    assert said.code == 0
    assert said.out.endswith("0 missing, 0 damaged; 24 images\n")


def test_verify_a_run_that_is_not_complete(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """What is there being whole, and something missing, is exit 3; the missing shards are named."""
    synthgen("generate", write_manifest(), "--out", tmp_path / "run", "--shards", "1:2")
    said = "missing: fake/00000.tar: not made yet\n"
    said += "missing: fake/00002.tar to fake/00004.tar (3 files): not made yet\n"
    said += "1 files whole, 4 missing, 0 damaged; 5 images\n"
    assert synthgen("verify", tmp_path / "run") == (3, said, "")


def test_verify_counts_what_failed(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """An image that could not be made is neither missing nor damaged, and is said."""
    manifest = write_manifest(generate=faulty(flat=[3], flat_attempts=9))
    synthgen("generate", manifest, "--out", tmp_path / "run")
    said = synthgen("verify", tmp_path / "run")
    assert said == (0, "5 files whole, 0 missing, 0 damaged; 23 images, 1 could not be made\n", "")


def test_verify_names_the_shard_with_a_flipped_bit(synthgen: Synthgen, run: Path) -> None:
    """One bit in one tar is exit 1, and exactly that shard is named."""
    flip(run / "fake" / "00002.tar")
    said = synthgen("verify", run)
    assert said.code == 1
    assert [line.split(": ")[1] for line in said.out.splitlines()[:-1]] == ["fake/00002.tar"]
    assert said.out.endswith("4 files whole, 0 missing, 1 damaged; 19 images\n")


@pytest.mark.parametrize("place", [0, 200, 700, 5000, -700, -1])
def test_verify_finds_a_flipped_bit_anywhere(place: int, synthgen: Synthgen, run: Path) -> None:
    """A bit in a header, in a picture or in the padding at the end: each is found."""
    flip(run / "fake" / "00001.tar", place)
    assert synthgen("verify", run).code == 1


def test_generate_makes_exactly_the_damaged_shard_again(synthgen: Synthgen, write_manifest: Any, run: Path) -> None:
    """After `verify` found it, the next `generate` makes the damaged shard, to the same bytes, and no other."""
    before = tars(run)
    flip(run / "fake" / "00002.tar")
    synthgen("verify", run)
    said = synthgen("generate", write_manifest(), "--out", run)
    assert [line.partition(":")[0] for line in said.err.splitlines()] == ["fake 00002"]
    after = tars(run)
    assert {name for name in before if before[name] != after[name]} == {"fake/00002.tar"}
    assert {name: content for name, (content, _) in after.items()} == {n: c for n, (c, _) in before.items()}
    assert synthgen("verify", run).code == 0


def test_a_damaged_shard_stays_damaged_until_it_is_made_again(synthgen: Synthgen, run: Path) -> None:
    """Verifying twice says the same twice, and the damaged bytes stay."""
    flip(run / "fake" / "00002.tar")
    damaged = (run / "fake" / "00002.tar").read_bytes()
    assert [synthgen("verify", run).code for _ in range(2)] == [1, 1]
    assert (run / "fake" / "00002.tar").read_bytes() == damaged


def test_a_shard_that_is_gone_is_damage(synthgen: Synthgen, write_manifest: Any, run: Path) -> None:
    """A tar that its receipt promises and that is not there is named, and made again."""
    before = contents(run)
    (run / "fake" / "00003.tar").unlink()
    said = synthgen("verify", run)
    assert said.code == 1
    assert "damaged: fake/00003.tar: the tar is gone" in said.out
    assert synthgen("generate", write_manifest(), "--out", run).code == 0
    assert contents(run) == before


@pytest.mark.parametrize(
    "name", ["data/train-00000-of-00001.tar", "metadata.parquet", "README.md", "manifest.yaml", "prompts/prompts.yaml"]
)
def test_verify_names_the_damaged_file_of_a_dataset(name: str, synthgen: Synthgen, dataset: Path) -> None:
    """A flipped bit in any file of a dataset is exit 1, and the file is named."""
    flip(dataset / name, -20)
    said = synthgen("verify", dataset)
    assert said.code == 1
    assert said.out.startswith(f"damaged: {name}: ")


def test_verify_misses_a_file_of_a_dataset(synthgen: Synthgen, dataset: Path) -> None:
    """A dataset's file that is gone is named, and the rest being whole is exit 3."""
    (dataset / "metadata.parquet").unlink()
    said = synthgen("verify", dataset)
    assert said.code == 3
    assert said.out.startswith("missing: metadata.parquet: ")


def test_verify_names_a_file_that_is_not_the_dataset_s(synthgen: Synthgen, dataset: Path) -> None:
    """A stale tar under the loader's pattern would be loaded too, so it is damage."""
    (dataset / "data" / "train-00000-of-00002.tar").write_bytes(b"")
    said = synthgen("verify", dataset)
    assert said.code == 1
    assert "damaged: data/train-00000-of-00002.tar: not a file of this dataset" in said.out


# reproduce


@pytest.mark.parametrize("what", ["run", "dataset"])
def test_reproduce_says_identical(what: str, synthgen: Synthgen, made: Path, tmp_path: Path) -> None:
    """One image made again from a run or a dataset is the stored one to the byte, and is written."""
    out = tmp_path / "deep" / "again.png"
    said = synthgen("reproduce", made / what, KEY, "--out", out)
    assert said == (0, f"{KEY}: identical; written to {out}\n", "")
    assert any(out.read_bytes() in content for content in contents(made / what).values())


def test_reproduce_an_image_of_a_later_attempt(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """An image that came out flat at first is made again at the attempt that was kept."""
    run = tmp_path / "run"
    synthgen("generate", write_manifest(generate=faulty(flat=[0], flat_attempts=2)), "--out", run)
    said = synthgen("reproduce", run, "fake-psoriasis-1-0000000", "--out", tmp_path / "again.png")
    assert (said.code, said.err) == (0, "")
    assert ": identical;" in said.out


def test_reproduce_an_image_that_failed(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """An image that could not be made can't be made again, and the receipt is pointed at."""
    run = tmp_path / "run"
    synthgen("generate", write_manifest(generate=faulty(flat=[0], flat_attempts=9)), "--out", run)
    said = synthgen("reproduce", run, "fake-psoriasis-1-0000000", "--out", tmp_path / "again.png")
    assert said.code == 2
    assert "`fake-psoriasis-1-0000000` could not be made; its receipt says why" in said.err


# pack, preview


def test_pack_says_what_it_made(synthgen: Synthgen, made: Path, tmp_path: Path) -> None:
    """`pack` counts its shards and makes the dataset that it makes from this run anywhere."""
    said = synthgen("pack", made / "run", "--out", tmp_path / "dataset")
    assert (said.code, said.out) == (0, f"1 shard in {tmp_path / 'dataset'}\n")
    assert contents(tmp_path / "dataset") == contents(made / "dataset")


def test_pack_in_another_layout_with_another_card(synthgen: Synthgen, made: Path, tmp_path: Path) -> None:
    """`--format`, `--card` and `--workers` are what the library is asked for."""
    template, dataset = tmp_path / "card.md", tmp_path / "dataset"
    template.write_text("---\n{{ card_data }}\n---\n{{ layout }}\n")
    said = synthgen("pack", made / "run", "--out", dataset, "--format", "parquet", "--card", template, "--workers", "1")
    assert said.code == 0
    assert [path.name for path in (dataset / "data").iterdir()] == ["train-00000-of-00001.parquet"]
    assert (dataset / "README.md").read_text().endswith("---\nparquet")


def test_packing_again_says_so(synthgen: Synthgen, run: Path, dataset: Path) -> None:
    """Packing what is packed is exit 0 and says that there is nothing to do."""
    before = tars(dataset)
    assert synthgen("pack", run, "--out", dataset) == (0, f"{dataset}: packed already, nothing to do\n", "")
    assert tars(dataset) == before


def test_pack_of_a_run_that_is_not_complete(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """An incomplete run is exit 1 with what to do, unless `--partial`."""
    run, dataset = tmp_path / "run", tmp_path / "dataset"
    synthgen("generate", write_manifest(), "--out", run, "--limit", "6")
    said = synthgen("pack", run, "--out", dataset)
    assert said.code == 1
    assert said.err.startswith(f"error: {run}: 3 of 5 work shards are missing or damaged; run `synthgen generate`")
    assert not dataset.exists()
    assert synthgen("pack", run, "--out", dataset, "--partial").code == 0


@pytest.mark.parametrize("what", ["run", "dataset"])
def test_preview_writes_a_page_and_a_sheet(what: str, synthgen: Synthgen, made: Path, tmp_path: Path) -> None:
    """`preview` writes the gallery with every key in it, and the contact sheet beside it."""
    page, sheet = tmp_path / "page.html", tmp_path / "page.png"
    said = synthgen("preview", made / what, "--out", page)
    assert said == (0, f"gallery {page}\ncontact sheet {sheet}\n", "")
    assert page.read_text(encoding="utf-8").count("data:image/png;base64,") == 24
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_preview_again_takes_its_own_place(synthgen: Synthgen, made: Path, tmp_path: Path) -> None:
    """A page of preview's own is replaced, and the same pictures give the same bytes."""
    page = tmp_path / "page.html"
    synthgen("preview", made / "run", "--out", page)
    first = page.read_bytes()
    assert synthgen("preview", made / "run", "--out", page).code == 0
    assert page.read_bytes() == first


def test_preview_shows_as_many_as_asked_for(synthgen: Synthgen, made: Path, tmp_path: Path) -> None:
    """`--limit` shows the same number of each cell, and says how many that is of all."""
    page = tmp_path / "page.html"
    synthgen("preview", made / "run", "--out", page, "--limit", "6")
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 6
    assert "6 of 24 images" in text


# run


def test_run_does_the_whole_study(synthgen: Synthgen, write_manifest: Any, made: Path, tmp_path: Path) -> None:
    """`run` leaves the run, the dataset, the page and the sheet, and names each."""
    study = tmp_path / "study"
    said = synthgen("run", write_manifest(), "--out", study)
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()] == [
        "24", *(str(study / name) for name in ("work", "dataset", "preview.html", "preview.png"))
    ]  # fmt: skip
    assert contents(study / "work") == contents(made / "run")
    assert contents(study / "dataset") == contents(made / "dataset")
    assert (study / "preview.html").is_file()
    assert (study / "preview.png").is_file()


def test_run_goes_to_runs_name_if_not_told(
    synthgen: Synthgen, write_manifest: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `--out` the study lies in `runs/` under the manifest's name."""
    monkeypatch.chdir(tmp_path)
    assert synthgen("run", write_manifest()).code == 0
    assert (tmp_path / "runs" / "small" / "dataset" / "README.md").is_file()


def test_running_twice_changes_nothing(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """The second `run` makes no tar again and says the same as the first."""
    manifest, study = write_manifest(), tmp_path / "study"
    first = synthgen("run", manifest, "--out", study)
    before = tars(study)
    second = synthgen("run", manifest, "--out", study)
    assert (second.code, second.out) == (0, first.out)
    assert tars(study) == before


def test_run_is_as_bad_as_its_worst_part(synthgen: Synthgen, write_manifest: Any, tmp_path: Path) -> None:
    """A study with an image that failed is exit 1, and everything else is made nevertheless."""
    manifest = write_manifest(generate=faulty(flat=[3], flat_attempts=9))
    said = synthgen("run", manifest, "--out", tmp_path / "study")
    assert said.code == 1
    assert said.out.startswith("23 images (1 could not be made)\n")
    assert (tmp_path / "study" / "dataset" / "README.md").is_file()


# doctor


def test_doctor_says_what_is_here(synthgen: Synthgen) -> None:
    """`doctor` names the device, the dtype, the versions, and that nobody is logged in; it asks no network."""
    said = synthgen("doctor")
    rows = {line.partition("  ")[0]: line.partition("  ")[2].strip() for line in said.out.splitlines()}
    assert (said.code, said.err) == (0, "")
    assert {"device", "dtype", "attention", "torch", "diffusers", "ray"} <= set(rows)
    assert rows["hub"].startswith("not logged in")
    assert rows["plug-ins"].startswith("none installed")


def test_doctor_says_which_plugin_can_not_be_imported(
    synthgen: Synthgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each that packages bring is a line, and beside one that is broken stands why."""
    info = tmp_path / "site" / "mine-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[synthgen.scorers]\nbroken = no_such_module\nwhole = json\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    said = synthgen("doctor")
    assert said.code == 0
    (broken,) = [line for line in said.out.splitlines() if "scorer broken (mine 1.2)" in line]
    (whole,) = [line for line in said.out.splitlines() if "scorer whole (mine 1.2)" in line]
    assert broken.endswith("can't be imported: ModuleNotFoundError: No module named 'no_such_module'")
    assert "can't" not in whole


# signals


def start(*arguments: object) -> "subprocess.Popen[str]":
    """Start synthgen as a process of its own, without torch, which takes seconds that nothing here needs."""
    code = "import sys; sys.modules['torch'] = None; from synthgen.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    """Wait until something is so, while a process is at it."""
    end = time.monotonic() + 60
    while not condition() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "number"), [("generate", signal.SIGTERM), ("run", signal.SIGINT)], ids=["generate-SIGTERM", "run-SIGINT"]
)
def test_a_signal_stops_and_the_next_call_goes_on(
    verb: str, number: signal.Signals, write_manifest: Any, made: Path, tmp_path: Path
) -> None:
    """A signal is exit 75 with what was made kept; the same command ends in the bytes of an unbroken run.

    The unbroken run lies in ``made``: how long a batch sleeps shows in no image, but in the digest.
    """
    manifest, out = write_manifest(generate=faulty(seconds=0.1)), tmp_path / "out"
    arguments = (verb, manifest, "--out", out, "--batch-size", "1")
    process = start(*arguments)
    wait_for(lambda: bool(tars(out)), process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75, err
    assert "stopping after this batch" in err
    assert err.splitlines()[-1] == "error: stopped by a signal; run the same command again to go on"
    assert 1 <= len(tars(out)) < 5
    stopped = tars(out)
    assert call([*map(str, arguments)]) == 0
    assert {name: tars(out)[name] for name in stopped} == stopped
    assert contents(out / "work" if verb == "run" else out) == contents(made / "run")


@pytest.mark.slow
def test_a_second_signal_ends_at_once(write_manifest: Any, tmp_path: Path) -> None:
    """Whoever insists does not wait for the batch: the second signal kills."""
    manifest, run = write_manifest(generate=[{"name": "slow"} | faulty(seconds=60)[0]]), tmp_path / "run"
    process = start("generate", manifest, "--out", run)
    try:
        wait_for(
            lambda: '"device"' in (run / "run.json").read_text() if (run / "run.json").exists() else False, process
        )
        time.sleep(0.5)  # from the pinned environment to the batch that sleeps
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert process.stderr.readline() == "stopping after this batch; once more stops at once\n"
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == -signal.SIGTERM
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_piped_output_of_a_process_is_plain(write_manifest: Any, tmp_path: Path) -> None:
    """A whole process that writes to pipes writes lines, without carriage returns or colours."""
    process = start("run", write_manifest(), "--out", tmp_path / "study")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out.startswith("24 images\n")
    assert err.startswith("generate ...\nfake 00000: 5 of 24 images")
    assert not {"\r", "\x1b"} & set(out + err)


def test_a_label_that_the_bundled_model_does_not_know_is_told(
    synthgen: Synthgen, write_manifest: Callable[..., Path]
) -> None:
    """In the dry run, before anybody waits for images of something else."""
    entry = {"strategy": "text2img", "per_cell": 1, "settings": {"height": 64, "width": 64}}
    path = write_manifest(labels={"tinea": "tinea corporis"}, model="phantom", generate=[entry])
    told = synthgen("plan", path)
    assert told.code == 0
    assert (
        "the bundled model has not learned `tinea corporis`, and draws something else; it knows psoriasis" in told.out
    )
