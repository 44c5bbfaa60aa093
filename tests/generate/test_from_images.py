"""Entries that start from images: real ones or those of an earlier entry, by every strategy that can."""

import json
import random
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from synthgen import generate, study
from synthgen.cli import call
from synthgen.core.devices import DeviceRequest
from synthgen.errors import InputError
from synthgen.generate import reproduce
from synthgen.plan import Plan, real_index
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.sample import Record
from synthgen.runs import dataset_folder, load_plan, run_folder, tar_samples
from synthgen.runs.folders import Run
from synthgen.runs.receipts import Ledger
from synthgen.runs.start_images import of_run
from synthgen.runs.verify import verify
from synthgen.vision.images import codec

Write = Callable[..., Path]
REAL = {"source": "phantom", "count": 16, "seed": 5, "site": "b"}
CELLS = {
    "labels": {"psoriasis": "psoriasis", "melanoma": "melanoma"},
    "skin_tones": {"scale": "fitzpatrick", "values": [1, 2, 3, 4, 5, 6]},
    "output": {"image_format": "png", "shard_samples": 4},
    "real": REAL,
}
SAMPLER = {"num_inference_steps": 3, "guidance_scale": 2.0}
FOUR = DeviceRequest("cpu", "fp32", batch_size=4)
CENTRE = {"shape": "centre", "fraction": 0.25}
EVERY = [
    {"strategy": "img2img", "per_source": 1, "settings": SAMPLER | {"strength": 0.7}},
    {"name": "inside", "strategy": "inpaint", "per_source": 1, "settings": SAMPLER | {"mask": CENTRE}},
    {"name": "around", "strategy": "outpaint", "from": "inside", "settings": SAMPLER | {"strength": 0.95}},
]
FAKES = [
    {"name": "first", "strategy": "fake", "per_source": 2},
    {"name": "second", "strategy": "fake", "from": "first", "settings": {"width": 32, "height": 32}},
    {"name": "third", "strategy": "fake", "from": "second", "target_label": "melanoma"},
]


@pytest.fixture
def fakes(write_manifest: Write) -> Path:
    """A chain of three entries, by the fake strategy, from phantoms."""
    return write_manifest(**CELLS, generate=FAKES)


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of every strategy that starts from an image, on the bundled model."""
    path = tmp_path_factory.mktemp("every") / "manifest.yaml"
    document = {"name": "every", "seed": 7, **CELLS, "real": REAL | {"count": 6}, "generate": EVERY}
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def painted(every: Path, extensions: Extensions) -> tuple[Path, Plan]:
    """The run of that manifest in batches of four, and its plan; nobody changes it."""
    root = every.with_name("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(every.with_name("cache")))
        return root, made_in(root, extensions, every, FOUR)


def made_in(
    root: Path, extensions: Extensions, path: Path, asked: DeviceRequest | None = None, **selection: Any
) -> Plan:
    """Plan a manifest and make its images."""
    plan = load_plan.read(path, extensions, root)
    job = generate.prepare(plan, root, generate.Selection(**selection))
    list(generate.generate(job, asked))
    return plan


def stored(root: Path, plan: Plan) -> dict[str, tar_samples.TarSample]:
    """Every sample of a run by its key."""
    paths = [
        Ledger(root, name, entry.digest).tar(k) for name, entry in plan.entries.items() for k in range(entry.shards)
    ]
    return {sample.key: sample for path in paths for sample in tar_samples.read(path)}


def test_keys_name_the_source_and_records_say_all_of_it(fakes: Path, tmp_path: Path, extensions: Extensions) -> None:
    """Label, tone, group, split and dataset of an image are its source's, down a chain of entries."""
    plan = made_in(tmp_path / "run", extensions, fakes)
    sources = {
        source.id: source for source in real_index.Index.read(tmp_path / "run" / real_index.FILE).usable("train")
    }
    found = stored(tmp_path / "run", plan)
    assert len(found) == plan.samples == 3 * 2 * len(sources)
    for sample in found.values():
        record = json.loads(sample.files["json"])
        source = sources[record["source_id"]]
        assert record["key"].startswith(f"{record['entry']}-{source.id}-")
        assert record["label"] == ("melanoma" if record["entry"] == "third" else source.label)
        assert record["fitzpatrick"] == source.tone
        assert (record["source_group"], record["source_split"]) == (source.group, "train")
        assert record["source_dataset"] == source.dataset
        before = json.loads(record["attributes"]).get("from", "")
        assert before == {"first": "", "second": "first", "third": "second"}[record["entry"]] + record[
            "key"
        ].removeprefix(record["entry"]) * (record["entry"] != "first")


