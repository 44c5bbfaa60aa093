"""Prompts are drawn from templates by the sample's own seed, and a template at fault is never rendered."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.core import resources
from synthgen.errors import InputError, ManifestError
from synthgen.plan import skin_tones
from synthgen.plan.manifest import prompts

TEXT = """
templates: ["a photo of {label}, type {skin_tone}", "{label} on the {site}"]
negative_prompt: blurry
attributes: {site: [arm, leg], size: {small: 3, large: 1, never: 0}}
skin_tones: {monk: {1: very pale}}
labels:
  healthy: {templates: ["{label} {size}"], negative_prompt: ""}
  vitiligo: {attributes: {site: [hand]}}
"""
TONE = ("fitzpatrick", 5, "V")


def rendered(label: str = "acne", words: str = "acne", tone: tuple[str, int, str] = TONE) -> list[prompts.Prompt]:
    """The prompts of 400 seeds."""
    read = prompts.read(TEXT, "p")
    return [read.render(label, words, tone, seed) for seed in range(400)]


def test_every_template_is_drawn() -> None:
    """All templates and all values of an attribute occur, with label and tone filled in."""
    assert {one.text for one in rendered()} == {"a photo of acne, type V", "acne on the arm", "acne on the leg"}


def test_templates_are_drawn_about_equally() -> None:
    """Paraphrases have equal chance."""
    counts = Counter("photo" in one.text for one in rendered())
    assert 160 < counts[True] < 240


def test_weighted_values_follow_their_weights() -> None:
    """A value of weight 3 is drawn about three times as often as one of weight 1, and one of weight 0 never."""
    counts = Counter(dict(one.attributes)["size"] for one in rendered("healthy", "skin"))
    assert set(counts) == {"small", "large"}
    assert 260 < counts["small"] < 340


def test_only_attributes_that_the_template_uses_are_drawn() -> None:
    """The record of a prompt lists the attributes in its text and no others."""
    assert all(bool(one.attributes) is ("on the" in one.text) for one in rendered())


def test_a_label_may_have_its_own_templates_and_negative_prompt() -> None:
    """A label's own templates and its empty negative prompt take the place of the common ones."""
    one = rendered("healthy", "skin")[0]
    assert one.text in ("skin small", "skin large")
    assert one.negative == ""


def test_a_label_may_have_its_own_attributes() -> None:
    """A label's own values take the place of the common ones, the rest stays common."""
    texts = {one.text for one in rendered("vitiligo", "vitiligo")}
    assert texts == {"a photo of vitiligo, type V", "vitiligo on the hand"}
    assert {one.negative for one in rendered("vitiligo", "vitiligo")} == {"blurry"}


def test_a_scale_may_have_its_own_words() -> None:
    """Where the templates give a tone's words they are used, otherwise the tone as its scale writes it."""
    tones = [("monk", 1, "1"), ("monk", 2, "2")]
    said = [{one.text for one in rendered(tone=tone) if "photo" in one.text} for tone in tones]
    assert said == [{"a photo of acne, type very pale"}, {"a photo of acne, type 2"}]


@given(st.integers(0, 2**63 - 1))
def test_a_prompt_is_a_pure_function_of_its_seed(seed: int) -> None:
    """Two readings of one text render one seed alike."""
    first, second = (prompts.read(TEXT, "p").render("acne", "acne", TONE, seed) for _ in range(2))
    assert first == second


def test_words_with_braces_are_not_templates() -> None:
    """A label's words are put in as they are, even where they look like a placeholder."""
    read = prompts.read("templates: ['{label}, {{x}}']", "p")
    assert read.render("a", "{site}", TONE, 0).text == "{site}, {x}"


@pytest.mark.parametrize(
    ("text", "path", "phrase"),
    [
        ("negative_prompt: x", "templates", "missing"),
        ("templates: []", "templates", "at least 1 item"),
        ("templates: ['']", "templates[0]", "at least 1 character"),
        ("templates: [5]", "templates[0]", "expected text, found 5"),
        ("templates: ['x', 'y {skin}']", "templates[1]", "unknown placeholder {skin}; did you mean `skin_tone`?"),
        ("templates: ['{}']", "templates[0]", "unknown placeholder {}"),
        ("templates: ['{0}']", "templates[0]", "unknown placeholder {0}"),
        ("templates: ['{label.__class__}']", "templates[0]", "unknown placeholder {label.__class__}"),
        ("templates: ['{label[0]}']", "templates[0]", "unknown placeholder {label[0]}"),
        ("templates: ['{label!r}']", "templates[0]", "{label} takes no format"),
        ("templates: ['{label:>9}']", "templates[0]", "{label} takes no format"),
        ("templates: ['{label:{site}}']", "templates[0]", "{label} takes no format"),
        ("templates: ['{label']", "templates[0]", "write {{ for a brace"),
        ("templates: ['label}']", "templates[0]", "write {{ for a brace"),
        ("templates: [x]\ntemplate: [y]", "template", "did you mean `templates`?"),
        ("templates: [x]\nattributes: {site: 5}", "attributes.site", "dictionary"),
        ("templates: [x]\nattributes: {site: []}", "attributes.site", "give at least one value"),
        ("templates: [x]\nattributes: {site: {}}", "attributes.site", "give at least one value"),
        ("templates: [x]\nattributes: {site: {a: 0}}", "attributes.site", "with a weight above 0"),
        ("templates: [x]\nattributes: {site: {a: -1}}", "attributes.site", "greater than or equal to 0"),
        ("templates: [x]\nattributes: {site: {a: .nan}}", "attributes.site", "finite number"),
        ("templates: [x]\nattributes: {site: [a, a]}", "attributes.site", "given twice"),
        ("templates: [x]\nattributes: {label: [a]}", "attributes.label", "not a name an attribute can have"),
        ("templates: [x]\nattributes: {a-b: [a]}", "attributes.a-b", "not a name an attribute can have"),
        ("templates: [x]\nlabels: {a: {templates: ['{site}']}}", "labels.a.templates[0]", "unknown placeholder {site}"),
        ("templates: [x]\nlabels: {a: {prompt: x}}", "labels.a.prompt", "unknown key"),
        ("templates: [x]\nlabels: {a: {attributes: {label: [z]}}}", "labels.a.attributes.label", "not a name"),
        ("templates: [x]\ntemplates: [y]", "line 2", "`templates` is given twice"),
    ],
)
def test_faults(text: str, path: str, phrase: str) -> None:
    """Templates at fault are refused with file, path and reason."""
    with pytest.raises(ManifestError) as caught:
        prompts.read(text, "p.yaml")
    assert any(fault.startswith(f"p.yaml: {path}") and phrase in fault for fault in caught.value.faults)


