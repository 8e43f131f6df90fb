"""How much of a face is still seen past an occluder."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.occluder import Occluder


def visible_ratio(occluder: Occluder, points: np.ndarray, normals: np.ndarray, to_face: np.ndarray) -> float:
    """Return the share of a face's seen surface that an occluder leaves visible to the camera.

    Each point counts by the solid angle that its piece of skin subtends; those that face away do not count. It is the
    scale label that latent-part networks are trained with.

    Args:
        occluder: what covers; parts that let light through do not.
        points: f4 (M, 3), spread evenly over the face, face frame, mm.
        normals: f4 (M, 3), unit.
        to_face: (4, 4), camera to face frame.

    Returns:
        0..1; 0 where no point faces the camera.
    """
    camera = np.asarray(to_face[:3, 3], np.float32)
    toward = points - camera
    distance = np.linalg.norm(toward, axis=1)
    weight = np.maximum(-np.einsum("ij,ij->i", normals, toward), 0) / np.maximum(distance, 1e-6) ** 3
    facing = weight > 0
    if not facing.any():
        return 0.0
    rays = np.concatenate([np.broadcast_to(camera, toward.shape), toward], axis=1)[facing]
    hidden = occluder.cast(rays).t < 1
    return float(1 - weight[facing][hidden].sum() / weight[facing].sum())
