"""Reading datasets: batches straight from the memory-mapped shards, without torch."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.csv_cells import plain
from face3d_data.errors import UserError
from face3d_data.plurals import counted
from face3d_data.shards.batch import Batch
from face3d_data.shards.found import find_shards, read_description, splits_in
from face3d_data.shards.mapped import MappedShard
from face3d_data.shards.schema import TEXT_DATASETS, stored_name

if TYPE_CHECKING:
    import pandas as pd

MAY_LACK = ("Int64", "float64", "boolean")
"""Dtypes of CSV columns in which nothing means that it is not known."""


class ShardReader:
    """The samples of one split, as a map-style data set for any loader; needs no torch.

    Shards are opened when first used, in each process by itself; the reader can be pickled and forked.

    Args:
        path: a dataset's folder, or one shard.
        split: a split of the dataset, or several, one after the other; not given for a shard.
        fields: arrays by the names that they have in samples (`points`) or in shards (`data`), all by default; texts
            (`sample_id`, `identity`, `variant`, `root`) only where they are named, and as `str`.

    Raises:
        UserError: no dataset, no such split, or no such array.
    """

    def __init__(
        self, path: str | Path, split: str | Sequence[str] | None = None, fields: Sequence[str] | None = None
    ) -> None:
        self.path = Path(path).absolute()
        self.split = split
        self._found = find_shards(self.path, split)
        self.fields = self._found.chosen(fields)
        self._starts = np.concatenate([[0], np.cumsum(self._found.rows, dtype=np.int64)]).astype(np.int64)
        self._mapped: dict[int, MappedShard] = {}

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one sample: field to array, `label` (int64) and `index` (int64), its place in the split.

        Raises:
            IndexError: there is no such place.
        """
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return several samples, each field gathered into one new array.

        Args:
            indices: places in the split, from −len to len − 1, in any order; repeated ones are given again.

        Raises:
            IndexError: there is no such place.
        """
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        size = len(self)
        outside = wanted[(wanted < -size) | (wanted >= size)]
        if len(outside):
            split = f" of split {self.split}" if self.split is not None else ""
            raise IndexError(f"{self.path}: there is no place {outside[0]} among the {counted(size, 'sample')}{split}")
        wanted = np.where(wanted < 0, wanted + size, wanted)
        groups = self._groups(wanted)
        batch = {
            name: self._gather_texts(name, len(wanted), groups)
            if name in TEXT_DATASETS
            else self._gather(stored_name(name), len(wanted), groups)
            for name in self.fields
        }
        batch["label"] = self.labels[wanted]
        batch["index"] = wanted
        return Batch(batch)

    def _groups(self, wanted: np.ndarray) -> list[tuple[MappedShard, Any, Any]]:
        """Return, for each shard that is needed, which samples it gives and their places in it.

        One sample, the usual case of a random batch over many shards, is two numbers: NumPy copies it several times as
        fast as by an array of one place.
        """
        shard_of = np.searchsorted(self._starts, wanted, side="right") - 1
        order = np.argsort(shard_of, kind="stable")
        numbers, local = shard_of[order], (wanted - self._starts[shard_of])[order]
        cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(wanted)]
        if len(cuts) == 2:
            return [(self._shard(int(shard_of[0])), slice(None), local)] if len(wanted) else []
        one, places = order.tolist(), local.tolist()
        return [
            (self._shard(number), one[start], places[start])
            if stop - start == 1
            else (self._shard(number), order[start:stop], local[start:stop])
            for number, start, stop in zip(numbers[cuts[:-1]].tolist(), cuts, cuts[1:], strict=False)
        ]

    def _gather(self, name: str, n: int, groups: Sequence[tuple[MappedShard, Any, Any]]) -> np.ndarray:
        if not groups:
            like = self._shard(0).arrays[name] if self._found.rows else np.zeros(0, np.int64)
            return np.empty((0, *like.shape[1:]), like.dtype)
        if len(groups) == 1:
            shard, _, places = groups[0]
            return shard.arrays[name][places]
        like = groups[0][0].arrays[name]
        out = np.empty((n, *like.shape[1:]), like.dtype)
        for shard, to, places in groups:
            out[to] = shard.arrays[name][places]
        return out

    def _gather_texts(self, name: str, n: int, groups: Sequence[tuple[MappedShard, Any, Any]]) -> np.ndarray:
        """Return texts of some places as `str`; shards keep bytes, as many a text as their longest has."""
        found = np.zeros(n, object)
        for shard, to, places in groups:
            raw = shard.arrays[name][places]
            found[to] = raw.decode() if isinstance(raw, bytes) else [text.decode() for text in raw.tolist()]
        return found.astype(str)

    @staticmethod
    def stack(batch: Batch) -> dict[str, np.ndarray]:
        """Return a batch as field to one stacked array; give it to a DataLoader as `collate_fn`."""
        return batch.arrays

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """Classes of all samples, int64 (n,): places in the sorted names of the whole dataset."""
        return self._found.labels(len(self))

    def texts(self, name: str) -> list[str]:
        """Return `sample_id`, `identity`, `variant`, `root` or `content` of all samples."""
        if name not in TEXT_DATASETS:
            raise UserError(f"{name!r} is not a text array of a shard: choose {', '.join(TEXT_DATASETS)}")
        return [text for number in range(len(self._found.rows)) for text in self._shard(number).texts(name)]

    def _shard(self, number: int) -> MappedShard:
        mapped = self._mapped.get(number)
        if mapped is None:
            mapped = self._mapped[number] = self._found.map(number)
        return mapped

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": {}}


class Dataset:
    """A published dataset, for notebooks: its tables, its lists, and a reader for each split.

    Args:
        path: the dataset's folder or the link to it.

    Raises:
        UserError: the folder holds no dataset.json, or one of another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.info: dict[str, Any] = read_description(Path(path))

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {len(self.table(name))}" for name in self.splits)
        return f"Dataset({self.name!r}: {counts})"

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self.info["name"]

    @property
    def splits(self) -> list[str]:
        """Names of the splits, empty ones included."""
        return splits_in(self.path)

    def table(self, split: str) -> pd.DataFrame:
        """Return the rows of a split (or of `gallery`, `probe`, `dirty`, `pairs`), texts as texts.

        A tag that a row lacks is empty where the tag is a text, and missing where it is a number, true or false.
        """
        import pandas as pd

        path = self.path / f"{split}.csv"
        if not path.is_file():
            there = ", ".join(sorted(found.stem for found in self.path.glob("*.csv")))
            raise UserError(f"{self.path}: has no {split}.csv (there: {there})")
        known = {"class": "int64", "index": "int64", "n_points": "Int64", "fold": "int64", "same": "int64"}
        if split not in ("dirty", "pairs"):
            known |= self.info.get("tags", {})
        header = pd.read_csv(path, nrows=0).columns
        dtypes = {name: known.get(name, "str") for name in header}
        empty = {name: [""] for name in header if dtypes[name] in MAY_LACK}
        table = pd.read_csv(path, dtype=dtypes, keep_default_na=False, na_values=empty, **_exact_floats())
        for name in (name for name in header if dtypes[name] == "str"):
            if table[name].str.startswith("'").any():
                table[name] = table[name].map(plain)
        return table

    def reader(self, split: str | Sequence[str], fields: Sequence[str] | None = None) -> ShardReader:
        """Return the reader of a split, or of several, one after the other."""
        return ShardReader(self.path, split, fields)

    @property
    def pairs(self) -> pd.DataFrame:
        """Verification pairs: `fold,same,id1,name1,id2,name2`."""
        return self.table("pairs")

    @property
    def gallery(self) -> pd.DataFrame:
        """Enrolled samples."""
        return self.table("gallery")

    @property
    def probe(self) -> pd.DataFrame:
        """Samples to be recognised."""
        return self.table("probe")

    @property
    def dirty(self) -> pd.DataFrame:
        """What did not get into the dataset, and why."""
        return self.table("dirty")


def _exact_floats() -> dict[str, Any]:
    """Return what makes `read_csv` read the number that was written: from pandas 3.1 on it always does."""
    import pandas as pd

    before = tuple(int(part) for part in pd.__version__.split(".")[:2]) < (3, 1)
    return {"float_precision": "round_trip"} if before else {}
