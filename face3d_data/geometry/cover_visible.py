"""How much of a face is still seen beside an occluder."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.cover_depth import FRONT_MM
from face3d_data.geometry.occluder import Occluder


def visible_ratio(occluder: Occluder, points: np.ndarray, normals: np.ndarray, viewpoint: np.ndarray) -> float:
    """Return the share of a face, as large as it looks to a camera, that an occluder does not hide.

    Points that face the camera count by the solid angle that their patch of surface subtends, cos / r² times its area;
    that the face hides parts of itself is left out on both sides of the fraction.

    Args:
        occluder: the occluder.
        points: f4 (N, 3), mm, face frame, of the oval of the face.
        normals: f4 (N, 3), outwards, each as long as the area its point stands for: unit for evenly spread points.
        viewpoint: (3,), the camera's place in the face frame, mm.

    Returns:
        0 to 1; 1 where no point faces the camera.
    """
    rays = np.empty((len(points), 6), np.float32)
    rays[:, :3] = viewpoint
    rays[:, 3:] = offset = points.astype(np.float64) - viewpoint
    distance = np.linalg.norm(offset, axis=1)
    solid_angle = np.maximum(-np.einsum("ni,ni->n", offset, normals), 0) / np.maximum(distance, 1e-9) ** 3
    facing = np.flatnonzero(solid_angle > 0)
    if not len(facing):
        return 1.0
    hits = occluder.cast(rays[facing])
    hidden = hits.found & ((hits.t - 1) * distance[facing] <= FRONT_MM)
    return float(1 - solid_angle[facing][hidden].sum() / solid_angle.sum())
