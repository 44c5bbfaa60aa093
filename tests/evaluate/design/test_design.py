"""A design trains no trial on what it may not see, nests what it compares, and refuses what can't be done."""

import time
from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgen.errors import InputError
from synthgen.evaluate.design.design import ALIKE, OUTSIDE, Design, design
from synthgen.evaluate.design.leakage import CHILD, COPY, LABEL, NEAR, SEEN, SIBLING
from synthgen.evaluate.design.seeds import NOT_ALLOWED, SET_ASIDE, TOO_FEW_PER_SOURCE, TOO_FEW_REAL
from synthgen.evaluate.design.trials import SyntheticImage, Trial
from synthgen.evaluate.note import GENERATORS_SAW_ALL, SOURCES_ALL
from synthgen.plan.manifest.evaluate import Evaluate, Strategy
from synthgen.plan.real_index import Index, Source
from synthgen.plan.real_pools import draw

LABELS = ("acne", "eczema", "nevus")


def source(name: str, label: str = "acne", split: str = "train", **changes: Any) -> Source:
    """A real image, of its own group."""
    return replace(Source(name, label, 1, name, split, "", "d", name, sha256=f"sha-{name}"), **changes)


def real(train: int = 24, held: int = 2) -> list[Source]:
    """So many training images a label, in groups of three, and so many each to validate and test on."""
    found = []
    for label in LABELS:
        found += [source(f"{label}-{nth:02d}", label, group=f"{label}-g{nth // 3}") for nth in range(train)]
        found += [source(f"{label}-v{nth}", label, "validation") for nth in range(held)]
        found += [source(f"{label}-t{nth}", label, "test") for nth in range(held)]
    return sorted(found, key=lambda one: one.id)


def text(each: int = 40, entry: str = "text", pool: frozenset[str] | None = frozenset()) -> list[SyntheticImage]:
    """So many images a label from prompts alone."""
    return [
        SyntheticImage(
            f"{entry}-{label}-{nth:03d}", Strategy(entry), label, nth % 6 + 1, "", f"sha-{entry}-{label}-{nth}", pool
        )
        for label in LABELS
        for nth in range(each)
    ]


def children(sources: list[Source], each: int = 4) -> list[SyntheticImage]:
    """So many children of each training image."""
    return [
        SyntheticImage(
            f"inpaint-{one.id}-{nth}", Strategy("inpaint"), one.label, 1, one.id, f"sha-{one.id}-{nth}", frozenset()
        )
        for one in sources
        if one.split == "train"
        for nth in range(each)
    ]


def study(**written: Any) -> Evaluate:
    """Settings of a small study."""
    return Evaluate(**({"n_real": [2, 4, 8], "ratios": [1, 4], "seeds": 2} | written))


def designed(images: list[SyntheticImage] | None = None, index: list[Source] | None = None, **written: Any) -> Design:
    """The design of a small study."""
    return design(
        study(**written), Index(tuple(index or real())), text() if images is None else images, seed=7, labels=LABELS
    )


def refused(images: list[SyntheticImage] | None = None, index: list[Source] | None = None, **written: Any) -> list[str]:
    """The faults of a small study, each of one line."""
    with pytest.raises(InputError) as caught:
        designed(images, index, **written)
    assert not any("\n" in fault for fault in caught.value.faults)
    return list(caught.value.faults)


def by_place(found: Design) -> dict[tuple[str, str, int, float, int], Trial]:
    """The trials by arm, strategy, n, ratio and seed."""
    return {(one.arm, str(one.strategy), one.n_real, one.ratio, one.seed): one for one in found.trials}


