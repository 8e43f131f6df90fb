"""Depth alone of synthetic captures: the geometry around the face, cast without colour, and what a sensor reads of it.

A capture costs a tenth of a rendered one: only triangles that face the camera near the face are cast, only at the
pixels around it, and nothing is painted. Landmarks bring a detector's error, as no detector can look at the capture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from face3d_data.formats.face_model import FaceModel
from face3d_data.geometry.camera import Region
from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.synthetic.appearance import draw_appearance
from face3d_data.synthetic.beard import bearded
from face3d_data.synthetic.capture import posed
from face3d_data.synthetic.hat import hat_mesh
from face3d_data.synthetic.head import HAIR, Head, HeadCore
from face3d_data.synthetic.identity import draw_identity
from face3d_data.synthetic.render import Camera
from face3d_data.synthetic.scene import (
    FACE_CENTRE,
    PLAIN,
    CaptureRanges,
    CaptureScene,
    camera_for,
    capture_rng,
    draw_scene,
    place,
    read_depth,
    scene_tags,
)
from face3d_data.synthetic.statistical import BROW_MM, BROWS, five_of, model_capture_tags, pose_person

AROUND_MM = 140.0
"""What is farther than this from the middle of the face, across the view, is left out."""
FINE_PX_PER_MM = 0.9
"""Faces that are seen in less detail than this are made of a coarser mesh."""
COARSE, FINE = 0.6, 1.0
NEAR_PX = 0.01
"""Triangles this near the centre of a pixel are cast: far more than the rounding of their corners.

Of those before a camera far away half lie between the centres, and building the search tree takes as long as the rays.
"""


def depth_capture(
    seed: int,
    person: int,
    capture: int,
    *,
    width: int = 640,
    height: int = 480,
    noise: bool = True,
    ranges: CaptureRanges = PLAIN,
) -> dict[str, Any]:
    """Make the depth of one capture of one synthetic person, near the face.

    Args:
        seed: the population.
        person: number of the person, from 0.
        capture: number of the capture, from 0; capture 0 is near-frontal and neutral.
        width: px.
        height: px.
        noise: False gives the true depth and landmarks.
        ranges: what pose, distance and sensor are drawn from.

    Returns:
        As `capture.render_capture`, without `color` and `box`; pose, expression and identity are the same.

    Raises:
        MissingDependency: Open3D cannot be loaded.
    """
    rng = capture_rng(seed, person, capture)
    scene = draw_scene(seed, person, capture, rng, ranges)
    camera = camera_for(width, height, scene.sensor)
    head = _head(seed, person, FINE if camera.fx / scene.distance_mm > FINE_PX_PER_MM else COARSE)
    grids = [
        posed(head, bearded(head, part, scene.beard_mm, seed, person), moving, scene, camera)
        for part, moving in zip(head.parts, head.moving, strict=True)
    ]
    marks = posed(head, head.landmarks, head.moving_landmarks, scene, camera)
    vertices, triangles = np.concatenate([grid.reshape(-1, 3) for grid in grids]), head.outer_triangles
    if scene.hat is not None and scene.hat.kind != "none":
        brow_y = head.identity["brow_y"] + head.appearance.brow_mm + max(scene.expression.brow, 0.0)
        bare = np.concatenate([part.rest.reshape(-1, 3) for part in head.parts])

        def in_view(points: np.ndarray) -> np.ndarray:
            return place(points, scene, camera, head.skull.levels.menton, points[:, 1])

        worn = hat_mesh(scene.hat, bare, brow_y, marks, in_view, camera)
        vertices, triangles = _with_hat(worn, vertices, triangles)
    surface = _Surface(
        vertices=vertices.astype(np.float32),
        triangles=triangles,
        n_hair=sum(grid.size // 3 for grid, part in zip(grids, head.parts, strict=True) if part.kind == HAIR),
        middle=place(FACE_CENTRE[None], scene, camera, head.skull.levels.menton, FACE_CENTRE[None, 1])[0],
        landmarks=marks,
    )
    return _captured(surface, scene, camera, rng, ranges.landmark_error if noise else None)


def model_depth_capture(
    model: FaceModel,
    seed: int,
    person: int,
    capture: int,
    *,
    width: int = 640,
    height: int = 480,
    noise: bool = True,
    ranges: CaptureRanges = PLAIN,
) -> dict[str, Any]:
    """Make the depth of one capture of one person of a statistical face model; as `depth_capture`.

    Args:
        model: the face model, with landmarks.
        seed: the population.
        person: number of the person, from 0.
        capture: number of the capture, from 0; capture 0 is near-frontal and neutral.
        width: px.
        height: px.
        noise: False gives the true depth and landmarks.
        ranges: what pose, distance and sensor are drawn from.
    """
    made, scene, camera, rng = pose_person(model, seed, person, capture, width, height, ranges)
    marks, vertices, triangles = five_of(made.vertices, made.landmarks), made.vertices, model.triangles
    if scene.hat is not None and scene.hat.kind != "none":
        brow_y = float(made.shape[made.landmarks[BROWS], 1].max()) + BROW_MM
        worn = hat_mesh(scene.hat, made.shape, brow_y, marks, made.place, camera)
        vertices, triangles = _with_hat(worn, vertices, triangles)
    surface = _Surface(vertices.astype(np.float32), triangles, 0, marks.mean(axis=0), marks)
    made_of = _captured(surface, scene, camera, rng, ranges.landmark_error if noise else None)
    return made_of | model_capture_tags(seed, person, capture, ranges)


@dataclass(frozen=True, eq=False)
class _Surface:
    """A posed head in the camera frame, mm.

    Attributes:
        vertices: f4 (V, 3); the last `n_hair` are hair.
        triangles: (T, 3), counter-clockwise seen from outside.
        n_hair: see above.
        middle: f8 (3,), the middle of the face.
        landmarks: f8 (5, 3).
    """

    vertices: np.ndarray
    triangles: np.ndarray
    n_hair: int
    middle: np.ndarray
    landmarks: np.ndarray


@lru_cache(maxsize=2)
def _head(seed: int, person: int, detail: float) -> Head:
    """Return a person's head; captures of a person come together, and some need it fine, some coarse."""
    return _core(seed, person).head(detail)


