"""Input of a network: a batch of a dataset's arrays, or of arrays in memory, as the numbers that it takes. No torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from face3d_data.errors import UserError
from face3d_training import clouds, images
from face3d_training.clouds import ArrayMap, ChannelShapes, CloudInput
from face3d_training.config import DataConfig
from face3d_training.images import ImageInput
from face3d_training.map_place import MapPlace, check_has_maps, check_holes, said_of_maps
from face3d_training.models.base import ModelSpec
from face3d_training.registry import specs

InputKind = Literal["points", "image"]
FIELDS = {"points": tuple(clouds.CHANNELS), "image": tuple(images.CHANNELS)}
"""Arrays that a network's input may be made of."""


@dataclass(frozen=True)
class NetworkInput:
    """How arrays become a network's input.

    Attributes:
        form: how the fields of a batch become points or images.
        normal: mean and standard deviation f4, shaped to be taken off a batch; None: neither is given.
        place: where the cells of maps lie, if anything depends on it.
    """

    form: CloudInput | ImageInput
    normal: tuple[np.ndarray, np.ndarray] | None
    place: MapPlace | None

    @classmethod
    def of(
        cls,
        config: DataConfig,
        inputs: InputKind,
        shapes: ChannelShapes,
        info: Mapping[str, Any],
        dataset: str,
        varied: bool = False,
    ) -> NetworkInput:
        """Return the input that a config asks for.

        Args:
            config: which arrays the network sees, and how.
            inputs: what the network takes.
            shapes: arrays that are there to the shape of one row.
            info: what is said of them, as in dataset.json.
            dataset: what messages call the dataset.
            varied: samples are varied when they are loaded, so that the place of a map's cells has to be known.

        Raises:
            UserError: an array is missing, or does not fit the config.
        """
        _check_fields(config, inputs, shapes, dataset)
        place = _map_place(config, shapes, info, dataset, varied)
        form: CloudInput | ImageInput = (
            CloudInput.of(config, shapes, dataset)
            if inputs == "points"
            else ImageInput.of(config, shapes, dataset, place)
        )
        return cls(form, _mean_and_std(config, form.channels, inputs), place)

    def stacked(self, arrays: ArrayMap) -> np.ndarray:
        """Return the input f4 (B, N, C) or (B, C, H, W) of a batch, whose arrays are used up.

        Args:
            arrays: field to f4 or u1 (B, …), points in mm.
        """
        batch = self.form.stacked(arrays)
        if self.normal is not None:
            batch -= self.normal[0]
            batch /= self.normal[1]
        return batch


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
    config: DataConfig, shapes: ChannelShapes, info: Mapping[str, Any], dataset: str, varied: bool
) -> MapPlace | None:
    """Return where the cells of maps lie, where the input or its variation depends on it."""
    if "map" not in config.fields or not (varied or config.map_height == "residual"):
        return None
    check_holes(said_of_maps(info), dataset)
    return MapPlace.of(info, shapes["map"], dataset)


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
