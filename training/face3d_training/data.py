"""The rows of a split as a network learns from them: labels, masks, and batches straight from the shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from face3d_data.errors import UserError
from face3d_data.shards.read import Dataset, ShardReader
from face3d_data.tables.select import matching
from face3d_training.clouds import CHANNELS, CloudInput
from face3d_training.config import DataConfig

if TYPE_CHECKING:
    import pandas as pd

Draw = tuple[int, int, int]
"""One sample to be drawn: its row in the split's table, the epoch, and which copy of it in that epoch."""
PLAIN = ("none", "")
"""Values of the tag `mask` of a face that wears none, or of which it is not known."""


class FaceRows:
    """The rows of one split, as a map-style data set whose indices are `Draw`s.

    Args:
        dataset: folder of a published dataset.
        split: split of it.
        config: which arrays the network sees, and how.
        inputs: what the network takes.
        where: pandas query on the columns of the CSV; only rows that match are there.
        seed: decides, with epoch, copy and the sample's key, everything that is drawn.

    Attributes:
        table: the rows, columns of the split's CSV.
        labels: i8 (n,), places in `identities`, which are sorted by name: 0 … people − 1.
        identities: people of this table.
        masked: bool (n,), who wears a mask in the stored sample.
        visible_ratio: f4 (n,), share of the face that nothing hides; NaN = not known.
        channels: channels of the input.

    Raises:
        UserError: no such dataset or split, no row left, or the dataset lacks what the network takes.
    """

    def __init__(
        self,
        dataset: Path,
        split: str,
        config: DataConfig,
        inputs: Literal["points", "image"],
        where: str | None = None,
        seed: int = 0,
    ) -> None:
        source = Dataset(dataset)
        self.dataset, self.split, self.seed = source.name, split, seed
        table = _rows(source, split, where)
        self._places = table.index.to_numpy(np.int64)
        self.table: pd.DataFrame = table.reset_index(drop=True)
        names = np.array(self.table["name"].tolist())
        _, first, labels = np.unique(names, return_index=True, return_inverse=True)
        self.labels = labels.astype(np.int64)
        self.identities: list[str] = self.table["identity"].iloc[first].tolist()
        self.masked = _masked(self.table)
        self.visible_ratio = _visible_ratio(self.table)
        self._ids = np.array(self.table["sample_id"].tolist())
        shapes = _shapes(source, split)
        _check_fields(config, shapes, source.name)
        self._input = CloudInput.of(config, shapes, source.name)
        self._reader = ShardReader(dataset, split, self._input.names)

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return self._input.channels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, draws: Sequence[Draw]) -> dict[str, np.ndarray]:
        """Return a batch.

        Returns:
            `inputs` f4 (B, N, C) or (B, C, H, W), `label` i8 (B,), `index` i8 (B,) row of the table,
            `masked` bool (B,), `visible_ratio` f4 (B,).

        Raises:
            UserError: a sample holds numbers that are not finite.
        """
        rows = np.asarray(draws, np.int64).reshape(-1, 3)[:, 0]
        arrays = self._input.in_mm(self._reader.__getitems__(self._places[rows].tolist()).arrays)
        batch = {"inputs": self._input.stacked(arrays), "label": self.labels[rows], "index": rows}
        batch |= {"masked": self.masked[rows], "visible_ratio": self.visible_ratio[rows]}
        self._check_finite(batch["inputs"], rows)
        return batch

    @staticmethod
    def collate(batch: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        """Return a batch as tensors that share the arrays' memory."""
        return {name: torch.from_numpy(array) for name, array in batch.items()}

    def _check_finite(self, inputs: np.ndarray, rows: np.ndarray) -> None:
        if np.isfinite(inputs).all():
            return
        bad = ~np.isfinite(inputs.reshape(len(inputs), -1)).all(axis=1)
        raise UserError(
            f"dataset {self.dataset}: {self._ids[rows[bad][0]]} holds numbers that are not finite ({int(bad.sum())} of "
            f"{len(rows)} samples of the batch): make the dataset anew with the stage 'clean' before"
        )


def _rows(source: Dataset, split: str, where: str | None) -> pd.DataFrame:
    """Return the rows of a split that match, indexed by their places in it."""
    if split not in source.splits:
        raise UserError(f"dataset {source.name}: has no split {split!r}: choose one of {', '.join(source.splits)}")
    table = source.table(split)
    if not len(table):
        raise UserError(
            f"dataset {source.name}: split {split!r} is empty: choose another of {', '.join(source.splits)}"
        )
    if where is None:
        return table
    kept = table[matching(table, where, "data.where")]
    if not len(kept):
        raise UserError(f"data.where: no row of split {split!r} of dataset {source.name} matches {where!r}: change it")
    return kept


def _masked(table: pd.DataFrame) -> np.ndarray:
    """Return who wears a mask, as the tag tells, or the variant where the dataset has no such tag."""
    by_variant = table["variant"].str.contains("mask:", regex=False).to_numpy(bool)
    return ~table["mask"].isin(PLAIN).to_numpy(bool) | by_variant if "mask" in table else by_variant


def _visible_ratio(table: pd.DataFrame) -> np.ndarray:
    """Return the share of each face that is visible: all of a face that is known to be plain, if not told otherwise."""
    import pandas as pd

    known = np.full(len(table), np.nan)
    if "visible_ratio" in table:
        known = pd.to_numeric(table["visible_ratio"], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    plain = table["mask"].eq("none").to_numpy(bool) if "mask" in table else np.zeros(len(table), bool)
    return np.where(np.isnan(known) & plain, 1.0, known).astype(np.float32)


def _shapes(source: Dataset, split: str) -> dict[str, tuple[int, ...]]:
    """Return the arrays of a split's shards and the shape of one row of each."""
    reader = ShardReader(source.path, split)
    one = reader.__getitems__([0]).arrays
    return {name: one[name].shape[1:] for name in reader.fields}


def _check_fields(config: DataConfig, shapes: Mapping[str, tuple[int, ...]], dataset: str) -> None:
    for name in config.fields:
        if name not in CHANNELS:
            raise UserError(f"data.fields: {name!r} is no array of a cloud: choose among {', '.join(CHANNELS)}")
        if name not in shapes:
            raise UserError(f"dataset {dataset} holds {', '.join(shapes)}, but no {name!r}, which data.fields names")
