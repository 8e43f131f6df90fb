"""Capture of a synthetic person: the same bytes for the same (seed, person, capture), in any order."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from face3d_data.synthetic.appearance import draw_appearance
from face3d_data.synthetic.expression import MovingPoints
from face3d_data.synthetic.head import Head, build_head
from face3d_data.synthetic.identity import draw_identity
from face3d_data.synthetic.paint import Canvas, noise_texture
from face3d_data.synthetic.render import Camera, render
from face3d_data.synthetic.scene import (
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

_TONE_STEPS, _TONE_MOST = 1 << 16, 2.0


@lru_cache(maxsize=2)
def person_head(seed: int, person: int, detail: float) -> tuple[Head, np.ndarray]:
    """Return one person's neutral head and noise texture; remembered, since captures of a person come together."""
    identity = draw_identity(seed, person)
    appearance = draw_appearance(identity)
    return build_head(identity, appearance, detail), noise_texture(appearance)


def render_capture(
    seed: int,
    person: int,
    capture: int,
    *,
    width: int = 640,
    height: int = 480,
    noise: bool = True,
    ranges: CaptureRanges = PLAIN,
) -> dict[str, Any]:
    """Render one capture of one synthetic person.

    Args:
        seed: the population.
        person: number of the person, from 0.
        capture: number of the capture, from 0; capture 0 is near-frontal and neutral.
        width: pixels; the field of view stays the same.
        height: pixels.
        noise: False gives the true depth and colour without the sensors' noise.
        ranges: what pose, distance and sensor are drawn from.

    Returns:
        arrays `color` u1 (H, W, 3), `depth` f4 (H, W) mm (whole millimetres with noise, 0 = no reading), `intrinsics`
        f8 (4,), `landmarks` f4 (5, 2) px, `landmarks_3d` f4 (5, 3) mm in the camera frame, `box` f4 (4,) px around the
        face; and the tags of `scene.scene_tags`.

    Raises:
        MissingDependency: Open3D cannot be loaded.
    """
    rng = capture_rng(seed, person, capture)
    scene = draw_scene(seed, person, capture, rng, ranges)
    head, texture = person_head(seed, person, 1.0 if width > 400 else 0.6)
    camera = camera_for(width, height, scene.sensor)
    grids = [
        posed(head, part.rest, moving, scene, camera) for part, moving in zip(head.parts, head.moving, strict=True)
    ]
    marks = posed(head, head.landmarks, head.moving_landmarks, scene, camera)
    canvas = Canvas(head, scene.expression, scene.gaze, scene.distance_mm / camera.fx, texture)
    color, depth = render(head, grids, canvas, camera, scene.light, scene.backdrop, rng)
    if noise:
        depth = read_depth(scene, depth, camera, rng)
    return {
        "color": _develop(color * scene.exposure, rng, noise),
        "depth": depth,
        "intrinsics": np.array([camera.fx, camera.fy, camera.cx, camera.cy]),
        "landmarks": camera.project(marks).astype(np.float32),
        "landmarks_3d": marks.astype(np.float32),
        "box": _face_box(head, grids[0], camera),
        **scene_tags(scene),
    }


def posed(head: Head, rest: np.ndarray, moving: MovingPoints, scene: CaptureScene, camera: Camera) -> np.ndarray:
    """Return neutral positions (..., 3) with the scene's expression, in front of the camera, in its frame."""
    return place(moving.moved(scene.expression, rest), scene, camera, head.skull.levels.menton, rest[..., 1])


def _face_box(head: Head, skin: np.ndarray, camera: Camera) -> np.ndarray:
    """Return x1, y1, x2, y2 (f4, px) of the face from the brows' upper edge to the chin and from cheek to cheek."""
    part = head.parts[0]
    y = part.coords[..., 1]
    on = (part.front > 0.02) & (y > head.skull.levels.menton - 2) & (y < head.identity["brow_y"] + 12)
    uv = camera.project(skin[on])
    return np.concatenate([uv.min(axis=0), uv.max(axis=0)]).astype(np.float32)


def _develop(color: np.ndarray, rng: np.random.Generator, noise: bool) -> np.ndarray:
    """Return sRGB u1 of linear light: a lens's blur, a soft shoulder, the sensor's noise."""
    blurred = gaussian_filter(color, (0.55, 0.55, 0), truncate=2.5)
    step = np.clip(blurred * np.float32(_TONE_STEPS / _TONE_MOST), 0, _TONE_STEPS - 1).astype(np.int32)
    image = _tone_curve()[step]
    if noise:
        image += np.float32(1.6) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


@cache
def _tone_curve() -> np.ndarray:
    """Return sRGB 0..255 f4 of linear light in steps: a table, since powers of a million values take longest of all."""
    tone = np.arange(_TONE_STEPS) * (_TONE_MOST / _TONE_STEPS)
    tone = np.where(tone > 0.7, 0.7 + 0.3 * np.tanh((tone - 0.7) / 0.3), tone)
    return (255.0 * tone ** (1 / 2.2)).astype(np.float32)
