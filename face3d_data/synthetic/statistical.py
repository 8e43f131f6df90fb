"""Captures of people drawn from a statistical face model of a file: its mesh, posed, lit and seen by a depth camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.formats.face_model import FaceModel
from face3d_data.geometry.normals import mesh_normals
from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.synthetic.scene import PLAIN, CaptureRanges, camera_for, draw_scene, read_depth, rotation, scene_tags

MOST_DEVIATIONS = 2.5
EXPRESSED = 2
"""Expressions that a capture mixes."""
EYES, NOSE, MOUTH = (np.arange(36, 42), np.arange(42, 48)), 30, (48, 54)
"""Landmarks of the 68 that are the five."""
BROWS, BROW_MM = np.arange(17, 27), 4.0
"""Those of the eyebrows, and how far these reach over them."""
SKIN = np.array([[0.80, 0.56, 0.44], [0.55, 0.33, 0.23], [0.30, 0.17, 0.11]])
CENTRE_MM = np.array([0.0, -25.0, -35.0])
"""What stands at the drawn distance, from the nose tip."""


@dataclass(frozen=True, eq=False)
class ModelPerson:
    """One capture's true surface.

    Attributes:
        vertices: f8 (V, 3), camera frame, mm.
        landmarks: the 68 among them.
        shape: f8 (V, 3), the same in the model's frame.
        place: brings points (N, 3) from there into the camera frame.
    """

    vertices: np.ndarray
    landmarks: np.ndarray
    shape: np.ndarray
    place: Callable[[np.ndarray], np.ndarray]


def identity_weights(model: FaceModel, seed: int, person: int) -> np.ndarray:
    """Return the weights (K,) of a person, standard normal, cut at 2.5."""
    rng = np.random.default_rng(seed_from("statistical identity", seed, person))
    return np.clip(rng.standard_normal(len(model.identity)), -MOST_DEVIATIONS, MOST_DEVIATIONS)


def expression_weights(model: FaceModel, capture: int, rng: np.random.Generator) -> np.ndarray:
    """Return the weights (E,) of a capture's expression: none in capture 0, then a mixture of two or none."""
    weights = np.zeros(len(model.expression))
    if capture == 0 or not len(weights) or rng.random() < 0.35:
        return weights
    chosen = rng.choice(len(weights), min(EXPRESSED, len(weights)), replace=False)
    draws = rng.uniform(0.2, 0.8, len(chosen)) if model.blendshapes else rng.standard_normal(len(chosen))
    weights[chosen] = np.clip(draws, -MOST_DEVIATIONS, MOST_DEVIATIONS)
    return weights


def pose_person(
    model: FaceModel,
    seed: int,
    person: int,
    capture: int,
    width: int,
    height: int,
    ranges: CaptureRanges = PLAIN,
):
    """Return the surface of a capture in front of the camera, its scene, its camera and its generator.

    Args:
        model: the face model, with landmarks.
        seed: the population.
        person: its number.
        capture: its number; 0 is near-frontal and neutral.
        width: px.
        height: px.
        ranges: what pose, distance and sensor are drawn from.

    Raises:
        ValueError: the model has no landmarks.
    """
    landmarks = model.landmarks
    if landmarks is None:
        raise ValueError("a model whose landmarks are known is needed")
    rng = np.random.default_rng(seed_from("statistical capture", seed, person, capture))
    scene = draw_scene(seed, person, capture, rng, ranges)
    camera = camera_for(width, height, scene.sensor)
    shape = model.mean + np.tensordot(identity_weights(model, seed, person), model.identity, 1)
    shape = shape + np.tensordot(expression_weights(model, capture, rng), model.expression, 1)
    turn = rotation(scene.yaw_deg, scene.pitch_deg, scene.roll_deg)
    centre = model.mean[landmarks[NOSE]] + CENTRE_MM
    aim = np.array([scene.offset_px[0] * 0.11 * width, scene.offset_px[1] * 0.08 * height]) / camera.fx
    shift = np.array([*(aim * scene.distance_mm), scene.distance_mm])

    def place(points: np.ndarray) -> np.ndarray:
        return ((points - centre) @ turn.T) * np.array([1.0, -1.0, -1.0]) + shift

    return ModelPerson(place(shape), landmarks, shape, place), scene, camera, rng


