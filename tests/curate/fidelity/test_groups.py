"""Groups are those that generated images have."""

from synthgen.curate.fidelity.groups import CELL, groups
from synthgen.curate.fidelity.sample_images import Image


def image(entry: str = "text", label: str = "acne", tone: str = "I", kept: bool | None = None) -> Image:
    """An image that is never read."""
    return Image("id", entry, label, tone, "", "0" * 64, lambda: None, kept)  # type: ignore[arg-type, return-value]


def test_a_scope_of_one_group_is_left_out() -> None:
    """One entry and one label, on two tones of different lightness, are measured by tone alone."""
    found = groups([image(tone="VI"), image(tone="I")], "fitzpatrick")
    assert [one.name for one in found] == ["all images", "light (I, II)", "dark (V, VI)", "I", "VI"]


def test_cells_need_twenty_images() -> None:
    """A cell of nineteen is not measured alone."""
    images = [image()] * 20 + [image(tone="II")] * 20 + [image(entry="inpaint")] * 19
    cells = [one.name for one in groups(images, "fitzpatrick") if one.scope == CELL]
    assert cells == ["text, acne, I", "text, acne, II"]


def test_an_entry_is_held_against_all_real_images() -> None:
    """A real image is of no entry, but of its label and tone."""
    images = [image(), image(entry="inpaint"), image(entry="", tone="II")]
    entry = next(one for one in groups(images[:2], "fitzpatrick") if one.name == "text")
    assert entry.rows(images).tolist() == [0, 2]


def test_kept_and_rejected_images_are_held_against_all_real_ones() -> None:
    """What the rules keep is a group beside what they reject; a real image is in both."""
    images = [image(kept=True), image(kept=False), image(entry="")]
    found = {one.name: one.rows(images).tolist() for one in groups(images[:2], "fitzpatrick")}
    assert found == {"all images": [0, 1, 2], "kept": [0, 2], "rejected": [1, 2]}
