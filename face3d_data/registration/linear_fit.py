"""Fit of pose and linear model to a scan: robust point-to-plane Gauss-Newton, annealed from coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.align import motion_of, transform
from face3d_data.geometry.normals import mesh_normals
from face3d_data.registration.scan import NearScan, Scan, match
from face3d_data.registration.template import Template

STAGES = ((12.0, 0, 4), (9.0, 8, 5), (6.0, 20, 5), (4.0, 100, 6), (2.5, 100, 8))
"""Scale of the robust weight (mm), most modes of people, and steps; expressions come in with the third."""
EXPRESSION_FROM = 8
NOISE_MM = 1.0
INDEPENDENT = 0.22
"""Share of the vertices' residuals that counts: errors of neighbours are correlated."""
LANDMARK_MM = 5.0
FRONT_SCALE = 0.8
"""A scan in front of the model is more often something worn than one behind: its weight falls off sooner."""
LEAST_FACING = 0.5
SLIDE_MM = 2.0
MOST_DEVIATIONS = 3.0


@dataclass(frozen=True, eq=False)
class LinearFit:
    """Where the model stands.

    Attributes:
        pose: f8 (4, 4), template to scan, rigid.
        weights: f8 (K,), of all modes, in standard deviations.
        vertices: f8 (V, 3), in the scan's frame.
    """

    pose: np.ndarray
    weights: np.ndarray
    vertices: np.ndarray


def data_weights(found: NearScan, scale_mm: float, spacing_mm: float) -> np.ndarray:
    """Return how much each vertex's match counts, f8 (V,), 0 to 1: Geman-McClure, and none beyond the scan's border."""
    scale = np.where(found.offset > 0, FRONT_SCALE * scale_mm, scale_mm)
    robust = 1.0 / (1.0 + (found.offset / scale) ** 2) ** 2
    reach = np.maximum(SLIDE_MM, 1.2 * spacing_mm) + 0.35 * np.abs(found.offset)
    good = (found.slide_mm < reach) & (found.facing > LEAST_FACING) & found.skin
    return robust * good


def fit_linear(
    template: Template,
    scan: Scan,
    landmarks: np.ndarray,
    subset: np.ndarray,
    start: np.ndarray,
    stages: tuple[tuple[float, int, int], ...] = STAGES,
    weights: np.ndarray | None = None,
) -> LinearFit:
    """Fit pose, people and expressions.

    Args:
        template: what is fitted.
        scan: to what.
        landmarks: (68, 3), priors in the scan's frame, NaN where there are none.
        subset: int (S,), the vertices that are compared with the scan.
        start: (4, 4), template to scan.
        stages: scale of the robust weight, most modes of people, and steps of each.
        weights: of the modes, to start from; none by default.
    """
    modes = template.modes
    n_identity = len(template.identity)
    weights = np.zeros(len(modes)) if weights is None else weights.copy()
    pose = start.copy()
    known = np.isfinite(landmarks).all(axis=1) & np.isfinite(template.landmark_weights).all(axis=1)
    corner, share = template.landmark_corners[known], template.landmark_weights[known]
    mark_modes = np.einsum("lc,klcj->klj", share, modes[:, corner])
    for scale, people, steps in stages:
        free = np.r_[: min(people, n_identity), n_identity : len(modes) if people >= EXPRESSION_FROM else n_identity]
        for _ in range(steps):
            shape = template.shape(weights)
            normals = mesh_normals(shape, template.triangles)
            turn = pose[:3, :3]
            placed = transform(shape[subset], pose)
            found = match(scan, placed, normals[subset] @ turn.T)
            strength = data_weights(found, scale, scan.spacing_mm) * (INDEPENDENT / NOISE_MM**2)
            by_mode = np.einsum("ksj,sj->sk", modes[free][:, subset], found.normals @ turn)
            rows = np.concatenate([np.cross(placed, found.normals), found.normals, by_mode], axis=1)
            system = (rows * strength[:, None]).T @ rows
            right = (rows * strength[:, None]).T @ found.offset
            marks = transform(np.einsum("lc,lcj->lj", share, shape[corner]), pose)
            aim = landmarks[known] - marks
            pull = 1.0 / LANDMARK_MM**2 / (1.0 + np.sum(aim**2, axis=1) / (3 * LANDMARK_MM) ** 2) ** 2
            if scale <= STAGES[-1][0]:
                pull *= 0.25
            blocks = np.concatenate(
                [_cross_rows(marks), np.broadcast_to(np.eye(3), (len(marks), 3, 3)),
                 np.einsum("klj,ij->lik", mark_modes[free], turn)], axis=2
            )  # fmt: skip
            system += np.einsum("l,lik,lim->km", pull, blocks, blocks)
            right += np.einsum("l,lik,li->k", pull, blocks, aim)
            held = np.concatenate([np.full(6, 1e-6), np.ones(len(free))])
            system += np.diag(held)
            right[6:] -= weights[free]
            step = np.linalg.solve(system, right)
            weights[free] = np.clip(weights[free] + step[6:], -MOST_DEVIATIONS, MOST_DEVIATIONS)
            pose = motion_of(step[:6]) @ pose
    return LinearFit(pose, weights, transform(template.shape(weights), pose))


def _cross_rows(points: np.ndarray) -> np.ndarray:
    """Return (L, 3, 3): how points move when they are turned, a row a coordinate."""
    out = np.zeros((len(points), 3, 3))
    x, y, z = points.T
    out[:, 0, 1], out[:, 0, 2] = z, -y
    out[:, 1, 0], out[:, 1, 2] = -z, x
    out[:, 2, 0], out[:, 2, 1] = y, -x
    return out
