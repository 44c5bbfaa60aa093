"""A manifest is read strictly: what is at fault is said by path, all of it at once, before anything runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from synthgen.core import resources
from synthgen.errors import Fault, ManifestError
from synthgen.plan import manifest
from synthgen.plan.manifest import Manifest
from synthgen.plan.manifest.plugin_files import KeptPlugins
from synthgen.plan.manifest.settings import Extensions

GOOD = """\
name: good
seed: 1
labels: {acne: acne, healthy: healthy skin}
skin_tones: {scale: fitzpatrick, values: [1, 5]}
generate:
  - {strategy: fake, per_cell: 2}
"""
Write = Callable[..., Path]


def read(text: str, extensions: Extensions, base: Path, prompts_text: str | None = None) -> Manifest:
    """Read a manifest from its text."""
    return manifest.parse(text, extensions, base=base, where="m.yaml", prompts_text=prompts_text)


def faults_of(text: str, extensions: Extensions, base: Path) -> tuple[Fault, ...]:
    """The faults of a manifest that has some."""
    with pytest.raises(ManifestError) as caught:
        read(text, extensions, base)
    return caught.value.faults


def entry(**keys: Any) -> dict[str, Any]:
    """An entry that the fake strategy makes."""
    return {"generate": [{"strategy": "fake", "per_cell": 2} | keys]}


def total(**keys: Any) -> dict[str, Any]:
    """An entry with a total in place of a count for each cell."""
    return {"generate": [{"strategy": "fake", "total": 8} | keys]}


def test_a_small_manifest_is_read(extensions: Extensions, tmp_path: Path) -> None:
    """What is left out has its default: the bundled model, shipped prompts, JPEG, shards of 48."""
    found = read(GOOD, extensions, tmp_path)
    assert [(one.name, one.strategy, one.model.name, one.per_cell) for one in found.entries] == [
        ("fake", "fake", "phantom", 2)
    ]
    assert found.document.output == manifest.Output(image_format="jpeg", quality=None, shard_samples=48)
    assert found.text == GOOD


def test_a_file_is_read_with_its_folder_as_base(extensions: Extensions, write_manifest: Write) -> None:
    """Relative paths start from the manifest's own folder."""
    path = write_manifest(prompts="own.yaml")
    path.with_name("own.yaml").write_text("templates: ['my {label}']")
    found = manifest.read(path, extensions)
    assert found.base == path.parent.resolve()
    assert found.prompts_text == "templates: ['my {label}']"


