"""Occluders: surfaces worn on a face or held before it, and the rays that meet them.

Rays may be given in any frame together with the rigid transform from it to the face frame: the scene for ray casting is
built once per occluder, whatever the viewpoint. The parameter of a hit along its ray is the same in every frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from face3d_data.geometry.open3d_lazy import open3d

Paint = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Part u1 (N,) and surface coordinates f4 (N, 2) in mm to albedo f4 (N, 3), linear light 0..1."""

THIN_SHARE = 1 / 3
"""A strand over a strap is nearer to it than a hand before a mask is."""

SOLID_OPACITY = 0.5
"""A part that lets more than half of the light through is no surface to a depth camera: it changes colour only."""


@dataclass(frozen=True, eq=False)
class RayHits:
    """Where rays meet an occluder first.

    Attributes:
        t: f4 (N,), ray parameter: origin + t · direction is the place; infinite where nothing is met. For rays of
            direction (x, y, 1) in the camera frame it is the depth in mm.
        triangle: i8 (N,), the triangle met; -1 where none.
        barycentric: f4 (N, 2), weights of the triangle's second and third corner.
    """

    t: np.ndarray
    triangle: np.ndarray
    barycentric: np.ndarray

    @property
    def found(self) -> np.ndarray:
        """Bool (N,), True where the occluder is met."""
        return self.triangle >= 0

    def take(self, chosen: np.ndarray) -> RayHits:
        """Return the hits of these rays, int or bool (M,), in this order."""
        return RayHits(*rows_of(chosen, self.t, self.triangle, self.barycentric))


@dataclass(frozen=True, eq=False)
class OccluderSurface:
    """What an occluder is at places hit.

    Attributes:
        normals: f4 (N, 3), unit, face frame, on the side that faces the ray's origin.
        part: u1 (N,).
        coords: f4 (N, 2), mm.
    """

    normals: np.ndarray
    part: np.ndarray
    coords: np.ndarray


