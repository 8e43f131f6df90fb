"""Rows of a dataset in columns, in the order in which they are stored: its CSVs, and what its shards are made of."""

from __future__ import annotations

import functools
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.digest import digest, digest_of_list
from face3d_data.names import names_of
from face3d_data.shards.csv_lines import column_cells, csv_lines, csv_text
from face3d_data.shards.leaks import ComparedRows
from face3d_data.shards.schema import DATASET_COLUMNS, split_order
from face3d_data.shards.tokens import AT_ONCE, texts_in
from face3d_data.shards.write import OF_A_ROW, ShardRow
from face3d_data.store.coded import Coded, distinct
from face3d_data.store.frames import to_frame
from face3d_data.store.manifest import NO_POINTS, Manifest
from face3d_data.tables.split import own_identity

if TYPE_CHECKING:
    import pandas as pd

TEXTS = {"sample_id": "id", "origin_id": "origin_id", "key": "key", "root": "root"}
"""Column of a dataset to the manifest's column of texts that it is."""


@dataclass(frozen=True)
class DatasetRows:
    """Rows and the order in which they are stored; columns as in `schema.DATASET_COLUMNS`, then tags.

    Columns stay in the order of the manifest, and are put into the other one some thousand rows at a time.

    Attributes:
        rows: the manifest's rows.
        order: i4 (n,), the place in `rows` of each row as they are stored.
        tag_names: tags of all rows of the manifest, those that were left out too.
        coded: `identity`, `dataset`, `split`, `variant` and `name`, that of the person for files.
        labels: i4, the class of each value of `name`.
        shards: name, place of the first row in `order` and the place after the last of each shard.
        n_points: points of every row; None: as the manifest says.
        asked: tags that become columns of the CSVs.
        contents: S (n,), tokens of the stored arrays in the order of `rows`; None before they are stored.
    """

    rows: Manifest
    order: np.ndarray
    tag_names: Sequence[str]
    coded: Mapping[str, Coded]
    labels: np.ndarray
    shards: Sequence[tuple[str, int, int]]
    n_points: int | None
    asked: Mapping[str, Coded] = field(default_factory=dict)
    contents: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def splits(self) -> list[str]:
        """Names of the splits, in the order of their rows."""
        split = self.coded["split"]
        return list(dict.fromkeys(split[self.order[start]] for _, start, _ in self.shards))

    def is_in(self, split: str) -> np.ndarray:
        """Return bool (n,): which of `rows` are in a split."""
        return self.coded["split"].where(lambda one: one == split)

    def count(self, split: str | None = None) -> dict[str, int]:
        """Return the numbers of samples, people and shards of a split, or of all of them."""
        mine = np.ones(len(self), bool) if split is None else self.is_in(split)
        people = len(np.unique(self.labels[self.coded["name"].codes[mine]]))
        shards = self.shards if split is None else self.shards_of(split)
        return {"samples": int(mine.sum()), "people": people, "shards": len(shards)}

    def classes(self, split: str) -> np.ndarray:
        """Return the labels of a split's rows, i4, in the order in which they are stored."""
        mine = self.shards_of(split)
        some = self.order[mine[0][1] : mine[-1][2]] if mine else self.order[:0]
        found: np.ndarray = self.labels[self.coded["name"].codes[some]]
        return found

    def shards_of(self, split: str) -> list[tuple[str, int, int]]:
        """Return a split's shards, as in `shards`."""
        return [shard for shard in self.shards if self.coded["split"][self.order[shard[1]]] == split]

    @functools.cached_property
    def _values(self) -> dict[str, np.ndarray]:
        return {name: np.fromiter([*one.values, None], object) for name, one in {**self.coded, **self.asked}.items()}

    def values(self, name: str, start: int, stop: int) -> list[Any]:
        """Return a column of some rows that follow one another; `shard` and `index` have functions of their own."""
        some = self.order[start:stop]
        if name in self._values:
            column = self.coded[name] if name in self.coded else self.asked[name]
            return self._values[name][column.codes[some]].tolist()
        if name == "id":
            return names_of(self.values("sample_id", start, stop))
        if name == "class":
            return self.labels[self.coded["name"].codes[some]].tolist()
        if name == "n_points":
            points = self.rows.arrays["n_points"][some].tolist() if self.n_points is None else []
            return [None if n == NO_POINTS else n for n in points] or [self.n_points] * (stop - start)
        texts = self.contents if name == "content" else self.rows.arrays[TEXTS[name]]
        return [""] * (stop - start) if texts is None else list(chain(*texts_in(texts[some])))

    def pieces(self, split: str | None = None) -> Iterator[tuple[str, int, int, int]]:
        """Yield some thousand rows at a time: shard, index in it of the first, place of the first, and after the last.

        Args:
            split: rows of this split alone.
        """
        for shard, first, end in self.shards if split is None else self.shards_of(split):
            for start in range(first, end, AT_ONCE):
                yield shard, start - first, start, min(start + AT_ONCE, end)

    def _of_piece(self, name: str, piece: tuple[str, int, int, int]) -> list[Any]:
        shard, index, start, stop = piece
        if name == "shard":
            return [shard] * (stop - start)
        return list(range(index, index + stop - start)) if name == "index" else self.values(name, start, stop)

    def column(self, name: str) -> list[Any]:
        """Return a whole column."""
        return [value for piece in self.pieces() for value in self._of_piece(name, piece)]

    def csv(self, split: str) -> Iterator[str]:
        """Yield the text of a split's CSV in pieces; an unknown number of points, and a tag not there, are empty."""
        yield csv_text((*DATASET_COLUMNS, *self.asked), ())
        for piece in self.pieces(split):
            yield csv_lines([self._cells_of(name, piece) for name in (*DATASET_COLUMNS, *self.asked)])

    @functools.cached_property
    def _cells(self) -> dict[str, np.ndarray]:
        return {name: np.array([*column_cells(one[:-1].tolist()), ""], object) for name, one in self._values.items()}

    def _cells_of(self, name: str, piece: tuple[str, int, int, int]) -> list[str]:
        if name in self._cells:
            column = self.coded[name] if name in self.coded else self.asked[name]
            return self._cells[name][column.codes[self.order[piece[2] : piece[3]]]].tolist()
        return column_cells(self._of_piece(name, piece))

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """The rows as a DataFrame."""
        import pandas as pd

        table = pd.DataFrame({name: self.column(name) for name in DATASET_COLUMNS}).astype({"n_points": "Int64"})
        return table.assign(**{name: pd.Series(self.column(name), dtype=object) for name in self.asked})

    @functools.cached_property
    def tags(self) -> pd.DataFrame:
        """Columns and tags of the manifest, of the same rows, as a DataFrame."""
        frame = to_frame(self.rows.take(self.order))
        fixed = [name for name in frame.columns if name not in self.tag_names]
        frame = frame.assign(**{name: None for name in self.tag_names if name not in frame})
        return frame[[*fixed, *self.tag_names]]

    def compared(self) -> ComparedRows:
        """Return the columns by which leaks are found."""
        texts = {name: self.rows.arrays[own] for name, own in TEXTS.items()}
        texts |= {} if self.contents is None else {"content": self.contents}
        return ComparedRows(self.coded["split"], self.coded["identity"], texts, self.order)

    @functools.cached_property
    def own_people(self) -> Coded:
        """The person of each row of `rows` by the original name, with which ids begin."""
        known: dict[str, int] = {}
        codes = array("i")
        for ids in texts_in(self.rows.arrays["id"]):
            codes.extend([known.setdefault(own_identity(one), len(known)) for one in ids])
        return Coded(np.frombuffer(codes, np.int32), list(known))

    @functools.cached_property
    def named(self) -> tuple[list[str], list[str]]:
        """Identities and ids of rows of everybody: one row of each identity and original name."""
        own, identity = self.own_people, distinct(self.coded["identity"])
        pairs = own.codes.astype(np.int64) * len(identity.values) + identity.codes
        some = np.unique(pairs, return_index=True)[1]
        return identity.take(some).objects().tolist(), self.rows.arrays["id"][some].tolist()

    def digests(self, names: Sequence[str]) -> list[str]:
        """Return a digest a column: the text of a million rows at once would be as large as all else that is kept."""
        return [digest_of_list(self.values(name, start, stop) for _, _, start, stop in self.pieces()) for name in names]

    def made_of(self, common: str) -> dict[str, str]:
        """Return, for each shard, the digest of all that decides its bytes: two datasets share the shards that agree.

        Args:
            common: digest of what all shards have in common.
        """
        return {
            name: digest(
                common,
                self.values("split", start, start + 1)[0],
                [self.values(column, start, stop) for column in ("key", *OF_A_ROW)],
            )
            for name, start, stop in self.shards
        }

    def split_order(self) -> list[str]:
        """Return the names of the splits that have a CSV, in the order in which they are stored."""
        return split_order(self.splits)


class ShardRows(Sequence[ShardRow]):
    """Rows of one shard, made where they are asked for, and as a list in another process.

    Args:
        rows: of the dataset.
        start: place of the shard's first row.
        stop: the place after its last.
    """

    def __init__(self, rows: DatasetRows, start: int, stop: int) -> None:
        self._rows, self._start, self._stop = rows, start, stop

    def __len__(self) -> int:
        return self._stop - self._start

    def __getitem__(self, row: int) -> ShardRow:  # type: ignore[override]
        at = range(self._start, self._stop)[row]
        return self._made(at, *(self._rows.values(name, at, at + 1)[0] for name in OF_A_ROW))

    def _made(self, at: int, sample_id: str, identity: str, variant: str, root: str) -> ShardRow:
        return ShardRow(sample_id, identity, variant, root, self._rows.rows.places[int(self._rows.order[at])])

    def __iter__(self) -> Iterator[ShardRow]:
        columns = [self._rows.values(name, self._start, self._stop) for name in OF_A_ROW]
        return map(self._made, range(self._start, self._stop), *columns)

    def __reduce__(self) -> tuple[Any, tuple[list[ShardRow]]]:
        return list, (list(self),)