@pytest.mark.parametrize("name", ["smallest", "smallest.yaml"])
def test_a_manifest_that_ships_starts_from_the_current_folder(
    extensions: Extensions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """By its bare name its relative paths are the caller's; a file of that name in the current folder wins over it."""
    monkeypatch.chdir(tmp_path)
    assert manifest.read(Path(name), extensions).base == tmp_path.resolve()
    (tmp_path / name).write_text(GOOD, encoding="utf-8")
    assert manifest.read(Path(name), extensions).document.name == "good"


@pytest.mark.parametrize("name", ["dermatology", "dermatology.yaml"])
def test_shipped_prompts_are_found_by_name(extensions: Extensions, write_manifest: Write, name: str) -> None:
    """Prompts that ship are named with or without their ending."""
    found = manifest.read(write_manifest(prompts=name), extensions)
    path = resources.find("prompts", "dermatology")
    assert path is not None
    assert found.prompts_text == path.read_text(encoding="utf-8")


def test_a_file_beside_the_manifest_wins_over_a_shipped_one(extensions: Extensions, write_manifest: Write) -> None:
    """A file named like shipped prompts is the one that is meant."""
    path = write_manifest(prompts="dermatology")
    path.with_name("dermatology").write_text("templates: [mine]")
    assert manifest.read(path, extensions).prompts_text == "templates: [mine]"


def test_kept_prompts_are_used_in_place_of_the_file(extensions: Extensions, tmp_path: Path) -> None:
    """A run reads the templates that it kept, even where their file is gone."""
    found = read(GOOD + "prompts: gone.yaml\n", extensions, tmp_path, prompts_text="templates: [kept]")
    assert found.prompts_text == "templates: [kept]"


def test_a_kept_manifest_has_as_many_entries_as_it_has(
    extensions: Extensions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is for what somebody has just written: runs of versions that had none open."""
    monkeypatch.setattr(manifest, "_MOST_ENTRIES", 1)
    text = GOOD + "  - {name: more, strategy: fake, total: 1}\n"
    with pytest.raises(ManifestError, match="generate: 2 entries, more than 1"):
        read(text, extensions, tmp_path)
    assert len(manifest.parse(text, extensions, base=tmp_path, where="run.json", kept=KeptPlugins()).entries) == 2


def test_an_entry_may_have_its_own_model_and_no_inherited_revision(extensions: Extensions, tmp_path: Path) -> None:
    """The manifest's revision belongs to the manifest's model and is not taken over by an entry's own."""
    own_model = "  - {name: own, strategy: fake, total: 1, model: phantom}"
    text = GOOD.replace("generate:", f"model: org/big\nrevision: v1\ngenerate:\n{own_model}")
    own, inherited = read(text, extensions, tmp_path).entries
    assert (own.model.name, own.revision) == ("phantom", "")
    assert (inherited.model.name, inherited.revision) == ("org/big", "v1")


def test_sizes_left_out_come_from_the_model(extensions: Extensions, tmp_path: Path) -> None:
    """Without height and width, an image has the size that the model was trained for."""
    [one] = read(GOOD.replace("fake", "text2img"), extensions, tmp_path).entries
    assert one.settings.height == one.settings.width == one.model.sample_size


@pytest.mark.parametrize("name", resources.names("manifests"))
def test_shipped_manifests_are_valid(extensions: Extensions, name: str) -> None:
    """Every manifest that ships is read without faults and opens with what, how, how long and what to expect."""
    path = resources.find("manifests", name)
    assert path is not None
    found = manifest.read(path, extensions)
    assert found.document.name == name
    assert all(f"# {word}:" in found.text for word in ("What", "Run", "Time", "Expect"))


def test_the_doses_of_a_study_grow_its_run(extensions: Extensions) -> None:
    """They are the study's own entries and trainings with more images, and ask for the doses of the paper."""
    study, doses = (_as_plain(name, extensions) for name in ("sagers2023", "sagers2023-doses"))
    assert [one.pop("per_source", None) for one in doses["generate"]] == [None, 75, None, None, 75, None]
    assert [one.pop("total", None) for one in doses["generate"]] == [264_750, None, None, 264_750, None, None]
    for one in study["generate"]:
        one.pop("per_source", None), one.pop("total", None)
    assert (doses["evaluate"].pop("n_real"), doses["evaluate"].pop("ratios")) == ([128, 228], [10, 25, 50, 75])
    for key in ("name", "evaluate", "publish"):
        study.pop(key), doses.pop(key)
    assert doses == study


def _as_plain(name: str, extensions: Extensions) -> dict[str, Any]:
    path = resources.find("manifests", name)
    assert path is not None
    found: dict[str, Any] = yaml.safe_load(manifest.read(path, extensions).text)
    return found


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"name": None}, "name", "missing"),
    ({"name": 5}, "name", "wrong_type"),
    ({"name": ""}, "name", "invalid"),
    ({"name": "My Run"}, "name", "invalid"),
    ({"name": "a--b"}, "name", "invalid"),
    ({"name": "../a"}, "name", "invalid"),
    ({"seed": None}, "seed", "missing"),
    ({"seed": True}, "seed", "wrong_type"),
    ({"seed": 1.0}, "seed", "wrong_type"),
    ({"seed": "1"}, "seed", "wrong_type"),
    ({"seed": -1}, "seed", "out_of_range"),
    ({"seed": 2**63}, "seed", "out_of_range"),
    ({"seed": 10**40}, "seed", "out_of_range"),
    ({"seed": float("nan")}, "seed", "wrong_type"),
    ({"sede": 1}, "sede", "unknown_key"),
    ({"labels": {}}, "labels", "out_of_range"),
    ({"labels": ["acne"]}, "labels", "wrong_type"),
    ({"labels": {"acne": ""}}, "labels.acne", "out_of_range"),
    ({"labels": {"acne": True}}, "labels.acne", "wrong_type"),
    ({"labels": {"Acne vulgaris": "acne"}}, "labels.Acne vulgaris", "invalid"),
    ({"labels": {"acne.x": "acne"}}, "labels.acne.x", "invalid"),
    ({"skin_tones": None}, "skin_tones", "missing"),
    ({"skin_tones": {"scale": "fitz", "values": [1]}}, "skin_tones.scale", "not_found"),
    ({"skin_tones": {"scale": "fitzpatrick", "values": []}}, "skin_tones.values", "out_of_range"),
    ({"skin_tones": {"scale": "fitzpatrick", "values": [1, 7]}}, "skin_tones.values[1]", "not_found"),
    ({"skin_tones": {"scale": "monk", "values": [0]}}, "skin_tones.values[0]", "not_found"),
    ({"skin_tones": {"scale": "fitzpatrick-groups", "values": [1]}}, "skin_tones.values[0]", "not_found"),
    ({"skin_tones": {"scale": "fitzpatrick", "values": [2, 2]}}, "skin_tones.values[1]", "duplicate"),
    ({"skin_tones": {"scale": "fitzpatrick", "values": [True]}}, "skin_tones.values[0]", "wrong_type"),
    ({"skin_tones": {"scale": "fitzpatrick", "values": ["I"]}}, "skin_tones.values[0]", "wrong_type"),
    ({"prompts": "none.yaml"}, "prompts", "not_found"),
    ({"prompts": "a" * 300}, "prompts", "not_found"),
    ({"prompts": 5}, "prompts", "wrong_type"),
    ({"prompts": "bad.yaml"}, "templates[0]", "not_found"),
    ({"model": "no such/model/x"}, "model", "invalid"),
    ({"model": "./none"}, "model", "invalid"),
    ({"model": "~nobody-of-this-name/model"}, "model", "invalid"),
    ({"model": "a" * 300}, "model", "invalid"),
    ({"model": "a\0b"}, "model", "invalid"),
    ({"model": "pickled"}, "model", "invalid"),
    ({"model": "coded"}, "model", "invalid"),
    ({"model": "empty"}, "model", "invalid"),
    ({"revision": "v1"}, "generate[0]", "conflict"),
    ({"generate": []}, "generate", "out_of_range"),
    ({"generate": {"strategy": "fake"}}, "generate", "wrong_type"),
    ({"generate": [{"per_cell": 1}]}, "generate[0].strategy", "missing"),
    (entry(strategy="fakes"), "generate[0].strategy", "not_found"),
    (entry(strategy="xyz", name="a"), "generate[0].strategy", "not_found"),
    (entry(strategy="__init__", name="a"), "generate[0].strategy", "not_found"),
    (entry(model="org/a b"), "generate[0].model", "invalid"),
    (entry(total=4), "generate[0]", "conflict"),
    (entry(per_cell=None), "generate[0]", "missing"),
    (entry(per_cell=0), "generate[0].per_cell", "out_of_range"),
    (entry(per_cell=True), "generate[0].per_cell", "wrong_type"),
    (entry(per_cell=10**13), "generate[0].per_cell", "out_of_range"),
    (entry(per_cell=float("inf")), "generate[0].per_cell", "wrong_type"),
    (entry(per_cel=2), "generate[0].per_cel", "unknown_key"),
    (entry(name="A"), "generate[0].name", "invalid"),
    (entry(name=""), "generate[0].name", "invalid"),
    (entry(name="a" * 300), "generate[0].name", "invalid"),
    ({"labels": {"a" * 300: "words"}}, "labels." + "a" * 300, "invalid"),
    (entry(weights={}), "generate[0].weights", "missing"),
    (total(weights={"label": {"acme": 2}}), "generate[0].weights.label.acme", "not_found"),
    (total(weights={"label": {"acne": -1}}), "generate[0].weights.label.acne", "out_of_range"),
    (total(weights={"label": {"acne": float("nan")}}), "generate[0].weights.label.acne", "out_of_range"),
    (total(weights={"label": {"acne": True}}), "generate[0].weights.label.acne", "wrong_type"),
    (total(weights={"skin_tone": {2: 1}}), "generate[0].weights.skin_tone.2", "not_found"),
    (total(weights={"skin_tone": {"1": 1}}), "generate[0].weights.skin_tone.1", "wrong_type"),
    (total(weights={"label": {"acne": 0, "healthy": 0}}), "generate[0].weights", "invalid"),
    (total(weights={"tone": {1: 1}}), "generate[0].weights.tone", "unknown_key"),
    (entry(settings={"heigth": 64}), "generate[0].settings.heigth", "unknown_key"),
    (entry(settings={"height": 7}), "generate[0].settings.height", "out_of_range"),
    (entry(settings={"height": 64.0}), "generate[0].settings.height", "wrong_type"),
    (entry(settings={"width": 8200}), "generate[0].settings.width", "out_of_range"),
    (entry(settings={"seconds": float("nan")}), "generate[0].settings.seconds", "out_of_range"),
    (entry(settings={"flat": [-1]}), "generate[0].settings.flat[0]", "out_of_range"),
    (entry(settings=None), "generate[0].settings", "wrong_type"),
    (entry(strategy="text2img", settings={"height": 65}), "generate[0].settings.height", "out_of_range"),
    (entry(strategy="text2img", settings={"guidance_scale": "3"}), "generate[0].settings.guidance_scale", "wrong_type"),
    (entry(strategy="text2img", model="org/m"), "generate[0].settings.height", "missing"),
    (entry(adapter="x"), "generate[0].adapter", "not_found"),
    ({"finetune": [{"name": "a", "method": "lora"}]}, "finetune", "missing"),
    ({"output": {"image_format": "gif"}}, "output.image_format", "not_found"),
    ({"output": {"image_format": "png", "quality": 90}}, "output.quality", "conflict"),
    ({"output": {"quality": 101}}, "output.quality", "out_of_range"),
    ({"output": {"shard_samples": 0}}, "output.shard_samples", "out_of_range"),
    ({"pack": {"max_shard_bytes": 5}}, "pack.max_shard_bytes", "out_of_range"),
    ({"publish": {"repo": "no-slash"}}, "publish.repo", "invalid"),
    ({"publish": {"tags": "one"}}, "publish.tags", "wrong_type"),
]  # fmt: skip


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with templates at fault and three folders that are no safe models."""
    (tmp_path / "bad.yaml").write_text("templates: ['{colour}']")
    for name, file in (("pickled", "diffusion_pytorch_model.bin"), ("coded", "pipeline.py"), ("empty", "x.txt")):
        (tmp_path / name / "unet").mkdir(parents=True)
        (tmp_path / name / "unet" / file).write_bytes(b"")
        (tmp_path / name / "unet" / "config.json").write_text("{}")
        if name != "empty":
            (tmp_path / name / "model_index.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "path", "kind"), BAD, ids=[f"{path[:60]}-{n}" for n, (_, path, _) in enumerate(BAD)]
)
def test_a_fault_is_said_by_path(
    changes: dict[str, Any], path: str, kind: str, extensions: Extensions, base: Path
) -> None:
    """Each bad manifest is refused with the path of what is wrong, and what kind of fault it is."""
    document = {key: value for key, value in (yaml.safe_load(GOOD) | changes).items() if value is not None}
    faults = faults_of(yaml.safe_dump(document, sort_keys=False), extensions, base)
    assert (path, kind) in [(fault.path, fault.kind) for fault in faults]
    assert all(f"{fault.path}: " in fault for fault in faults)


@pytest.mark.parametrize(
    ("addition", "fault"),
    [
        ("seed: 2\n", "m.yaml: line 7: `seed` is given twice (first in line 2)"),
        ("output: {quality: 90, quality: 91}\n", "m.yaml: line 7: `quality` is given twice"),
        ("pack: !!python/object:os.x {}\n", "m.yaml: line 7: not valid YAML"),
        ("pack: {\n", "m.yaml: line 8: not valid YAML"),
        ("1: 2\n", "[1]: Keys should be strings"),
    ],
)
def test_faults_of_the_yaml_itself(addition: str, fault: str, extensions: Extensions, tmp_path: Path) -> None:
    """Keys given twice, and what is not plain YAML, are refused with their line."""
    assert faults_of(GOOD + addition, extensions, tmp_path)[0].startswith(fault)


@pytest.mark.parametrize(
    ("first", "second", "labels"),
    [("a", "a-b", ["b-c", "c"]), ("text", "text-skin", ["skin-x", "x"]), ("x-y", "x", ["z", "y-z"])],
)
def test_entries_whose_keys_could_meet_are_refused(
    first: str, second: str, labels: list[str], extensions: Extensions, tmp_path: Path
) -> None:
    """Two entries may not be able to give two images one key, as `a` with `b-c` and `a-b` with `c` do."""
    entries = [{"name": name, "strategy": "fake", "per_cell": 1} for name in (first, second)]
    document = yaml.safe_load(GOOD) | {"labels": dict.fromkeys(labels, "words"), "generate": entries}
    [fault] = faults_of(yaml.safe_dump(document), extensions, tmp_path)
    assert fault.startswith(f"generate[1].name: its keys `{second}-")
    assert f"those of `{first}` too" in fault


def test_two_entries_of_one_name_are_refused(extensions: Extensions, tmp_path: Path) -> None:
    """A strategy used twice needs names, since without one an entry is called like its strategy."""
    [fault] = faults_of(GOOD + "  - {strategy: fake, total: 3}\n", extensions, tmp_path)
    assert fault == "generate[1].name: `fake` names an earlier entry too; each needs its own"


@pytest.mark.parametrize("weight", ["1.0e+200", "1.0e-200"])
def test_weights_of_any_size_are_planned_or_refused(weight: str, extensions: Extensions, tmp_path: Path) -> None:
    """Weights whose products leave the range of a float neither crash the plan nor lose an image."""
    from synthgen.plan import Plan

    weights = f"weights: {{label: {{acne: {weight}, healthy: 0}}, skin_tone: {{1: {weight}, 5: 0}}}}"
    text = GOOD.replace("per_cell: 2", f"total: 8, {weights}")
    assert Plan(read(text, extensions, tmp_path)).samples == 8


REAL = {"source": "phantom", "count": 8, "seed": 1}


def from_images(*entries: dict[str, Any], real: dict[str, Any] | None = REAL) -> dict[str, Any]:
    """A manifest with real images, and entries that start from them."""
    return {"real": real, "generate": [{"name": f"e{place}"} | entry for place, entry in enumerate(entries)]}


FROM_IMAGES: list[tuple[dict[str, Any], str, str]] = [
    (
        from_images({"strategy": "img2img", "per_cell": 2}),
        "generate[0]",
        "missing",
    ),
    (from_images({"strategy": "text2img", "per_source": 2}), "generate[0]", "conflict"),
    (from_images({"strategy": "fake", "per_source": 2, "per_cell": 2}), "generate[0]", "conflict"),
    (
        from_images({"strategy": "img2img", "per_source": 2, "from": "e0"}),
        "generate[0]",
        "conflict",
    ),
    (
        from_images({"strategy": "fake", "per_cell": 1, "source_pool": {"n": 1}}),
        "generate[0].source_pool",
        "conflict",
    ),
    (
        from_images({"strategy": "fake", "per_source": 1, "source_pool": {"n": 0}}),
        "generate[0].source_pool.n",
        "out_of_range",
    ),
    (from_images({"strategy": "fake", "per_source": 0}), "generate[0].per_source", "out_of_range"),
    (from_images({"strategy": "fake", "per_source": 1}, real=None), "generate[0].per_source", "missing"),
    (from_images({"strategy": "fake", "from": "e1"}), "generate[0].from", "not_found"),
    (from_images({"strategy": "fake", "from": "e0"}), "generate[0].from", "conflict"),
    (
        from_images({"strategy": "fake", "per_source": 1}, {"strategy": "fake", "from": "e00"}),
        "generate[1].from",
        "not_found",
    ),
    (from_images({"strategy": "fake", "per_cell": 1, "frm": "e0"}), "generate[0].frm", "unknown_key"),
    (
        from_images({"strategy": "fake", "per_cell": 1, "target_label": "acne"}),
        "generate[0].target_label",
        "conflict",
    ),
    (
        from_images({"strategy": "fake", "per_source": 1, "target_label": "acme"}),
        "generate[0].target_label",
        "not_found",
    ),
    (
        from_images({"strategy": "img2img", "per_source": 1, "settings": {"strength": 0.01}}),
        "generate[0].settings",
        "invalid",
    ),
    (
        from_images({"strategy": "inpaint", "per_source": 1, "settings": {"mask": {"shape": "star"}}}),
        "generate[0].settings.mask.shape",
        "not_found",
    ),
    (
        from_images(
            {"strategy": "inpaint", "per_source": 1, "settings": {"mask": {"shape": "source"}}},
            real={"source": "folder", "path": "."},
        ),
        "generate[0].settings.mask.shape",
        "missing",
    ),
    ({"real": {}}, "real.source", "missing"),
    ({"real": {"source": "folders", "path": "x"}}, "real.source", "not_found"),
    ({"real": {"source": "folder", "path": "x", "pth": 1}}, "real.pth", "unknown_key"),
    ({"real": REAL | {"labels": {"x": "acme"}}}, "real.labels.x", "not_found"),
    ({"real": REAL | {"skin_tones": {"x": 7}}}, "real.skin_tones.x", "not_found"),
    ({"real": REAL | {"splits": {"train": 0.5}}}, "real.splits", "invalid"),
]


@pytest.mark.parametrize(("changes", "path", "kind"), FROM_IMAGES)
def test_faults_of_real_images_are_said_by_path(
    extensions: Extensions, tmp_path: Path, changes: dict[str, Any], path: str, kind: str
) -> None:
    """What is wrong with real images, or with an entry that starts from some, is said where it stands."""
    faults = faults_of(yaml.safe_dump(yaml.safe_load(GOOD) | changes, sort_keys=False), extensions, tmp_path)
    assert (path, kind) in [(fault.path, fault.kind) for fault in faults]


ADVISED: list[tuple[dict[str, Any], str]] = [
    ({"sede": 1}, "unknown key; did you mean `seed`?"),
    ({"skin_tones": {"scale": "fitzpatrick-groups", "values": [1]}}, "there are: 12, 34, 56"),
    (entry(strategy="fakes"), "no strategy `fakes`; did you mean `fake`?"),
    (entry(strategy="xyz", name="a"), "no strategy `xyz`; there are: controlnet, fake, "),
    (entry(per_cel=2), "unknown key; did you mean `per_cell`?"),
    (total(weights={"label": {"acme": 2}}), "did you mean `acne`?"),
    (total(weights={"skin_tone": {2: 1}}), "no such skin tone; there are: 1, 5"),
    (entry(settings={"heigth": 64}), "did you mean `height`?"),
    (from_images({"strategy": "fake", "per_source": 1}, {"strategy": "fake", "from": "e00"}), "did you mean `e0`?"),
    (from_images({"strategy": "fake", "per_cell": 1, "frm": "e0"}), "did you mean `from`?"),
    (from_images({"strategy": "fake", "per_source": 1, "target_label": "acme"}), "`acne`?"),
    ({"real": {"source": "folders", "path": "x"}}, "did you mean `folder`?"),
    ({"real": {"source": "folder", "path": "x", "pth": 1}}, "did you mean `path`?"),
    ({"real": REAL | {"labels": {"x": "acme"}}}, "did you mean `acne`?"),
]


@pytest.mark.parametrize(("changes", "advice"), ADVISED)
def test_a_fault_says_what_to_write_instead(
    changes: dict[str, Any], advice: str, extensions: Extensions, tmp_path: Path
) -> None:
    """A near miss is told what it was meant to be, anything else what there is to choose from."""
    faults = faults_of(yaml.safe_dump(yaml.safe_load(GOOD) | changes, sort_keys=False), extensions, tmp_path)
    assert any(advice in fault for fault in faults)


STUDY: dict[str, Any] = {"real": REAL, "evaluate": {"n_real": [1]}}
EVALUATE: list[tuple[dict[str, Any], str, str]] = [
    ({"evaluate": {}}, "evaluate", "say under `real:` where they are"),
    (STUDY | {"evaluate": {"n_real": 8}}, "evaluate.n_real", "valid list"),
    (STUDY | {"evaluate": {"mixx": 1}}, "evaluate.mixx", "did you mean `mix`?"),
    (STUDY | {"evaluate": {"learner": {"kind": "finetune", "backbone": "gabor"}}}, "evaluate.learner", "is for probe"),
    (STUDY | {"evaluate": {"learner": {"frozen": True}}}, "evaluate.learner", "`frozen` is for finetune"),
    (STUDY | {"evaluate": {"labels": ["acne", "eczem"]}}, "evaluate.labels", "no label `eczem`"),
    (STUDY | {"evaluate": {"strategies": {"all": ["fak"]}}}, "evaluate.strategies.all", "did you mean `fake`?"),
    (STUDY | {"evaluate": {"strategies": {"a": ["b", "b"]}}}, "evaluate.strategies", "once is enough"),
    (STUDY | {"evaluate": {"strategies": {"fake": ["x"]}}}, "evaluate.strategies.fake", "take another name"),
    (STUDY | {"evaluate": {"against": {"fake": "fak"}}}, "evaluate.against", "no strategy `fak`; did you mean `fake`?"),
    (STUDY | {"evaluate": {"strategies": {"all": ["fake"]}, "against": {"all": "fake"}}}, "evaluate.against",
     "no strategy `fake`"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "path", "phrase"), EVALUATE)
def test_faults_of_a_study_are_said_by_path(
    extensions: Extensions, tmp_path: Path, changes: dict[str, Any], path: str, phrase: str
) -> None:
    """What is wrong with `evaluate:` is said where it stands, as of every other part."""
    document = yaml.safe_load(GOOD) | {"generate": [{"strategy": "fake", "per_cell": 1}]} | changes
    faults = faults_of(yaml.safe_dump(document, sort_keys=False), extensions, tmp_path)
    assert [fault for fault in faults if fault.startswith(f"{path}:") and phrase in fault], faults


def test_a_study_decides_no_image(extensions: Extensions, tmp_path: Path) -> None:
    """Entry digests are the same with `evaluate:` and without, so a study can be added to a finished run."""
    from synthgen.plan import Plan

    with_study = GOOD + "real: {source: phantom, count: 8, seed: 1}\nevaluate: {n_real: [1]}\n"
    assert Plan(read(with_study, extensions, tmp_path)).digest == Plan(read(GOOD, extensions, tmp_path)).digest


def test_all_faults_are_listed_at_once(extensions: Extensions, tmp_path: Path) -> None:
    """Faults of types, names, settings, strategies and prompts stand in one list."""
    text = """\
