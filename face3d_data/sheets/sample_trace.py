"""Trace of a sample through its pipeline: lines of text, and a picture of each step's result."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from face3d_data.errors import Reject, UserError
from face3d_data.names import file_name_of, name_of
from face3d_data.pipeline.made_again import arrays_at
from face3d_data.pipeline.runs import last_runs
from face3d_data.store.place import NotStored

if TYPE_CHECKING:
    from face3d_data.pipeline.spec import Pipeline
    from face3d_data.store.lineage import Stop
    from face3d_data.store.manifest import Dirty, Entry, Manifest


def show_sample(
    workspace: str | Path,
    sample: str,
    pipeline: str | None,
    folder: str | Path,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[str]:
    """Yield the lines that tell a sample's way, writing the picture of each step on the way.

    Raises:
        UserError: no run knows the sample; the message names the nearest ids.
    """
    workspace = Path(workspace)
    folder = Path(folder)
    known: list[str] = []
    for _, result in last_runs(workspace, pipeline, say):
        mine = [entry for step in result.steps.values() for entry in _called(step.entries, sample)]
        bad = [row for step in result.steps.values() for row in [*step.dirty, *step.unreadable]]
        dirty = [row for row in bad if sample in (row.sample_id, name_of(row.sample_id))]
        if mine or dirty:
            yield from _tell(result.pipeline, mine, dirty, folder)
            ids = list(dict.fromkeys(entry.id for entry in mine))
            for step in result.steps.values():
                yield from (f"  {step.id}  remark: {step.remarks[one]}" for one in ids if one in step.remarks)
            return
        known += [one for step in result.steps.values() for one in step.entries.arrays["id"]]
    near = difflib.get_close_matches(sample, sorted(set(known)), n=2, cutoff=0.5) or sorted(set(known))[:2]
    raise UserError(f"no run in {workspace} contains the sample {sample!r} (such as {', '.join(near) or 'none'})")


def _called(rows: Manifest, sample: str) -> list[Entry]:
    """Return the rows of an id, or of the name made of one."""
    ids = rows.arrays["id"].tolist()
    found = [i for i, one in enumerate(ids) if one == sample]
    return [rows[i] for i in found or (i for i, one in enumerate(ids) if name_of(one) == sample)]


def _tell(pipeline: Pipeline, entries: Sequence[Entry], dirty: Sequence[Dirty], folder: Path) -> Iterator[str]:
    if entries:
        last = entries[-1]
        yield f"{last.id}  (pipeline {pipeline.name})"
        yield f"  name {name_of(last.id)}"
        yield f"  identity {last.identity}, variant {last.variant}, origin {last.origin_id}, split {last.split or None}"
        yield f"  file {last.path or 'none'}"
        yield f"  tags {', '.join(f'{tag}={value}' for tag, value in sorted(last.tags.items()))}"
    for number, stop in enumerate(_stops(entries)):
        arrays = ", ".join(f"{array} {_shape(stop, array)}".strip() for array in stop.changed) or "no array"
        yield f"  {stop.step}  key {stop.key[:8]}  sets {arrays}"
        yield f"    {_draw(pipeline, entries[-1], number, stop, folder)}"
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


def _draw(pipeline: Pipeline, entry: Entry, number: int, stop: Stop, folder: Path) -> str:
    """Write the picture of a stop and return its path, or why there is none."""
    from face3d_data.pictures.sample_picture import draw_sample, write_png

    path = folder / file_name_of(entry.id) / f"{number}_{stop.step}.png"
    try:
        arrays = arrays_at(pipeline, stop.place, entry.tags)
    except (Reject, NotStored) as error:
        return f"no picture: {error}"
    write_png(path, draw_sample(f"{entry.id}: {stop.step}", arrays))
    return str(path)
