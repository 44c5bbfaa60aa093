"""Adapters are known before they are trained, found by name and digest, and their pools told to whoever asks."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from synthgen import generate, study
from synthgen.core import adapter_folder
from synthgen.core.adapter_folder import Adapter
from synthgen.errors import DamagedError, IncompleteError, ManifestError, UnavailableError
from synthgen.extensions import EXTENSIONS
from synthgen.generate.reproduce import reproduce
from synthgen.plan import Plan, real_pools
from synthgen.runs import load_plan, run_folder
from synthgen.runs.verify import verify

FAKE = {"strategy": "fake", "settings": {"height": 16, "width": 16}}
STUDY: dict[str, Any] = {
    "real": {"source": "phantom", "count": 60, "splits": {"train": 0.8, "test": 0.2}},
    "skin_tones": {"scale": "fitzpatrick", "values": [1, 3, 6]},
    "finetune": [
        {"name": "tuned-{label}", "method": "lora", "generator_pool": {"n": 3, "draw": 1}},
        {"name": "word", "method": "textual-inversion"},
    ],
    "generate": [
        {**FAKE, "name": "plain", "per_source": 1},
        {**FAKE, "name": "tuned", "adapter": "tuned-{label}", "per_source": 1},
        {**FAKE, "name": "again", "adapter": "tuned-{label}", "from": "plain"},
        {**FAKE, "name": "after", "from": "tuned"},
        {**FAKE, "name": "words", "adapter": "word", "per_cell": 2},
    ],
}


@pytest.fixture
def plan(write_manifest: Callable[..., Path], tmp_path: Path) -> Plan:
    """A study with adapters, planned in a folder."""
    return load_plan.read(write_manifest(**STUDY), EXTENSIONS, tmp_path / "run")


def write(root: Path, adapter: Adapter, value: float = 0.0) -> Path:
    """An adapter's folder as training leaves it, its weights a single number."""
    folder = root / adapter_folder.FOLDER / adapter.name
    folder.mkdir(parents=True)
    save_file({"x": np.array([value], np.float32)}, folder / adapter_folder.LORA)
    facts = {"name": adapter.name, "digest": adapter.digest, "words": {}, "pool": {"ids": list(adapter.pool or ())}}
    adapter_folder.write(folder, facts)
    return folder


@pytest.fixture
def run(plan: Plan, tmp_path: Path) -> Path:
    """The study's run, with adapters and every image."""
    run_folder.reserve(tmp_path / "run", plan)
    for tuning in plan.adapter_plans.values():
        write(tmp_path / "run", tuning.adapter)
    list(generate.generate(generate.prepare(plan, tmp_path / "run")))
    return tmp_path / "run"


def test_the_pool_is_the_frozen_draw(plan: Plan) -> None:
    """Each adapter sees the training images of its label that the study's own draw gives, and no others."""
    assert plan.index is not None
    sources = plan.index.usable("train")
    drawn = real_pools.draw(sources, ["psoriasis", "healthy"], 7, 1).first(3)
    for label in ("psoriasis", "healthy"):
        pool = plan.adapter_plans[f"tuned-{label}"].adapter.pool
        assert pool == tuple(one.id for one in sources if one.id in drawn and one.label == label)
        assert len(pool) == 3
    assert plan.adapter_plans["word"].adapter.pool == tuple(one.id for one in sources)


def test_pools_nest(write_manifest: Callable[..., Path], tmp_path: Path) -> None:
    """A larger pool of the same draw holds the smaller one."""

    def pool(n: int) -> set[str]:
        path = write_manifest(**STUDY | {"finetune": [{"name": "a", "method": "full", "generator_pool": {"n": n}}],
                                         "generate": [{**FAKE, "per_cell": 1}]})  # fmt: skip
        return set(load_plan.read(path, EXTENSIONS, tmp_path / "run").adapter_plans["a"].adapter.pool or ())

    assert pool(1) < pool(2) < pool(5)


