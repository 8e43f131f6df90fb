"""Parquet files: tables of pyarrow, written with metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = ".parquet"
"""How files end."""


def write_parquet(path: str | Path, table: pa.Table, metadata: Mapping[str, str]) -> None:
    """Write a table as Parquet: the same table and metadata give the same bytes.

    Args:
        path: the file, which is replaced.
        table: of pyarrow.
        metadata: texts of the file, by key; others that the table has are left out.

    Raises:
        OSError: the file cannot be written.
    """
    from pyarrow import parquet

    parquet.write_table(table.replace_schema_metadata(dict(metadata)), path, compression="zstd")
