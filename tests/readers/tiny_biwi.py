"""A few frames of made-up people in the layout of the Biwi Kinect Head Pose database."""

from pathlib import Path

import numpy as np
from scans import face_scan
from write_biwi import write_biwi_frame

from face3d_data.reader import Reader
from face3d_data.readers.biwi import Biwi

SHARED = frozenset({"01/depth.cal", "03/depth.cal", "15/depth.cal", "01/rgb.cal", "03/rgb.cal", "15/rgb.cal"})
FRAMES = (("01", 0, 3), ("01", 0, 4), ("03", 1, 3), ("03", 1, 7), ("15", 1, 3))
"""Sequence, person drawn, frame. Sequences 03 and 15 are one person."""


def turned(yaw_deg: float) -> np.ndarray:
    """Return R of a head that looks to the image's left by `yaw_deg`."""
    c, s = np.cos(np.deg2rad(yaw_deg)), np.sin(np.deg2rad(yaw_deg))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def write(root: Path) -> None:
    for sequence, person, frame in FRAMES:
        scan = face_scan(person, frame % 3)
        centre = scan.landmarks_3d[2] + np.array([0, 0, 80.0])
        write_biwi_frame(root / sequence, frame, scan, turned(frame), centre)


def reader(root: Path) -> Reader:
    return Biwi(root=root)
