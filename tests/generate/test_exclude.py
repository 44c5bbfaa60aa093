"""``real.exclude`` takes a real image or a patient out, with every image that was made from it."""

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen import finetune, generate
from synthgen.core import adapter_folder
from synthgen.errors import IncompleteError, InputError, ManifestError, PlanMismatchError
from synthgen.extensions import EXTENSIONS
from synthgen.pack import pack
from synthgen.plan import Plan
from synthgen.plan.real_index import Source
from synthgen.runs import dataset_folder, load_plan, run_file, run_folder, set_aside
from synthgen.runs.folders import Run
from synthgen.vision.images import codec

WritePhotographs = Callable[[dict[str, str]], None]
SIZE = {"height": 16, "width": 16}
ENTRIES: list[dict[str, Any]] = [
    {"name": "over", "strategy": "fake", "per_source": 2, "settings": SIZE},
    {"name": "text", "strategy": "fake", "per_cell": 1, "settings": SIZE},
]
AGREED = {"consent": "yes"}


@pytest.fixture
def table(tmp_path: Path) -> WritePhotographs:
    """Writes the table of six photographs of three patients; of some of them another consent."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(6):
        pixels = np.full((16, 16, 3), 40 * number, np.uint8)
        (folder / f"IMG_{number}.png").write_bytes(codec.encode(pixels, codec.Encoding("png")))

    def write(consent: dict[str, str]) -> None:
        with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["file_name", "label", "fitzpatrick", "patient", "consent"])
            for number in range(6):
                name = f"IMG_{number}.png"
                rows.writerow([name, "psoriasis", "3", f"P{number // 2}", consent.get(name, "yes")])

    write({})
    return write


@pytest.fixture
def plan_of(
    table: WritePhotographs, write_manifest: Callable[..., Path], tmp_path: Path
) -> Callable[..., Plan]:  # `table` has written the photographs
    """Plans a study of these photographs in a folder, some of them excluded."""

    def plan(root: str | None = "run", exclude: dict[str, Any] | None = None, **changes: Any) -> Plan:
        real = {"source": "folder", "path": "photographs", "columns": {"group": "patient"}, "splits": {"train": 1}}
        real |= {"exclude": exclude} if exclude else {}
        path = write_manifest(**{"generate": ENTRIES, "real": real} | changes)
        return load_plan.read(path, EXTENSIONS, tmp_path / root if root else None)

    return plan


def make(plan: Plan, root: Path, *, accept: bool = False) -> int:
    """Make what a run lacks of a plan; returns how many images that were."""
    receipts = generate.generate(generate.prepare(plan, root, extensions=EXTENSIONS, accept_changes=accept))
    return sum(receipt.count for receipt in receipts)


def images(root: Path) -> dict[str, str]:
    """The sha256 of each image of a run that counts, by key."""
    return {one.key: one.image_sha256 for one in Run(root, EXTENSIONS).records()}


EXCLUDED: dict[str, tuple[dict[str, Any], set[str], str]] = {
    "id": ({"ids": ["IMG_1"]}, {"img-1"}, "ids IMG_1"),
    "file name": ({"ids": ["IMG_1.png"]}, {"img-1"}, "ids IMG_1.png"),
    "group": ({"groups": ["P1"]}, {"img-2", "img-3"}, "groups P1"),
    "rule": ({"where": {"consent": [False]}}, {"img-4"}, "where consent: no"),
    "file": ({"file": "withdrawn.txt"}, {"img-0", "img-1", "img-5"}, "file "),
    "all of them": ({"ids": ["IMG_1"], "groups": ["P1"]}, {"img-1", "img-2", "img-3"}, ""),
}


@pytest.mark.parametrize("what", EXCLUDED)
def test_an_excluded_image_takes_all_that_was_made_from_it_along(
    what: str, plan_of: Callable[..., Plan], table: WritePhotographs, tmp_path: Path
) -> None:
    """What was painted from it is set aside, of the rest nothing is made again; so is a run that never had it."""
    exclude, gone, reason = EXCLUDED[what]
    root = tmp_path / "run"
    make(plan_of(), root)
    before = images(root)
    table({"IMG_4.png": "no"})
    (tmp_path / "withdrawn.txt").write_text("# since May\nP0\n\n  IMG_5\n", encoding="utf-8")
    with pytest.raises(PlanMismatchError, match=r"entry `over`.*real\.exclude.*--accept-changes"):
        make(plan_of(exclude=exclude), root)
    assert make(plan_of(exclude=exclude), root, accept=True) == 0
    assert images(root) == {key: one for key, one in before.items() if not any(image in key for image in gone)}
    rows = set_aside.read(root)
    assert {row.key for row in rows} == before.keys() - images(root).keys()
    assert all(row.reason.startswith(f"real.exclude: {reason}") for row in rows)
    make(plan_of("once", exclude), tmp_path / "once")
    assert images(tmp_path / "once") == images(root)
    assert make(plan_of(), root) == 0
    assert images(root) == before


def test_a_dataset_packed_afterwards_knows_nothing_of_who_was_excluded(
    plan_of: Callable[..., Plan], tmp_path: Path
) -> None:
    """No image, no record, no row of sources and no line of the manifest, whichever names it has."""
    root, exclude = tmp_path / "run", {"groups": ["P1"], "ids": ["IMG_0"]}
    make(plan_of(), root)
    make(plan_of(exclude=exclude), root, accept=True)
    for identifiers in ("pseudonym", "original"):
        make(plan_of(exclude=exclude, pack={"identifiers": identifiers}), root)
        out = tmp_path / identifiers
        list(pack(Run(root, EXTENSIONS), out))
        assert len(dataset_folder.read_metadata(out, ["key"])) == 2 * 3 + 6
        assert len(dataset_folder.read_index(out).sources) == 3
        written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
        assert not any(name in written for name in (b"exclude:", b"IMG_0", b"img-0", b"img-2", b"img-3"))
        assert dataset_folder.read_plan(out, EXTENSIONS).samples == 12


def test_who_withdraws_later_is_out_of_the_next_command(
    plan_of: Callable[..., Plan], table: WritePhotographs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A rule is asked of the metadata as they are; where these are out of reach, it is who was out before."""
    root, exclude = tmp_path / "run", {"where": {"consent": ["no"]}}
    make(plan_of(exclude=exclude), root)
    table({"IMG_2.png": "no"})
    with pytest.raises(PlanMismatchError, match=r"real\.exclude: takes out 1 real images, 0 before"):
        make(plan_of(exclude=exclude), root)
    make(plan_of(exclude=exclude), root, accept=True)
    (tmp_path / "photographs").rename(tmp_path / "elsewhere")
    assert make(plan_of(exclude=exclude), root) == 0
    assert not any("img-2" in key for key in images(root))
    assert "those stay out that were before" in caplog.text


