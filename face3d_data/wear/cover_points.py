"""Points of an occluder in a cloud: hidden points are removed, its own are added with the same density and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from face3d_data.geometry.align import every_nth, rotate, transform
from face3d_data.geometry.camera import Region
from face3d_data.geometry.farthest import fast_farthest
from face3d_data.geometry.nearest import NearestPoints
from face3d_data.wear.cover_depth import Sight, pixel_box, see, tolerance_mm
from face3d_data.wear.cover_gaps import gap_places, nearest_depth
from face3d_data.wear.cover_screen import Screen
from face3d_data.wear.cover_view import View
from face3d_data.wear.occluder import Occluder, camera_rays

APART = 0.75
"""New points are no nearer to old ones than this share of the spacing, where points are spread evenly in space."""
FLATTEST_COS = 0.2
MOST_NEW = 2
"""Most new points, as a multiple of the cloud's own: points on a line, or in clumps, are denser than any surface."""


@dataclass(frozen=True, eq=False)
class NewPoints:
    """What becomes of a cloud.

    Attributes:
        kept: int (K,), indices of the points that stay as they are, in order.
        sight: the occluder as the screen sees it at the M new points.
        points: f8 (M, 3), mm, in the frame of the screen's camera: the new points.
    """

    kept: np.ndarray
    sight: Sight
    points: np.ndarray


def cover_points(
    view: View, sight: Sight | None, depth: np.ndarray | None, occluder: Occluder, rng: np.random.Generator
) -> NewPoints:
    """Return which points stay and which come.

    Points go along their rays to the occluder, so that it is sampled as the scene was; where the rays leave gaps on
    it, points come between. A cloud that was spread evenly in space is spread so again.

    Args:
        view: the view, with points.
        sight: the occluder as seen by the view's pixels; None without images.
        depth: f4 (H, W), the view's depth with the occluder in it.
        occluder: the occluder.
        rng: draws noise.
    """
    screen = view.screen
    box = pixel_box(occluder, screen.intrinsics, screen.shape, screen.to_face)
    hidden, moved = _hidden(view, screen, occluder, box)
    kept = np.delete(np.arange(len(screen.points)), screen.usable[hidden])
    if screen.spacing is None:
        return _placed(screen, kept, moved, depth, rng)
    if sight is None:
        sight = moved.joined(_look_between(view, screen, occluder, box))
    if screen.spacing.even and depth is not None:
        return _spread_evenly(screen, _placed(screen, kept, sight, depth, rng), occluder)
    if screen.spacing.even:
        # The farthest of noisy points would be the noisiest: the noise measured is that of points chosen already.
        even = _spread_evenly(screen, NewPoints(kept, sight, sight.points.astype(np.float64)), occluder)
        return _placed(screen, kept, even.sight, None, rng)
    gaps = sight.take(every_nth(gap_places(screen, sight), _most_new(screen) - len(moved.pixels)))
    return _placed(screen, kept, moved.joined(gaps.take(_within_reach(screen, gaps.points))), depth, rng)


def _hidden(view: View, screen: Screen, occluder: Occluder, box: Region) -> tuple[np.ndarray, Sight]:
    """Return int (M,) which of the usable points are hidden, and the occluder where it hides them."""
    x0, y0, x1, y1 = box
    u, v = screen.places.T
    near = np.flatnonzero((u > x0 - 1) & (u < x1) & (v > y0 - 1) & (v < y1))
    rays = camera_rays(screen.places[near], screen.intrinsics)
    hits = occluder.cast(rays, screen.to_face)
    z = screen.points[screen.usable[near], 2]
    hidden = np.flatnonzero(hits.found & (hits.t <= z + occluder.slack(hits, tolerance_mm(view.noise))))
    return near[hidden], Sight(screen.places[near[hidden]], rays[hidden], hits.take(hidden))


