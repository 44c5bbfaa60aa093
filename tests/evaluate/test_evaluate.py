"""A study is trained bit by bit, ends with the same bytes however it got there, and catches what leaks."""

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from synthgen import evaluate
from synthgen.errors import InputError, StoppedError
from synthgen.evaluate.analysis.comparisons import Analysis
from synthgen.evaluate.analysis.predictions import Predictions
from synthgen.evaluate.design import caveats
from synthgen.evaluate.design.leakage import CHILD, NEAR, SEEN
from synthgen.evaluate.design.trials import SyntheticImage
from synthgen.evaluate.images import compare, near_duplicates
from synthgen.evaluate.note import Note
from synthgen.evaluate.report import conclusions, write
from synthgen.evaluate.train import train
from synthgen.plan import manifest
from synthgen.plan.manifest.evaluate import Strategy
from synthgen.plan.real_index import Index, Source
from synthgen.vision import near_duplicates as vision
from synthgen.vision.classifiers.fit_result import log_loss
from synthgen.vision.features import user_cache

REAL_ARMS = ["real", "real+augment"]
RUN = """
import os, signal, sys
from pathlib import Path
from synthgen import evaluate
from synthgen.core import atomic
from synthgen.extensions import EXTENSIONS
from synthgen.evaluate.note import Note
from synthgen.plan import manifest
from synthgen.plan.manifest.evaluate import Strategy
from synthgen.vision import near_duplicates as vision
from synthgen.vision.features import user_cache

read, out, given, cache = map(Path, sys.argv[1:])
user_cache.folder = lambda: cache
publish, files = atomic.publish, []
def dying(scratch, path):
    files.extend([path] * (path.suffix == ".safetensors"))
    if len(files) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    publish(scratch, path)
atomic.publish = dying
list(evaluate.evaluate(evaluate.prepare(manifest.read(read, EXTENSIONS), out, EXTENSIONS, given=given), workers=1))
"""


