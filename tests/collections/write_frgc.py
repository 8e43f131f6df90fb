"""Writer of collections in FRGC v2's layout of range images, from its specification; shares nothing with `formats/`."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scans import face_scan

NOTHING = "-999999.000000"


def frgc_points(person: int, capture: int, rows: int) -> np.ndarray:
    """Return what a recording's file holds, f8 (H, W, 3): x to the right, y up, z to the viewer, NaN = nothing."""
    grid = face_scan(person, capture, rows).grid.astype(np.float64)
    return np.round(grid * np.array([1.0, -1.0, -1.0]), 6)


def write_frgc(
    root: Path,
    people: int = 2,
    seasons: Sequence[str] = ("Fall2003range", "Spring2004range"),
    rows: int = 32,
    packed: bool = True,
    first: int = 450,
) -> Path:
    """Write a collection: a recording of every person in every season, and its texture with the next number.

    Args:
        root: made if it is not there.
        people: so many, named 04200, 04201 and so on.
        seasons: folders.
        rows: about how many rows a face takes.
        packed: write `.abs.gz` in the first season, `.abs` in the others; `.abs` everywhere where false.
        first: the first recording's number.
    """
    for season, folder in enumerate(seasons):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for person in range(people):
            who, number = f"{4200 + person:05d}", first + 2 * season
            ending = ".abs.gz" if packed and season == 0 else ".abs"
            write_abs(root / folder / f"{who}d{number}{ending}", frgc_points(person, season, rows))
            write_ppm(root / folder / f"{who}d{number + 1}.ppm", face_scan(person, season, rows).color)
    return root


def write_abs(path: Path, points: np.ndarray, line_end: str = "\r\n", at_end: str = " ") -> None:
    """Write a `.abs` or, by its name, a `.abs.gz` file.

    Args:
        path: the file.
        points: (H, W, 3), mm, x to the right, y up, z to the viewer, NaN = nothing.
        line_end: what ends a line.
        at_end: what stands after a line's last number.
    """
    seen = np.isfinite(points).all(axis=2)
    lines = [f"{points.shape[0]} rows", f"{points.shape[1]} columns", "pixels (flag X Y Z):"]
    lines.append(" ".join("1" if here else "0" for here in seen.ravel()) + at_end)
    for axis in range(3):
        values = zip(points[..., axis].ravel().tolist(), seen.ravel().tolist(), strict=True)
        lines.append(" ".join(f"{value:.6f}" if here else NOTHING for value, here in values) + at_end)
    data = "".join(line + line_end for line in lines).encode("ascii")
    path.write_bytes(gzip.compress(data, mtime=0) if path.name.endswith(".gz") else data)


def write_ppm(path: Path, color: np.ndarray) -> None:
    """Write a binary `.ppm` picture, u1 (H, W, 3)."""
    height, width = color.shape[:2]
    path.write_bytes(b"P6\n# made for a test\n%d %d\n255\n" % (width, height) + color.tobytes())
