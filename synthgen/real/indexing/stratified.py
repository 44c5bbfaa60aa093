"""Draws the split of each group of real images so that every split has its share of each label and skin tone.

Not scikit-learn's ``StratifiedGroupKFold``, whose folds are all of one size, so that 70, 15 and 15 % can't be asked of
it, and whose draws may change with its version, while a split has to stay.
"""

from collections import Counter, defaultdict
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
    strata = {name: Counter(one for image in images for one in _strata(*image, by)) for name, images in groups.items()}
    total = Counter[Stratum]()
    number_of = Counter[Stratum]()
    for counts in strata.values():
        total.update(counts)
        number_of.update(dict.fromkeys(counts, 1))
    names = [split for split in _FIRST if split in fractions]
    share = {
        (split, one): max(fractions[split] * total[one], total[one] / number_of[one])
        for split in names
        for one in total
    }
    held = defaultdict[tuple[Split, Stratum], int](int)

    def filled(split: Split, counts: Counter[Stratum]) -> float:
        return sum(n * (held[split, one] + n / 2) / share[split, one] for one, n in counts.items())

    def place(name: str) -> tuple[int, int, bytes]:
        counts = strata[name]
        return min(total[one] for one in counts), -counts[()], stable_hash(seed, "stratify", name)

    found: dict[str, Split] = {}
    for name in sorted(groups, key=place):
        counts = strata[name]
        found[name] = min(names, key=lambda split: (filled(split, counts), names.index(split)))
        for one, n in counts.items():
            held[found[name], one] += n
    return found


def _strata(label: str, tone: int, by: Sequence[Stratify]) -> list[Stratum]:
    """What an image counts for: all images, and each part of what is to be even."""
    values = {"label": label, "skin_tone": tone}
    single = [(name, values[name]) for name in by]
    return [(), *single, *([tuple(single)] if len(single) > 1 else [])]
