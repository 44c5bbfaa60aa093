"""Generating makes what is planned and not made yet, the same bytes whatever happened in between."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen import generate
from synthgen.core.devices import DeviceRequest, Environment
from synthgen.diffusion.maker import ImageMaker, MadeImages
from synthgen.diffusion.strategies import fake
from synthgen.errors import InputError, OutOfMemoryError, PlanMismatchError, StoppedError
from synthgen.plan import Plan, throughput
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.sample import Recipe, Record, Sample
from synthgen.runs import run_folder, tar_samples
from synthgen.runs.receipts import Receipt, SampleOutcome
from synthgen.runs.start_images import FindStartImage
from synthgen.runs.verify import verify
from synthgen.vision.images import codec

MakePlan = Callable[..., Plan]
MakeImages = Callable[..., list[Receipt]]
TarsIn = Callable[[Path], dict[str, bytes]]


def faulty(**settings: Any) -> dict[str, Any]:
    """The small manifest's entry with faults to act out."""
    return {"generate": [{"strategy": "fake", "per_cell": 4, "settings": {"height": 32, "width": 32} | settings}]}


def outcomes(receipts: list[Receipt]) -> dict[int, SampleOutcome]:
    """What became of each sample, by its index in the entry."""
    return dict(enumerate(one for receipt in sorted(receipts, key=lambda r: r.shard) for one in receipt.samples))


def states(root: Path, extensions: Extensions) -> set[str]:
    """The states that verify finds."""
    return {finding.state for finding in verify(root, extensions)}


def test_everything_planned_is_made(
    make_plan: MakePlan, make_images: MakeImages, extensions: Extensions, tmp_path: Path, tars_in: TarsIn
) -> None:
    """One receipt a shard, in order, and every byte is found whole."""
    receipts = make_images(make_plan(), tmp_path)
    assert [(one.shard, one.count, one.failed) for one in receipts] == [
        (0, 5, 0),
        (1, 5, 0),
        (2, 5, 0),
        (3, 5, 0),
        (4, 4, 0),
    ]
    assert list(tars_in(tmp_path)) == [f"fake/{number:05d}.tar" for number in range(5)]
    assert states(tmp_path, extensions) == {"whole"}


