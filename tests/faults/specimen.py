"""A small study with a file of every kind that synthgen leaves on disk, made in a few seconds without torch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from synthgen import study
from synthgen.core import adapter_folder, checksums, seal
from synthgen.core.hashing import sha256_file
from synthgen.evaluate.analysis.predictions import Predictions, StudyFacts, TrainedTrial
from synthgen.evaluate.prepare import reserve
from synthgen.evaluate.train.results_store import ResultsStore
from synthgen.plan.manifest.evaluate import Strategy
from synthgen.vision.classifiers.fit_result import FitResult

MANIFEST: dict[str, Any] = {
    "name": "specimen",
    "seed": 11,
    "labels": {"psoriasis": "psoriasis", "melanoma": "melanoma"},
    "skin_tones": {"scale": "fitzpatrick", "values": [1, 3, 5]},
    "real": {"source": "phantom", "count": 12, "seed": 1, "site": "b"},
    "plugins": {"scorers": {"bright": "bright.py"}},
    "generate": [
        {"name": "text", "strategy": "fake", "per_cell": 2, "settings": {"height": 16, "width": 16}},
        {"name": "over", "strategy": "fake", "per_source": 1, "settings": {"height": 16, "width": 16}},
    ],
    "output": {"image_format": "png", "shard_samples": 8},
    "curate": {"scorers": {"fake": {}, "bright": {}}, "keep": ["fake.chance < 0.6", "bright.mean >= 0"], "quota": 2},
    "publish": {"license": "openrail"},
}
SCORER = '''"""How bright an image is."""
from synthgen.curate.scorers import Scorer
from synthgen.plan.manifest.settings import ScorerSettings
COLUMNS, TEXTS = {"mean": "the mean of all values"}, {}
class Settings(ScorerSettings):
    """None."""
def open_scorer(settings, context):
    """The mean."""
    return Scorer({"by": "mean"}, lambda: lambda batch: {"mean": batch.pixels.mean((1, 2, 3))})
'''
FORMATS = ("webdataset", "parquet", "imagefolder")
# The kinds of file, by their paths in the study's folder; the first that fits counts.
KINDS = (
    ("run.json", r"work/run\.json"),
    ("top_up.json", r"work/top_up\.json"),
    ("index of real images", r"work/sources(?:\.\w+)?\.parquet"),
    ("receipt", r"work/\w+/\d+\.json"),
    ("work shard", r"work/\w+/\d+\.tar"),
    ("scores", r"work/scores/\w+\.parquet"),
    ("part of scores", r"work/scores/\.parts/.*"),
    ("table of images", r"work/scores/\.samples\.parquet"),
    ("verdicts", r"work/verdicts\.parquet"),
    ("survivors, table and chart", r"work/survivors\..*"),
    ("list of checksums", r"(work/|work/fidelity/|report/)SHA256SUMS"),
    ("list of images set aside", r"work/set_aside\.parquet"),
    ("prompts encoded once", r"work/prompt_embeddings/.*"),
    ("copy of a plug-in", r"work/plugin_files/.*"),
    ("adapter.json", r"work/adapters/.*\.json"),
    ("weights of an adapter", r"work/adapters/.*\.safetensors"),
    ("curve and samples of an adapter", r"work/adapters/.*"),
    ("fidelity report", r"work/fidelity/.*"),
    ("provenance.json", r"(?:webdataset|parquet|imagefolder)/provenance\.json"),
    ("packed shard", r"(?:webdataset|parquet)/data/.*"),
    ("image file", r"imagefolder/data/.*\.png"),
    ("metadata", r".*/metadata\.parquet"),
    ("card, manifest, prompts, index, sheet", r"(?:webdataset|parquet|imagefolder)/.*"),
    ("predictions", r"report/predictions\.parquet"),
    ("training", r"report/trials/.*"),
    ("report: pages, plots, tables", r"report/.*"),
)
_LEFT_OUT = re.compile(r".*/\.lock|.*/\.pseudonyms|.*/\.scratch/.*|.*/\.features/.*")


@dataclass(frozen=True, slots=True)
class Target:
    """One file that may be damaged.

    Attributes:
        folder: The run, dataset or report that it is of.
        path: The file.
        kind: What it is.
    """

    folder: Path
    path: Path
    kind: str


def write_manifest(folder: Path, **changes: Any) -> Path:
    """Write the study's manifest, and the plug-in that it names, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bright.py").write_text(SCORER, encoding="utf-8")
    (folder / "manifest.yaml").write_text(yaml.safe_dump(MANIFEST | changes, sort_keys=False), encoding="utf-8")
    return folder / "manifest.yaml"