def test_every_arm_has_its_trials_and_counts() -> None:
    """For each seed and n every arm trains on what its name says."""
    found = designed(ratios=[2])
    assert Counter(one.arm for one in found.trials) == {
        "real": 6,
        "real+augment": 6,
        "real-duplicated": 6,
        "real-more": 6,
        "real+synthetic": 6,
        "synthetic-only": 6,
        "substitute": 12,
    }
    trials = by_place(found)
    counts = {
        (arm, ratio): (len(one.real) / 3, len(one.synthetic) / 3, one.duplicated, one.augmented, one.n_train / 3)
        for (arm, _, n, ratio, seed), one in trials.items()
        if (n, seed) == (8, 1)
    }
    assert counts == {
        ("real", 0): (8, 0, 1, False, 8),
        ("real+augment", 0): (8, 0, 1, True, 8),
        ("real-duplicated", 2): (8, 0, 3, False, 24),
        ("real-more", 2): (24, 0, 1, False, 24),
        ("real+synthetic", 2): (8, 16, 1, False, 24),
        ("synthetic-only", 2): (0, 16, 1, False, 16),
        ("substitute", 0.5): (4, 4, 1, False, 8),
        ("substitute", 1): (0, 8, 1, False, 8),
    }


def test_augmentation_can_be_had_with_synthetic_images() -> None:
    """The images of real+synthetic, all of them augmented, as another training; only where it is asked for."""
    found = by_place(designed(arms=["real", "real+augment", "real+synthetic", "real+synthetic+augment"], ratios=[2]))
    plain, augmented = (found[arm, "text", 8, 2, 0] for arm in ("real+synthetic", "real+synthetic+augment"))
    assert (plain.real, plain.synthetic) == (augmented.real, augmented.synthetic)
    assert (plain.augmented, augmented.augmented) == (False, True)
    assert plain.training != augmented.training
    assert not any(one.arm == "real+synthetic+augment" for one in designed().trials)


def test_any_arm_can_be_augmented() -> None:
    """Each has the images of the arm without, and is named as its own; `real` has as before."""
    asked = ["real", "substitute", "substitute+augment", "synthetic-only", "synthetic-only+augment"]
    found = by_place(designed(arms=[*asked, "real-more", "real-more+augment"], ratios=[1]))
    pairs = [(place, one) for place, one in found.items() if place[0].endswith("+augment")]
    assert len(pairs) == 2 * (6 + 3 + 3)
    for (arm, *rest), one in pairs:
        plain = found[arm.removesuffix("+augment"), *rest]  # type: ignore[index]
        assert (one.real, one.synthetic) == (plain.real, plain.synthetic)
        assert (plain.augmented, one.augmented, one.training != plain.training) == (False, True, True)


def test_how_it_is_augmented_is_another_training() -> None:
    """Of augmented arms alone, whose training is what it was where it is classic."""
    before, after = (by_place(designed(augment=how)) for how in (["classic"], ["randaugment"]))
    changed = {place[0] for place in before if before[place].training != after[place].training}
    assert changed == {"real+augment"}
    assert {one.augment for one in after.values()} == {(), ("randaugment",)}


@pytest.mark.parametrize("ratio", [0.25, 0.75, 1.5])
def test_a_ratio_can_be_a_fraction(ratio: float) -> None:
    """The nearest number of images for each label, nested; where that is none there is no trial, nor of duplicates."""
    found = by_place(designed(n_real=[1, 2, 8], ratios=[ratio, 4]))
    for n in (1, 2, 8):
        place = "real+synthetic", "text", n, ratio, 0
        count = round(n * ratio)
        assert (place in found) == (count > 0)
        if count:
            assert len(found[place].synthetic) == 3 * count
            assert set(found[place].synthetic) <= set(found["real+synthetic", "text", 8, 4, 0].synthetic)
            assert ("real-duplicated", "", n, ratio, 0) not in found
    assert found["real-more", "", 8, ratio, 0].n_train == 3 * (8 + round(8 * ratio))
    notes = " ".join(note.text for note in designed(n_real=[1, 8], ratios=[0.25]).notes)
    assert "no image is duplicated in part" in notes
    assert "n = `1` is left out where the ratio comes to less than half an image a label" in notes


