"""What is packed of patients' photographs names no patient, and leads back to them in the run alone."""

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from synthgen import generate, study
from synthgen.core import adapter_folder
from synthgen.errors import DamagedError, InputError, PlanMismatchError
from synthgen.evaluate.images import synthetic
from synthgen.generate.reproduce import reproduce
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.real_index import Index, Source
from synthgen.plan.source_names import is_pseudonym
from synthgen.publish import persons, source_rows
from synthgen.runs import dataset_folder, load_plan, pseudonyms, tar_samples
from synthgen.runs.folders import Dataset, Run, open_folder
from synthgen.runs.stored_images import ImageReader
from synthgen.runs.verify import verify

LAYOUTS = ["webdataset", "parquet", "imagefolder"]
SIZE = {"settings": {"height": 16, "width": 16}}
ENTRIES = [
    {"name": "first", "strategy": "fake", "per_source": 2, **SIZE},
    {"name": "second", "strategy": "fake", "from": "first", **SIZE},
    {"name": "tuned", "strategy": "fake", "per_cell": 1, "adapter": "tuned", **SIZE},
]
# Parts of names, patients' numbers and paths that are in the data, in the manifest and in its comments.
PERSONAL = [b"smith", b"19610304", b"MRN1001", b"mrn1001", b"wards", b"Dr. Brown", b"/home/", b"left-arm"]


