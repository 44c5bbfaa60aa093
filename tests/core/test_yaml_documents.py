"""Documents are strict YAML, and every fault says where it is."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from synthgen.core import yaml_documents
from synthgen.core.yaml_documents import Strict
from synthgen.errors import Fault, ManifestError

_scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


class Inner(Strict):
    """A part with a bounded integer."""

    size: int = Field(default=1, ge=1)


class Outer(Strict):
    """A document with a list of parts."""

    name: str
    weight: float = 1.0
    parts: list[Inner] = []


@given(st.dictionaries(st.text(max_size=8), _values, max_size=4))
def test_parse_returns_what_was_dumped(document: dict[str, Any]) -> None:
    """A mapping that PyYAML writes is read back equal."""
    assert yaml_documents.parse(yaml.safe_dump(document), "x.yaml") == document


@given(st.text(alphabet="ab01:-{}[]!&*?|>'\"# \n\t,.<=%@`~", max_size=60))
def test_parse_of_any_text_gives_a_mapping_or_a_fault(text: str) -> None:
    """No text makes the parser raise anything but a fault that names the document."""
    faults: tuple[str, ...] = ()
    try:
        document = yaml_documents.parse(text, "x.yaml")
    except ManifestError as error:
        document, faults = {}, error.faults
    assert isinstance(document, dict)
    assert all(fault.startswith("x.yaml: ") for fault in faults)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml: line 3: `a` is given twice (first in line 1)"),
        ("top:\n  a: 1\n  a: 1\n", "x.yaml: line 3: `a` is given twice (first in line 2)"),
        ("list:\n- {a: 1, a: 2}\n", "x.yaml: line 2: `a` is given twice (first in line 2)"),
        ("1: x\n1: y\n", "x.yaml: line 2: `1` is given twice (first in line 1)"),
        ("", "x.yaml: expected `key: value` lines, found nothing"),
        ("- a\n- b\n", "x.yaml: expected `key: value` lines, found a list"),
        ("just words\n", "x.yaml: expected `key: value` lines, found 'just words'"),
        ("a: [1, 2\n", "x.yaml: line 2: not valid YAML"),
        ("a: 1\n\tb: 2\n", "x.yaml: line 2: not valid YAML"),
        ("a: *nothing\n", "x.yaml: line 1: not valid YAML: found undefined alias"),
        ("a: !!python/object/apply:os.system [ls]\n", "x.yaml: line 1: not valid YAML"),
        ("a: !!python/name:os.system\n", "x.yaml: line 1: not valid YAML"),
        ("a: 1\n---\nb: 2\n", "x.yaml: line 2: not valid YAML"),
        ("a: \x01\n", "x.yaml: not valid YAML"),
        ("a: 2024-13-45\n", "x.yaml: not valid YAML"),
        ("a: " + "9" * 5000 + "\n", "x.yaml: line 1: a number of 5,000 characters"),
        ("a: 0x" + "f" * 5000 + "\n", "x.yaml: line 1: a number of 5,002 characters"),
        ("a: 1" + ":1" * 5000 + ".5\n", "x.yaml: line 1: a number of 10,003 characters"),
        ("a: &a [*a]\n", "x.yaml: line 1: an alias that stands for itself"),
        ("a: &a {<<: *a}\n", "x.yaml: line 1: an alias that stands for itself"),
        ("x: " + "a" * (4 << 20) + "\n", "x.yaml: more than 4 MiB of YAML"),
        ("a: " + "[" * 5000 + "\n", "x.yaml: not valid YAML"),
        ("labels:\n  010: a\n", "x.yaml: line 2: `010` is the number 8 to YAML; put it in quotes"),
        ("0x1f: a\n", "x.yaml: line 1: `0x1f` is the number 31 to YAML; put it in quotes"),
        ("1:30: a\n", "x.yaml: line 1: `1:30` is the number 90 to YAML; put it in quotes"),
        ("? [a, b]\n: 1\n", "x.yaml: line 1: not valid YAML: found unhashable key"),
    ],
)
def test_parse_faults(text: str, fault: str) -> None:
    """What is not one mapping without repeated keys is refused, with its place."""
    with pytest.raises(ManifestError) as caught:
        yaml_documents.parse(text, "x.yaml")
    assert str(caught.value).startswith(fault)


@pytest.mark.parametrize("inner", ["[%s]", "{<<: [%s]}"])
def test_a_few_lines_do_not_stand_for_more_than_a_person_writes(inner: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Aliases of aliases, merged or not, are refused before they are spelled out; so is what is long as it stands."""
    text = "a0: &a0 {k: 1}\n"
    for number in range(1, 12):
        text += f"a{number}: &a{number} {inner % ', '.join([f'*a{number - 1}'] * 9)}\n"
    with pytest.raises(ManifestError, match=r"line 6: its aliases stand for more than 50,000 keys and values"):
        yaml_documents.parse(text, "x.yaml")
    monkeypatch.setattr(yaml_documents, "_MAX_NODES", 100)
    assert yaml_documents.parse("a: [" + "1, " * 90 + "1]", "x.yaml")
    with pytest.raises(ManifestError, match="more than 100 keys and values"):
        yaml_documents.parse("a: [" + "1, " * 100 + "1]", "x.yaml")


