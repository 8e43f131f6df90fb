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
from face3d_data.parquet_file import PARQUET
from face3d_data.store.coded import MISSING
from face3d_data.store.manifest import MANY_VALUES, Dirty, Manifest
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
    return run_dir / f"{step}{PARQUET}"


def manifests_in(run_dir: Path) -> dict[str, Path]:
    """Return the files of rows in the folder of a run, by source or step."""
    return {path.stem: path for path in sorted(run_dir.glob(f"*{PARQUET}"))}


def write_manifest(path: Path, rows: Manifest) -> None:
    """Write `<step>.parquet`: every column but `place`, then the tags; batch by batch."""
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([_field(name, rows) for name in (*(n for n in FIXED_COLUMNS if n != "place"), *rows.tag_names)])
    with atomic_path(path) as temporary, parquet.ParquetWriter(temporary, schema, compression="zstd") as file:
        for start in range(0, max(1, len(rows)), ROWS_AT_ONCE):
            some = rows.take(np.arange(start, min(start + ROWS_AT_ONCE, len(rows))))
            file.write_table(pa.Table.from_arrays([_array(some, field) for field in schema], schema=schema))


def _field(name: str, rows: Manifest) -> pa.Field:
    """Return the type of a column: a tag whose values are of several types is JSON, as its metadata says."""
    import pyarrow as pa

    if name in MANY_VALUES:
        return pa.field(name, pa.int64() if name == "n_points" else pa.string())
    column = rows.column(name)
    kinds = {type(column.values[code]) for code in np.unique(column.codes).tolist() if code != MISSING}
    kind = kinds.pop() if len(kinds) == 1 else None
    types = {str: pa.dictionary(pa.int32(), pa.string()), bool: pa.bool_(), float: pa.float64()}
    if kind in types:
        return pa.field(name, types[kind])
    if kind is int and all(abs(value) < 2**63 for value in column.values):
        return pa.field(name, pa.int64())
    return pa.field(name, pa.string(), metadata={b"values": MIXED})


def _array(rows: Manifest, field: pa.Field) -> pa.Array:
    import pyarrow as pa

    if field.name == "key":
        return _keys(rows.arrays["key"])
    if pa.types.is_dictionary(field.type):
        column = rows.column(field.name)
        texts = [_utf8(value) if isinstance(value, str) else "" for value in column.values]
        codes = pa.array(column.codes, mask=column.codes == MISSING)
        return pa.DictionaryArray.from_arrays(codes, pa.array(texts, pa.string()))
    values: list[Any] = rows.values(field.name).tolist()
    if field.metadata:
        values = [json.dumps(value) if value is not None else None for value in values]
    try:
        return pa.array(values, field.type)
    except UnicodeEncodeError:  # bytes of a file's name that are not UTF-8
        return pa.array(list(map(_utf8, values)), field.type)


def _keys(keys: np.ndarray) -> pa.Array:
    """Return keys, S (n,), as texts."""
    import pyarrow as pa

    width = keys.dtype.itemsize
    if len(keys) and bool((np.char.str_len(keys) == width).all()):
        offsets = np.arange(len(keys) + 1, dtype=np.int32) * width
        return pa.Array.from_buffers(pa.string(), len(keys), [None, pa.py_buffer(offsets), pa.py_buffer(keys.copy())])
    return pa.array([key.decode() for key in keys.tolist()], pa.string())


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