def test_labels_are_permuted_within_each_skin_tone() -> None:
    """The control has the images of real+synthetic; of each tone as many of each label as before, most wrong."""
    images = {one.key: one for one in text()}
    found = by_place(designed(arms=["real", "real+synthetic", "permuted-labels"], ratios=[4]))
    for seed in (0, 1):
        plain, permuted = (found[arm, "text", 8, 4, seed] for arm in ("real+synthetic", "permuted-labels"))
        assert (plain.synthetic, plain.taught) == (permuted.synthetic, ())
        own = [images[key] for key in permuted.synthetic]
        pairs = list(zip(own, permuted.taught, strict=True))
        assert Counter((one.tone, one.label) for one in own) == Counter((one.tone, label) for one, label in pairs)
        assert 0.15 < sum(one.label == label for one, label in pairs) / len(pairs) < 0.55
        assert permuted.training != plain.training
    assert found["permuted-labels", "text", 8, 4, 0].taught != found["permuted-labels", "text", 8, 4, 1].taught


def test_a_trial_can_be_tuned_on_no_more_than_it_has() -> None:
    """With `validation: n` on n images a label, nested, or on all there are; without on all, as it always was."""
    found = by_place(designed(index=real(held=5), validation="n"))
    small, large = (found["real", "", n, 0, 0].tuned for n in (2, 4))
    assert (len(small), len(large)) == (6, 12)
    assert set(small) < set(large)
    assert len(found["real", "", 8, 0, 0].tuned) == 15
    assert found["real+synthetic", "text", 2, 4, 0].tuned == small
    assert found["real", "", 2, 0, 1].tuned != small
    before = by_place(designed(index=real(held=5)))
    assert {one.tuned for one in before.values()} == {()}
    assert found["real", "", 2, 0, 0].training != before["real", "", 2, 0, 0].training


def test_the_size_of_validation_is_said() -> None:
    """Images that are drawn are said with how many there are; that all are taken, the report's settings say."""
    assert any("of the 5" in note.text for note in designed(index=real(held=5), validation="n").notes)


def test_every_label_has_the_same_number_of_images() -> None:
    """No trial has more of one label than of another, real or synthetic."""
    images = text() + children(real())
    labels = {one.key: one.label for one in images} | {one.id: one.label for one in real()}
    for trial in designed(images).trials:
        for names in (trial.real, trial.synthetic):
            counts = Counter(labels[name] for name in names)
            assert not names or (len(counts) == 3 and len(set(counts.values())) == 1)


def test_equal_steps_are_equal() -> None:
    """In protocol equal-steps every trial has the same optimizer steps, and step-matched is real itself."""
    found = designed(learner={"optimizer_steps": 123})
    assert {one.optimizer_steps for one in found.trials} == {123}
    assert not any(one.arm == "real-step-matched" for one in found.trials)
    assert any(note.text.startswith("real-step-matched: ") for note in found.notes)


def test_sagers2023_trains_longer_on_more_images() -> None:
    """Steps follow the images; the step-matched control has those of real+synthetic on the images of real."""
    trials = by_place(designed(protocol="sagers2023", learner={"epochs": 4, "batch_size": 8}))
    assert trials["real", "", 8, 0, 0].optimizer_steps == 4 * 3  # 24 images are 3 batches
    assert trials["real-duplicated", "", 8, 4, 0].optimizer_steps == 4 * 15
    assert trials["real+synthetic", "text", 8, 4, 0].optimizer_steps == 4 * 15
    assert trials["synthetic-only", "text", 8, 4, 0].optimizer_steps == 4 * 12
    matched = trials["real-step-matched", "", 8, 4, 0]
    assert (matched.optimizer_steps, matched.real) == (4 * 15, trials["real", "", 8, 0, 0].real)


def test_sagers2023_has_the_steps_that_are_told_of_it() -> None:
    """With 9 labels at n = 32, real trains for 20 steps and real+synthetic at 10:1 for 200."""
    from synthgen.evaluate.design.arms import optimizer_steps

    settings = Evaluate(protocol="sagers2023")
    assert [optimizer_steps(settings, 9 * 32 * times) for times in (1, 11)] == [20, 200]


@settings(max_examples=30)
@given(sizes=st.sets(st.integers(1, 8), min_size=1, max_size=3), ratios=st.sets(st.integers(1, 3), min_size=1))
def test_trials_are_nested(sizes: set[int], ratios: set[int]) -> None:
    """Within a seed a larger n or ratio has the images of a smaller, real and synthetic."""
    found = by_place(designed(text(24) + children(real()), n_real=list(sizes), ratios=list(ratios)))
    for (place, one), (other, two) in product(found.items(), found.items()):
        (arm, strategy, n, ratio, seed), (*same, m, more, also) = place, other
        if (
            (arm, strategy, seed) == (*same, also)
            and n <= m
            and (ratio <= more if arm != "substitute" else ratio == more)
        ):
            assert set(one.real) <= set(two.real)
            assert set(one.synthetic) <= set(two.synthetic)


