"""Description of an exported network: what its input is, how a face becomes it, and which network it is."""

from __future__ import annotations

from typing import Any

from face3d_data.digest import digest_file
from face3d_data.errors import UserError
from face3d_data.json_text import parse_json
from face3d_data.version import __version__
from face3d_training.checkpoint import Trained
from face3d_training.config import DataConfig
from face3d_training.images import DEEPEST
from face3d_training.map_place import step_of_maps
from face3d_training.network_back_end import network_digest
from face3d_training.packaged import back_end_beside, shown_name
from face3d_training.trained_rows import config_for

ABOUT = "face3d_training"
"""Key of a file's metadata that holds the description as JSON; of a .safetensors, its key `description` does."""
INPUT, OUTPUT = "input", "embedding"
"""Names of the tensors that go in and come out."""
CHANNEL_NAMES = {
    "points": ("x", "y", "z"),
    "normals": ("normal_x", "normal_y", "normal_z"),
    "point_colors": ("red", "green", "blue"),
    "color": ("red", "green", "blue"),
    "depth": ("depth",),
    "map_occlusion": ("occlusion",),
}
"""Channels of each array that an input may be made of; a map has those that it was made with."""
RECORD = ("train_split", "eval_split", "where", "choose_points")
"""Keys of a config's `data` that say nothing of how a face is put before a network."""


def describe(trained: Trained, data: DataConfig) -> dict[str, Any]:
    """Return the description of a network as plain values.

    Keys: `format` (1), `program`, `model` (name of the network's kind), `options` (its own), `network` (path or name),
    `network_sha256` (of the file that it was read from), `scores_of` (the same, or of the file that
    that one was exported from, where distances are those of its network; empty where options change how faces are put
    before it, or it has a back-end), `network_digest` (of its weights, which back-ends and
    galleries name), `embedding_size`, `inputs` (`points` or `image`), `data` (the section of the config that says how a
    face becomes the input), `maps` (cells and channels of the maps that it learnt from; empty: none), `input` and
    `output` (name, dtype, shape with None for the batch; of the input also the channels and the steps to it, in words),
    and `preparation` (the stages from a capture to the dataset's arrays; empty: not known).

    Args:
        trained: the network.
        data: how faces are put before it.

    Raises:
        UserError: the shape of its input is not known.
    """
    maps = maps_of(trained)
    shape = input_shape(trained, data)
    sha256, said = digest_file(trained.path), trained.info.get("description") or {}
    alike = data == config_for(trained).data and back_end_beside(trained.path) is None
    description = {
        "format": 1,
        "program": f"face3d_data {__version__}",
        "model": trained.spec.name,
        "options": trained.spec.model_dump(mode="json", exclude={"weights"}),
        "network": shown_name(trained.path),
        "network_sha256": sha256,
        "scores_of": (said.get("scores_of") or sha256) if alike else "",
        "network_digest": network_digest(trained),
        "embedding_size": trained.spec.embedding_size,
        "inputs": trained.spec.inputs,
        "data": data.model_dump(mode="json", exclude=set(RECORD)),
        "maps": maps,
        "input": {
            "name": INPUT,
            "dtype": "float32",
            "shape": [None, *shape],
            "axes": "batch, points, channels" if trained.spec.inputs == "points" else "batch, channels, rows, columns",
            "channels": channel_names(data, maps),
            "steps": steps_to_input(data, maps),
        },
        "output": {"name": OUTPUT, "dtype": "float32", "shape": [None, trained.spec.embedding_size]},
    }
    preparation = trained.info.get("preparation")
    description["preparation"] = dict(parse_json(preparation)) if preparation else {}
    return description


def maps_of(trained: Trained) -> dict[str, Any]:
    """Return what a checkpoint says of the maps that its network learnt from; empty: nothing."""
    said = trained.info.get("maps")
    return dict(parse_json(said)) if said else {}


