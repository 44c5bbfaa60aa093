"""``synthgen reproduce``: makes one image again."""

from pathlib import Path

import click

from synthgen.cli import _options
from synthgen.cli._terminal import say


@click.command("reproduce")
@click.argument("directory", metavar="DIR", type=_options.FOLDER)
@click.argument("key")
@click.option("--out", required=True, type=_options.FILE, help="Where the new image goes; must not exist yet.")
@click.option(
    "--work",
    type=_options.FOLDER,
    help="The run that DIR, a packed dataset, is of: it has the adapter, and the names behind pseudonyms.",
)
@click.option(
    "--real",
    type=_options.FOLDER,
    help="A folder with the real images, whatever they are called there: each is told by its bytes.",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Make it at its place among the images that it was beside, as a GPU's last bits may depend on it.",
)
@_options.trust
@_options.verbosity
def command(
    directory: Path, key: str, *, out: Path, work: Path | None, real: Path | None, exact: bool, quiet: bool
) -> int:
    """Make one image of a run or dataset again from its record, and compare it with the one stored.

    Says `identical` where the bytes are equal, and the PSNR otherwise. An image that was made from a real one needs
    that: where the manifest says, or anywhere in --real. With --exact its work shard is made up to it, which takes as
    long as that. Exit code 1: below 40 dB.

    Example: synthgen reproduce runs/quickstart/dataset text-melanoma-5-0000003 --out again.jpg
    """
    from synthgen.core import atomic
    from synthgen.errors import InputError
    from synthgen.extensions import EXTENSIONS
    from synthgen.generate.reproduce import TOLERANCE, reproduce
    from synthgen.runs import study_layout

    if out.exists():
        raise InputError(f"--out {out}: exists already; choose another name")
    run = work and study_layout.run_of(work)
    made = reproduce(study_layout.either_of(directory), key, EXTENSIONS, run, real=real, exact=exact)
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic.sweep(out.parent, out.name)
    atomic.write(out, made.content)
    if not quiet:
        same = "identical" if made.identical else f"PSNR {made.psnr:.1f} dB (tolerance {TOLERANCE:.0f} dB)"
        say(f"{key}: {same}; written to {out}")
    return 0 if made.within_tolerance else 1
