"""`face3d show`: a sample's way through its pipeline in words and pictures, or a contact sheet of a dataset."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from face3d_data.cli.options import workspace_option
from face3d_data.cli.output import echo
from face3d_data.errors import Reject, UserError
from face3d_data.names import file_name_of, name_of

if TYPE_CHECKING:
    from face3d_data.pipeline.result import RunResult
    from face3d_data.store.lineage import Stop
    from face3d_data.store.manifest import Dirty, Entry


@click.command()
@click.argument("sample", required=False)
@workspace_option
@click.option("--pipeline", help="Look only at this pipeline's last run.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the pictures.")
@click.option("--sheet", metavar="DATASET", help="Instead of a sample: one contact sheet of a dataset's people.")
@click.option("--people", type=click.IntRange(1), default=16, show_default=True, help="People on the contact sheet.")
def command(
    sample: str | None, workspace: Path, pipeline: str | None, out: Path | None, sheet: str | None, people: int
) -> None:
    """Print where SAMPLE comes from, step by step, and write a picture of each step.

    SAMPLE is an id (dataset/person/capture) or a name from a CSV. Pictures go to WORKSPACE/show.
    """
    if (sample is None) == (sheet is None):
        raise UserError("show: give either SAMPLE, an id or a name from a CSV, or --sheet DATASET")
    folder = out or workspace / "show"
    try:
        if sheet is not None:
            echo(write_sheet(workspace, sheet, pipeline, folder, people))
            return
        for line in show_sample(workspace, str(sample), pipeline, folder):
            echo(line)
    except BrokenPipeError:
        raise  # who reads what is printed has seen enough
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written ({error.strerror}): give another folder") from None


def last_runs(workspace: Path, pipeline: str | None) -> Iterator[tuple[str, RunResult]]:
    """Yield the last run of each pipeline of a workspace, or of the one asked for, joined from the cache.

    A run that stopped early is shown as far as it came; nothing is run.

    Raises:
        UserError: nothing ran there, or not that pipeline, or its sources cannot be found any more.
    """
    from face3d_data.cli.status import run_names
    from face3d_data.pipeline.build import load_pipeline
    from face3d_data.pipeline.look import look
    from face3d_data.pipeline.run import PIPELINE

    for name in run_names(workspace, pipeline):
        try:
            yield name, look(load_pipeline(workspace / "runs" / name / PIPELINE), workspace)
        except UserError as error:
            if pipeline is not None:
                raise
            echo(f"note: pipeline {name!r} cannot be looked at: {error}", err=True)


def show_sample(workspace: Path, sample: str, pipeline: str | None, folder: Path) -> Iterator[str]:
    """Yield the lines that tell a sample's way, writing the picture of each step on the way.

    Raises:
        UserError: no run knows the sample; the message names the nearest ids.
    """
    known: list[str] = []
    for name, result in last_runs(workspace, pipeline):
        entries = [entry for step in result.steps.values() for entry in step.entries]
        mine = [entry for entry in entries if sample in (entry.id, name_of(entry.id))]
        bad = [row for step in result.steps.values() for row in [*step.dirty, *step.unreadable]]
        dirty = [row for row in bad if sample in (row.sample_id, name_of(row.sample_id))]
        if mine or dirty:
            yield from _tell(name, mine, dirty, folder)
            ids = list(dict.fromkeys(entry.id for entry in mine))
            for step in result.steps.values():
                yield from (f"  {step.id}  remark: {step.remarks[one]}" for one in ids if one in step.remarks)
            return
        known += [entry.id for entry in entries]
    near = difflib.get_close_matches(sample, sorted(set(known)), n=2, cutoff=0.5) or sorted(set(known))[:2]
    raise UserError(f"no run in {workspace} knows the sample {sample!r} (such as {', '.join(near) or 'none'})")


def _tell(run: str, entries: Sequence[Entry], dirty: Sequence[Dirty], folder: Path) -> Iterator[str]:
    if entries:
        last = entries[-1]
        yield f"{last.id}  (pipeline {run})"
        yield f"  name {name_of(last.id)}"
        yield f"  identity {last.identity}, variant {last.variant}, origin {last.origin_id}, split {last.split or None}"
        yield f"  file {last.path or 'none'}"
        yield f"  tags {', '.join(f'{tag}={value}' for tag, value in sorted(last.tags.items()))}"
    for number, stop in enumerate(_stops(entries)):
        arrays = ", ".join(f"{array} {_shape(stop, array)}".strip() for array in stop.changed) or "no array"
        yield f"  {stop.step}  key {stop.key[:8]}  sets {arrays}"
        yield f"    {_draw(entries[-1], number, stop, folder)}"
    for row in dirty:
        yield f"  {row.step}  {row.status} {row.reason}: {row.detail}"


def _stops(entries: Sequence[Entry]) -> Iterator[Stop]:
    """Yield every stop of these rows once, in the order of the pipeline."""
    from face3d_data.store.lineage import trace

    seen = set()
    for entry in entries:
        for stop in trace(entry):
            if (stop.step, stop.key) not in seen:
                seen.add((stop.step, stop.key))
                yield stop


def _shape(stop: Stop, name: str) -> str:
    shape = stop.place.shape(name)
    return "" if shape is None else "x".join(map(str, shape))


def _draw(entry: Entry, number: int, stop: Stop, folder: Path) -> str:
    """Write the picture of a stop and return its path, or why there is none."""
    from face3d_data.pictures.sample_picture import draw_sample, write_png

    path = folder / file_name_of(entry.id) / f"{number}_{stop.step}.png"
    try:
        arrays = stop.arrays()
    except Reject as error:
        return f"no picture: {error}"
    write_png(path, draw_sample(f"{entry.id}: {stop.step}", arrays))
    return str(path)


def one_of_each(entries: Sequence[Entry], people: int) -> list[Entry]:
    """Return a row of each of the first people by name: of the n-th person the first row of the n-th kind they have.

    So a sheet shows plain, masked and varied samples alike. Kinds are variants without their numbers, and real masks.
    """
    kinds: dict[str, dict[tuple[str, object], Entry]] = {}
    for entry in entries:
        kind = (re.sub(r"[.:]\d+", "", entry.variant), entry.all_tags.get("mask"))
        kinds.setdefault(entry.identity, {}).setdefault(kind, entry)
    persons = sorted(kinds)[:people]
    return [list(kinds[person].values())[i % len(kinds[person])] for i, person in enumerate(persons)]


def _title(sample_id: str) -> str:
    """Return an id as a picture can show it: OpenCV's font has Latin letters, and not those of every script."""
    return sample_id if max(sample_id) < "\u0180" else name_of(sample_id)


