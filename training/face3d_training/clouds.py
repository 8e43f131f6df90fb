"""Input of point networks: clouds in the network's unit, channels joined, each with the same number of points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from face3d_data.errors import UserError
from face3d_data.geometry.sampling import sample_points
from face3d_data.sample import ArrayMap
from face3d_training.config import DataConfig

ChannelShapes = Mapping[str, tuple[int, ...]]
Stream = Callable[[str], np.random.Generator]
"""Makes the generator of one kind of draw of a sample, such as `points`."""

CHANNELS = {"points": 3, "normals": 3, "point_colors": 3}
"""Arrays that a cloud's channels may come from."""
FRAME = ("centroid", "scale")
"""Arrays of shards whose points lie on the unit sphere: mm = points × scale + centroid."""


@dataclass(frozen=True)
class CloudInput:
    """How the arrays of clouds become a network's input f4 (B, N, C).

    Attributes:
        config: which arrays, how many points, which units.
        stored_points: points of a cloud in the shards.
        on_sphere: the shards hold points on the unit sphere.
    """

    config: DataConfig
    stored_points: int
    on_sphere: bool

    @classmethod
    def of(cls, config: DataConfig, shapes: ChannelShapes, dataset: str) -> CloudInput:
        """Return the input that a config asks for.

        Args:
            config: which arrays, how many points, which units.
            shapes: arrays of the shards to the shape of one row.
            dataset: what messages call the dataset.

        Raises:
            UserError: points are not the first field, or there are fewer of them than asked for.
        """
        if config.fields[0] != "points":
            raise UserError(f"data.fields: {', '.join(config.fields)}: a network for points needs 'points' first")
        there = shapes["points"][0]
        if config.n_points is not None and config.n_points > there:
            raise UserError(
                f"data.n_points: {config.n_points}, but dataset {dataset} has {there} points per cloud: "
                f"use at most {there}"
            )
        if config.views * (config.n_points or there) > there:
            raise UserError(
                f"data.views: {config.views} of {config.n_points or there} points each, but dataset {dataset} has "
                f"{there} points per cloud: use fewer"
            )
        return cls(config, there, "centroid" in shapes)

    @property
    def channels(self) -> int:
        """Numbers that the network sees of a point."""
        return sum(CHANNELS[name] for name in self.config.fields)

    @property
    def n_points(self) -> int:
        """Points that the network sees of a cloud."""
        return self.config.n_points or self.stored_points

    @property
    def draws(self) -> bool:
        """Whether the points are drawn again each time a sample is loaded."""
        return self.config.choose_points == "random" and self.n_points < self.stored_points

    @property
    def names(self) -> tuple[str, ...]:
        """Arrays that are read."""
        return (*self.config.fields, *(FRAME if self.on_sphere else ()))

    def restored(self, arrays: ArrayMap) -> dict[str, np.ndarray]:
        """Return stored arrays of a batch with points in mm; 16-bit numbers become 32-bit ones."""
        restored = {name: widened(array) for name, array in arrays.items() if name not in FRAME}
        if self.on_sphere:
            scale, centroid = (arrays[name].astype(np.float32) for name in FRAME[::-1])
            restored["points"] = restored["points"] * scale[:, None, None] + centroid[:, None]
        return restored

    def fitted(self, arrays: ArrayMap, stream: Stream, worn: bool) -> dict[str, np.ndarray]:
        """Return a varied sample's fields with `n_points` rows.

        The first points in stored order are used, unless points are drawn. A mask appends its points, all of which
        would be left out: then the points are chosen again by farthest point sampling, as a dataset's are. If too few
        are left, some are repeated.

        Args:
            arrays: one sample.
            stream: makes the random generator; not called if nothing is drawn.
            worn: a mask was put on.
        """
        points, wanted = arrays["points"], self.n_points
        if self.config.choose_points == "random" and len(points) > wanted:
            rows = stream("points").permutation(len(points))[:wanted]
        elif worn and len(points) > wanted:
            rows = sample_points(points, wanted)
        else:
            rows = np.arange(min(len(points), wanted))
        if len(rows) < wanted:
            rows = np.concatenate([rows, stream("points").integers(len(points), size=wanted - len(rows))])
        return {name: arrays[name][rows] for name in self.config.fields}

    def viewed(self, arrays: ArrayMap, views: np.ndarray) -> dict[str, np.ndarray]:
        """Return a batch's fields with `n_points` rows: subset i has the points i, i + `config.views`, and so on.

        So all test-time subsets cover the face equally well, and no point is in two.

        Args:
            arrays: a batch.
            views: i8 (B,), the subset of each sample; counted from 0 again if there are no more.
        """
        count = self.config.views
        rows = (views % count)[:, None] + count * np.arange(self.n_points)
        return {name: np.take_along_axis(arrays[name], rows[..., None], axis=1) for name in self.config.fields}

    def stacked(self, arrays: ArrayMap) -> np.ndarray:
        """Return the input f4 (B, n_points, channels) of a batch in mm, of its first points.

        The arrays are used up: a second array of a batch's size would cost more than all else that is done here.
        """
        parts = [arrays[name][:, : self.n_points] for name in self.config.fields]
        parts[0] = self._normalized(parts[0])
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([part / np.float32(255) if part.dtype == np.uint8 else part for part in parts], axis=2)

    def _normalized(self, points: np.ndarray) -> np.ndarray:
        if self.config.normalize == "scale":
            whole = points if points.flags.c_contiguous else None
            return np.divide(points, np.float32(self.config.point_scale_mm), out=whole)
        centred = points - points.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        radius = np.sqrt(np.einsum("bnc,bnc->bn", centred, centred).max(axis=1))
        return centred / np.where(radius > 0, radius, np.float32(1))[:, None, None]


def widened(array: np.ndarray) -> np.ndarray:
    """Return 16-bit numbers as float32, any other array as it is."""
    return array.astype(np.float32) if array.dtype == np.float16 else array
