"""Measurement of the readings on one capture's face: their number, distance and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.errors import Reject
from face3d_data.geometry.point_noise import COARSEST_MM, point_noise
from face3d_data.geometry.reading_noise import estimate_noise
from face3d_data.store.place import SourcePlace, StorageLocation

if TYPE_CHECKING:
    from face3d_data.store.manifest import Entry

FACE_DEPTH_MM = 130.0
"""Readings so far behind the nearest ones are taken for the face's: no ears, no background."""
NEAREST, FARTHEST = 1, 99
"""Percentiles of a face's readings that stand for its nearest and farthest."""
GRID_DEPTH_MM = 600.0
"""Where a scanner's range image is put to be judged like a camera's: its own distance means nothing."""


@dataclass(frozen=True)
class Measured:
    """The readings of one capture's face.

    Attributes:
        origin_id: the capture.
        readings: how many there are on the face.
        near_mm: of the nearest of them, along the optical axis (percentile `NEAREST`).
        middle_mm: their median.
        far_mm: of the farthest (percentile `FARTHEST`).
        noise_mm: standard deviation from reading to reading; None where these are too few, or too far apart, to tell.
    """

    origin_id: str
    readings: int
    near_mm: float
    middle_mm: float
    far_mm: float
    noise_mm: float | None


def measure_face(entry: Entry) -> Measured | None:
    """Return what the readings of a row's capture are like; None where it cannot be read, or has neither kind.

    They are taken as near to the sensor as they can be had: from the depth image in which the face was found (a whole
    one where none was sought), a scanner's range image, or else the first points that there were.
    """
    try:
        for names in ({"depth", "box"}, {"depth"}, {"grid"}, {"points"}):
            place = next((place for place in _from_the_source(entry) if names <= place.names), None)
            if place is not None:
                box = place.read("box") if "box" in names else None
                z_mm, noise_mm = _of_depth(place, box) if "depth" in names else _of_other(place, min(names))
                return _measured(entry, z_mm, noise_mm)
    except (Reject, OSError):
        pass  # the run has told why, or will; here it is counted as not read
    return None


def _from_the_source(entry: Entry) -> list[StorageLocation | SourcePlace]:
    chain = list(entry.place.chain())[::-1]
    return [place for place in chain if not isinstance(place, StorageLocation) or place.stored]


def _of_depth(place: StorageLocation | SourcePlace, box: np.ndarray | None) -> tuple[np.ndarray, float | None]:
    depth = _window(place.read("depth"), box)
    depth = np.where(np.isfinite(depth), depth, np.float32(0))
    face = _face(depth, depth > 0)
    focal_px = float(place.read("intrinsics")[0]) if "intrinsics" in place.names else float(max(depth.shape))
    return depth[face], _noise(depth, face, focal_px)


def _of_other(place: StorageLocation | SourcePlace, name: str) -> tuple[np.ndarray, float | None]:
    array = place.read(name)
    return (array[:, 2], point_noise(array)) if name == "points" else _of_grid(array)


def _of_grid(grid: np.ndarray) -> tuple[np.ndarray, float | None]:
    z_mm = grid[..., 2]
    face = _face(z_mm, np.isfinite(grid).all(axis=-1))
    steps = np.abs(np.diff(grid[..., 0], axis=1))[face[:, 1:] & face[:, :-1]]
    if not len(steps):
        return z_mm[face], None
    spacing_mm = max(float(np.median(steps)), 1e-3)
    # Moved by whole tens of mm, so that readings that come in steps still do.
    moved_mm = GRID_DEPTH_MM - 10 * round(float(np.median(z_mm[face])) / 10)
    depth = np.where(face, z_mm + np.float32(moved_mm), np.float32(0)).astype(np.float32)
    return z_mm[face], _noise(depth, face, GRID_DEPTH_MM / spacing_mm)


def _noise(depth: np.ndarray, face: np.ndarray, focal_px: float) -> float | None:
    if not face.any() or np.median(depth[face]) / focal_px > COARSEST_MM:
        return None
    return estimate_noise(depth, face, focal_px).sigma_mm


def _window(image: np.ndarray, box: np.ndarray | None) -> np.ndarray:
    """Return the part of an image that a box shows; the whole one without a box, or where the box is outside it."""
    if box is None:
        return image
    height, width = image.shape[:2]
    x1, x2 = (int(np.clip(round(float(x)), 0, width)) for x in box[[0, 2]])
    y1, y2 = (int(np.clip(round(float(y)), 0, height)) for y in box[[1, 3]])
    return image[y1:y2, x1:x2] if x2 > x1 and y2 > y1 else image


def _face(z_mm: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return which pixels (H, W) read the face: those not far behind the nearest ones."""
    if not there.any():
        return there
    near = np.percentile(z_mm[there], NEAREST)
    return there & (np.where(there, z_mm, np.inf) <= near + FACE_DEPTH_MM)


def _measured(entry: Entry, z_mm: np.ndarray, noise_mm: float | None) -> Measured | None:
    if not len(z_mm):
        return None
    near, middle, far = np.percentile(z_mm.astype(np.float64), (NEAREST, 50, FARTHEST))
    return Measured(entry.origin_id, len(z_mm), float(near), float(middle), float(far), noise_mm)
