"""`face3d evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from face3d_data.cli.catalogue_output import needing_training
from face3d_data.cli.completion import complete_back_end, complete_dataset, complete_trained
from face3d_data.cli.config_options import given_keys
from face3d_data.cli.network_options import (
    EmbedBars,
    NetworkCommand,
    architecture_option,
    branch_option,
    model_option,
    network_options,
    packaged_files,
)
from face3d_data.cli.options import check_option, json_option, out_option, workspace_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.errors import UserError
from face3d_data.shards.find import find_dataset

if TYPE_CHECKING:
    from face3d_training.evaluation.run import Request

FILE = click.Path(path_type=Path)


@click.command(cls=NetworkCommand, short_help="Evaluate networks and baselines: figures and a report.")
@click.argument("dataset", shell_complete=complete_dataset)
@click.argument("checkpoints", nargs=-1, type=FILE, metavar="[CHECKPOINT]...", shell_complete=complete_trained)
@model_option
@architecture_option
@branch_option
@click.option("--split", default="test", show_default=True, help="Split to evaluate on.")
@click.option(
    "--pairs",
    type=FILE,
    help="Evaluate these pairs instead: a pairs.csv, LFW's pairs.txt, or a published list of the dataset (CFP_FP).",
)
@click.option("--protocol", metavar="NAME", help="Evaluate only this protocol, such as masked_to_plain [all].")
@click.option(
    "--folds",
    type=click.IntRange(2),
    metavar="N",
    help="Cut a list --pairs without folds into N folds, pair after pair.",
)
@click.option(
    "--pool-folds",
    is_flag=True,
    help="Judge the runs of a cross-validation together, each on the fold that it left for the test.",
)
@click.option(
    "--baseline/--no-baseline",
    "baselines",
    default=None,
    help="Also evaluate baselines without a network: clipped depth maps, and LDA on them [if there are points].",
)
@click.option(
    "--train-dataset",
    metavar="DATASET",
    help="Dataset whose split `train` LDA and back-ends are fitted to, and `eval` the weights of --fuse [DATASET].",
)
@click.option(
    "--train-where",
    metavar="QUERY",
    help="Query on its columns: the rows that are learnt from [all, or those of a network's own training].",
)
@click.option(
    "--back-end",
    "back_ends",
    multiple=True,
    metavar="KIND|FILE",
    shell_complete=complete_back_end,
    help="Also evaluate each network with this back-end: lda, plda, asnorm, lda+asnorm, plda+asnorm, or a file.",
)
@click.option("--fuse", is_flag=True, help="Also evaluate the fusion of all methods, as log-odds.")
@out_option("report, figures and scores", default="WORKSPACE/evaluations/DATASET-SPLIT-NAME", folder=True)
@click.option(
    "--allow-leaks", is_flag=True, help="Continue if training and test data overlap; the report states it throughout."
)
@click.option("--notice", "notices", multiple=True, metavar="TEXT", help="A remark that is shown with every figure.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Seed of random pairs and of bootstrap resamples.",
)
@click.option(
    "--gallery-captures", type=click.IntRange(1), default=1, show_default=True, metavar="N",
    help="First captures of each person that are enrolled; a dataset's own gallery.csv is judged as it is.",
)  # fmt: skip
@click.option(
    "--resamples", type=click.IntRange(1), default=1000, show_default=True,
    help="Bootstrap resamples (of people) per confidence interval.",
)  # fmt: skip
@network_options
@workspace_option
@check_option
@json_option
def command(
    dataset: str, checkpoints: tuple[Path, ...], models: tuple[str, ...], workspace: Path, as_json: bool, **options: Any
) -> None:
    """Evaluate the networks of CHECKPOINTs on a DATASET: verification and identification, with a report.

    DATASET is a name in WORKSPACE/datasets, or a folder. A CHECKPOINT is a file, or the folder of a run, whose best
    checkpoint is used; `--model packaged` adds the network that comes with the package. Of another program's weights
    alone `--architecture` names the network. A network NAME.safetensors is
    also evaluated with the back-end beside it, NAME.back_end.safetensors, if there is one. Several networks are
    compared; runs of the same config with different seeds are also averaged. Without a network only the baselines are
    evaluated. Exits with 1 if the split contains data that a network was trained on.
    """
    if options["pairs"] is not None and options["protocol"] is not None:
        raise UserError("evaluate: give --pairs or --protocol, not both: a file of pairs is its own protocol")
    if options["folds"] is not None and options["pairs"] is None:
        raise UserError("evaluate: --folds cuts a list of pairs: give its file by --pairs")
    if options["pool_folds"]:
        options["split"] = "folds"  # so that the folder's name says it
    folder = find_dataset(dataset, workspace)
    with needing_training("evaluating"):
        from face3d_training.evaluation.pooled import run_pooled_evaluation
        from face3d_training.evaluation.report.files import METRICS, REPORT, metrics_of
        from face3d_training.evaluation.report.printed import printed
        from face3d_training.evaluation.run import run_evaluation
    request = _request(folder, (*checkpoints, *packaged_files(models)), workspace, options)
    replaced = (Path(request.out) / METRICS).is_file()
    with EmbedBars() as progress:
        judge = run_pooled_evaluation if request.pool_folds else run_evaluation
        evaluation, about = judge(request, progress.show)
    if as_json:
        echo_json(metrics_of(evaluation, about))
        return
    for line in printed(evaluation, about):
        echo(line)
    echo("")
    echo(f"evaluation {request.out}{' (replaces the one that was there)' if replaced else ''}")
    echo(f"report {Path(request.out) / REPORT}")


def _request(folder: Path, networks: tuple[Path, ...], workspace: Path, options: Mapping[str, Any]) -> Request:
    """Return the evaluation that is asked for.

    Args:
        folder: the dataset's.
        networks: checkpoints, or folders of runs.
        workspace: where datasets are, and evaluations go.
        options: those of the command by name; a field of `Request` has the name of its option.

    Raises:
        UserError: there is no such checkpoint, or no such dataset to learn from.
    """
    from face3d_training.evaluation.metrics.lists import EvaluationSettings
    from face3d_training.evaluation.run import Request, default_name

    left = {**options}
    out, teacher = left.pop("out"), left.pop("train_dataset")
    captures = left.pop("gallery_captures")
    settings = EvaluationSettings(captures=captures, seed=left.pop("seed"), resamples=left.pop("resamples"))
    named = {field.name: left.pop(field.name) for field in fields(Request) if field.name in left}
    name = default_name(folder, named["split"], networks, named["pairs"], named["protocol"])
    return Request(
        dataset=folder,
        out=out or workspace / "evaluations" / name,
        checkpoints=networks,
        train_dataset=None if teacher is None else find_dataset(teacher, workspace),
        changes=tuple(given_keys(left)),
        settings=settings,
        **named,
    )
