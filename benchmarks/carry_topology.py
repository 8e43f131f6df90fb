"""The template's topology on MakeHuman's mean head, and from there on every person and expression of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from anny_people import MakeHuman
from scipy.interpolate import RBFInterpolator

from face3d_data.geometry.align import fit_rigid, transform
from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.geometry.surface import sample_surface
from face3d_data.registration.nonrigid import bending, fit_nonrigid
from face3d_data.registration.scan import prepare_scan
from face3d_data.registration.template import Template

SAMPLED = 120_000
VIEWS_DEG = ((0, 0), (45, 0), (-45, 0), (80, 0), (-80, 0), (0, 40), (40, 30), (-40, 30), (0, -40))
"""Yaw and pitch from where the skin is seen; the inside of mouth, nose and eye sockets is not."""
ROUNDS = 3
MOUTH_MM = 34.0
JAW_MOVES = 0.35
"""Where an opening jaw moves the skin by this share of its most, it is below the mouth line."""


def outer_triangles(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Return bool (T,), which triangles are seen from somewhere in front."""
    o3d = open3d()
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(triangles.astype(np.uint32)))
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    start = corners.mean(axis=1) + 0.02 * normals
    seen = np.zeros(len(triangles), bool)
    for yaw, pitch in np.deg2rad(VIEWS_DEG):
        toward = np.array([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        rays = np.concatenate([start, np.broadcast_to(toward, start.shape)], axis=1).astype(np.float32)
        hit = np.isfinite(scene.cast_rays(o3d.core.Tensor(rays), nthreads=1)["t_hit"].numpy())
        seen |= ~hit & (normals @ toward > 0.05)
    return seen


@dataclass(frozen=True, eq=False)
class Carried:
    """Where each of the template's vertices lies on MakeHuman's mesh.

    Attributes:
        corners: int (V, 3), vertices of the triangle.
        weights: f8 (V, 3), the place in it.
        motion: f8 (4, 4), MakeHuman's frame to the face frame.
    """

    corners: np.ndarray
    weights: np.ndarray
    motion: np.ndarray

    def places(self, vertices: np.ndarray) -> np.ndarray:
        """Return the template's vertices (V, 3) on a head (W, 3) of MakeHuman, face frame."""
        return transform(np.einsum("vc,vcj->vj", self.weights, vertices[self.corners]), self.motion)

    def displacements(self, moved: np.ndarray) -> np.ndarray:
        """Return the displacements (V, 3) of the template's vertices for those (W, 3) of MakeHuman's."""
        return np.einsum("vc,vcj->vj", self.weights, moved[self.corners]) @ self.motion[:3, :3].T

    @classmethod
    def of(cls, heads: MakeHuman, template: Template, lower: np.ndarray) -> Carried:
        """Fit the template to the mean head and bind its vertices there.

        Args:
            heads: MakeHuman.
            template: in the face frame.
            lower: bool (V,), vertices below the mouth line, which are bound to the lower lip.
        """
        marks = template.landmarks(template.vertices)
        motion = fit_rigid(heads.mean[heads.landmarks], marks)
        mean = transform(heads.mean, motion)
        outer = heads.triangles[outer_triangles(mean, heads.triangles)]
        scan = prepare_scan(sample_surface(mean, outer, SAMPLED).points)
        assert scan is not None  # a head has enough points
        aim = mean[heads.landmarks]
        warp = RBFInterpolator(marks, aim - marks, kernel="linear", smoothing=0.5, degree=1)
        vertices = template.vertices + warp(template.vertices)
        plate = bending(template.vertices, template.triangles)
        near = np.linalg.norm(template.vertices[:, None] - marks[None, 17:], axis=2).min(axis=1)
        for _ in range(ROUNDS):
            vertices = fit_nonrigid(template, scan, vertices, plate, np.ones(len(vertices), bool))
            off = aim - template.landmarks(vertices)
            again = RBFInterpolator(template.landmarks(vertices)[17:], off[17:], kernel="linear", smoothing=0.5)
            fade = np.exp(-((near / 25.0) ** 2))[:, None]
            vertices = vertices + fade * again(vertices)
        jaw = np.linalg.norm(heads.units["jawOpen"], axis=1)
        below = (jaw[outer] > JAW_MOVES * jaw.max()).mean(axis=1) > 0.5
        mouth = np.linalg.norm(template.vertices - marks[[62, 66]].mean(axis=0), axis=1) < MOUTH_MM
        corners, weights = np.zeros((len(vertices), 3), np.int64), np.zeros((len(vertices), 3))
        parts = ((~mouth, np.ones(len(outer), bool)), (mouth & lower, below), (mouth & ~lower, ~below))
        for which, part in parts:
            corners[which], weights[which] = nearest_on(vertices[which], mean, outer[part])
        return cls(corners, weights, motion)


def nearest_on(points: np.ndarray, vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the corners (N, 3) and weights (N, 3) of the places of a mesh that are nearest to points (N, 3)."""
    o3d = open3d()
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(triangles.astype(np.uint32)))
    found = scene.compute_closest_points(o3d.core.Tensor(points.astype(np.float32)), nthreads=1)
    at, uv = found["primitive_ids"].numpy().astype(np.int64), found["primitive_uvs"].numpy().astype(np.float64)
    return triangles[at], np.stack([1 - uv.sum(axis=1), uv[:, 0], uv[:, 1]], axis=1)
