"""``synthgen preview``: shows what was made."""

from pathlib import Path

import click

from synthgen.cli import _options
from synthgen.cli._terminal import say


@click.command("preview")
@click.argument("directory", metavar="DIR", type=_options.FOLDER)
@click.option(
    "--out", required=True, type=_options.FILE, help="The HTML file; the contact sheet goes beside it as .png."
)
@click.option(
    "--limit", default=5000, show_default=True, type=click.IntRange(min=1), help="Pictures at the most, spread evenly."
)
@click.option(
    "--work",
    type=_options.FOLDER,
    help="The run that DIR, a packed dataset, is of, with the real images behind its pseudonyms; `work` beside it if "
    "left out.",
)
@click.option("--no-originals", is_flag=True, help="Leave out the images that pictures start from.")
@_options.trust
@_options.verbosity
def command(directory: Path, *, out: Path, limit: int, work: Path | None, no_originals: bool, quiet: bool) -> None:
    """Write a gallery of a run or dataset as one HTML file, and a contact sheet beside it.

    A picture that was made from another image stands beside it, so the page may hold real photographs. The contact
    sheet shows only what was made.

    Example: synthgen preview runs/quickstart/work --out preview.html
    """
    from synthgen import study

    sheet = study.preview(directory, out, limit=limit, originals=not no_originals, work=work)
    if not quiet:
        say(f"gallery {out}\ncontact sheet {sheet}")
