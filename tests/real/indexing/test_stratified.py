"""Splits in which every label and skin tone has its share, as far as groups allow."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from synthgen.plan import real_account
from synthgen.plan.manifest.settings import SourceSettings, Split
from synthgen.plan.real_index import Index
from synthgen.real.indexing import stratified
from synthgen.real.sources import SourceRow

SHARES: dict[Split, float] = {"train": 0.7, "validation": 0.15, "test": 0.15}
BOTH: list[Any] = ["label", "skin_tone"]


def patients(count: int, most: int, seed: int) -> dict[str, list[tuple[str, int]]]:
    """Patients with up to so many images each, of one label and tone; labels and tones are not alike frequent."""
    draw = random.Random(seed)
    found = {}
    for number in range(count):
        label, tone = draw.choices("abcd", [1, 2, 4, 8])[0], draw.choices(range(7), [3, 4, 6, 5, 3, 2, 2])[0]
        found[f"p{number}"] = [(label, tone)] * draw.randint(1, most)
    return found


@pytest.mark.parametrize(("count", "most", "far"), [(600, 1, 1.5), (200, 5, 6)])
def test_every_label_and_tone_has_its_share(count: int, most: int, far: float) -> None:
    """Within one image and a half of it where groups are single images, and within a group and an image elsewhere."""
    groups = patients(count, most, 3)
    drawn = stratified.draw(groups, BOTH, SHARES, 7)
    for part in (0, 1):
        held, total = Counter[Any](), Counter[Any]()
        for name, images in groups.items():
            held.update((one[part], drawn[name]) for one in images)
            total.update(one[part] for one in images)
        off = {(one, split): held[one, split] - share * total[one] for one in total for split, share in SHARES.items()}
        assert max(map(abs, off.values())) <= far, off


def test_of_three_groups_each_split_gets_one() -> None:
    """A label that is as rare as that is learned, chosen and tested on; two groups are not both in one split."""
    groups = patients(100, 1, 1) | {f"rare{number}": [("rare", 3)] for number in range(3)}
    drawn = stratified.draw(groups, BOTH, SHARES, 7)
    assert {drawn[f"rare{number}"] for number in range(3)} == set(SHARES)
    del groups["rare0"]
    drawn = stratified.draw(groups, BOTH, SHARES, 7)
    assert drawn["rare1"] != drawn["rare2"]


def test_the_draw_stays_what_it_was() -> None:
    """A split that is published is the same in every later version."""
    drawn = stratified.draw(patients(300, 4, 11), BOTH, SHARES, 7)
    said = ",".join(f"{name}={split}" for name, split in sorted(drawn.items()))
    assert hashlib.sha256(said.encode()).hexdigest()[:16] == "99e1c941d5c8c962"


def test_the_draw_is_of_the_seed_and_of_no_order() -> None:
    """However the groups come in, each is where it was; another seed draws others."""
    groups = patients(80, 3, 5)
    drawn = stratified.draw(groups, BOTH, SHARES, 7)
    assert stratified.draw(dict(reversed(groups.items())), BOTH, SHARES, 7) == drawn
    assert stratified.draw(groups, BOTH, SHARES, 8) != drawn


def rows(columns: Callable[[int], dict[str, Any]]) -> list[SourceRow]:
    """Sixty images of thirty patients, of which every tenth has the rare label."""
    found = []
    for number in range(60):
        name, rare = f"i{number:02}", number // 2 % 10 == 0
        values = {"label": "melanoma" if rare else "nevus", "fitzpatrick": 1, "patient": f"p{number // 2}"}
        found.append(SourceRow(name, name, values | columns(number), name))
    return found


def test_an_index_is_stratified_where_that_is_asked(given_rows: Callable[..., Index], tmp_path: Path) -> None:
    """The metadata decide it, so a dry run and a run agree; a patient is in one split."""
    settings = {"stratify": ["skin_tone", "label"], "columns": {"group": "patient"}}
    index = given_rows(rows(lambda _: {}), settings)
    assert {one.split for one in index.sources if one.label == "melanoma"} == set(SHARES)
    assert all(len({one.split for one in index.sources if one.group == f"p{patient}"}) == 1 for patient in range(30))
    built = given_rows(rows(lambda _: {}), settings, tmp_path / "run")  # whose files can't be read
    assert [one.split for one in built.sources] == [one.split for one in index.sources]
    assert "of a label, test has" in real_account.shares(index, SHARES)


def test_a_split_that_the_data_say_stays(given_rows: Callable[..., Index]) -> None:
    """Only groups of which nothing is said are drawn."""
    said = rows(lambda number: {"split": "test" if number < 6 else ""})
    index = given_rows(said, {"stratify": "label", "columns": {"group": "patient", "split": "split"}})
    assert {one.split for one in index.sources if one.id < "i06"} == {"test"}
    assert {one.split for one in index.sources if one.id >= "i06"} == set(SHARES)


def test_who_does_not_ask_has_no_other_digest() -> None:
    """Left out, the key is in nothing that names an index; the order of its parts does not matter either."""
    assert "stratify" not in SourceSettings().model_dump(mode="json")
    asked = [
        SourceSettings.model_validate({"stratify": one}) for one in (["label", "skin_tone"], ["skin_tone", "label"])
    ]
    assert asked[0] == asked[1]
    with pytest.raises(ValidationError):
        SourceSettings.model_validate({"stratify": ["group"]})
