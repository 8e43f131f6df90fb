"""Ray casting of a head to colour and true depth: an ambient sky, one soft directional light, cavities, shadows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.synthetic.head import EAR, HAIR, SKIN, Head
from face3d_data.synthetic.paint import Canvas, linear, paint_ear, paint_hair, paint_skin


@dataclass(frozen=True)
class Camera:
    """A pinhole camera looking along +z; x right, y down, mm."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return pixel coordinates (N, 2) of points (N, 3), mm."""
        return points[:, :2] / points[:, 2:] * np.array([self.fx, self.fy]) + np.array([self.cx, self.cy])


@dataclass(frozen=True)
class SceneLight:
    """Light of one capture.

    Attributes:
        toward: f8 (3,) unit vector from the face to the lamp, camera frame.
        key: strength of the lamp.
        ambient: strength of the sky; the ground gives half of it.
        tint: f8 (3,) colour balance.
    """

    toward: np.ndarray
    key: float
    ambient: float
    tint: np.ndarray


@dataclass(frozen=True)
class Backdrop:
    """What is behind: a plain gradient, and a wall where `wall_mm` > 0."""

    color: np.ndarray
    slope: np.ndarray
    wall_mm: float


def vertex_normals(grid: np.ndarray, closed: bool) -> np.ndarray:
    """Return unit normals f4 (R, C, 3) of a grid of positions, by central differences."""
    padded = np.concatenate([grid[:, -1:], grid, grid[:, :1]], axis=1) if closed else _mirrored(grid)
    across = _slope(padded.swapaxes(0, 1)).swapaxes(0, 1)
    down = _slope(_mirrored(grid.swapaxes(0, 1)).swapaxes(0, 1))
    normal = np.cross(across, down)
    return (normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)).astype(np.float32)


def _mirrored(grid: np.ndarray) -> np.ndarray:
    """Return a grid with one extrapolated column at either end."""
    return np.concatenate([2 * grid[:, :1] - grid[:, 1:2], grid, 2 * grid[:, -1:] - grid[:, -2:-1]], axis=1)


def _slope(padded: np.ndarray) -> np.ndarray:
    """Return derivatives along the first axis, weighted so that uneven spacing does not tilt them."""
    step = np.diff(padded, axis=0)
    length = np.maximum(np.linalg.norm(step, axis=-1, keepdims=True), 1e-6)
    return step[1:] * (length[:-1] / length[1:]) + step[:-1] * (length[1:] / length[:-1])


@dataclass(frozen=True)
class RenderedHits:
    """What the camera's rays met: pixel rows and columns (N,), depth mm, normals, materials, interpolated values."""

    row: np.ndarray
    column: np.ndarray
    point: np.ndarray
    normal: np.ndarray
    kind: np.ndarray
    coords: np.ndarray
    rest: np.ndarray
    cavity: np.ndarray


