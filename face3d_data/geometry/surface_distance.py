"""Surface distance of two clouds after point-to-plane ICP, both ways: whether they are samplings of one scan.

Two figures tell. One is the difference in shape: distances are averaged over patches, which the sensor's noise and
other samplings hardly change, and what noise would give by chance is taken off. The other is the distance in units of
the clouds' own noise: clouds of two recordings lie as far apart as their noise says, samplings of one recording share
points, or are between them, and are nearer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from face3d_data.geometry.align import every_nth, motion_of
from face3d_data.geometry.face_descriptor import LEFT_MM, LOW_MM, SPAN_MM, gauss_newton
from face3d_data.geometry.nearest import NearestPoints
from face3d_data.geometry.normals import mean_and_scatter, thinnest

NEIGHBORS = 10
FIT_POINTS = 600
FIT_STEPS = 12
FIT_SCALE_MM = 2.0
STILL = np.array([3e-4] * 3 + [0.03] * 3)
"""A step with a smaller turn (rad) and shift (mm) than this ends the fit."""
REACH_MM = 8.0
BACK_MM = -70.0
PATCHES = 8
PATCH_MM = SPAN_MM / PATCHES
LEAST_IN_PATCH = 6
MARGIN_MM = 10.0
"""Points so far outside of what counts are kept, as neighbours of those inside."""
LEAST_SEEN = 0.4
"""Share of the patches in which both have to be there: fewer tell of no face."""
LEAST_NOISE_MM = 0.02
"""Noise that is taken where a cloud has less: that of points stored as float16 at 50 mm."""
MAD = 0.6745
"""Median of the distances of a normal distribution, in standard deviations."""


@dataclass(frozen=True)
class ScanSurface:
    """A cloud, and what comparing it needs.

    Attributes:
        points: f8 (N, 3), mm, laid on the mean face; N ≥ 10.
    """

    points: np.ndarray

    @cached_property
    def tree(self) -> NearestPoints:
        """The search tree over `points`."""
        return NearestPoints(self.points)

    @cached_property
    def planes(self) -> tuple[np.ndarray, np.ndarray]:
        """Unit normals f8 (N, 3) of planes through each point's neighbours, and the variance f8 (N,), mm², off them."""
        _, index = self.tree.k_nearest(self.points, min(NEIGHBORS, len(self.points)))
        vectors, values = thinnest(mean_and_scatter(self.points, index)[1])
        normals = vectors * np.where(vectors[:, 2:] < 0, -1.0, 1.0)
        freedom = max(1, index.shape[1] - 3)  # three numbers make a plane
        return normals, np.maximum(values / freedom, LEAST_NOISE_MM**2)


@dataclass(frozen=True)
class Distance:
    """How far two clouds are apart.

    Attributes:
        shape_mm: rms over patches of how far the surfaces are apart, without what noise gives; infinite where too
            little is in both.
        part_mm: the same without the tenth of the patches that are most apart: a mask's edge, a lock of hair.
        noise_ratio: median distance over what two recordings with the clouds' own noise would have.
    """

    shape_mm: float
    part_mm: float
    noise_ratio: float

    def within(self, most: Distance) -> bool:
        """Return whether no figure is larger than another's."""
        shape = self.shape_mm <= most.shape_mm and self.part_mm <= most.part_mm
        return shape and self.noise_ratio <= most.noise_ratio


def surface_of(points: np.ndarray, lowest_mm: float = LOW_MM) -> ScanSurface | None:
    """Return what counts of a cloud (N, 3), mm, laid on the mean face, and a margin; None where there is too little."""
    points = np.asarray(points, np.float64)
    x, y = points[:, 0] - LEFT_MM, points[:, 1] - LOW_MM
    near = (np.minimum(x, y) > -MARGIN_MM) & (np.maximum(x, y) < SPAN_MM + MARGIN_MM)
    kept = points[near & (points[:, 1] > lowest_mm - MARGIN_MM) & (points[:, 2] > BACK_MM)]
    return ScanSurface(kept) if len(kept) >= LEAST_IN_PATCH * PATCHES else None


