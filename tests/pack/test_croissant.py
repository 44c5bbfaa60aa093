"""`croissant.json` is read by Croissant's own library, says what venues ask for, and names nobody."""

import datetime
import io
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from synthgen.extensions import EXTENSIONS
from synthgen.pack.card.facts import CardFacts, Size, Summary
from synthgen.pack.card.values import values
from synthgen.pack.croissant import provenance
from synthgen.plan import Plan
from synthgen.plan.manifest.schema import Publish
from synthgen.runs import croissant as standard
from synthgen.runs import dataset_folder, load_plan, tar_samples
from synthgen.runs.verify import check

LAYOUTS = ["webdataset", "parquet", "imagefolder"]
PATIENT = {"source_id": "anna-1", "source_group": "MRN100164", "source_dataset": "clinic", "source_license": "CC0-1.0"}


@pytest.fixture
def mlc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Croissant's own library, with a cache of its own, since it takes tars of one name for one tar."""
    found = pytest.importorskip("mlcroissant")
    monkeypatch.setattr("mlcroissant._src.operation_graph.operations.extract.EXTRACT_PATH", _path(tmp_path / "tars"))
    return found


def _path(path: Path) -> Any:
    from etils import epath

    return epath.Path(path)


def read(dataset: Path) -> dict[str, Any]:
    """The file as plain values."""
    found: dict[str, Any] = json.loads((dataset / "croissant.json").read_bytes())
    return found


def keep_bytes(record: dict[str, Any]) -> dict[str, Any]:
    """A record of mlcroissant with text as text, by plain names."""
    plain = {name.removeprefix("images/"): value for name, value in record.items()}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in plain.items()}


def pixels(image: Any) -> bytes:
    """What an image shows."""
    found: bytes = image.convert("RGB").tobytes()
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_its_own_library_reads_every_record(layout: str, two_splits: Path, pack: Any, mlc: Any) -> None:
    """No error in the schema, and each record has its image, class, split and the other fields of the metadata."""
    from PIL import Image

    dataset = pack(two_splits, format=layout)
    found = mlc.Dataset(str(dataset / "croissant.json"))
    assert not found.metadata.ctx.issues.errors
    assert found.metadata.ctx.conforms_to.value == standard.VERSION
    records = {record["key"]: record for record in map(keep_bytes, found.records("images"))}
    rows = dataset_folder.read_metadata(dataset, ["key", "label", "label_id", "split", "seed", "prompt"])
    label = "label_id" if layout == "parquet" else "label"
    said = {key: (one["label"], one["split"], one["seed"], one["prompt"]) for key, one in records.items()}
    assert said == {row["key"]: (row[label], row["split"], row["seed"], row["prompt"]) for row in rows}
    for name in dataset_folder.shards(dataset_folder.read_provenance(dataset)):
        for sample in dataset_folder.read_shard(dataset / name):
            (extension,) = sample.files.keys() - tar_samples.SIDECARS
            with Image.open(io.BytesIO(sample.files[extension])) as image:
                assert pixels(records[check(sample).key]["image"]) == pixels(image)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_label_maps_are_read_too(layout: str, run_of: Callable[..., Path], pack: Any, mlc: Any) -> None:
    """By the key of their image: in its record where they are in its row, in one of their own where they are files."""
    settings = {"height": 32, "width": 32, "mask": {"shape": "ellipse"}}
    entries = [{"strategy": "fake", "per_cell": 1, "settings": settings}]
    dataset = pack(run_of(generate=entries, output={"image_format": "png", "mask": True}), format=layout)
    found = mlc.Dataset(str(dataset / "croissant.json"))
    assert not found.metadata.ctx.issues.errors
    of = "images" if layout == "parquet" else "masks"
    records = [{name.removeprefix(f"{of}/"): value for name, value in row.items()} for row in found.records(of)]
    keys = {row["key"] for row in dataset_folder.read_metadata(dataset, ["key"])}
    assert {keep_bytes(row)["key"] for row in records} == keys
    assert all(sorted(row["mask_image"].convert("L").getcolors())[0][0] > 0 for row in records)
    assert {row["mask_image"].size for row in records} == {(32, 32)}
    assert {keep_bytes(row)["key"] for row in found.records("images")} == keys


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("layout", ["webdataset", "parquet"])
def test_with_a_repository_every_file_has_its_address(
    layout: str, run_of: Callable[..., Path], pack: Any, mlc: Any
) -> None:
    """What is on the Hub is read from there; the same file serves a copy here where it is told where that lies."""
    dataset = pack(run_of(publish={"repo": "org/skin", "license": "mit"}), format=layout)
    objects = [one for one in read(dataset)["distribution"] if one["@type"] == "cr:FileObject"]
    page = "https://huggingface.co/datasets/org/skin"
    files = {one["@id"]: one["contentUrl"] for one in objects if one["@id"] != "repo"}
    assert files == {name: f"{page}/resolve/main/{name}" for name in files}
    mapping = {name: str(dataset / name) for name in files} | {"repo": str(dataset)}
    held = {one["@id"] for one in objects}
    found = mlc.Dataset(
        str(dataset / "croissant.json"), mapping={name: mapping[name] for name in mapping if name in held}
    )
    assert len(list(found.records("images"))) == 24


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_that_venues_ask_for_is_there(layout: str, small: Path, pack: Any) -> None:
    """The eight fields are filled, and the numbers in them are those of the receipts."""
    document = read(pack(small, format=layout))
    assert [name for name in standard.RESPONSIBLE_AI if not document.get(name)] == []
    assert document["rai:hasSyntheticData"] is True
    assert "Of 24 planned images 24 are here and 0 could not be made." in document["rai:dataLimitations"]
    assert document["rai:dataBiases"][0].startswith("Images by skin tone (fitzpatrick): ")
    activities = {one["prov:label"]: one for one in document["prov:wasGeneratedBy"]}
    assert "24 planned, 24 made, 0 failed" in activities["generate: fake"]["description"]
    assert list(activities) == ["generate: fake", "pack"]