def test_arms_share_images() -> None:
    """Arms of one seed, n and ratio have the same real images and the same synthetic ones."""
    trials = by_place(designed(n_real=[4, 8], ratios=[1, 4]))
    both = trials["real+synthetic", "text", 8, 4, 0]
    assert both.real == trials["real", "", 8, 0, 0].real
    assert both.synthetic == trials["synthetic-only", "text", 8, 4, 0].synthetic
    assert trials["substitute", "text", 8, 1, 0].training == trials["synthetic-only", "text", 8, 1, 0].training
    half, small = trials["substitute", "text", 8, 0.5, 0], trials["real+synthetic", "text", 4, 1, 0]
    assert half.training == small.training
    assert half.key != small.key


@settings(max_examples=30)
@given(seed=st.integers(0, 9), ratio=st.integers(1, 4), data=st.data())
def test_a_trial_has_only_what_its_real_images_allow(seed: int, ratio: int, data: st.DataObject) -> None:
    """Sources and pools of a trial's synthetic images lie inside the draw of its n."""
    index = real()
    pools = data.draw(st.lists(st.sets(st.sampled_from([one.id for one in index]), max_size=2), min_size=1, max_size=9))
    images = [replace(one, pool=frozenset(pools[nth % len(pools)])) for nth, one in enumerate(children(index))]
    images += [replace(one, strategy=Strategy("inpaint")) for one in text()]
    by_key = {one.key: one for one in images}
    found = design(study(ratios=[ratio]), Index(tuple(index)), images, seed=seed, labels=LABELS)
    for trial in found.trials:
        n = trial.n_real // 2 if trial.ratio == 0.5 else trial.n_real
        own = set(draw(Index(tuple(index)).usable("train"), LABELS, seed, trial.seed).first(n))
        assert not trial.real or trial.arm == "real-more" or set(trial.real) == own
        for image in map(by_key.__getitem__, trial.synthetic):
            assert {image.source_id} <= own | {""}
            assert image.pool is not None
            assert image.pool <= own


def leaky(**changes: Any) -> tuple[Design, str]:
    """A design in which one image of many was changed to leak, and that image's key."""
    images = text(50)
    images[3] = replace(images[3], **changes)
    return designed(images), images[3].key


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source_id": "acne-t0"}, CHILD),
        ({"source_id": "acne-v1"}, CHILD),
        ({"pool": frozenset({"acne-00", "nevus-t1"})}, SEEN),
        ({"sha256": "sha-eczema-t0"}, COPY),
        ({"label": "melanoma"}, LABEL),
        ({"source_id": "elsewhere"}, OUTSIDE),
        ({"pool": frozenset({"elsewhere"})}, OUTSIDE),
    ],
)
def test_a_planted_leak_is_caught(changes: dict[str, Any], reason: str) -> None:
    """An image that carries something of one held out, or that can't be shown not to, trains nothing and is counted."""
    found, key = leaky(**changes)
    assert found.excluded == {reason: 1}
    assert key not in found.synthetic


@pytest.mark.parametrize("changes", [{"source_id": "acne-t0"}, {"pool": frozenset({"acne-t0"})}])
def test_all_lets_no_child_of_a_test_image_in(changes: dict[str, Any]) -> None:
    """`generator_pool: all` allows other training images, never those held out, and says so in bold."""
    images = text(50)
    images[3] = replace(images[3], **changes)
    images[4] = replace(images[4], source_id="acne-00", pool=frozenset({"acne-01"}))
    found = designed(images, generator_pool="all", source_pool="all", n_real=[1], ratios=[49])
    assert sum(found.excluded.values()) == 1
    assert images[4].key in found.synthetic
    assert found.notes[0] == GENERATORS_SAW_ALL


