"""Contract check of frames: a stage does the same to a face wherever its points are, as `pose` says."""

from __future__ import annotations

import numpy as np

from face3d_data.errors import Reject
from face3d_data.geometry.align import rotate, transform
from face3d_data.sample import POSITIONS, Sample
from face3d_data.stage import Stage
from face3d_data.testing.contract_base import need

AXIS, ANGLE_RAD = np.array([1.0, 2.0, 3.0]) / np.sqrt(14.0), 2.0
"""A rotation about no axis of the frame, after which no coordinate means what it did."""
COUNT_SHARE, MIDDLE_STD = 0.05, 0.5
"""How much the number of points may differ, and their middle in standard deviations: stages draw and thin."""


def moved(sample: Sample) -> Sample:
    """Return the same face in another frame: points, normals and 3D landmarks rotated, their middle at the origin.

    `pose` says where they went. Images stay as they are: a camera has not moved.
    """
    cross = np.array([[0, -AXIS[2], AXIS[1]], [AXIS[2], 0, -AXIS[0]], [-AXIS[1], AXIS[0], 0]])
    motion = np.eye(4)
    motion[:3, :3] += np.sin(ANGLE_RAD) * cross + (1 - np.cos(ANGLE_RAD)) * cross @ cross
    motion[:3, 3] = -motion[:3, :3] @ sample.arrays["points"].mean(axis=0, dtype=np.float64)
    arrays = {"points": transform(sample.arrays["points"], motion)}
    arrays |= {name: transform(sample.arrays[name], motion) for name in POSITIONS if name in sample.arrays}
    if "normals" in sample.arrays:
        arrays["normals"] = rotate(sample.arrays["normals"], motion)
    return sample.with_arrays(**arrays, pose=motion @ _pose(sample))


def check_frame(stage: Stage, sample: Sample, outputs: list[Sample]) -> None:
    """Check that a stage gives the same points for a face in another frame, taken back to the camera through `pose`.

    Args:
        stage: the stage; one that declares `frame` takes no other, and is not asked.
        sample: what it was given.
        outputs: what it gave.

    Raises:
        ContractError: it rejects the same face, or gives another number of points or other ones.
    """
    if stage.frame or "points" not in sample.arrays or "points" not in stage.names_read():
        return
    remedy = 'use x, y, z of points only through pose, or declare frame = "face"'
    try:
        others = stage.apply_all(moved(sample))
    except Reject as error:
        need(False, stage, f"it rejects the same face in another frame ({error}): {remedy}")
        raise
    need(len(others) == len(outputs), stage, f"the same face in another frame gives {len(others)} outputs: {remedy}")
    for one, other in zip(outputs, others, strict=True):
        if "points" not in one.arrays or not len(one.arrays["points"]):
            continue
        here, there = _in_camera(one), _in_camera(other)
        close = abs(len(here) - len(there)) <= COUNT_SHARE * len(here)
        need(close, stage, f"the same face in another frame keeps {len(there)} points, not {len(here)}: {remedy}")
        apart = float(np.linalg.norm(here.mean(axis=0) - there.mean(axis=0)))
        same = apart <= MIDDLE_STD * float(here.std(axis=0).max())
        need(same, stage, f"the same face in another frame gives points {apart:.0f} mm from there: {remedy}")


def _pose(sample: Sample) -> np.ndarray:
    return sample.arrays["pose"] if "pose" in sample.arrays else np.eye(4)


def _in_camera(sample: Sample) -> np.ndarray:
    """Return the points f8 (N, 3), mm, in the camera frame."""
    return transform(sample.arrays["points"].astype(np.float64), np.linalg.inv(_pose(sample)))
