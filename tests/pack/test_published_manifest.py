"""The manifest in a dataset says what was made, and nothing of whose images it was made from, or where these lie."""

from typing import Any

import pytest
import yaml

from synthgen.pack.published_manifest import has_persons, published

W = "withheld"


@pytest.mark.parametrize(
    ("changes", "published_as"),
    [
        ({"path": "MRN7/photos", "metadata": ["mrn7.csv", "/a/b.csv"]}, {"path": W, "metadata": [W, W]}),
        ({"source": "hub", "path": "org/name", "revision": "v1"}, {}),
        ({"source": "hub", "path": "../org/name"}, {"path": W}),
        ({"source": "webdataset", "path": ["https://a.org/b.tar", "MRN7.tar"]}, {"path": ["https://a.org/b.tar", W]}),
        ({"source": "mine", "archive": {"file": "MRN7.zip", "level": 3}}, {"archive": {"file": W, "level": 3}}),
        ({"where": {"mrn": ["MRN7"], "agreed": [True, "Yes"]}}, {"where": {"mrn": [W], "agreed": [True, "Yes"]}}),
        ({"fetch": {"url": "address", "to": "{id}.jpg"}, "labels": {"a/b": "nevus"}}, {}),
    ],
)
def test_a_manifest_says_nothing_of_whose_images_it_starts_from(
    changes: dict[str, Any], published_as: dict[str, Any]
) -> None:
    """Whatever the source; what describes the data stays, comments don't, and the prompts are the dataset's own."""
    real = {"source": "folder", "dataset": "clinic", "columns": {"image": "images/{file}"}} | changes
    text = f"# Dr. Brown\n{yaml.safe_dump({'name': 'x', 'real': real, 'prompts': 'mine.yaml'})}"
    found = published(text, private=True, renamed=True)
    assert yaml.safe_load(found) == {"name": "x", "real": real | published_as, "prompts": "prompts/prompts.yaml"}
    assert not any(name in found for name in ("MRN7", "mrn7", "Brown"))
    assert published(text, private=False, renamed=False) == text.replace("mine.yaml", "prompts/prompts.yaml")


@pytest.mark.parametrize(
    ("path", "stays"),
    [
        ("photos", True),
        ("data/photos", True),
        ("a..b/photos", True),
        ("/home/jane/photos", False),
        ("~/photos", False),
        ("../jane/photos", False),
        ("data/../../jane", False),
        (r"C:\Users\jane", False),
        (r"\\server\jane", False),
        ("file:///home/jane", False),
    ],
)
def test_a_path_that_leads_elsewhere_is_withheld_whosever_the_images_are(path: str, *, stays: bool) -> None:
    """A place within the manifest's own folder stays as long as no name is a pseudonym, and the text as it was."""
    text = yaml.safe_dump({"real": {"source": "folder", "path": path}, "prompts": "prompts/prompts.yaml"})
    found = published(f"# mine\n{text}", private=True, renamed=False)
    assert yaml.safe_load(found)["real"]["path"] == (path if stays else "withheld")
    assert found.startswith("# mine") == stays


def test_a_manifest_whose_real_images_nothing_starts_from_withholds_them_too() -> None:
    """A study's own photographs are a patient's as well: paths and comments go, also outside of `real:`."""
    text = (
        "# Anna Smith, MRN 4711\nmodel: /home/anna/models/sd\nprompts: dermatology\n"
        "real: {source: folder, path: wards/smith, columns: {image: /mnt/ward/smith, label: diagnosis}}\n"
    )
    assert has_persons(text)
    found = published(text, private=True, renamed=True)
    assert not [said for said in ("Anna", "anna", "4711", "smith", "/mnt") if said in found]
    assert "diagnosis" in found
    assert published(text, private=False, renamed=False).startswith("# Anna")