def test_a_plan_knows_adapters_before_they_are_trained(plan: Plan) -> None:
    """Planning needs no weights; what decides them decides the digests of adapter and entry, and nothing else does."""
    text = plan.manifest.text
    other = text.replace("draw: 1", "draw: 0")
    changed = Plan(load_plan.manifest.parse(other, EXTENSIONS, base=plan.manifest.base, where="m"), plan.index)
    assert set(plan.adapters) != set(changed.adapters)
    same = [name for name in plan.entries if plan.entries[name].digest == changed.entries[name].digest]
    assert same == ["plain", "words"]


def test_a_missing_adapter_is_one_line(plan: Plan, tmp_path: Path) -> None:
    """Before it is trained, generate says so and makes nothing."""
    with pytest.raises(IncompleteError, match=r"`tuned-psoriasis`.*`synthgen finetune`"):
        generate.prepare(plan, tmp_path / "run")


def test_work_shards_have_one_adapter_each(plan: Plan) -> None:
    """Where each label has an adapter, labels follow one another and no shard straddles two."""
    for name in ("tuned", "again", "after"):
        entry = plan.entries[name]
        shards = [entry.shard(number) for number in range(entry.shards)]
        assert all(len({one.label for one in shard}) == 1 for shard in shards if name != "after")
        assert [one.index for shard in shards for one in shard] == list(range(entry.samples))
        assert all(entry.shard_of(one.index) == number for number, shard in enumerate(shards) for one in shard)
        assert all(entry.find(one.key) == one.index for shard in shards for one in shard)
        assert max(len(shard) for shard in shards) <= entry.shard_samples


def test_what_is_topped_up_has_one_adapter_a_shard_too(plan: Plan) -> None:
    """Images beyond the plan come after those planned, label after label again, and keep keys, shards and digest."""
    text = plan.manifest.text.replace("adapter: word", "adapter: tuned-{label}")
    read = load_plan.manifest.parse(text, EXTENSIONS, base=plan.manifest.base, where="m")
    before = Plan(read, plan.index).entries["words"]
    after = Plan(read, plan.index, ({"words": {("healthy", 3): 2, ("psoriasis", 1): 7}},)).entries["words"]
    assert (after.samples, after.digest) == (before.samples + 9, before.digest)
    shards = [after.shard(number) for number in range(after.shards)]
    assert all(len({one.recipe.adapter for one in shard}) == 1 for shard in shards)
    assert [one.key for shard in shards for one in shard][: before.samples] == [one.key for one in before]
    assert all(after.find(one.key) == one.index for shard in shards for one in shard)
    assert all(after.shard_of(one.index) == number for number, shard in enumerate(shards) for one in shard)


def test_keys_are_those_of_an_entry_without_adapters(plan: Plan) -> None:
    """Putting an adapter on an entry renames no image and changes no seed."""
    plain, tuned = (plan.entries[name] for name in ("plain", "again"))
    assert {plain[place].key.removeprefix("plain-") for place in range(plain.samples)} == {
        tuned[place].key.removeprefix("again-") for place in range(tuned.samples)
    }


def test_an_entry_starts_from_the_images_named_in_its_own_order(run: Path, plan: Plan) -> None:
    """One that goes label after label finds its originals in one that does not, and the other way round."""
    assert {finding.state for finding in verify(run, EXTENSIONS)} == {"whole"}
    again = plan.entries["again"]
    parents = set().union(*(again.starts_from(number, plan.entries["plain"]) for number in range(again.shards)))
    assert parents == set(range(plan.entries["plain"].shards))


def records(run: Path, entry: str) -> list[dict[str, Any]]:
    """Every record of an entry."""
    from synthgen.runs import tar_samples

    return [
        json.loads(one.files["json"]) for path in sorted((run / entry).glob("*.tar")) for one in tar_samples.read(path)
    ]


