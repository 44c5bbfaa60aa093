"""What has become of real images, for people: counts by cell, an example of each reason, and what a study will miss."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from synthgen.plan import skin_tones
from synthgen.plan.manifest.settings import Split
from synthgen.plan.real_index import SPLITS, FaultKind, Index, Source, reason_of

NO_LABEL = "no label of the manifest"
_SHOWN = 5
_LONGEST = 60
_BLOCK = 12


def examples(index: Index) -> dict[str, dict[str, int]]:
    """For each reason that rows are left out or images can't be used, what it was met with, the most frequent first.

    That is a value where a value is the reason, and a file where the file is; how often each, at most five of a reason.
    Of an index that was read from a run, rows that are left out are counted alone, and have none.
    """
    met: dict[str, Counter[str]] = {reason: Counter(dict(one)) for reason, one in index.left_out_values.items()}
    for source in index.sources:
        if source.fault:
            met.setdefault(reason_of(source), Counter())[_example(source)] += 1
    return {reason: dict(sorted(one.items(), key=_by_count)[:_SHOWN]) for reason, one in met.items()}


def cells(index: Index, scale: str) -> list[dict[str, Any]]:
    """Usable images of each label, skin tone and split that has any, tones that nobody knows included."""
    counts = Counter((one.label, one.tone, one.split) for split in SPLITS for one in index.usable(split))
    order = sorted(counts, key=lambda cell: (cell[0], not cell[1], cell[1], SPLITS.index(cell[2])))
    return [
        {
            "label": label,
            "skin_tone": skin_tones.name(scale, tone),
            "split": split,
            "images": counts[label, tone, split],
        }
        for label, tone, split in order
    ]


def warnings(index: Index, labels: Collection[str], tones: Collection[int] = ()) -> list[str]:
    """What a study that starts from the images will miss: a line each, none where nothing is missing.

    Args:
        index: The images.
        labels: The manifest's labels.
        tones: Its skin tones; nothing is said of them where nobody knows the tone of any image.
    """
    counts = {split: Counter(one.label for one in index.usable(split)) for split in SPLITS}
    said = []
    if none := [label for label in labels if not any(counts[split][label] for split in SPLITS)]:
        said.append(f"no real image of {_listed(none)}")
    seen = {split: {one.tone for one in index.usable(split)} for split in SPLITS}
    known = set[int]().union(*seen.values()) - {0}
    if known and (never := [tone for tone in tones if tone not in known]):
        said.append(f"no real image of skin tone {_tones(never)}")
    judged: tuple[tuple[Split, str], ...] = (("train", "training"), ("test", "test"))
    for split, name in judged:
        if not index.usable(split):
            said.append(f"no real image is in the {name} split; give `{split}` a larger share in `real.splits`")
        elif missing := [label for label in labels if label not in none and not counts[split][label]]:
            said.append(f"no {name} image of {_listed(missing)}; see `real.splits`, or add images")
        if index.usable(split) and (lacking := [tone for tone in tones if tone in known and tone not in seen[split]]):
            said.append(f"no {name} image of skin tone {_tones(lacking)}; see `real.splits`, or add images")
    if not index.usable("validation"):
        said.append("no real image is in the validation split; give `validation` a larger share in `real.splits`")
    kinds = Counter(one.fault_kind for one in index.sources if one.fault)
    if twice := kinds[FaultKind.ANOTHER_LABEL]:
        said.append(
            f"{twice:,} {'image is' if twice == 1 else 'images are'} there again with another label: one of each is "
            "used, chosen by its split and id; correct the data, or take both out"
        )
    return said


def shares(index: Index, fractions: Mapping[Split, float]) -> str:
    """The share of images that each split has, beside that asked for, and the least and greatest of a label in test.

    Args:
        index: The images.
        fractions: The shares asked for.
    """
    total = sum(len(index.usable(split)) for split in SPLITS)
    said = [
        f"{split} {len(index.usable(split)) / max(total, 1):.1%} ({fractions.get(split, 0):.1%} asked)"
        for split in SPLITS
    ]
    of_label = Counter(one.label for split in SPLITS for one in index.usable(split))
    tested = Counter(one.label for one in index.usable("test"))
    by_label = sorted((tested[label] / count, label) for label, count in of_label.items())
    if not by_label:
        return ", ".join(said)
    (low, first), (high, last) = by_label[0], by_label[-1]
    return f"{', '.join(said)}; of a label, test has {low:.1%} ({first}) to {high:.1%} ({last})"


def labels_block(index: Index, labels: Mapping[str, str]) -> list[str]:
    """The lines of YAML that say of values without a label what they are, to be completed and pasted; none for none.

    A value that has a label's name or words in it is taken for that label; of all others a person knows.
    """
    values = sorted(index.left_out_values.get(NO_LABEL, {}).items(), key=_by_count)
    values = [(value, count) for value, count in values if value and value != _NOTHING]
    if not values:
        return []
    block = ["real:", "  labels:"]
    for value, count in values[:_BLOCK]:
        block.append(f"    {_quoted(value)}: {_guess(value, labels)}  # {count:,} {'row' if count == 1 else 'rows'}")
    if len(values) > _BLOCK:
        block.append(f"    # and {len(values) - _BLOCK:,} more values")
    return block


def shown(reason: str, count: int, met: Mapping[str, Mapping[str, int]]) -> str:
    """A reason with its count and an example: ``12 no file, as `i00` ``."""
    example = next(iter(met.get(reason, {})), "")
    return f"{count:,} {reason}" + (f", as `{example}`" if example else "")


def _tones(values: Collection[int]) -> str:
    return ", ".join(map(str, values))


_NOTHING = "(nothing)"


def value_of(text: str) -> str:
    """A cell of somebody's table as an example: on one line, cut where it is long, and said where it is empty."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return (line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}...") or _NOTHING


def _example(source: Source) -> str:
    """What a fault was met with: the value in its sentence, or else the file."""
    if source.fault_kind in (FaultKind.SKIN_TONE, FaultKind.SPLIT):
        return value_of(source.fault.split("`")[1])
    return value_of(source.location)


def _guess(value: str, labels: Mapping[str, str]) -> str:
    said = value.casefold()
    names = {
        label: {label.casefold(), label.replace("-", " ").casefold(), words.casefold()}
        for label, words in labels.items()
    }
    fitting = [label for label, spellings in names.items() if any(one in said for one in spellings)]
    return fitting[0] if len(fitting) == 1 else "LABEL"


def _quoted(value: str) -> str:
    """A YAML key that is the text, whatever YAML would make of it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels[:_BLOCK]) + (" ..." if len(labels) > _BLOCK else "")


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def table(index: Index) -> dict[str, dict[int, dict[str, int]]]:
    """Usable images by label, tone and split, for a table."""
    found: defaultdict[str, dict[int, dict[str, int]]] = defaultdict(dict)
    for split in SPLITS:
        for (label, tone), count in sorted(index.counts(split).items()):
            found[label].setdefault(tone, dict.fromkeys(SPLITS, 0))[split] = count
    return dict(found)
