"""Every prediction of a study's trials, gathered from what its trainings left."""

from typing import Literal

import numpy as np

from synthgen.errors import IncompleteError
from synthgen.evaluate.analysis.frozen_plan import AnalysisPlan
from synthgen.evaluate.analysis.predictions import Predictions, StudyFacts, TrainedTrial
from synthgen.evaluate.prepare import EvaluateJob
from synthgen.evaluate.train.results_store import ResultsStore
from synthgen.plan.manifest.evaluate import Share


def predictions(job: EvaluateJob, results: ResultsStore, split: Literal["validation", "test"] = "test") -> Predictions:
    """The predictions of a whole study; trials of two arms that are one training share its answers.

    Args:
        job: The study.
        results: What its trainings left.
        split: The images that they are for.

    Raises:
        IncompleteError: A training is not there.
    """
    by_id = {source.id: source for source in job.index.sources}
    ids: tuple[str, ...] = getattr(job.design, split)
    asked = [by_id[one] for one in ids]
    tested = [by_id[one] for one in job.design.test]
    answers = {name: results.read(name) for name in job.names}
    trained, probabilities = [], []
    for trial in job.design.trials:
        learned = answers[job.name(trial)]
        if learned is None:
            raise IncompleteError(f"{job.out}: the training {job.name(trial)} is gone; run the same command again")
        named = trial.key, trial.arm, trial.strategy, trial.n_real, float(trial.ratio), trial.seed
        trained.append(TrainedTrial(*named, learned.optimizer_steps, trial.n_train))
        probabilities.append(getattr(learned, split))
    return Predictions(
        _study(job, any(source.tone for source in tested)),
        tuple(trained),
        ids,
        job.examples.labels[job.examples.held_out[split]],
        np.array([source.tone for source in asked], np.int64),
        tuple(by_id[one].group or one for one in ids),
        np.stack(probabilities),
    )


def analysis_plan(job: EvaluateJob) -> AnalysisPlan:
    """What a study will compare, test and claim, before anything is trained."""
    facts = _study(job, any(source.tone for source in job.index.sources if source.id in set(job.design.test)))
    return AnalysisPlan.of(facts, ((one.key, one.arm, one.seed) for one in job.design.trials), job.design.test)


def _study(job: EvaluateJob, has_tones: bool) -> StudyFacts:
    settings, document = job.settings, job.manifest.document
    return StudyFacts(
        name=document.name,
        labels=tuple(job.labels),
        scale=document.skin_tones.scale if has_tones else "",
        generator_pool=settings.generator_pool,
        source_pool="" if settings.source_pool == settings.generator_pool else settings.source_pool,
        protocol=settings.protocol,
        mix=f"share {settings.mix.share:g}" if isinstance(settings.mix, Share) else settings.mix,
        learner=job.network.description,
        notes=job.notes,
        excluded=job.design.excluded,
        against=settings.against,
        primary=settings.primary.model_dump(exclude_none=True) if settings.primary else {},
        target=settings.target.model_dump() if settings.target else {},
    )
