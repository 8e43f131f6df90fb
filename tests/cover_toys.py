"""A ball for a face, patches worn on it, and its images: everything known in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from face3d_data.geometry.camera import depth_to_points
from face3d_data.wear.cover import View
from face3d_data.wear.occluder import Occluder

RADIUS_MM = 80.0
DISTANCE_MM = 600.0
CENTRE = np.array([0.0, 0.0, DISTANCE_MM + RADIUS_MM])
"""The ball's centre in the camera frame: its front, the nose tip, is on the optical axis."""
TO_FACE = np.diag([1.0, -1.0, -1.0, 1.0])
TO_FACE[2, 3] = DISTANCE_MM
FROM_FACE = np.linalg.inv(TO_FACE)
INTRINSICS = np.array([400.0, 400.0, 99.5, 99.5])
SHAPE = (200, 200)
LIT = (0.4, (0.2, -0.2, -0.3))
"""Ambient light and how much more comes along each axis, linear, camera frame."""


def grey(part: np.ndarray, coords: np.ndarray) -> np.ndarray:
    return np.full((len(part), 3), 0.8, np.float32)


def patch(
    half_mm: tuple[float, float] = (30.0, 25.0),
    centre_mm: tuple[float, float] = (0.0, -15.0),
    off_mm: float = 4.0,
    n: int = 41,
    label: int = 1,
    paint=grey,
    **fields,
) -> Occluder:
    """Return a sheet that lies a stand-off before the ball, as wide and high as twice `half_mm`."""
    x, y = np.meshgrid(np.linspace(-1, 1, n) * half_mm[0], np.linspace(-1, 1, n) * half_mm[1])
    x, y = x + centre_mm[0], y + centre_mm[1]
    radius = RADIUS_MM + off_mm
    z = np.sqrt(np.maximum(radius**2 - x**2 - y**2, 1.0)) - RADIUS_MM
    vertices = np.stack([x, y, z], -1).reshape(-1, 3)
    normals = vertices + np.array([0, 0, RADIUS_MM])
    at = np.arange(n * n).reshape(n, n)
    a, b, c, d = (part.ravel() for part in (at[:-1, :-1], at[:-1, 1:], at[1:, :-1], at[1:, 1:]))
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)]).astype(np.uint32)
    return Occluder(
        vertices.astype(np.float32),
        (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32),
        triangles,
        vertices[:, :2].astype(np.float32),
        np.zeros(len(triangles), np.uint8),
        paint,
        label,
        **fields,
    )


def ball_depth(intrinsics: np.ndarray = INTRINSICS, shape: tuple[int, int] = SHAPE, wall_mm: float = 0.0) -> np.ndarray:
    """Return the true depth f4 (H, W) of the ball before a wall, 0 = nothing."""
    v, u = np.mgrid[: shape[0], : shape[1]]
    d = np.stack([(u - intrinsics[2]) / intrinsics[0], (v - intrinsics[3]) / intrinsics[1], np.ones(shape)], -1)
    a, b, c = (d * d).sum(-1), d @ CENTRE, CENTRE @ CENTRE - RADIUS_MM**2
    root = b * b - a * c
    return np.where(root > 0, (b - np.sqrt(np.maximum(root, 0))) / a, wall_mm).astype(np.float32)


def ball_color(depth: np.ndarray, albedo: float = 0.35, lit=LIT, grain: float = 0.0, seed: int = 0) -> np.ndarray:
    """Return the ball's picture u1 (H, W, 3) in its light, dark where nothing is."""
    points, at = depth_to_points(depth, INTRINSICS)
    normals = (points - CENTRE) / RADIUS_MM
    on = (np.abs(np.linalg.norm(normals, axis=1) - 1) < 0.05).astype(float)
    level = on * albedo * np.maximum(lit[0] + normals @ np.array(lit[1]), 0.02)
    color = np.zeros((depth.size, 3))
    color[at] = 255 * np.minimum(level, 1)[:, None] ** (1 / 2.2) * np.array([1.0, 0.8, 0.7]) ** (1 / 2.2)
    noise = np.random.default_rng(seed).normal(0, grain, color.shape) if grain else 0.0
    return np.clip(np.rint(color + noise), 0, 255).astype(np.uint8).reshape(*depth.shape, 3)


def noisy(depth: np.ndarray, sigma_mm: float, width_px: float = 0.0, step_mm: float = 0.0, seed: int = 0) -> np.ndarray:
    """Return readings f4 (H, W) of a true depth: with white or smoothed noise of that size, and rounded to steps."""
    noise = np.random.default_rng(seed).standard_normal(depth.shape)
    if width_px:
        noise = gaussian_filter(noise, width_px, mode="wrap")
    found = depth + sigma_mm / noise.std() * noise
    found = np.round(found / step_mm) * step_mm if step_mm else found
    return np.where(depth > 0, found, 0).astype(np.float32)


def ball_view(sigma_mm: float = 0.0, wall_mm: float = 0.0, **fields) -> View:
    """Return colour, depth and the points of its readings on the ball."""
    true = ball_depth(wall_mm=wall_mm)
    depth = noisy(true, sigma_mm) if sigma_mm else true
    points, _ = depth_to_points(depth, INTRINSICS)
    points = points[np.linalg.norm(points - CENTRE, axis=1) < RADIUS_MM + 10]
    made = {"color": ball_color(true), "depth": depth, "intrinsics": INTRINSICS, "points": points} | fields
    return View(TO_FACE, **made)


def cloud_view(view: View, **fields) -> View:
    """Return a view of the points alone."""
    return replace(view, color=None, depth=None, intrinsics=None, **fields)


@dataclass(frozen=True)
class Met:
    """Whether rays meet an occluder, and at which depth."""

    found: np.ndarray
    z: np.ndarray


def met_naively(occluder: Occluder, points: np.ndarray) -> Met:
    """Meet an occluder by rays from the camera through points (N, 3), trying every triangle (Möller, Trumbore 1997)."""
    vertices = (occluder.vertices @ FROM_FACE[:3, :3].T + FROM_FACE[:3, 3]).astype(np.float64)
    a, b, c = (vertices[occluder.triangles[:, i].astype(int)] for i in range(3))
    z = np.full(len(points), np.inf)
    for i, point in enumerate(points):
        direction = point / point[2]
        p = np.cross(direction, c - a)
        det = np.einsum("ij,ij->i", b - a, p)
        det[np.abs(det) < 1e-12] = np.nan
        u = np.einsum("ij,ij->i", -a, p) / det
        q = np.cross(-a, b - a)
        v = q @ direction / det
        t = np.einsum("ij,ij->i", c - a, q) / det
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
        if hit.any():
            z[i] = t[hit].min()
    return Met(np.isfinite(z), z)
