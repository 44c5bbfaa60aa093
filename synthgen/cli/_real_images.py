"""Says in a few plain lines what has become of the real images that a plan starts from."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from synthgen.cli._terminal import say
from synthgen.core.model_folder import LEARNED

if TYPE_CHECKING:
    from synthgen.plan.manifest import Manifest
    from synthgen.plan.real_index import Index, Source


def lines(index: "Index", manifest: "Manifest", *, opened: bool) -> list[str]:
    """The lines on real images.

    Args:
        index: Their index.
        manifest: The manifest that names them.
        opened: Whether the images have been opened, or counted from metadata alone.
    """
    from synthgen.plan import real_account
    from synthgen.plan.real_index import SAME_FILE

    document = manifest.document
    labels = document.labels
    account, met = index.account(), real_account.examples(index)
    marked = ", ".join(f"{count:,} {mark}" for mark, count in index.marked.items())
    faults = dict(account["faults"])
    same = faults.pop(SAME_FILE, 0)
    said = [f"real images: {_counted(account['usable'])}{'' if opened else '; counted from metadata, none was opened'}"]
    if manifest.real and (by := manifest.real.settings.stratify):
        said.append(f"  splits by {' and '.join(by)}: {real_account.shares(index, manifest.real.settings.splits)}")
    if account["left_out"]:
        said.append(f"  rows left out: {_with_examples(account['left_out'], met)}")
    if faults:
        said.append(f"  images that can't be used: {_with_examples(faults, met)}")
    if same:
        example = next(iter(met[SAME_FILE]), "")
        said.append(f"  {same:,} {'image is' if same == 1 else 'images are'} {SAME_FILE}, as `{example}`")
    said += [f"  {line}" for line in (*index.notes, *real_account.warnings(index, labels, document.skin_tones.values))]
    if marked:
        said.append(f"  marks of how they came to be: {marked}; recorded, and in no image that is made")
    if block := real_account.labels_block(index, labels):
        said += ["  to use rows without a label, say what they are:", *(f"    {line}" for line in block)]
    return said


@contextmanager
def said_of_none(manifest: "Manifest", *, quiet: bool) -> Iterator[None]:
    """Say what the data hold where planning fails since no row of theirs is one of the manifest's.

    Args:
        manifest: The manifest that is planned within.
        quiet: Whether nothing is said.
    """
    from synthgen import study
    from synthgen.errors import InputError, SynthgenError

    try:
        yield
    except InputError:
        try:
            index = None if quiet or not manifest.starts_from_real else study.scan(manifest)
        except (SynthgenError, OSError):
            index = None  # that is the fault which planning has found
        if index and not index.sources:  # of others the fault says enough
            say("\n".join(lines(index, manifest, opened=False)), err=True)
        raise


def table(index: "Index", manifest: "Manifest") -> Any:
    """Usable real images by label and skin tone, in each of the three splits; ``None`` where there are none."""
    from rich.box import SIMPLE
    from rich.table import Table

    from synthgen.plan import real_account
    from synthgen.plan.real_index import SPLITS

    found = real_account.table(index)
    if not found:
        return None
    asked = manifest.document.skin_tones.values
    tones = sorted({*asked, *(tone for one in found.values() for tone in one)}, key=lambda tone: (not tone, tone))
    drawn = Table(title=f"real images: {'/'.join(SPLITS)}", box=SIMPLE)
    drawn.title_justify = "left"
    drawn.add_column("label \\ skin tone")
    for column in [*(tone or "unknown" for tone in tones), "all"]:
        drawn.add_column(str(column), justify="right")
    labels = manifest.document.labels
    rows = {label: found.get(label, {}) for label in labels}
    for label, by_tone in rows.items():
        cells = [by_tone.get(tone, {}) for tone in tones]
        drawn.add_row(label, *map(_by_split, [*cells, _sum(cells)]))
    columns = [_sum([by_tone.get(tone, {}) for by_tone in rows.values()]) for tone in tones]
    drawn.add_row("all", *map(_by_split, [*columns, _sum(columns)]))
    return drawn


def of_words(strange: Sequence[str]) -> list[str]:
    """The line that says which labels the bundled model does not know; none where it knows all.

    Args:
        strange: Their words, as of :attr:`synthgen.plan.Plan.strange_words`.
    """
    if not strange:
        return []
    listed = ", ".join(f"`{words}`" for words in strange)
    return [
        f"the bundled model has not learned {listed}, and draws something else; it knows {', '.join(LEARNED)}. Teach "
        "it with `finetune:`, or take another model"
    ]


def of_captions(cut: "Sequence[Source]", most: int | None) -> list[str]:
    """The line that says of how many real images prompts say less than the caption; none where they say all of each.

    Args:
        cut: The images, as of :attr:`synthgen.plan.Plan.cut_captions`.
        most: The words of a caption that they say at the most.
    """
    if not cut:
        return []
    return [
        f"{len(cut):,} captions are cut after {most} words (`max_caption_words` of the prompts): {cut[0].id} is one"
    ]


def _sum(cells: Sequence[Mapping[str, int]]) -> dict[str, int]:
    from synthgen.plan.real_index import SPLITS

    return {split: sum(cell.get(split, 0) for cell in cells) for split in SPLITS}


def _by_split(cell: Mapping[str, int]) -> str:
    """Counts of the three splits, ``12/3/2``; ``-`` where all are 0."""
    return "/".join(f"{count:,}" for count in cell.values()) if any(cell.values()) else "-"


def _counted(counts: Mapping[str, int]) -> str:
    """Counts with what they are of, those of nothing left out: ``7 train, 2 test``."""
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "none"


def _with_examples(counts: Mapping[str, int], met: Mapping[str, Mapping[str, int]]) -> str:
    from synthgen.plan import real_account

    return ", ".join(real_account.shown(reason, count, met) for reason, count in counts.items() if count)