def build(root: Path) -> list[Target]:
    """Make the study below a folder; returns every file of it that may be damaged, sorted."""
    manifest = write_manifest(root)
    every = write_manifest(root / "every", skin_tones={"scale": "fitzpatrick", "values": [1, 3, 5, 6]})
    study.generate(every, root / "work").result()
    study.generate(manifest, root / "work", accept_changes=True).result()
    study.top_up(manifest, root / "work").result()
    _embeddings(root / "work/prompt_embeddings")
    _fidelity(root / "work/fidelity")
    _adapter(root / "work/adapters/lo")
    for name in FORMATS:
        study.pack(root / "work", root / name, format=name).result()  # type: ignore[arg-type]
    _report(root / "report")
    return list(targets(root))


def targets(root: Path) -> Iterator[Target]:
    """Every file of the study that may be damaged, sorted."""
    for folder in ("work", *FORMATS, "report"):
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and not _LEFT_OUT.fullmatch(name):
                yield Target(root / folder, path, kind_of(name))


def kind_of(name: str) -> str:
    """The kind of a file, by its path in the study's folder."""
    return next(kind for kind, pattern in KINDS if re.fullmatch(pattern, name))


def _adapter(folder: Path) -> None:
    """What `finetune` leaves, its weights random."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    save_file({"up.weight": rng.random((8, 8), np.float32)}, folder / adapter_folder.LORA)
    (folder / "losses.csv").write_text("step,loss\n1,0.5\n2,0.4\n", encoding="utf-8")
    (folder / "losses.png").write_bytes(rng.bytes(300))
    facts = {"name": "lo", "digest": "0" * 64, "method": "lora", "pool": {"ids": ["a", "b"]}, "words": {}}
    adapter_folder.write(folder, facts | {"loss": 0.4})


def _embeddings(folder: Path) -> None:
    """What a pipeline keeps of prompts, its numbers random."""
    from safetensors.numpy import save_file

    folder.mkdir()
    path = folder / f"{'0' * 16}.safetensors"
    save_file({"prompt_embeds": np.random.default_rng(0).random((2, 4), np.float32)}, path)
    facts = {"format": 1, "file": path.name, "size": path.stat().st_size, "sha256": sha256_file(path), "texts": 2}
    path.with_suffix(".json").write_bytes(seal.dumps(facts))


def _fidelity(folder: Path) -> None:
    """What `curate --report` leaves, its numbers made up: to measure them takes torch."""
    folder.mkdir()
    (folder / "fidelity.csv").write_text("entry,label,kid\ntext,melanoma,0.1\n", encoding="utf-8")
    (folder / "report.html").write_text("<html>How like the real images the generated ones are.</html>", "utf-8")
    checksums.write(folder, ["fidelity.csv", "report.html"])


def _report(out: Path) -> None:
    """What `classifier-eval` leaves, its probabilities random and its pages empty: to write them takes scipy."""
    reserve(out, "specimen")
    rng, images, labels = np.random.default_rng(0), 24, ("psoriasis", "melanoma")
    store = ResultsStore(out / "trials", {"validation": (6, 2), "test": (images, 2)})
    found = []
    for number in range(4):
        fit = FitResult(_rows(rng, 6), _rows(rng, images), 20, 1.0)
        store.write(f"{number}{number}abcdef", fit)
        found.append(fit.test)
    arms = [("real", "none", 0.0), ("real+synthetic", "text", 1.0)]
    trials = tuple(
        TrainedTrial(f"{arm}-{seed}", arm, Strategy(strategy), 4, ratio, seed, 20, 16)
        for arm, strategy, ratio in arms
        for seed in range(2)
    )
    said = StudyFacts(name="specimen", labels=labels, scale="fitzpatrick")
    truth = np.arange(images) % 2
    names = tuple(f"image-{number:02}" for number in range(images))
    tones = np.arange(images) % 6 + 1
    Predictions(said, trials, names, truth, tones, names, np.stack(found)).write(out / "predictions.parquet")
    (out / "plots").mkdir()
    for name in ("results.csv", "comparisons.csv", "report.md", "report.html", "card.md", "plots/gain.svg"):
        (out / name).write_text(f"{name}: what came of it, in so many words\n", encoding="utf-8")
    checksums.write(out, [path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()])


def _rows(rng: np.random.Generator, rows: int) -> Any:
    made = rng.random((rows, 2), np.float32) + 0.1
    return made / made.sum(1, keepdims=True)