def test_each_file_is_listed_with_its_sha256(two_splits: Path, pack: Any) -> None:
    """Metadata and every shard, as they are on disk."""
    dataset = pack(two_splits)
    objects = {one["@id"]: one for one in read(dataset)["distribution"] if one["@type"] == "cr:FileObject"}
    assert set(objects) == {"metadata.parquet", *dataset_folder.shards(dataset_folder.read_provenance(dataset))}
    for name, one in objects.items():
        content = (dataset / name).read_bytes()
        assert (one["sha256"], one["contentSize"]) == (sha256(content).hexdigest(), f"{len(content)} B")


def test_the_same_dataset_has_the_same_file(small: Path, pack: Any) -> None:
    """Nothing of the time or of the folder is in it."""
    one, other = pack(small), pack(small, "other")
    assert (one / "croissant.json").read_bytes() == (other / "croissant.json").read_bytes()


def test_no_real_image_and_no_group_is_named(from_real: Callable[..., Path], pack: Any) -> None:
    """Datasets of real images stand in it with their licence; names of images do not, even where they are asked for."""
    text = (pack(from_real(lambda _: PATIENT, pack={"identifiers": "original"})) / "croissant.json").read_text()
    assert "MRN100164" not in text
    assert "anna-1" not in text
    document = json.loads(text)
    assert "real images: clinic, licence CC0-1.0" in [one["prov:label"] for one in document["prov:wasDerivedFrom"]]
    assert "Real images and their groups are named as in" in " ".join(document["rai:personalSensitiveInformation"])


