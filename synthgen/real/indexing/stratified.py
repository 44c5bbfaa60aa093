"""Draws the split of each group of real images so that every split has its share of each label and skin tone.

Not scikit-learn's ``StratifiedGroupKFold``, whose folds are all of one size, so that 70, 15 and 15 % can't be asked of
it, and whose draws may change with its version, while a split has to stay.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from synthgen.core.hashing import stable_hash
from synthgen.plan.manifest.settings import Split, Stratify

Stratum = tuple[object, ...]
# Where a share is too small for one, which split gets it first: what is not in training can't be learned.
_FIRST: tuple[Split, ...] = ("train", "test", "validation")


def draw(
    groups: Mapping[str, Sequence[tuple[str, int]]], by: Sequence[Stratify], fractions: Mapping[Split, float], seed: int
) -> dict[str, Split]:
    """The split of each group, whatever order they come in.

    Greedy, in the order of the iterative stratification of Sechidis, Tsoumakas and Vlahavas (2011): the group of the
    rarest stratum first, of these the largest, among equals by a hash. It goes to the split that is filled least, on
    average over its images and over what is to be even: all images, each label, each skin tone, and each label on each
    skin tone. A stratum is filled by what it has, and half of what comes, over its share; which counts as no less than
    one group, so that of three groups each split gets one.

    Args:
        groups: The label and the skin tone of each image of a group, by its name.
        by: What is to be even.
        fractions: The share of each split; they add up to 1.
        seed: The manifest's seed.
    """
    kind_of = {name: tuple(images) for name, images in groups.items()}  # many are of the same labels and tones
    strata = {kind: Counter(one for image in kind for one in _strata(*image, by)) for kind in set(kind_of.values())}
    total = Counter[Stratum]()
    number_of = Counter[Stratum]()
    for kind, number in Counter(kind_of.values()).items():
        for one, n in strata[kind].items():
            total[one] += n * number
            number_of[one] += number
    rarest = {kind: min(total[one] for one in counts) for kind, counts in strata.items()}
    names = [split for split in _FIRST if split in fractions]
    share = {
        split: {one: max(fractions[split] * total[one], total[one] / number_of[one]) for one in total}
        for split in names
    }
    held = {split: dict.fromkeys(total, 0) for split in names}

    def filled(split: Split, counts: Counter[Stratum]) -> float:
        has, of = held[split], share[split]
        return sum([n * (has[one] + n / 2) / of[one] for one, n in counts.items()])

    def place(name: str) -> tuple[int, int, bytes]:
        kind = kind_of[name]
        return rarest[kind], -len(kind), stable_hash(seed, "stratify", name)

    found: dict[str, Split] = {}
    before, by_split = None, dict[Split, float]()
    for name in sorted(groups, key=place):
        kind = kind_of[name]
        counts = strata[kind]
        if kind != before:
            before, by_split = kind, {split: filled(split, counts) for split in names}
        chosen = found[name] = min(names, key=by_split.__getitem__)  # of equals the first
        for one, n in counts.items():
            held[chosen][one] += n
        by_split[chosen] = filled(chosen, counts)  # the others are as they were
    return found


def _strata(label: str, tone: int, by: Sequence[Stratify]) -> list[Stratum]:
    """What an image counts for: all images, and each part of what is to be even."""
    values = {"label": label, "skin_tone": tone}
    single = [(name, values[name]) for name in by]
    return [(), *single, *([tuple(single)] if len(single) > 1 else [])]
