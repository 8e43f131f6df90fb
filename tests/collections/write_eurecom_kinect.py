"""Writer of KinectFaceDB's layout (EURECOM): colour, depth as text, meshes and landmarks of synthetic faces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scans import FaceScan, face_scan, scan_mesh

from face3d_data.testing.write import write_image

COLUMN, ROW = 192, 74
"""Where the colour images' first pixel lies in the sensor's image, as public readers of the database have it."""


def write_eurecom_kinect(
    root: Path,
    people: int = 2,
    sessions: Sequence[int] = (1, 2),
    states: Sequence[str] = ("Neutral", "Smile"),
    rows: int = 48,
) -> Path:
    """Write people's captures; capture number = place of session and state. Depth is in whole mm.

    Returns:
        The root.
    """
    for person in range(people):
        for i, session in enumerate(sessions):
            for j, state in enumerate(states):
                scan = face_scan(person, i * len(states) + j, rows)
                write_capture(root, f"{person + 1:04d}", session, state, scan)
    return root


def write_capture(root: Path, person: str, session: int, state: str, scan: FaceScan) -> None:
    """Write the five files of one capture, and its 8-bit depth image."""
    home = root / person / f"s{session}"
    stem = f"{person}_s{session}_{state}"
    for folder in ("RGB", "Depth/DepthKinect", "Depth/DepthBMP", "3DObj", "Mark/MarkRGB", "Mark/Mark3DObj"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    write_image(home / f"RGB/rgb_{stem}.bmp", scan.color)
    write_image(home / f"Depth/DepthBMP/depth_{stem}.bmp", (scan.depth / 8).astype(np.uint8))
    depth_mm = np.rint(scan.depth).astype(int)
    lines = [
        f"{COLUMN + x} {ROW + y} {depth_mm[y, x]}\n" for y in range(len(depth_mm)) for x in range(depth_mm.shape[1])
    ]
    (home / f"Depth/DepthKinect/depth_{stem}.txt").write_text("".join(lines))
    vertices, triangles, _ = scan_mesh(scan)
    mesh = [f"v {x!r} {y!r} {z!r}\n" for x, y, z in _viewer(vertices).tolist()]
    mesh += ["f {} {} {}\n".format(*corners) for corners in (triangles + 1).tolist()]
    (home / f"3DObj/depth_{stem}.obj").write_text("".join(mesh))
    chin = scan.landmarks[3:].mean(0) * 2 - scan.landmarks[2]
    _write_marks(home / f"Mark/MarkRGB/rgb_{stem}_Points.txt", np.vstack([scan.landmarks, chin]))
    chin = scan.landmarks_3d[3:].mean(0) * 2 - scan.landmarks_3d[2]
    _write_marks(home / f"Mark/Mark3DObj/depth_{stem}_Points_OBJ.txt", _viewer(np.vstack([scan.landmarks_3d, chin])))


def _viewer(points: np.ndarray) -> np.ndarray:
    """Return points of the camera frame with y up and z towards the viewer."""
    return points * np.array([1, -1, -1], points.dtype)


def _write_marks(path: Path, points: np.ndarray) -> None:
    path.write_text("".join("\t".join(repr(value) for value in point) + "\n" for point in points.tolist()))