@dataclass(frozen=True, eq=False)
class Occluder:
    """A surface worn on, or held before, a face. The mesh need not be closed: single sheets are fine.

    Attributes:
        vertices: f4 (V, 3), mm, face frame.
        normals: f4 (V, 3), unit, outwards; may carry relief that is finer than the mesh.
        triangles: u4 (T, 3).
        coords: f4 (V, 2), surface coordinates handed to `paint`, mm.
        part: u1 (T,), the part each triangle belongs to: 0 the main one, others straps, valve, lens …
        paint: see `Paint`.
        label: what covered points get in `occlusion`: 1 face mask, 2 other occluder.
        see_through: opacity of parts 0, 1, …; parts beyond its end are opaque. A part below 0.5 changes colour only,
            neither depth nor points.
        thin: parts that lie close on the skin, as straps do, and go under hair.
    """

    vertices: np.ndarray
    normals: np.ndarray
    triangles: np.ndarray
    coords: np.ndarray
    part: np.ndarray
    paint: Paint
    label: int
    see_through: tuple[float, ...] = ()
    thin: tuple[int, ...] = ()

    @cached_property
    def opacity(self) -> np.ndarray:
        """F4 (P,), the opacity of every part."""
        parts = max(int(self.part.max(initial=0)) + 1, len(self.see_through))
        opacity = np.ones(parts, np.float32)
        opacity[: len(self.see_through)] = self.see_through
        return opacity

    def slack(self, hits: RayHits, tolerance: float) -> np.ndarray | float:
        """Return how far before each hit (N,), all found, something must lie to be in front of the occluder, mm.

        Args:
            hits: of rays in any frame of unit scale.
            tolerance: mm, for parts that are not thin.
        """
        if not self.thin:
            return tolerance
        return np.where(np.isin(self.part[hits.triangle], self.thin), THIN_SHARE * tolerance, tolerance)

    @cached_property
    def has_clear(self) -> bool:
        """Whether some part changes colour only."""
        return bool((~self._solid).any())

    def cast(self, rays: np.ndarray, motion: np.ndarray | None = None, *, clear: bool = False) -> RayHits:
        """Cast rays at the occluder.

        Args:
            rays: f4 (N, 6), origin in mm and direction of any length.
            motion: (4, 4), from the frame of the rays to the face frame, rigid or with one scale; None: the same.
            clear: meet the parts that change colour only, instead of the solid ones.

        Returns:
            The first hit of each ray; both sides of a triangle count.

        Raises:
            MissingDependency: Open3D cannot be loaded.
        """
        chosen = np.flatnonzero(~self._solid if clear else self._solid)
        if not len(chosen) or not len(rays):
            return _no_hits(len(rays))
        scene = self._clear_scene if clear else self._solid_scene
        answer = scene.cast_rays(open3d().core.Tensor(_moved_rays(rays, motion)), nthreads=1)
        t, found = answer["t_hit"].numpy(), answer["primitive_ids"].numpy()
        triangle = np.where(np.isfinite(t), chosen[np.minimum(found, len(chosen) - 1)], -1)
        return RayHits(t, triangle, answer["primitive_uvs"].numpy())

    def at(self, hits: RayHits, rays: np.ndarray, motion: np.ndarray | None = None) -> OccluderSurface:
        """Return what the occluder is at these hits, all of which must be found.

        Args:
            hits: of `rays`, N of them.
            rays: f4 (N, 6), as cast.
            motion: as for `cast`.
        """
        # Columns apart: several times as fast as rows of three or five.
        u, v = np.ascontiguousarray(hits.barycentric.T)
        corners = [np.take(corner, hits.triangle) for corner in self._corners]
        blended = np.empty((5, len(u)), np.float32)
        for value, out in zip(self._values, blended, strict=True):
            np.multiply(1 - u - v, np.take(value, corners[0]), out=out)
            out += u * np.take(value, corners[1])
            out += v * np.take(value, corners[2])
        x, y, z = blended[:3]
        length = np.maximum(np.sqrt(x * x + y * y + z * z), np.float32(1e-6))
        # The triangle's own side decides: fine relief near the outline may lean away from a viewer who sees its front.
        toward = _turned(rays[:, 3:], motion)
        away = sum(np.take(side, hits.triangle) * toward[:, i] for i, side in enumerate(self._outwards))
        length[away > 0] *= -1
        normals = np.stack([x / length, y / length, z / length], axis=1)
        return OccluderSurface(normals, np.take(self.part, hits.triangle), np.stack([*blended[3:]], axis=1))

    @cached_property
    def _solid(self) -> np.ndarray:
        """Bool (T,), the triangles that a depth camera sees."""
        return self.opacity[self.part] >= SOLID_OPACITY

    @cached_property
    def _corners(self) -> np.ndarray:
        """Int (3, T), the triangles' corners."""
        return np.ascontiguousarray(self.triangles.T.astype(np.intp))

    @cached_property
    def _values(self) -> np.ndarray:
        """F4 (5, V), normals and coordinates."""
        return np.ascontiguousarray(np.column_stack([self.normals, self.coords]).T, np.float32)

    @cached_property
    def _outwards(self) -> np.ndarray:
        """F4 (3, T), the triangles' own normals, on the side of their corners'; of any length."""
        # Coordinates apart: twice as fast as (T, 3) vectors.
        places, normals = (np.ascontiguousarray(array.T) for array in (self.vertices, self.normals))
        corners = self._corners
        first, along, across = (places[:, corner] for corner in corners)
        along -= first
        across -= first
        outwards = np.stack([along[i - 2] * across[i - 1] - along[i - 1] * across[i - 2] for i in range(3)])
        of_corners = normals[:, corners[0]] + normals[:, corners[1]] + normals[:, corners[2]]
        return outwards * np.sign((outwards * of_corners).sum(axis=0))

    @cached_property
    def _solid_scene(self) -> Any:
        return _scene(self.vertices, self.triangles[self._solid])

    @cached_property
    def _clear_scene(self) -> Any:
        return _scene(self.vertices, self.triangles[~self._solid])


