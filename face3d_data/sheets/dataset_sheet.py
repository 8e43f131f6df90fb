"""Contact sheet of a dataset: one sample of each of its first people."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from face3d_data.errors import UserError
from face3d_data.names import name_of
from face3d_data.pipeline.runs import last_runs

if TYPE_CHECKING:
    from face3d_data.store.manifest import Entry


def one_of_each(entries: Sequence[Entry], people: int) -> list[Entry]:
    """Return one row of each of the first people by name: of the n-th person the first row of their n-th kind.

    So a sheet shows plain, masked and augmented samples. Kinds are variants without their numbers, and real masks.
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


def write_dataset_sheet(
    workspace: str | Path,
    dataset: str,
    pipeline: str | None,
    folder: str | Path,
    people: int,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Write a contact sheet of a dataset, one sample of each of its first people, and return its path.

    Raises:
        UserError: no complete run in the workspace has that dataset, or it is empty.
    """
    from face3d_data.pictures.contact_sheet import contact_sheet
    from face3d_data.pictures.sample_picture import write_png

    workspace = Path(workspace)
    folder = Path(folder)
    names: list[str] = []
    for _, result in last_runs(workspace, pipeline, say):
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
