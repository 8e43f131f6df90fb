"""Data set of a split for training: labels, masks, and batches straight from the shards."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from face3d_data.digest import seed_from
from face3d_data.errors import UserError
from face3d_data.shards.read import Dataset, ShardReader
from face3d_training import clouds, images
from face3d_training.clouds import CloudInput, Stream
from face3d_training.config import DataConfig
from face3d_training.images import ImageInput
from face3d_training.map_place import MapPlace, check_has_maps, check_holes, said_of_maps
from face3d_training.models.base import ModelSpec
from face3d_training.registry import specs
from face3d_training.sampler import Draw
from face3d_training.split_table import (
    Splits,
    people_of,
    rows_of,
    shapes_of,
    split_said,
    visible_ratios,
    who_is_masked,
)
from face3d_training.variation import Draws, Variation

if TYPE_CHECKING:
    import pandas as pd

InputKind = Literal["points", "image"]
FIELDS = {"points": tuple(clouds.CHANNELS), "image": tuple(images.CHANNELS)}
"""Arrays that a network's input may be made of."""
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

    Attributes:
        table: the rows, columns of the split's CSV.
        labels: i8 (n,), indices into `identities`, which are sorted by name: 0 … people − 1.
        identities: people of this table.
        masked: bool (n,), whether a mask is worn in the stored sample.
        visible_ratio: f4 (n,), share of the face that nothing hides; NaN = not known.
        channels: channels of the input.
        notes: lines on values in `where` that no row has.
        map_said: place and channels of the maps, if they are part of the input.
        views: test-time subsets of each cloud if nothing is drawn: copy number i of a row is its subset i.

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
        # No strings: reading one writes its reference count, and so copies pages in forked workers.
        self._keys = np.array([key.encode() for key in self.table["key"]])
        shapes = shapes_of(source)
        _check_fields(config, inputs, shapes, source.name)
        self.map_said = said_of_maps(source.info) if "map" in config.fields else {}
        place = _map_place(source, config, shapes, variation)
        self._input: CloudInput | ImageInput = (
            CloudInput.of(config, shapes, source.name)
            if inputs == "points"
            else ImageInput.of(config, shapes, source.name, place)
        )
        self.views = config.views if inputs == "points" and variation is None else 1
        self._normal = _mean_and_std(config, self._input.channels, inputs)
        self._draws: Draws | None = None
        if variation is not None and (variation.is_on or self._input.draws):
            self._draws = variation.on(inputs, config.fields, shapes, place)
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

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, draws: Sequence[Draw]) -> dict[str, np.ndarray]:
        """Return a batch.

        Returns:
            `inputs` f4 (B, N, C) or (B, C, H, W), `label` i8 (B,), `index` i8 (B,) row of the table,
            `masked` bool (B,), `visible_ratio` f4 (B,). Where masks are put on, also `mask_refused` bool (B,): a mask
            was drawn that the face cannot wear, so it stayed plain. Where plain and masked variants come in pairs,
            `pair` i8 (B,): the number that both have; −1 = it has no partner.

        Raises:
            UserError: a sample holds numbers that are not finite, or augmentation left nothing of it.
        """
        rows, _, copies = np.ascontiguousarray(np.asarray(draws, np.int64).reshape(-1, 3).T)
        arrays = self._input.restored(self._reader.__getitems__(self._places[rows].tolist()).arrays)
        for name in self._input.config.fields:
            self._check_finite(arrays[name], name, rows)
        batch = {"label": self.labels[rows], "index": rows}
        batch |= {"masked": self.masked[rows], "visible_ratio": self.visible_ratio[rows]}
        if self._draws is not None:
            arrays = self._varied(self._draws, arrays, draws, batch)
        elif self.views > 1 and isinstance(self._input, CloudInput):
            arrays = self._input.viewed(arrays, copies)
        inputs = self._input.stacked(arrays)
        if self._normal is not None:
            inputs -= self._normal[0]
            inputs /= self._normal[1]
        return {"inputs": inputs, **batch}

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
            varied = drawn.vary(own, stream, bool(plain[i]), float(batch["visible_ratio"][i]), draw[2])
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


def _check_fields(config: DataConfig, inputs: InputKind, there: Collection[str], dataset: str) -> None:
    if "map" in config.fields:
        check_has_maps(None, there, dataset, "this config (data.fields)")
    arrays = ", ".join(name for name in there if name not in clouds.FRAME)
    if not any(name in there for name in (FIELDS["image"] if inputs == "image" else ("points",))):
        other, takes = ("points", "images") if inputs == "image" else ("image", "points")
        models = [name for name, spec in specs("model").items() if issubclass(spec, ModelSpec) and spec.inputs == other]
        raise UserError(
            f"dataset {dataset} holds {arrays}, but the model takes {takes}: choose a dataset with {takes}, "
            f"or one of the models {', '.join(models)}"
        )
    for name in config.fields:
        if name not in FIELDS[inputs]:
            raise UserError(
                f"data.fields: {name!r} is not an input of the model: choose among {', '.join(FIELDS[inputs])}"
            )
        if name not in there:
            raise UserError(f"data.fields: dataset {dataset} has no {name!r} (it has {arrays}): leave it out")
    if len(set(config.fields)) < len(config.fields):
        raise UserError(f"data.fields: {', '.join(config.fields)}: name each array once")


def _map_place(
    source: Dataset, config: DataConfig, shapes: clouds.ChannelShapes, variation: Variation | None
) -> MapPlace | None:
    """Return where the cells of a dataset's maps lie, where the input or its variation depends on it."""
    asked = config.map_height == "residual" or (variation is not None and variation.is_on)
    if "map" not in config.fields or not asked:
        return None
    check_holes(said_of_maps(source.info), source.name)
    return MapPlace.of(source.info, shapes["map"], source.name)


def _mean_and_std(config: DataConfig, channels: int, inputs: InputKind) -> tuple[np.ndarray, np.ndarray] | None:
    """Return mean and standard deviation f4, shaped to be taken off a batch; None: neither is given."""
    if not config.channel_mean and not config.channel_std:
        return None
    for key, values in (("channel_mean", config.channel_mean), ("channel_std", config.channel_std)):
        if values and len(values) != channels:
            fields = ", ".join(config.fields)
            raise UserError(
                f"data.{key}: {len(values)} numbers for the {channels} channels of {fields}: write {channels}"
            )
    if any(value <= 0 for value in config.channel_std):
        raise UserError(f"data.channel_std: {min(config.channel_std):g} cannot be a divisor: use numbers above 0")
    shape = (channels, 1, 1) if inputs == "image" else (channels,)
    mean = np.array(config.channel_mean or [0] * channels, np.float32).reshape(shape)
    return mean, np.array(config.channel_std or [1] * channels, np.float32).reshape(shape)
