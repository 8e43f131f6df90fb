"""Writer of collections in the Bosphorus database's layout, from its specification; shares nothing with `formats/`."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scans import FaceScan, face_scan

NOWHERE = -1_000_000_000.0
EYE_HALF_MM = 14.0
"""The corners are written so far to either side of the eye's centre, so that their mean is the centre."""

OTHERS = (
    ("Outer left eyebrow", -1.4, -0.2),
    ("Middle left eyebrow", -1.0, -0.3),
    ("Inner left eyebrow", -0.4, -0.2),
    ("Inner right eyebrow", 0.4, -0.2),
    ("Middle right eyebrow", 1.0, -0.3),
    ("Outer right eyebrow", 1.4, -0.2),
    ("Nose saddle left", -0.2, 0.0),
    ("Nose saddle right", 0.2, 0.0),
    ("Left nose peak", -0.5, 0.6),
    ("Right nose peak", 0.5, 0.6),
    ("Upper lip outer middle", 0.0, 0.9),
    ("Upper lip inner middle", 0.0, 0.97),
    ("Lower lip inner middle", 0.0, 1.03),
    ("Lower lip outer middle", 0.0, 1.15),
    ("Chin middle", 0.0, 1.5),
)
"""Landmarks that no one asks for: places from the middle of the eyes, in shares of the way to right eye and mouth."""


@dataclass(frozen=True, eq=False)
class BosphorusScan:
    """One scan in the database's own frame: x to the right, y up, z to the viewer.

    Attributes:
        points: f8 (H, W, 3), mm, rows from the top down, NaN = background.
        texture: f8 (H, W, 2), u to the right and v downwards in the picture, 0..1.
        color: u1 (h, w, 3), the picture.
        marks_3d: label to x, y, z in mm.
        marks: label to x, y in px of the picture.
    """

    points: np.ndarray
    texture: np.ndarray
    color: np.ndarray
    marks_3d: dict[str, tuple[float, ...]]
    marks: dict[str, tuple[float, ...]]


