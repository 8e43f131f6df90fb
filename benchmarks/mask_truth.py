"""Captures whose skin is known, for judging masks: the plain pipeline's sample of each, and the truth beside it.

Rendered captures of the shared data come with five landmarks but without their surface. Theirs is recovered by fitting
the statistical face they were rendered from (`ict_face_small.npz`, ICT-FaceKit) to the depth and the true landmarks of
all captures of a person: one identity, an expression and a pose each. Synthetic people's surface is the generator's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.spatial.transform import Rotation

from face3d_data.errors import Reject
from face3d_data.formats.landmarks import LANDMARK_NAMES
from face3d_data.geometry.align import fit_rigid, transform
from face3d_data.registry import find
from face3d_data.sample import Sample
from face3d_data.synthetic import capture as generator

STEPS = ("detect", "to_cloud", "clean", "align_3d")
"""Of pipelines/rgbd.yaml, with its settings: the defaults."""
NOISE_WINDOW_PX = 17
"""Wide enough for noise that is alike in neighbouring pixels, narrow enough for a face to be a quadric in it."""


@dataclass(frozen=True, eq=False)
class Capture:
    """One capture, what the pipeline makes of it, and the truth; all of the truth in the camera frame, mm.

    Attributes:
        name: person/capture.
        sample: after align_3d: color, depth, intrinsics, landmarks, points, landmarks_3d, pose.
        box: f8 (4,), the true face box, px.
        landmarks: f8 (5, 3), the true landmarks.
        chin: f8 (3,), the true pogonion, the foremost point of the chin.
        menton: f8 (3,), the true lowest point of the chin.
        skin: f4 (V, 3) and u4 (T, 3), the true surface.
        noise: the depth's standard deviation is this times z², 1/mm; 0 for a depth without noise.
        misfit_mm: how far the readings lie from `skin`, standard deviation by the median.
    """

    name: str
    sample: Sample
    box: np.ndarray
    landmarks: np.ndarray
    chin: np.ndarray
    menton: np.ndarray
    skin: tuple[np.ndarray, np.ndarray]
    noise: float
    misfit_mm: float = 0.0


def prepare(sample: Sample) -> Sample:
    """Return a source's sample after the pipeline's steps up to align_3d.

    Raises:
        Reject: a step cannot use it.
    """
    for name in STEPS:
        sample = find("stage", name)().apply(sample)
    return sample


def measure_noise(depth: np.ndarray, box: np.ndarray) -> float:
    """Return the noise of a face's readings as the factor of z²: what a quadric leaves in the smoother windows.

    Args:
        depth: f4 (H, W), mm.
        box: (4,), the face, px.
    """
    x0, y0, x1, y1 = np.clip(np.rint(box), 0, None).astype(int)
    n = NOISE_WINDOW_PX
    windows = sliding_window_view(depth[y0:y1, x0:x1], (n, n))[::3, ::3].reshape(-1, n * n).astype(np.float64)
    windows = windows[(windows > 0).all(1) & (np.ptp(windows, axis=1) < 25)]
    if not len(windows):
        return 0.0
    u, v = (axis.ravel() / n for axis in np.mgrid[:n, :n])
    basis, _ = np.linalg.qr(np.stack([np.ones(n * n), u, v, u * u, u * v, v * v], axis=1))
    left = windows - (windows @ basis) @ basis.T
    sigma = np.sqrt((left**2).sum(1) / (n * n - 6))
    return float(np.percentile(sigma / windows.mean(1) ** 2, 25))


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


@dataclass(frozen=True, eq=False)
class SharedCaptures:
    """The rendered captures of the shared data, person by person."""

    data: Path

    @cached_property
    def face(self) -> StatisticalFace:
        """The statistical face."""
        return StatisticalFace(self.data / "ict_face_small.npz")

    def people(self) -> list[str]:
        """Return the people's folders."""
        return sorted(path.parent.name for path in (self.data / "rgbd").glob("*/landmarks.json"))

    def of(self, person: str, only: int | None = None) -> Iterator[Capture | tuple[str, str]]:
        """Yield a person's captures (the first `only` ones); in place of one that a step rejects, name and reason."""
        reader = find("reader", "rgbd_folder")(root=self.data / "rgbd")
        entries = json.loads((self.data / "rgbd" / person / "landmarks.json").read_text("utf-8"))
        sources = {source.capture: source for source in reader.scan() if source.person == person}
        names = sorted(sources)
        samples = {name: reader.sample(sources[name]) for name in names}
        views = [self._view(samples[name], entries[name]) for name in names]
        identity, misfit = fit_person(self.face, views)
        for name, view, left in list(zip(names, views, misfit, strict=True))[:only]:
            try:
                # Without the true landmarks that the reader brings.
                sample = prepare(samples[name].without("landmarks"))
            except Reject as reject:
                yield f"{person}/{name}", str(reject)
                continue
            skin = transform(self.face.shape(np.concatenate([identity, view.expression])), view.pose)
            box = np.array(entries[name]["face_box_xyxy"])
            yield Capture(
                f"{person}/{name}", sample, box, view.landmarks, skin[self.face.POGONION], skin[self.face.MENTON],
                (skin.astype(np.float32), self.face.triangles), measure_noise(view.depth, box), left,
            )  # fmt: skip

    def _view(self, sample: Sample, entry: dict[str, Any]) -> View:
        landmarks = np.array([entry["landmarks_3d_mm"][name] for name in LANDMARK_NAMES])
        expression = np.zeros(self.face.modes.shape[1] - self.face.n_identity)
        expression[self.face.JAW_OPEN] = 0.5 * (entry["expression"] in ("open", "surprise"))
        pose = fit_rigid(self.face.START, landmarks)
        return View(sample.arrays["depth"], sample.arrays["intrinsics"], landmarks, pose, expression)


