"""Aligned depth maps of faces on a 2.5 mm grid, from captures and from meshes: what populations are compared by.

Faces are turned and shifted so that the five true landmarks lie best on the mean ones; maps are those of
`face3d_data.geometry.depth_map`.
"""

from __future__ import annotations

import numpy as np

from face3d_data.geometry.align import fit_rigid, transform
from face3d_data.geometry.depth_map import GRID, clipped_distance, filled, level, smooth_map
from face3d_data.geometry.open3d_lazy import open3d

FLIP = np.diag([1.0, -1.0, -1.0])


def mesh_map(vertices: np.ndarray, triangles: np.ndarray, landmarks: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the map (G,) of a mesh (V, 3), (T, 3) whose five landmarks are known, y up, by orthographic rays."""
    o3d = open3d()
    moved = transform(vertices.astype(np.float32), fit_rigid(landmarks, mean))
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(moved), o3d.core.Tensor(triangles.astype(np.uint32)))
    rays = np.zeros((len(GRID), 6), np.float32)
    rays[:, :2], rays[:, 2], rays[:, 5] = GRID, 100.0, -1.0
    depth = scene.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy()
    return np.where(np.isfinite(depth), 100.0 - depth, np.nan).astype(np.float32)


def capture_map(depth: np.ndarray, intrinsics: np.ndarray, landmarks_3d: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return the map (G,) of a capture: its points, aligned by the true landmarks.

    Args:
        depth: f4 (H, W), mm, 0 = no reading.
        intrinsics: f8 (4,).
        landmarks_3d: f4 (5, 3), camera frame.
        mean: f8 (5, 3), the mean landmarks, face frame.
    """
    fx, fy, cx, cy = intrinsics
    row, column = np.nonzero(depth)
    z = depth[row, column].astype(np.float64)
    points = np.stack([(column - cx) / fx * z, (row - cy) / fy * z, z], axis=1)
    points = points[np.linalg.norm(points - landmarks_3d[2], axis=1) < 95.0] @ FLIP
    moved = transform(points, fit_rigid(landmarks_3d @ FLIP, mean))
    return smooth_map(moved)


def population(maps: np.ndarray) -> dict[str, float]:
    """Return how maps (N, G) of N people vary: rms to the mean, pairwise, to the nearest, and modes for 90/95/99 %."""
    maps = filled(level(maps))
    off = maps - maps.mean(axis=0)
    rms = float(np.sqrt((off**2).mean() * len(maps) / (len(maps) - 1)))
    apart = np.sqrt(np.maximum(_squared_distances(off), 0) / off.shape[1])
    np.fill_diagonal(apart, np.inf)
    power = np.cumsum(np.linalg.svd(off, compute_uv=False) ** 2)
    modes = [int(np.searchsorted(power / power[-1], share) + 1) for share in (0.9, 0.95, 0.99)]
    pairs = apart[np.isfinite(apart)]
    return {
        "rms_mm": rms,
        "pairwise_mm": float(np.sqrt((pairs**2).mean())),
        "nearest_mm": float(np.median(apart.min(axis=1))),
        "modes_90": modes[0],
        "modes_95": modes[1],
        "modes_99": modes[2],
    }


def within_rms(maps: np.ndarray) -> float:
    """Return the pooled standard deviation (mm) of maps (P, C, G) around each person's own mean map."""
    flat = level(maps.reshape(-1, maps.shape[-1])).reshape(maps.shape)
    there = ~np.isnan(flat)
    seen = there.sum(axis=1)
    mean = np.where(there, flat, 0.0).sum(axis=1) / np.maximum(seen, 1)
    off = flat - mean[:, None]
    return float(np.sqrt(np.nansum(off**2) / np.sum(np.maximum(seen - 1, 0))))


def rank_1(maps: np.ndarray) -> float:
    """Return the share of probes whose nearest gallery map is their own person's; gallery = first capture.

    The baseline without training: median removed, mean of the absolute difference clipped at 6 mm.

    Args:
        maps: (P, C, G), people, captures, cells.
    """
    flat = maps - np.nanmedian(maps, axis=2, keepdims=True)
    gallery, probes = flat[:, 0], flat[:, 1:]
    hits = 0
    for person in range(len(flat)):
        for probe in probes[person]:
            hits += int(np.argmin(clipped_distance(gallery, probe)) == person)
    return hits / probes[..., 0].size


def _squared_distances(rows: np.ndarray) -> np.ndarray:
    square = (rows**2).sum(axis=1)
    return square[:, None] + square[None, :] - 2 * rows @ rows.T