def render(
    head: Head,
    grids: list[np.ndarray],
    canvas: Canvas,
    camera: Camera,
    light: SceneLight,
    backdrop: Backdrop,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Render one capture.

    Args:
        head: the person; gives triangles and undeformed coordinates.
        grids: each part's positions (R, C, 3) in the camera frame, mm.
        canvas: what paint needs.
        camera: the camera.
        light: the light.
        backdrop: what is behind.
        rng: jitter of the lamp, for soft shadows.

    Returns:
        colour in linear light f4 (H, W, 3), and true depth f4 (H, W) mm, 0 = nothing.
    """
    scene = open3d().t.geometry.RaycastingScene(nthreads=1)
    vertices = np.concatenate([grid.reshape(-1, 3) for grid in grids]).astype(np.float32)
    scene.add_triangles(open3d().core.Tensor(vertices), open3d().core.Tensor(head.triangles))
    hits = _cast(scene, head, grids, vertices, camera)
    lit = _shade(scene, hits, _albedo(canvas, hits), light, camera, rng)
    color = _behind(camera, backdrop)
    depth = np.full((camera.height, camera.width), max(backdrop.wall_mm, 0.0), np.float32)
    color[hits.row, hits.column] = lit
    depth[hits.row, hits.column] = hits.point[:, 2]
    return color * light.tint.astype(np.float32), depth


def _rays(camera: Camera, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rays f4 (h, w, 6) of the box that holds the head, and its pixel rows and columns."""
    uv = camera.project(vertices)
    low = np.clip(np.floor(uv.min(axis=0)) - 1, 0, [camera.width - 1, camera.height - 1]).astype(int)
    high = np.clip(np.ceil(uv.max(axis=0)) + 2, 1, [camera.width, camera.height]).astype(int)
    columns, rows = np.arange(low[0], high[0]), np.arange(low[1], high[1])
    rays = np.zeros((len(rows), len(columns), 6), np.float32)
    rays[..., 3] = ((columns - camera.cx) / camera.fx)[None, :]
    rays[..., 4] = ((rows - camera.cy) / camera.fy)[:, None]
    rays[..., 5] = 1.0  # so that the distance along the ray is the depth
    return rays, rows, columns


def _cast(scene, head: Head, grids: list[np.ndarray], vertices: np.ndarray, camera: Camera) -> RenderedHits:
    rays, rows, columns = _rays(camera, vertices)
    answer = scene.cast_rays(open3d().core.Tensor(rays), nthreads=1)
    depth = answer["t_hit"].numpy()
    hit = np.isfinite(depth)
    r, c = np.nonzero(hit)
    triangle = head.triangles[answer["primitive_ids"].numpy()[hit]].astype(np.int64)
    uv = answer["primitive_uvs"].numpy()[hit]
    weights = np.stack([1 - uv.sum(axis=1), uv[:, 0], uv[:, 1]], axis=1).astype(np.float32)
    values = _vertex_values(head, grids)
    blended = values[triangle[:, 0]] * weights[:, :1]
    for corner in (1, 2):
        blended += values[triangle[:, corner]] * weights[:, corner : corner + 1]
    ray = rays[hit][:, 3:]
    normal = blended[:, :3] / np.maximum(np.linalg.norm(blended[:, :3], axis=1, keepdims=True), 1e-6)
    facing = np.einsum("ni,ni->n", normal, ray) > 0
    normal[facing] *= -1
    kinds = np.concatenate(
        [np.full(part.rest.shape[0] * part.rest.shape[1], part.kind, np.int8) for part in head.parts]
    )
    return RenderedHits(
        rows[r], columns[c], ray * depth[hit][:, None], normal, kinds[triangle[:, 0]],
        blended[:, 3:5], blended[:, 5:8], blended[:, 8],
    )  # fmt: skip


def _vertex_values(head: Head, grids: list[np.ndarray]) -> np.ndarray:
    """Return f4 (V, 9): normal, undeformed x and y, neutral position, cavity."""
    blocks = []
    for part, grid in zip(head.parts, grids, strict=True):
        block = [vertex_normals(grid, part.closed), part.coords, part.rest, part.cavity[..., None]]
        blocks.append(np.concatenate(block, axis=-1).reshape(-1, 9).astype(np.float32))
    return np.concatenate(blocks)


def _albedo(canvas: Canvas, hits: RenderedHits) -> tuple[np.ndarray, np.ndarray]:
    albedo = np.zeros((len(hits.row), 3), np.float32)
    gloss = np.zeros(len(hits.row), np.float32)
    skin, ear, hair = (np.flatnonzero(hits.kind == kind) for kind in (SKIN, EAR, HAIR))
    albedo[skin], gloss[skin] = paint_skin(canvas, hits.coords[skin], hits.rest[skin])
    albedo[ear], gloss[ear] = paint_ear(canvas, hits.rest[ear])
    albedo[hair], gloss[hair] = paint_hair(canvas, hits.coords[hair])
    return albedo, gloss


def _shade(
    scene, hits: RenderedHits, paint: tuple[np.ndarray, np.ndarray], light: SceneLight, camera: Camera, rng
) -> np.ndarray:
    """Return linear light (N, 3): wrapped diffuse (skin lets red through), sky and ground, gloss, shadow."""
    albedo, gloss = paint
    toward = light.toward.astype(np.float32)
    facing = hits.normal @ toward
    lamp = _shadow(scene, hits, facing, toward, camera, rng)
    wrap = np.where((hits.kind == HAIR)[:, None], 0.1, np.array([0.30, 0.16, 0.12], np.float32))
    diffuse = np.clip((facing[:, None] + wrap) / (1 + wrap), 0, 1) * (0.12 + 0.88 * lamp)[:, None]
    sky = 0.75 - 0.25 * hits.normal[:, 1]
    occlusion = np.clip(1.0 - 0.13 * np.maximum(hits.cavity, 0) + 0.02 * np.maximum(-hits.cavity, 0), 0.6, 1.06)
    view = -hits.point / np.linalg.norm(hits.point, axis=1, keepdims=True)
    half = toward + view
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    shine = gloss * lamp * np.clip(np.einsum("ni,ni->n", hits.normal, half), 0, 1) ** 26 * 0.075 * light.key
    soft = albedo * (
        light.ambient * (sky * occlusion)[:, None] + light.key * diffuse * (0.5 + 0.5 * occlusion[:, None])
    )
    return (soft + shine[:, None]).astype(np.float32)


def _shadow(scene, hits: RenderedHits, facing: np.ndarray, toward: np.ndarray, camera: Camera, rng) -> np.ndarray:
    """Return how much of the lamp reaches each hit (N,), 0..1, softened over a few pixels."""
    ask = np.flatnonzero(facing > -0.1)
    jitter = 0.035 * rng.standard_normal((len(ask), 3), dtype=np.float32)
    start = hits.point[ask] + 1.5 * hits.normal[ask]
    rays = np.concatenate([start, toward + jitter], axis=1).astype(np.float32)
    blocked = scene.test_occlusions(open3d().core.Tensor(rays), nthreads=1).numpy()
    lamp = np.ones(len(hits.row), np.float32)
    lamp[ask] = ~blocked
    r0, c0 = hits.row.min(), hits.column.min()
    image = np.zeros((hits.row.max() - r0 + 1, hits.column.max() - c0 + 1), np.float32)
    weight = image.copy()
    image[hits.row - r0, hits.column - c0] = lamp
    weight[hits.row - r0, hits.column - c0] = 1.0
    size = max(3, round(5 * camera.width / 640) | 1)
    softened = uniform_filter(image, size) / np.maximum(uniform_filter(weight, size), 1e-3)
    return np.clip(softened[hits.row - r0, hits.column - c0], 0, 1)


def _behind(camera: Camera, backdrop: Backdrop) -> np.ndarray:
    across = np.linspace(-1, 1, camera.width, dtype=np.float32)[None, :, None] * backdrop.slope[0]
    down = np.linspace(-1, 1, camera.height, dtype=np.float32)[:, None, None] * backdrop.slope[1]
    return (linear(backdrop.color) * (1 + across + down)).astype(np.float32)
