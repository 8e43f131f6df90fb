"""Writer of a list (CSV) with files of several kinds beside it, as reader `csv` takes them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scans import FaceScan, face_scan

from face3d_data.testing.write import write_image

DEPTH_UNIT_M = 0.0001
FACE_POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")


def write_list(
    path: Path, rows: Sequence[Mapping[str, object]], delimiter: str = ",", bom: bool = False, end: str = "\r\n"
) -> Path:
    """Write rows as a CSV whose header is the keys of all rows in the order of their first use.

    Returns:
        The path.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8-sig" if bom else "utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="", delimiter=delimiter, lineterminator=end)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_csv_collection(root: Path, people: int = 2, captures: int = 2, rows: int = 48) -> list[dict[str, object]]:
    """Write faces as colour + depth (capture 0), range image (1) and cloud (2 and on), and `faces.csv` that lists them.

    Depth is 16-bit PNG in tenths of a millimetre; range images and clouds are mm with y up.

    Returns:
        The CSV's rows, to be changed and written again.
    """
    listed = []
    for person in range(people):
        for capture in range(captures):
            scan = face_scan(person, capture, rows)
            row: dict[str, object] = {"identity": f"p{person}", "capture": f"c{capture}"}
            row |= _write_capture(root, f"files/p{person}/c{capture}", scan, min(capture, 2))
            row |= {"mask": "worn" if capture % 2 else "none", "session": capture + 1, "expression": "neutral"}
            listed.append(row)
    write_list(root / "faces.csv", listed)
    return listed


def _write_capture(root: Path, stem: str, scan: FaceScan, kind: int) -> dict[str, object]:
    (root / stem).parent.mkdir(parents=True, exist_ok=True)
    if kind == 0:
        write_image(root / f"{stem}_rgb.png", scan.color)
        write_image(root / f"{stem}_d.png", np.round(scan.depth / (DEPTH_UNIT_M * 1000)).astype(np.uint16))
        camera = dict(zip(("fx", "fy", "cx", "cy"), scan.intrinsics.tolist(), strict=True))
        return {"color": f"{stem}_rgb.png", "depth": f"{stem}_d.png", **camera, "depth_scale": DEPTH_UNIT_M} | _marks(
            scan.landmarks
        )
    if kind == 1:
        np.save(root / f"{stem}_grid.npy", y_up(scan.grid))
        write_image(root / f"{stem}_grid.png", scan.color)
        return {"grid": f"{stem}_grid.npy", "grid_color": f"{stem}_grid.png"} | _marks(y_up(scan.landmarks_3d))
    np.save(root / f"{stem}.npy", y_up(scan.points))
    return {"points": f"{stem}.npy"} | _marks(y_up(scan.landmarks_3d))


def y_up(points: np.ndarray) -> np.ndarray:
    """Return points of the camera frame in a frame with y up and z to the viewer, or back."""
    turned = np.array(points)
    turned[..., 1:] *= -1
    return turned


def _marks(points: np.ndarray) -> dict[str, object]:
    return {
        f"{name}_{axis}": repr(float(value))
        for name, point in zip(FACE_POINTS, points, strict=True)
        for axis, value in zip("xyz", point, strict=False)
    }
