"""The card says what the dataset is, in words that are true of it; or in a template of one's own."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from synthgen.errors import InputError, ManifestError, PlanMismatchError
from synthgen.pack.card import CardFacts, Size, render
from synthgen.plan import Plan
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


def test_another_template_makes_another_dataset(small: Path, template: Path, pack: Any) -> None:
    """The template's text is a part of what names the dataset."""
    pack(small, card=template)
    template.write_text(template.read_text() + "More.\n")
    with pytest.raises(PlanMismatchError, match="/dataset "):
        pack(small, card=template)


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


def test_no_gate_when_not_asked(small: Path, pack: Any) -> None:
    """Without `publish.gated` the header says nothing of it."""
    assert not [key for key in parts_of(pack(small))[0] if "gated" in key]


def test_a_field_of_no_kind_is_a_fault(make_plan: Callable[..., Any]) -> None:
    """A field's kind is one the Hub knows."""
    with pytest.raises(ManifestError, match=r"publish\.gated\.fields: `Name` "):
        make_plan(publish={"gated": {"prompt": "x", "fields": {"Name": "words"}}})


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


def card_of(plan: Plan, counts: dict[Cell[str], int]) -> str:
    """The card of a dataset that would hold so many images of each cell."""
    return render(CardFacts(plan, {}, counts, {"train": Size(sum(counts.values()), 1)}, "0" * 64))


def count_tables(card: str) -> tuple[list[list[str]], list[list[str]]]:
    """The rows of the table of labels, and of that of entries, headings left out."""
    labels, entries = card.partition("## What is in it")[2].partition("| split |")[0].split("The same by entry")
    tables = (
        [line.strip("|").split("|") for line in part.splitlines() if line[:2] == "| "] for part in (labels, entries)
    )
    first, second = ([[cell.strip() for cell in row] for row in table[1:]] for table in tables)
    return first, second


@pytest.mark.parametrize(
    "tones",
    [{"unknown": 5}, {"I": 2, "unknown": 3}, {"I": 1, "IV": 2, "unknown": 1}, {"I": 1, "VI": 4}, {"I": 1, "odd": 6}],
)
def test_tables_add_up(tones: dict[str, int], make_plan: Callable[..., Any]) -> None:
    """Images of unknown tone, and of a tone or entry that the manifest does not ask for, stand in every table."""
    plan = make_plan()
    counts = {Cell("fake", "psoriasis", tone): images for tone, images in tones.items()}
    counts |= {Cell("gone", "healthy", tone): images for tone, images in tones.items()}
    card, images = card_of(plan, counts), sum(tones.values())
    labels, entries = count_tables(card)
    assert [(row[0], int(row[-1])) for row in labels[:2]] == [("psoriasis", images), ("healthy", images)]
    assert int(labels[2][-1]) == 2 * images == sum(int(row[-1]) for row in entries)
    numbers = [[*map(int, row[text:])] for table, text in ((labels, 1), (entries, 3)) for row in table]
    assert all(sum(row[:-1]) == row[-1] for row in numbers)


def test_how_many_tones_are_known_is_said(make_plan: Callable[..., Any]) -> None:
    """Where no tone is known the card counts none, and where some are it says of how many images none is."""
    unknown = {Cell("fake", "psoriasis", "unknown"): 5}
    assert "on skin of unknown tone" in card_of(make_plan(), unknown)
    some = card_of(make_plan(), unknown | {Cell("fake", "psoriasis", "I"): 1})
    assert "on 3 skin tones (fitzpatrick scale), 5 of them of unknown skin tone" in some


def test_a_strategy_without_a_model_names_none(make_plan: Callable[..., Any]) -> None:
    """What no diffusion model made is not said to be made by one, and no model's licence stands in the card."""
    card = card_of(make_plan(), {Cell("fake", "psoriasis", "I"): 1})
    assert "phantom" not in card
    assert not re.search(r"made (in part )?by latent diffusion", card)
    assert "latent-diffusion" not in card


def test_models_say_their_licences(make_plan: Callable[..., Any]) -> None:
    """The bundled model's licence is known."""
    card = card_of(make_plan(generate=[{"strategy": "text2img", "per_cell": 1}]), {Cell("text2img", "healthy", "I"): 1})
    assert "| model phantom | Apache-2.0, as synthgen |" in card
    assert "made by latent diffusion with\nsynthgen" in card


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