def test_sources_nest_where_generators_do_not() -> None:
    """With `generator_pool: all` what is painted into real images still starts from the trial's own alone."""
    index = real()
    images = [
        replace(one, pool=frozenset(source.id for source in index if source.split == "train"))
        for one in children(index)
    ]
    by_key = {one.key: one for one in images}
    arms = ["real", "real+synthetic"]
    found = designed(images, index, generator_pool="all", arms=arms)
    trials = [one for one in found.trials if one.synthetic]
    assert {one.ratio for one in trials} == {1, 4}
    assert all({by_key[key].source_id for key in one.synthetic} <= set(one.real) for one in trials)
    assert SOURCES_ALL not in found.notes


def test_sources_of_all_kinds_are_in_bold() -> None:
    """`source_pool: all` starts from any training image, which trains other bytes and is said."""
    index, arms = real(), ["real", "real+synthetic"]
    own, every = (
        designed(children(index), index, source_pool=pool, n_real=[2], ratios=[4], arms=arms) for pool in ("n", "all")
    )
    assert SOURCES_ALL in every.notes
    trials = zip(own.trials, every.trials, strict=True)
    assert all((one.training == two.training) is not bool(one.synthetic) for one, two in trials)
    by_key = {one.key: one for one in children(index)}
    used = {by_key[key].source_id for one in every.trials for key in one.synthetic if one.seed == 0}
    assert used - set(every.trials[0].real)


def test_a_ratio_beyond_a_sources_children_is_left_out_where_generators_are_any() -> None:
    """Four children of each of its own real images can't be ten, whatever the generator saw."""
    arms = ["real", "real+synthetic"]
    found = designed(children(real()), ratios=[4, 10], arms=arms, generator_pool="all")
    assert found.left_out == {TOO_FEW_PER_SOURCE: 2 * 3}


def test_a_child_of_a_test_images_copy_is_caught() -> None:
    """An image at fault because a test image is the same file is as good as the test image."""
    copy = source("acne-zz", sha256="sha-acne-t0", fault="same file as acne-t0")
    images = text(50)
    images[3] = replace(images[3], source_id="acne-zz", pool=frozenset({"acne-zz"}))
    assert designed(images, [*real(), copy]).excluded == {SIBLING: 1}


def test_near_copies_are_left_out_and_counted() -> None:
    """What was found to look like a test image trains nothing."""
    images = text(50)
    found = design(study(), Index(tuple(real())), images, seed=7, labels=LABELS, near_copies=[images[9].key])
    assert found.excluded == {NEAR: 1}
    assert images[9].key not in found.synthetic


def test_real_images_that_look_like_a_test_image_leave_every_arm() -> None:
    """They train nothing, nor does what is made from them, and a fault says why a label has too few."""
    index = real()
    made = [*text(), *children(index)]
    gone = {"acne-03", "nevus-20"}
    found = design(study(source_pool="all"), Index(tuple(index)), made, seed=7, labels=LABELS, look_alikes=gone)
    assert not found.real & gone
    assert not {key for key in found.synthetic if any(f"inpaint-{one}-" in key for one in gone)}
    assert found.excluded == {SIBLING: 8}
    few = design(study(), Index(tuple(index)), text(), seed=7, labels=LABELS, look_alikes=gone)
    assert {one.arm for one in few.trials} == {one.arm for one in designed().trials}
    with pytest.raises(InputError, match=r"7 training images \(1 more look like a validation or test image\), fewer"):
        design(study(), Index(tuple(real(8))), text(), seed=7, labels=LABELS, look_alikes={"acne-03"})


def test_an_unknown_pool_is_taken_for_all() -> None:
    """What a generator saw is not known: its images enter, and the report says so in bold."""
    found = designed(text(pool=None))
    assert found.used == {Strategy("text"): len(found.synthetic)}
    assert any(note.serious and "`text`" in note.text for note in found.notes)