def test_what_was_kept_is_as_long_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of versions without a limit open; a text that few lines stand for is refused of them too."""
    monkeypatch.setattr(yaml_documents, "_MAX_NODES", 100)
    monkeypatch.setattr(yaml_documents, "_MAX_TEXT", 100)
    assert len(yaml_documents.parse("a: [" + "1, " * 300 + "1]", "x.yaml", kept=True)["a"]) == 301
    text = "a: &a [" + "1, " * 100 + "1]\n"
    with pytest.raises(ManifestError, match="its aliases stand for more than"):
        yaml_documents.parse(text + "b: [*a, *a, *a]", "x.yaml", kept=True)


@pytest.mark.parametrize("value", ['!!int ""', '!!float ""', "!!bool perhaps", "!!timestamp x", "!!int x"])
def test_a_tag_that_its_value_does_not_fit_is_a_fault(value: str) -> None:
    """An explicit tag on a value of another kind is a fault of the YAML, not a crash of its parser."""
    with pytest.raises(ManifestError, match="not valid YAML"):
        yaml_documents.parse(f"a: {value}\n", "x.yaml")


def test_merge_keys_are_allowed_and_overridden() -> None:
    """A merged mapping's key may be given again, which is what merging is for."""
    text = "base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}\n"
    assert yaml_documents.parse(text, "x.yaml")["own"] == {"a": 1, "b": 3}


def test_same_key_in_two_mappings_is_no_fault() -> None:
    """A key is given twice only if both stand in one mapping."""
    assert yaml_documents.parse("a: {k: 1}\nb: {k: 1}\n", "x.yaml") == {"a": {"k": 1}, "b": {"k": 1}}


