"""Visible share of a face behind an occluder."""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.nearest import NearestPoints
from face3d_data.wear.occluder import Occluder

SEEN_THROUGH_MM = 8.0
"""What a cloud has no point for within this distance across the line of sight is not known to be hidden."""


def visible_ratio(
    occluder: Occluder,
    points: np.ndarray,
    normals: np.ndarray,
    to_face: np.ndarray,
    hidden_before: np.ndarray | None = None,
) -> float:
    """Return the share of a face's seen surface that an occluder leaves visible to the camera.

    Each point counts by the solid angle that its piece of skin subtends; those that face away do not count. It is the
    scale label that latent-part networks are trained with.

    Args:
        occluder: what covers; parts that let light through do not.
        points: f4 (M, 3), spread evenly over the face, face frame, mm.
        normals: f4 (M, 3), unit.
        to_face: (4, 4), camera to face frame.
        hidden_before: bool (M,), the points that something else hides; None: none.

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
    if hidden_before is not None:
        hidden |= hidden_before[facing]
    return float(1 - weight[facing][hidden].sum() / weight[facing].sum())


def hidden_by_points(cloud: np.ndarray, covers: np.ndarray, points: np.ndarray, to_face: np.ndarray) -> np.ndarray:
    """Return which points of a face the camera sees something else instead of, by a labelled cloud.

    Args:
        cloud: (N, 3), face frame, mm.
        covers: bool (N,), the points of the cloud that are of something in front of the face.
        points: (M, 3), face frame, mm.
        to_face: (4, 4), camera to face frame.

    Returns:
        bool (M,), True where the cloud's point that is nearest to the line of sight covers.
    """
    usable = np.isfinite(cloud).all(axis=1)
    if not covers[usable].any():
        return np.zeros(len(points), bool)
    rays, sights = (array - to_face[:3, 3] for array in (cloud[usable], points))
    distance = np.linalg.norm(sights, axis=1, keepdims=True)
    tree = NearestPoints(rays / np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-6))
    apart, nearest = tree.nearest(sights / np.maximum(distance, 1e-6))
    known = apart * distance[:, 0] <= SEEN_THROUGH_MM
    return known & covers[usable][nearest]
