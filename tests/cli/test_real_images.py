"""What `plan`, `generate` and `run` say of the real images that a manifest starts from."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from synthgen.core import resources
from synthgen.vision.images import codec

Synthgen = Callable[..., Any]
COLUMNS = "md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,three_partition_label,qc,url"
LABELS = (
    "allergic contact dermatitis", "basal cell carcinoma", "folliculitis", "lichen planus", "lupus erythematosus",
    "neutrophilic dermatoses", "photodermatoses", "psoriasis", "sarcoidosis", "squamous cell carcinoma",
)  # fmt: skip
ENTRIES = [
    {"name": "first", "strategy": "fake", "per_source": 2, "settings": {"height": 16, "width": 16}},
    {"name": "second", "strategy": "fake", "from": "first", "settings": {"height": 16, "width": 16}},
]


def picture(shade: int) -> bytes:
    """A small PNG, another for each shade."""
    import numpy as np

    return codec.encode(np.full((16, 16, 3), shade, np.uint8), codec.Encoding("png"))


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Twelve images with two that are one file, one that can't be opened, one that is missing, and a strange label."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    lines = ["file_name,label,fitzpatrick,split"]
    for number in range(12):
        (folder / f"{number}.png").write_bytes(picture(number // 2 if number < 2 else number))
        lines.append(f"{number}.png,psoriasis,{(1, 3, 6)[number % 3]},{'test' if number > 9 else 'train'}")
    (folder / "5.png").write_bytes(b"GIF")
    (folder / "6.png").unlink()
    lines += ["12.png,warts,1,train", "13.png,psoriasis,3,later"]
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def study(write_manifest: Callable[..., Path], photographs: Path) -> Path:
    """A manifest that starts from them."""
    return write_manifest(
        generate=ENTRIES, real={"source": "folder", "path": photographs.name, "columns": {"split": "split"}}
    )


def test_plan_accounts_for_every_row(synthgen: Synthgen, study: Path) -> None:
    """Usable images a split, rows left out and images at fault are counted from metadata, and that is said."""
    lines = synthgen("plan", study).out.splitlines()
    first = lines.index("real images: 9 train, 2 test; counted from metadata, none was opened")
    assert lines[first + 1 : first + 3] == [
        "  rows left out: 1 no label of the manifest, as `warts`",
        "  images that can't be used: 2 no file, as `13.png`",
    ]
    block = lines.index("  to use rows without a label, say what they are:")
    assert lines[block + 1 : block + 4] == ["    real:", "      labels:", '        "warts": LABEL  # 1 row']
    assert "  no real image is in the validation split; give `validation` a larger share in `real.splits`" in lines


def test_plan_shows_real_images_by_label_tone_and_split(synthgen: Synthgen, study: Path) -> None:
    """Each cell has its images of the three splits, and the sums stand beside and below."""
    lines = [line.split() for line in synthgen("plan", study).out.splitlines()]
    shown = lines[lines.index(["real", "images:", "train/validation/test"]) :]
    found = {line[0]: " ".join(line[1:]) for line in shown if line and line[0] in ("psoriasis", "all")}
    assert len(set(found.values())) == 1, found
    assert found["all"].endswith("9/0/2")


def test_plan_json_has_the_account(synthgen: Synthgen, study: Path) -> None:
    """`--json` has the same under `real`."""
    planned = json.loads(synthgen("plan", study, "--json").out)
    assert planned["real"] == {
        "usable": {"train": 9, "validation": 0, "test": 2},
        "left_out": {"no label of the manifest": 1},
        "faults": {"no file": 2},
    }
    assert planned["samples"] == 9 * 2 * 2
    assert planned["real_images"]["examples"]["no label of the manifest"] == {"warts": 1}
    assert sum(cell["images"] for cell in planned["real_images"]["cells"]) == 11


def test_plan_refuses_a_study_that_cannot_be(
    refused: Callable[..., list[str]], synthgen: Synthgen, write_manifest: Callable[..., Path], photographs: Path
) -> None:
    """A line a fault, also where no image is made from the real ones; images that are not here yet are only said."""
    real = {"source": "folder", "path": photographs.name, "columns": {"split": "split"}}
    evaluate = {"synthetic": "this", "n_real": [5], "seeds": 1}
    faults = refused("plan", write_manifest(real=real, evaluate=evaluate))
    assert any(fault.startswith("real: no validation image of any label") for fault in faults)
    photographs.rename(photographs.with_name("elsewhere"))
    planned = synthgen("plan", write_manifest(real=real, evaluate=evaluate))
    assert planned.code == 0
    assert "evaluate: not checked against real images: real.path: no folder `photographs`" in planned.out


def test_generate_says_it_once_after_opening(synthgen: Synthgen, study: Path, tmp_path: Path) -> None:
    """What opening has shown is said on stderr where images are indexed, and not again on resume."""
    lines = synthgen("generate", study, "--out", tmp_path / "run").err.splitlines()
    first = lines.index("real images: 7 train, 2 test")
    assert lines[first + 1] == "  rows left out: 1 no label of the manifest, as `warts`"
    assert lines[first + 2].startswith("  images that can't be used: 2 no file, as `13.png`, 1 ")
    assert lines[first + 3].startswith("  1 image is the same file as another, as `")
    assert "real images" not in synthgen("generate", study, "--out", tmp_path / "run").err


def test_how_images_are_fetched_is_no_part_of_the_index(
    synthgen: Synthgen, write_manifest: Callable[..., Path], photographs: Path, tmp_path: Path
) -> None:
    """A run goes on where `real.fetch` was added or changed, for the images are the same."""
    real = {"source": "folder", "path": photographs.name, "columns": {"split": "split"}}
    before = synthgen("generate", write_manifest(generate=ENTRIES, real=real), "--out", tmp_path / "run", "-q")
    real |= {"fetch": {"url": "label", "to": "{label}.png"}}
    after = synthgen("generate", write_manifest(generate=ENTRIES, real=real), "--out", tmp_path / "run", "-q")
    assert before == after == (0, "", "")


def test_images_that_come_late_are_found(
    synthgen: Synthgen, refused: Callable[..., list[str]], study: Path, photographs: Path, tmp_path: Path
) -> None:
    """A run that found no image to start from indexes again; one that did stays with those it found."""
    files = {path: path.read_bytes() for path in photographs.glob("*.png")}
    for path in files:
        path.unlink()
    assert "no usable image" in refused("generate", study, "--out", tmp_path / "run", "-q")[0]
    for path, content in files.items():
        path.write_bytes(content)
    assert "\nreal images: 7 train, 2 test\n" in synthgen("generate", study, "--out", tmp_path / "run").err
    (photographs / "6.png").write_bytes(picture(6))
    assert synthgen("generate", study, "--out", tmp_path / "run").out.startswith("28 images in ")


def test_quiet_says_nothing(synthgen: Synthgen, study: Path, tmp_path: Path) -> None:
    """`-q` keeps the account to itself."""
    assert synthgen("generate", study, "--out", tmp_path / "run", "-q") == (0, "", "")


def test_run_says_it_too(synthgen: Synthgen, study: Path, tmp_path: Path) -> None:
    """`run` begins with the same account."""
    assert "\nreal images: 7 train, 2 test\n" in synthgen("run", study, "--out", tmp_path / "study").err


def test_no_image_to_start_from_is_said_with_reasons(
    refused: Callable[..., list[str]], study: Path, photographs: Path
) -> None:
    """Where the training split is empty, what has become of the rows stands in the one line."""
    for path in photographs.glob("*.png"):
        path.unlink()
    [fault] = refused("plan", study)
    assert fault == (
        "entry `first`: `real:` gives no usable image in the training split (1 no label of the manifest, as "
        "`warts`, 13 no file, as `0.png`)"
    )


@pytest.fixture
def fitzpatrick17k(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """A table of Fitzpatrick17k's shape in the current folder, with empty files; returns the rows of each label."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "fitzpatrick17k"
    (folder / "images").mkdir(parents=True)
    labels = [*LABELS * 6, "psoriasis", "acne"]
    with (folder / "fitzpatrick17k.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS.split(","))
        table.writeheader()
        for number, label in enumerate(labels):
            table.writerow({"md5hash": f"{number:032x}", "fitzpatrick_scale": (number % 7) or -1, "label": label})
            (folder / "images" / f"{number:032x}.jpg").touch()
    return Counter(labels)


def without_study(name: str) -> Path:
    """A manifest that ships, in the current folder, without the study that so few real images make impossible."""
    document = yaml.safe_load(resources.find("manifests", name).read_text(encoding="utf-8"))
    del document["evaluate"]
    path = Path(f"{name}.yaml").absolute()
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def test_a_study_that_its_real_images_make_impossible_is_refused(
    synthgen: Synthgen, fitzpatrick17k: Counter[str]
) -> None:
    """By `plan`, before anything is made."""
    refused = synthgen("plan", "sagers2023")
    assert refused.code == 2
    assert "evaluate" in refused.err


def test_sagers2023_makes_ten_of_each_training_image(synthgen: Synthgen, fitzpatrick17k: Counter[str]) -> None:
    """Ten images a real image and cell, of its source's label; from prompts ten for each of the paper's images."""
    planned = json.loads(synthgen("plan", without_study("sagers2023"), "--json").out)
    counts = Counter[str]()
    labels = Counter[str]()
    for cell in planned["cells"]:
        counts[cell["entry"]] += cell["samples"]
        labels[cell["entry"], cell["label"]] += cell["samples"]
    usable = planned["real"]["usable"]
    assert sum(usable.values()) == sum(fitzpatrick17k.values()) - 1 == 61
    for tuned in ("", "-tuned"):
        assert counts[f"text{tuned}"] == 35300
        assert counts[f"inpaint{tuned}"] == counts[f"in-then-outpaint{tuned}"] == 10 * usable["train"]
    assert len(counts) == 6
    assert planned["real"]["left_out"] == {"no label of the manifest": 1}
    assert all(labels["inpaint", label] == labels["in-then-outpaint", label] for _, label in labels)
    assert {cell["skin_tone"] for cell in planned["cells"] if cell["entry"] == "inpaint"} >= {"unknown", "VI"}


def test_sagers2023_prompts_in_proportion_to_the_paper(synthgen: Synthgen, fitzpatrick17k: Counter[str]) -> None:
    """Of images from prompts each label has ten for each of the paper's, within the rounding of its six cells."""
    planned = json.loads(synthgen("plan", without_study("sagers2023"), "--json").out)
    labels = Counter[str]()
    for cell in planned["cells"]:
        labels[cell["label"]] += cell["samples"] * (cell["entry"] == "text")
    assert labels["psoriasis"] == pytest.approx(5840, abs=6)
    assert labels["folliculitis"] == pytest.approx(1910, abs=6)


def test_sagers2023_reads_no_image_and_its_own_prompt(synthgen: Synthgen, fitzpatrick17k: Counter[str]) -> None:
    """Its prompt is the paper's to the letter, Arabic numerals and `unknown` included, without a negative one."""
    from synthgen.extensions import EXTENSIONS
    from synthgen.runs import load_plan

    plan = load_plan.read(Path("sagers2023"), EXTENSIONS)
    said = {plan.entries["inpaint"].sample(index).prompt for index in range(plan.entries["inpaint"].samples)}
    types = {prompt.rpartition(" ")[2] for prompt in said}
    assert types == {"1", "2", "3", "4", "5", "6", "unknown"}
    assert "An image of lichen planus, a skin disease, Fitzpatrick skin type 4" in said
    assert plan.entries["text"].sample(0).negative_prompt == ""


def test_a_bare_name_starts_from_the_current_folder(
    synthgen: Synthgen, fitzpatrick17k: Counter[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy reads its own folder's data wherever it is called from; the name reads the current folder's."""
    found = resources.find("manifests", "sagers2023")
    assert found is not None
    copy = tmp_path / "mine.yaml"
    copy.write_bytes(found.read_bytes())
    by_name = synthgen("plan", "sagers2023", "--json")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert synthgen("plan", copy, "--json") == by_name
    assert synthgen("plan", "sagers2023").code == 2


def test_da_fusion_reads_a_folder_a_label(synthgen: Synthgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sub-folder a label is all that it takes: three images a training image at each of four strengths."""
    monkeypatch.chdir(tmp_path)
    for number in range(20):
        path = tmp_path / "data" / "my-images" / ("psoriasis" if number % 2 else "melanoma") / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    planned = json.loads(synthgen("plan", "da-fusion", "--json").out)
    usable = planned["real"]["usable"]
    assert sum(usable.values()) == 20
    assert planned["samples"] == 4 * 3 * usable["train"]
    assert {cell["entry"] for cell in planned["cells"]} == {f"strength-{share}" for share in (25, 50, 75, 100)}


def test_values_are_shown_where_nothing_matches(
    synthgen: Synthgen, write_manifest: Callable[..., Path], photographs: Path
) -> None:
    """With labels that no row has, the block to paste stands above the fault."""
    real = {"source": "folder", "path": photographs.name}
    for command in (("plan",), ("generate", "--out", photographs.parent / "run")):
        manifest = write_manifest(labels={"acne": "acne"}, generate=ENTRIES, real=real)
        said = synthgen(command[0], manifest, *command[1:])
        assert said.code == 2
        lines = said.err.splitlines()
        assert '        "psoriasis": LABEL  # 13 rows' in lines
        assert "gives no usable image" in lines[-1]


def test_images_that_only_judge_are_shown_too(
    synthgen: Synthgen, write_manifest: Callable[..., Path], photographs: Path
) -> None:
    """A study that starts from no real image is judged on some, so its plan has their table and what is left out."""
    real = {"source": "folder", "path": photographs.name, "columns": {"split": "split"}}
    text = [{"strategy": "fake", "per_cell": 1, "settings": {"height": 16, "width": 16}}]
    labels = {"psoriasis": "psoriasis", "warts": "warts"}
    out = synthgen("plan", write_manifest(labels=labels, generate=text, real=real)).out
    assert "real images: train/validation/test" in out
    assert "real images: 9 train, 2 test; counted from metadata" in out


def test_a_run_warns_of_nothing_twice(
    synthgen: Synthgen,
    write_manifest: Callable[..., Path],
    photographs: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It plans more than once, and says what is odd about its data once."""
    (tmp_path / "out.txt").write_text("2\nnobody\n", encoding="utf-8")
    real = {"source": "folder", "path": photographs.name, "columns": {"split": "split"}, "exclude": {"file": "out.txt"}}
    assert synthgen("run", write_manifest(generate=ENTRIES, real=real), "--out", tmp_path / "study").code == 0
    lines = [line for line in caplog.messages if "`nobody`" in line]
    assert len(lines) == 1
