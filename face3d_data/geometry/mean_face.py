"""Mean face to which scans are aligned: a surface as oriented points, and its five landmarks, in the face frame.

`mean_face.npz` is made by `benchmarks/make_mean_face.py` from the package's own synthetic people.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from face3d_data.geometry.nearest import NearestPoints
from face3d_data.resources import Asset

MEAN_FACE_ASSET = Asset("geometry/mean_face.npz", "geometry/mean_face.npz")


@dataclass(frozen=True)
class MeanFace:
    """A face's surface in the face frame: origin = nose tip, x right in the image, y up, z towards the viewer, mm.

    Attributes:
        points: f4 (N, 3), spread evenly over the surface.
        normals: f4 (N, 3), unit, outwards.
        landmarks: f4 (5, 3), in the order of `landmarks_3d`.
    """

    points: np.ndarray
    normals: np.ndarray
    landmarks: np.ndarray

    @cached_property
    def columns(self) -> tuple[np.ndarray, np.ndarray]:
        """Points and normals, f8 (3, N) each."""
        points, normals = (np.ascontiguousarray(array.T, np.float64) for array in (self.points, self.normals))
        return points, normals

    @cached_property
    def tree(self) -> NearestPoints:
        """The search tree over `points`."""
        return NearestPoints(self.points)


def save_mean_face(path: str | Path, face: MeanFace) -> None:
    """Write a mean face, its points and normals in half precision (0.06 mm at 100 mm), the same bytes every time."""
    path = Path(path)
    np.savez_compressed(
        path,
        points=face.points.astype(np.float16),
        normals=face.normals.astype(np.float16),
        landmarks=face.landmarks.astype(np.float32),
    )


def read_mean_face(path: str | Path) -> MeanFace:
    """Read what `save_mean_face` wrote; normals are made unit again."""
    path = Path(path)
    with np.load(path) as stored:
        normals = stored["normals"].astype(np.float32)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return MeanFace(stored["points"].astype(np.float32), normals, stored["landmarks"])


@cache
def mean_face() -> MeanFace:
    """Return the mean face that the package ships, read once per process."""
    return read_mean_face(MEAN_FACE_ASSET.file)