def test_every_image_is_marked_as_a_composite(fakes: Path, tmp_path: Path, extensions: Extensions) -> None:
    """The IPTC source type of an image that is partly a real photograph says so."""
    plan = made_in(tmp_path / "run", extensions, fakes, limit=4)
    content = Ledger(tmp_path / "run", "first", plan.entries["first"].digest).tar(0).read_bytes()
    assert content.count(codec.COMPOSITE.encode()) == 4


def test_the_index_is_frozen(fakes: Path, tmp_path: Path, extensions: Extensions) -> None:
    """A run goes on with the index that it keeps, and a plan of another manifest changes nothing of that."""
    plan = made_in(tmp_path / "run", extensions, fakes, limit=4)
    assert load_plan.read(fakes, extensions, tmp_path / "run").digest == plan.digest
    assert run_folder.read_plan(tmp_path / "run", extensions).digest == plan.digest
    fakes.write_text(fakes.read_text().replace("count: 16", "count: 20"))
    assert load_plan.read(fakes, extensions, tmp_path / "run").digest != plan.digest
    assert run_folder.read_plan(tmp_path / "run", extensions).digest == plan.digest


@pytest.mark.parametrize(
    "change",
    [("count: 16", "count: 20"), ("  - 6\n", ""), ("seed: 7", "seed: 8"), ("melanoma: melanoma", "melanoma: a mole")],
    ids=["real", "tone", "seed", "label"],
)
def test_what_reads_real_images_otherwise_makes_another_index(
    change: tuple[str, str], write_manifest: Write, tmp_path: Path, extensions: Extensions
) -> None:
    """What starts from the same images stays, the rest is as of a run made at once; going back makes nothing."""
    fakes, root = write_manifest(**CELLS, generate=FAKES[:2]), tmp_path / "run"
    before = made_in(root, extensions, fakes)
    first, text = stored_records(root, extensions), fakes.read_text()
    assert change[0] in text
    fakes.write_text(text.replace(*change))
    asked = load_plan.read(fakes, extensions, root)
    changed = generate.prepare(asked, root, extensions=extensions, accept_changes=True)
    list(generate.generate(changed))
    made_in(tmp_path / "once", extensions, fakes)
    assert stored_records(root, extensions) == stored_records(tmp_path / "once", extensions)
    assert {finding.state for finding in verify(root, extensions)} == {"whole"}
    fakes.write_text(text)
    back = generate.prepare(load_plan.read(fakes, extensions, root), root, extensions=extensions, accept_changes=True)
    assert (back.todo, back.plan.digest) == ((), before.digest)
    assert stored_records(root, extensions) == first


def stored_records(root: Path, extensions: Extensions) -> dict[str, Record]:
    """Every record of a run that counts, by key."""
    return {one.key: one for one in Run(root, extensions).records()}


