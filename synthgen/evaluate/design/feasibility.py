"""The faults that make a study impossible, found before anything is trained: where, and what to do, a line each."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from synthgen.evaluate.design.arms import Condition
from synthgen.evaluate.design.trials import SyntheticImage
from synthgen.plan.manifest.evaluate import Evaluate, Strategy, against_faults
from synthgen.plan.real_index import SPLITS, FaultKind, Index


def of_real(settings: Evaluate, index: Index, labels: Sequence[str]) -> list[str]:
    """The faults of the real images: labels without any or with too few, groups on both sides, nothing to test on."""
    faults = _groups(index) + _files(index)
    counts = {split: Counter(source.label for source in index.usable(split)) for split in SPLITS}
    largest = max(settings.n_real)
    for label in labels:
        train = counts["train"][label]
        if not any(counts[split][label] for split in SPLITS):
            faults.append(f"real: label `{label}` has no usable image; add some, or take it out of `labels`")
            continue
        if train < largest:
            advice = f"add images, or take n above {train} out of evaluate.n_real" if train else "see real.splits"
            gone = sum(one.label == label and one.fault_kind is FaultKind.LOOK_ALIKE for one in index.sources)
            but = f" ({gone} more look like a validation or test image)" if gone else ""
            faults.append(
                f"real: label `{label}` has {train} training images{but}, fewer than n_real {largest}; {advice}"
            )
        if not counts["test"][label]:
            faults.append(f"real: label `{label}` has no test image; see real.splits, or add images")
    if not any(counts["validation"][label] for label in labels):
        faults.append("real: no validation image of any label; give `validation` a share in real.splits")
    return faults


def of_synthetic(settings: Evaluate, images: Sequence[SyntheticImage]) -> list[str]:
    """The faults of the list of synthetic images: none at all, two of one name, none of a strategy that is named."""
    if not images:
        return [f"evaluate.synthetic: no image in `{settings.synthetic}`; make some, or ask for real arms alone"]
    twice = [key for key, count in Counter(image.key for image in images).items() if count > 1]
    if twice:
        return [f"evaluate.synthetic: key `{min(twice)}` is there twice ({len(twice)} such); name each image once"]
    return against_faults(settings, {str(image.strategy) for image in images})


def of_strategies(strategies: Iterable[Strategy], reasons: Mapping[Strategy, Counter[str]]) -> list[str]:
    """The faults of strategies of which no trial has an image.

    Args:
        strategies: Them.
        reasons: Why images are left out, by strategy.
    """
    faults = []
    for strategy in strategies:
        why = "; ".join(f"{count} {reason}" for reason, count in reasons.get(strategy, Counter()).most_common())
        faults.append(
            f"evaluate.synthetic: no image of entry `{strategy}` may train any trial ({why}); "
            "use a generator that saw no more than a trial's real images and starts from no others, or generator_pool: "
            "all, or source_pool: all, if that is why"
        )
    return faults


def of_shortage(settings: Evaluate, condition: Condition, seed: int, label: str, found: int) -> str:
    """The fault of a trial that lacks synthetic images.

    Args:
        settings: The study.
        condition: The trial.
        seed: Its seed.
        label: The label that lacks images.
        found: How many of it there are.
    """
    nested = [name for name in ("generator_pool", "source_pool") if getattr(settings, name) == "n"]
    allowed = f" that seed {seed} may train on ({nested[0]}: n)" if nested else ""
    return (
        f"evaluate.ratios: entry `{condition.strategy}` has {found} images of `{label}`{allowed}, n_real "
        f"{condition.synthetic_n} at ratio {condition.synthetic_ratio} needs {condition.synthetic_images}; make more, "
        "or take larger ratios out"
    )


def _groups(index: Index) -> list[str]:
    """The fault of groups that have images in two splits, those that the index put aside for it included."""
    splits = defaultdict(set)
    for source in index.sources:
        if not source.fault or source.fault_kind is FaultKind.GROUP_IN_TWO_SPLITS:
            splits[source.group].add(source.split)
    both = sorted(group for group, found in splits.items() if len(found) > 1)
    if not both:
        return []
    where = " and ".join(split for split in SPLITS if split in splits[both[0]])
    others = f" ({len(both)} groups are in several splits)" if len(both) > 1 else ""
    return [f"real: group `{both[0]}` is in {where}{others}; put all images of a group in one split"]


def _files(index: Index) -> list[str]:
    """The fault of training images that are, byte for byte, validation or test images too."""
    held = {source.sha256 for split in ("validation", "test") for source in index.usable(split)} - {""}
    both = [source.id for source in index.usable("train") if source.sha256 in held]
    if not both:
        return []
    return [f"real: training image `{both[0]}` is a validation or test image too ({len(both)} such); take one out"]