@pytest.fixture(scope="module")
def clinic(make_plan: Any, extensions: Extensions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's folder: a run from photographs of three patients, with an adapter of theirs; nobody changes it."""
    root = tmp_path_factory.mktemp("clinic")
    photographs, rows = root / "wards/home/brown/photos", ["file_name,label,fitzpatrick,mrn,split"]
    photographs.mkdir(parents=True)
    for number in range(6):
        name = f"smith-{number}-19610304.png"
        grain = np.random.default_rng(number).integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(grain).save(photographs / name)
        label = ("psoriasis", "healthy")[number % 2]
        rows.append(f"{name},{label},{(1, 3, 6)[number % 3]},MRN1001{number // 2},train")
    (photographs / "metadata.csv").write_text("\n".join(rows))
    adapter(root / "tuned", ["smith-0-19610304", "left-arm"])
    text = yaml.safe_load(make_plan().manifest.text)
    patients = [f"MRN1001{number}" for number in range(3)]
    real = {"source": "folder", "path": str(photographs), "dataset": "clinic", "license": "CC0-1.0"}
    columns = {"columns": {"group": "mrn", "skin_tone": "fitzpatrick", "split": "split"}, "where": {"mrn": patients}}
    text |= {"generate": ENTRIES, "real": real | columns, "pack": {"images_per_shard": 9}}
    path = root / "manifest.yaml"
    path.write_text(f"# without MRN10019, says Dr. Brown\n{yaml.safe_dump(text, sort_keys=False)}")
    plan = load_plan.read(path, extensions, root / "work")
    list(generate.generate(generate.prepare(plan, root / "work", generate.Selection()), None))
    return root


@pytest.fixture(scope="module")
def packed(clinic: Path) -> dict[str, Path]:
    """Its dataset in every layout, beside the run; nobody changes them."""
    for layout in LAYOUTS:
        list(study.pack(clinic / "work", clinic / layout, format=layout))
    return {layout: clinic / layout for layout in LAYOUTS}


@pytest.fixture
def copied(clinic: Path, packed: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the study's folder, with a dataset of tars."""
    shutil.copytree(clinic / "work", tmp_path / "work")
    shutil.copytree(packed["webdataset"], tmp_path / "dataset")
    return tmp_path


def adapter(folder: Path, pool: list[str]) -> None:
    """An adapter that was shown some real images."""
    from safetensors.numpy import save_file

    folder.mkdir()
    save_file({"weight": np.zeros(1, np.float32)}, folder / adapter_folder.LORA)
    adapter_folder.write(folder, {"name": "tuned", "digest": "0" * 64, "words": {}, "pool": {"ids": pool}})


def contents(root: Path) -> Iterator[bytes]:
    """All that a dataset tells: names of its files, their bytes, and every value of its tables, uncompressed."""
    import pyarrow.parquet as pq

    for path in root.rglob("*"):
        yield path.relative_to(root).as_posix().encode()
        if path.is_file():
            yield path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            yield repr([table.schema.metadata, table.to_pylist()]).encode()
        if path.suffix == ".tar":
            with tarfile.open(path) as tar:
                yield repr([one.get_info() for one in tar]).encode()


def records(root: Path) -> list[dict[str, Any]]:
    """The rows of a dataset's metadata, by key."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(root / "metadata.parquet").to_pylist()
    return sorted(rows, key=lambda row: str(row["key"]))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_croissant_says_that_names_are_pseudonyms(layout: str, packed: dict[str, Path]) -> None:
    """How real images are named, and how many an adapter was tuned on, is said; whose they are is not."""
    document = json.loads((packed[layout] / "croissant.json").read_bytes())
    assert "named by salted pseudonyms" in " ".join(document["rai:personalSensitiveInformation"])
    labels = [one["prov:label"] for one in document["prov:wasDerivedFrom"]]
    assert [label for label in labels if label.endswith("tuned on 2 real images")]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_in_a_dataset_names_a_patient(clinic: Path, packed: dict[str, Path], layout: str) -> None:
    """Neither numbers nor names, of files or images, nor where they lie, nor the salt; `publish` finds nobody."""
    salt = (clinic / "work/.pseudonyms").read_bytes().strip()
    told = list(contents(packed[layout]))
    assert [name for name in [*PERSONAL, salt] if any(name in one for one in told)] == []
    assert persons.find(packed[layout]) == []
    assert all(finding.state == "whole" for finding in verify(packed[layout], study.verbs.EXTENSIONS))


def test_names_are_found_by_the_same_search_where_originals_are_asked_for(
    clinic: Path, copied: Path, tmp_path: Path
) -> None:
    """`identifiers: original` packs the names as they are, and makes no salt; the paths and comments stay too."""
    manifest = yaml.safe_load((clinic / "manifest.yaml").read_text())
    manifest["pack"]["identifiers"] = "original"
    (copied / "work/.pseudonyms").unlink()
    list(study.pack(copied / "work", tmp_path / "named", manifest=manifest, base=clinic))
    told = list(contents(tmp_path / "named"))
    assert [name for name in PERSONAL[:5] if not any(name in one for one in told)] == [b"mrn1001"]
    assert {row["source_group"] for row in records(tmp_path / "named")} == {"", "MRN10010", "MRN10011", "MRN10012"}
    assert dataset_folder.read_provenance(tmp_path / "named")["identifiers"] == "original"
    assert not (copied / "work/.pseudonyms").exists()
    assert {one.column for one in persons.find(tmp_path / "named")} >= {"source_id", "source_group", "adapters"}


def test_what_is_seen_of_real_images_is_said(packed: dict[str, Path], tmp_path: Path) -> None:
    """Columns with something in them, which of them are pseudonyms, and those that are empty; nothing without any."""
    said = source_rows.seen(packed["parquet"])
    first = Index.read(packed["parquet"] / "sources.parquet").sources[0]
    assert said.startswith(f"seen of 6 real images: id (pseudonyms, `{first.id}`), label, tone, group (pseudonyms, `")
    assert said.endswith("; not seen: location, mask, sha256, fault, mask_sha256")
    assert source_rows.seen(tmp_path) == ""


def test_every_layout_has_the_same_pseudonyms_for_the_same_images(clinic: Path, packed: dict[str, Path]) -> None:
    """A name has one in all that is packed of a run: in keys, sources, parents, pools and the table of sources."""
    rows = records(packed["webdataset"])
    for layout in LAYOUTS[1:]:
        assert [row | {"shard": "", "offset": 0} for row in records(packed[layout])] == [
            row | {"shard": "", "offset": 0} for row in rows
        ]
    made = [row for row in rows if row["source_id"]]
    assert len({row["source_id"] for row in made}) == 6
    assert len({row["source_group"] for row in made}) == 3
    assert all(is_pseudonym(row["source_id"]) and row["source_id"] in row["key"] for row in made)
    assert all(row["seed"] == 0 for row in made)
    keys = {row["key"] for row in rows}
    assert {json.loads(row["attributes"])["from"] for row in made if row["entry"] == "second"} <= keys
    index = Index.read(packed["parquet"] / "sources.parquet")
    assert {one.id for one in index.sources} == {row["source_id"] for row in made}
    assert {(one.location, one.mask, one.sha256, index.recipe) for one in index.sources} == {("", "", "", "")}
    assert [one.id for one in index.sources] == sorted(one.id for one in index.sources)
    [facts] = dataset_folder.read_provenance(packed["parquet"])["adapters"].values()
    assert len(facts["pool"]) == 2
    assert set(facts["pool"]) & {one.id for one in index.sources}


def test_images_are_those_of_the_run(clinic: Path, packed: dict[str, Path], extensions: Extensions) -> None:
    """Bytes, labels, tones and prompts are as they were made, under whatever names; a limit of bytes is kept to."""
    made = [record for record, _ in Run(clinic / "work", extensions).located()]
    held = [record for record, _ in Dataset(packed["parquet"], extensions).located()]
    facts = ("image_sha256", "label", "skin_tone", "prompt", "entry", "attempt", "source_split", "source_license")
    assert sorted([getattr(one, name) for name in facts] for one in held) == sorted(
        [getattr(one, name) for name in facts] for one in made
    )


def test_packing_again_gives_the_same_bytes(clinic: Path, packed: dict[str, Path], tmp_path: Path, tree: Any) -> None:
    """The salt is made once, for its owner to read; the order of samples and sources follows from pseudonyms alone."""
    list(study.pack(clinic / "work", tmp_path / "again"))
    assert tree(tmp_path / "again") == tree(packed["webdataset"])
    assert (clinic / "work/.pseudonyms").stat().st_mode & 0o077 == 0


def test_a_limit_of_bytes_counts_the_new_names(clinic: Path, tmp_path: Path) -> None:
    """No tar is larger than it may be, and what a sample takes up is what was counted."""
    manifest = yaml.safe_load((clinic / "manifest.yaml").read_text())
    shutil.copytree(clinic / "work", tmp_path / "work")
    manifest["pack"] = {"max_shard_bytes": 40_000}
    list(study.pack(tmp_path / "work", tmp_path / "dataset", manifest=manifest, base=clinic))
    assert max(path.stat().st_size for path in (tmp_path / "dataset/data").iterdir()) <= 40_000


@pytest.mark.parametrize("before", [5, 60])
@pytest.mark.parametrize("after", [5, 23, 120])
def test_the_size_of_a_sample_is_foretold(before: int, after: int, tmp_path: Path) -> None:
    """Whatever the length of its names, whose headers may take more than a block."""
    files = {"json": b"{" + b"x" * 500, "cls": b"0", "webp": bytes(700), "mask.png": bytes(90)}
    with (tmp_path / "shard.tar").open("wb") as file:
        list(tar_samples.write(file, [("k" * before * 2, files)]))
    [sample] = tar_samples.read(tmp_path / "shard.tar", only={"json"})
    new = tar_samples.pack("n" * after, files | {"json": bytes(1600)})
    assert tar_samples.packed_size(sample, ["webp", "mask.png"], "n" * after, bytes(1600)) == len(new)
    assert tar_samples.unpack(new) == files | {"json": bytes(1600)}


@pytest.mark.parametrize(
    ("entry", "layout"), [("first", "webdataset"), ("second", "imagefolder"), ("tuned", "parquet")]
)
def test_an_image_is_made_again_with_its_run(
    clinic: Path, packed: dict[str, Path], extensions: Extensions, tmp_path: Path, *, entry: str, layout: str
) -> None:
    """Found beside the dataset or named; nowhere else are the names behind its pseudonyms, and that is one line."""
    key = next(row["key"] for row in records(packed[layout]) if row["entry"] == entry)
    assert reproduce(packed[layout], key, extensions).identical
    moved = shutil.copytree(packed[layout], tmp_path / "moved")
    assert reproduce(moved, key, extensions, clinic / "work").identical
    with pytest.raises(InputError, match=r"--work RUN$") as refused:
        reproduce(moved, key, extensions)
    assert len(refused.value.faults) == 1


@pytest.fixture
def elsewhere(clinic: Path, tmp_path: Path) -> Path:
    """A folder with the clinic's photographs under other names, half of them in a tar."""
    folder = tmp_path / "elsewhere"
    (folder / "deeper").mkdir(parents=True)
    with tarfile.open(folder / "more.tar", "w") as tar:
        for number, path in enumerate(sorted((clinic / "wards").rglob("*.png"))):
            if number % 2:
                tar.add(path, f"{number}.png")
            else:
                shutil.copy(path, folder / "deeper" / f"{number}.bin")
    return folder


@pytest.mark.parametrize("what", ["run", "pseudonyms", "originals"])
def test_an_image_is_made_again_from_photographs_that_lie_elsewhere(
    clinic: Path, copied: Path, elsewhere: Path, extensions: Extensions, tmp_path: Path, *, what: str
) -> None:
    """Each is found by its bytes, whatever it is called there; a folder without it is named with what is missing."""
    manifest = yaml.safe_load((clinic / "manifest.yaml").read_text()) | {"pack": {"identifiers": "original"}}
    manifest["generate"][2]["adapter"] = str(clinic / "tuned")  # where a dataset finds it too
    folder = {"run": copied / "work", "pseudonyms": copied / "dataset"}.get(what, tmp_path / "named")
    if what == "originals":
        list(study.pack(copied / "work", folder, manifest=manifest, base=clinic))
        text = (folder / "manifest.yaml").read_text()
        (folder / "manifest.yaml").write_text(text.replace(str(clinic / "wards"), "/gone"))
    keys = [record.key for record in open_folder(folder, extensions).records() if record.entry == "first"]
    assert all(reproduce(folder, key, extensions, real=elsewhere).identical for key in keys)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"^--real .*none: .*has the bytes of real image smith.*sha256") as refused:
        reproduce(folder, keys[0], extensions, real=tmp_path / "none")
    assert len(refused.value.faults) == 1
    if what == "originals":
        with pytest.raises(InputError, match=r"no folder `/gone.*--real FOLDER finds it"):
            reproduce(folder, keys[0], extensions)


def test_the_card_says_what_it_takes_to_make_images_again(
    clinic: Path, packed: dict[str, Path], copied: Path, tmp_path: Path
) -> None:
    """Of photographs under pseudonyms that takes the run; of those under their own names, the photographs alone."""

    def said(dataset: Path) -> str:
        return " ".join(
            (dataset / "README.md").read_text().partition("## Make it again")[2].partition("## ")[0].split()
        )

    private = said(packed["webdataset"])
    assert "function of" not in private  # each entry starts from photographs, or has an adapter
    assert "--work RUN" in private
    assert "Who has not the run can't" in private
    assert "`manifest.yaml` says `withheld`" in private
    manifest = yaml.safe_load((clinic / "manifest.yaml").read_text()) | {"pack": {"identifiers": "original"}}
    list(study.pack(copied / "work", tmp_path / "named", manifest=manifest, base=clinic))
    open_ = said(tmp_path / "named")
    assert "whose sha256 `sources.parquet` has: `synthgen reproduce . KEY --real FOLDER" in open_
    assert "withheld" not in open_


def test_a_gallery_shows_originals_with_the_run_alone(
    clinic: Path, packed: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without it the page says in a line what it lacks; with it each picture stands beside its own photograph."""
    moved = shutil.copytree(packed["parquet"], tmp_path / "moved")
    study.preview(moved, tmp_path / "without.html")
    assert [line.endswith("--work RUN") for line in caplog.messages] == [True]
    study.preview(moved, tmp_path / "with.html", work=clinic / "work")
    study.preview(packed["parquet"], tmp_path / "beside.html")
    pages = [(tmp_path / name).read_text("utf-8") for name in ("without.html", "with.html", "beside.html")]
    assert ['"originals":[]' in page for page in pages] == [True, False, False]
    assert not any(name.decode() in page for name in PERSONAL[:4] for page in pages)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_study_of_a_dataset_is_the_study_of_its_run(
    clinic: Path, packed: dict[str, Path], extensions: Extensions, layout: str
) -> None:
    """Sources, pools and keys are the run's, so leaks are found and images chosen alike; pixels are read."""
    index = Index.read(clinic / "work/sources.parquet")

    def listed(root: Path) -> synthetic.SyntheticListing:
        names = synthetic.names_behind(root, extensions, "small", index)
        pools, asked = adapter_folder.pools(root), {"scale": "fitzpatrick", "strategy_of": {}}
        return synthetic.list_synthetic(root, extensions, pools=pools, names=names, **asked)

    run, dataset = listed(clinic / "work"), listed(packed[layout])
    assert sorted(run.images, key=lambda one: one.key) == sorted(dataset.images, key=lambda one: one.key)
    assert {one.pool for one in dataset.images} == {frozenset(), frozenset({"smith-0-19610304", "left-arm"})}
    read, again = (ImageReader(lambda _: b"", one.places) for one in (run, dataset))
    assert all((read.synthetic(one.key) == again.synthetic(one.key)).all() for one in run.images)


def test_a_study_needs_the_names_of_its_own_images(copied: Path, extensions: Extensions) -> None:
    """Without the run it is refused; a dataset of somebody else's images needs no names."""
    index, dataset = Index.read(copied / "work/sources.parquet"), copied / "dataset"
    shutil.move(copied / "work", copied / "away/work")
    for name, of in (("small", Index(())), ("other", index)):
        with pytest.raises(InputError, match="--synthetic RUN"):
            synthetic.names_behind(dataset, extensions, name, of)
    theirs = Index(tuple(Source("a", "psoriasis", 1, "a", "test", "", "elsewhere", "") for _ in range(1)))
    assert synthetic.names_behind(dataset, extensions, "other", theirs) is None


@pytest.mark.parametrize(
    ("salt", "fault"),
    [(None, "has lost .pseudonyms"), ("ab" * 32, "another salt"), ("cut", "not the salt"), ("é", "can't be read")],
)
def test_a_salt_that_is_gone_or_another_is_said(
    copied: Path, extensions: Extensions, salt: str | None, fault: str
) -> None:
    """By whatever needs the names, in one line that names the file."""
    path, key = copied / "work/.pseudonyms", records(copied / "dataset")[0]["key"]
    path.unlink()
    if salt is not None:
        path.write_text(salt)
    with pytest.raises((InputError, DamagedError), match=fault) as refused:
        reproduce(copied / "dataset", key, extensions, copied / "work")
    assert str(path) in refused.value.faults[0]


def test_another_salt_is_another_dataset(copied: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What has other pseudonyms is refused with that reason, and makes no salt; where it is replaced, that is said."""
    from synthgen import pack

    salt = copied / "work/.pseudonyms"
    salt.write_text("ab" * 32)
    with pytest.raises(PlanMismatchError, match="pseudonyms of another salt"):
        list(study.pack(copied / "work", copied / "dataset"))
    salt.unlink()
    with pytest.raises(PlanMismatchError, match=r"is gone; put the file back"):
        list(study.pack(copied / "work", copied / "dataset"))
    assert not salt.exists()
    list(pack.pack(study.open_run(copied / "work"), copied / "dataset", replace=True))
    assert "get other pseudonyms" in caplog.text


def test_what_an_earlier_version_packed_still_opens(
    clinic: Path, copied: Path, extensions: Extensions, tmp_path: Path
) -> None:
    """Under its own names; the same command now says that it has those, and packs nothing over it."""
    manifest = yaml.safe_load((clinic / "manifest.yaml").read_text())
    manifest["generate"][2]["adapter"] = str(clinic / "tuned")  # where a dataset finds it too
    original = manifest | {"pack": manifest["pack"] | {"identifiers": "original"}}
    old, path = tmp_path / "old", tmp_path / "old/provenance.json"
    list(study.pack(copied / "work", old, manifest=original, base=clinic))
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "identifiers"}))
    key = next(row["key"] for row in records(old) if row["entry"] == "first")
    assert reproduce(old, key, extensions).identical
    assert synthetic.names_behind(old, extensions, "small", Index(())) is None
    with pytest.raises(PlanMismatchError, match="own names of real images"):
        list(study.pack(copied / "work", old, manifest=manifest, base=clinic))


def test_an_image_that_the_run_has_no_more_is_damage(copied: Path, extensions: Extensions) -> None:
    """A dataset whose pseudonym is of no image of the run's index is told of, never taken for one of nobody."""
    index = Index.read(copied / "work/sources.parquet")
    found = pseudonyms.originals(open_folder(copied / "dataset", extensions))
    assert found is not None
    assert {found.image(found._pseudonyms.image(one.id)) for one in index.sources} == {one.id for one in index.sources}
    with pytest.raises(DamagedError, match="source-0000000000000000"):
        found.image("source-0000000000000000")