@pytest.mark.parametrize(
    ("exclude", "said"),
    [
        ({"where": {"konsent": ["no"]}}, r"real\.exclude\.where\.konsent: no column .*consent"),
        ({"file": "nowhere.txt"}, r"real\.exclude\.file: .*nowhere\.txt: can't be read: No such file"),
    ],
    ids=["column", "file"],
)
def test_a_rule_that_cannot_be_followed_is_refused(
    exclude: dict[str, Any], said: str, plan_of: Callable[..., Plan]
) -> None:
    """Nobody stays in since a column or a file is misspelt."""
    with pytest.raises(InputError, match=said):
        plan_of("run", exclude)
    with pytest.raises(InputError, match=said):
        plan_of(None, exclude)


def test_an_exclusion_that_names_nothing_is_refused(plan_of: Callable[..., Plan]) -> None:
    """An empty block is a mistake."""
    with pytest.raises(ManifestError, match="names nothing"):
        plan_of(None, {"ids": []})


def test_a_name_alone_is_no_block(plan_of: Callable[..., Plan]) -> None:
    """Whose name it is has to be said, and the line shows how."""
    for written in ("P003", ["P003"]):
        with pytest.raises(ManifestError, match=r"real\.exclude: .*`{ids: \[P003\]}`.*`{groups: \[P003\]}`"):
            plan_of(None, written)  # type: ignore[arg-type]