@pytest.mark.parametrize("pool", ["n", "all"])
def test_a_base_model_that_saw_nobody_knows_what_is_in_bold(pool: str) -> None:
    """Its images enter, with what is known of its fine-tuning nested all the same, and the report says so."""
    images = [replace(one, saw_more=True) for one in text()]
    found = designed(images, generator_pool=pool)
    assert found.trials == designed(generator_pool=pool).trials
    assert any(note.serious and "`text`" in note.text and "model_saw" in note.text for note in found.notes)
    outside = [replace(one, pool=frozenset({"acne-t0"})) for one in images]
    assert refused(outside, generator_pool=pool)[0].startswith("evaluate.synthetic: no image of entry `text`")


def test_a_look_alike_of_a_training_image_is_as_good_as_made_from_it() -> None:
    """It trains only trials that have that image; `source_pool: all` lets it in anywhere."""
    index = real()
    order = draw(Index(tuple(index)).usable("train"), LABELS, 7, 0).order["acne"]
    images = [replace(one, looks_like=frozenset({order[5]})) if one.label == "acne" else one for one in text(80)]
    arms = ["real", "synthetic-only", "real+synthetic"]
    found = designed([*images, *(one for one in text(80, "other"))], index, arms=arms, seeds=1)
    used = {(one.n_real, one.arm) for one in found.trials if one.strategy == Strategy("text")}
    assert used == {(8, "synthetic-only"), (8, "real+synthetic")}  # order[5] is the sixth that is drawn
    assert {one.n_real for one in designed(images, index, arms=arms, seeds=1, source_pool="all").trials} == {2, 4, 8}


def test_look_alikes_that_lack_are_no_fault() -> None:
    """What may not train a trial since it looks like a real image is as good as set aside; the rest trains it."""
    index = real()
    last = draw(Index(tuple(index)).usable("train"), LABELS, 7, 0).order["acne"][-1]
    images = text(32)
    images[0] = replace(images[0], looks_like=frozenset({last}))
    found = by_place(designed(images, index, arms=["real", "real+synthetic"], seeds=1))
    assert found["real+synthetic", "text", 8, 4, 0].n_train == 3 * 40 - 1
    assert designed(images, index, arms=["real", "real+synthetic"], seeds=1).excluded == {ALIKE: 1}


def test_a_tuned_generator_serves_the_trials_that_hold_its_pool() -> None:
    """Tuned on draw 0 at n = 4, its images train seed 0 from n = 4 on; the rest is left out and said."""
    pool = frozenset(draw(Index(tuple(real())).usable("train"), LABELS, 7, 0).first(4))
    found = designed(text(pool=pool), arms=["real", "real+synthetic"])
    assert {(one.seed, one.n_real) for one in found.trials if one.synthetic} == {(0, 4), (0, 8)}
    assert found.left_out == {NOT_ALLOWED: 2 * 4}
    assert any("8 trials are left out" in note.text for note in found.notes)


def test_real_more_is_left_out_where_there_are_no_more() -> None:
    """More real images than there are can't be drawn; those trials are counted, with the label that lacks them."""
    found = designed(arms=["real", "real-more"])
    assert found.left_out == {TOO_FEW_REAL: 2}  # 8 x 5 of 24, in two seeds
    assert max(len(one.real) for one in found.trials) == 3 * 4 * 5
    assert not found.synthetic


@given(train=st.integers(8, 30), number=st.integers(0, 4), extra=st.integers(0, 5))
def test_another_real_image_shuffles_no_others(train: int, number: int, extra: int) -> None:
    """With images added, those there were keep their order in a draw."""
    index = real(train)
    before = draw(index, LABELS, 7, number).order["acne"]
    more = [source(f"new-{nth}") for nth in range(extra)]
    after = draw([*more, *index], LABELS, 7, number).order["acne"]
    assert before == tuple(one for one in after if not one.startswith("new-"))