@pytest.fixture(scope="session")
def base(drawn: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with real images, and a second pool of real images as the synthetic dataset `second`."""
    root = tmp_path_factory.mktemp("study")
    drawn.write_real(root / "real")
    drawn.write_dataset(root / "second", drawn.more_real(12))
    return root


@pytest.fixture(scope="session")
def compared_once() -> Callable[..., compare.Alike]:
    """``compare.by_chance``, which compares the same pictures once and remembers what it found."""
    known, by_chance = dict[Any, compare.Alike](), compare.by_chance

    def found(*given: Any) -> compare.Alike:
        *pictures, own, _ = given
        key = (*((*one.names, one.rows.tobytes(), *one.groups) for one in pictures), *own)
        if key not in known:
            known[key] = by_chance(*given)
        return known[key]

    return found


@pytest.fixture(autouse=True)
def _shared_features(base: Path, compared_once: Callable[..., compare.Alike], monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep features, and what looks like what, from one test to the next."""
    monkeypatch.setattr(user_cache, "folder", lambda: base / "features")
    monkeypatch.setattr(compare, "by_chance", compared_once)


@pytest.fixture
def prepared(drawn: ModuleType, base: Path, extensions: Any, tmp_path: Path) -> Callable[..., evaluate.EvaluateJob]:
    """Prepares a study of the second pool, or of another dataset, in the folder ``report``."""

    def prepare(images: list[Any] | None = None, adapters: Any = None, **settings: Any) -> evaluate.EvaluateJob:
        given = base / "second"
        if images is not None:
            given = drawn.write_dataset(tmp_path / "images", images, adapters)
        path = drawn.write_manifest(base / f"{tmp_path.name}.yaml", **settings)
        return evaluate.prepare(manifest.read(path, extensions), tmp_path / "report", extensions, given=given)

    return prepare


def done(job: evaluate.EvaluateJob, **options: Any) -> Analysis:
    """What a study shows once it is trained."""
    list(evaluate.evaluate(job, **({"workers": 1} | options)))
    return Analysis(Predictions.read(job.out / "predictions.parquet"), draws=200)


def files(root: Path) -> dict[str, str]:
    """The sha256 of every file of a report."""
    paths = sorted(path for path in root.rglob("*") if path.is_file() and path.parent.name != "real")
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="session")
def whole(drawn: ModuleType, base: Path, extensions: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small study that ran through; nobody changes it."""
    out = tmp_path_factory.mktemp("whole") / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(user_cache, "folder", lambda: base / "features")
        read = manifest.read(drawn.write_manifest(base / "whole.yaml"), extensions)
        list(evaluate.evaluate(evaluate.prepare(read, out, extensions, given=base / "second"), workers=1))
    return out


def test_a_study_leaves_the_promised_files(whole: Path) -> None:
    """Tables, predictions, pictures, both reports and the card's block are there, and nothing half written."""
    names = {path.name for path in whole.iterdir()}
    promised = {"results.csv", "by_skin_tone.csv", "by_label.csv", "comparisons.csv", "predictions.parquet"}
    promised |= {"report.html", "report.md", "card.md", "plots", "trials", "study.json", "real", "near-copies.json"}
    promised |= {"class_figures.csv", "reliability.csv", "validation.parquet"}
    assert promised | {"SHA256SUMS"} == names
    assert not [path for path in whole.rglob(".*") if path.name != ".lock"]


def test_the_images_that_trials_are_tuned_on_are_said(whole: Path) -> None:
    """Validation may hold far more images than a trial learns from."""
    assert re.search(r"\| validation images +\| \d+, \d+ (to \d+ )?a label", (whole / "report.md").read_text())


def test_every_arm_takes_the_same_steps(whole: Path) -> None:
    """`results.csv` proves it: one number of optimizer steps, in every row."""
    header, *rows = (line.split(",") for line in (whole / "results.csv").read_text().splitlines())
    assert {row[header.index("optimizer_steps")] for row in rows} == {"30"}
    assert len({row[header.index("arm")] for row in rows}) == 7  # real-step-matched is real


def test_trials_of_one_training_are_trained_once(whole: Path) -> None:
    """Arms that are the same images and steps share one training, and still have a row each."""
    rows = (whole / "results.csv").read_text().splitlines()[1:]
    assert len(list(whole.glob("trials/*/*.safetensors"))) < len(rows)


def test_a_study_that_was_stopped_goes_on_where_it_was(whole: Path, prepared: Any) -> None:
    """What was trained is not trained again, and all files end as those of one that ran through."""
    trained, asked = list[str](), iter([False, False, False, True])
    trainings = evaluate.evaluate(prepared(), workers=1, stop=lambda: next(asked))
    with pytest.raises(StoppedError):
        trained.extend(one.name for one in trainings)
    job = prepared()
    assert evaluate.finished(job) == 3
    rest = [one.name for one in evaluate.evaluate(job, workers=1)]
    assert not set(trained) & set(rest)
    assert files(job.out) == files(whole)


@pytest.mark.slow
def test_a_study_that_was_killed_goes_on_where_it_was(
    whole: Path, prepared: Any, drawn: ModuleType, base: Path, tmp_path: Path
) -> None:
    """Killed between writing a file and its name, the study repeats that one alone and ends with the same bytes."""
    read = drawn.write_manifest(base / f"{tmp_path.name}.yaml")
    where = [read, tmp_path / "report", base / "second", base / "features"]
    assert subprocess.run([sys.executable, "-c", RUN, *where], check=False).returncode == -signal.SIGKILL
    job = prepared()
    assert evaluate.finished(job) == 2
    list(evaluate.evaluate(job, workers=1))
    assert files(job.out) == files(whole)


@pytest.mark.slow
def test_processes_change_no_byte(whole: Path, prepared: Any) -> None:
    """Two workers train what one does, to the last bit."""
    job = prepared()
    list(evaluate.evaluate(job, workers=2))
    assert files(job.out) == files(whole)


def test_a_rotten_file_is_trained_again(whole: Path, prepared: Any) -> None:
    """A file that is not what was written costs its own training and nothing else."""
    job = prepared()
    shutil.copytree(whole, job.out, dirs_exist_ok=True)
    file = sorted(job.out.glob("trials/*/*.safetensors"))[0]
    file.write_bytes(file.read_bytes()[:-1])
    assert [one.name for one in evaluate.evaluate(job, workers=1)] == [file.stem]
    assert files(job.out) == files(whole)


def test_a_report_is_made_again_from_its_predictions(whole: Path, tmp_path: Path) -> None:
    """Without a training, an image or a manifest, the same files come out."""
    (tmp_path / "again").mkdir()
    for name in (write.FILE, write.VALIDATION):
        shutil.copy(whole / name, tmp_path / "again")
    evaluate.rescore(tmp_path / "again")
    expected, again = files(whole), files(tmp_path / "again")
    del again["SHA256SUMS"]  # the study's own lists what was found of near-copies too
    assert {name: sha for name, sha in expected.items() if name in again} == again
    assert "report.html" in again


def test_another_seed_or_arm_trains_what_is_new(whole: Path, prepared: Any) -> None:
    """A study that grows keeps the trainings that it has."""
    small = prepared(arms=["real", "real+synthetic"], seeds=1)
    list(evaluate.evaluate(small, workers=1))
    large = prepared()
    assert evaluate.finished(large) == len(small.names)


def test_a_folder_of_something_else_is_left_alone(prepared: Any, tmp_path: Path) -> None:
    """Nothing is written where there is no report, nor over the report of another study."""
    (tmp_path / "report").mkdir()
    (tmp_path / "report/notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"report .*study\.json"):
        prepared()
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["notes.txt"]


def test_a_report_of_another_study_is_left_alone(whole: Path, prepared: Any, tmp_path: Path) -> None:
    """The line names both."""
    (tmp_path / "report").mkdir()
    (tmp_path / "report/study.json").write_text('{"name": "other"}')
    with pytest.raises(InputError, match=r"`other`.*`study`"):
        prepared()


@pytest.mark.usefixtures("without_plots")
def test_a_planted_near_copy_is_caught_end_to_end(drawn: ModuleType, prepared: Any) -> None:
    """A test image, made a little brighter and stored anew, trains nothing, is counted, and the report says so."""
    test_image = drawn.picture("acne", 30)  # the first test image: training has 20, validation 10
    brighter = (test_image.astype(int) + 2).clip(0, 255).astype("uint8")
    images = [*drawn.more_real(12), drawn.made("acne", 9_999, brighter)]
    job = prepared(images, arms=["real", "real+synthetic"], n_real=[2], ratios=[1], seeds=1)
    assert job.design.excluded == {NEAR: 1}
    assert images[-1].record.key not in job.design.synthetic
    done(job)
    assert f"| {NEAR} | 1 |" in (job.out / "report.md").read_text()


@pytest.mark.usefixtures("without_plots")
def test_synthetic_images_are_augmented_too(prepared: Any) -> None:
    """In `real+synthetic+augment` every image has its ten views, is compared with augmentation alone, and is told."""
    arms = ["real", "real+augment", "real+synthetic", "real+synthetic+augment"]
    job = prepared(arms=arms, n_real=[2], ratios=[1], seeds=3, learner={"optimizer_steps": 5})
    trial = next(one for one in job.design.trials if one.arm == "real+synthetic+augment")
    rows = [set(part.tolist()) for part in job.examples.rows_of(trial)]
    assert [len(one) for one in rows] == [60, 60]
    analysis = done(job)
    pairs = {(one.arm.name, one.against.name) for one in analysis.comparisons}
    assert {("real+synthetic+augment", "real"), ("real+synthetic+augment", "real+augment")} <= pairs


def test_a_second_pool_of_real_images_is_left_alone(drawn: ModuleType, prepared: Any) -> None:
    """Images that are alike by nature, stripes in noise, are no copies by the measure of their own kind."""
    job = prepared(arms=["real", "real+synthetic"], n_real=[4], ratios=[2], seeds=2)
    assert sum(job.design.excluded.values()) <= 1
    assert not any(note.serious and "look" in note.text for note in job.notes)


def test_real_copies_of_test_images_train_nothing(
    drawn: ModuleType, tmp_path: Path, extensions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A patient photographed once and filed twice, in training and test, is out of every arm; many are bold."""
    drawn.write_real(tmp_path / "real")
    for number in range(5):  # test images 30 to 34, made darker, in place of training images
        darker = (drawn.picture("acne", 30 + number) * 0.6).astype("uint8")
        (tmp_path / f"real/acne-{number:03d}.png").write_bytes(drawn.png(darker))
    drawn.write_dataset(tmp_path / "images", drawn.more_real(12))
    path = drawn.write_manifest(tmp_path / "study.yaml", n_real=[4], ratios=[1], seeds=3)
    job = evaluate.prepare(manifest.read(path, extensions), tmp_path / "report", extensions, given=tmp_path / "images")
    trained = {Path(one).stem for one in job.design.real}
    assert trained
    assert not trained & {f"acne-{number:03d}" for number in range(5)}
    strong = [note.text for note in job.notes if note.serious]
    assert any("real training images look like a validation or test image, more than 5 %" in text for text in strong)
    assert any("real by label: `acne` 5 of 20" in note.text for note in job.notes)


def test_memorised_training_images_bring_only_what_the_trial_has(drawn: ModuleType, prepared: Any) -> None:
    """Training images packed as synthetic, their source not named, train no trial without that image, and are bold."""
    images = [
        drawn.made(label, number, (drawn.picture(label, number).astype(int) + 3).clip(0, 255).astype("uint8"))
        for label in drawn.LABELS
        for number in range(20)
    ]
    job = prepared(images, arms=["real", "real+synthetic"], n_real=[4], ratios=[1], seeds=2)
    assert job.design.trials
    for trial in job.design.trials:
        shown = {f"{label}-{int(number):03d}" for _, label, number in (key.split("-") for key in trial.synthetic)}
        assert shown <= {Path(one).stem for one in trial.real}
    assert any(note.serious and "look like a real training image" in note.text for note in job.notes)
    kept = json.loads((job.out / near_duplicates.FILE).read_bytes())
    assert [Path(one).stem for one in kept["training"]["text-acne-0007"]] == ["acne-007"]


def test_an_uncurated_near_copy_is_found_with_the_curated_one(drawn: ModuleType, tmp_path: Path) -> None:
    """A file is looked at once, counted once, and kept from training as either."""
    index = Index((Source("t", "acne", 1, "g", "test", "", "d", "t", sha256="t"),))
    shown = {"copy": drawn.picture("acne", 30), "other": drawn.picture("nevus", 7)}
    made = [SyntheticImage(key, Strategy("text"), "acne", 1, "", key, frozenset()) for key in shown]

    class Pictures:
        asked: ClassVar[list[str]] = []

        def real(self, _source: Source) -> Any:
            return shown["copy"]

        def synthetic(self, key: str) -> Any:
            self.asked.append(key)
            return shown[key]

    pictures: Any = Pictures()
    found = near_duplicates.find_near_duplicates(
        index, [*made, *(image.uncurated for image in made)], pictures, tmp_path
    )
    assert found.of_held == {"copy"}
    assert len(pictures.asked) == 2
    kept = json.loads((tmp_path / near_duplicates.FILE).read_bytes())
    assert kept["of_held"] == ["copy", "uncurated copy"]


def test_curation_by_classifiers_is_in_bold() -> None:
    """Who chose images by what it learned of real labels may have passed these on; other rules are told plainly."""
    facts = {"judged": 10, "accepted": 7, "filters": [{"reason": "fails x.y > 1", "rejected": 3}]}
    told = list(caveats.of_curation(facts, []))
    assert told == [Note("Curation kept 7 of 10 images. How many each reason rejected: `fails x.y > 1` (3).")]
    strong, *rest = caveats.of_curation(facts, ["agreement"])
    assert strong.serious
    assert "`agreement`" in strong.text
    assert rest == told
    assert list(caveats.of_curation({}, [])) == []


def test_nothing_is_uncurated_where_nothing_is_rejected(
    drawn: ModuleType, base: Path, extensions: Any, tmp_path: Path
) -> None:
    """Said before any image is made."""
    path = drawn.write_manifest(base / "uncurated.yaml", uncurated=True)
    with pytest.raises(InputError, match=r"^evaluate\.uncurated: "):
        evaluate.check(manifest.read(path, extensions), tmp_path / "report", None)
    path = drawn.write_manifest(base / "uncurated.yaml", uncurated=True, synthetic="org/dataset")
    with pytest.raises(InputError, match=r"^evaluate\.uncurated: `org/dataset`"):
        evaluate.check(manifest.read(path, extensions), tmp_path / "report", None)


def test_near_copies_are_looked_for_once(prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is kept while the images are the same, and looked for again where one has changed."""
    first, looked = prepared().near_duplicates, list[int]()
    signatures = vision.signatures
    monkeypatch.setattr(vision, "signatures", lambda pixels: looked.append(len(pixels)) or signatures(pixels))
    assert prepared().near_duplicates == first
    assert not looked
    prepared(labels=["acne", "nevus"])
    assert sum(looked) > 0


def test_planted_leaks_are_caught_end_to_end(drawn: ModuleType, prepared: Any) -> None:
    """A child of a test image, and an image of a generator that saw one, train nothing and are counted."""
    images = drawn.more_real(12)
    child = replace(images[0].record, source_id="acne-030")
    seen = replace(images[1].record, adapter="leaky@1")
    images[:2] = [replace(images[0], record=child), replace(images[1], record=seen)]
    adapters = {"leaky@1": {"pool": ["acne-000", "eczema-031"]}}
    job = prepared(images, adapters, arms=["real", "real+synthetic"], n_real=[2], ratios=[1], seeds=1)
    assert job.design.excluded == {CHILD: 1, SEEN: 1}


def test_a_dataset_of_pseudonyms_is_refused_without_its_run(
    drawn: ModuleType, base: Path, extensions: Any, tmp_path: Path
) -> None:
    """Before anything is trained: nobody could tell what was made from a test image."""
    given = drawn.write_dataset(tmp_path / "images", drawn.more_real(1))
    said = json.loads((given / "provenance.json").read_text())
    (given / "provenance.json").write_text(json.dumps(said | {"identifiers": "pseudonym"}))
    read = manifest.read(drawn.write_manifest(base / f"{tmp_path.name}.yaml"), extensions)
    with pytest.raises(InputError, match="--synthetic RUN"):
        evaluate.prepare(read, tmp_path / "report", extensions, given=given)


@pytest.mark.usefixtures("without_plots")
def test_shuffled_labels_are_not_said_to_help(drawn: ModuleType, prepared: Any) -> None:
    """Synthetic images whose labels were dealt round do harm, if anything."""
    images = drawn.more_real(12, says=("eczema", "nevus", "acne"))
    analysis = done(prepared(images, arms=["real", "real+synthetic"], n_real=[4], ratios=[2], seeds=3))
    assert not any(one.significant and one.difference.value > 0 for one in analysis.primary)


@pytest.mark.usefixtures("without_plots")
def test_a_second_pool_of_real_images_is_as_good_as_more(prepared: Any) -> None:
    """Synthetic images that are real in truth come out no different from as many more real ones."""
    analysis = done(prepared(arms=["real", "real-more", "real+synthetic"], n_real=[2], ratios=[4], seeds=4))
    family = analysis.family("real-more")
    assert len(family) == 1
    assert not family[0].significant


@pytest.mark.usefixtures("without_plots")
def test_a_dataset_without_tones_is_evaluated(drawn: ModuleType, extensions: Any, tmp_path: Path) -> None:
    """What can't be said of it is said."""
    drawn.write_real(tmp_path / "real", each=4, held=3, tones=False)
    read = manifest.read(drawn.write_manifest(tmp_path / "m.yaml", arms=REAL_ARMS, n_real=[2], seeds=1), extensions)
    job = evaluate.prepare(read, tmp_path / "report", extensions)
    list(evaluate.evaluate(job, workers=1))
    assert "nothing can be said of light and dark skin" in (job.out / "report.md").read_text()


@pytest.mark.usefixtures("without_plots")
def test_pixels_are_trained_from(drawn: ModuleType, prepared: Any) -> None:
    """With `finetune` the small network learns inside each trial, from images of the size asked."""
    learner = {"kind": "finetune", "optimizer_steps": 4, "batch_size": 8, "image_size": 16}
    job = prepared(arms=["real", "real+augment", "real+synthetic"], n_real=[2], ratios=[1], seeds=1, learner=learner)
    analysis = done(job)
    assert {one.optimizer_steps for one in analysis.predictions.trials} == {4}
    assert "small-cnn from pixels" in (job.out / "report.md").read_text()


def test_each_trial_takes_the_augmentation_that_validation_prefers(
    prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is trained from the same start; that of the least loss on the validation images it is tuned on is kept."""
    learner = {"kind": "finetune", "optimizer_steps": 4, "batch_size": 8, "image_size": 16}
    names = ["classic", "randaugment", "mixup", "cutmix"]
    job = prepared(arms=["real", "real+augment"], n_real=[2], seeds=1, learner=learner, augment=names, validation="n")
    made: list[tuple[str, Any, Any]] = []
    finetune = train.finetune

    def noted(*given: Any, **named: Any) -> Any:
        found = finetune(*given, **named)
        made.append((named["settings"].augment, named["tuned"], found))
        return found

    monkeypatch.setattr(train, "finetune", noted)
    analysis = done(job)
    assert [name for name, _, _ in made] == ["", *names]
    labels = job.examples.labels[job.examples.held_out["validation"]]
    assert all(len(tuned) == 6 for _, tuned, _ in made)
    losses = [log_loss(found.validation[tuned], labels[tuned]) for _, tuned, found in made[1:]]
    kept = made[1 + losses.index(min(losses))][2]
    (row,) = next(rows for arm, rows in analysis.predictions.arms.items() if arm.name == "real+augment").values()
    assert (analysis.predictions.probabilities[row] == kept.test).all()
    assert len({found.test.tobytes() for _, _, found in made}) == 5


def test_a_probe_is_tuned_on_few_and_taught_what_it_is_told(prepared: Any) -> None:
    """With `validation: n` and permuted labels it is another training, of the same images; both are reported."""
    arms = ["real", "real+synthetic", "permuted-labels"]
    job = prepared(arms=arms, n_real=[4], ratios=[2.5], seeds=3, validation="n", learner={"optimizer_steps": 60})
    analysis = done(job)
    top1 = {arm.name: analysis.estimate(arm).value for arm in analysis.predictions.arms}
    assert top1["permuted-labels"] < top1["real+synthetic"] - 0.05
    assert "with labels permuted within skin tone" in " ".join(conclusions.findings(analysis))
    assert any(
        (one.against.name, one.arm.name) == ("permuted-labels", "real+synthetic") for one in analysis.comparisons
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A small vision transformer of random weights, by seed, as a folder of transformers'."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

    def make(seed: int) -> Path:
        torch.manual_seed(seed)
        folder = tmp_path_factory.mktemp(f"vit-{seed}")
        sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
        ViTForImageClassification(ViTConfig(**sizes, image_size=16, patch_size=8)).save_pretrained(folder)
        ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(folder)
        return folder

    return make


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("learner", [{}, {"kind": "finetune", "frozen": True}, {"kind": "finetune"}])
def test_a_checkpoint_of_ones_own_is_what_learns(
    learner: dict[str, Any], prepared: Any, checkpoint: Callable[[int], Path]
) -> None:
    """A folder of transformers' is probed, or trained from its own weights: from other weights it answers otherwise."""
    answers = []
    for seed in (0, 1):
        given = learner | {"backbone": str(checkpoint(seed)), "optimizer_steps": 4, "batch_size": 8}
        given |= {"image_size": 16} if learner else {}
        job = prepared(arms=["real", "real+synthetic"], n_real=[2], ratios=[1], seeds=1, learner=given)
        answers.append(done(job).predictions.probabilities)
    assert answers[0].shape[0] == 2
    assert (answers[0] != answers[1]).any()


@pytest.mark.usefixtures("without_plots")
@pytest.mark.parametrize("mix", [{"share": 0.25}, "pretrain-then-real"])
def test_every_mix_is_trained(prepared: Any, mix: Any) -> None:
    """How real and synthetic images meet is handed to the learner and said in the report."""
    job = prepared(arms=["real", "real+synthetic"], n_real=[2], ratios=[1], seeds=1, mix=mix)
    done(job)
    said = "share 0.25" if isinstance(mix, dict) else mix
    assert f"| mix | {said} |" in (job.out / "report.md").read_text()


@pytest.mark.usefixtures("without_plots")
def test_some_labels_can_be_told_apart(prepared: Any) -> None:
    """With `labels`, images of the others take no part."""
    job = prepared(labels=["acne", "nevus"], arms=["real", "real+synthetic"], n_real=[2], ratios=[1], seeds=1)
    assert done(job).predictions.study.labels == ("acne", "nevus")
