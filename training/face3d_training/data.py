"""Data set of a split for training: labels, masks, and batches straight from the shards."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from face3d_data.digest import seed_from
from face3d_data.errors import UserError
from face3d_data.shards.read import Dataset, ShardReader
from face3d_training import clouds
from face3d_training.clouds import CloudInput, Stream
from face3d_training.config import DataConfig
from face3d_training.map_place import said_of_maps
from face3d_training.mirror import check_mirrors, mirrored_images
from face3d_training.network_input import InputKind, NetworkInput
from face3d_training.sampler import Draw
from face3d_training.split_table import (
    Splits,
    people_of,
    ratio_labels,
    rows_of,
    shapes_of,
    split_said,
    visible_ratios,
    who_is_masked,
)
from face3d_training.variation import Draws, Variation

if TYPE_CHECKING:
    import pandas as pd

COPIES = 1 << 24
"""More copies of a row than an epoch has."""


class FaceRows:
    """The rows of one split, as a map-style data set whose indices are `Draw`s.

    It can be pickled and forked: each process opens the shards by itself.

    Args:
        dataset: folder of a published dataset.
        split: split of it, or several.
        config: which arrays the network sees, and how.
        inputs: what the network takes.
        where: query on the columns of the CSV; only rows that match are used.
        variation: random variation of each loaded sample; None: no variation, and the first points of each cloud.
        seed: decides, with epoch, copy and the sample's key, everything that is drawn.
        where_key: what messages call `where`.

    Attributes:
        table: the rows, columns of the split's CSV.
        labels: i8 (n,), indices into `identities`, which are sorted by name: 0 … people − 1.
        identities: people of this table.
        masked: bool (n,), whether a mask is worn in the stored sample.
        visible_ratio: f4 (n,), share of the face that nothing hides; NaN = not known.
        channels: channels of the input.
        notes: lines on values in `where` that no row has.
        map_said: place and channels of the maps, if they are part of the input.
        views: copies of each row if nothing is drawn: test-time subsets of a cloud, copy number i its subset i; or,
            after `add_mirrors`, an image and its mirror image.

    Raises:
        UserError: there is no such dataset or split, no row is left, the dataset lacks an input of the network, or the
            variation has nothing to act on.
    """

    def __init__(
        self,
        dataset: str | Path,
        split: Splits,
        config: DataConfig,
        inputs: InputKind,
        where: str | None = None,
        variation: Variation | None = None,
        seed: int = 0,
        where_key: str = "data.where",
    ) -> None:
        dataset = Path(dataset)
        source = Dataset(dataset)
        self.dataset, self.split, self.seed = source.name, split_said(split), seed
        self.notes: list[str] = []
        rows = rows_of(source, split, where, self.notes, where_key)
        self._places = rows.index.to_numpy(np.int64)
        self.table: pd.DataFrame = rows.reset_index(drop=True)
        self.labels, self.identities = people_of(self.table)
        self.masked = who_is_masked(self.table)
        self.visible_ratio = visible_ratios(self.table)
        self._ratio_labels = ratio_labels(self.table, config.plain_ratio)
        # No strings: reading one writes its reference count, and so copies pages in forked workers.
        self._keys = np.array([key.encode() for key in self.table["key"]])
        shapes = shapes_of(source)
        self.map_said = said_of_maps(source.info) if "map" in config.fields else {}
        varied = variation is not None and variation.is_on
        self._made = NetworkInput.of(config, inputs, shapes, source.info, source.name, varied)
        self._input = self._made.form
        self.views = config.views if inputs == "points" and variation is None else 1
        self._map_columns = shapes["map"][2] if "map" in config.fields else 0
        self._draws: Draws | None = None
        if variation is not None and (variation.is_on or self._input.draws):
            self._draws = variation.on(inputs, config.fields, shapes, self._made.place)
        names_read = [*self._input.names, *(self._draws.names if self._draws else ())]
        self._reader = ShardReader(dataset, split, list(dict.fromkeys(names_read)))

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return self._input.channels

    @property
    def varies(self) -> bool:
        """Whether anything is drawn of a row, so that no two epochs see the same."""
        return self._draws is not None

    def only(self, places: np.ndarray) -> FaceRows:
        """Return some of the rows, i64 (m,) places in the table, as rows of their own; labels stay as they are."""
        some = copy(self)
        some.table = self.table.iloc[places].reset_index(drop=True)
        for name in ("labels", "masked", "visible_ratio", "_ratio_labels", "_places", "_keys"):
            setattr(some, name, getattr(self, name)[places])
        return some

    def add_mirrors(self) -> None:
        """Give each row, of which nothing is drawn, also as its mirror image: as copy number 1.

        Raises:
            UserError: the mirror image of this input is not that of a face.
        """
        inputs = "points" if isinstance(self._input, CloudInput) else "image"
        check_mirrors(inputs, self._input.config.fields, self.map_said, self._map_columns, self.dataset)
        self.views = 2

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, draws: Sequence[Draw]) -> dict[str, np.ndarray]:
        """Return a batch.

        Returns:
            `inputs` f4 (B, N, C) or (B, C, H, W), `label` i8 (B,), `index` i8 (B,) row of the table,
            `masked` bool (B,), `visible_ratio` f4 (B,), of plain faces as `data.plain_ratio` says. Where masks are put
            on, also `mask_refused` bool (B,): a mask was drawn that the face cannot wear, so it stayed plain. Where
            plain and masked variants come in pairs, `pair` i8 (B,): the number that both have; −1 = it has no partner.

        Raises:
            UserError: a sample holds numbers that are not finite, or augmentation left nothing of it.
        """
        rows, _, copies = np.ascontiguousarray(np.asarray(draws, np.int64).reshape(-1, 3).T)
        arrays = self._input.restored(self._reader.__getitems__(self._places[rows].tolist()).arrays)
        for name in self._input.config.fields:
            self._check_finite(arrays[name], name, rows)
        batch = {"label": self.labels[rows], "index": rows}
        batch |= {"masked": self.masked[rows], "visible_ratio": self._ratio_labels[rows]}
        if self._draws is not None:
            arrays = self._varied(self._draws, arrays, draws, batch)
        elif self.views > 1 and isinstance(self._input, CloudInput):
            arrays = self._input.viewed(arrays, copies)
        elif self.views > 1:
            own = {name: arrays[name] for name in self._input.config.fields}
            arrays = _mirrored_where(copies % 2 == 1, own)
        return {"inputs": self._made.stacked(arrays), **batch}

    @staticmethod
    def collate(batch: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        """Return a batch as tensors that share the arrays' memory."""
        return {name: torch.from_numpy(array) for name, array in batch.items()}

    def _varied(
        self, drawn: Draws, arrays: clouds.ArrayMap, draws: Sequence[Draw], batch: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Return the input's fields of a batch after every sample's draws; what masks they wear is put into it."""
        parts, occlusion, refused, plain = [], [], np.zeros(len(draws), bool), ~batch["masked"]
        for i, draw in enumerate(draws):
            own, stream = {name: array[i] for name, array in arrays.items()}, self._stream(draw)
            varied = drawn.vary(own, stream, bool(plain[i]), float(self.visible_ratio[draw[0]]), draw[2])
            if varied.worn is not None:
                batch["masked"][i], batch["visible_ratio"][i] = True, varied.worn.visible_ratio
            refused[i] = varied.refused
            if not len(varied.arrays[self._input.config.fields[0]]):
                raise UserError(f"augment: nothing is left of {self._id_of(draw[0])}: use lower strengths")
            if drawn.maps is not None:
                occlusion.append(varied.arrays["map_occlusion"])
            parts.append(self._input.fitted(varied.arrays, stream, varied.worn is not None))
        if drawn.masks is not None:
            batch["mask_refused"] = refused
        if drawn.maps is not None:
            batch["map_occlusion"] = np.stack(occlusion)
        if drawn.pairs:
            pair = [row * COPIES + copy // 2 for row, _, copy in draws]
            batch["pair"] = np.where(plain & ~refused, np.array(pair, np.int64), -1)
        return {name: np.stack([part[name] for part in parts]) for name in self._input.config.fields}

    def _stream(self, draw: Draw) -> Stream:
        """Return what makes the generators of a draw: one for each kind, so that no kind moves another's numbers."""
        row, epoch, copy = (int(number) for number in draw)
        if self._draws is not None and self._draws.pairs:
            copy //= 2
        key = self._keys[row].decode()
        return lambda kind: np.random.default_rng(seed_from(kind, self.seed, epoch, copy, key))

    def _check_finite(self, array: np.ndarray, name: str, rows: np.ndarray) -> None:
        if array.dtype == np.uint8:
            return
        # One number that no array of the batch's size is made for; where it is not finite, each is looked at.
        flat = array.reshape(-1)
        with np.errstate(invalid="ignore", over="ignore"):
            if np.isfinite(np.dot(flat, flat)):
                return
        bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
        if not bad.any():
            return
        raise UserError(
            f"dataset {self.dataset}: {name} of {self._id_of(rows[bad][0])} are not finite ({int(bad.sum())} of "
            f"{len(rows)} samples of the batch): leave these out with data.where, or 'clean' them in the pipeline"
        )

    def _id_of(self, row: int) -> str:
        return str(self.table["sample_id"].iloc[row])


def _mirrored_where(mirror: np.ndarray, arrays: clouds.ArrayMap) -> dict[str, np.ndarray]:
    """Return a batch's images with those mirrored that a mask bool (B,) chooses."""
    if mirror.all():
        return mirrored_images(arrays)
    chosen = {name: array.copy() for name, array in arrays.items()}
    for name, array in mirrored_images({name: array[mirror] for name, array in arrays.items()}).items():
        chosen[name][mirror] = array
    return chosen
