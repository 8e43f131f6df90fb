"""Writer of a tiny collection in the layout of BU-3DFE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scans import FaceScan, face_scan, scan_mesh
from write_meshes import vrml_text, y_up

PEOPLE = (("F0001", "WH"), ("M0002", "AE"), ("F0003", "BL"), ("M0004", "LA"))
CODES = ("NE00", "HA04", "AN01", "SU02")
EYE_HALF_MM = 15.0
RING = 8
OUTER_MOUTH = 12


def eighty_three(scan: FaceScan, vertices: np.ndarray) -> np.ndarray:
    """Return vertices int (83,) of a scan that stand for the 83 points, in the database's order.

    The person's right eye (8 points, the inner corner first, the outer one fifth), the left eye (8, likewise), brows
    (10 each), sides of the nose (3 each), nostrils (6), outer lip (12, corners first and seventh), inner lip (8),
    contour (15). None is the nose tip.

    Args:
        scan: the scan.
        vertices: (V, 3), camera frame.
    """
    left, right, nose, mouth_left, mouth_right = scan.landmarks_3d.astype(np.float64)
    middle = (mouth_left + mouth_right) / 2
    wanted = [
        *ring(beside(left, EYE_HALF_MM), beside(left, -EYE_HALF_MM), RING),
        *ring(beside(right, -EYE_HALF_MM), beside(right, EYE_HALF_MM), RING),
        *(beside(left, x, -18.0) for x in np.linspace(15, -15, 10)),
        *(beside(right, x, -18.0) for x in np.linspace(-15, 15, 10)),
        *(beside(nose, -12.0, y, 8.0) for y in (-30.0, -18.0, -6.0)),
        *(beside(nose, 12.0, y, 8.0) for y in (-6.0, -18.0, -30.0)),
        *(beside(nose, x, 8.0, 6.0) for x in np.linspace(-12, 12, 6)),
        *ring(mouth_left, mouth_right, OUTER_MOUTH),
        *ring(mouth_left, mouth_right, RING),
        *(beside(middle, x, 35.0 - abs(x) / 2, 5.0) for x in np.linspace(-55, 55, 15)),
    ]
    apart = np.linalg.norm(vertices[None, :, :] - np.array(wanted)[:, None, :], axis=2)
    return apart.argmin(axis=1)


def beside(point: np.ndarray, x: float, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    """Return the place (3,) so many millimetres to the right of a point, below and behind it."""
    return point + np.array([x, y, z])


def ring(first: np.ndarray, opposite: np.ndarray, count: int) -> list[np.ndarray]:
    """Return points (3,) round an ellipse: the first corner, along its upper edge to the other, and back below."""
    middle, half = (first + opposite) / 2, (first - opposite) / 2
    turns = 2 * np.pi * np.arange(count) / count
    return [beside(middle + np.cos(turn) * half, 0.0, -5 * np.sin(turn)) for turn in turns]


def write_bu3dfe(root: Path, people: int = 2, codes: Sequence[str] = CODES[:2], rows: int = 36) -> Path:
    """Write `<person>/<person>_<code><ethnicity>_F3D.wrl` and `.bnd`, `_RAW.wrl`, and files that are not read.

    Returns:
        The root.
    """
    for number, (person, ethnicity) in enumerate(PEOPLE[:people]):
        folder = root / person
        folder.mkdir(parents=True, exist_ok=True)
        for capture, code in enumerate(codes):
            scan = face_scan(number, capture, rows)
            vertices, triangles, _ = scan_mesh(scan)
            stem = f"{person}_{code}{ethnicity}"
            text = vrml_text(y_up(vertices), triangles)
            (folder / f"{stem}_F3D.wrl").write_text(text)
            (folder / f"{stem}_RAW.wrl").write_text(text)
            rows_of = [
                f"{index}\t\t" + " ".join(f"{value:.9g}" for value in y_up(vertices[index]))
                for index in eighty_three(scan, vertices)
            ]
            (folder / f"{stem}_F3D.bnd").write_text("\r\n".join(rows_of) + "\r\n")
            (folder / f"{stem}_F2D.bmp").write_bytes(b"BM")
            (folder / f"{stem}_RAW.pse").write_text("pose")
    return root