def test_records_name_the_adapter_and_prompts_the_word(run: Path, plan: Plan) -> None:
    """A record says name and digest of its label's adapter; a learned word takes the place of the label's own."""
    named = Counter((one["label"], one["adapter"]) for one in records(run, "tuned"))
    assert {adapter for _, adapter in named} == {
        str(plan.adapter_plans[f"tuned-{x}"].adapter) for x in ("psoriasis", "healthy")
    }
    assert all(adapter.startswith(f"tuned-{label}@") for label, adapter in named)
    assert {one["adapter"] for one in records(run, "plain")} == {""}
    assert all(f"<{one['label']}>" in one["prompt"] for one in records(run, "words"))


def test_pools_are_told_by_run_and_dataset(run: Path, plan: Plan, tmp_path: Path) -> None:
    """What each record's adapter has seen is the same for a run and for the dataset packed from it."""
    list(study.pack(run, tmp_path / "dataset"))
    told = adapter_folder.pools(run)
    assert told == adapter_folder.pools(tmp_path / "dataset")
    assert told[str(plan.adapter_plans["tuned-healthy"].adapter)] == frozenset(
        plan.adapter_plans["tuned-healthy"].adapter.pool or ()
    )
    assert set(told) == {one["adapter"] for entry in plan.entries for one in records(run, entry)} - {""}
    provenance = json.loads((tmp_path / "dataset" / "provenance.json").read_bytes())
    assert all(len(one["weights_sha256"]) == 64 for one in provenance["adapters"].values())
    assert {finding.state for finding in verify(tmp_path / "dataset", EXTENSIONS)} == {"whole"}
    assert [one["dataset"] for one in provenance["sources"]] == [
        "synthgen phantom"
    ]  # by which the adapters were taught as well
    assert "tuned-psoriasis, tuned-healthy" in (tmp_path / "dataset" / "README.md").read_text()


def test_reproduce_needs_the_adapter(run: Path, tmp_path: Path) -> None:
    """From a run it is there; from a dataset, which holds none, the run is asked for and named."""
    list(study.pack(run, tmp_path / "dataset"))
    key = records(run, "words")[0]["key"]
    assert reproduce(run, key, EXTENSIONS).identical
    with pytest.raises(IncompleteError, match="--work"):
        reproduce(tmp_path / "dataset", key, EXTENSIONS)
    assert reproduce(tmp_path / "dataset", key, EXTENSIONS, run).identical


def test_other_weights_are_refused_on_resume(run: Path, plan: Plan) -> None:
    """Weights that changed since the run was begun are refused, by the adapter's own file and by what the run pins."""
    (run / "words" / "00000.json").unlink()
    save_file({"x": np.array([1], np.float32)}, run / "adapters" / "word" / adapter_folder.LORA)
    with pytest.raises(DamagedError, match="its weights have changed"):
        generate.prepare(plan, run)
    adapter = plan.adapter_plans["word"].adapter
    for path in (run / "adapters" / "word").iterdir():
        path.unlink()
    (run / "adapters" / "word").rmdir()
    write(run, adapter, 2.0)
    with pytest.raises(UnavailableError, match="is not the one that the run was begun with"):
        list(generate.generate(generate.prepare(plan, run)))


def test_a_folder_from_elsewhere_is_an_adapter(
    write_manifest: Callable[..., Path], run: Path, plan: Plan, tmp_path: Path
) -> None:
    """A LoRA that lies anywhere can be named; nobody knows what it has seen, unless it was trained here."""
    folder = tmp_path / "lcm-lora"
    folder.mkdir()
    save_file({"x": np.array([0], np.float32)}, folder / adapter_folder.LORA)
    own = run / "adapters" / "tuned-{label}"
    generate_ = [
        {**FAKE, "per_cell": 1, "adapter": str(folder)},
        {**FAKE, "name": "b", "per_cell": 1, "adapter": str(own)},
    ]
    found = load_plan.read(write_manifest(generate=generate_), EXTENSIONS)
    [lcm, *others] = found.adapters.values()
    assert (lcm.name, lcm.method, lcm.pool, lcm.folder) == ("lcm-lora", "lora", None, folder)
    assert {one.pool for one in others} == {
        plan.adapter_plans[f"tuned-{label}"].adapter.pool for label in ("psoriasis", "healthy")
    }
    list(generate.generate(generate.prepare(found, tmp_path / "other")))
    assert adapter_folder.pools(tmp_path / "other")[str(lcm)] is None


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        (["pytorch_lora_weights.bin"], "holds code or pickled weights (pytorch_lora_weights.bin)"),
        ([adapter_folder.LORA, "pipeline.py"], "holds code or pickled weights (pipeline.py)"),
        (["model_index.json"], "is a whole model, not an adapter; name it under `model`"),
        (["notes.txt"], "is no adapter: it has neither"),
    ],
)
def test_an_unsafe_or_strange_folder_is_refused(
    files: list[str], fault: str, make_plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """Pickled weights, code, whole models and anything else are refused with the reason."""
    for name in files:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ManifestError) as caught:
        make_plan(generate=[{**FAKE, "per_cell": 1, "adapter": str(tmp_path)}])
    [said] = caught.value.faults
    assert said.startswith("generate[0].adapter: ")
    assert fault in said


