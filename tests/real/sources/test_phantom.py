"""The phantom source lists and draws the same images each time, and those that the command writes."""

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthgen.errors import DamagedError, InputError
from synthgen.phantom.write_folder import PhantomOptions, prepare, write
from synthgen.plan.real_index import Index
from synthgen.real.sources import phantom

REAL = {"source": "phantom", "count": 30, "seed": 5, "site": "b"}


def test_images_are_dealt_round(index: Callable[..., Index]) -> None:
    """Of so many images in all every label and type has as many, up to one."""
    found = index(REAL)
    cells = Counter((one.label, one.tone) for one in found.sources)
    assert len(found.sources) == 30
    assert len(cells) == 12
    assert set(cells.values()) == {2, 3}


def test_more_images_keep_those_that_are_there(index: Callable[..., Index]) -> None:
    """A larger count adds images; ids, groups and splits of the others stay."""
    small, large = index(REAL), index(REAL | {"count": 50})
    assert set(small.sources) < set(large.sources)


def test_they_are_those_of_the_command(tmp_path: Path) -> None:
    """An image, and its mask, is byte for byte what `synthgen phantom` writes for the same seed and site."""
    list(write(prepare(tmp_path, PhantomOptions(("melanoma",), (4,), per_cell=2, seed=5, site="b", masks=True))))
    reader = phantom.open_source(phantom.Settings(count=1, seed=5, site="b"), tmp_path, None)
    assert reader.read("melanoma-4-0000001") == (tmp_path / "images/melanoma-4-0000001.png").read_bytes()
    assert reader.read("mask/melanoma-4-0000001") == (tmp_path / "masks/melanoma-4-0000001.png").read_bytes()


def test_masks_have_a_place(index: Callable[..., Index]) -> None:
    """Each image says where its mask is."""
    one = index(REAL).sources[0]
    reader = phantom.open_source(phantom.Settings(count=1), Path(), None)
    with Image.open(io.BytesIO(reader.read(one.mask))) as mask:
        assert set(np.unique(np.asarray(mask)).tolist()) == {0, 255}


def test_labels_that_it_can_t_draw_are_not_drawn(index: Callable[..., Index]) -> None:
    """Of the manifest's labels only known ones are dealt, and where none is known that is said."""
    found = index(REAL, labels={"melanoma": "m", "acne": "acne"})
    assert {one.label for one in found.sources} == {"melanoma"}
    with pytest.raises(InputError, match=r"^real\.source: .*did you mean `psoriasis`"):
        index(REAL, labels={"psoriasys": "p"})


def test_pairs_of_types_are_understood(index: Callable[..., Index]) -> None:
    """On the scale of pairs, a phantom's type counts as its pair."""
    found = index(REAL, scale="fitzpatrick-groups", tones=[12, 56])
    assert {one.tone for one in found.sources} == {12, 56}
    assert found.left_out == {"no skin tone of the manifest": 10}


@pytest.mark.parametrize("location", ["", "acne", "melanoma-7-0000001", "../melanoma-1-0000001", "melanoma-1-1"])
def test_another_place_holds_no_phantom(location: str) -> None:
    """What no phantom is called can't be read."""
    with pytest.raises(DamagedError, match="no phantom"):
        phantom.open_source(phantom.Settings(count=1), Path(), None).read(location)
