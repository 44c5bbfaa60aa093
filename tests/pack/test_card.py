"""The card says what the dataset is, in words that are true of it; or in a template of one's own."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from synthgen.errors import InputError, ManifestError
from synthgen.pack.card import CardFacts, Size
from synthgen.pack.card.values import values
from synthgen.publish import card_check
from synthgen.runs.cell import Cell

REAL = {"source_id": "a", "source_dataset": "org/skin", "source_license": "CC-BY-4.0"}


def parts_of(dataset: Path) -> tuple[Any, str]:
    """The card's YAML header, and its text."""
    _, head, text = (dataset / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), text


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A template of one's own."""
    path = tmp_path / "card.md"
    path.write_text("---\n{{ card_data }}\n---\n{{ images }} images, {{ audit }}\n", encoding="utf-8")
    return path


def test_a_template_of_one_s_own(small: Path, template: Path, pack: Any) -> None:
    """`--card` takes the place of the template that ships, under the same header."""
    head, text = parts_of(pack(small, card=template))
    assert head["license"] == "openrail"
    assert text.strip() == "24 images, not done: no real images were used"


def test_another_template_makes_another_dataset(small: Path, template: Path, pack: Any, provenance: Any) -> None:
    """The template's text is a part of what names the dataset; the new one takes the place of the old one."""
    before = provenance(pack(small, card=template))["dataset_digest"]
    template.write_text(template.read_text() + "More.\n")
    after = pack(small, card=template)
    assert provenance(after)["dataset_digest"] != before
    assert (after / "README.md").read_text().endswith("More.")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("---\n{{ card_data }}\n---\n{{ imagse }}", r"card\.md: .*\bimagse\b"),
        ("{{ images }}", r"card\.md: .*\bcard_data\b"),
        ("{{ card_data }}\n{% if %}", r"card\.md: line 2: "),
        ("---\n{{ card_data }}\n---\n{{ images.much.more }}", r"card\.md: .*\bmuch\b"),
    ],
)
def test_a_template_at_fault_is_found_before_packing(
    text: str, fault: str, small: Path, template: Path, pack: Any
) -> None:
    """What nothing fills, no header, no Jinja: one line with the file's name, and nothing is begun."""
    template.write_text(text)
    with pytest.raises(InputError, match=fault):
        pack(small, card=template)
    assert [path.name for path in template.parent.iterdir()] == ["card.md"]


def test_a_missing_template_is_bad_input(small: Path, pack: Any, tmp_path: Path) -> None:
    """A file that is not there is said."""
    with pytest.raises(InputError, match=r"none\.md: "):
        pack(small, card=tmp_path / "none.md")


def test_gating_is_in_the_header_when_asked(run_of: Callable[..., Path], pack: Any) -> None:
    """`publish.gated` becomes the Hub's own keys; lists are choices."""
    fields = {"Name": "text", "I agree": "checkbox", "Use": ["research", "teaching"]}
    head, _ = parts_of(pack(run_of(publish={"gated": {"prompt": "Say who you are.", "fields": fields}})))
    assert head["extra_gated_prompt"] == "Say who you are."
    assert head["extra_gated_fields"] == fields | {"Use": {"type": "select", "options": ["research", "teaching"]}}


def test_a_licence_of_one_s_own_has_its_name_and_address(run_of: Callable[..., Path], pack: Any) -> None:
    """`license: other` goes with the Hub's keys for what it is, and passes the check."""
    own = {"license": "other", "license_name": "clinic-terms", "license_link": "https://example.org/terms"}
    dataset = pack(run_of(publish=own))
    head, _ = parts_of(dataset)
    assert {key: head[key] for key in own} == own
    assert list(card_check.faults((dataset / "README.md").read_text(), {}, real_sources=False)) == []


def test_no_gate_when_not_asked(small: Path, pack: Any) -> None:
    """Without `publish.gated` the header says nothing of it."""
    assert not [key for key in parts_of(pack(small))[0] if "gated" in key]


