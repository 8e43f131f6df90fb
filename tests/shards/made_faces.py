"""Scans of synthetic people in the face frame, made without rendering, and datasets of them."""

from functools import cache

import numpy as np
from made import MemoryPlace, build, manifest, spec_of
from scipy.spatial.transform import Rotation

from face3d_data.geometry.align import fit_rigid, refine, transform
from face3d_data.geometry.mean_face import mean_face
from face3d_data.synthetic.appearance import draw_appearance
from face3d_data.synthetic.head import build_head
from face3d_data.synthetic.identity import draw_identity

N_POINTS = 1500


@cache
def scan(person, capture=0, noise_mm=0.5):
    """A neutral scan, f4 (N, 3) of about 5,000 points in the face frame; captures differ in points and noise."""
    identity = draw_identity(71, person)
    head = build_head(identity, draw_appearance(identity), 0.6)
    part, rng = head.parts[0], np.random.default_rng([person, capture])
    grid = part.rest
    weight = np.clip(2 * part.front[:-1, :-1], 0, 1)
    area = weight * np.linalg.norm(np.cross(grid[1:, :-1] - grid[:-1, :-1], grid[:-1, 1:] - grid[:-1, :-1]), axis=-1)
    row, column = np.divmod(rng.choice(area.size, 6000, p=(area / area.sum()).ravel()), area.shape[1])
    u, v = rng.random((2, 6000, 1))
    left = grid[row, column] * (1 - u) + grid[row + 1, column] * u
    points = left * (1 - v) + (grid[row, column + 1] * (1 - u) + grid[row + 1, column + 1] * u) * v
    points += noise_mm * rng.standard_normal(points.shape)
    face = mean_face()
    moved = transform(points, refine(points, face, fit_rigid(head.landmarks, face.landmarks)))
    return moved[np.linalg.norm(moved, axis=1) < 85].astype("f4")


def sampled(points, seed=0, n_points=N_POINTS):
    """So many of the points."""
    return np.ascontiguousarray(points[np.random.default_rng(seed).permutation(len(points))[:n_points]])


def turned(points, degrees=5.0, seed=0):
    """The points turned and shifted a little."""
    rng = np.random.default_rng(seed)
    turn = Rotation.from_euler("xyz", rng.uniform(-degrees, degrees, 3), degrees=True).as_matrix()
    return (points @ turn.T + rng.uniform(-2, 2, 3)).astype("f4")


def masked(points):
    """The points with a shell before mouth and nose."""
    x, y, z = points.T
    shell = 12 - 0.012 * x**2 - 0.004 * (y + 25) ** 2
    worn = (y < 12) & (y > -75) & (np.abs(x) < 55)
    return np.column_stack([x, y, np.where(worn, np.maximum(z, shell), z)]).astype("f4")


def dataset_of(folder, clouds, spec=None, **more):
    """Publish clouds, `{(split, person, capture): points}`; ids are `d/<person>/<capture>`.

    Args:
        folder: where to.
        clouds: f4 (N, 3) each, of one N.
        spec: the dataset's spec.
        more: other arrays of every sample.
    """
    frame = manifest(n_people=len(clouds), n_captures=1)
    keys = list(clouds)
    for name, values in {
        "split": [split for split, _, _ in keys],
        "identity": [f"d/{person}" for _, person, _ in keys],
        "id": [f"d/{person}/{capture}" for _, person, capture in keys],
    }.items():
        frame[name] = np.array(values, object)
    frame["origin_id"] = frame["id"]
    frame["n_points"] = len(next(iter(clouds.values())))
    frame["place"] = [
        MemoryPlace({"points": cloud, **{name: found[key] for name, found in more.items()}}, ("part", number))
        for number, (key, cloud) in enumerate(clouds.items())
    ]
    return build(folder, frame, spec or spec_of())