def test_faults_name_the_place_as_it_is_written() -> None:
    """A path in a fault has nothing in it but keys and numbers that stand in the file."""
    with pytest.raises(ManifestError) as caught:
        prompts.read("templates: [x]\nattributes: {site: [1]}", "p.yaml")
    assert caught.value.faults == ("p.yaml: attributes.site: expected a list of texts, found 1; put it in quotes",)


def test_all_faults_are_listed() -> None:
    """Faults in several templates come together."""
    with pytest.raises(ManifestError) as caught:
        prompts.read("templates: ['{a}', '{b}']\nlabels: {x: {templates: ['{c}']}}", "p")
    assert len(caught.value.faults) == 3


@pytest.mark.parametrize("name", resources.names("prompts"))
def test_shipped_prompts_are_valid_and_say_the_tone(name: str) -> None:
    """Every set of templates that ships is read without faults, and each template names label and skin tone."""
    path = resources.find("prompts", name)
    assert path is not None
    read = prompts.read(path.read_text(encoding="utf-8"), name)
    own = [template for label in read.labels.values() for template in label.templates or []]
    assert all("{label}" in template and "{skin_tone}" in template for template in [*read.templates, *own])


@pytest.mark.parametrize("scale", skin_tones.NAMES)
def test_shipped_prompts_render_on_every_scale(scale: str) -> None:
    """The shipped templates have words for every tone of every scale."""
    path = resources.find("prompts", "dermatology")
    assert path is not None
    read = prompts.read(path.read_text(encoding="utf-8"), "dermatology")
    for value, written in skin_tones.NAMES[scale].items():
        assert "{" not in read.render("acne", "acne", (scale, value, written), 1).text


KNOWN = """
templates: ["{caption}", "{label} of a {sex} on the {site}", "{label}"]
attributes: {site: [arm, leg]}
"""


def of_image(about: dict[str, str], text: str = KNOWN) -> set[str]:
    """The prompts that an image of which this is known may have."""
    read = prompts.read(text, "p", columns=["caption", "sex", "site"])
    return {read.render("acne", "acne", TONE, seed, about).text for seed in range(100)}


def test_what_is_known_of_an_image_is_in_its_prompt() -> None:
    """A template is drawn where all that it names is known; what is known comes before what would be drawn."""
    assert of_image({"caption": "red papules", "sex": "woman", "site": "face"}) == {
        "red papules", "acne of a woman on the face", "acne"
    }  # fmt: skip
    assert of_image({"sex": "man"}) == {"acne of a man on the arm", "acne of a man on the leg", "acne"}
    assert of_image({}) == {"acne"}


def test_what_no_template_can_say_is_named() -> None:
    """Where every template needs what is not known, rendering is refused, and what lacks can be asked for."""
    read = prompts.read("templates: ['{caption}', '{sex} {caption}']", "p", columns=["caption", "sex"])
    assert read.lacks("acne", {"caption": "red"}) == ""
    assert read.lacks("acne", {"sex": "man"}) == "{caption}"
    with pytest.raises(InputError, match=r"every template of `acne` needs \{caption\}, \{sex\}"):
        read.render("acne", "acne", TONE, 0)


def test_a_caption_is_cut_where_that_is_asked_for() -> None:
    """To so many words, and nothing else is; it is told of each caption whether it is cut."""
    text = KNOWN + "max_caption_words: 2\n"
    assert "two words" in of_image({"caption": "two  words and more", "sex": "tall old man", "site": "face"}, text)
    read = prompts.read(text, "p", columns=["caption", "sex"])
    assert [read.caption_is_cut(one) for one in ("two words", "three words here")] == [False, True]


def test_prompts_that_cut_nothing_have_the_digest_that_they_had() -> None:
    """The key is in what names a run only where it is used."""
    assert "max_caption_words" not in prompts.read(TEXT, "p").model_dump(mode="json")


def test_a_placeholder_that_no_column_fills_is_a_fault() -> None:
    """Said with the key that would fill it."""
    with pytest.raises(ManifestError, match=r"templates\[0\]: \{caption\} is of real images; .*real\.columns\.caption"):
        prompts.read("templates: ['{caption}']", "p")
    with pytest.raises(ManifestError, match=r"unknown placeholder \{agee\}; did you mean `age`"):
        prompts.read("templates: ['{agee}']", "p", columns=["age"])
