"""What could name a person is said before a dataset is published, and keeps it from the public."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import REPO, last, reseal
from hub import Hub

from synthgen.errors import SynthgenError
from synthgen.publish import Compared, persons

HOSPITAL = {"source": "folder", "path": "photos", "dataset": "clinic", "columns": {"group": "mrn"}}


@pytest.fixture
def clinic(dataset: Path) -> Path:
    """A dataset that says that its images were made from two patients' photographs, of no licence."""
    table = pq.read_table(dataset / "metadata.parquet")
    for name, values in (("source_group", ("MRN100164", "MRN100165")), ("source_id", ("anna-m", "img-2"))):
        column = pa.array([values[row % 2] for row in range(len(table))])
        table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)
    pq.write_table(table, dataset / "metadata.parquet")
    path = dataset / "provenance.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"sources": [{"dataset": "clinic", "license": ""}]}))
    reseal(dataset, "metadata.parquet")
    return dataset


def compared(events: list[Any]) -> Compared:
    """What was said before anything was sent."""
    return next(one for one in events if isinstance(one, Compared))


def test_a_dataset_that_names_patients_is_not_made_public(clinic: Path, hub: Hub, publish: Callable[..., Any]) -> None:
    """A line for each column, with how many, the beginning of one, and the option that says otherwise."""
    with pytest.raises(SynthgenError) as refused:
        publish(clinic, public=True)
    lines = [fault for fault in refused.value.faults if "--allow" in fault]
    assert [line.split(": ")[1] for line in lines] == ["source_id", "source_group", "source_license"]
    assert "2 of them, such as `MRN100…`" in lines[1]
    assert lines[1].endswith("--allow source_group")
    assert "MRN100164" not in "".join(lines)
    assert hub.stored == []
    assert REPO not in hub.repositories


def test_each_column_can_be_allowed(clinic: Path, hub: Hub, publish: Callable[..., Any]) -> None:
    """With the user's word for every one of them it goes out; with all but one it does not."""
    columns = ("source_id", "source_group", "source_license")
    with pytest.raises(SynthgenError, match="--allow source_license"):
        publish(clinic, public=True, allow=columns[:2])
    assert last(publish(clinic, public=True, allow=columns)).files
    assert not hub[REPO].private


def test_a_private_repository_is_warned_of(clinic: Path, hub: Hub, publish: Callable[..., Any]) -> None:
    """It is published, and what could name a person is said before anything is sent."""
    events = publish(clinic)
    assert [one.column for one in compared(events).identifying] == ["source_id", "source_group", "source_license"]
    assert hub[REPO].private
    assert last(events).files


def test_a_dry_run_shows_what_would_be_seen(clinic: Path, hub: Hub, synthgen: Callable[..., Any]) -> None:
    """On standard output, a line a column."""
    said = synthgen("publish", clinic, "--repo", REPO, "--dry-run")
    assert said.code == 0
    shown = [line for line in said.out.splitlines() if line.startswith("could name a person: ")]
    assert len(shown) == 3
    assert hub.stored == []


def test_a_dataset_from_prompts_alone_names_nobody(packed: Path) -> None:
    """Neither its card nor its manifest, tables or names hold anything that looks like a person."""
    assert persons.find(packed / "larger") == []
    assert persons.unknown_licences(packed / "larger") == []


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("photographs of anna.m@clinic.org", "e-mail"),
        ("call +43 1 404 00 0", "phone"),
        ("read from /home/anna/photos", "home"),
        (r"read from C:\Users\anna", "home"),
        ("1.2.840.113619.2.55.3.604688119", "DICOM"),
        ("MRN: 100164", "medical record"),
        ("born 1961-03-04", "birth"),
    ],
)
def test_texts_are_looked_through(written: str, kind: str, dataset: Path) -> None:
    """A line in the manifest's comments is seen, named by its file."""
    path = dataset / "manifest.yaml"
    path.write_text(f"# {written}\n{path.read_text()}")
    [found] = persons.find(dataset)
    assert (found.column, kind in found.kind) == ("manifest.yaml", True)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("psoriasis-1-0000001", ""),
        ("images-psoriasis-1-0000000", ""),
        ("psoriasis-1-0100164", "numbers"),
        ("img-20230104", "dates"),
        ("img-1002", "own names"),
    ],
)
def test_names_of_drawn_images_are_nobody_s(name: str, seen: str, dataset: Path) -> None:
    """Those say a label, a tone and a number below their count; a longer number may be a patient's."""
    pq.write_table(pa.table({"id": [name, "psoriasis-1-0000000"]}), dataset / "sources.parquet")
    found = [one.kind for one in persons.find(dataset)]
    assert [seen in kind for kind in found] == ([True] if seen else [])
