"""Addition of a part to a step's cache: its arrays, its rows, and its index where it is large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from face3d_data.store.part import PartRow, in_key_order, write_part
from face3d_data.store.rows_index import index_path, part_state, save_table, table_of
from face3d_data.store.step_rows import is_indexed


def add_part(folder: Path, rows: Sequence[PartRow], records: Sequence[Mapping[str, np.ndarray]] = ()) -> str:
    """Write a part as `write_part` does, and then its index, for which its rows need not be read.

    Returns:
        The part's id.
    """
    rows, records = in_key_order(rows, records)
    name = write_part(folder, rows, records)
    path = folder / f"{name}.jsonl"
    table = table_of(name, part_state(path), rows)
    if is_indexed(table):
        save_table(index_path(path), table)
    return name