def test_receipts_and_tars_agree_with_the_plan(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """Each shard's tar and receipt hold the plan's samples in the plan's order, as its seeds make them."""
    plan = make_plan()
    receipts = make_images(plan, tmp_path)
    for receipt, number in zip(receipts, range(5), strict=True):
        planned = plan.entries["fake"].shard(number)
        stored = list(tar_samples.read(tmp_path / "fake" / f"{number:05d}.tar"))
        assert [one.key for one in planned] == [one.key for one in stored] == [one.key for one in receipt.samples]
        records = [Record.from_json(one.files["json"]) for one in stored]
        assert [(one.seed, one.prompt, one.image_sha256) for one in records] == [
            (sample.seed, sample.prompt, outcome.sha256)
            for sample, outcome in zip(planned, receipt.samples, strict=True)
        ]
        painted = fake.maker(planned[0].recipe, None)(planned)  # type: ignore[arg-type]
        assert all(
            np.array_equal(codec.decode(one.files["png"]), pixels)
            for one, pixels in zip(stored, painted.pixels, strict=True)
        )


def test_a_stored_sample_has_three_files(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """The image, its record and its label's number, the last two without surprises."""
    make_images(make_plan(), tmp_path, limit=1)
    for one in tar_samples.read(tmp_path / "fake/00000.tar"):
        assert set(one.files) == {"png", "json", "cls"}
        assert int(one.files["cls"]) == json.loads(one.files["json"])["label_id"]


@pytest.mark.parametrize("image_format", ["jpeg", "png", "webp"])
def test_every_format_is_stored_under_its_ending(
    make_plan: MakePlan, make_images: MakeImages, extensions: Extensions, tmp_path: Path, image_format: str
) -> None:
    """Each image format is written, verified, and said by the member's name."""
    make_images(make_plan(output={"image_format": image_format}), tmp_path)
    ending = codec.EXTENSIONS[image_format]
    assert all(ending in one.files for one in tar_samples.read(tmp_path / "fake/00000.tar"))
    assert states(tmp_path, extensions) == {"whole"}


def test_a_second_run_makes_nothing(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """What is finished is counted, not made again, and not a file is touched."""
    make_images(make_plan(), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    job = generate.prepare(make_plan(), tmp_path)
    assert (job.todo, job.samples, job.finished) == ((), 0, (24, 0))
    assert list(generate.generate(job)) == []
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_nothing_but_shards_is_left_behind(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """A finished run has its file, its lock, and tars with receipts; its scratch is empty."""
    make_images(make_plan(), tmp_path)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found - {".lock"} == {"run.json", *(f"fake/{n:05d}.{end}" for n in range(5) for end in ("tar", "json"))}


@pytest.mark.parametrize("batch_size", [1, 2, 3, 16])
def test_the_batch_size_changes_no_byte(
    make_plan: MakePlan, make_images: MakeImages, tars_in: TarsIn, tmp_path: Path, batch_size: int
) -> None:
    """Two folders hold the same bytes, however many images were made together."""
    plan = make_plan(**faulty(flat=[2, 3], nonfinite=[7]))
    make_images(plan, tmp_path / "a")
    receipts = make_images(plan, tmp_path / "b", DeviceRequest(batch_size=batch_size))
    assert tars_in(tmp_path / "a") == tars_in(tmp_path / "b")
    assert {one.environment["batch_size"] for one in receipts} == {batch_size}


@pytest.mark.parametrize(("limit", "shards"), [(1, [0]), (5, [0]), (6, [0, 1]), (10, [0, 1]), (1000, [0, 1, 2, 3, 4])])
def test_a_limit_is_rounded_up_to_whole_shards(
    make_plan: MakePlan, make_images: MakeImages, tmp_path: Path, limit: int, shards: list[int]
) -> None:
    """Shards are made until the limit is reached."""
    assert [one.shard for one in make_images(make_plan(), tmp_path, limit=limit)] == shards


def test_a_limit_counts_what_is_made_now(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """The same limit again goes on where the last one ended."""
    made = [[one.shard for one in make_images(make_plan(), tmp_path, limit=10)] for _ in range(4)]
    assert made == [[0, 1], [2, 3], [4], []]


@pytest.mark.parametrize(
    ("shards", "numbers"), [((1, 3), [1, 2]), ((None, 2), [0, 1]), ((3, None), [3, 4]), ((4, 99), [4])]
)
def test_shards_are_selected_as_a_slice(
    make_plan: MakePlan, make_images: MakeImages, tmp_path: Path, shards: tuple[int, int], numbers: list[int]
) -> None:
    """Only the shards selected are made."""
    assert [one.shard for one in make_images(make_plan(), tmp_path, shards=shards)] == numbers


def test_a_selection_of_nothing_is_refused(make_plan: MakePlan, tmp_path: Path) -> None:
    """Shards beyond the plan's are bad input, and nothing is claimed for them."""
    with pytest.raises(InputError, match="--shards"):
        generate.prepare(make_plan(), tmp_path / "run", generate.Selection(shards=(5, 9)))
    assert not (tmp_path / "run").exists()


def test_shards_are_counted_over_the_whole_plan(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """The second entry's shards are numbered after the first one's."""
    plan = make_plan(generate=[{"name": name, "strategy": "fake", "per_cell": 1} for name in ("a", "b")])
    made = make_images(plan, tmp_path, shards=(1, 3))
    assert [(one.entry, one.shard) for one in made] == [("a", 1), ("b", 0)]


@pytest.mark.parametrize("parts", [2, 3, 7])
def test_the_parts_of_an_array_are_the_whole(
    make_plan: MakePlan, make_images: MakeImages, tars_in: TarsIn, tmp_path: Path, parts: int
) -> None:
    """The parts of a job array, worked in any order, share no shard and end as one run does."""
    make_images(make_plan(), tmp_path / "one")
    made = [make_images(make_plan(), tmp_path / "many", array=(part, parts)) for part in reversed(range(parts))]
    assert sorted(one.shard for receipts in made for one in receipts) == [0, 1, 2, 3, 4]
    assert tars_in(tmp_path / "many") == tars_in(tmp_path / "one")


def test_an_array_cuts_the_selected_shards(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """An array over a slice deals out that slice."""
    made = make_images(make_plan(), tmp_path, shards=(1, None), array=(1, 2))
    assert [one.shard for one in made] == [2, 4]


def test_several_entries_are_made(
    make_plan: MakePlan, make_images: MakeImages, extensions: Extensions, tmp_path: Path
) -> None:
    """Each entry has a folder and an environment of its own."""
    plan = make_plan(generate=[{"name": name, "strategy": "fake", "per_cell": 2} for name in ("a", "b")])
    assert {one.entry for one in make_images(plan, tmp_path)} == {"a", "b"}
    assert states(tmp_path, extensions) == {"whole"}
    assert all(run_folder.pinned(tmp_path, name) for name in ("a", "b"))


def test_a_new_entry_is_made_beside_the_old(
    make_plan: MakePlan, make_images: MakeImages, tars_in: TarsIn, tmp_path: Path
) -> None:
    """Adding an entry makes that entry's shards and no others."""
    entries = [{"name": name, "strategy": "fake", "per_cell": 1} for name in ("b", "a")]
    make_images(make_plan(generate=entries[:1]), tmp_path)
    before = tars_in(tmp_path)
    assert {one.entry for one in make_images(make_plan(generate=entries[::-1]), tmp_path)} == {"a"}
    assert before.items() <= tars_in(tmp_path).items()


def test_faults_are_recorded(
    make_plan: MakePlan, make_images: MakeImages, extensions: Extensions, tmp_path: Path
) -> None:
    """The receipt tells every try: NaN made again precisely, a flat image at the next attempt."""
    made = outcomes(make_images(make_plan(**faulty(nonfinite=[2], flat=[3, 12], flat_attempts=2)), tmp_path))
    assert (made[2].tries, made[2].attempt) == (("nonfinite", "made"), 0)
    assert (made[3].tries, made[3].attempt) == (("flat", "flat", "made"), 2)
    assert made[12].tries == made[3].tries
    assert {made[n].tries for n in range(24) if n not in (2, 3, 12)} == {("made",)}
    assert states(tmp_path, extensions) == {"whole"}


def test_a_kept_attempt_has_its_own_seed(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """The record of an image made at a later attempt says that attempt and its seed."""
    plan = make_plan(**faulty(flat=[1]))
    make_images(plan, tmp_path, limit=1)
    stored = [Record.from_json(one.files["json"]) for one in tar_samples.read(tmp_path / "fake/00000.tar")]
    again = plan.entries["fake"].sample(1, attempt=1)
    assert (stored[1].attempt, stored[1].seed, stored[1].key) == (1, again.seed, again.key)


def test_a_sample_that_fails_for_good_is_in_the_receipt_alone(
    make_plan: MakePlan, make_images: MakeImages, tars_in: TarsIn, extensions: Extensions, tmp_path: Path
) -> None:
    """It is a failed sample, its tar lacks it, everybody else is what they were, and it is not tried for ever."""
    plan = make_plan(**faulty(flat=[6], flat_attempts=99))
    receipts = make_images(plan, tmp_path / "a")
    failed = outcomes(receipts)[6]
    assert (failed.status, failed.tries[-1], failed.sha256) == ("failed", "failed", "")
    assert [one.failed for one in receipts] == [0, 1, 0, 0, 0]
    kept = [one.key for one in tar_samples.read(tmp_path / "a/fake/00001.tar")]
    assert kept == [one.key for one in plan.entries["fake"].shard(1) if one.index != 6]
    assert [finding.failed for finding in verify(tmp_path / "a", extensions)] == [0, 1, 0, 0, 0]
    assert generate.prepare(plan, tmp_path / "a").finished == (23, 1)
    assert make_images(plan, tmp_path / "a") == []


def test_a_failure_changes_no_other_image(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """The images beside a failed one are those of a run without failures."""
    found = []
    for name, settings in (("a", {}), ("b", {"flat": [6], "flat_attempts": 99})):
        made = outcomes(make_images(make_plan(**faulty(**settings)), tmp_path / name))
        found.append({one.key: one.sha256 for index, one in made.items() if index != 6})
    assert found[0] == found[1]


def test_a_shard_of_failures_is_an_empty_tar(
    make_plan: MakePlan, make_images: MakeImages, extensions: Extensions, tmp_path: Path
) -> None:
    """A shard of which nothing could be made is finished, and whole."""
    plan = make_plan(**faulty(flat=list(range(5)), flat_attempts=99))
    assert make_images(plan, tmp_path)[0].count == 0
    assert list(tar_samples.read(tmp_path / "fake/00000.tar")) == []
    assert states(tmp_path, extensions) == {"whole"}


@pytest.mark.parametrize("calls", [0, 1, 2, 3, 5, 8])
def test_a_stopped_run_is_resumed_to_the_same_bytes(
    make_plan: MakePlan, make_images: MakeImages, tars_in: TarsIn, tmp_path: Path, calls: int
) -> None:
    """A stop keeps what was yielded, and the next run makes the rest, ending as an unbroken one."""
    plan = make_plan()
    make_images(plan, tmp_path / "whole")
    asked = iter(range(calls))
    kept: list[int] = []
    stream = generate.generate(generate.prepare(plan, tmp_path / "run"), stop=lambda: next(asked, None) is None)
    with pytest.raises(StoppedError):
        kept.extend(one.shard for one in stream)
    assert kept + [one.shard for one in make_images(plan, tmp_path / "run")] == [0, 1, 2, 3, 4]
    assert tars_in(tmp_path / "run") == tars_in(tmp_path / "whole")


def test_a_stop_leaves_nothing_damaged(make_plan: MakePlan, extensions: Extensions, tmp_path: Path) -> None:
    """What a stopped run leaves is whole or missing."""
    asked = iter(range(4))
    with pytest.raises(StoppedError):
        list(generate.generate(generate.prepare(make_plan(), tmp_path), stop=lambda: next(asked, None) is None))
    assert states(tmp_path, extensions) == {"whole", "missing"}


def test_receipts_yielded_before_a_stop_are_on_disk(make_plan: MakePlan, tmp_path: Path) -> None:
    """Who takes one receipt and walks away has that shard."""
    stream = generate.generate(generate.prepare(make_plan(), tmp_path))
    receipt = next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert Receipt.from_json((tmp_path / "fake/00000.json").read_bytes()) == receipt
    assert 0 not in [ref.number for ref in generate.prepare(make_plan(), tmp_path).todo]


@pytest.mark.parametrize("name", ["00002.tar", "00002.json"])
def test_a_deleted_file_is_made_again_and_no_other(
    make_plan: MakePlan, make_images: MakeImages, tars_in: TarsIn, tmp_path: Path, name: str
) -> None:
    """Deleting a tar or a receipt makes exactly that shard again, with the same bytes."""
    make_images(make_plan(), tmp_path)
    before = tars_in(tmp_path)
    (tmp_path / "fake" / name).unlink()
    assert [one.shard for one in make_images(make_plan(), tmp_path)] == [2]
    assert tars_in(tmp_path) == before


def test_a_rotten_shard_is_found_and_made_again(
    make_plan: MakePlan, make_images: MakeImages, tars_in: TarsIn, extensions: Extensions, tmp_path: Path
) -> None:
    """Verify marks a shard of which a byte changed, keeps its bytes, and the next run makes it anew."""
    make_images(make_plan(), tmp_path)
    before, path = tars_in(tmp_path), tmp_path / "fake/00001.tar"
    spoilt = bytearray(path.read_bytes())
    spoilt[1500] ^= 1
    path.write_bytes(spoilt)
    assert [one.path for one in verify(tmp_path, extensions) if one.state == "damaged"] == ["fake/00001.tar"]
    assert path.read_bytes() == spoilt
    assert [one.shard for one in make_images(make_plan(), tmp_path)] == [1]
    assert tars_in(tmp_path) == before
    assert states(tmp_path, extensions) == {"whole"}


def test_another_plan_is_refused_and_changes_nothing(
    make_plan: MakePlan, make_images: MakeImages, tars_in: TarsIn, tmp_path: Path
) -> None:
    """A folder of another seed is left as it is."""
    make_images(make_plan(), tmp_path)
    before = tars_in(tmp_path)
    with pytest.raises(PlanMismatchError):
        make_images(make_plan(seed=8), tmp_path)
    assert tars_in(tmp_path) == before


def test_another_batch_size_is_refused_on_resume(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """What the run was begun with is kept, or the request is refused."""
    make_images(make_plan(), tmp_path, DeviceRequest(batch_size=2), limit=1)
    with pytest.raises(PlanMismatchError, match=r"^--batch-size 3: .*2"):
        make_images(make_plan(), tmp_path, DeviceRequest(batch_size=3))
    assert {one.environment["batch_size"] for one in make_images(make_plan(), tmp_path)} == {2}


def test_what_was_measured_is_noted(make_plan: MakePlan, make_images: MakeImages, tmp_path: Path) -> None:
    """After a run the machine knows what such images take."""
    plan = make_plan()
    recipe = plan.entries["fake"].recipe
    assert throughput.seconds(recipe, "png", 24) is None
    receipts = make_images(plan, tmp_path)
    assert throughput.seconds(recipe, "png", 24) == pytest.approx(sum(one.timing["seconds"] for one in receipts))
    assert throughput.stored(recipe, "png", 24) == pytest.approx(sum(one.size for one in receipts), abs=1)


Small = Callable[[int], None]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Small:
    """Sets how many images of a batch the device has room for."""
    real = fake.maker

    def set_room(images_at_once: int) -> None:
        def maker(recipe: Recipe, environment: Environment, originals: FindStartImage) -> ImageMaker:
            plain = real(recipe, environment, originals)

            def make(samples: Sequence[Sample], *, precise: bool = False) -> MadeImages:
                if len(samples) > images_at_once:
                    raise OutOfMemoryError("no memory")
                return plain(samples, precise=precise)

            return make

        monkeypatch.setattr(fake, "maker", maker)

    return set_room


def test_a_batch_without_room_is_halved(
    make_plan: MakePlan, make_images: MakeImages, tars_in: TarsIn, memory: Small, tmp_path: Path
) -> None:
    """Left to us, the batch becomes what fits; receipts and `run.json` say so, and the images are the same."""
    make_images(make_plan(), tmp_path / "roomy")
    memory(1)
    receipts = make_images(make_plan(), tmp_path / "tight")
    pinned = run_folder.pinned(tmp_path / "tight", "fake")
    assert {one.environment["batch_size"] for one in receipts} == {1}
    assert pinned is not None
    assert pinned.batch_size == 1
    assert tars_in(tmp_path / "tight") == tars_in(tmp_path / "roomy")


def test_halving_is_said(
    make_plan: MakePlan, make_images: MakeImages, memory: Small, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning tells both sizes, once for each halving."""
    memory(2)
    make_images(make_plan(), tmp_path)
    assert caplog.messages == ["no memory for a batch of 5, going on with 2"]


def test_a_run_that_halved_is_resumed_at_the_half(
    make_plan: MakePlan, make_images: MakeImages, memory: Small, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The next run begins with the size that fits."""
    memory(2)
    make_images(make_plan(), tmp_path, limit=1)
    caplog.clear()
    assert {one.environment["batch_size"] for one in make_images(make_plan(), tmp_path)} == {2}
    assert caplog.messages == []


def test_memory_that_runs_out_later_leaves_the_pin(
    make_plan: MakePlan, make_images: MakeImages, memory: Small, tmp_path: Path
) -> None:
    """Where shards were made at the larger size, the run keeps that as its own and receipts tell the rest."""
    make_images(make_plan(), tmp_path, limit=5)
    memory(2)
    assert {one.environment["batch_size"] for one in make_images(make_plan(), tmp_path)} == {2}
    pinned = run_folder.pinned(tmp_path, "fake")
    assert pinned is not None
    assert pinned.batch_size == 5


@pytest.fixture
def prepared(make_plan: MakePlan, tmp_path: Path) -> generate.GenerateJob:
    """The small plan, ready to be made."""
    return generate.prepare(make_plan(), tmp_path)


@pytest.mark.parametrize(("room", "asked", "said"), [(2, 5, "--batch-size 2"), (0, None, "smaller height")])
def test_no_room_is_an_error_where_nothing_can_be_halved(
    prepared: generate.GenerateJob, memory: Small, room: int, asked: int | None, said: str
) -> None:
    """A size that was asked for is not changed, and one image that does not fit never will; what to set is said."""
    memory(room)
    with pytest.raises(OutOfMemoryError, match=said):
        list(generate.generate(prepared, DeviceRequest(batch_size=asked)))
    assert not list(prepared.root.rglob("*.tar"))


def test_what_reads_back_otherwise_is_not_committed(
    make_plan: MakePlan, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A disk that stores other bytes than it was given is found out before a shard counts."""
    from synthgen.errors import DamagedError

    def spoil(file: io.BytesIO, members: list[tuple[str, dict[str, bytes]]]) -> Any:
        return write(file, [(key, files | {"cls": b"9"}) for key, files in members])

    write = tar_samples.write
    monkeypatch.setattr(tar_samples, "write", spoil)
    with pytest.raises(DamagedError, match="is the disk sound"):
        make_images(make_plan(), tmp_path)
    assert not list((tmp_path / "fake").iterdir())


@pytest.mark.parametrize("wish", [{"dtype": "fp16"}, {"device": "cuda"}, {"attention": "xformers"}, {"memory": "fp8"}])
def test_a_wish_is_refused_where_nothing_is_left_to_make(
    wish: dict[str, str], make_plan: Callable[..., Plan], make_images: Callable[..., Any], tmp_path: Path
) -> None:
    """A run that was made otherwise says so whenever it is asked, and not only as long as an image is missing."""
    make_images(make_plan(), tmp_path)
    with pytest.raises(PlanMismatchError, match="this run was begun with"):
        make_images(make_plan(), tmp_path, DeviceRequest(**wish))
    assert make_images(make_plan(), tmp_path, DeviceRequest(device="cpu", batch_size=3)) == []
