"""Manifests: the rows of a step, read from the cache with their people, and the files they are kept in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face3d_data.atomic import write_atomic
from face3d_data.csv_cells import guarded
from face3d_data.errors import UserError
from face3d_data.sample import Tag
from face3d_data.store.part import PartRow
from face3d_data.store.place import SourcePlace, StorageLocation
from face3d_data.table import FIXED_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

DIRTY_ROW_COLUMNS = ("sample_id", "source", "step", "status", "reason", "detail", "path", "attempt")
NOT_COUNTED = "dropped"
"""Status of what a table step left out on purpose, or a reader by its kind; it counts to no limit."""


@dataclass(slots=True)
class Entry:
    """One row of a manifest; columns as in `FIXED_COLUMNS`, tags apart.

    `tags` are those of the source and of stages: a stage sees those that it declares as `tag_inputs`. `labels` are tags
    that table steps set: `where`, lists and CSVs see them, stages do not.
    """

    key: str
    id: str
    identity: str
    dataset: str
    origin_id: str
    source: str
    path: str
    place: StorageLocation | SourcePlace
    variant: str = "plain"
    split: str = ""
    n_points: int | None = None
    root: str = ""
    tags: Mapping[str, Tag] = field(default_factory=dict)
    labels: Mapping[str, Tag] = field(default_factory=dict)

    @property
    def all_tags(self) -> Mapping[str, Tag]:
        """Return tags and labels together."""
        return {**self.tags, **self.labels} if self.labels else self.tags


@dataclass(frozen=True, slots=True)
class Dirty:
    """One input that gave no output, and why."""

    sample_id: str
    source: str
    step: str
    status: str
    reason: str
    detail: str
    path: str
    attempt: int = 1
    trace: str = ""
    key: str = ""


def join(entry: Entry, row: PartRow, part: Path, step: str) -> Entry:
    """Return the output row that a cached `row` gives for the input `entry`."""
    points = row.shapes.get("points")
    n_points = points[0] if points is not None else None if "points" in row.dropped else entry.n_points
    variants = [name for name in (entry.variant, row.variant) if name and name != "plain"]
    return replace(
        entry,
        key=row.key,
        id=f"{entry.id}~{row.variant}~{row.key[:8]}" if row.variant else entry.id,
        identity=entry.identity + row.identity_suffix,
        variant="+".join(variants) or "plain",
        n_points=n_points,
        tags={**entry.tags, **row.tags} if row.tags else entry.tags,
        place=StorageLocation(
            entry.place, part, row.record, row.shapes, row.dropped, row.key, step, row.carried if row.stored else None
        ),
    )


def dirty_of(entry: Entry, row: PartRow, step: str) -> Dirty:
    """Return the dirty row that a cached `row` without output gives for the input `entry`."""
    return Dirty(
        entry.id, entry.source, step, row.status, row.reason, row.detail, entry.path, row.attempt, row.trace, row.input
    )


def check_unique(entries: Iterable[Entry], step: str) -> None:
    """Check that no two rows have one id.

    Raises:
        UserError: naming both and the remedy.
    """
    seen: dict[str, Entry] = {}
    for entry in entries:
        other = seen.setdefault(entry.id, entry)
        if other is not entry:
            where = f"step {step!r}: two rows have the id {entry.id!r}"
            if (other.source, other.path, other.key) == (entry.source, entry.path, entry.key):
                raise UserError(f"{where}: {entry.source}: {entry.path} arrives on two paths: fix 'from' or 'where'")
            raise UserError(
                f"{where} ({other.source}: {other.path} and {entry.source}: {entry.path}): give one source another "
                "'dataset', or a 'capture_prefix' if the people are the same"
            )


def matches(entry: Entry, where: Mapping[str, Any]) -> bool:
    """Return whether a row has the values that a step's `where` asks for (one value, or a list of any of them)."""
    for name, wanted in where.items():
        have = value_of(entry, name)
        if not (have in wanted if isinstance(wanted, list) else have == wanted):
            return False
    return True


def value_of(entry: Entry, name: str) -> Any:
    """Return what a row has as a column or tag; None where it lacks the tag."""
    return getattr(entry, name) if name in FIXED_COLUMNS else entry.all_tags.get(name)


def to_frame(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return entries as a DataFrame: `FIXED_COLUMNS`, then one object column a tag, None where a row lacks it."""
    import pandas as pd

    columns: dict[str, list[Any]] = {name: [getattr(entry, name) for entry in entries] for name in FIXED_COLUMNS}
    for name in tag_names(entries):
        columns[name] = [entry.all_tags.get(name) for entry in entries]
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})


def from_frame(frame: pd.DataFrame, known: Mapping[str, Entry]) -> list[Entry]:
    """Return the entries that a table step's rows stand for, with its identities, splits and any tags that it set."""
    import pandas as pd

    names = [name for name in frame.columns if name not in FIXED_COLUMNS]
    columns = zip(*(frame[name].tolist() for name in ("id", "identity", "split", *names)), strict=True)
    entries = []
    for sample_id, identity, split, *values in columns:
        entry = known[sample_id]
        new = {
            name: value
            for name, value in zip(names, values, strict=True)
            if not pd.isna(value) and entry.all_tags.get(name) != value
        }
        labels = {**entry.labels, **new} if new else entry.labels
        entries.append(replace(entry, identity=identity, split=split or "", labels=labels))
    return entries


def tag_names(entries: Iterable[Entry]) -> list[str]:
    """Return the names of all tags, sorted."""
    return sorted({name for entry in entries for name in entry.all_tags})


def write_manifest(path: Path, entries: Sequence[Entry]) -> None:
    """Write `<step>.csv`: every column but `place`, then the tags."""
    fixed = [name for name in FIXED_COLUMNS if name != "place"]
    tags = tag_names(entries)
    rows = ([*(getattr(e, name) for name in fixed), *(e.all_tags.get(name) for name in tags)] for e in entries)
    write_atomic(path, _csv([*fixed, *tags], rows))


def write_dirty(path: Path, dirty: Sequence[Dirty]) -> None:
    """Write `<step>.dirty.csv`, and the traceback of each error as a file in `<step>.errors/` beside it."""
    write_atomic(path, _csv(DIRTY_ROW_COLUMNS, ([getattr(row, name) for name in DIRTY_ROW_COLUMNS] for row in dirty)))
    folder = path.with_name(path.name.removesuffix(".dirty.csv") + ".errors")
    wanted = {f"{row.key}.txt": row for row in dirty if row.trace}
    for old in folder.glob("*.txt"):
        if old.name not in wanted:
            old.unlink()
    for name, row in wanted.items():
        write_atomic(folder / name, f"{row.sample_id}\n{row.trace}")


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(map(guarded, row) for row in rows)
    return text.getvalue()
