"""Says in a few plain lines what has become of the real images that a plan starts from."""

from collections.abc import Mapping, Sequence

from synthgen.core.model_folder import LEARNED
from synthgen.plan.real_index import SAME_FILE

Account = Mapping[str, Mapping[str, int]]


def lines(account: Account, *, opened: bool) -> list[str]:
    """The lines of an account, as of :meth:`synthgen.plan.real_index.Index.account`.

    Args:
        account: What is usable, left out and at fault.
        opened: Whether the images have been opened, or counted from metadata alone.
    """
    faults = dict(account["faults"])
    same = faults.pop(SAME_FILE, 0)
    said = [f"real images: {_counted(account['usable'])}{'' if opened else '; counted from metadata, none was opened'}"]
    if account["left_out"]:
        said.append(f"  rows left out: {_counted(account['left_out'])}")
    if faults:
        said.append(f"  images that can't be used: {_counted(faults)}")
    if same:
        said.append(f"  {same:,} {'image is' if same == 1 else 'images are'} {SAME_FILE}")
    return said


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


def _counted(counts: Mapping[str, int]) -> str:
    """Counts with what they are of, those of nothing left out: ``7 train, 2 test``."""
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count) or "none"
