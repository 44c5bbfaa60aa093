"""Names of real images and groups: which are nobody's, and what stands for the others."""

import hashlib
import hmac
from dataclasses import replace

import pytest

from synthgen.errors import DamagedError
from synthgen.plan.sample import Record
from synthgen.plan.source_names import Pseudonyms, SourceNames, is_pseudonym

NAMES = SourceNames(frozenset({"psoriasis", "lichen-planus"}), images=20, groups=3)
RECORD = Record(
    key="first-psoriasis-20-000", entry="first", label="psoriasis", label_id=0, skin_tone="I",
    skin_tone_scale="fitzpatrick", fitzpatrick=1, strategy="fake", prompt="", negative_prompt="",
    attributes="{}", seed=5, attempt=0, model="", model_revision="", adapter="", scheduler="", num_inference_steps=0,
    guidance_scale=0.0, strength=0.0, mask="", width=8, height=8, source_id="psoriasis-20", source_group="P. 7",
    source_split="train", source_dataset="", source_license="", image_sha256="", generator="",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        ("psoriasis-1-0000003", True),
        ("images-lichen-planus-6-0000019", True),
        ("psoriasis-1-0000003-2", True),
        ("psoriasis-1-0000020", False),  # no running number of twenty
        ("smith-1-0000003", False),  # no label
        ("psoriasis-smith-1-0000003", False),
        ("psoriasis-7-0000003", False),
        ("psoriasis-1-0000003-19610304", False),
        ("0000003", False),
        ("1", False),
        ("", True),
    ],
)
def test_names_that_count_are_nobody_s(name: str, stays: bool) -> None:
    """A label, a tone and a number below their count stay; whatever else is an image's or a group's goes."""
    names = Pseudonyms("ab" * 32, NAMES)
    assert (names.image(name) == name) == stays
    assert is_pseudonym(names.image(name)) != stays


def test_pseudonyms_follow_from_name_kind_and_salt() -> None:
    """The known HMAC-SHA256 of RFC 2104, by the kind of the name; one salt's tell nothing of another's."""
    one, other = Pseudonyms("ab" * 32, NAMES), Pseudonyms("cd" * 32, NAMES)
    assert one.image("x") == "source-" + hmac.new(b"\xab" * 32, b"source\0x", hashlib.sha256).hexdigest()[:16]
    found = [one.image("x")[7:], one.group("x")[6:], one.mark, other.image("x")[7:], other.group("x")[6:], other.mark]
    assert len(set(found)) == 6


def test_a_record_whose_key_says_otherwise_is_damage() -> None:
    """A name that stands in a key where no key has it would go out unseen."""
    names = Pseudonyms("ab" * 32, NAMES)
    assert names.record(RECORD).key == f"first-{names.image('psoriasis-20')}-000"
    for wrong in ({"key": "first-x-psoriasis-20-000"}, {"attributes": '{"from": "zero-psoriasis-20-001"}'}):
        with pytest.raises(DamagedError):
            names.record(replace(RECORD, **wrong))
