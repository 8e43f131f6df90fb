"""Buffer of rows and records on their way from the stages of a task into parts of the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from face3d_data.store.add_part import add_part
from face3d_data.store.merge import PART_BYTES
from face3d_data.store.part import NO_RECORD, PartRow


@dataclass
class Made:
    """What became of one input of a task.

    Attributes:
        rows: for each stage the rows of each of its inputs; `record` is a place in `records`.
        records: arrays to be stored, of all stages.
    """

    rows: list[list[list[PartRow]]]
    records: list[Mapping[str, np.ndarray]] = field(default_factory=list)


class PartBuffer:
    """Rows and records on their way into parts, one a stage; what one input gave stays together.

    Args:
        folders: the `parts` folder of each stage.
        check: called before anything is written; what it raises keeps all from being written.
    """

    def __init__(self, folders: Sequence[Path], check: Callable[[], None]) -> None:
        self._folders, self._check = folders, check
        self.written: list[list[str]] = [[] for _ in folders]
        """Names of the parts, for each stage."""
        self._clear()

    def _clear(self) -> None:
        self._rows: list[list[PartRow]] = [[] for _ in self._folders]
        self._there: list[set[str]] = [set() for _ in self._folders]
        self._records: list[list[Mapping[str, np.ndarray]]] = [[] for _ in self._folders]
        self._bytes = 0

    def add(self, made: Made) -> None:
        """Take what became of one input; a full buffer is written before.

        Rows of an input key that is there already are passed over: two inputs of a task differ in a tag that a later
        stage reads, and are one to those before it.
        """
        size = sum(array.nbytes for record in made.records for array in record.values())
        if self._there[0] and self._bytes + size > PART_BYTES:
            self.flush()
        for stage, groups in enumerate(made.rows):
            for rows in groups:
                if rows[0].input not in self._there[stage]:
                    self._there[stage].add(rows[0].input)
                    self._rows[stage] += [self._recorded(row, made, self._records[stage]) for row in rows]

    def _recorded(self, row: PartRow, made: Made, records: list[Mapping[str, np.ndarray]]) -> PartRow:
        if row.record == NO_RECORD:
            return row
        record = made.records[row.record]
        records.append(record)
        self._bytes += sum(array.nbytes for array in record.values())
        return replace(row, record=len(records) - 1)

    def flush(self) -> None:
        """Write what is held, the last stage's part first: rows that were passed on follow the arrays they became."""
        self._check()
        stages = list(zip(self._folders, self._rows, self._records, self.written, strict=True))
        for folder, rows, records, written in reversed(stages):
            if rows:
                written.append(add_part(folder, rows, records))
        self._clear()