def synthetic_capture(
    seed: int, person: int, capture: int, width: int = 640, height: int = 480, *, given: bool = False
) -> Capture:
    """Render a synthetic capture without noise, and take its truth from the generator.

    Args:
        seed: the population.
        person: its number.
        capture: its number.
        width: px.
        height: px.
        given: take the true landmarks instead of detecting the face.

    Raises:
        Reject: a step cannot use it.
    """
    made = generator.render_capture(seed, person, capture, width=width, height=height, noise=False)
    names = ("color", "depth", "intrinsics", "landmarks") if given else ("color", "depth", "intrinsics")
    called = f"synthetic {seed}/{person}/{capture}"
    sample = Sample.of({name: made[name] for name in names}, key=called)  # stages draw by the key
    if given:
        sample = find("stage", "detect")(detector="given").apply(sample)
    for name in STEPS[1:] if given else STEPS:
        sample = find("stage", name)().apply(sample)
    scene = generator.draw_scene(seed, person, capture, generator._capture_rng(seed, person, capture))
    head, _ = generator.person_head(seed, person, 1.0 if width > 400 else 0.6)
    part, levels = head.parts[0], head.skull.levels
    posed = generator._posed(head, part.rest, part.coords, part.front, scene, generator.camera_for(width, height))
    middle = int(np.argmin(np.abs(part.coords[0, :, 0]) - part.rest[0, :, 2] * 1e-3))
    heights = part.coords[:, middle, 1]
    chin_rows = np.flatnonzero((heights < levels.mentolabial) & (heights > levels.menton))
    chin = chin_rows[np.argmax(part.rest[chin_rows, middle, 2])]
    menton = np.argmin(np.abs(heights - levels.menton))
    vertices = posed.reshape(-1, 3).astype(np.float32)
    triangles = head.triangles[(head.triangles < len(vertices)).all(1)]
    return Capture(
        called, sample, made["box"].astype(np.float64),
        made["landmarks_3d"].astype(np.float64), posed[chin, middle], posed[menton, middle],
        (vertices, triangles), 0.0,
    )  # fmt: skip
