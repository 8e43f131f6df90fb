"""Make the mean head that masks and other occluders are fitted over: the average of synthetic people, not of scans.

    python benchmarks/make_mean_head.py                  # writes face3d_data/wear/mean_head.npz
    python benchmarks/make_mean_head.py --check          # exit 1 where the shipped file is another

The people are those of the mean face. Each one's neutral bald head is aligned to the mean face rigidly, keeping its
size; its distances from the map's centre are measured by ray casting, and averaged with those of its mirror image.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from face3d_data.digest import digest_file
from face3d_data.geometry.align import fit_rigid, refine, transform
from face3d_data.geometry.mean_face import mean_face
from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.synthetic.appearance import draw_appearance
from face3d_data.synthetic.head import Head, build_head
from face3d_data.synthetic.identity import draw_identity
from face3d_data.wear.head_map import CENTRE, MeanHead, grid_directions, roll_up, sample_map, save_mean_head, unroll

SHIPPED = Path(__file__).parent.parent / "face3d_data" / "geometry" / "mean_head.npz"
SEED = 20260101
PEOPLE = 240
NECK_MM = 42.0
"""Below the menton: from here down the neck goes on as it is, instead of widening into the shoulders."""
FLOOR_Y_MM = -150.0
"""Height at which the neck ends, face frame: rays that go down inside the neck end here."""
NEAR_MM = 85.0


def make(people: int, seed: int) -> MeanHead:
    """Build the mean head of so many synthetic people."""
    radii, marks = [], []
    for person in range(people):
        identity = draw_identity(seed, person)
        head = build_head(identity, draw_appearance(identity))
        pose = align(head)
        radii.append(radius_of(head, pose))
        marks.append(transform(chin_points(head), pose))
    radius = np.mean(radii, axis=0)
    radius = under_floor((radius + radius[:, ::-1]) / 2).astype(np.float32)
    chin, menton = on_map(radius, np.mean(marks, axis=0) * [0.0, 1.0, 1.0])
    return MeanHead(radius, mean_face().landmarks, chin, menton)


def align(head: Head) -> np.ndarray:
    """Return the rigid motion (4, 4) that brings a person's head onto the mean face."""
    pose = fit_rigid(head.landmarks, mean_face().landmarks)
    skin = head.parts[0]
    points = skin.rest[skin.front > 0]
    near = np.linalg.norm(transform(points, pose), axis=1) < NEAR_MM
    return refine(points[near], mean_face(), pose)


def radius_of(head: Head, pose: np.ndarray) -> np.ndarray:
    """Return a person's distances (151, 161) from the centre, mm; where the head is open, its greatest distance."""
    skin = head.parts[0].rest.copy()
    row = int(np.argmax(skin[:, middle_column(head), 1] < head.skull.levels.menton - NECK_MM))
    skin[row:, :, ::2] = skin[row, :, ::2]
    vertices = transform(skin.reshape(-1, 3), pose).astype(np.float32)
    triangles = head.triangles[(head.triangles < len(vertices)).all(axis=1)]
    scene = open3d().t.geometry.RaycastingScene(nthreads=1)
    core = open3d().core
    scene.add_triangles(core.Tensor(vertices), core.Tensor(np.ascontiguousarray(triangles)))
    toward = grid_directions()
    rays = np.concatenate([np.broadcast_to(CENTRE.astype(np.float32), toward.shape), toward], axis=-1)
    distance = scene.cast_rays(core.Tensor(rays), nthreads=1)["t_hit"].numpy().astype(np.float64)
    return under_floor(np.minimum(distance, 1000.0))


def under_floor(radius: np.ndarray) -> np.ndarray:
    """Return distances smoothly kept above a floor below the neck: a minimum as the norm of order -12."""
    down = np.maximum(-grid_directions()[..., 1].astype(np.float64), 1e-3)
    floor = (CENTRE[1] - FLOOR_Y_MM) / down
    return (radius**-12.0 + floor**-12.0) ** (-1 / 12)


def chin_points(head: Head) -> np.ndarray:
    """Return a person's pogonion and menton (2, 3), on the skin's midline, head frame, mm."""
    skin, levels = head.parts[0], head.skull.levels
    y, rest = (grid[::-1, middle_column(head)] for grid in (skin.coords[..., 1], skin.rest))
    heights = [levels.pogonion, levels.menton]
    return np.stack([np.interp(heights, y, rest[:, axis]) for axis in range(3)], axis=-1)


def middle_column(head: Head) -> int:
    """Return the column of the skin's grid that runs down the middle of the face."""
    skin = head.parts[0]
    return int(np.argmin(np.where(skin.front.any(axis=0), np.abs(skin.coords[0, :, 0]), np.inf)))


def on_map(radius: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points (N, 3) moved along their rays onto a radius map."""
    plane, _ = unroll(points)
    return roll_up(plane, sample_map(radius, plane))


def main() -> int:
    """Write the mean head, or compare it with the shipped one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the shipped file is another")
    options = parser.parse_args()
    head = make(options.people, options.seed)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "mean_head.npz"
        save_mean_head(made, head)
        same = options.out.exists() and digest_file(made) == digest_file(options.out)
        if not options.check:
            options.out.write_bytes(made.read_bytes())
    verdict = "as shipped" if same else "not as shipped" if options.check else f"written to {options.out.name}"
    print(f"{options.people} people, {head.radius.min():.0f} to {head.radius.max():.0f} mm from the centre: {verdict}")
    return 0 if same or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
