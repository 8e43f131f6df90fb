"""Writer of collections in the Texas 3DFRD's layout, from its specification; shares nothing with `formats/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scans import face_scan

PX_MM = GREY_MM = 0.32


@dataclass(frozen=True, eq=False)
class TexasCapture:
    """One capture: range u1 (H, W), brighter is nearer; portrait u1 (H, W, 3); 25 fiducial points (x, y) in px."""

    range_image: np.ndarray
    portrait: np.ndarray
    fiducials: np.ndarray


def texas_capture(person: int, capture: int, px_mm: float = PX_MM) -> TexasCapture:
    """Return the capture that is written: the scan seen along parallel rays, `px_mm` a px, 0.32 mm a grey level.

    With 0.32 mm a px, as in the database, a picture takes some 500 x 700 px; a larger px makes it smaller.
    """
    scan = face_scan(person, capture, 100)
    points = scan.points.astype(np.float64)
    low = points.min(axis=0)
    size = np.ceil((points.max(axis=0) - low)[:2] / px_mm).astype(int) + 3
    # Each px takes the scan's point that is nearest to its middle, so that no px of the face stays empty.
    pixels = (points[:, :2] - low[:2]) / px_mm + 1
    from scipy.spatial import cKDTree

    down, across = np.mgrid[: size[1], : size[0]]
    apart, nearest = cKDTree(pixels).query(np.column_stack([across.ravel(), down.ravel()]))
    face = (apart <= max(1.0, 2.5 / px_mm)).reshape(down.shape)
    depth = (points[nearest, 2] - low[2]).reshape(down.shape)
    grey = np.clip(np.round(255 - depth / GREY_MM), 1, 255)
    image = np.where(face, grey, 0).astype(np.uint8)
    portrait = np.where(face[..., None], scan.point_colors[nearest].reshape(*down.shape, 3), 0).astype(np.uint8)
    landmarks = (scan.landmarks_3d.astype(np.float64)[:, :2] - low[:2]) / px_mm + 1
    return TexasCapture(image, portrait, _fiducials(landmarks, 12.0 / px_mm))


def _fiducials(landmarks: np.ndarray, eye_half_px: float) -> np.ndarray:
    """Return 25 points in the database's order; those that nobody asks for lie left and right of the nose."""
    points = landmarks[2] + np.column_stack([(np.arange(25) - 18) * 0.5, np.zeros(25)])
    for eye, outer, inner, side in ((0, 4, 5, -1), (1, 9, 8, 1)):
        points[outer - 1] = landmarks[eye] + np.array([side * eye_half_px, 0])
        points[inner - 1] = landmarks[eye] - np.array([side * eye_half_px, 0])
    points[15 - 1], points[16 - 1] = landmarks[3], landmarks[4]
    return np.round(points, 3)


def write_texas3dfrd(
    root: Path, people: int = 2, captures: int = 2, px_mm: float = 2.0, with_fiducials: bool = True
) -> Path:
    """Write a collection: `PreprocessedImages/Clean_0001_001_<14 digits>_{Range,Portrait}.png` and its fiducial points.

    Args:
        root: made if it is not there.
        people: so many, from 001.
        captures: of each person.
        px_mm: width of a px, mm; 0.32 in the database.
        with_fiducials: also write `ManualFiducialPoints/`.
    """
    import cv2

    images, points = root / "PreprocessedImages", root / "ManualFiducialPoints"
    images.mkdir(parents=True, exist_ok=True)
    number = 0
    for person in range(people):
        for capture in range(captures):
            number += 1
            made = texas_capture(person, capture, px_mm)
            stem = f"Clean_{number:04d}_{person + 1:03d}_200509131150{number:02d}"
            for kind, picture in (("Range", made.range_image), ("Portrait", made.portrait[..., ::-1])):
                (images / f"{stem}_{kind}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
            if with_fiducials:
                points.mkdir(exist_ok=True)
                lines = "".join(f"{x:.3f}\t{y:.3f}\r\n" for x, y in made.fiducials)
                (points / f"{stem}_Fiducial.txt").write_bytes(lines.encode())
    return root