def test_nothing_is_written_into_a_folder_of_somebody_else(fakes: Path, tmp_path: Path, extensions: Extensions) -> None:
    """Real images are not indexed in a folder that is neither empty nor a run."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(InputError, match="not empty and not a synthgen run"):
        load_plan.read(fakes, extensions, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_changed_photograph_is_refused(write_manifest: Write, tmp_path: Path, extensions: Extensions) -> None:
    """A file that is not the one indexed any more stops the run with its name; what was made is kept."""
    photographs = tmp_path / "photographs"
    assert call(["phantom", "--out", str(photographs), "--per-cell", "1", "--seed", "1", "-q"]) == 0
    path = write_manifest(
        **CELLS | {"real": {"source": "folder", "path": str(photographs), "metadata": "metadata.csv"}},
        generate=[{"strategy": "fake", "per_source": 2}],
    )
    plan = load_plan.read(path, extensions, tmp_path / "run")
    victim = plan.entries["fake"].sample(0).source
    assert victim is not None
    (photographs / victim.location).write_bytes((photographs / victim.location).read_bytes() + b" ")
    with pytest.raises(InputError, match=victim.id):
        list(generate.generate(generate.prepare(plan, tmp_path / "run")))


def test_an_image_that_could_not_be_made_has_no_child(
    write_manifest: Write, tmp_path: Path, extensions: Extensions
) -> None:
    """A failed sample's child is a failed sample too, with its reason, and not a hole."""
    chain = [dict(FAKES[0], settings={"flat": [1], "flat_attempts": 9}), FAKES[1]]
    path = write_manifest(**CELLS, generate=chain)
    plan = made_in(tmp_path / "run", extensions, path)
    receipt = Ledger(tmp_path / "run", "second", plan.entries["second"].digest).trusted(0)
    assert receipt is not None
    assert receipt.samples[1].tries == ("no-original", "failed")
    assert receipt.count == len(receipt.samples) - 1


def test_a_shard_waits_for_the_one_that_it_starts_from(
    fakes: Path, tmp_path: Path, extensions: Extensions, caplog: pytest.LogCaptureFixture
) -> None:
    """Selected without their parents, shards are left for later, and that is said."""
    plan = load_plan.read(fakes, extensions, tmp_path / "run")
    first = plan.entries["first"].shards
    job = generate.prepare(plan, tmp_path / "run", generate.Selection(shards=(first, None)))
    assert job.todo == ()
    assert f"{job.waiting} work shards wait" in caplog.text
    assert job.waiting == plan.shards - first


def test_a_chain_killed_in_the_middle_ends_the_same(
    fakes: Path, tmp_path: Path, extensions: Extensions, tars_in: Any, in_a_fork: Callable[..., BaseProcess]
) -> None:
    """Killed again and again, a chain of entries ends byte-equal with an unbroken one."""
    text = fakes.read_text().replace("strategy: fake", "strategy: fake\n  settings: {seconds: 0.02}", 1)
    fakes.write_text(text)
    made_in(tmp_path / "whole", extensions, fakes)
    command = ("command", "generate", fakes, "--out", tmp_path / "run", "-q")
    moments = random.Random(1)
    for _ in range(4):
        before, deadline = len(tars_in(tmp_path / "run")), time.monotonic() + 60
        process = in_a_fork(*command)
        while process.is_alive() and len(tars_in(tmp_path / "run")) == before and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.1))
        process.kill()
        process.join()
    last = in_a_fork(*command)
    last.join()
    assert last.exitcode == 0
    assert tars_in(tmp_path / "run") == tars_in(tmp_path / "whole")
    assert {finding.state for finding in verify(tmp_path / "run", extensions)} == {"whole"}