def test_read_text_reads_utf8(tmp_path: Path) -> None:
    """Text beyond ASCII is read as written."""
    path = tmp_path / "x.yaml"
    path.write_bytes("a: Ödem\n".encode())
    assert yaml_documents.read_text(path) == "a: Ödem\n"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a: b\nc: \xe9t\xe9\n", "line 2: not UTF-8 text; in Latin-1 it is `c: été`"),
        (b"#" * (16 * 1024 * 1024 + 1), "16 MiB"),
    ],
)
def test_read_text_refuses(tmp_path: Path, content: bytes, fault: str) -> None:
    """A file that is not UTF-8 or far too large is refused by name."""
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        yaml_documents.read_text(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert fault in str(caught.value)


def test_read_text_of_no_file(tmp_path: Path) -> None:
    """A file that is not there is a fault that says so."""
    with pytest.raises(ManifestError, match="No such file"):
        yaml_documents.read_text(tmp_path / "none.yaml")


def test_read_text_of_a_folder(tmp_path: Path) -> None:
    """A folder in a file's place is a fault that says so."""
    with pytest.raises(ManifestError, match="Is a directory"):
        yaml_documents.read_text(tmp_path)


def test_validate_returns_the_model() -> None:
    """A right document is returned typed, without faults."""
    assert yaml_documents.validate(Outer, {"name": "a", "parts": [{"size": 2}]}) == (
        Outer(name="a", parts=[Inner(size=2)]),
        [],
    )


@pytest.mark.parametrize(
    ("document", "faults"),
    [
        ({}, ["name: missing; this key is needed"]),
        ({"name": 1}, ["name: expected text, found 1; put it in quotes"]),
        ({"name": None}, ["name: expected text, found nothing; put it in quotes"]),
        ({"name": "a", "prats": []}, ["prats: unknown key; did you mean `parts`?"]),
        ({"name": "a", "xyzzy": 1}, ["xyzzy: unknown key; there are: name, weight, parts"]),
        ({"name": "a", "parts": [{}, {"sise": 1}]}, ["parts[1].sise: unknown key; did you mean `size`?"]),
        ({"name": "a", "parts": [{"size": 0}]}, ["parts[0].size: should be greater than or equal to 1, found 0"]),
        ({"name": "a", "parts": [{"size": True}]}, ["parts[0].size: should be a valid integer, found True"]),
        ({"name": "a", "parts": [{"size": 1.0}]}, ["parts[0].size: should be a valid integer, found 1.0"]),
        ({"name": "a", "parts": [{"size": "1"}]}, ["parts[0].size: should be a valid integer, found '1'"]),
        ({"name": "a", "parts": {}}, ["parts: should be a valid list, found a mapping"]),
        ({"name": "a", "weight": float("nan")}, ["weight: should be a finite number, found nan"]),
        ({"name": "a", "weight": float("inf")}, ["weight: should be a finite number, found inf"]),
        ({"name": "a", "weight": True}, ["weight: should be a valid number, found True"]),
        ({"name": 2, "weight": "x"}, ["name: expected text", "weight: should be a valid number, found 'x'"]),
        ("words", ["top: should be a valid dictionary"]),
    ],
)
def test_validate_lists_every_fault(document: object, faults: list[str]) -> None:
    """Each fault gives the path, what is wrong, and where it can the word that was meant."""
    model, found = yaml_documents.validate(Outer, document)
    assert model is None
    assert len(found) == len(faults)
    assert all(one.startswith(fault) for one, fault in zip(found, faults, strict=True))


def test_a_read_document_is_frozen() -> None:
    """What was read can't be changed afterwards."""
    with pytest.raises(ValueError, match="frozen"):
        Outer(name="a").name = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("word", "known", "advice"),
    [
        ("heigth", ["height", "width"], "did you mean `height`?"),
        ("q", ["height", "width"], "there are: height, width"),
        ("q", [], "there are none"),
        (7, [1, 2, 3], "there are: 1, 2, 3"),
    ],
)
def test_near(word: object, known: list[object], advice: str) -> None:
    """A mistyped word is met with the nearest known one, or all of them."""
    assert yaml_documents.near(word, known) == advice


def test_path_of() -> None:
    """Places are drawn as one would write them, below the prefix."""
    assert (
        yaml_documents.path_of(("settings", "parts", 2, "size"), "generate[0]") == "generate[0].settings.parts[2].size"
    )


def test_a_fault_is_its_line_with_its_place_and_kind() -> None:
    """It is printed and compared as the line, and keeps the rest where it is put into others, pickled or raised."""
    fault = Fault.at("height", "must be a multiple of 8", "out_of_range")
    assert fault == "height: must be a multiple of 8"
    inner = fault.within("generate[0].settings")
    assert inner == "generate[0].settings.height: must be a multiple of 8"
    raised = ManifestError(inner.in_file("m.yaml")).faults[0]
    assert raised == f"m.yaml: {inner}"
    for one in (inner, raised, pickle.loads(pickle.dumps(raised)), copy.deepcopy(raised)):
        assert (one.path, one.kind) == ("generate[0].settings.height", "out_of_range")
    plain = ManifestError("no such model").faults[0]
    assert (plain.path, plain.kind) == ("", "other")
    assert plain.within("model") == "model: no such model"
    assert ManifestError("model: none").faults[0].keyed().path == "model"


@pytest.mark.parametrize(
    ("document", "path", "kind"),
    [
        ({}, "name", "missing"),
        ({"name": 1}, "name", "wrong_type"),
        ({"name": "a", "nmae": "a"}, "nmae", "unknown_key"),
        ({"name": "a", "weight": float("nan")}, "weight", "out_of_range"),
        ({"name": "a", "parts": [{}, {"size": 0}]}, "parts[1].size", "out_of_range"),
        ([], "top", "wrong_type"),
    ],
)
def test_what_types_show_has_a_kind(document: object, path: str, kind: str) -> None:
    """Pydantic's own words are a few short ones of ours."""
    assert [(one.path, one.kind) for one in yaml_documents.validate(Outer, document)[1]] == [(path, kind)]
