"""Parquet files: tables of pyarrow, which is an extra, written with metadata."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from face3d_data.errors import MissingDependency
from face3d_data.extras import extra_line

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = ".parquet"
"""How files end."""


def needing_parquet(what: str) -> None:
    """Check that what reads and writes Parquet is installed.

    Args:
        what: what cannot be done without it.

    Raises:
        MissingDependency: it is not; the message holds the install line.
    """
    if find_spec("pyarrow") is None:
        raise MissingDependency(f"{what}: Parquet needs pyarrow: {extra_line('parquet')}")


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
