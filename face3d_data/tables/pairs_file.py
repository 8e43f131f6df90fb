"""Pair lists in files: read line by line, with the samples looked up in a table.

Three forms are read, recognised by their first line:

- `pairs.csv` of a dataset: `fold,same,id1,name1,id2,name2`.
- LFW's text (http://vis-www.cs.umass.edu/lfw/README.txt): a header `folds<TAB>pairs per fold`, or the number of pairs
alone if there are no folds; then in each fold as many lines `name<TAB>1<TAB>4` and as many `name<TAB>1<TAB>name<TAB>2`.
- the same lines without a header, and without folds; a first line `name id1 id2` in words is skipped.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.text_bytes import read_text
from face3d_data.plurals import counted
from face3d_data.tables.csv_text import csv_rows
from face3d_data.tables.pair_rows import PairRows
from face3d_data.tables.pairs import PAIR_COLUMNS
from face3d_data.tables.sample_names import SampleNames
from face3d_data.tables.split import person_of

if TYPE_CHECKING:
    import pandas as pd

WORDS = {"name", "name1", "name2", "id", "id1", "id2", "person", "image1", "image2", "same", "label"}
"""What the fields of a header in words are called."""
NO_FOLDS = "has no folds"
PairLine = tuple[int, int, bool, str, str, str, str]
"""Number of the line, fold or -1, same, name and id of the first, name and id of the second."""


def read_pairs(path: str | Path, table: pd.DataFrame) -> PairRows:
    """Return the pairs of a file as rows of a table.

    Samples and people are named as `SampleNames` finds them.

    Args:
        path: the file.
        table: rows of one split, columns `id`, `sample_id`, `name`, `identity`, `origin_id`.

    Raises:
        UserError: the file does not exist, or a line does not have its form, names a sample that the table lacks or
            has twice, makes a genuine pair of two people or an impostor pair of one, or pairs a capture with itself.
    """
    path = Path(path)
    lines = _lines(path)
    if not lines:
        raise UserError(f"{path}: contains no pairs: fill the file, or remove the option")
    places = _Places(path, table)
    first, second = (np.array([places.row(line, side) for line in lines], np.int64) for side in (0, 1))
    for line, a, b in zip(lines, first, second, strict=True):
        places.check(line, a, b)
    same = np.array([line[2] for line in lines], bool)
    fold = np.array([line[1] for line in lines], np.int64)
    in_folds = len(set(fold.tolist())) > 1
    notes = [f"pairs: {path.name} {NO_FOLDS}"] if not in_folds else places.shared(first, second, fold)
    twice = len(lines) - len({frozenset((a, b)) for a, b in zip(first.tolist(), second.tolist(), strict=True)})
    notes += (
        [f"pairs: {counted(twice, f'line of {path.name} repeats', f'lines of {path.name} repeat')} a pair"]
        if twice
        else []
    )
    return PairRows(first, second, same, fold if in_folds else None, False, tuple(notes))


def _lines(path: Path) -> list[PairLine]:
    try:
        text = read_text(path)
    except OSError:
        raise UserError(f"{path}: cannot be read: give a file of pairs") from None
    except Unreadable:
        raise UserError(f"{path}: is not UTF-8 text: give pairs.csv, or lines name<TAB>id1<TAB>id2") from None
    rows = [(number, line.rstrip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if rows and rows[0][1].split(",") == list(PAIR_COLUMNS):
        return list(_csv_lines(path, rows[1:]))
    if not rows:
        return []
    header = rows[0][1].split("\t")
    if re.fullmatch(r"[0-9]{1,9}(\t[0-9]{1,9})?", rows[0][1]):
        return list(_text_lines(path, rows[1:], *map(int, header)))
    return list(_text_lines(path, rows[1:] if {field.strip().lower() for field in header} <= WORDS else rows))


def _csv_lines(path: Path, rows: list[tuple[int, str]]) -> Iterator[PairLine]:
    for number, line in rows:
        fields = csv_rows(line, f"{path}: line {number}")[0]
        if len(fields) != len(PAIR_COLUMNS):
            _wrong(path, number, f"has {len(fields)} fields: {','.join(PAIR_COLUMNS)} are needed")
        fold, same, id1, name1, id2, name2 = fields
        if not re.fullmatch(r"[0-9]{1,9}", fold) or same not in ("0", "1"):
            _wrong(path, number, "does not start with a fold and 0 or 1: write for instance 0,1,…")
        yield number, int(fold), same == "1", name1, id1, name2, id2


def _text_lines(path: Path, rows: list[tuple[int, str]], *header: int) -> Iterator[PairLine]:
    folds, per_fold = (1, *header)[-2:] if header else (0, 0)
    wanted = 2 * folds * per_fold
    if header and len(rows) != wanted:
        _wrong(path, 1, f"asks for {wanted} lines of pairs, but there are {len(rows)}: correct one of them")
    for place, (number, line) in enumerate(rows):
        fields = [field.strip() for field in line.split("\t")]
        if len(fields) not in (3, 4) or not all(fields):
            _wrong(
                path, number, f"has {len(fields)} fields between TABs: write name, id1, id2 or name1, id1, name2, id2"
            )
        same = len(fields) == 3
        if header and same != (place // per_fold % 2 == 0):
            _wrong(
                path,
                number,
                f"is out of order: in each fold {counted(per_fold, 'pair')} of one person, then as many of two",
            )
        name2, id2 = (fields[0], fields[2]) if same else fields[2:]
        yield number, place // (2 * per_fold) if header else -1, same, fields[0], fields[1], name2, id2


def _wrong(path: Path, number: int, what: str) -> NoReturn:
    raise UserError(f"{path}, line {number}: {what}")


class _Places:
    """Where the table has the samples that lines name."""

    def __init__(self, path: Path, table: pd.DataFrame) -> None:
        self.path = path
        self.identity, self.origin = table["identity"].tolist(), table["origin_id"].tolist()
        self.people = [person_of(identity) for identity in self.identity]
        self.names = SampleNames(table)

    def row(self, line: PairLine, side: int) -> int:
        """Return the row of a line's first or second sample."""
        name, text = line[3:5] if side == 0 else line[5:7]
        found = self.names.rows(name, text)
        if not found:
            _wrong(self.path, line[0], f"no sample {text!r} of {name!r} is in this split: remove the line, or choose "
                   "the split that has it")  # fmt: skip
        if len(found) > 1:
            _wrong(self.path, line[0], f"{len(found)} samples are {text!r} of {name!r}: write the id of one")
        return next(iter(found))

    def check(self, line: PairLine, a: int, b: int) -> None:
        """Refuse a pair that is not what its line says."""
        number, same = line[0], line[2]
        if same and self.identity[a] != self.identity[b]:
            _wrong(self.path, number, f"calls {self.identity[a]} and {self.identity[b]} one person: correct the line")
        if same and self.origin[a] == self.origin[b]:
            _wrong(self.path, number, f"pairs capture {self.origin[a]} with itself: remove the line")
        if not same and self.people[a] == self.people[b]:
            _wrong(self.path, number, f"calls {self.identity[a]} and {self.identity[b]} two people: correct the line")

    def shared(self, first: np.ndarray, second: np.ndarray, fold: np.ndarray) -> list[str]:
        """Return a note where a person is in several folds."""
        folds: dict[str, set[int]] = defaultdict(set)
        for a, b, number in zip(first.tolist(), second.tolist(), fold.tolist(), strict=True):
            folds[self.people[a]].add(number)
            folds[self.people[b]].add(number)
        several = sum(len(numbers) > 1 for numbers in folds.values())
        return (
            [f"pairs: {counted(several, 'person is', 'people are')} in several folds: accuracy is flattered"]
            if several
            else []
        )
