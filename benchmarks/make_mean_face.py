"""Make the mean face that `align_3d` aligns to: the average of synthetic people, never of anybody's scans.

    python benchmarks/make_mean_face.py                  # writes face3d_data/geometry/mean_face.npz
    python benchmarks/make_mean_face.py --check          # exit 1 where the shipped file is another

Each person's neutral skin is sampled at the same places of the face (levels from forehead to chin, angles round the
head), so that averaging blurs no feature; people are aligned to each other rigidly, keeping their size (generalised
Procrustes analysis without scale, Gower 1975), and averaged with their mirror image.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from face3d_data.digest import digest_file
from face3d_data.geometry.align import fit_rigid, transform
from face3d_data.geometry.landmarks import NOSE
from face3d_data.geometry.mean_face import MeanFace, save_mean_face
from face3d_data.geometry.sampling import sample_points
from face3d_data.synthetic.appearance import draw_appearance
from face3d_data.synthetic.head import Head, build_head
from face3d_data.synthetic.identity import draw_identity

SHIPPED = Path(__file__).parent.parent / "face3d_data" / "geometry" / "mean_face.npz"
SEED = 20260101
PEOPLE = 240
N_POINTS = 6000
RADIUS_MM = 105.0
MIRROR = np.array([-1.0, 1.0, 1.0])
MIRRORED_LANDMARKS = [1, 0, 2, 4, 3]


def face_grid(head: Head) -> np.ndarray:
    """Return a person's neutral skin at the same places of every face, f8 (rows, columns, 3), head frame, mm."""
    at = head.skull.levels
    marks = [75.0, 40.0, 13.0, -12.0, at.tip, at.subnasale, at.stomion, at.mentolabial, at.menton + 3.0]
    counts = [20, 20, 26, 16, 16, 12, 12, 16]
    pairs = zip(marks[:-1], marks[1:], counts, strict=True)
    heights = np.concatenate([np.linspace(upper, lower, n, endpoint=False) for upper, lower, n in pairs])
    skin = head.parts[0]
    columns = []
    for column in range(skin.rest.shape[1]):
        y, rest = skin.coords[:, column, 1], skin.rest[:, column]
        order = np.argsort(y, kind="stable")
        columns.append(np.stack([np.interp(heights, y[order], rest[order, axis]) for axis in range(3)], axis=-1))
    return np.stack(columns, axis=1)


def mean_of(shapes: np.ndarray, weight: np.ndarray, rounds: int = 6) -> np.ndarray:
    """Return the mean of shapes (people, N, 3) aligned to it rigidly by the points that count; first row = nose tip."""
    mean = shapes.mean(axis=0)
    for _ in range(rounds):
        aligned = [transform(shape, fit_rigid(shape[weight], mean[weight])) for shape in shapes]
        mean = np.mean(aligned, axis=0)
    return mean - mean[NOSE]


def make(people: int, seed: int) -> MeanFace:
    """Build the mean face of so many synthetic people."""
    identities = (draw_identity(seed, person) for person in range(people))
    heads = [build_head(identity, draw_appearance(identity)) for identity in identities]
    grids = [face_grid(head) for head in heads]
    shape = grids[0].shape
    shapes = np.stack([np.vstack([head.landmarks, g.reshape(-1, 3)]) for head, g in zip(heads, grids, strict=True)])
    offset = shapes.mean(axis=0) - shapes.mean(axis=0)[NOSE]
    mean = mean_of(shapes, np.linalg.norm(offset, axis=1) < 90.0)
    landmarks, grid = mean[:5], mean[5:].reshape(shape)
    landmarks = (landmarks + landmarks[MIRRORED_LANDMARKS] * MIRROR) / 2
    normals = denser(grid_normals(grid)).reshape(-1, 3)
    points, normals = denser(grid).reshape(-1, 3), normals / np.linalg.norm(normals, axis=1, keepdims=True)
    front = (np.linalg.norm(points, axis=1) < RADIUS_MM) & (normals[:, 2] > 0.05)
    points, normals = points[front], normals[front]
    points, normals = np.vstack([points, points * MIRROR]), np.vstack([normals, normals * MIRROR])
    kept = np.sort(sample_points(points.astype(np.float32), N_POINTS, "exact"))
    return MeanFace(points[kept], normals[kept], landmarks)


def denser(grid: np.ndarray, times: int = 4) -> np.ndarray:
    """Return a grid (rows, columns, 3) with columns interpolated linearly: at the cheeks they are 8 mm apart."""
    column = np.arange(0, grid.shape[1] - 1 + 1e-9, 1 / times)
    left = np.minimum(column.astype(int), grid.shape[1] - 2)
    share = (column - left)[None, :, None]
    return grid[:, left] * (1 - share) + grid[:, left + 1] * share


def grid_normals(grid: np.ndarray) -> np.ndarray:
    """Return unit normals (rows, columns, 3) of a surface given as a grid, rows downwards, columns to the right."""
    down, right = np.gradient(grid, axis=0), np.gradient(grid, axis=1)
    normals = np.cross(down, right)
    return normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)


def main() -> int:
    """Write the mean face, or compare it with the shipped one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the shipped file is another")
    options = parser.parse_args()
    face = make(options.people, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "mean_face.npz"
        save_mean_face(made, face)
        same = options.out.exists() and digest_file(made) == digest_file(options.out)
        if not options.check:
            options.out.write_bytes(made.read_bytes())
    eyes = float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))
    verdict = "as shipped" if same else "not as shipped" if options.check else f"written to {options.out.name}"
    print(f"{options.people} people, {len(face.points)} points, eyes {eyes:.1f} mm apart: {verdict}")
    return 0 if same or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
