"""Spacing of a cloud's points, and their noise along the viewing rays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.nearest import NearestPoints

SAMPLE = 700
"""Points in the middle of the face by which a cloud is judged."""
REGULAR = 0.05
"""Less variation of the distances to the nearest neighbour than this is a grid."""
EVEN = 0.8
"""Where distances in space vary less than this share of those in the image, the points are evenly spaced in space."""
FIT_RADIUS_MM = 5.0
FIT_NEIGHBOURS = (12, 30)
"""Noise is measured from surfaces through the points within that radius, at least and at most this many."""


@dataclass(frozen=True)
class Spacing:
    """Spacing of a cloud's points in the middle of the face.

    Attributes:
        space_mm: median distance to the nearest neighbour.
        screen: median distance to the nearest neighbour as seen, in units of the places.
        on_grid: the points are a grid as seen.
        even: they are spread evenly in space rather than as seen.
        density: points a mm² of surface.
        noise_mm: standard deviation of the depth about smooth surfaces.
    """

    space_mm: float
    screen: float
    on_grid: bool
    even: bool
    density: float
    noise_mm: float


def finite(points: np.ndarray) -> np.ndarray:
    """Return int (M,), the points (N, 3) without NaN and infinity; ten times as fast as asking for each axis."""
    with np.errstate(invalid="ignore"):
        return np.flatnonzero(np.isfinite(points @ np.ones(3)))


def nearest_point(squared: np.ndarray) -> np.ndarray:
    """Return the indices of the smallest of squared distances (N,), `SAMPLE` of them at most."""
    if len(squared) <= SAMPLE:
        return np.arange(len(squared))
    return np.sort(np.argpartition(squared, SAMPLE)[:SAMPLE])


def measure_spacing(points: np.ndarray, places: np.ndarray, *, with_noise: bool = True) -> Spacing | None:
    """Measure the spacing of points.

    Args:
        points: f8 (N, 3), mm, of one patch, in the frame of a camera.
        places: f8 (N, 2), where it sees them.
        with_noise: judge the noise too.

    Returns:
        The spacing; None where the points are too few, or many of them at one place.
    """
    if len(points) < 4:
        return None
    in_space = NearestPoints(points).k_nearest(points, 2)[0][:, 1]
    flat = np.column_stack([places, np.zeros(len(places))])
    seen = NearestPoints(flat)
    on_screen = seen.k_nearest(flat, 2)[0][:, 1]
    space, screen = float(np.median(in_space)), float(np.median(on_screen))
    if space <= 0 or screen <= 0:
        # A padded cloud holds its points many times.
        first = np.sort(np.unique(points, axis=0, return_index=True)[1])
        return (
            measure_spacing(points[first], places[first], with_noise=with_noise) if len(first) < len(points) else None
        )
    varied, varied_screen = in_space.std() / in_space.mean(), on_screen.std() / on_screen.mean()
    reach = 4 * space
    some = points[:: max(1, len(points) // 100)]
    counts = (sum((one[:, None] - other) ** 2 for one, other in zip(some.T, points.T, strict=True)) <= reach**2).sum(
        axis=1
    )
    density = float(np.median(counts)) / (np.pi * reach**2)
    return Spacing(
        space,
        screen,
        on_grid=bool(varied_screen < REGULAR),
        even=bool(varied < EVEN * varied_screen),
        density=density,
        noise_mm=_noise_of_depth(points[:, 2], seen, density) if with_noise else 0.0,
    )


def _noise_of_depth(z_mm: np.ndarray, seen: NearestPoints, density: float) -> float:
    """Return the standard deviation of depths about quadratic surfaces through neighbours, the median over a patch."""
    places = seen.points
    k = min(int(np.clip(density * np.pi * FIT_RADIUS_MM**2, *FIT_NEIGHBOURS)), len(places))
    if k < 10:
        return 0.0
    some = places[:: max(1, len(places) // 60)]
    _, index = seen.k_nearest(some, k)
    offset = places[index, :2] - some[:, None, :2]
    offset /= np.maximum(np.abs(offset).max(axis=(1, 2), keepdims=True), 1e-9)
    x, y = offset[..., 0], offset[..., 1]
    design = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    z = z_mm[index]
    z = z - z.mean(axis=1, keepdims=True)
    # A little ridge, as neighbours on a line fit in many ways.
    gram = np.einsum("nki,nkj->nij", design, design) + 1e-6 * np.eye(6)
    fitted = np.linalg.solve(gram, np.einsum("nki,nk->ni", design, z)[..., None])
    residual = z - (design @ fitted)[..., 0]
    return float(np.sqrt(np.median((residual**2).sum(axis=1) / (k - 6))))