def test_a_packed_chain_knows_its_plan(fakes: Path, tmp_path: Path, extensions: Extensions) -> None:
    """A packed dataset keeps what its plan needs of the real images that it starts from, and of no others."""
    plan = made_in(tmp_path / "run", extensions, fakes)
    list(study.pack(tmp_path / "run", tmp_path / "dataset"))
    assert dataset_folder.read_plan(tmp_path / "dataset", extensions).digest == plan.digest
    kept = real_index.Index.read(tmp_path / "dataset" / real_index.FILE)
    assert len(kept.sources) == plan.entries["first"].samples / 2
    assert {source.split for source in kept.sources} == {"train"}
    assert {finding.state for finding in verify(tmp_path / "dataset", extensions)} == {"whole"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
class TestDiffusion:
    """Every strategy that starts from an image, by real diffusion."""

    def test_only_the_mask_is_painted(self, painted: tuple[Path, Plan]) -> None:
        """Stored without loss, every pixel outside the mask is the source's own, and inside it is another."""
        root, plan = painted
        found, read = stored(root, plan), of_run(plan, root)
        for name in ("inside", "around"):
            entry: Any = plan.entries[name]
            for sample in entry.shard(0):
                read.fetch([sample])
                original, made = read(sample).pixels, codec.decode(found[sample.key].image)
                mask = entry.recipe.settings.mask.draw(64, 64, sample.seed)
                assert (made[~mask] == original[~mask]).all()
                assert (made[mask] != original[mask]).mean() > 0.5

    def test_rerun_and_batch_size(
        self, painted: tuple[Path, Plan], every: Path, tmp_path: Path, extensions: Extensions, tars_in: Any
    ) -> None:
        """A second run gives the same bytes; batches of one give the same images to 40 dB."""
        root, plan = painted
        made_in(tmp_path / "two", extensions, every, FOUR)
        made_in(tmp_path / "single", extensions, every, DeviceRequest("cpu", "fp32", batch_size=1))
        assert tars_in(root) == tars_in(tmp_path / "two")
        batched, single = stored(root, plan), stored(tmp_path / "single", plan)
        # the last entry starts from the images of the one before, so its tolerance is theirs
        worst = min(codec.psnr(codec.decode(batched[key].image), codec.decode(single[key].image)) for key in batched)
        assert worst >= 40

    def test_reproduced_from_run_and_dataset(
        self, painted: tuple[Path, Plan], tmp_path: Path, extensions: Extensions
    ) -> None:
        """One image is made again to the byte, from its real image or from the image that it started from."""
        root, plan = painted
        list(study.pack(root, tmp_path / "dataset"))
        for entry in plan.entries.values():
            key = entry.sample(1).key
            assert reproduce.reproduce(root, key, extensions).identical
            assert reproduce.reproduce(tmp_path / "dataset", key, extensions).identical

    def test_strength_is_how_far_it_goes(self, write_manifest: Write, tmp_path: Path, extensions: Extensions) -> None:
        """The less the strength, the nearer an image stays to its source."""
        strengths = [0.25, 0.5, 1.0]
        entries = [
            {"name": f"at-{place}", "strategy": "img2img", "per_source": 1,
             "settings": SAMPLER | {"strength": strength, "num_inference_steps": 8}}
            for place, strength in enumerate(strengths)
        ]  # fmt: skip
        path = write_manifest(**CELLS | {"real": REAL | {"count": 6}}, generate=entries)
        plan = made_in(tmp_path / "run", extensions, path)
        found, read, distances = stored(tmp_path / "run", plan), of_run(plan, tmp_path / "run"), []
        for entry in plan.entries.values():
            samples = entry.shard(0)
            read.fetch(samples)
            pairs = [(read(one).pixels.astype(float), codec.decode(found[one.key].image)) for one in samples]
            distances.append(np.mean([np.abs(before - after).mean() for before, after in pairs]))
        assert distances == sorted(distances)
        assert distances[0] < 0.8 * distances[-1]

    def test_a_lesion_s_own_mask(self, write_manifest: Write, tmp_path: Path, extensions: Extensions) -> None:
        """The mask that comes with a real image is painted over; one that is empty is a failed sample."""
        entry = {"strategy": "inpaint", "per_source": 1, "settings": SAMPLER | {"mask": {"shape": "source"}}}
        labels = {"melanoma": "melanoma", "healthy": "healthy skin"}
        path = write_manifest(**CELLS | {"labels": labels, "real": REAL | {"count": 12}}, generate=[entry])
        plan = made_in(tmp_path / "run", extensions, path)
        ledger = Ledger(tmp_path / "run", "inpaint", plan.entries["inpaint"].digest)
        receipts = [ledger.trusted(number) for number in range(plan.shards)]
        outcomes = {one.key: one for receipt in receipts if receipt for one in receipt.samples}
        for sample in (plan.entries["inpaint"].sample(i) for i in range(plan.samples)):
            wanted = ("empty-mask", "failed") if sample.label == "healthy" else ("made",)
            assert outcomes[sample.key].tries == wanted
