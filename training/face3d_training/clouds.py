"""Clouds as a network takes them: in its own units, channels joined, the same number of points in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from face3d_data.errors import UserError
from face3d_training.config import DataConfig

Arrays = Mapping[str, np.ndarray]

CHANNELS = {"points": 3, "normals": 3, "point_colors": 3, "curvature": 1}
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
    def of(cls, config: DataConfig, shapes: Mapping[str, tuple[int, ...]], dataset: str) -> CloudInput:
        """Return the input that a config asks for.

        Args:
            config: which arrays, how many points, which units.
            shapes: arrays of the shards to the shape of one row.
            dataset: what messages call the dataset.

        Raises:
            UserError: points are not the first field, or there are fewer of them than asked for.
        """
        if config.fields[0] != "points":
            raise UserError(f"data.fields: {', '.join(config.fields)}: a network for points takes 'points' first")
        there = shapes["points"][0]
        if config.n_points is not None and config.n_points > there:
            raise UserError(
                f"data.n_points: {config.n_points}, but {dataset} holds {there} points a cloud: ask for {there} at most"
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
    def names(self) -> tuple[str, ...]:
        """Arrays that are read."""
        return (*self.config.fields, *(FRAME if self.on_sphere else ()))

    def in_mm(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Return stored arrays of a batch with points in mm; 16-bit numbers become 32-bit ones."""
        restored = {name: _wide(array) for name, array in arrays.items() if name not in FRAME}
        if self.on_sphere:
            scale, centroid = (arrays[name].astype(np.float32) for name in ("scale", "centroid"))
            restored["points"] = restored["points"] * scale[:, None, None] + centroid[:, None]
        return restored

    def stacked(self, arrays: Arrays) -> np.ndarray:
        """Return the input f4 (B, n_points, channels) of arrays that are in mm, of their first points."""
        parts = [arrays[name][:, : self.n_points] for name in self.config.fields]
        parts[0] = self._normalized(parts[0])
        if len(parts) == 1:
            return parts[0]
        scaled = (part / np.float32(255) if part.dtype == np.uint8 else part for part in parts)
        return np.concatenate([part if part.ndim == 3 else part[..., None] for part in scaled], axis=2)

    def _normalized(self, points: np.ndarray) -> np.ndarray:
        if self.config.normalize == "scale":
            return points / np.float32(self.config.point_scale_mm)
        centred = points - points.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        radius = np.sqrt(np.einsum("bnc,bnc->bn", centred, centred).max(axis=1))
        return centred / np.where(radius > 0, radius, np.float32(1))[:, None, None]


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float16 else array
