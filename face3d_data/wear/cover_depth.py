"""Depth of an occluder in an image: which pixels see it, and what a depth camera would read there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.align import transform
from face3d_data.geometry.camera import Region, project
from face3d_data.geometry.reading_noise import ReadingNoise
from face3d_data.wear.cover_holes import HoleModel, lost_readings
from face3d_data.wear.occluder import Occluder, RayHits, camera_rays, rows_of

FRONT_MM = 6.0
"""What is farther than this before the occluder (a hand, a strand) stays before it."""
NEAREST_MM = 10.0

Scene = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Pixels f8 (N, 2) and depths (N,) to the depth f4 (N,) of what is seen there, infinite where that is unknown. Where
nothing is nearer than the depth given, any number that is not less than it will do."""


@dataclass(frozen=True, eq=False)
class Sight:
    """What is seen of an occluder through rays of the camera.

    Attributes:
        pixels: f8 (N, 2), px, where the rays go.
        rays: f4 (N, 6), camera frame, direction (x, y, 1): `t` of a hit is its depth.
        hits: of these rays, N of them, every one seen.
    """

    pixels: np.ndarray
    rays: np.ndarray
    hits: RayHits

    @property
    def points(self) -> np.ndarray:
        """F4 (N, 3), mm, where the occluder is met, in the frame of the rays."""
        return self.rays[:, 3:] * self.hits.t[:, None]

    def silhouette(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return bool (H, W), True at the whole pixels of this sight."""
        found = np.zeros(shape, bool)
        at = self.pixels.astype(np.intp)
        found[at[:, 1], at[:, 0]] = True
        return found

    def take(self, chosen: np.ndarray) -> Sight:
        """Return the sight by these rays, int or bool (M,)."""
        pixels, rays = rows_of(chosen, self.pixels, self.rays)
        return Sight(pixels, rays, self.hits.take(chosen))

    def joined(self, other: Sight) -> Sight:
        """Return the sight by these rays and others."""
        hits = (
            np.concatenate([getattr(part.hits, name) for part in (self, other)])
            for name in ("t", "triangle", "barycentric")
        )
        pixels, rays = (np.concatenate([getattr(part, name) for part in (self, other)]) for name in ("pixels", "rays"))
        return Sight(pixels, rays, RayHits(*hits))


def tolerance_mm(noise: ReadingNoise) -> float:
    """Return how far before the occluder a reading must lie to be something else."""
    return max(FRONT_MM, 4 * noise.sigma_mm)


def pixel_box(occluder: Occluder, intrinsics: np.ndarray, shape: tuple[int, int], to_face: np.ndarray) -> Region:
    """Return the pixels x0, y0, x1, y1 (end exclusive) among which an occluder is seen, one more on every side."""
    height, width = shape
    vertices = transform(occluder.vertices.astype(np.float64), np.linalg.inv(to_face))
    before = vertices[:, 2] > NEAREST_MM
    if not before.any():
        return 0, 0, 0, 0
    if not before.all():
        return 0, 0, width, height
    u, v = project(vertices, intrinsics).T
    x0, y0 = max(int(np.floor(u.min())) - 1, 0), max(int(np.floor(v.min())) - 1, 0)
    x1, y1 = min(int(np.ceil(u.max())) + 2, width), min(int(np.ceil(v.max())) + 2, height)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else (0, 0, 0, 0)


def see(
    occluder: Occluder,
    pixels: np.ndarray,
    scene: Scene,
    intrinsics: np.ndarray,
    to_face: np.ndarray,
    tolerance: float,
    *,
    clear: bool = False,
) -> Sight:
    """Return where rays see the occluder, nothing of the scene being in front of it.

    Args:
        occluder: the occluder.
        pixels: f8 (N, 2), px.
        scene: tells the depth of what else is seen.
        intrinsics: (4,).
        to_face: (4, 4), camera frame to face frame.
        tolerance: mm, see `tolerance_mm`.
        clear: see the parts that change colour only.
    """
    rays = camera_rays(pixels, intrinsics)
    hits = occluder.cast(rays, to_face, clear=clear)
    met = Sight(pixels, rays, hits).take(hits.found & (hits.t > NEAREST_MM))
    slack = occluder.slack(met.hits, tolerance)
    return met.take(met.hits.t <= scene(met.pixels, met.hits.t - slack) + slack)


def box_pixels(box: Region) -> np.ndarray:
    """Return the pixels f8 (N, 2) of a box, row by row."""
    x0, y0, x1, y1 = box
    pixels = np.empty((y1 - y0, x1 - x0, 2))
    pixels[..., 0], pixels[..., 1] = np.arange(x0, x1), np.arange(y0, y1)[:, None]
    return pixels.reshape(-1, 2)


def cover_depth(
    depth: np.ndarray, box: Region, sight: Sight, noise: ReadingNoise, holes: HoleModel, rng: np.random.Generator
) -> np.ndarray:
    """Return the depth image f4 (H, W) in which the pixels of a sight read the occluder, with the image's own noise.

    Args:
        depth: f4 (H, W), mm, 0 = no reading.
        box: the pixels around the occluder.
        sight: of whole pixels in the box.
        noise: of the image.
        holes: how the image loses readings.
        rng: draws noise and holes.
    """
    covered = depth.copy()
    x0, y0, x1, y1 = box
    if not len(sight.pixels):
        return covered
    rows, columns = sight.pixels[:, 1].astype(np.intp), sight.pixels[:, 0].astype(np.intp)
    field = noise.field((y1 - y0, x1 - x0), rng)[rows - y0, columns - x0]
    covered[rows, columns] = sight.hits.t
    lost = lost_readings(covered[y0:y1, x0:x1], sight.silhouette(depth.shape)[y0:y1, x0:x1], holes, rng)
    readings = noise.readings(sight.hits.t, field)
    readings[lost[rows - y0, columns - x0]] = 0
    covered[rows, columns] = readings
    return covered