name: Bad Name
seed: true
labels: {Acne: acne}
skin_tones: {scale: fitzpatrick, values: [1]}
prompts: none.yaml
generate:
  - {strategy: fake, per_cell: 0, settings: {heigth: 3}}
  - {strategy: fkae, per_cell: 1}
sede: 4
"""
    paths = ["seed", "generate[0].per_cell", "sede", "prompts", "name", "labels.Acne"]
    paths += ["generate[0].settings.heigth", "generate[1].strategy"]
    assert [fault.partition(": ")[0] for fault in faults_of(text, extensions, tmp_path)] == paths


def test_faults_beyond_types_are_listed_at_once(extensions: Extensions, tmp_path: Path) -> None:
    """Where the types are right, faults of names, tones, models, counts and settings stand in one list."""
    text = """\
name: Bad Name
seed: 1
labels: {Acne: acne}
skin_tones: {scale: fitzpatrick, values: [9]}
model: ./none
prompts: none.yaml
generate:
  - {strategy: fake, settings: {heigth: 3}}
  - {strategy: fake, per_cell: 1, total: 1}
"""
    found = {fault.partition(": ")[0] for fault in faults_of(text, extensions, tmp_path)}
    names = {"name", "labels.Acne", "skin_tones.values[0]", "model", "prompts"}
    assert found == names | {"generate[0]", "generate[1]", "generate[0].settings.heigth", "generate[1].name"}


def test_a_fault_of_type_hides_no_other_fault(extensions: Extensions, tmp_path: Path) -> None:
    """Beside a key of the wrong type, what is wrong elsewhere is said too, in sound parts of the same entry also."""
    text = """\
