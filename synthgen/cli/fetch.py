"""``synthgen fetch``: downloads a real dataset that is given as addresses."""

from collections import Counter
from pathlib import Path

import click

from synthgen.cli import _options, _progress, _signals
from synthgen.cli._terminal import say


@click.command("fetch")
@click.argument("manifest", type=_options.Manifest())
@_options.verbosity
def command(manifest: Path, *, quiet: bool) -> int:
    """Download the real images of MANIFEST whose metadata give addresses: `real.fetch`.

    Asks each host as seldom as the manifest says, tries again where that may help, and keeps a file only if it is an
    image and has its MD5. Kill it at any time: the same command asks only for what is missing. `fetch.csv` in the
    images' folder says what became of every address.

    Exit code 1: some are missing. 75: stopped by a signal, can be resumed.

    Example: synthgen fetch fitzpatrick17k
    """
    from synthgen.real import fetch

    rows, settings, folder = fetch.read(manifest)
    outcomes: Counter[str] = Counter()
    total = len(fetch.targets(rows, settings))
    with _signals.stoppable() as stop, _progress.Progress(total, quiet=quiet, unit="addresses") as progress:
        every = 1 + total // 500  # a line in a log for each would be too many
        for number, fetched in enumerate(fetch.fetch(rows, settings, folder, stop=stop), start=1):
            outcomes[fetched.outcome] += 1
            if number % every == 0 or number == total:
                progress.step(every if number % every == 0 else number % every, str(folder))
    missing = total - sum(outcomes[outcome] for outcome in fetch.PRESENT)
    if not quiet:
        counted = ", ".join(f"{outcomes[name]:,} {name}" for name in fetch.OUTCOMES if outcomes[name])
        say(f"{total:,} addresses: {counted or 'nothing to do'}")
    if missing:
        say(f"{missing:,} images are missing; {folder / fetch.REPORT} says why", err=True)
    return 1 if missing else 0
