"""Near-duplicates: copies that were changed on the way are found, other images are not taken for copies."""

import io
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from synthgen.errors import InputError, UnavailableError
from synthgen.phantom.conditions import CONDITIONS
from synthgen.phantom.render import render
from synthgen.vision import near_duplicates
from synthgen.vision.images import untrusted
from synthgen.vision.near_duplicates import THRESHOLD, References, nearest, signatures

Pixels = npt.NDArray[np.uint8]
COUNT = 16


@pytest.fixture(scope="module")
def phantoms() -> Pixels:
    """Phantoms of site b, of every condition and type."""
    labels = [list(CONDITIONS)[number % len(CONDITIONS)] for number in range(COUNT)]
    return render(labels, [number % 6 + 1 for number in range(COUNT)], site="b", seed=5).images


def cropped(image: Pixels) -> Pixels:
    """Most of an image, not from the middle, at the old size."""
    return untrusted.fit(image[4:58, 9:63], 64, 64, "crop")


def encoded(image: Pixels) -> Pixels:
    """An image that was stored as a poor JPEG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=50)
    return np.asarray(Image.open(file).convert("RGB"))


def recoloured(image: Pixels) -> Pixels:
    """An image in a warmer light and stronger contrast."""
    return np.clip(image * [1.15, 1.0, 0.85] * 1.1 - 15, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "change",
    [np.fliplr, np.flipud, cropped, encoded, recoloured],
    ids=["mirrored", "upended", "crop", "jpeg", "colour"],
)
def test_a_changed_copy_is_found(phantoms: Pixels, change: Callable[[Pixels], Pixels]) -> None:
    """The original of a changed copy is the nearest, and above the threshold but for a few crops of skin all alike."""
    found = nearest(signatures(np.stack([change(image) for image in phantoms])), signatures(phantoms))
    assert found.index.tolist() == list(range(COUNT))
    assert (found.similarity > THRESHOLD).mean() >= (0.75 if change is cropped else 1)


def test_an_exact_copy_has_similarity_one(phantoms: Pixels) -> None:
    """An image is its own nearest, at 1."""
    rows = signatures(phantoms)
    found = nearest(rows, rows)
    assert found.index.tolist() == list(range(COUNT))
    assert found.similarity == pytest.approx(1, abs=1e-4)


def test_other_images_are_below_the_threshold(phantoms: Pixels) -> None:
    """Phantoms of the same condition and type that were drawn apart are no copies."""
    labels = [list(CONDITIONS)[number % len(CONDITIONS)] for number in range(COUNT)]
    others = render(labels, [number % 6 + 1 for number in range(COUNT)], site="b", seed=6).images
    assert nearest(signatures(others), signatures(phantoms)).similarity.max() < THRESHOLD


def test_what_is_excluded_does_not_count(phantoms: Pixels) -> None:
    """An image that may not be compared with itself finds another."""
    for count in (COUNT, 3):  # more than the fine search looks at, and fewer
        rows, itself = signatures(phantoms[:count]), np.arange(count)
        found = nearest(rows, rows, exclude=itself)
        assert (found.index != itself).all()
        assert found.similarity.max() < THRESHOLD


def test_an_image_alone_has_no_neighbour(phantoms: Pixels) -> None:
    """Where nothing is left to compare with, the row is -1 and the similarity 0."""
    rows = signatures(phantoms[:1])
    for references, exclude in ((rows[:0], None), (rows, np.zeros(1, np.int64))):
        found = nearest(rows, references, exclude=exclude)
        assert found.index.tolist() == [-1]
        assert found.similarity.tolist() == [0]


def test_size_does_not_matter(phantoms: Pixels) -> None:
    """A copy of eight times the size is found."""
    large = np.stack([untrusted.fit(image, 512, 512, "crop") for image in phantoms[:4]])
    found = nearest(signatures(large), signatures(phantoms))
    assert found.index.tolist() == [0, 1, 2, 3]
    assert found.similarity.min() > THRESHOLD


def test_blocks_change_nothing(phantoms: Pixels) -> None:
    """The same neighbours are found whatever is compared at a time."""
    rows, mirrored = signatures(phantoms), signatures(phantoms[:, :, ::-1])
    whole = nearest(mirrored, rows)
    blocks = References(rows, at_once=3).nearest(mirrored, at_once=5)
    assert blocks.index.tolist() == whole.index.tolist()
    assert blocks.similarity == pytest.approx(whole.similarity, abs=1e-4)


def test_an_index_finds_what_the_exact_search_finds() -> None:
    """Copies, cropped and mirrored too, have the same neighbour and similarity above the limit; none names itself."""
    pytest.importorskip("faiss")
    drawn = render(["psoriasis", "vitiligo"] * 45, [1, 6, 3] * 30, site="b", seed=5).images
    rows, copies = signatures(drawn), signatures(np.stack([*drawn[:30, :, ::-1], *map(cropped, drawn[30:60])]))
    exact, others = nearest(copies, rows), nearest(rows, rows, exclude=np.arange(90))
    index = References(rows, exact=50)
    found = index.nearest(copies)
    assert found.index.tolist() == exact.index.tolist() == list(range(60))
    assert found.similarity == pytest.approx(exact.similarity, abs=1e-4)
    again = index.nearest(rows, exclude=np.arange(90))
    assert (again.index != np.arange(90)).all()
    assert (again.index == others.index).mean() > 0.8
    rebuilt = References(rows, exact=50).nearest(rows, exclude=np.arange(90))
    assert rebuilt.similarity.tolist() == again.similarity.tolist()


def test_without_faiss_more_are_refused(phantoms: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit, the line says what to install."""
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UnavailableError, match=r"synthgen-images\[faiss\]"):
        References(signatures(phantoms), exact=3)


def test_a_signature_is_of_norm_one_unless_its_image_is_flat(phantoms: Pixels) -> None:
    """Rows are unit vectors, and zeros for an image that shows nothing."""
    grey = np.full((1, 64, 64, 3), 90, np.uint8)
    norms = np.linalg.norm(signatures(np.concatenate([phantoms, grey])), axis=1)
    assert norms[:-1] == pytest.approx(1, abs=1e-5)
    assert norms[-1] == 0


def test_what_is_no_image_is_refused() -> None:
    """An array of another type or shape is bad input."""
    with pytest.raises(InputError, match="uint8"):
        near_duplicates.signatures(np.zeros((2, 8, 8), np.uint8))


def test_the_similarity_of_a_pair_is_that_of_a_search_among_one(phantoms: Pixels) -> None:
    """Many pairs at once have the very numbers that each has alone; a query without a reference has none."""
    rows = near_duplicates.signatures(phantoms[:6])
    queries = near_duplicates.signatures(np.ascontiguousarray(phantoms[:6, ::-1]))
    pairs = np.array([3, -1, 2, 0, 5, 1])
    found = near_duplicates.References(rows).similarity(queries, pairs)
    alone = [
        near_duplicates.nearest(query[None], rows[pair][None]).similarity[0] if pair >= 0 else 0.0
        for query, pair in zip(queries, pairs, strict=True)
    ]
    assert found.tolist() == alone
