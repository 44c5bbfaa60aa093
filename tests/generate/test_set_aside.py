"""A run changes its mind: what is planned no more is set aside, and what counts equals a run made at once."""

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import generate
from synthgen.curate import judge, prepare, score
from synthgen.errors import PlanMismatchError
from synthgen.extensions import EXTENSIONS
from synthgen.pack import pack
from synthgen.plan import Plan, top_ups
from synthgen.plan.sample import Record
from synthgen.preview import show
from synthgen.runs import dataset_folder, run_file, set_aside
from synthgen.runs.folders import Run
from synthgen.runs.receipts import Receipt
from synthgen.runs.verify import verify

MakePlan = Callable[..., Plan]
MakeImages = Callable[..., list[Receipt]]
Tars = Callable[[Path], dict[str, bytes]]
SIZE = {"height": 32, "width": 32}


def entry(per_cell: int, name: str = "fake", **more: Any) -> dict[str, Any]:
    """An entry that makes images at once."""
    return {"name": name, "strategy": "fake", "per_cell": per_cell, "settings": SIZE} | more


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "per_cell": ({"generate": [entry(3)]}, "generate.fake.per_cell: 4 -> 3"),
    "label": ({"labels": {"psoriasis": "psoriasis"}}, 'labels.healthy: "healthy skin" -> nothing'),
    "first label": ({"labels": {"healthy": "healthy skin"}}, 'labels.psoriasis: "psoriasis" -> nothing'),
    "tone": (
        {"skin_tones": {"scale": "fitzpatrick", "values": [1, 2, 6]}},
        "skin_tones.values: [1, 3, 6] -> [1, 2, 6]",
    ),
    "word": (
        {"labels": {"psoriasis": "psoriasis", "healthy": "bare skin"}},
        'labels.healthy: "healthy skin" -> "bare skin"',
    ),
    "seed": ({"seed": 8}, "seed: 7 -> 8"),
    "setting": (
        {"generate": [entry(4, settings={"height": 16, "width": 32})]},
        "generate.fake.settings.height: 32 -> 16",
    ),
    "renamed": ({"generate": [entry(4, "other")]}, "generate.fake: taken out"),
    "format": ({"output": {"image_format": "webp", "shard_samples": 5}}, 'output.image_format: "png" -> "webp"'),
}  # fmt: skip


def change(plan: Plan, root: Path, **selection: Any) -> list[Receipt]:
    """Make a run follow another plan; returns the receipts of what was made for it."""
    job = generate.prepare(plan, root, generate.Selection(**selection), EXTENSIONS, accept_changes=True)
    return list(generate.generate(job))


def records(root: Path) -> dict[str, Record]:
    """Every record of a run that counts, by key; the sha256 of its image is in it."""
    found = list(Run(root, EXTENSIONS).records())
    assert len({one.key for one in found}) == len(found)
    return {one.key: one for one in found}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_run_equals_one_made_at_once(
    what: str, make_plan: MakePlan, make_images: MakeImages, tars_in: Tars, tmp_path: Path
) -> None:
    """No stored byte changes, rows say by which key images were set aside, and what counts is that of one at once."""
    new, reason = CHANGES[what]
    old, asked = make_plan(), make_plan(**new)
    make_images(old, tmp_path / "changed")
    before = tars_in(tmp_path / "changed")
    made = change(asked, tmp_path / "changed")
    make_images(asked, tmp_path / "once")
    assert before.items() <= tars_in(tmp_path / "changed").items()
    assert records(tmp_path / "changed") == records(tmp_path / "once")
    assert {finding.state for finding in verify(tmp_path / "changed", EXTENSIONS)} == {"whole"}
    rows = set_aside.read(tmp_path / "changed")
    assert all(reason in row.reason for row in rows)
    assert len(rows) == old.samples - (asked.samples - sum(len(one.samples) for one in made))
    assert run_file.read(tmp_path / "changed")["format"] == run_file.PRUNED


@pytest.mark.parametrize("new", [one for one, _ in CHANGES.values()], ids=CHANGES)
def test_going_back_makes_nothing_twice(
    new: dict[str, Any], make_plan: MakePlan, make_images: MakeImages, tars_in: Tars, tmp_path: Path
) -> None:
    """The old manifest counts its images again, and then the new one its own; no image is made for either."""
    old, asked = make_plan(), make_plan(**new)
    make_images(old, tmp_path)
    first = records(tmp_path)
    change(asked, tmp_path)
    second, before = records(tmp_path), tars_in(tmp_path)
    assert change(old, tmp_path) == []
    assert records(tmp_path) == first
    assert change(asked, tmp_path) == []
    assert records(tmp_path) == second
    assert tars_in(tmp_path) == before


