"""Buffer of rows and records on their way from a stage into a part of the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from face3d_data.store.part import NO_RECORD, PartRow, write_part

BUFFER_BYTES = 64_000_000
"""Bytes of arrays that are held before they are written as a part."""


class PartBuffer:
    """Rows and records on their way into a part; what one input gave stays together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clear()

    def _clear(self) -> None:
        self._rows: list[PartRow] = []
        self._records: list[dict[str, np.ndarray]] = []
        self._bytes = 0

    def add(self, rows: Sequence[PartRow], records: Sequence[dict[str, np.ndarray]]) -> None:
        """Take the rows and records of one input; a full buffer is written before."""
        size = sum(array.nbytes for record in records for array in record.values())
        if self._rows and self._bytes + size > BUFFER_BYTES:
            self.flush()
        base = len(self._records)
        self._rows += [replace(row, record=row.record + base) if row.record != NO_RECORD else row for row in rows]
        self._records += records
        self._bytes += size

    def flush(self) -> None:
        """Write what is held as one part."""
        if self._rows:
            write_part(self._folder, self._rows, self._records)
        self._clear()