def test_a_field_of_no_kind_is_a_fault(make_plan: Callable[..., Any]) -> None:
    """A field's kind is one the Hub knows."""
    with pytest.raises(ManifestError, match=r"publish\.gated\.fields: `Name` "):
        make_plan(publish={"gated": {"prompt": "x", "fields": {"Name": "words"}}})


def test_images_of_prompts_alone_are_made_again_from_the_dataset(small: Path, pack: Any) -> None:
    """Nothing but the manifest and the prompts is needed, and the card says no more."""
    text = parts_of(pack(small))[1]
    assert "The dataset is a function of `manifest.yaml` and `prompts/`: `synthgen run manifest.yaml`" in text
    assert not [word for word in ("--work", "--real", "withheld") if word in text]


def test_real_sources_are_named_with_their_licence(from_real: Callable[..., Path], pack: Any) -> None:
    """The header names the real datasets, the table their licences."""
    dataset = pack(from_real(lambda _: REAL))
    head, text = parts_of(dataset)
    assert head["source_datasets"] == ["original", "extended|org/skin"]
    assert "| real images org/skin | CC-BY-4.0 |" in text
    assert "none is a photograph of a person" not in text


def test_real_sources_without_an_audit_are_said(from_real: Callable[..., Path], pack: Any, provenance: Any) -> None:
    """Where no audit was done, provenance and card say so, in words that the check before publishing accepts."""
    dataset = pack(from_real(lambda _: REAL, publish={"license": "mit"}))
    held = provenance(dataset)
    assert held["near_copy_audit"] == "not done"
    text = (dataset / "README.md").read_text()
    assert "Near-copy audit: not done." in text
    assert list(card_check.faults(text, held, real_sources=True)) == []


def test_cells_are_counted_by_entry(run_of: Callable[..., Path], pack: Any) -> None:
    """Label, skin tone and entry with its strategy: a row for each entry and label, a column for each tone."""
    entry = {"strategy": "fake", "settings": {"height": 8, "width": 8}}
    entries = [entry | {"name": "one", "per_cell": 2}, entry | {"name": "two", "per_cell": 3}]
    _, text = parts_of(pack(run_of(generate=entries)))
    assert "| one | fake | psoriasis | 2 | 2 | 2 | 6 |" in text
    assert "| two | fake | healthy | 3 | 3 | 3 | 9 |" in text


def test_models_say_their_licences() -> None:
    """The bundled model's licence is known."""
    from synthgen.core.model_folder import BUNDLED, ModelFacts
    from synthgen.pack.card.values import licence

    assert licence(ModelFacts(BUNDLED, "bundled", None)) == "Apache-2.0, as synthgen"


def test_a_strategy_without_a_model_names_none(small: Path, pack: Any) -> None:
    """Images that no diffusion model made are not said to be made by one."""
    text = parts_of(pack(small))[1]
    assert "latent diffusion" not in text.split("Not for clinical use")[0]
    assert "| model phantom |" not in text


@pytest.fixture
def tables(make_plan: Callable[..., Any]) -> Callable[[dict[tuple[str, str], int]], dict[str, Any]]:
    """What a card's tables hold, of so many packed images of each label and tone."""

    def of(counts: dict[tuple[str, str], int]) -> dict[str, Any]:
        cells = {Cell("fake", label, tone): images for (label, tone), images in counts.items()}
        return values(CardFacts(make_plan(), {}, cells, {"train": Size(sum(counts.values()), 1)}, "0" * 64))

    return of