def five_of(vertices: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return the five landmarks (5, 3) of the 68 vertices: an eye is the middle of its outline."""
    marks = vertices[landmarks]
    return np.stack([marks[EYES[0]].mean(0), marks[EYES[1]].mean(0), marks[NOSE], *marks[list(MOUTH)]])


def render_model_capture(
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
    """Render one capture of one person of a model.

    Args:
        model: the face model, with landmarks.
        seed: the population.
        person: number of the person, from 0.
        capture: number of the capture, from 0; capture 0 is near-frontal and neutral.
        width: px.
        height: px.
        noise: False gives the true depth.
        ranges: what pose, distance and sensor are drawn from.

    Returns:
        As `capture.render_capture`; the model has no paint, so the colour is plain skin.
    """
    made, scene, camera, rng = pose_person(model, seed, person, capture, width, height, ranges)
    depth, color = _cast(made.vertices, model.triangles, camera, scene, _tone(seed, person))
    if noise:
        depth = read_depth(scene, depth, camera, rng)
    five = five_of(made.vertices, made.landmarks)
    pixels = camera.project(made.vertices[made.landmarks])
    return {
        "color": np.clip(np.rint(color * 255 * scene.exposure), 0, 255).astype(np.uint8),
        "depth": depth,
        "intrinsics": np.array([camera.fx, camera.fy, camera.cx, camera.cy]),
        "landmarks": camera.project(five).astype(np.float32),
        "landmarks_3d": five.astype(np.float32),
        "box": np.concatenate([pixels.min(axis=0), pixels.max(axis=0)]).astype(np.float32),
        **model_capture_tags(seed, person, capture, ranges),
    }


def model_capture_tags(seed: int, person: int, capture: int, ranges: CaptureRanges = PLAIN) -> dict[str, Any]:
    """Return a capture's tags without rendering it: pose and distance; an expression has no name."""
    rng = np.random.default_rng(seed_from("statistical capture", seed, person, capture))
    tags = scene_tags(draw_scene(seed, person, capture, rng, ranges))
    return tags | {"expression": "neutral" if capture == 0 else "drawn"}


def _tone(seed: int, person: int) -> np.ndarray:
    rng = np.random.default_rng(seed_from("statistical tone", seed, person))
    return SKIN[0] + (SKIN[rng.integers(1, 3)] - SKIN[0]) * rng.uniform(0, 1)


def _cast(vertices: np.ndarray, triangles: np.ndarray, camera, scene, tone: np.ndarray):
    """Return the depth f4 (H, W), mm, 0 = nothing, and colour f8 (H, W, 3) in 0..1 of a mesh in the camera frame."""
    o3d = open3d()
    caster = o3d.t.geometry.RaycastingScene(nthreads=1)
    caster.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(triangles.astype(np.uint32)))
    rows, columns = np.mgrid[: camera.height, : camera.width]
    rays = np.zeros((camera.height, camera.width, 6), np.float32)
    rays[..., 3], rays[..., 4] = (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy
    rays[..., 5] = 1.0
    answer = caster.cast_rays(o3d.core.Tensor(rays), nthreads=1)
    depth = answer["t_hit"].numpy()
    hit = np.isfinite(depth)
    wall = max(scene.backdrop.wall_mm, 0.0)
    corners = triangles[answer["primitive_ids"].numpy()[hit].astype(np.int64)]
    uv = answer["primitive_uvs"].numpy()[hit]
    weights = np.stack([1 - uv.sum(axis=1), uv[:, 0], uv[:, 1]], axis=1)
    normals = np.einsum("nc,ncj->nj", weights, mesh_normals(vertices, triangles)[corners])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    normals[np.einsum("nj,nj->n", normals, rays[hit][:, 3:]) > 0] *= -1
    light = scene.light
    lit = light.ambient * (0.75 - 0.25 * normals[:, 1]) + light.key * np.clip(normals @ light.toward, 0, 1)
    color = np.broadcast_to(scene.backdrop.color / 255.0, (*depth.shape, 3)).copy()
    color[hit] = np.clip(lit[:, None] * tone, 0, 1) ** (1 / 2.2)
    return np.where(hit, depth, wall).astype(np.float32), color