def _look_between(view: View, screen: Screen, occluder: Occluder, box: Region) -> Sight:
    """Return the occluder as seen by the pixels of a screen without images in which the cloud has no point."""
    depth, empty = nearest_depth(screen, box)
    pixels = np.argwhere(empty)[:, ::-1].astype(np.float64) + np.array(box[:2])

    def scene(pixels: np.ndarray, _: np.ndarray) -> np.ndarray:
        at = pixels.astype(np.intp) - box[:2]
        return depth[at[:, 1], at[:, 0]]

    sight = see(occluder, pixels, scene, screen.intrinsics, screen.to_face, tolerance_mm(view.noise))
    sight = sight.take(_within_reach(screen, sight.points))
    unknown = np.flatnonzero(np.isinf(scene(sight.pixels, sight.hits.t)))
    if view.surface is None or not len(unknown):
        return sight
    behind = sight.hits.t[unknown] > view.surface.cast(sight.rays[unknown], screen.to_face).t + tolerance_mm(view.noise)
    return sight.take(np.delete(np.arange(len(sight.pixels)), unknown[behind]))


def _most_new(screen: Screen) -> int:
    return MOST_NEW * len(screen.usable)


def _within_reach(screen: Screen, points: np.ndarray) -> np.ndarray:
    """Return bool (N,): whether points lie no farther out than the cloud does, which may have been cropped."""
    return np.asarray(np.linalg.norm(transform(points, screen.to_face), axis=1) <= screen.reach_mm)


def _placed(
    screen: Screen, kept: np.ndarray, sight: Sight, depth: np.ndarray | None, rng: np.random.Generator
) -> NewPoints:
    """Put a point where each ray of a sight meets the occluder, as read by the depth image or with noise."""
    if depth is None:
        noise = 0.0 if screen.spacing is None else screen.spacing.noise_mm
        z = sight.hits.t + noise * rng.standard_normal(len(sight.pixels))
    else:
        u, v = np.rint(sight.pixels).astype(np.intp).T
        inside = (u >= 0) & (v >= 0) & (u < depth.shape[1]) & (v < depth.shape[0])
        z = np.zeros(len(u))
        z[inside] = depth[v[inside], u[inside]]
        sight, z = sight.take(z > 0), z[z > 0]
    return NewPoints(kept, sight, sight.rays[:, 3:] * z[:, None])


def _spread_evenly(screen: Screen, new: NewPoints, occluder: Occluder) -> NewPoints:
    """Keep as many new points, the farthest from each other, as the cloud had on the same area of surface."""
    spacing = screen.spacing
    chosen = _within_reach(screen, new.points)
    if spacing is None or not chosen.any():
        return NewPoints(new.kept, new.sight.take(chosen), new.points[chosen])
    old = screen.points[np.intersect1d(new.kept, screen.usable)]
    if len(old):
        apart = APART * spacing.space_mm
        chosen &= ~np.isfinite(NearestPoints(old).nearest(new.points, apart)[0])
    sight, points = new.sight.take(chosen), new.points[chosen]
    facing = np.abs(np.einsum("ni,ni->n", sight_normals(screen, sight, occluder), sight.rays[:, 3:]))
    area_mm2 = points[:, 2] ** 2 / np.maximum(facing, FLATTEST_COS) / np.prod(screen.intrinsics[:2])
    n_points = min(int(np.rint(area_mm2.sum() * spacing.density)), _most_new(screen))
    if n_points < len(points):
        some = np.sort(fast_farthest(points.astype(np.float32), n_points)) if n_points else np.empty(0, np.intp)
        sight, points = sight.take(some), points[some]
    return NewPoints(new.kept, sight, points)


def sight_normals(screen: Screen, sight: Sight, occluder: Occluder) -> np.ndarray:
    """Return the occluder's unit normals (N, 3) where a sight meets it, in the frame of the screen."""
    normals = rotate(occluder.at(sight.hits, sight.rays, screen.to_face).normals, screen.to_face.T)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
