"""Scans of the mean face for tests: seen by a pinhole camera, turned, noisy, with a background."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial.transform import Rotation

from face3d_data.geometry.align import transform
from face3d_data.geometry.camera import project
from face3d_data.geometry.mean_face import mean_face
from face3d_data.sample import Sample

INTRINSICS = np.array([420.0, 420.0, 119.5, 119.5])


def head_pose(yaw_deg: float = 0.0, pitch_deg: float = 0.0, distance_mm: float = 600.0) -> np.ndarray:
    """Return face frame to camera frame: (4, 4), the nose tip on the optical axis."""
    turned = Rotation.from_euler("yx", [yaw_deg, pitch_deg], degrees=True).as_matrix()
    pose = np.eye(4)
    pose[:3, :3] = np.diag([1.0, -1.0, -1.0]) @ turned
    pose[2, 3] = distance_mm
    return pose


def face_sample(pose: np.ndarray | None = None, wall_mm: float = 0.0, noise_mm: float = 0.0, seed: int = 0) -> Sample:
    """Return a sample with the depth of the mean face (240 x 240), intrinsics, exact landmarks and a colour ramp."""
    face, pose = mean_face(), head_pose() if pose is None else pose
    seen = transform(face.points, pose)
    rows, columns = np.mgrid[:240, :240]
    depth = LinearNDInterpolator(project(seen, INTRINSICS), seen[:, 2], fill_value=wall_mm)(columns, rows)
    noise = np.random.default_rng(seed).normal(0, noise_mm, depth.shape) if noise_mm else 0.0
    depth = np.where(depth > 0, depth + noise, 0).astype(np.float32)
    color = np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint8)
    pixels = project(transform(face.landmarks, pose), INTRINSICS).astype(np.float32)
    return Sample.of({"depth": depth, "intrinsics": INTRINSICS, "landmarks": pixels, "color": color})
