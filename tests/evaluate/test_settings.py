"""The settings of a study are the manifest's promise, and every fault in them is one line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.core.yaml_documents import validate
from synthgen.plan.manifest.evaluate import ARMS, Evaluate, Primary, Share, Strategy


def read(**written: Any) -> Evaluate:
    """The settings written; there is no fault in them."""
    settings, faults = validate(Evaluate, written, "evaluate")
    assert settings is not None, faults
    return settings


def test_the_defaults_are_the_promised_ones() -> None:
    """What is left out is as the manifest's page says."""
    settings = read()
    assert (settings.synthetic, settings.n_real, settings.ratios, settings.seeds) == (
        "this",
        [1, 8, 16, 32],
        [1, 10],
        5,
    )
    assert tuple(settings.arms) == ARMS[:8]  # but for those that came later
    assert (settings.generator_pool, settings.mix, settings.protocol) == ("n", "union", "equal-steps")
    assert (settings.learner.kind, settings.learner.backbone) == ("probe", "small-cnn")


def test_the_default_backbone_is_what_ships_for_each_kind() -> None:
    """`small-cnn` is trained in every trial of a finetune; a probe's fixed filters are those of `gabor`."""
    assert read().learner.network == "gabor"
    assert read(learner={"kind": "finetune"}).learner.network == "small-cnn"
    assert read(learner={"kind": "probe", "backbone": "efficientnet-lite0"}).learner.network == "efficientnet-lite0"


def test_images_are_as_large_as_the_network_reads_them() -> None:
    """The side is 64 for the small network, 224 for a checkpoint, or as asked."""
    assert read(learner={"kind": "finetune"}).learner.side == 64
    assert read(learner={"kind": "finetune", "backbone": "org/vit"}).learner.side == 224
    assert read(learner={"kind": "finetune", "image_size": 32}).learner.side == 32


def test_looks_at_validation_name_a_study_only_where_they_are_asked_for() -> None:
    """As many as there are epochs makes `patience` count epochs; ten is what was before it could be said."""
    assert read(learner={"kind": "finetune", "evaluations": 50}).learner.evaluations == 50
    assert "evaluations" not in read(learner={"evaluations": 10, "kind": "finetune"}).learner.model_dump()


def test_strategies_name_each_entry_once() -> None:
    """Pooled entries are looked up by their own name."""
    assert read(strategies={"tuned": ["a", "b"]}).strategy_of == {"a": "tuned", "b": "tuned"}


def test_a_primary_family_is_read_and_kept() -> None:
    """What is left out of it is all there is; what a report keeps of it is read again as it was."""
    named = read(primary={"arms": ["substitute"], "ratios": [1], "hypothesis": "non-inferiority", "margin": 0.05})
    assert named.primary is not None
    assert (named.primary.against, named.primary.metric, named.primary.n_real) == ("real", "top1", None)
    assert Primary.of(named.primary.model_dump(exclude_none=True), ["real"]) == named.primary
    assert read().primary is None


@given(st.builds(Strategy, st.text("abc -", max_size=4), st.booleans()))
def test_a_strategy_is_read_as_it_is_written(strategy: Strategy) -> None:
    """Its text in files says whether it is curated, and is what strategies are sorted by."""
    assert Strategy.parse(str(strategy)) == strategy
    assert Strategy.parse(str(strategy.uncurated)) == strategy.uncurated != Strategy(strategy.name)
    assert (strategy < strategy.uncurated) is (str(strategy) < str(strategy.uncurated))


def test_no_strategy_is_false() -> None:
    """Where no image is synthetic there is none, and its text is empty."""
    assert (bool(Strategy()), str(Strategy())) == (False, "")
    assert (str(Strategy("text")), str(Strategy("text", curated=False))) == ("text", "uncurated text")