def test_only_what_is_made_is_set_aside(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """Of a run that was stopped early, images that nobody has made yet need nobody's word to be planned no more."""
    make_images(make_plan(), tmp_path, limit=5)
    asked = make_plan(**CHANGES["label"][0])
    with pytest.raises(PlanMismatchError, match=r"^\S+: [23] images of entry `fake`.*labels\.healthy.*--accept"):
        generate.prepare(asked, tmp_path, extensions=EXTENSIONS)
    change(asked, tmp_path)
    assert 2 <= len(set_aside.read(tmp_path)) <= 3
    make_images(asked, tmp_path / "once")
    assert records(tmp_path) == records(tmp_path / "once")


def test_a_change_that_was_broken_off_ends_with_the_same_bytes(
    make_plan: MakePlan, make_images: MakeImages, tars_in: Tars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever dies between the rows and run.json, or between two shards, leaves nothing behind that the next minds."""
    old, asked = make_plan(), make_plan(**CHANGES["tone"][0])
    for name in ("one", "other"):
        make_images(old, tmp_path / name)
    change(asked, tmp_path / "one")
    with monkeypatch.context() as patched:
        patched.setattr("synthgen.runs.run_folder.write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            change(asked, tmp_path / "other")
    assert records(tmp_path / "other").keys() == {f"fake-{one}" for one in _names(old)}
    assert change(old, tmp_path / "other") == []
    assert set_aside.read(tmp_path / "other") == ()
    change(asked, tmp_path / "other", limit=3)
    change(asked, tmp_path / "other")
    assert tars_in(tmp_path / "one") == tars_in(tmp_path / "other")
    assert [one.place for one in set_aside.read(tmp_path / "one")] == [
        one.place for one in set_aside.read(tmp_path / "other")
    ]


def _names(plan: Plan) -> list[str]:
    entry = plan.entries["fake"]
    return [entry.places[index].name for index in range(entry.samples)]


def test_images_made_from_those_that_are_gone_go_with_them(
    make_plan: MakePlan, make_images: MakeImages, tmp_path: Path
) -> None:
    """What starts from an image that is set aside is set aside; what starts from one that stays, stays."""

    def entries(per_cell: int) -> list[dict[str, Any]]:
        return [entry(per_cell), {"name": "child", "strategy": "fake", "from": "fake", "settings": SIZE}]

    asked = make_plan(generate=entries(3))
    make_images(make_plan(generate=entries(4)), tmp_path / "changed")
    assert change(asked, tmp_path / "changed") == []
    make_images(asked, tmp_path / "once")
    assert records(tmp_path / "changed") == records(tmp_path / "once")
    assert Counter(row.entry for row in set_aside.read(tmp_path / "changed")) == {"fake": 6, "child": 6}


def test_a_topped_up_run_shrinks(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """Images of a round go with the cell that they were made for, and others take part as before."""
    rounds = ({"fake": {("healthy", 6): 3, ("healthy", 3): 1}},)
    old, new = make_plan(), make_plan(skin_tones={"scale": "fitzpatrick", "values": [1, 3]})
    for name, plan in (("changed", old), ("once", new)):
        make_images(plan, tmp_path / name)
        top_ups.add(tmp_path / name, rounds[0], ())
        make_images(Plan(plan.manifest, plan.index, rounds), tmp_path / name)
    change(Plan(new.manifest, new.index, rounds), tmp_path / "changed")
    assert records(tmp_path / "changed") == records(tmp_path / "once")
    assert len(set_aside.read(tmp_path / "changed")) == 8 + 3


def test_a_damaged_shard_is_made_again_without_what_was_set_aside(
    make_plan: MakePlan, make_images: MakeImages, tmp_path: Path
) -> None:
    """And when the manifest wants that back, it is made, since nobody has it any more."""
    old, asked = make_plan(), make_plan(**CHANGES["per_cell"][0])
    make_images(old, tmp_path)
    first = records(tmp_path)
    change(asked, tmp_path)
    for path in (tmp_path / "fake").glob("*.tar"):
        path.unlink()
    change(asked, tmp_path)
    assert records(tmp_path).items() <= first.items()
    assert {finding.state for finding in verify(tmp_path, EXTENSIONS)} == {"whole"}
    assert sum(len(one.samples) for one in change(old, tmp_path)) == 6
    assert records(tmp_path) == first


def test_a_dataset_of_a_changed_run_is_that_of_one_made_at_once(
    make_plan: MakePlan, make_images: MakeImages, tmp_path: Path
) -> None:
    """Scored, judged, packed and shown, a run that lost a tone, won one and got another word is as one made at once."""
    rules = {"curate": {"scorers": {"quality": {}, "near_copy": {}}, "keep": ["quality.contrast >= 0"]}}
    mixed = CHANGES["tone"][0] | CHANGES["word"][0] | rules
    make_images(make_plan(**rules), tmp_path / "changed")
    judged(Run(tmp_path / "changed", EXTENSIONS))  # parts of scores that are of the old images stay
    change(make_plan(**mixed), tmp_path / "changed")
    held = Run(tmp_path / "changed", EXTENSIONS)  # not judged yet: what is said of the old images is of no new one
    assert {one.key.rsplit("-", 1)[0] for one in held.verdicts()} == {"fake-psoriasis-1", "fake-psoriasis-6"}
    assert held.scores()["quality"].num_rows == 8
    make_images(make_plan(**mixed), tmp_path / "once")
    metadata, files = list[Any](), list[dict[str, Any]]()
    for name in ("changed", "once"):
        run, out = Run(tmp_path / name, EXTENSIONS), tmp_path / f"{name}-dataset"
        judged(run)
        list(pack(run, out))
        metadata.append(dataset_folder.read_metadata(out, ["key", "split", "shard", "offset"]))
        files.append(json.loads((out / "provenance.json").read_bytes())["files"])
        show(run, tmp_path / f"{name}.html")
        assert sum(1 for _ in run.images()) == 24
    assert metadata[0] == metadata[1]
    assert {k: v for k, v in files[0].items() if k.startswith("data/")} == {
        k: v for k, v in files[1].items() if k.startswith("data/")
    }
    assert "24 images" in (tmp_path / "changed-dataset" / "README.md").read_text()


def judged(run: Run) -> None:
    """Score and judge a run."""
    job = prepare(run.plan, run.root)
    list(score(job, lambda: False))
    judge(run.root, run.plan)


def test_damage_of_the_rows_is_found(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """``verify`` names the file of what is set aside."""
    make_images(make_plan(), tmp_path)
    change(make_plan(**CHANGES["label"][0]), tmp_path)
    path = tmp_path / set_aside.FILE
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    assert [one.path for one in verify(tmp_path, EXTENSIONS) if one.state == "damaged"] == [set_aside.FILE]


@pytest.mark.parametrize("what", ["seed", "renamed"])
def test_damage_of_what_is_set_aside_is_found(
    what: str, make_plan: MakePlan, make_images: MakeImages, tmp_path: Path
) -> None:
    """Also of a shard that holds nothing else: it never counts again, and may be removed."""
    old = make_plan()
    make_images(old, tmp_path)
    change(make_plan(**CHANGES[what][0]), tmp_path)
    path = tmp_path / "fake" / "00001.tar"
    content, status = path.read_bytes(), path.stat()
    path.write_bytes(content[:700] + bytes([content[700] ^ 1]) + content[701:])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    for _ in range(2):
        [found] = [one for one in verify(tmp_path, EXTENSIONS) if one.state != "whole"]
        assert (found.path, found.state) == ("fake/00001.tar", "damaged")
        assert "set aside: remove it" in found.message
    path.unlink()
    assert {one.state for one in verify(tmp_path, EXTENSIONS)} == {"whole"}
    assert sum(len(one.samples) for one in change(old, tmp_path)) == 5
    make_images(old, tmp_path / "once")
    assert records(tmp_path) == records(tmp_path / "once")


@pytest.mark.parametrize("what", ["label", "renamed"])
def test_a_version_that_sets_nothing_aside_is_shut_out_for_good(
    what: str, make_plan: MakePlan, make_images: MakeImages, tmp_path: Path
) -> None:
    """Whoever removes the rows leaves images in the tars that such a version would pack."""
    asked = make_plan(**CHANGES[what][0])
    make_images(make_plan(), tmp_path)
    change(asked, tmp_path)
    (tmp_path / set_aside.FILE).unlink()
    for plan in (asked, make_plan(), asked):
        change(plan, tmp_path)
        assert run_file.read(tmp_path)["format"] == run_file.PRUNED