def surface_distance(
    first: ScanSurface, second: ScanSurface, lowest_mm: float = LOW_MM, most: Distance | None = None
) -> Distance:
    """Return how far two clouds are apart, the larger figure of both ways.

    Chen and Medioni 1992, Object Modelling by Registration of Multiple Range Images, robust by Geman and McClure's
    weights.

    Args:
        first: a face.
        second: another.
        lowest_mm: only what is higher than this counts, in the face frame.
        most: where a figure is larger than this already, those that come after it are not measured: they are 0, or
            those of one way.
    """
    pose = _fit(first, second, lowest_mm)
    there = _measure(first, first.points @ pose[:3, :3].T + pose[:3, 3], second, lowest_mm, most)
    if most is not None and not there.within(most):
        return there
    back = np.linalg.inv(pose)
    again = _measure(second, second.points @ back[:3, :3].T + back[:3, 3], first, lowest_mm, most)
    figures = ((one.shape_mm, one.part_mm, one.noise_ratio) for one in (there, again))
    return Distance(*(max(*both) for both in zip(*figures, strict=True)))


def _fit(first: ScanSurface, second: ScanSurface, lowest_mm: float) -> np.ndarray:
    """Return the motion f8 (4, 4) of the first cloud onto the second."""
    pose = np.eye(4)
    some = every_nth(first.points[_inside(first.points, lowest_mm)], FIT_POINTS)
    for _ in range(FIT_STEPS):
        moved = some @ pose[:3, :3].T + pose[:3, 3]
        _, index = second.tree.nearest(moved, REACH_MM)
        matched = index < len(second.points)
        if matched.sum() < LEAST_IN_PATCH * PATCHES:
            return pose
        index = index[matched]
        at, normals, goal = (
            np.ascontiguousarray(rows.T) for rows in (moved[matched], second.planes[0][index], second.points[index])
        )
        distance = np.einsum("ij,ij->j", at - goal, normals)
        twist = gauss_newton(at, normals, distance, FIT_SCALE_MM)
        pose = motion_of(twist) @ pose
        if (np.abs(twist) < STILL).all():
            break
    return pose


def _inside(points: np.ndarray, lowest_mm: float) -> np.ndarray:
    """Return which points (N, 3) are in the map's square, above `lowest_mm`, and are of the face."""
    x, y = points[:, 0] - LEFT_MM, points[:, 1] - LOW_MM
    across = (x > 0) & (x < SPAN_MM) & (y > 0) & (y < SPAN_MM)
    return across & (points[:, 1] > lowest_mm) & (points[:, 2] > BACK_MM)


def _measure(
    cloud: ScanSurface, moved: np.ndarray, other: ScanSurface, lowest_mm: float, most: Distance | None
) -> Distance:
    """Return how far it is one way: from a cloud, moved onto another, to the planes of that."""
    keep = np.flatnonzero(_inside(moved, lowest_mm))
    _, index = other.tree.nearest(moved[keep], REACH_MM)
    matched = index < len(other.points)
    keep, index = keep[matched], index[matched]
    at = moved[keep]
    normals, variance = other.planes
    distance = np.einsum("ij,ij->i", at - other.points[index], normals[index])
    patch = ((at[:, :2] - [LEFT_MM, LOW_MM]) / PATCH_MM).astype(np.intp) @ [1, PATCHES]
    count = np.bincount(patch, minlength=PATCHES**2)
    full = count >= LEAST_IN_PATCH
    if full.sum() < LEAST_SEEN * PATCHES**2 * (LOW_MM + SPAN_MM - lowest_mm) / SPAN_MM:
        return Distance(np.inf, np.inf, np.inf)
    count = count[full]
    mean = np.bincount(patch, distance, PATCHES**2)[full] / count
    square = np.bincount(patch, distance**2, PATCHES**2)[full] / count
    by_chance = np.maximum(square - mean**2, 0.0) / (count - 1)
    apart = np.sort(mean**2 - by_chance)
    shape = Distance(_root_mean(apart), _root_mean(apart[: max(1, len(apart) * 9 // 10)]), 0.0)
    if most is not None and not shape.within(most):
        return shape  # most pairs end here, and are spared the planes of the cloud
    noise_mm = np.sqrt(cloud.planes[1][keep] + variance[index])
    return replace(shape, noise_ratio=float(np.median(np.abs(distance) / noise_mm)) / MAD)


def _root_mean(squares: np.ndarray) -> float:
    """Return the root of the mean of squares from which chance was taken off, 0 where more was taken than was there."""
    return float(np.sqrt(max(0.0, squares.mean())))
