"""``synthgen publish``: puts a dataset on the Hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from synthgen.cli import _options, _progress
from synthgen.cli._terminal import say
from synthgen.core import hub


@click.command("publish")
@click.argument("dataset", type=_options.FOLDER)
@click.option("--repo", default="", metavar="ORG/NAME", help="The repository; the manifest's publish.repo if left out.")
@click.option("--public", is_flag=True, help="Everyone may see it; private if left out.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Check everything, show what would go and what of real images would be seen, and send nothing.",
)
@click.option("--revision", default="main", show_default=True, metavar="BRANCH", help="The branch; made if need be.")
@click.option("--tag", default="", help="Tag the commit, once every file was compared.")
@click.option(
    "--allow",
    multiple=True,
    metavar="COLUMN",
    help="Everyone may see this column or file, whoever it may name; source_license for real images of unknown "
    "licence. Can be given several times.",
)
@click.option(
    "--work",
    type=_options.FOLDER,
    help="The run that DATASET was packed from: what it has set aside since is refused; `work` beside it if left out.",
)
@click.option("--message", default="", help="The first words of the commit's message; the digests follow.")
@_options.verbosity
def command(dataset: Path, *, dry_run: bool, quiet: bool, **options: Any) -> None:
    """Publish a packed dataset on the Hugging Face Hub: nobody ever sees half of it.

    Checks the folder first. Then the bytes go, unseen, and one commit shows shards, metadata and card together and
    takes away what is no longer in the dataset. Kill it at any time: the same command sends only what is missing.
    Needs a login (`hf auth login`, or HF_TOKEN). Exit code 1: not published, and why.

    Example: synthgen publish runs/quickstart/dataset --repo ORG/NAME --dry-run
    """
    from synthgen import study
    from synthgen.publish import Begun, Checked, Committed, Compared, Merged, Published, Sent

    done = 0
    with _client_silent(), _progress.Events(quiet=quiet) as events:
        for event in study.publish(dataset, dry_run=dry_run, **options):
            match event:
                case Begun():
                    events.begin(study.Stage("publish", event.size // 1000, unit="kB"))
                    done = 0
                case Checked() | Sent():
                    events.step((done + event.size) // 1000 - done // 1000, event.path)
                    done += event.size
                case Compared():
                    events.end()
                    _show(event, dry_run=dry_run, quiet=quiet)
                case Committed() if not quiet:
                    say(f"{event.reference}: commit {event.commit[:12]}, {event.operations:,} files", err=True)
                case Merged() if not quiet:
                    say(f"pull request {event.pull_request}: merged", err=True)
                case Published() if not quiet:
                    say(_summary(event))


def _show(compared: Any, *, dry_run: bool, quiet: bool) -> None:
    """What would go, file by file in a dry run, and in one line otherwise."""
    changes = compared.changes
    for one in () if quiet else compared.identifying:
        say(f"could name a person: {one}", err=not dry_run)
    if dry_run and compared.source_rows and not quiet:
        say(compared.source_rows)
    if dry_run:
        rows = [("add", file) for file in changes.add]
        rows += [("delete", file) for file in changes.delete]
        rows += [("unchanged", file) for file in changes.unchanged]
        for verb, file in rows:
            say(f"{verb:<9}  {file.size:>15,} bytes  {file.name}")
    elif quiet:
        return
    if compared.not_compared:
        say(f"what is on the Hub was not compared: {compared.not_compared}", err=not dry_run)
    line = f"{compared.repository}: {len(changes.add):,} files to add ({changes.size:,} bytes), "
    line += (
        f"{len(changes.delete):,} to delete, {len(changes.unchanged):,} unchanged; {_count(compared.commits, 'commit')}"
    )
    say(f"{line}; nothing was sent" if dry_run else line, err=not dry_run)


def _summary(event: Any) -> str:
    made = "nothing to do, 0 commits" if not event.commits else f"published in {_count(event.commits, 'commit')}"
    tag = f", tag {event.tag}" if event.tag else ""
    held = f"{event.files:,} files ({event.size:,} bytes) on the Hub compared, every hash equal"
    return f"{made}; {held}\n{event.url} at {event.commit[:12]}{tag}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


@contextmanager
def _client_silent() -> Iterator[None]:
    """Keep the client's own bars and warnings away from ours: its show addresses that are signed."""
    with hub.without_bars("huggingface_hub"), hub.errors_only("huggingface_hub"):
        yield
