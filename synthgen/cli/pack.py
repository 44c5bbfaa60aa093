"""``synthgen pack``: makes the dataset folder."""

from pathlib import Path
from typing import Any

import click

from synthgen.cli import _options, _progress, _signals
from synthgen.cli._terminal import say


@click.command("pack")
@click.argument("directory", metavar="DIR", type=_options.FolderOrMirror(path_type=Path, file_okay=False))
@click.option(
    "--out",
    required=True,
    type=_options.DIRECTORY,
    help="The dataset folder; new, empty, or of this run, which is then replaced.",
)
@click.option(
    "--manifest",
    type=_options.Manifest(),
    help="Pack by `pack:` and `publish:` of this manifest of the same images, and keep it in the run.",
)
@click.option("--partial", is_flag=True, help="Pack what is there of a run that is not finished.")
@click.option(
    "--format",
    metavar="[webdataset|parquet|imagefolder|auto|NAME]",
    help="Tars, Parquet files with the images in them, image files, or a plug-in's; auto is Parquet from 5 GB on, of "
    "which the Hub's viewer shows all; the manifest's pack.format if left out.",
)
@click.option("--card", type=_options.FILE, help="A Jinja template for the card; the one that ships else.")
@click.option(
    "--report",
    type=_options.FOLDER,
    help="A report of classifier-eval, whose findings go into the card; the dataset may be packed already.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that write shards; the bytes are the same.",
)
@click.option(
    "--sign",
    type=_options.FILE,
    metavar="CERTIFICATES",
    help="Sign the dataset, which may be packed already, by C2PA: the signer's certificate and its issuers', in PEM.",
)
@click.option(
    "--sign-key",
    type=_options.FILE,
    metavar="KEY",
    help="The signer's private key in PEM; beside the certificates if left out.",
)
@_options.mirror(_options.BRINGS)
@_options.trust
@_options.verbosity
def command(
    directory: Path,
    *,
    out: Path,
    report: Path | None,
    sign: Path | None,
    sign_key: Path | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Pack a run into a dataset folder: shuffled, evenly sized shards, metadata, provenance and a dataset card.

    The same run gives the same bytes. Kill it at any time: the same command goes on, and the folder appears when all of
    it is there. After a change, a dataset of the same run gives its place to the new one once that is whole. Real
    images and patients go under pseudonyms, unless `pack: {identifiers: original}` asks for their own names. Exit code
    1: the run is not complete, and --partial was not given.

    Example: synthgen pack runs/quickstart/work --out runs/quickstart/dataset
    """
    from synthgen import study
    from synthgen.pack.card import results
    from synthgen.runs import signature

    if sign_key and not sign:
        raise click.UsageError("--sign-key: for --sign, the certificates; give both")
    shards, before, signed = 0, results.findings(out), (out / signature.FILE).exists()
    with _progress.Events(quiet=quiet) as events:
        with _signals.stoppable() as stop, _progress.Stages(stop, quiet=quiet) as stages:
            task = study.pack(directory, out, progress=stages, **options)
        events.begin(task.stage)
        for shard in task:
            events.show(shard)
            shards += 1
    idle = f"{out}: packed already" + ("" if report else ", nothing to do")
    said = [f"{shards} shard{'' if shards == 1 else 's'} in {out}" if shards else idle]
    if report:
        done = study.add_report(out, report)
        said.append(f"what {report} found is in its card" if done else "its card's template has no place for a report")
    elif shards and before:
        said.append("its card had the findings of a report: --report puts those of the new dataset there")
    if sign:
        said.append(str(study.sign(out, sign, sign_key)))
    elif signed and not (out / signature.FILE).exists():
        said.append("what was signed has changed, so the signature is gone: --sign makes another")
    if quiet:
        return
    if shards:
        named = options["manifest"] or f"the manifest that {directory} keeps; --manifest names another"
        say(f"packed by {named}", err=True)
    if told := _layout_said(out, options["format"]):
        say(told, err=True)
    say("; ".join(said))


def _layout_said(dataset: Path, asked: str | None) -> str:
    """What is to be said of the layout that a dataset has been packed in; empty where nothing is.

    Args:
        dataset: The dataset.
        asked: The layout that was asked for; its manifest's where left out.
    """
    from synthgen.core import yaml_documents
    from synthgen.plan import packed_layout
    from synthgen.runs import dataset_folder

    provenance = dataset_folder.read_provenance(dataset)
    path = dataset / dataset_folder.MANIFEST
    pack = yaml_documents.parse(yaml_documents.read_text(path), path.name, kept=True).get("pack") or {}
    size = sum(facts.get("size", 0) for name, facts in provenance["files"].items() if name.startswith("data/"))
    return packed_layout.said(asked or pack.get("format", ""), size, provenance["layout"])