def test_a_mix_is_a_name_or_a_share() -> None:
    """All three ways of mixing are read."""
    assert read(mix="pretrain-then-real").mix == "pretrain-then-real"
    assert read(mix={"share": 0.5}).mix == Share(share=0.5)
    assert read(mix=Share(share=0.2)).mix == Share(share=0.2)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ({"n_real": []}, "evaluate.n_real: "),
        ({"n_real": [0]}, "evaluate.n_real[0]: "),
        ({"n_real": [8, 8]}, "evaluate.n_real: 8 is given twice"),
        ({"ratios": [-1.5]}, "evaluate.ratios[0]: "),
        ({"ratios": [True]}, "evaluate.ratios[0]: "),
        ({"seeds": 0}, "evaluate.seeds: "),
        ({"seeds": "5"}, "evaluate.seeds: "),
        ({"arms": ["reel"]}, "evaluate.arms[0]: "),
        ({"arms": ["real", "real"]}, "evaluate.arms: real is given twice"),
        ({"arms": ["real-more"]}, "evaluate.arms: must have `real`, which every other arm is compared with"),
        ({"generator_pool": "some"}, "evaluate.generator_pool: "),
        ({"mix": "even"}, "evaluate.mix: must be union, pretrain-then-real, or {share: 0.5}"),
        ({"mix": {"share": 1}}, "evaluate.mix: must be union"),
        ({"mix": {"share": 0.5, "of": 1}}, "evaluate.mix: must be union"),
        ({"mix": ["union"]}, "evaluate.mix: must be union"),
        ({"protocol": "steps"}, "evaluate.protocol: "),
        ({"learner": {"kind": "guess"}}, "evaluate.learner.kind: "),
        ({"learner": {"backbone": ""}}, "evaluate.learner.backbone: "),
        ({"learner": {"optimizer_steps": 0}}, "evaluate.learner.optimizer_steps: "),
        ({"strategies": {"uncurated x": ["x"]}}, "evaluate.strategies: `uncurated x`: names that begin with"),
        ({"against": {"a": "b", "b": "a"}}, "evaluate.against: `a` and `b` are compared both ways; leave one out"),
        ({"against": {"a": "uncurated a"}}, "evaluate.against: what curation does is compared by `uncurated: true`"),
        ({"against": {"a": "b"}, "arms": ["real"]}, "evaluate: against: compares synthetic images, and no arm has any"),
        ({"against": {"a": "a"}}, "evaluate.against: `a` can't be compared with itself"),
        ({"primary": {"margin": 5}}, "evaluate.primary.margin: is a share above 0 and below 1; five points are 0.05"),
        ({"primary": {"margin": 0.05}}, "evaluate.primary: margin: is of non-inferiority and of equivalence"),
        ({"primary": {"hypothesis": "equivalence"}}, "evaluate.primary: hypothesis: equivalence is to a margin; give"),
        (
            {"primary": {"subset": "gap", "hypothesis": "non-inferiority", "margin": 0.1}},
            "evaluate.primary: hypothesis: a gap is narrower or wider, not worse",
        ),
        ({"primary": {"arms": ["real"]}}, "evaluate.primary: `real` can't be compared with itself"),
        ({"primary": {"n_real": [9]}}, "evaluate: primary.n_real: 9 is not in the study's `n_real`; add it there"),
        ({"primary": {"ratios": [0.5]}}, "evaluate: primary.ratios: 0.5 is not in the study's `ratios`"),
        ({"primary": {"against": "uncurated"}}, "evaluate: primary.against: uncurated images are not in the study"),
        ({"primary": {"against": "reel"}}, "evaluate: primary.against: `reel` is neither real, "),
        ({"primary": {"against": "real-step-matched"}}, "evaluate: primary: in protocol equal-steps"),
        ({"primary": {"subset": "dark", "metric": "top3"}}, "evaluate.primary: subset: groups of skin tones are"),
        (
            {"primary": {"arms": ["substitute"]}, "arms": ["real"]},
            "evaluate: primary: `substitute` is not among `arms`",
        ),
        ({"synthetic": 3}, "evaluate.synthetic: must be `this`, a folder or a Hub id; or a block"),
        ({"augment": ["classic", "classic"]}, "evaluate.augment: classic is given twice"),
        ({"augment": ["mixup"]}, "evaluate: augment: a probe's views are made before it is trained"),
        ({"augment": ["classic", "randaugment"]}, "evaluate: augment: a probe's views are made before it is trained"),
        ({"validation": "few"}, "evaluate.validation: "),
        ({"target": {"labels": []}}, "evaluate.target.labels: "),
        ({"target": {"labels": ["a"], "specificity": 90}}, "evaluate.target.specificity: "),
        ({"seed": 5}, "evaluate.seed: unknown key; did you mean `seeds`?"),
    ],
)
def test_a_fault_is_one_line_that_says_where(written: dict[str, Any], fault: str) -> None:
    """Each value is checked, and what is wrong of it is said once."""
    settings, faults = validate(Evaluate, written, "evaluate")
    assert settings is None
    assert len(faults) == 1
    assert faults[0].startswith(fault)
