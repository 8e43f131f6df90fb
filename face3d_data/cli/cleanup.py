"""`face3d cleanup`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face3d_data.cli.catalogue_output import needing_training
from face3d_data.cli.completion import complete_back_end_file, complete_dataset, complete_trained
from face3d_data.cli.config_options import given_keys
from face3d_data.cli.network_options import EmbedBars, NetworkCommand, model_option, network_options, packaged_files
from face3d_data.cli.options import check_option, json_option, out_option, workspace_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.find import find_dataset

if TYPE_CHECKING:
    from face3d_training.cleanup.dataset_faces import DatasetChoice

ENDINGS = (".h5", ".hdf5")
PATH = click.Path(path_type=Path)


@click.command(cls=NetworkCommand, short_help="Find wrong labels, people with two names, and duplicates.")
@click.argument("source", metavar="DATASET|EMBEDDINGS", shell_complete=complete_dataset)
@click.argument("checkpoint", type=PATH, required=False, metavar="[CHECKPOINT]", shell_complete=complete_trained)
@model_option
@click.option(
    "--affinity",
    type=click.Choice(["cosine", "euclidean"]),
    default="cosine",
    show_default=True,
    help="Distance of two embeddings: 1 - cosine, or that of unit vectors.",
)
@click.option(
    "--linkage",
    type=click.Choice(["average", "complete", "single"]),
    default="average",
    show_default=True,
    help="Distance of two clusters: the mean, the largest or the smallest of all pairs.",
)
@click.option(
    "--distance-threshold",
    type=click.FloatRange(0, 2, min_open=True, max_open=True),
    metavar="NUMBER",
    help="Clusters of a person no farther apart than this are joined [0.45; euclidean: 0.95].",
)
@click.option(
    "--person-threshold",
    type=click.FloatRange(0, 2, min_open=True, max_open=True),
    metavar="NUMBER",
    help="Means of two people no farther apart than this look like one person [0.125; euclidean: 0.5].",
)
@click.option("--split", "splits", multiple=True, help="Split of the dataset; repeatable [all].")
@click.option("--where", metavar="QUERY", help="Only rows that match a query, such as \"mask == 'none'\".")
@click.option(
    "--back-end",
    metavar="FILE",
    shell_complete=complete_back_end_file,
    help="Project the embeddings by this back-end of kind lda, or: none [the one that comes with the network].",
)
@click.option("--root", type=PATH, help="Folder that file_path in EMBEDDINGS is relative to [with --apply: here].")
@click.option(
    "--apply",
    "apply_to",
    type=PATH,
    metavar="FOLDER",
    help="Copy the images of EMBEDDINGS to FOLDER/clean and FOLDER/dirty, a new folder.",
)
@out_option("findings, lists and sheet", default="WORKSPACE/cleanups/NAME", folder=True)
@network_options
@workspace_option
@check_option
@json_option
def command(
    source: str,
    affinity: Any,
    linkage: Any,
    distance_threshold: float | None,
    person_threshold: float | None,
    out: Path | None,
    workspace: Path,
    root: Path | None,
    apply_to: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Find captures that do not look like their person, people under two names, and duplicates.

    EMBEDDINGS is a file that `face3d embed --layout images` wrote. A DATASET is
    a name in WORKSPACE/datasets, or a folder, and is embedded by the network of a CHECKPOINT, or by --model packaged.
    The embeddings of each person are clustered; the largest cluster stays. All else is listed with a reason, similarity
    and the person it looks like, on a sheet with pictures (cleanup.html), and in block.csv, for `block` of the table
    step select. Two names of what looks like one person are in same_person.csv, for `same_person` of combine: look at
    them before you use the list.
    """
    with needing_training("cleaning up"):
        from face3d_training.cleanup.clusters import ClusterRule
        from face3d_training.cleanup.files import record_of
        from face3d_training.cleanup.findings import FINDING_REASONS
        from face3d_training.cleanup.run import CleanupRequest, run_cleanup
    is_file = source.lower().endswith(ENDINGS)
    chosen = _embeddings(source, options) if is_file else _rows(source, workspace, root, apply_to, options)
    name = Path(source).stem if is_file else Path(source).name
    rule = ClusterRule.of(affinity, linkage, distance_threshold, person_threshold)
    request = CleanupRequest(chosen, out or workspace / "cleanups" / name, rule, root, apply_to)
    with EmbedBars() as progress:
        result = run_cleanup(request, progress.show, lambda line: echo(line, err=as_json))
    cleanup = result.cleanup
    if as_json:
        echo_json(record_of(cleanup))
        return
    echo(f"{counted(len(cleanup.faces), 'sample')} of {counted(len(cleanup.clusters), 'person')}")
    for reason, number in cleanup.counts().items():
        echo(f"{number:6,}  {reason:14}  {FINDING_REASONS[reason]}")
    if result.copied is not None:
        echo(f"copied {result.copied[0]:,} clean and {result.copied[1]:,} dirty images to {apply_to}")
    echo(f"clean-up {request.out}: {', '.join(result.files)}")


def _embeddings(source: str, options: dict[str, Any]) -> Path:
    """Return the embeddings file, having refused options that would mean nothing."""
    path = Path(source)
    if not path.is_file():
        raise UserError(f"{path}: there is no such file: give an embeddings file, or a dataset")
    given = [f"--{name.rstrip('s')}" for name in ("splits", "where", "back_end", "models") if options[name]]
    given += ["CHECKPOINT"] if options["checkpoint"] else []
    given += [f"--{key}" for key, _ in given_keys(_keys(options))]
    if given:
        option = given[0].replace("_", "-")
        raise UserError(f"cleanup: {option} is for a dataset, and {path} has its embeddings: leave it out")
    return path


def _rows(
    source: str, workspace: Path, root: Path | None, apply_to: Path | None, options: dict[str, Any]
) -> DatasetChoice:
    """Return the rows of a dataset and their network."""
    from face3d_training.cleanup.dataset_faces import DatasetChoice

    folder = find_dataset(source, workspace)
    for option, value in (("--root", root), ("--apply", apply_to)):
        if value is not None:
            raise UserError(
                f"cleanup: {option} is for an embeddings file; a dataset's samples are left out by block.csv: give it "
                "to the table step select as 'block'"
            )
    if (options["checkpoint"] is not None) + len(options["models"]) != 1:
        raise UserError("cleanup: give one network for a dataset: a CHECKPOINT, or --model packaged")
    (network,) = (options["checkpoint"],) if options["checkpoint"] else packaged_files(options["models"])
    return DatasetChoice(
        *(folder, network, options["splits"], options["where"], options["back_end"]),
        *(tuple(given_keys(_keys(options))), options["device"], options["workers"], options["check"]),
    )


def _keys(options: dict[str, Any]) -> dict[str, Any]:
    own = ("checkpoint", "models", "splits", "where", "back_end", "device", "workers", "check")
    return {name: value for name, value in options.items() if name not in own}