@lru_cache(maxsize=1)
def _core(seed: int, person: int) -> HeadCore:
    identity = draw_identity(seed, person)
    return HeadCore.of(identity, draw_appearance(identity))


def _with_hat(
    hat: tuple[np.ndarray, np.ndarray], vertices: np.ndarray, triangles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices and triangles of a hat and a head; the hat comes first, since hair has to be last."""
    points, faces = hat
    return np.concatenate([points, vertices]), np.concatenate([faces, triangles.astype(np.intp) + len(points)])


def _captured(
    surface: _Surface, scene: CaptureScene, camera: Camera, rng: np.random.Generator, landmark_error: float | None
) -> dict[str, Any]:
    """Return the arrays and tags of a capture; without a landmark error, the true depth and landmarks."""
    box = region_around(surface.middle, camera)
    first_hair = len(surface.vertices) - surface.n_hair
    near, hair = cast_depth(surface.vertices, surface.triangles, camera, box, first_hair)
    near[near == 0] = max(scene.backdrop.wall_mm, 0.0)
    pixels = camera.project(surface.landmarks)
    if landmark_error is not None:
        near = read_depth(scene, near, camera, rng, hair)
        eyes_px = float(np.linalg.norm(pixels[1] - pixels[0]))
        pixels = pixels + landmark_error * eyes_px * rng.standard_normal(pixels.shape)
    depth = np.zeros((camera.height, camera.width), np.float32)
    depth[box[1] : box[3], box[0] : box[2]] = near
    return {
        "depth": depth,
        "intrinsics": np.array([camera.fx, camera.fy, camera.cx, camera.cy]),
        "landmarks": pixels.astype(np.float32),
        "landmarks_3d": surface.landmarks.astype(np.float32),
        **scene_tags(scene),
    }


def region_around(middle: np.ndarray, camera: Camera) -> Region:
    """Return the pixels x0, y0, x1, y1 (ends excluded) within `AROUND_MM` of a place (3,) in the camera frame."""
    u, v = camera.project(middle[None])[0]
    reach = AROUND_MM * camera.fx / middle[2]
    x0, x1 = (int(np.clip(np.floor(u + side), 0, camera.width)) for side in (-reach, reach))
    y0, y1 = (int(np.clip(np.floor(v + side), 0, camera.height)) for side in (-reach, reach))
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def cast_depth(
    vertices: np.ndarray, triangles: np.ndarray, camera: Camera, box: Region, first_hair: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cast one ray for each pixel of a region at the triangles that face the camera.

    Args:
        vertices: f4 (V, 3), camera frame, mm.
        triangles: (T, 3), counter-clockwise seen from outside.
        camera: the camera.
        box: the region x0, y0, x1, y1, ends excluded.
        first_hair: vertices from this on are hair.

    Returns:
        depth f4 (h, w), mm, 0 = nothing; and bool (h, w), where it is hair's.
    """
    at, (x0, y0, x1, y1) = _towards(vertices, triangles, camera, box)
    chosen = triangles[at]
    depth, is_hair = (np.zeros((box[3] - box[1], box[2] - box[0]), kind) for kind in (np.float32, bool))
    if not len(chosen):
        return depth, is_hair
    used = np.zeros(len(vertices), bool)
    used[chosen] = True
    number = np.cumsum(used, dtype=np.uint32) - np.uint32(1)
    from_numpy = open3d().core.Tensor.from_numpy
    scene = open3d().t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(from_numpy(np.ascontiguousarray(vertices[used])), from_numpy(number[chosen]))
    rays = np.zeros((y1 - y0, x1 - x0, 6), np.float32)
    rays[..., 3] = ((np.arange(x0, x1) - camera.cx) / camera.fx)[None, :]
    rays[..., 4] = ((np.arange(y0, y1) - camera.cy) / camera.fy)[:, None]
    rays[..., 5] = 1.0  # so that the distance along the ray is the depth
    answer = scene.cast_rays(from_numpy(rays), nthreads=1)
    hit_at = answer["t_hit"].numpy()
    hit = np.isfinite(hit_at)
    inside = slice(y0 - box[1], y1 - box[1]), slice(x0 - box[0], x1 - box[0])
    np.copyto(depth[inside], hit_at, where=hit)
    if first_hair < len(vertices):
        is_hair[inside][hit] = (chosen[:, 0] >= first_hair)[answer["primitive_ids"].numpy()[hit]]
    return depth, is_hair


def _towards(vertices: np.ndarray, triangles: np.ndarray, camera: Camera, box: Region) -> tuple[np.ndarray, Region]:
    """Return the triangles that face the camera, touch a region and may cover the centre of a pixel.

    Returns:
        their numbers, and the part x0, y0, x1, y1 (ends excluded) of the region that holds them.
    """
    x, y, z = vertices.T
    before = z > 1.0
    u = np.where(before, x / np.maximum(z, 1.0) * camera.fx + camera.cx, np.inf)
    v = np.where(before, y / np.maximum(z, 1.0) * camera.fy + camera.cy, np.inf)
    x0, y0, x1, y1 = box
    inside = (u > x0 - 1) & (u < x1) & (v > y0 - 1) & (v < y1)
    corners = triangles.T.astype(np.intp, order="C")
    touching = np.flatnonzero(inside[corners].any(axis=0))
    corners = corners.take(touching, axis=1)
    u, v = u[corners], v[corners]
    with np.errstate(invalid="ignore"):
        facing = (u[1] - u[0]) * (v[2] - v[0]) - (u[2] - u[0]) * (v[1] - v[0]) < 0
    touching, u, v = touching[facing], u.compress(facing, axis=1), v.compress(facing, axis=1)
    first_u, last_u = np.ceil(u.min(axis=0) - NEAR_PX), np.floor(u.max(axis=0) + NEAR_PX)
    first_v, last_v = np.ceil(v.min(axis=0) - NEAR_PX), np.floor(v.max(axis=0) + NEAR_PX)
    may = (first_u <= last_u) & (first_v <= last_v)
    one = np.flatnonzero((first_u == last_u) & (first_v == last_v))
    may[one] = _hold(u.take(one, axis=1) - first_u[one], v.take(one, axis=1) - first_v[one])
    if not may.any():
        return touching[:0], (x0, y0, x0, y0)
    low_x, low_y = (int(max(first[may].min(), low)) for first, low in ((first_u, x0), (first_v, y0)))
    high_x, high_y = (int(min(last[may].max() + 1, high)) for last, high in ((last_u, x1), (last_v, y1)))
    return touching[may], (low_x, low_y, high_x, high_y)


def _hold(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return bool (T,): whether triangles with corners (3, T), px, seen from their front, hold the origin."""
    along_u, along_v = u[[1, 2, 0]] - u, v[[1, 2, 0]] - v
    beside = along_v * u - along_u * v  # negative on the inner side
    return (beside <= NEAR_PX * (np.abs(along_u) + np.abs(along_v))).all(axis=0)