def channel_names(data: DataConfig, maps: dict[str, Any]) -> list[str]:
    """Return the names of an input's channels, in order.

    Args:
        data: which arrays it is made of.
        maps: of `maps_of`.
    """
    found: list[str] = []
    for field in data.fields:
        found += str(maps.get("channels", "map")).split(",") if field == "map" else CHANNEL_NAMES[field]
    return found


def input_shape(trained: Trained, data: DataConfig) -> tuple[int, ...]:
    """Return the shape of one input: (points, channels) or (channels, rows, columns).

    Raises:
        UserError: neither the checkpoint nor the options say it, or the channels are not those of the network.
    """
    maps, who = maps_of(trained), shown_name(trained.path)
    if "map" in data.fields and not {"cell_mm", "left_mm", "channels"} <= maps.keys():
        raise UserError(f"{who}: does not say which maps it learnt from: train it with this version")
    channels = len(channel_names(data, maps))
    wanted = getattr(trained.spec, "in_channels", channels)
    if wanted not in (None, channels):
        raise UserError(
            f"{who}: takes {wanted} channels and data.fields ({', '.join(data.fields)}) give {channels}: set "
            "--data.fields"
        )
    if trained.spec.inputs == "points":
        if data.n_points is None:
            raise UserError(f"{who}: its config does not say how many points a cloud has: set --data.n-points")
        return data.n_points, channels
    side = _side_px(trained, data, maps)
    if side is None:
        raise UserError(f"{who}: its config does not say how large its images are: set --data.image-size")
    return channels, side, side


def _side_px(trained: Trained, data: DataConfig, maps: dict[str, Any]) -> int | None:
    if "map" in data.fields:
        return round(-2 * maps["left_mm"] / maps["cell_mm"])
    return data.image_size_px or getattr(trained.spec, "image_size_px", None)


def steps_to_input(data: DataConfig, maps: dict[str, Any]) -> list[str]:
    """Return, in words, how the arrays of a dataset become the input; numbers are float32.

    Args:
        data: how faces are put before the network.
        maps: of `maps_of`.
    """
    steps = [line for field in data.fields for line in _steps_of(field, data, maps)]
    steps.append(f"channels in this order: {', '.join(channel_names(data, maps))}")
    if data.channel_mean:
        steps.append(f"minus {list(data.channel_mean)}, channel by channel")
    if data.channel_std:
        steps.append(f"divided by {list(data.channel_std)}, channel by channel")
    return steps


def _steps_of(field: str, data: DataConfig, maps: dict[str, Any]) -> list[str]:
    """Return the steps of one array."""
    if field == "points":
        size = f"divided by {data.point_scale_mm:g} mm" if data.normalize == "scale" else "scaled to the unit sphere"
        subsets = f"; the mean of {data.views} subsets' embeddings, of unit length again" if data.views > 1 else ""
        return [f"points: {data.n_points} of the cloud, mm in the dataset's frame, {size}{subsets}"]
    if field == "map":
        lines = [f"map: of the stage {{{step_of_maps(maps)}}}, behind align_3d; 0 in holes"]
        if data.map_height == "residual":
            lines.append(
                "height: minus the mean face's, minus the median of that over the seen cells of the upper face, from "
                f"-{data.map_clip_mm:g} to {data.map_clip_mm:g} mm, 0 in holes (face3d_training.map_place.MapPlace)"
            )
        return [*lines, f"height: divided by {data.map_scale_mm:g} mm; the other channels as they are"]
    size = f", {data.image_size_px} px square" if data.image_size_px else ""
    if field == "depth":
        return [
            f"depth{size}: (mm - median of the readings in the middle half) / {data.depth_scale_mm:g}, from "
            f"-{DEEPEST:g} to {DEEPEST:g}, 0 where there is no reading (face3d_training.images.centred_depth)"
        ]
    return [
        {
            "color": f"color{size}: RGB divided by 255",
            "normals": "normals: unit vectors of the points, as they are",
            "point_colors": "point_colors: RGB of the points divided by 255",
            "map_occlusion": "map_occlusion: label of each cell, as it is",
        }[field]
    ]