def tuned(**entry: Any) -> dict[str, Any]:
    """An entry of ``finetune``, sound where nothing is said."""
    return {"name": "a", "method": "lora", **entry}


PRIOR = {"with_prior_preservation": True}
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"finetune": [tuned(name="A")]}, "finetune[0].name: `A` can't name an adapter"),
    ({"finetune": [tuned(method="lara")]}, "finetune[0].method: no method `lara`; did you mean `lora`?"),
    ({"finetune": [tuned(settings={"rnak": 2})]}, "finetune[0].settings.rnak: unknown key; did you mean `rank`?"),
    ({"finetune": [tuned(), tuned()]}, "finetune[1].name: `a` is an adapter of an earlier entry too"),
    ({"finetune": [tuned(name="a-{label}"), tuned(name="a-healthy")]}, "`a-healthy` is an adapter of an earlier"),
    ({"finetune": [tuned(generator_pool="some")]}, "finetune[0].generator_pool"),
    ({"finetune": [tuned(settings=PRIOR)]}, "finetune[0].settings.class_prompts: prior preservation needs them"),
    (
        {"finetune": [tuned(method="textual-inversion", settings={"placeholder_token": "<it>"})]},
        "finetune[0].settings.placeholder_token: one word for 2 labels; put `{label}` into it",
    ),
    ({"finetune": [tuned(settings={"crop_scale": [0.9]})]}, "finetune[0].settings.crop_scale"),
    ({"real": None, "finetune": [tuned()]}, "finetune: needs real images"),
    ({"generate": [{**FAKE, "per_cell": 1, "adapter": "tuned"}]}, "no folder `tuned`; there are: tuned-{label}, word"),
    ({"generate": [{**FAKE, "per_cell": 1, "adapter": "word", "model": "org/x"}]}, "`word` is trained on `phantom`"),
    ({"generate": [{**FAKE, "per_cell": 1, "name": "adapters"}]}, "is where a run keeps its adapters"),
]


@pytest.mark.parametrize(("changes", "fault"), FAULTS, ids=[fault[:40] for _, fault in FAULTS])
def test_a_fault_is_said_in_its_place(changes: dict[str, Any], fault: str, make_plan: Callable[..., Plan]) -> None:
    """What is wrong with an adapter, or with asking for one, is said where it stands and with what to do."""
    with pytest.raises(ManifestError) as caught:
        make_plan(**STUDY | {"generate": [{**FAKE, "per_cell": 1}]} | changes)
    assert any(fault in one for one in caught.value.faults), caught.value.faults


@pytest.mark.parametrize("change", [{"pool": []}, {"pool": {"ids": [1]}}, {"words": {"a": 1}}, {"name": 5}])
def test_facts_of_other_types_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    """An adapter that comes from elsewhere says what is wrong with its facts."""
    facts = {"format": 1, "name": "x", "digest": "d", "weights_sha256": "0", "pool": {"ids": []}, "words": {}}
    (tmp_path / adapter_folder.FACTS).write_text(json.dumps(facts | change))
    with pytest.raises(DamagedError, match=r"adapter\.json: not an adapter's file"):
        adapter_folder.read(tmp_path)