def test_a_group_is_drawn_whole_or_counted() -> None:
    """Groups of three lie next to each other; n = 4 cuts one of each label, n = 6 none."""
    train = Index(tuple(real())).usable("train")
    order = draw(train, LABELS, 7, 0).order["acne"]
    for place in range(0, len(order), 3):
        assert len({int(one.rpartition("-")[2]) // 3 for one in order[place : place + 3]}) == 1
    assert any("6 in 2 draws" in note.text for note in designed(n_real=[4]).notes)
    assert not any("Groups" in note.text for note in designed(n_real=[6]).notes)


def test_the_order_of_what_is_given_does_not_matter() -> None:
    """Images listed backwards make the same trials."""
    images = text() + children(real())
    assert designed(images).trials == designed(images[::-1]).trials


def test_another_n_or_seed_changes_no_trial() -> None:
    """A study grown by sizes, seeds and ratios keeps the trials that it had, key by key."""
    small = designed(n_real=[2, 8], seeds=1, ratios=[4])
    large = designed(n_real=[2, 4, 8], seeds=3, ratios=[1, 4])
    assert {one.key for one in small.trials} <= {one.key for one in large.trials}


@pytest.mark.parametrize(
    "change",
    [
        {"learner": {"backbone": "gabor"}},
        {"learner": {"batch_size": 9}},
        {"learner": {"optimizer_steps": 9}},
    ],
)
def test_what_decides_a_result_is_in_the_key(change: dict[str, Any]) -> None:
    """Another classifier is another training, for every trial."""
    assert not {one.key for one in designed().trials} & {one.key for one in designed(**change).trials}


def test_other_bytes_are_another_trial() -> None:
    """A real, synthetic or test image that changed under its name changes the keys of trials that it decides."""
    images, index = text(), real()
    before = by_place(designed(images))
    synthetic = by_place(designed([replace(one, sha256="other") for one in images]))
    for place, trial in before.items():
        assert (trial.key == synthetic[place].key) is not bool(trial.synthetic)
    tested = designed(images, [replace(one, sha256="x") if one.id == "acne-t0" else one for one in index])
    assert not {one.key for one in before.values()} & {one.key for one in tested.trials}


def test_mixing_matters_only_where_both_kinds_are() -> None:
    """Another mix is another training of real+synthetic, and none of real."""
    union, share = (by_place(designed(mix=mix)) for mix in ("union", {"share": 0.5}))
    for place, trial in union.items():
        assert (trial.key == share[place].key) is not bool(trial.real and trial.synthetic)


def test_keys_are_unique() -> None:
    """No two trials have one key."""
    found = designed(text() + children(real()), protocol="sagers2023")
    assert len({one.key for one in found.trials}) == len(found.trials)


def test_seeds_that_draw_all_images_are_trainings_of_their_own() -> None:
    """Where every seed draws all there are, images are the same and the learner's chance is not."""
    found = designed(n_real=[8], index=real(8), arms=["real"], seeds=3)
    assert len({one.real for one in found.trials}) == 1
    assert len({one.training for one in found.trials}) == 3
    assert any(note.text.startswith("Draws of n = 8 are more than half") for note in found.notes)


def test_a_dataset_without_tones_is_evaluated() -> None:
    """No tone is no fault; what can't be said of it is noted."""
    index = [replace(one, tone=0) for one in real()]
    assert any("can't say for whom" in note.text for note in designed(index=index).notes)
    index = [replace(one, tone=0) if one.id == "acne-t0" else one for one in real()]
    assert any(
        note.text.startswith("1 of 6 test images have no known skin tone") for note in designed(index=index).notes
    )


def test_few_seeds_and_missing_validation_are_noted() -> None:
    """What makes a study weak, but not wrong, is said."""
    index = [one for one in real() if one.id not in {"acne-v0", "acne-v1"}]
    notes = designed(index=index).notes
    assert any(note.text.startswith("2 seeds: at least five") for note in notes)
    assert any(note.text.startswith("No validation image shows `acne`") for note in notes)


@pytest.mark.parametrize(
    ("index", "fault"),
    [
        ([one for one in real() if one.label != "acne"], "real: label `acne` has no usable image"),
        (real(7), "real: label `acne` has 7 training images, fewer than n_real 8; add images, or take n above 7"),
        ([one for one in real() if one.id[:6] != "acne-t"], "real: label `acne` has no test image"),
        ([one for one in real() if one.split != "validation"], "real: no validation image of any label"),
        ([*real(), source("x", split="test", group="acne-g1")], "real: group `acne-g1` is in train and test;"),
        (
            [*real(), source("x", group="acne-t0", fault="group `acne-t0` is in test too")],
            "real: group `acne-t0` is in",
        ),
        ([*real(), source("x", sha256="sha-acne-t0")], "real: training image `x` is a validation or test image too"),
    ],
)
def test_faults_of_real_images_are_said_first(index: list[Source], fault: str) -> None:
    """What the real images lack for the study is said in a line that says where."""
    assert refused(index=index)[0].startswith(fault)


def test_too_few_synthetic_images_are_said() -> None:
    """The largest shortage of an entry is said, and what is needed."""
    assert refused(text(31)) == [
        "evaluate.ratios: entry `text` has 31 images of `acne` that seed 0 may train on (generator_pool: n), "
        "n_real 8 at ratio 4 needs 32; make more, or take larger ratios out"
    ]
    assert "of `nevus`" in refused([one for one in text() if one.label != "nevus"])[0]


def test_a_ratio_beyond_what_an_entry_has_of_each_real_image_is_left_out() -> None:
    """Four children a real image can't be ten of each: those trials are counted and said, the others are made."""
    found = designed(children(real()), ratios=[4, 10], arms=["real", "real+synthetic"])
    assert {one.ratio for one in found.trials if one.synthetic} == {4}
    assert found.left_out == {TOO_FEW_PER_SOURCE: 2 * 3}
    assert any("6 trials are left out" in note.text and "`inpaint` (4)" in note.text for note in found.notes)


def test_a_trial_goes_without_the_few_images_that_are_set_aside() -> None:
    """One near-copy among many leaves a trial an image short, which is said; most of them leave it out."""
    images, arms = text(32), ["real", "real+synthetic"]
    near = [one.key for one in images if one.label == "acne"]
    short = design(study(arms=arms), Index(tuple(real())), images, seed=7, labels=LABELS, near_copies=near[:1])
    assert by_place(short)["real+synthetic", "text", 8, 4, 0].n_train == 3 * 40 - 1
    assert any(note.text.startswith("2 trials with images of `text` have up to 3 % fewer") for note in short.notes)
    without = design(study(arms=arms), Index(tuple(real())), images, seed=7, labels=LABELS, near_copies=near[:20])
    assert without.left_out == {SET_ASIDE: 2 * 2}  # n = 4 and 8 at ratio 4 need 16 and 32 of the twelve


def test_an_entry_of_leaks_alone_is_refused() -> None:
    """Where every image leaks there is nothing to study; the line says why."""
    fault = refused(text(pool=frozenset({"acne-t0"})))[0]
    assert fault.startswith(f"evaluate.synthetic: no image of entry `text` may train any trial (120 {SEEN});")


def test_no_synthetic_image_is_refused_only_where_one_is_needed() -> None:
    """Real arms alone need none."""
    assert refused([]) == ["evaluate.synthetic: no image in `this`; make some, or ask for real arms alone"]
    assert len(designed([], arms=["real", "real+augment"]).trials) == 12


def test_a_key_given_twice_is_refused() -> None:
    """Two images of one name can't be told apart later."""
    assert refused([*text(), text()[0]])[0].startswith("evaluate.synthetic: key `text-acne-000` is there twice")


def test_a_strategy_to_compare_with_has_images() -> None:
    """One that no image is of is refused, and not passed over."""
    assert refused(text(), against={"text": "txt"}) == ["evaluate.against: no strategy `txt`; did you mean `text`?"]


def test_a_large_study_is_designed_in_a_moment() -> None:
    """Five seeds, five sizes, all arms and three ratios over 20,000 images take seconds at the most."""
    index = real(400, 40)
    images = text(3333) + children(index, 8)
    began = time.process_time()
    found = designed(images, index, n_real=[1, 8, 16, 32, 64], ratios=[1, 4, 8], seeds=5)
    assert len({one.key for one in found.trials}) == len(found.trials)
    assert time.process_time() - began < 10


def test_an_image_set_aside_is_counted_once() -> None:
    """Also where it is an image of an uncurated strategy too."""
    images = text()
    near = {image.record_key for image in images[:3]}
    found = design(
        study(),
        Index(tuple(real())),
        [*images, *(one.uncurated for one in images)],
        seed=7,
        labels=LABELS,
        near_copies=near,
    )
    assert found.excluded == {NEAR: 3}