def bosphorus_scan(
    person: int, capture: int, rows: int, texture: tuple[int, int], points: int | None = None, faces: int = 16
) -> BosphorusScan:
    """Return the scan that is written for a capture: a rendered face, made another one cheaply and the same each time.

    Args:
        person: number of the person, from 0.
        capture: number of the person's capture, from 0.
        rows: about how many rows the face takes.
        texture: width and height of the picture, px.
        points: about how many points the face has, in place of `rows`.
        faces: so many faces are rendered; further people and captures are these, stretched and shifted.
    """
    if points is not None:
        rows = round(rows * (points / len(face_scan(person % faces, capture % 2, rows).points)) ** 0.5)
    scan = face_scan(person % faces, capture % 2, rows)
    # Of a person the shape, of a capture the place: what a person's captures share stays theirs.
    stretch = 1 + 0.03 * np.sin(np.array([1.0, 2.0, 3.0]) * (person // faces))
    shift = np.array([1.5, -2.0, 4.0]) * (capture // 2)
    nose = scan.landmarks_3d[2].astype(np.float64)
    turn = np.array([1.0, -1.0, -1.0])

    def moved(points: np.ndarray) -> np.ndarray:
        # Rounded to micrometres, as a scanner's software does.
        return np.round(((points - nose) * stretch + shift) * turn, 3)

    landmarks = moved(scan.landmarks_3d.astype(np.float64))
    picture, pixels = _picture(scan, texture)
    return BosphorusScan(
        moved(scan.grid.astype(np.float64)),
        _texture(scan, texture),
        picture,
        _marks(landmarks, EYE_HALF_MM),
        _marks(np.round(pixels, 3), EYE_HALF_MM / 4),
    )


def _marks(points: np.ndarray, eye_half: float) -> dict[str, tuple[float, ...]]:
    """Return the 22 labelled landmarks: corners round the eyes' centres, nose and mouth, and the others."""
    left, right, nose, mouth_left, mouth_right = points
    aside = np.zeros(points.shape[1])
    aside[0] = eye_half
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    marks = {label: eyes + across * (right - eyes) + down * (mouth - eyes) for label, across, down in OTHERS}
    marks |= {"Outer left eye corner": left - aside, "Inner left eye corner": left + aside}
    marks |= {"Inner right eye corner": right - aside, "Outer right eye corner": right + aside}
    marks |= {"Nose tip": nose, "Left mouth corner": mouth_left, "Right mouth corner": mouth_right}
    return {label: tuple(float(value) for value in point) for label, point in marks.items()}


def _picture(scan: FaceScan, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture, u1 (h, w, 3), the scan's colour enlarged to the size, and the landmarks' px in it."""
    width, height = size
    rows = (np.arange(height) * scan.color.shape[0]) // height
    columns = (np.arange(width) * scan.color.shape[1]) // width
    scale = np.array([width / scan.color.shape[1], height / scan.color.shape[0]])
    return scan.color[rows][:, columns], (scan.landmarks.astype(np.float64) + 0.5) * scale - 0.5


def _texture(scan: FaceScan, size: tuple[int, int]) -> np.ndarray:
    """Return u and v of each point: the middle of its px in the scan's own colour, as a share of the picture."""
    rows, columns = scan.grid.shape[:2]
    v, u = np.mgrid[:rows, :columns]
    return np.stack([(u + 0.5) / columns, (v + 0.5) / rows], axis=2)


def write_bosphorus(
    root: Path,
    people: int = 2,
    codes: Sequence[str] = ("N_N_0",),
    rows: int = 48,
    texture: tuple[int, int] = (64, 48),
    with_picture: bool = True,
    points: int | None = None,
    faces: int = 16,
) -> Path:
    """Write a collection: `bs000/bs000_N_N_0.{bnt,lm3,lm2,png}`, and so on for every person and code; return the root.

    Args:
        root: made if it is not there.
        people: so many, from bs000.
        codes: class, code and number of a person's scans (`E_HAPPY_0`).
        rows: about how many rows a face takes.
        texture: width and height of the pictures; 1600 x 1200 in the database.
        with_picture: leave out `.png` and `.lm2` where false.
        points: about how many points a face has, in place of `rows`; 27,000 in the database.
        faces: so many faces are rendered; further people are variations of them.
    """
    for person in range(people):
        folder = root / f"bs{person:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        for capture, code in enumerate(codes):
            scan = bosphorus_scan(person, capture, rows, texture, points, faces)
            write_bosphorus_scan(folder / f"bs{person:03d}_{code}", scan, with_picture)
    return root


def write_bosphorus_scan(stem: Path, scan: BosphorusScan, with_picture: bool = True) -> None:
    """Write one scan's files: `<stem>.bnt`, `.lm3`, and `.lm2` and `.png` with it."""
    write_bnt(Path(f"{stem}.bnt"), scan.points, scan.texture, f"{stem.name}.png")
    write_lm3(Path(f"{stem}.lm3"), scan.marks_3d)
    if not with_picture:
        return
    import cv2

    write_lm2(Path(f"{stem}.lm2"), scan.marks)
    Path(f"{stem}.png").write_bytes(cv2.imencode(".png", scan.color[..., ::-1])[1].tobytes())


def write_bnt(path: Path, points: np.ndarray, texture: np.ndarray, picture: str) -> None:
    """Write a `.bnt` file.

    Args:
        path: the file.
        points: (H, W, 3), x to the right, y up, z to the viewer, rows from the top down, NaN = background.
        texture: (H, W, 2), u and v.
        picture: the name of the picture, as it stands in the file.
    """
    rows, columns = points.shape[:2]
    values = np.concatenate([points, texture], axis=2)[::-1].astype("<f8")
    values[np.isnan(values[..., :3]).any(axis=2)] = NOWHERE
    name = picture.encode()
    with open(path, "wb") as stream:
        stream.write(rows.to_bytes(2, "little") + columns.to_bytes(2, "little"))
        stream.write(array("d", [NOWHERE]).tobytes())
        stream.write(len(name).to_bytes(2, "little") + name)
        stream.write((5 * rows * columns).to_bytes(4, "little"))
        for plane in range(5):
            stream.write(values[..., plane].tobytes())


def write_lm3(path: Path, marks: dict[str, tuple[float, ...]], line_end: str = "\r\n") -> None:
    """Write a `.lm3` file: the landmarks that are there, in mm."""
    lines = ["# 3D Landmark File", "", f"{len(marks)} landmarks:"]
    for label, point in marks.items():
        lines += [label, " ".join(f"{value:.3f}" for value in point)]
    path.write_bytes((line_end.join(lines) + line_end).encode())


def write_lm2(path: Path, marks: dict[str, tuple[float, ...]], line_end: str = "\r\n") -> None:
    """Write a `.lm2` file: the landmarks that are there, in px."""
    points = [" ".join(f"{value:.3f}" for value in point) for point in marks.values()]
    lines = ["# 2D Landmark File", "", f"{len(marks)} landmarks:", "", "Labels:", *marks, ""]
    lines += ["2D Image coordinates:", *points]
    path.write_bytes((line_end.join(lines) + line_end).encode())
