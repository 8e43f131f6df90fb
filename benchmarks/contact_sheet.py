"""A picture of synthetic people, beside captures of a folder where one is named: to be looked at.

python benchmarks/contact_sheet.py OUT.png [--people 16] [--capture 0] [--seed 2026] [--faces] [--beside RGBD_ROOT]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from face3d_data.readers.rgbd_folder import RgbdFolder
from face3d_data.synthetic.capture import render_capture

COLUMNS = 4
CELL_PX = (400, 300)
FACE_MM = 230.0


def cell(color: np.ndarray, landmarks: np.ndarray, faces: bool) -> np.ndarray:
    """Return one picture of the sheet, u1 (300, 400, 3): the whole image, or the face scaled by the eyes' distance."""
    if not faces:
        return cv2.resize(color, CELL_PX, interpolation=cv2.INTER_AREA)
    half = 0.5 * FACE_MM / 63.0 * np.linalg.norm(landmarks[0] - landmarks[1])
    x, y = landmarks[:3].mean(axis=0)
    scale = CELL_PX[1] / (2 * half)
    move = np.array([[scale, 0, CELL_PX[0] / 2 - scale * x], [0, scale, CELL_PX[1] / 2 - scale * y]])
    return cv2.warpAffine(color, move, CELL_PX, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def sheet(cells: list[np.ndarray]) -> np.ndarray:
    """Return the cells in rows of four, the last row filled up with black."""
    cells = cells + [np.zeros_like(cells[0])] * (-len(cells) % COLUMNS)
    return np.vstack([np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)])


def synthetic_cells(people: int, capture: int, seed: int, faces: bool) -> list[np.ndarray]:
    """Return one cell a synthetic person."""
    made = [render_capture(seed, person, capture) for person in range(people)]
    return [cell(one["color"], one["landmarks"], faces) for one in made]


def folder_cells(root: Path, people: int, capture: int, faces: bool) -> list[np.ndarray]:
    """Return one cell a person of an `rgbd_folder` with landmarks."""
    reader = RgbdFolder(root=root)
    chosen = [source for source in reader.scan() if source.capture == f"capture_{capture:02d}" and not source.problem]
    return [cell(reader.load(s, "color"), reader.load(s, "landmarks"), faces) for s in chosen[:people]]


def main() -> None:
    """Parse, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--people", type=int, default=16)
    parser.add_argument("--capture", type=int, default=0)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--faces", action="store_true", help="crop to the face")
    parser.add_argument("--beside", type=Path, help="an rgbd_folder with landmarks.json, drawn to the right")
    options = parser.parse_args()
    picture = sheet(synthetic_cells(options.people, options.capture, options.seed, options.faces))
    if options.beside:
        other = sheet(folder_cells(options.beside, options.people, options.capture, options.faces))
        rows = min(len(picture), len(other))
        gap = np.full((rows, 16, 3), 255, np.uint8)
        picture = np.hstack([picture[:rows], gap, other[:rows]])
    cv2.imwrite(str(options.out), picture[..., ::-1])
    print(options.out)


if __name__ == "__main__":
    main()
