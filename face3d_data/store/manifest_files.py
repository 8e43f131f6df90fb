"""Files of manifests: the rows of a step as Parquet, its dirty rows as CSV with a file for each traceback."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.atomic import atomic_path, write_atomic
from face3d_data.csv_cells import guarded
from face3d_data.errors import UserError
from face3d_data.store.coded import MISSING
from face3d_data.store.manifest import Dirty, Manifest
from face3d_data.table import FIXED_COLUMNS

if TYPE_CHECKING:
    import pyarrow as pa

DIRTY_ROW_COLUMNS = ("sample_id", "source", "step", "status", "reason", "detail", "path", "attempt")
MIXED = b"json"
"""In a field's metadata: the column has values of several types, each as JSON."""
ROWS_AT_ONCE = 65_536
READ_AT_ONCE = 8192


def manifest_path(run_dir: Path, step: str) -> Path:
    """Return the file of a step's rows in the folder of a run."""
    return run_dir / f"{step}.parquet"


def manifests_in(run_dir: Path) -> dict[str, Path]:
    """Return the files of rows in the folder of a run, by source or step."""
    return {path.stem: path for path in sorted(run_dir.glob("*.parquet"))}


def write_manifest(path: Path, rows: Manifest) -> None:
    """Write `<step>.parquet`: every column but `place`, then the tags; batch by batch."""
    from pyarrow import parquet

    fixed = [name for name in FIXED_COLUMNS if name != "place"]
    fields = {name: _field(name, rows) for name in (*fixed, *rows.tag_names)}
    with atomic_path(path) as temporary, parquet.ParquetWriter(temporary, _schema(fields), compression="zstd") as file:
        for start in range(0, max(1, len(rows)), ROWS_AT_ONCE):
            some = rows.take(np.arange(start, min(start + ROWS_AT_ONCE, len(rows))))
            file.write_table(_table(some, fields))


def _schema(fields: dict[str, pa.Field]) -> pa.Schema:
    import pyarrow as pa

    return pa.schema(list(fields.values()))


def _field(name: str, rows: Manifest) -> pa.Field:
    import pyarrow as pa

    if name == "n_points":
        return pa.field(name, pa.int64())
    if name in FIXED_COLUMNS:
        return pa.field(name, pa.string())
    column = rows.column(name)
    there = np.unique(column.codes)
    kinds = {type(column.values[code]) for code in there.tolist() if code != MISSING}
    types = {str: pa.string(), bool: pa.bool_(), float: pa.float64()}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind in types:
        return pa.field(name, types[kind])
    if kind is int and all(abs(value) < 2**63 for value in column.values):
        return pa.field(name, pa.int64())
    return pa.field(name, pa.string(), metadata={b"values": MIXED})


def _table(rows: Manifest, fields: dict[str, pa.Field]) -> pa.Table:
    import pyarrow as pa

    arrays = []
    for name, field in fields.items():
        values = rows.values(name).tolist()
        if field.metadata:
            values = [None if value is None else json.dumps(value) for value in values]
        elif pa.types.is_string(field.type):
            values = [None if value is None else _utf8(value) for value in values]
        arrays.append(pa.array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=_schema(fields))


def _utf8(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def manifest_csv(path: Path) -> Iterator[str]:
    """Yield the text of a manifest as CSV, batch by batch: every column but `place`, then the tags.

    Raises:
        UserError: the file is damaged.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            mixed = [name for name in schema.names if schema.field(name).metadata]
            yield _csv(schema.names, ())
            for batch in file.iter_batches(READ_AT_ONCE):
                columns = {name: batch.column(name).to_pylist() for name in schema.names}
                for name in mixed:
                    columns[name] = [None if text is None else json.loads(text) for text in columns[name]]
                yield _csv(None, zip(*columns.values(), strict=True))
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise UserError(f"{path}: is damaged ({error}): run the pipeline again, which writes it again") from None


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


def _csv(header: Sequence[str] | None, rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header is not None:
        writer.writerow(header)
    writer.writerows(map(guarded, row) for row in rows)
    return text.getvalue()
