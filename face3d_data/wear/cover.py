"""Cover of a face: one occluder put consistently into a sample's depth, colour and points."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from face3d_data.geometry.align import rotate, rotation_of, transform
from face3d_data.geometry.camera import Region
from face3d_data.wear.cover_color import cover_color, shaded
from face3d_data.wear.cover_depth import Sight, box_pixels, cover_depth, pixel_box
from face3d_data.wear.cover_points import NewPoints, cover_points, sight_normals
from face3d_data.wear.cover_view import View
from face3d_data.wear.light import bent, to_display
from face3d_data.wear.nearest_surface import nearest_surface
from face3d_data.wear.occluder import Occluder

MANY_PIXELS = 50_000

__all__ = ["Covered", "View", "cover"]


@dataclass(frozen=True, eq=False)
class Covered:
    """What `cover` makes of a view: each array None where the view had none, `occlusion` with all points.

    Attributes:
        kept: int (K,), the view's points that stayed, bit-identical: the first K of `points`.
        silhouette: bool (H, W), the pixels whose centre sees the occluder, parts that change colour only too.
    """

    color: np.ndarray | None = None
    depth: np.ndarray | None = None
    points: np.ndarray | None = None
    normals: np.ndarray | None = None
    point_colors: np.ndarray | None = None
    occlusion: np.ndarray | None = None
    kept: np.ndarray | None = None
    silhouette: np.ndarray | None = None


def cover(view: View, occluder: Occluder, rng: np.random.Generator, *, softening_px: float = 1.5) -> Covered:
    """Put an occluder into a view.

    Args:
        view: the face.
        occluder: what covers it, face frame.
        rng: draws the noise of depth, colour and points.
        softening_px: colour is changed no farther than this from the silhouette.

    Returns:
        The covered arrays; those of the view where nothing of the occluder is seen.
    """
    covered, sight = _cover_images(view, occluder, rng, softening_px)
    return covered if view.points is None else _cover_cloud(view, view.points, covered, sight, occluder, rng)


def _cover_images(
    view: View, occluder: Occluder, rng: np.random.Generator, softening_px: float
) -> tuple[Covered, Sight | None]:
    if view.shape is None or view.intrinsics is None:
        return Covered(), None
    box = pixel_box(occluder, view.intrinsics, view.shape, view.to_face)
    pixels = _touched_pixels(view, occluder, box)
    sight = view.see(occluder, pixels)
    depth = None if view.depth is None else cover_depth(view.depth, box, sight, view.noise, view.holes, rng)
    silhouette, color = sight.silhouette(view.shape), view.color
    if color is not None:
        color = cover_color(view, color, occluder, box, sight, softening_px, rng)
    if occluder.has_clear:
        # What changes colour only lies over the rest: a lens before its own rim.
        lens = view.see(occluder, pixels, clear=True)
        silhouette |= lens.silhouette(view.shape)
        if color is not None:
            color = cover_color(view, color, occluder, box, lens, softening_px, rng, clear=True)
    return Covered(color=color, depth=depth, silhouette=silhouette), sight


def _touched_pixels(view: View, occluder: Occluder, box: Region) -> np.ndarray:
    """Return the pixels f8 (N, 2) of a box that may see an occluder; all where they are too few to ask."""
    pixels = box_pixels(box)
    if len(pixels) <= MANY_PIXELS or view.intrinsics is None:
        return pixels
    seen = transform(occluder.vertices.astype(np.float64), np.linalg.inv(view.to_face))
    cells = nearest_surface(seen, occluder.triangles, view.intrinsics, box)
    return pixels if cells is None else pixels[np.isfinite(cells.at(pixels))]


def _cover_cloud(
    view: View, before: np.ndarray, images: Covered, sight: Sight | None, occluder: Occluder, rng: np.random.Generator
) -> Covered:
    read = None
    if images.depth is not None and sight is not None:
        # What the occluder reads, and nothing else.
        read = np.where(sight.silhouette(images.depth.shape), images.depth, 0)
    new = cover_points(view, sight, read, occluder, rng)
    pose = np.eye(4) if view.pose is None else view.pose
    kept, n_new = new.kept, len(new.points)
    old = np.zeros(len(before), np.uint8) if view.occlusion is None else view.occlusion
    points = transform(new.points + view.screen.offset, pose).astype(np.float32)
    arrays = {
        "points": np.concatenate([before[kept], points]),
        "occlusion": np.concatenate([old[kept], np.full(n_new, occluder.label, np.uint8)]),
    }
    if view.normals is not None:
        normals = rotate(sight_normals(view.screen, new.sight, occluder), rotation_of(pose)).astype(np.float32)
        arrays["normals"] = np.concatenate([view.normals[kept], normals])
    if view.point_colors is not None:
        colors = _point_colors(view, images.color, new, occluder)
        arrays["point_colors"] = np.concatenate([view.point_colors[kept], colors])
    return replace(images, kept=kept, **arrays)


def _point_colors(view: View, color: np.ndarray | None, new: NewPoints, occluder: Occluder) -> np.ndarray:
    """Return colours u1 (M, 3) of new points: of their pixels in the covered image, or shaded as those are."""
    if color is not None:
        u, v = np.rint(new.sight.pixels).astype(np.intp).T
        return color[np.clip(v, 0, color.shape[0] - 1), np.clip(u, 0, color.shape[1] - 1)]
    light, _ = shaded(occluder, new.sight, view.screen.to_face, view.light)
    return np.rint(to_display(bent(light))).astype(np.uint8)
