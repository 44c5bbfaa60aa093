"""What is packed, shown or printed tells nothing of the machine, its user and their secrets."""

import json
import re
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from synthgen import study
from synthgen.cli import call
from synthgen.core import model_folder
from synthgen.diffusion.strategies import fake
from synthgen.errors import InputError
from synthgen.extensions import EXTENSIONS
from synthgen.generate.reproduce import reproduce
from synthgen.pack import public_record
from synthgen.plan import Plan, model_names
from synthgen.plan.sample import PARTS, Recipe, Record
from synthgen.preview import show
from synthgen.runs.folders import open_folder

HOST = "canary-host"
TOKEN = "hf_canaryCANARYcanaryCANARYcanary1234"
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN")


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """Every file below a folder as text, of Parquet what it says when it is read."""
    for path in [one for one in root.rglob("*") if one.is_file()]:
        yield path.name, path.read_bytes().decode("latin-1")
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            shown = table.drop_columns([name for name in table.column_names if name == "image"])
            yield path.name, f"{shown.to_pylist()} {table.schema.metadata}"


@pytest.fixture(scope="module")
def home(make_plan: Callable[..., Plan], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in somebody's home, of a model and a scorer that lie there, done with secrets in the environment."""
    root = tmp_path_factory.mktemp("home") / "jane.doe"
    shutil.copytree(model_folder.bundled(), root / "models" / "mine")
    (root / "red.py").write_text("def score(records, pixels): return {'redness': pixels[..., 0].mean((1, 2)) * 0}\n")
    manifest = root / "study.yaml"
    manifest.write_text(json.dumps({
        "name": "small", "seed": 7, "model": f"{root}/models/mine",
        "labels": {"psoriasis": "psoriasis"}, "skin_tones": {"scale": "fitzpatrick", "values": [1]},
        "generate": [{"strategy": "fake", "per_cell": 3, "settings": {"height": 32, "width": 32}}],
        "curate": {"scorers": {"red": {"file": f"{root}/red.py", "columns": ["redness"]}}, "keep": ["red.redness < 2"]},
        "output": {"image_format": "png"}, "publish": {"license": "openrail"},
    }))  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name in SECRETS:
            patch.setenv(name, TOKEN)
        patch.setenv("HOME", str(root))
        patch.setattr(socket, "gethostname", lambda: HOST)
        patch.setenv("XDG_CACHE_HOME", str(root / ".cache"))
        patch.setenv("XDG_CONFIG_HOME", str(root / ".config"))
        study.run(manifest, root / "study").result()
        for layout in ("parquet", "imagefolder"):
            study.pack(root / "study" / "work", root / "study" / layout, format=layout).result()
    return root


@pytest.mark.parametrize("folder", ["dataset", "parquet", "imagefolder"])
def test_a_dataset_names_no_home_user_or_host(home: Path, folder: str) -> None:
    """In none of its files."""
    for word in ("jane.doe", str(home), HOST, TOKEN):
        assert [name for name, text in texts(home / "study" / folder) if word in text] == []


def test_a_gallery_of_a_run_names_no_folder_of_a_model(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is shown to others; the model is called as in a dataset."""
    monkeypatch.setattr(fake.Settings, "uses_model", True)  # as of a strategy that has use for one
    show(open_folder(home / "study" / "work", EXTENSIONS), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "mine" in page
    assert not re.search(r"models.{0,6}mine", page)


def test_a_secret_of_the_environment_is_written_nowhere(home: Path) -> None:
    """Neither into the run nor into what is kept for the user."""
    assert [name for name, text in texts(home) if TOKEN in text] == []


@pytest.mark.parametrize(
    "arguments", [["verify", "WORK"], ["publish", "DATASET", "--repo", "a/b", "--dry-run"], ["doctor"]]
)
def test_a_secret_of_the_environment_is_printed_nowhere(
    arguments: list[str], home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a command says, with -v too."""
    for name in SECRETS:
        monkeypatch.setenv(name, TOKEN)
    places = {"WORK": home / "study" / "work", "DATASET": home / "study" / "dataset"}
    call([*(str(places.get(one, one)) for one in arguments), *(["-v"] if arguments != ["doctor"] else [])])
    said = capsys.readouterr()
    assert said.out + said.err
    assert TOKEN not in said.out + said.err


def test_such_a_dataset_is_reproduced_by_its_run(home: Path, tmp_path: Path) -> None:
    """Which lies beside it, or is named; elsewhere the line says so."""
    key = "fake-psoriasis-1-0000000"
    assert reproduce(home / "study" / "dataset", key, EXTENSIONS).identical
    shutil.copytree(home / "study" / "dataset", tmp_path / "dataset")
    assert reproduce(tmp_path / "dataset", key, EXTENSIONS, home / "study" / "work").identical
    with pytest.raises(InputError, match="say which run has it: --work RUN"):
        reproduce(tmp_path / "dataset", key, EXTENSIONS)


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("/home/jane/models/sd", "sd"), ("~/sd", "sd"), (r"C:\Users\jane\sd", "sd"), (r"\\server\jane\sd", "sd"),
        ("/", "model"), ("org/name", "org/name"), ("phantom", "phantom"), ("./mine", "./mine"),
    ],
)  # fmt: skip
def test_names_of_models_without_their_folders(model: str, shown: str) -> None:
    """What is no absolute path stays as it is, in the parts that a record names too."""
    given: dict[str, Any] = {name: kind() for name, kind in _kinds().items()}
    said = dict.fromkeys(PARTS, f"{model}@sha256:0") | {"drawn": model}
    record = Record(**given | {"model": model, "attributes": json.dumps(said, sort_keys=True)})
    found = public_record.public(record, None, private=True)
    assert found.model == shown
    part = f"{shown}@sha256:0" if model != "/" else "@sha256:0"
    assert json.loads(found.attributes) == dict.fromkeys(PARTS, part) | {"drawn": model}
    assert replace(found, model=model, attributes=record.attributes) == record
    assert public_record.public(record, None, private=False) == record


def test_every_part_of_a_recipe_is_named_without_its_folder() -> None:
    """One that is added later too: whatever a recipe is made with beside its model and adapter is among its parts."""
    others = {"entry", "strategy", "settings", "model", "revision", "adapter"}
    assert {one.name for one in fields(Recipe)} - others == set(PARTS.values())
    for key in PARTS:
        given: dict[str, Any] = {name: kind() for name, kind in _kinds().items()}
        record = Record(**given | {"attributes": json.dumps({key: "/home/jane/own@sha256:0"})})
        assert json.loads(public_record.public(record, None, private=True).attributes) == {key: "own@sha256:0"}


def test_a_dataset_of_before_that_names_folders_is_packed_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is another one by its digest, so that it is not found packed, nor half of it gone on with."""
    run, out = home / "study" / "work", tmp_path / "dataset"
    with monkeypatch.context() as before:
        before.setattr(model_names, "ABSOLUTE", re.compile("(?!)"))
        study.pack(run, out).result()
    assert [name for name, text in texts(out) if "jane.doe" in text]
    study.pack(run, out).result()
    assert [name for name, text in texts(out) if "jane.doe" in text] == []


def test_the_card_says_that_images_take_the_run_which_has_their_model(home: Path) -> None:
    """And nothing of real images, where there are none."""
    card = (home / "study" / "dataset" / "README.md").read_text()
    assert "synthgen reproduce . KEY --work RUN" in card
    assert "real images are" not in card
    assert "are a function of" not in card


def _kinds() -> dict[str, Callable[[], Any]]:
    from synthgen.plan.sample import field_types

    return field_types()
