"""Seeds and draws are the same everywhere and for ever, and a record reads back as it was written."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.plan.sample import Record, field_types, record
from synthgen.plan.seeding import draw, seed_of

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_kinds = {str: _text, int: st.integers(), float: st.floats(allow_nan=False)}
records = st.builds(Record, **{name: _kinds[kind] for name, kind in field_types().items()})

EXAMPLE = Record(**{name: kind() for name, kind in field_types().items()})


def changed(**changes: Any) -> bytes:
    """The example's JSON with some fields changed; ``...`` takes one out."""
    document = dataclasses.asdict(EXAMPLE) | changes
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


@pytest.mark.parametrize(
    ("manifest_seed", "key", "attempt", "seed"),
    [
        (0, "", 0, 7628407939061744320),
        (42, "text-psoriasis-5-0000123", 0, 2029564747611161169),
        (42, "text-psoriasis-5-0000123", 1, 15181029377970517),
        (2**63 - 1, "a-b-1-0000000", 3, 3667753528400748021),
    ],
)
def test_seed_of_golden(manifest_seed: int, key: str, attempt: int, seed: int) -> None:
    """The seeds of published datasets never change."""
    assert seed_of(manifest_seed, key, attempt) == seed


@given(st.integers(0, 2**63 - 1), st.text(max_size=40), st.integers(0, 9))
def test_a_seed_has_63_bits(manifest_seed: int, key: str, attempt: int) -> None:
    """Every seed fits a signed 64-bit integer, as torch and Arrow hold it."""
    key = key.encode("utf-8", "replace").decode()
    assert 0 <= seed_of(manifest_seed, key, attempt) < 2**63


def test_seeds_use_all_63_bits() -> None:
    """Over many keys each of the 63 bits is set about half of the time."""
    seeds = [seed_of(1, f"k-{number}", 0) for number in range(2000)]
    assert all(850 < sum(seed >> bit & 1 for seed in seeds) < 1150 for bit in range(63))


def test_seeds_depend_on_everything_they_are_of() -> None:
    """Another manifest seed, key or attempt gives another seed, also where the digits run together."""
    arguments = [(1, "k-1", 0), (11, "k-1", 0), (1, "k-10", 0), (1, "k-1", 1), (1, "1k-1", 0), (1, "k-1", 10)]
    assert len({seed_of(*one) for one in arguments}) == len(arguments)


@pytest.mark.parametrize(
    ("seed", "what", "weights", "index"),
    [
        (0, "template", (1.0,) * 5, 3),
        (1, "template", (1.0,) * 5, 1),
        (2, "attribute site", (1.0, 3.0, 0.5), 0),
        (2**63 - 1, "attribute site", (0.0, 1.0, 1.0), 2),
    ],
)
def test_draw_golden(seed: int, what: str, weights: tuple[float, ...], index: int) -> None:
    """What published prompts drew never changes."""
    assert draw(seed, what, weights) == index


def test_draw_golden_sequence() -> None:
    """Twenty draws in proportion 1 : 2 : 3 are these."""
    drawn = [draw(seed, "t", (1.0, 2.0, 3.0)) for seed in range(20)]
    assert drawn == [2, 2, 1, 0, 2, 1, 2, 1, 2, 1, 1, 1, 0, 0, 0, 1, 2, 0, 2, 1]


@given(
    st.integers(0, 2**63 - 1),
    st.lists(st.floats(0, 1e6) | st.sampled_from([0.0, 5e-324, 1e-9]), min_size=1, max_size=6).filter(any),
)
def test_draw_gives_only_what_has_weight(seed: int, weights: list[float]) -> None:
    """An index of weight 0 is never drawn, whatever the rounding."""
    assert weights[draw(seed, "x", tuple(weights))] > 0


@given(records)
def test_a_record_reads_back_as_written(one: Record) -> None:
    """Writing and reading a record changes nothing, in no field and no bit."""
    assert Record.from_json(one.to_json()) == one
    assert Record.from_json(one.to_json()).to_json() == one.to_json()


def test_a_record_has_the_promised_fields() -> None:
    """The JSON beside each image has these fields in this order, each text or a number."""
    assert list(json.loads(EXAMPLE.to_json())) == [
        "key", "entry", "label", "label_id", "skin_tone", "skin_tone_scale", "fitzpatrick", "strategy", "prompt",
        "negative_prompt", "attributes", "seed", "attempt", "model", "model_revision", "adapter", "scheduler",
        "num_inference_steps", "guidance_scale", "strength", "mask", "width", "height", "source_id", "source_group",
        "source_split", "source_dataset", "source_license", "image_sha256", "generator",
    ]  # fmt: skip
    assert set(field_types().values()) == {str, int, float}


@pytest.mark.parametrize("name", field_types())
def test_a_record_without_a_field_is_refused(name: str) -> None:
    """No field may be missing."""
    with pytest.raises(ValueError, match="not the promised ones"):
        Record.from_json(changed(**{name: ...}))


@pytest.mark.parametrize("name", field_types())
def test_a_record_with_a_null_is_refused(name: str) -> None:
    """No field may be null."""
    with pytest.raises(ValueError, match=f"{name} is not"):
        Record.from_json(changed(**{name: None}))


def test_a_record_with_a_field_more_is_refused() -> None:
    """A field that was not promised is not a record's."""
    with pytest.raises(ValueError, match="not the promised ones"):
        Record.from_json(changed(extra=1))


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", "1"), ("seed", 1.0), ("seed", True), ("label", 1), ("strength", 1), ("strength", "1"), ("key", ["a"])],
)
def test_a_record_with_a_field_of_another_type_is_refused(name: str, value: object) -> None:
    """A number is no text, an integer no float and a truth value no integer."""
    with pytest.raises(ValueError, match=f"{name} is not"):
        Record.from_json(changed(**{name: value}))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"key": '])
def test_what_is_no_record_is_refused(content: bytes) -> None:
    """Bytes that are not a JSON object are refused, not crashed on."""
    with pytest.raises(ValueError, match=r"."):
        Record.from_json(content)


def test_the_record_of_a_sample(make_plan: Any) -> None:
    """A record says of its sample what the plan says, and what only the making tells."""
    sample = make_plan().entries["fake"].sample(5, attempt=1)
    one = record(sample, image_sha256="ab", model_revision="r1", generator="synthgen 0")
    same = ("key", "label", "label_id", "skin_tone", "prompt", "negative_prompt", "seed", "attempt")
    assert [getattr(one, name) for name in same] == [getattr(sample, name) for name in same]
    assert (one.width, one.height, one.model, one.strategy) == (32, 32, "phantom", "fake")
    assert (one.image_sha256, one.model_revision, one.generator) == ("ab", "r1", "synthgen 0")
    assert json.loads(one.attributes) == dict(sample.attributes)
    again = record(sample, image_sha256="ab", model_revision="r1", generator="synthgen 0", precision="vae-float32")
    assert json.loads(again.attributes) == {**dict(sample.attributes), "precision": "vae-float32"}