def write_sheet(workspace: Path, dataset: str, pipeline: str | None, folder: Path, people: int) -> Path:
    """Write a contact sheet of a dataset, one sample of each of its first people, and return its path.

    Raises:
        UserError: no complete run in the workspace has that dataset, or it is empty.
    """
    from face3d_data.pictures.contact_sheet import contact_sheet
    from face3d_data.pictures.sample_picture import write_png

    names: list[str] = []
    for _, result in last_runs(workspace, pipeline):
        spec = result.pipeline.datasets.get(dataset)
        names += result.pipeline.datasets
        if spec is None:
            continue
        chosen = one_of_each(result.entries(spec.upstream), people)
        if not chosen:
            raise UserError(f"dataset {dataset!r} is empty: see `face3d dirty -w {workspace}`")
        titles = [f"{_title(entry.origin_id)} {entry.variant} {entry.split}".rstrip() for entry in chosen]
        arrays = [{name: entry.place.read(name) for name in sorted(entry.place.names)} for entry in chosen]
        try:
            image = contact_sheet(list(zip(titles, arrays, strict=True)))
        except ValueError as error:
            raise UserError(f"dataset {dataset!r}: {error}") from None
        path = folder / f"{dataset}.png"
        write_png(path, image)
        return path
    raise UserError(f"no complete run in {workspace} has a dataset {dataset!r} (known: {', '.join(names) or 'none'})")