@pytest.mark.parametrize("root", ["run", None], ids=["run", "dry run"])
@pytest.mark.parametrize(
    ("exclude", "faults"),
    [
        ({"ids": ["IMG_1", "IMG_77"]}, [r"real\.exclude\.ids\[1\]: no image .* `IMG_77`; did you mean `IMG_"]),
        ({"groups": ["p1"]}, [r"real\.exclude\.groups\[0\]: no group .* `p1`; did you mean `P1`\?"]),
        ({"ids": ["img_1.PNG"]}, [r"ids\[0\]: no image .* `img_1\.PNG`; did you mean `IMG_1\.png`\?"]),
        ({"ids": ["zzz"], "groups": ["P0", 9]}, [r"ids\[0\]: .*there are `", r"groups\[1\]: no group .* `9`"]),
        ({"file": "out.txt"}, [r"real\.exclude\.file: no image and no group .* `p2`; did you mean `P2`\?"]),
    ],
    ids=str,
)
def test_a_name_that_nobody_has_is_refused(
    exclude: dict[str, Any], faults: list[str], root: str | None, plan_of: Callable[..., Plan], tmp_path: Path
) -> None:
    """Whoever was meant would stay in; every such name has its line, with the one that may be meant."""
    (tmp_path / "out.txt").write_text("P0\np2\nP9, of another study\n", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        plan_of(root, exclude)
    assert len(refused.value.faults) == len(faults)
    assert all(re.search(said, one) for said, one in zip(faults, refused.value.faults, strict=True))


def test_a_file_may_list_whoever_is_in_none_of_the_data(
    plan_of: Callable[..., Plan], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A clinic keeps one list for all its studies; how many of it are not here is said."""
    (tmp_path / "out.txt").write_text("P0\nQ7\nQ8\n", encoding="utf-8")
    planned = plan_of("run", {"file": "out.txt"})
    assert planned.index is not None
    assert set(planned.index.excluded) == {"img-0", "img-1"}
    assert "real.exclude.file: 2 of its names are of no real image here: `Q7`, `Q8`" in caplog.text


@pytest.mark.parametrize(
    "name",
    ["IMG_1", "img-1", "IMG_1.png", "./IMG_1.png", "photographs/IMG_1.png", "photographs\\IMG_1.png", "{}/IMG_1.png"],
)
def test_a_file_is_found_however_its_path_is_written(name: str, plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    """By its id, its name, or any path that leads to it."""
    planned = plan_of(None, {"ids": [name.format(tmp_path / "photographs")]})
    assert planned.index is not None
    assert set(planned.index.excluded) == {"img-1"}


def test_a_name_is_no_mistake_that_a_row_has_which_starts_nothing(
    plan_of: Callable[..., Plan], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A patient whose photographs are left out for their label stays excluded when that is asked for again."""
    table = tmp_path / "photographs/metadata.csv"
    table.write_text(table.read_text() + "IMG_6.png,nevus,3,P6,yes\n")
    assert plan_of(None, {"groups": ["P6"]}).index is not None
    assert not caplog.text


def test_a_name_is_no_mistake_that_took_somebody_out_before(plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    """Once their rows and files are gone too, and the images are indexed anew, the list may stay as it is."""
    make(plan_of(exclude={"groups": ["P2"]}), tmp_path / "run")
    table = tmp_path / "photographs/metadata.csv"
    table.write_text("".join(line for line in table.read_text().splitlines(keepends=True) if ",P2," not in line))
    real = {"source": "folder", "path": "photographs", "columns": {"group": "patient"}, "splits": {"train": 1}}
    for name in ("CC0-1.0", "CC-BY-4.0"):
        planned = plan_of(real=real | {"license": name, "exclude": {"groups": ["P2"]}})
        assert planned.index is not None
        make(planned, tmp_path / "run", accept=True)
        assert len(planned.index.sources) == 4


def test_the_index_stays_the_one_that_was_frozen(plan_of: Callable[..., Plan], tmp_path: Path) -> None:
    """Excluding is no other index: the file keeps its bytes, and the plan counts who is out as a reason."""
    make(plan_of(), tmp_path / "run")
    before = (tmp_path / "run" / "sources.parquet").read_bytes()
    planned = plan_of(exclude={"groups": ["P0"]})
    make(planned, tmp_path / "run", accept=True)
    assert (tmp_path / "run" / "sources.parquet").read_bytes() == before
    assert planned.index is not None
    assert planned.index.account()["faults"] == {"excluded": 2}
    assert run_file.read(tmp_path / "run")["excluded"] == {"img-0": "groups P0", "img-1": "groups P0"}


TUNED: dict[str, Any] = {
    "finetune": [{"name": "lora", "method": "lora", "settings": {"max_train_steps": 1}}],
    "generate": [{"name": "tuned", "strategy": "text2img", "per_cell": 1, "adapter": "lora"}],
    "labels": {"psoriasis": "psoriasis"},
    "skin_tones": {"scale": "fitzpatrick", "values": [3]},
}


def trained(plan: Plan, root: Path) -> str:
    """Put an adapter into a run as if it had been trained, by its facts alone; returns its digest."""
    [one] = plan.adapter_plans.values()
    folder = root / adapter_folder.FOLDER / "lora"
    folder.mkdir(parents=True)
    (folder / adapter_folder.LORA).write_bytes(b"weights")
    pool = {"ids": [source.id for source in one.pool]}
    facts = {"name": "lora", "digest": one.adapter.digest, "pool": pool, "words": {}}
    adapter_folder.write(folder, facts)
    return one.adapter.digest


def test_an_adapter_that_saw_an_excluded_image_is_to_be_trained_again(
    plan_of: Callable[..., Plan], tmp_path: Path
) -> None:
    """It is named with the entries that wait for it; `finetune` sets it aside, and going back brings it back."""
    root = tmp_path / "run"
    held = plan_of(**TUNED)
    run_folder.reserve(root, held)
    digest = trained(held, root)
    less = plan_of(exclude={"groups": ["P1"]}, **TUNED)
    said = r"adapter `lora` has seen 2 of its 6 real images that are planned no more.*trained again for `tuned`"
    with pytest.raises(IncompleteError, match=said):
        generate.prepare(less, root, extensions=EXTENSIONS, accept_changes=True)
    with pytest.raises(PlanMismatchError, match=said):
        finetune.prepare(less, root, EXTENSIONS)
    assert [one.adapter.name for one in finetune.prepare(less, root, EXTENSIONS, accept_changes=True).todo] == ["lora"]
    assert not (root / adapter_folder.FOLDER / "lora").exists()
    back = finetune.prepare(plan_of(**TUNED), root, EXTENSIONS)
    assert (back.todo, back.finished) == ((), ("lora",))
    assert adapter_folder.read(root / adapter_folder.FOLDER / "lora")["digest"] == digest


def test_an_adapter_from_elsewhere_that_saw_an_excluded_image_is_refused(
    plan_of: Callable[..., Plan], tmp_path: Path
) -> None:
    """Nothing here can take the image out of it, so its images can't stay."""
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / adapter_folder.LORA).write_bytes(b"weights")
    facts: dict[str, Any] = {"name": "theirs", "digest": "0", "pool": {"ids": ["img-2"]}, "words": {}}
    adapter_folder.write(folder, facts | {"method": "lora"})
    entry = TUNED["generate"][0] | {"adapter": str(folder)}
    changes = TUNED | {"finetune": [], "generate": [entry, ENTRIES[0]]}
    plan_of(None, {"groups": ["P0"]}, **changes)
    with pytest.raises(InputError, match=r"entry `tuned`: adapter .* has seen 1 real images .*`img-2`"):
        plan_of(None, {"groups": ["P1"]}, **changes)


def test_a_patient_is_found_under_the_name_that_metadata_have(
    plan_of: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where look-alikes of two patients are one group in the index, either's name takes its photographs out."""

    def one_group(images: Sequence[Source], *_: Any) -> list[Source]:
        return [replace(image, group="P0") if image.group == "P1" else image for image in images]

    monkeypatch.setattr("synthgen.real.indexing.look_alikes.grouped", one_group)
    real = {"source": "folder", "path": "photographs", "columns": {"group": "patient"}, "splits": {"train": 1}}
    planned = plan_of("run", real=real | {"near_duplicates": "group", "exclude": {"groups": ["P1"]}})
    assert planned.index is not None
    assert {one.group for one in planned.index.sources} == {"P0", "P2"}
    assert planned.index.excluded == {"img-2": "groups P1", "img-3": "groups P1"}
