"""Tiny RGB-D captures of made-up faces: a few hundred points each, created in microseconds, for tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.formats.landmarks import LANDMARK_NAMES
from face3d_data.sample import Sample

FACE_SPAN_MM = 200.0
DISTANCE_MM = 600.0
DEPTH_SCALE = 0.0001


@dataclass(frozen=True)
class TinyCapture:
    """One capture: colour u1 (H, W, 3), depth u2 (H, W) in 0.1 mm, landmarks f4 (5, 2) px and f4 (5, 3) mm, f8 (4,)."""

    color: np.ndarray
    depth: np.ndarray
    landmarks: np.ndarray
    landmarks_3d: np.ndarray
    intrinsics: np.ndarray

    @property
    def depth_mm(self) -> np.ndarray:
        """Depth f4 (H, W) in mm."""
        return self.depth * np.float32(DEPTH_SCALE * 1000)


def tiny_intrinsics(width: int, height: int) -> np.ndarray:
    """Return fx, fy, cx, cy with which a face fills the height of the image."""
    focal = height / FACE_SPAN_MM * DISTANCE_MM
    return np.array([focal, focal, (width - 1) / 2, (height - 1) / 2])


def tiny_capture(person: int, capture: int, width: int = 32, height: int = 24, seed: int = 0) -> TinyCapture:
    """Return capture number `capture` of person number `person`: an ellipsoid with a nose before a far wall.

    Head width, length and depth and the nose belong to the person; distance, shift and noise to the capture.
    """
    who = np.random.default_rng(seed_from("tiny person", seed, person))
    when = np.random.default_rng(seed_from("tiny capture", seed, person, capture))
    half_width, half_height, half_depth, nose = np.array([76, 108, 88, 20]) * who.uniform(0.9, 1.1, 4)
    eye, mouth = who.uniform(29, 34), who.uniform(34, 42)
    shift = when.uniform(-6, 6, 2)
    distance = DISTANCE_MM + when.uniform(-15, 15)

    def surface(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        bulge = 1 - (x / half_width) ** 2 - (y / half_height) ** 2
        ridge = nose * np.exp(-((x / 13) ** 2) - (y / 22) ** 2)
        return np.where(bulge > 0, distance - half_depth * np.sqrt(np.maximum(bulge, 0)) - ridge, 0)

    camera = tiny_intrinsics(width, height)
    flat = distance - half_depth / 2
    x = (np.arange(width) - camera[2]) * flat / camera[0] - shift[0]
    y = (np.arange(height)[:, None] - camera[3]) * flat / camera[1] - shift[1]
    z = surface(x, y)
    z = np.where(z > 0, z + when.normal(0, 0.3, z.shape), 0)
    marks = np.array([[-eye, -35], [eye, -35], [0, 0], [-mouth * 0.7, 45], [mouth * 0.7, 45]])
    pixels = (marks + shift) * camera[:2] / flat + camera[2:]
    depths = surface(marks[:, 0], marks[:, 1])
    in_space = np.column_stack([(pixels - camera[2:]) / camera[:2] * depths[:, None], depths])
    color = np.where((z > 0)[..., None], who.integers(120, 220, 3), 40) + when.integers(-8, 9, (height, width, 3))
    return TinyCapture(
        color.astype(np.uint8),
        np.round(z / (DEPTH_SCALE * 1000)).astype(np.uint16),
        pixels.astype(np.float32),
        in_space.astype(np.float32),
        camera,
    )


def tiny_sample(person: int = 0, capture: int = 0, width: int = 48, height: int = 36, seed: int = 0) -> Sample:
    """Return a sample in memory that has every array of a processed RGB-D capture, from colour to normals.

    Points are every pixel with a reading, in the camera frame; normals point at the camera from the head's middle.
    """
    made = tiny_capture(person, capture, width, height, seed)
    depth = made.depth_mm
    fx, fy, cx, cy = made.intrinsics
    rows, columns = np.nonzero(depth)
    z = depth[rows, columns].astype(np.float64)
    points = np.column_stack([(columns - cx) / fx * z, (rows - cy) / fy * z, z])
    outward = points - (made.landmarks_3d[2] + [0, 0, 110.0])
    normals = outward / np.linalg.norm(outward, axis=1, keepdims=True)
    low, high = made.landmarks.min(axis=0), made.landmarks.max(axis=0)
    margin = (high - low) * 0.4
    arrays = {
        "color": made.color,
        "depth": depth,
        "intrinsics": made.intrinsics,
        "box": np.array([*(low - margin), *(high + margin)], np.float32),
        "landmarks": made.landmarks,
        "landmarks_3d": made.landmarks_3d,
        "points": points.astype(np.float32),
        "pose": np.eye(4),
        "normals": normals.astype(np.float32),
        "curvature": np.full(len(points), 0.01, np.float32),
        "point_colors": made.color[rows, columns],
        "occlusion": np.zeros(len(points), np.uint8),
    }
    return Sample.of(
        arrays,
        tags={"mask": "none"},
        id=f"tiny/person_{person:04d}/capture_{capture:02d}",
        identity=f"tiny/person_{person:04d}",
        dataset="tiny",
        key=f"{person:016x}{capture:016x}",
    )


def landmarks_entry(made: TinyCapture, expression: str = "neutral") -> dict[str, object]:
    """Return a capture's entry of `landmarks.json`."""
    return {
        "landmarks_px": {
            n: [round(float(v), 3) for v in p] for n, p in zip(LANDMARK_NAMES, made.landmarks, strict=True)
        },
        "expression": expression,
        "masked": False,
    }