def rows_of(chosen: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
    """Return these rows, int or bool (M,), of each array; `take` is several times as fast as an index."""
    index = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
    return [np.take(array, index, axis=0) for array in arrays]


def join_occluders(occluders: Sequence[Occluder]) -> Occluder:
    """Return one occluder of several with one label; parts are counted on from one to the next.

    Raises:
        ValueError: there are none, or their labels differ.
    """
    if not occluders or len({occluder.label for occluder in occluders}) > 1:
        raise ValueError("join needs one or more occluders of one label")
    if len(occluders) == 1:
        return occluders[0]
    first_vertex = np.cumsum([0, *(len(occluder.vertices) for occluder in occluders)])
    first_part = np.cumsum([0, *(len(occluder.opacity) for occluder in occluders)])
    paints = tuple(occluder.paint for occluder in occluders)

    def paint(part: np.ndarray, coords: np.ndarray) -> np.ndarray:
        albedo = np.empty((len(part), 3), np.float32)
        for start, end, own in zip(first_part, first_part[1:], paints, strict=False):
            mine = (part >= start) & (part < end)
            albedo[mine] = own((part[mine] - start).astype(np.uint8), coords[mine])
        return albedo

    shifted = zip(occluders, first_vertex, first_part, strict=False)
    triangles, part = zip(*((o.triangles + np.uint32(v), o.part + np.uint8(p)) for o, v, p in shifted), strict=True)
    return replace(
        occluders[0],
        vertices=np.concatenate([occluder.vertices for occluder in occluders]),
        normals=np.concatenate([occluder.normals for occluder in occluders]),
        coords=np.concatenate([occluder.coords for occluder in occluders]),
        triangles=np.concatenate(triangles),
        part=np.concatenate(part),
        paint=paint,
        thin=tuple(int(part + first) for o, first in zip(occluders, first_part, strict=False) for part in o.thin),
        see_through=tuple(float(share) for occluder in occluders for share in occluder.opacity),
    )


def camera_rays(pixels: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Return camera rays f4 (N, 6) through pixels (N, 2), direction (x, y, 1): `t` of a hit is its depth in mm."""
    fx, fy, cx, cy = np.asarray(intrinsics, np.float64)
    rays = np.zeros((len(pixels), 6), np.float32)
    rays[:, 3] = (pixels[:, 0] - cx) / fx
    rays[:, 4] = (pixels[:, 1] - cy) / fy
    rays[:, 5] = 1.0
    return rays


def _moved_rays(rays: np.ndarray, motion: np.ndarray | None) -> np.ndarray:
    if motion is None:
        return np.ascontiguousarray(rays, np.float32)
    moved = np.empty(rays.shape, np.float32)
    # Rays of a camera begin at its origin.
    start = _turned(rays[:, :3], motion) if rays[:, :3].any() else 0
    moved[:, :3] = start + motion[:3, 3].astype(np.float32)
    # Straight into its columns: to copy three of six takes longer than the product.
    np.matmul(np.ascontiguousarray(rays[:, 3:], np.float32), motion[:3, :3].T.astype(np.float32), out=moved[:, 3:])
    return moved


def _turned(vectors: np.ndarray, motion: np.ndarray | None) -> np.ndarray:
    """Return vectors f4 (N, 3) turned and scaled by a motion; contiguous, as BLAS is three times as fast then."""
    vectors = np.ascontiguousarray(vectors, np.float32)
    return vectors if motion is None else vectors @ motion[:3, :3].T.astype(np.float32)


def _no_hits(n_rays: int) -> RayHits:
    return RayHits(np.full(n_rays, np.inf, np.float32), np.full(n_rays, -1), np.zeros((n_rays, 2), np.float32))


def _scene(vertices: np.ndarray, triangles: np.ndarray) -> Any:
    scene = open3d().t.geometry.RaycastingScene(nthreads=1)
    tensor = open3d().core.Tensor
    scene.add_triangles(
        tensor(np.ascontiguousarray(vertices, np.float32)), tensor(np.ascontiguousarray(triangles, np.uint32))
    )
    return scene