def test_what_the_maker_knows_is_added(run_of: Callable[..., Path], pack: Any) -> None:
    """Names, date and own words stand beside what is counted."""
    own = {
        "license": "other",
        "license_link": "https://example.org/terms",
        "creators": ["Ann Example", "Example Lab"],
        "date_published": datetime.date(2026, 11, 27),
        "responsible_ai": {"limitations": ["One clinic."], "social_impact": ["Ask first."]},
    }
    document = read(pack(run_of(publish=own)))
    assert document["license"] == "https://example.org/terms"
    assert [one["name"] for one in document["creator"]] == ["Ann Example", "Example Lab"]
    assert document["datePublished"] == "2026-11-27"
    assert document["rai:dataLimitations"][-1] == "One clinic."
    assert len(document["rai:dataLimitations"]) > 1
    assert document["rai:dataSocialImpact"].endswith("Ask first.")


def test_keys_that_nobody_uses_change_no_digest() -> None:
    """What names a dataset says nothing of keys that earlier versions do not know, until they are used."""
    old = {"repo": None, "license": "mit", "pretty_name": None, "tags": [], "gated": None}
    assert Publish(license="mit").content() == old
    assert Publish(license="mit", creators=["Ann"]).content() == old | {"creators": ["Ann"]}


def test_text_ends_no_script(run_of: Callable[..., Path], pack: Any) -> None:
    """The file may stand in a web page as it is."""
    dataset = pack(run_of(publish={"pretty_name": "</script><b>"}))
    assert "<" not in (dataset / "croissant.json").read_text()
    assert read(dataset)["name"] == "</script><b>"


def facts_of(plan: Plan, **environments: dict[str, Any]) -> CardFacts:
    """What a card of a plan is filled from, by what each entry was made with."""
    entries = {name: Summary(environment=environment) for name, environment in environments.items()}
    return CardFacts(plan, entries, {}, {"train": Size(0, 1)}, "0" * 64)


def test_a_path_in_a_setting_is_withheld(write_manifest: Callable[..., Path]) -> None:
    """As in the manifest: a strategy of one's own may be given a file by a setting; the card says no more of it."""
    entry = {"strategy": "mine", "per_cell": 1, "settings": {"template": "/data/clinic/P017.png", "steps": 3}}
    path = write_manifest(plugins={"strategies": {"mine": "mine.py"}}, generate=[entry])
    path.with_name("mine.py").write_text(
        "from synthgen.plan.manifest.settings import StrategySettings\n"
        "class Settings(StrategySettings):\n    template: str\n    steps: int\n"
        "def environment(recipe, request, shard_samples): ...\ndef maker(recipe, environment, start_image): ...\n"
    )
    facts = facts_of(load_plan.read(path, EXTENSIONS))
    for found in (str(provenance.fields(facts)), str(values(facts))):
        assert "P017" not in found
        assert "template withheld, steps 3" in found


@pytest.mark.parametrize(
    ("revisions", "said"),
    [
        ({"a": "r1", "b": "r1"}, {"": "r1"}),
        ({"a": "r1", "b": ""}, {"": "r1"}),
        ({"a": "r1"}, {"": "r1"}),
        ({}, {"": None}),
        ({"a": "r1", "b": "r2"}, {":r1": "r1", ":r2": "r2"}),
    ],
)
def test_a_model_is_named_with_the_revisions_that_images_were_made_with(
    revisions: dict[str, str], said: dict[str, str | None], make_plan: Callable[..., Plan]
) -> None:
    """Whichever entry comes last: one of which nothing is made knows none, and a pattern is of no model."""
    names = {"a": "text2img", "b": "text2img", "drawn": "fake"}
    plan = make_plan(generate=[{"name": one, "strategy": names[one], "per_cell": 1} for one in names])
    made = {name: {"model_revision": one} for name, one in (revisions | {"drawn": "fake 0.1.0"}).items()}
    found = provenance.fields(facts_of(plan, **made))
    models = {one["@id"]: one.get("version") for one in found["prov:wasDerivedFrom"]}
    assert models == {f"urn:synthgen:model:phantom{end}": version for end, version in said.items()}
    for activity, name in zip(found["prov:wasGeneratedBy"], names, strict=False):
        used = [models[one["@id"]] for one in activity.get("prov:used", [])]
        assert used == ([] if name == "drawn" else [revisions.get(name) or said.get("")])
