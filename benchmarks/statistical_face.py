"""The statistical face that the shared captures were rendered from, fitted to their depth: their true surface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from face3d_data.formats.landmarks import LANDMARK_NAMES
from face3d_data.geometry.align import transform


class StatisticalFace:
    """The face that the shared captures were rendered from: mean, 25 identity and 10 expression modes; mm."""

    MIDDLE = {"nose": 4857, "mouth_left": 5706, "mouth_right": 6213}
    """Vertices that lie at the true landmarks of the same name in all captures, within 1 mm."""
    POGONION, MENTON = 964, 965
    """On the midline: farthest before the chord from the furrow under the lip to the menton; lowest of the chin."""
    START = np.array([[-31.0, 36, 96], [31, 36, 96], [0, 1, 131], [-25, -36, 104], [25, -36, 104]])
    JAW_OPEN = 0

    def __init__(self, path: Path) -> None:
        with np.load(path) as stored:
            self.mean = stored["mean"].astype(np.float64) * 10
            modes = [stored[name].astype(np.float64) * 10 for name in ("identity", "expression")]
            self.triangles = stored["triangles"].astype(np.uint32)
        self.n_identity = len(modes[0])
        self.modes = np.concatenate(modes).transpose(1, 0, 2).copy()  # (V, K, 3)
        self.rows = np.flatnonzero(self.mean[:, 1] > -100)  # the neck is under a collar

    def shape(self, weights: np.ndarray) -> np.ndarray:
        """Return the vertices (V, 3) for weights (35,)."""
        return self.mean + np.einsum("vkj,k->vj", self.modes, weights)

    def normals(self, vertices: np.ndarray) -> np.ndarray:
        """Return outward unit normals (V, 3)."""
        a, b, c = (vertices[self.triangles[:, i]] for i in range(3))
        face = np.cross(b - a, c - a)
        total = np.zeros_like(vertices)
        for corner in self.triangles.T:
            for axis in range(3):
                total[:, axis] += np.bincount(corner, face[:, axis], len(vertices))
        return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)


@dataclass
class View:
    """One capture of a person while the face is fitted to it."""

    depth: np.ndarray
    intrinsics: np.ndarray
    landmarks: np.ndarray
    pose: np.ndarray
    expression: np.ndarray

    def equations(self, face: StatisticalFace, identity: np.ndarray, reach: float, hold: float) -> tuple:
        """Return the normal equations over identity, expression, turn and shift, and the residuals used.

        Each vertex that faces the camera asks for the reading at its pixel, along its normal (point to plane, Cauchy
        weights of 2 mm); the true nose tip and mouth corners hold their vertices with the weight `hold`.
        """
        shape = face.shape(np.concatenate([identity, self.expression]))
        turn = self.pose[:3, :3]
        placed = transform(shape, self.pose)
        normals = (face.normals(shape) @ turn.T)[face.rows]
        seen = placed[face.rows]
        fx, fy, cx, cy = self.intrinsics
        u = np.rint(seen[:, 0] / seen[:, 2] * fx + cx).astype(int)
        v = np.rint(seen[:, 1] / seen[:, 2] * fy + cy).astype(int)
        height, width = self.depth.shape
        z = np.where(
            (u >= 0) & (u < width) & (v >= 0) & (v < height), self.depth[v % height, u % width], 0.0
        )  # no reading beyond the image
        reading = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones(len(u))], axis=1) * z[:, None]
        left = np.einsum("ij,ij->i", normals, reading - seen)
        facing = -np.einsum("ij,ij->i", normals, seen) / np.linalg.norm(seen, axis=1)
        use = (z > 0) & (facing > 0.3) & (np.abs(left) < reach)
        along, left = normals[use], left[use]
        by_mode = np.einsum("vkj,vj->vk", face.modes[face.rows[use]], along @ turn)
        jacobian = np.concatenate([by_mode, np.cross(seen[use], along), along], axis=1)
        weight = 1 / (1 + (left / 2.0) ** 2)
        matrix, vector = jacobian.T @ (jacobian * weight[:, None]), jacobian.T @ (left * weight)
        for name, vertex in face.MIDDLE.items():
            aim = self.landmarks[LANDMARK_NAMES.index(name)] - placed[vertex]
            rows = np.concatenate([(face.modes[vertex] @ turn.T).T, np.cross(placed[vertex], np.eye(3)), np.eye(3)], 1)
            matrix += hold * rows.T @ rows
            vector += hold * rows.T @ aim
        return matrix, vector, left

    def step(self, change: np.ndarray) -> None:
        """Change expression (limited to what the modes allow), turn and shift."""
        n = len(self.expression)
        self.expression = np.clip(self.expression + change[:n], -0.1, 1.2)
        motion = np.eye(4)
        motion[:3, :3] = Rotation.from_rotvec(change[n : n + 3]).as_matrix()
        motion[:3, 3] = change[n + 3 :]
        self.pose = motion @ self.pose


def fit_person(face: StatisticalFace, views: list[View]) -> tuple[np.ndarray, list[float]]:
    """Fit one identity (25,) and, in place, each view's expression and pose; also return each view's misfit, mm.

    Gauss-Newton of 25 steps, the reach of a match falling from 15 to 4 mm; weights of the modes are held near zero.
    """
    n = face.n_identity
    identity = np.zeros(n)
    misfit: list[float] = []
    for number in range(25):
        reach = (15.0, 12.0, 10.0, 8.0, 6.0, 4.0)[min(number, 5)]
        total, right = 10.0 * np.eye(n), -10.0 * identity
        solved, misfit = [], []
        for view in views:
            matrix, vector, left = view.equations(face, identity, reach, 200.0 if number < 12 else 40.0)
            own = slice(n, n + len(view.expression))
            matrix[own, own] += 20.0 * np.eye(len(view.expression))
            vector[own] -= 20.0 * view.expression
            # What belongs to one view is eliminated, so that identity is solved for over all of them.
            answer = np.linalg.solve(matrix[n:, n:], np.column_stack([matrix[n:, :n], vector[n:]]))
            total += matrix[:n, :n] - matrix[:n, n:] @ answer[:, :n]
            right += vector[:n] - matrix[:n, n:] @ answer[:, n]
            solved.append(answer)
            misfit.append(1.4826 * float(np.median(np.abs(left))))
        change = np.linalg.solve(total, right) if number >= 2 else np.zeros(n)
        identity = identity + change
        for view, answer in zip(views, solved, strict=True):
            view.step(answer[:, n] - answer[:, :n] @ change)
    return identity, misfit
