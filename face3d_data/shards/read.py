"""Reading datasets: batches straight from the memory-mapped shards, without torch."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.csv_cells import plain
from face3d_data.errors import UserError, is_refused, refusal
from face3d_data.json_text import parse_json
from face3d_data.shards.batch import Batch
from face3d_data.shards.mapped import MappedShard, ShardLayout, read_layout
from face3d_data.shards.schema import DESCRIPTION, SCHEMA_VERSION, STORED_NAMES, TEXT_DATASETS, stored_name

if TYPE_CHECKING:
    import pandas as pd

OPEN_SHARDS = 256
"""Shards mapped at a time in one process: each holds a file descriptor."""
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
        self._shards = _shard_paths(self.path, split)
        self._layouts = [_layout(shard) for shard in self._shards]
        self.fields = _chosen(self._layouts[0].arrays, fields, self._shards[0]) if self._shards else ()
        _check_shards(self._shards, self._layouts, self.fields if fields is None else (*self.fields, "label"))
        sizes = [layout.arrays["label"][1][0] for layout in self._layouts]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)
        self._mapped: OrderedDict[int, MappedShard] = OrderedDict()

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
        if len(wanted) and (wanted.min() < -size or wanted.max() >= size):
            raise IndexError(f"{self.path}: places are below {size}")
        wanted = np.where(wanted < 0, wanted + size, wanted)
        shard_of = np.searchsorted(self._starts, wanted, side="right") - 1
        batch = {
            name: self._gather_texts(name, wanted, shard_of)
            if name in TEXT_DATASETS
            else self._gather(stored_name(name), wanted, shard_of)
            for name in self.fields
        }
        batch["label"] = self._gather("label", wanted, shard_of).reshape(-1)
        batch["index"] = wanted
        return Batch(batch)

    def _gather(self, name: str, wanted: np.ndarray, shard_of: np.ndarray) -> np.ndarray:
        if not self._shards:
            return np.zeros(0, np.int64)
        shards = np.unique(shard_of)
        if len(shards) == 1:
            number = int(shards[0])
            return self._array(number, name)[wanted - self._starts[number]]
        like = self._array(0, name)
        out = np.empty((len(wanted), *like.shape[1:]), like.dtype)
        for number in map(int, shards):
            mine = np.flatnonzero(shard_of == number)
            out[mine] = self._array(number, name)[wanted[mine] - self._starts[number]]
        return out

    def _gather_texts(self, name: str, wanted: np.ndarray, shard_of: np.ndarray) -> np.ndarray:
        """Return texts of some places as `str`; shards keep bytes, as many a text as their longest has."""
        found = np.zeros(len(wanted), object)
        for number in map(int, np.unique(shard_of) if self._shards else ()):
            mine = np.flatnonzero(shard_of == number)
            raw = self._array(number, name)[wanted[mine] - self._starts[number]]
            found[mine] = [text.decode() for text in raw.tolist()]
        return found.astype(str)

    @staticmethod
    def stack(batch: Batch) -> dict[str, np.ndarray]:
        """Return a batch as field to one stacked array; give it to a DataLoader as `collate_fn`."""
        return batch.arrays

    @functools.cached_property
    def labels(self) -> np.ndarray:
        """Classes of all samples, int64 (n,): places in the sorted names of the whole dataset."""
        parts = [self._array(number, "label").reshape(-1) for number in range(len(self._shards))]
        return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, np.int64)

    def texts(self, name: str) -> list[str]:
        """Return `sample_id`, `identity`, `variant` or `root` of all samples."""
        if name not in TEXT_DATASETS:
            raise UserError(f"{name!r} is not a text array of a shard: choose {', '.join(TEXT_DATASETS)}")
        return [text for number in range(len(self._shards)) for text in self._shard(number).texts(name)]

    def _array(self, number: int, name: str) -> np.ndarray:
        return self._shard(number).arrays[name]

    def _shard(self, number: int) -> MappedShard:
        mapped = self._mapped.get(number)
        if mapped is None:
            mapped = self._mapped[number] = MappedShard(self._shards[number], self._layouts[number])
            if len(self._mapped) > OPEN_SHARDS:
                self._mapped.popitem(last=False)
        return mapped

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mapped": OrderedDict()}


def _layout(path: Path) -> ShardLayout:
    try:
        layout = read_layout(path)
        if "label" not in layout.arrays:
            raise ValueError("it contains no 'label'")
    except (OSError, ValueError) as error:
        if is_refused(error):
            raise UserError(f"{path}: {refusal(error)}") from None
        raise UserError(f"{path}: cannot be read as a shard ({error}): run the pipeline again") from None
    return layout


def _check_shards(shards: Sequence[Path], layouts: Sequence[ShardLayout], fields: Sequence[str]) -> None:
    """Check that every shard has the arrays of the first, and that there are any."""
    for shard, layout in zip(shards, layouts, strict=True):
        lacking = next((name for name in fields if stored_name(name) not in layout.arrays), None)
        if lacking is not None or not fields:
            what = f"the array {stored_name(lacking)!r}" if lacking is not None else "arrays of samples"
            raise UserError(f"{shard}: is damaged: it lacks {what}: run the pipeline again")


def _chosen(arrays: Mapping[str, Any], fields: Sequence[str] | None, shard: Path) -> tuple[str, ...]:
    field_of = {stored: name for name, stored in STORED_NAMES.items()}
    there = {field_of.get(name, name) for name in arrays} - {"label"}
    if fields is None:
        return tuple(sorted(there - set(TEXT_DATASETS)))
    chosen = tuple(field_of.get(name, name) for name in fields)
    lacking = [name for name in chosen if name not in there]
    if lacking:
        others = ", ".join(sorted(there - set(TEXT_DATASETS))) or "nothing: run the pipeline again"
        raise UserError(f"{shard}: contains no {lacking[0]!r} (there: {others})")
    return chosen


def _shard_paths(path: Path, split: str | Sequence[str] | None) -> list[Path]:
    if path.is_file():
        if split is not None:
            raise UserError(f"{path}: is a single shard: omit 'split', or use the dataset's folder")
        return [path]
    dataset = Dataset(path)
    if split is None:
        raise UserError(f"{path}: choose a split ({', '.join(dataset.splits)})")
    found = []
    for one in (split,) if isinstance(split, str) else split:
        if one not in dataset.splits:
            raise UserError(f"{path}: has no split {one!r} (there: {', '.join(dataset.splits)})")
        found += [path / name for name in (path / f"{one}_files.txt").read_text("utf-8").split("\n") if name]
    return found


class Dataset:
    """A published dataset, for notebooks: its tables, its lists, and a reader for each split.

    Args:
        path: the dataset's folder or the link to it.

    Raises:
        UserError: the folder holds no dataset.json, or one of another version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        try:
            self.info: dict[str, Any] = parse_json((self.path / DESCRIPTION).read_text("utf-8"))
        except (OSError, ValueError) as error:
            if is_refused(error):
                raise UserError(f"{path}: {DESCRIPTION} {refusal(error)}") from None
            raise UserError(
                f"{path}: is not a dataset (no readable {DESCRIPTION} in it): use the folder of one"
            ) from None
        version = self.info.get("schema_version") if isinstance(self.info, dict) else None
        if version != SCHEMA_VERSION:
            raise UserError(f"{path}: schema version {version}, this version reads {SCHEMA_VERSION}: build it again")

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
        from face3d_data.shards.rows import split_order

        return split_order([path.name.removesuffix("_files.txt") for path in self.path.glob("*_files.txt")])

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