name: good
seed: "1"
labels: {acne: acne, rash: 5}
skin_tones: {scale: fitzpatrick, values: [9, 9]}
model: ./none
output: {image_format: png, quality: 90}
pack: {splits: {train: 0.5}}
generate:
  - {strategy: fake, per_cell: two, weights: {skin_tone: {9: 0}}, settings: {heigth: 3}}
  - {strategy: fake, per_cell: 1, total: 1, speed: 3}
  - {strategy: text2img, total: 4, name: "A B", settings: {num_inference_steps: 0}}
"""
    found = [fault.partition(": ")[0] for fault in faults_of(text, extensions, tmp_path)]
    assert sorted(found) == [
        "generate[0].per_cell",
        "generate[0].settings.heigth",
        "generate[0].weights",
        "generate[0].weights",
        "generate[1]",
        "generate[1].name",
        "generate[1].speed",
        "generate[2].name",
        "generate[2].settings.num_inference_steps",
        "labels.rash",
        "model",
        "output.quality",
        "pack.splits",
        "seed",
        "skin_tones.values[0]",
        "skin_tones.values[1]",
        "skin_tones.values[1]",
    ]


def test_one_fault_is_said_once(extensions: Extensions, tmp_path: Path) -> None:
    """A model at fault that several entries share, or settings that two checks meet, is one line."""
    text = GOOD.replace("generate:", "model: ./none\ngenerate:\n  - {name: b, strategy: fake, total: 1}")
    assert len(faults_of(text, extensions, tmp_path)) == 1


def test_a_fault_of_type_hides_no_fault_beside_it(extensions: Extensions, tmp_path: Path) -> None:
    """A value of the wrong type in a list or a mapping leaves its neighbours checked."""
    text = """\
name: good
seed: 1
labels: {Acne: 5}
skin_tones: {scale: fitzpatrick, values: [0, 1, 1, x]}
output: {image_format: png, quality: 90, shard_samples: many}
pack: {splits: {train: 0.5}, images_per_shard: 0}
generate: [{strategy: fake, per_cell: 1, settings: {height: 32, width: 32}}]
"""
    found = [fault.partition(": ")[0] for fault in faults_of(text, extensions, tmp_path)]
    tones = [f"skin_tones.values[{place}]" for place in (0, 2, 3)]
    labels = ["labels.Acne"] * 2
    others = ["output.quality", "output.shard_samples", "pack.images_per_shard", "pack.splits"]
    assert sorted(found) == sorted([*tones, *labels, *others])
