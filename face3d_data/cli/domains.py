"""`face3d domains`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from face3d_data.cli.options import check_writable, json_option, workspace_option
from face3d_data.cli.output import echo, echo_json
from face3d_data.errors import UserError

if TYPE_CHECKING:
    from face3d_data.domains.domain import Domain
    from face3d_data.pipeline.result import RunResult

HEADER = (
    "",
    "datasets",
    "people",
    "captures",
    "a person",
    "samples",
    "masked",
    "points",
    "readings",
    "depth mm",
    "noise mm",
)


@click.command()
@click.argument("pipeline")
@workspace_option
@click.option("--step", help="Source or step whose rows count; what the first dataset is made of if not given.")
@click.option("--most", type=click.IntRange(1), default=20, show_default=True, help="Captures read of each source.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File of the picture (PNG).")
@json_option
def command(pipeline: str, workspace: Path, step: str | None, most: int, out: Path | None, as_json: bool) -> None:
    """Show how the sources of PIPELINE's last run differ, as a table and a picture.

    PIPELINE is a name, or the file. People, captures and masks are counted over all rows; readings, depth and noise are
    of the face, and are measured on some captures of each source. The picture goes to WORKSPACE/show.
    """
    from face3d_data.cli.show import last_runs
    from face3d_data.domains.domain import domains
    from face3d_data.domains.picture import draw_domains
    from face3d_data.pictures.sample_picture import write_png

    name = run_name(pipeline)
    if out is not None:
        check_writable(out, "--out")
    ((_, result),) = last_runs(workspace, name)
    step = step or default_step(result)
    if step not in result.steps:
        raise UserError(f"--step {step}: pipeline {name!r} has no such source or step ({', '.join(result.steps)})")
    entries = result.entries(step)
    if not entries:
        raise UserError(f"step {step!r} of {name!r} has no rows: run it, or see `face3d dirty {name} -w {workspace}`")
    found = domains(entries, most)
    path = out or workspace / "show" / f"{name}-domains.png"
    write_png(path, draw_domains(f"{name}: {step}", [domain for domain in found if domain.kind == "source"]))
    if as_json:
        records = [domain.record() for domain in found]
        told = {"pipeline": name, "step": step, "most": most, "domains": records, "picture": str(path)}
        echo_json(told)
        return
    for line in (*table(found), *notes(found, result, step, most), str(path)):
        echo(line)


def run_name(pipeline: str) -> str:
    """Return the name under which a pipeline ran: it may be given as its file too.

    Raises:
        UserError: the file is no pipeline.
    """
    from face3d_data.pipeline.spec import PIPELINE_KEYS
    from face3d_data.yaml_file import read_yaml

    if not pipeline.endswith((".yaml", ".yml")):
        return pipeline
    return str(read_yaml(Path(pipeline), PIPELINE_KEYS).get("name", pipeline))


def default_step(result: RunResult) -> str:
    """Return the step that feeds the first dataset, or the last step where there is none."""
    datasets = list(result.pipeline.datasets.values())
    return datasets[0].upstream if datasets else list(result.steps)[-1]


def table(found: Sequence[Domain]) -> list[str]:
    """Return a line for each domain under a header, columns aligned."""
    rows = [HEADER, *(_cells(domain) for domain in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _cells(domain: Domain) -> tuple[str, ...]:
    name = domain.name if domain.kind != "dataset" else f"(dataset {domain.name})"
    depth_mm, noise_mm = domain.depth_mm(), domain.values("noise_mm")
    return (
        name if domain.kind != "all" else "(all)",
        ",".join(domain.datasets),
        f"{domain.people:,}",
        f"{domain.captures:,}",
        _spread(domain.captures_of),
        f"{domain.samples:,}",
        f"{domain.masked / domain.samples:.0%}",
        _spread(domain.points),
        _spread(domain.values("readings")),
        "-" if depth_mm is None else f"{depth_mm[0]:.0f} to {depth_mm[2]:.0f}",
        _noise(noise_mm),
    )


def _spread(values: Sequence[float]) -> str:
    """Return the median, and least and most where they differ."""
    from face3d_data.domains.domain import spread

    found = spread(values)
    if found is None:
        return "-"
    least, middle, most = (f"{value:,.0f}" for value in found)
    return middle if least == most else f"{middle} ({least} to {most})"


def _noise(values: Sequence[float]) -> str:
    from face3d_data.domains.domain import spread
    from face3d_data.geometry.reading_noise import LEAST_SIGMA_MM

    found = spread(values)
    if found is None:
        return "-"
    least, middle, most = (f"<{LEAST_SIGMA_MM:g}" if value < LEAST_SIGMA_MM else f"{value:.2f}" for value in found)
    return middle if least == most else f"{middle} ({least} to {most})"


def notes(found: Sequence[Domain], result: RunResult, step: str, most: int) -> list[str]:
    """Return what has to be known to read the table."""
    read = "; ".join(
        f"{domain.name} {len(domain.measured)} of {domain.captures:,}" for domain in found if domain.kind == "source"
    )
    lines = [
        f"rows of {step!r}; of what differs: the median (least to most)",
        f"readings, depth and noise are of the face, in at most {most} captures of a source, the first by a digest "
        f"of their ids: {read}",
    ]
    unread = {domain.name: domain.unread for domain in found if domain.kind == "source" and domain.unread}
    if unread:
        several = ", ".join(f"{name} {number}" for name, number in unread.items())
        lines.append(f"not measured, as they have neither depth nor points or cannot be read: {several}")
    waiting = [name for name, todo in result.todo.items() if todo]
    if waiting:
        lines.append(f"not finished: {', '.join(waiting)} still have inputs to do")
    return lines