@pytest.mark.parametrize(
    "counts",
    [
        {("healthy", "I"): 3, ("healthy", "unknown"): 5, ("melanoma", "unknown"): 2},
        {("healthy", "unknown"): 7},
        {("healthy", "VI"): 1, ("melanoma", "beside the scale"): 4},
        {("a label that left", "II"): 2, ("healthy", "I"): 1},
    ],
    ids=["some unknown", "all unknown", "off the scale", "another label"],
)
def test_every_table_adds_up(tables: Any, counts: dict[tuple[str, str], int]) -> None:
    """Whatever tone or label an image has, it stands in a row and in a column of each table."""
    found, images = tables(counts), sum(counts.values())
    assert sum(found["tone_totals"]) == found["images"] == images
    for rows in (found["labels"], found["cells"]):
        assert sum(row["total"] for row in rows) == images
        assert all(sum(row["counts"]) == row["total"] and len(row["counts"]) == len(found["tones"]) for row in rows)


def test_unknown_tones_are_counted_apart(tables: Any) -> None:
    """Nobody is promised skin tones that no image is known to have."""
    assert tables({("healthy", "unknown"): 7})["known_tones"] == 0
    assert tables({("healthy", "I"): 1, ("healthy", "unknown"): 7})["of_unknown_tone"] == 7


def test_a_model_folder_s_licence_is_read(tmp_path: Path) -> None:
    """A folder's README.md says it in its header, or nothing is guessed."""
    from synthgen.core.model_folder import ModelFacts
    from synthgen.pack.card.values import licence

    facts = ModelFacts("./m", "folder", tmp_path)
    assert licence(facts) == "not stated in its folder"
    (tmp_path / "README.md").write_text("---\nlicense: openrail++\n---\nA model.\n")
    assert licence(facts) == "openrail++"


def test_the_hub_s_readers_are_shown(run_of: Callable[..., Path], pack: Any) -> None:
    """With a repository known, the card reads tars by their address and the metadata from the repository."""
    _, text = parts_of(pack(run_of(publish={"repo": "org/name"})))
    assert "https://huggingface.co/datasets/org/name/resolve/main/data/train-00000-of-00001.tar" in text
    assert 'pandas.read_parquet("hf://datasets/org/name/metadata.parquet")' in text


def test_the_card_can_be_cited(small: Path, pack: Any, provenance: Any) -> None:
    """The citation names the dataset by its digest."""
    dataset = pack(small)
    _, text = parts_of(dataset)
    assert "@misc{small,\n" in text
    assert f"dataset {provenance(dataset)['dataset_digest'][:16]}}}\n}}" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ card_data }}\n", "has no {{ card_data }} between two lines"),
        ("{{ card_data.__class__.__mro__ }}\n", "has no {{ card_data }} between two lines"),
        ("---\n{{ card_data }}\n---\n{{ 1 / 0 }}\n", "division by zero"),
        ("---\n{{ card_data }}\n---\n{{ title.__class__.__mro__ }}\n", "is unsafe"),
    ],
)
def test_a_template_that_cannot_be_filled_is_bad_usage(
    small: Path, template: Path, pack: Any, text: str, said: str
) -> None:
    """One line says what is wrong with it: no header, a fault in it, or a reach into Python itself."""
    template.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        pack(small, card=template)
    assert said in str(caught.value)
    assert str(template) in str(caught.value)


def test_a_template_is_filled_in_the_sandbox_alone(small: Path, template: Path, pack: Any, tmp_path: Path) -> None:
    """One that hides what it does from a sandbox, where Python's insides are not there, finds no place without one."""
    written = tmp_path / "written"
    template.write_text(
        "---\n{{ card_data }}\n---\n{% if ''.__class__ is defined %}"
        "{% for one in ''.__class__.__mro__[1].__subclasses__() %}{% if one.__name__ == 'catch_warnings' %}"
        "{{ one.__init__.__globals__['__builtins__']['open'](" + repr(str(written)) + ", 'w') }}"
        "{% endif %}{% endfor %}{% endif %}\n",
        encoding="utf-8",
    )
    with contextlib.suppress(InputError):
        pack(small, card=template)
    assert not written.exists()
