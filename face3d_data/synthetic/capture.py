"""Capture of a synthetic person: the same bytes for the same (seed, person, capture), in any order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from face3d_data.digest import seed_from
from face3d_data.synthetic.appearance import draw_appearance
from face3d_data.synthetic.expression import EXPRESSIONS, Expression, displacement, draw_expression
from face3d_data.synthetic.head import Head, build_head
from face3d_data.synthetic.identity import draw_identity
from face3d_data.synthetic.paint import Canvas, noise_texture
from face3d_data.synthetic.render import Backdrop, Camera, SceneLight, render
from face3d_data.synthetic.sensor import stereo_depth

FOCAL_AT_640 = 615.0
FACE_CENTRE = np.array([0.0, -30.0, 88.0])
NECK = np.array([0.0, -95.0, -10.0])
WALL_EVERY = 4
_TONE_STEPS, _TONE_MOST = 1 << 16, 2.0


@dataclass(frozen=True)
class CaptureScene:
    """What is drawn for one capture beside who is in it."""

    expression_name: str
    expression: Expression
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    distance_mm: float
    offset_px: tuple[float, float]
    gaze: tuple[float, float]
    light: SceneLight
    backdrop: Backdrop
    exposure: float


@lru_cache(maxsize=2)
def person_head(seed: int, person: int, detail: float) -> tuple[Head, np.ndarray]:
    """Return one person's neutral head and noise texture; remembered, since captures of a person come together."""
    identity = draw_identity(seed, person)
    appearance = draw_appearance(identity)
    return build_head(identity, appearance, detail), noise_texture(appearance)


def draw_scene(seed: int, person: int, capture: int, rng: np.random.Generator) -> CaptureScene:
    """Draw pose, expression, light and background; capture 0 is near-frontal and neutral.

    Yaw, pitch and roll are within 20 degrees, the distance within 500-800 mm.
    """
    spread = np.array([2.5, 2.5, 1.5]) if capture == 0 else np.array([20.0, 20.0, 20.0])
    yaw, pitch, roll = (rng.uniform(-1, 1, 3) * spread).tolist()
    distance = float(rng.uniform(500, 800))
    names = [name for name in EXPRESSIONS if name != "neutral"]
    name = "neutral" if capture == 0 or rng.random() < 0.35 else str(rng.choice(names))
    side, height = rng.uniform(-0.75, 0.75), rng.uniform(0.15, 0.85)
    toward = np.array([side, -height, -1.0])
    light = SceneLight(
        toward=toward / np.linalg.norm(toward),
        key=float(rng.uniform(0.62, 0.95)),
        ambient=float(rng.uniform(0.34, 0.55)),
        tint=1 + 0.03 * rng.standard_normal(3),
    )
    here = np.random.default_rng(seed_from("synthetic place", seed, person))
    wall = float(here.uniform(900, 1600)) if person % WALL_EVERY == 0 else 0.0
    backdrop = Backdrop(here.uniform(90, 225) + here.uniform(-22, 22, 3), rng.uniform(-0.2, 0.2, 2), wall)
    return CaptureScene(
        expression_name=name,
        expression=draw_expression(name, rng),
        yaw_deg=yaw,
        pitch_deg=pitch,
        roll_deg=roll,
        distance_mm=distance,
        offset_px=tuple(rng.uniform(-1, 1, 2).tolist()),
        gaze=tuple(rng.normal(0, 0.6, 2).tolist()),
        light=light,
        backdrop=backdrop,
        exposure=float(rng.uniform(0.88, 1.12)),
    )


def capture_tags(seed: int, person: int, capture: int) -> dict[str, Any]:
    """Return a capture's tags without rendering it: expression, yaw_deg, pitch_deg, roll_deg, distance_mm."""
    return _tags(draw_scene(seed, person, capture, _capture_rng(seed, person, capture)))


def _capture_rng(seed: int, person: int, capture: int) -> np.random.Generator:
    return np.random.default_rng(seed_from("synthetic capture", seed, person, capture))


def _tags(scene: CaptureScene) -> dict[str, Any]:
    return {
        "expression": scene.expression_name,
        "yaw_deg": round(scene.yaw_deg, 2),
        "pitch_deg": round(scene.pitch_deg, 2),
        "roll_deg": round(scene.roll_deg, 2),
        "distance_mm": round(scene.distance_mm, 1),
    }


def rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> np.ndarray:
    """Return the rotation f8 (3, 3) that turns a head: yaw about y, then pitch about x, then roll about z."""
    yaw, pitch, roll = np.deg2rad([yaw_deg, pitch_deg, roll_deg])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def place(points: np.ndarray, scene: CaptureScene, camera: Camera, levels_menton: float, y: np.ndarray) -> np.ndarray:
    """Rotate points (..., 3) of the head frame by the pose and put them in front of the camera, in its frame.

    Shoulders follow only a third of the head's rotation; it is blended between menton and shoulders.
    """
    full = rotation(scene.yaw_deg, scene.pitch_deg, scene.roll_deg)
    part = rotation(scene.yaw_deg / 3, scene.pitch_deg / 3, scene.roll_deg / 3)
    blend = np.clip((y - (levels_menton - 62.0)) / 52.0, 0.0, 1.0)[..., None]
    local = points - NECK
    turned = local @ part.T + blend * (local @ full.T - local @ part.T) + NECK
    centre = (FACE_CENTRE - NECK) @ full.T + NECK
    aim = np.array([scene.offset_px[0] * 0.11 * camera.width, scene.offset_px[1] * 0.08 * camera.height]) / camera.fx
    shift = np.array([aim[0] * scene.distance_mm, aim[1] * scene.distance_mm, scene.distance_mm])
    return (turned - centre) * np.array([1.0, -1.0, -1.0]) + shift


def camera_for(width: int, height: int) -> Camera:
    """Return the camera of every capture of that size: the same field of view, the centre in the middle."""
    focal = FOCAL_AT_640 * width / 640.0
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def render_capture(
    seed: int, person: int, capture: int, *, width: int = 640, height: int = 480, noise: bool = True
) -> dict[str, Any]:
    """Render one capture of one synthetic person.

    Args:
        seed: the population.
        person: number of the person, from 0.
        capture: number of the capture, from 0; capture 0 is near-frontal and neutral.
        width: pixels; the field of view stays that of 615 px focal length at 640.
        height: pixels.
        noise: False gives the true depth and colour without the sensors' noise.

    Returns:
        arrays `color` u1 (H, W, 3), `depth` f4 (H, W) mm (whole millimetres with noise, 0 = no reading), `intrinsics`
        f8 (4,), `landmarks` f4 (5, 2) px, `landmarks_3d` f4 (5, 3) mm in the camera frame, `box` f4 (4,) px around the
        face; and the tags `expression`, `yaw_deg`, `pitch_deg`, `roll_deg`, `distance_mm`.

    Raises:
        MissingDependency: Open3D cannot be loaded.
    """
    rng = _capture_rng(seed, person, capture)
    scene = draw_scene(seed, person, capture, rng)
    head, texture = person_head(seed, person, 1.0 if width > 400 else 0.6)
    camera = camera_for(width, height)
    grids = [_posed(head, part.rest, part.coords, part.front, scene, camera) for part in head.parts]
    marks = _posed(head, head.landmarks, head.landmark_coords, np.ones(5), scene, camera)
    canvas = Canvas(head, scene.expression, scene.gaze, scene.distance_mm / camera.fx, texture)
    color, depth = render(head, grids, canvas, camera, scene.light, scene.backdrop, rng)
    if noise:
        depth = stereo_depth(depth, camera.fx, rng)
    return {
        "color": _develop(color * scene.exposure, rng, noise),
        "depth": depth,
        "intrinsics": np.array([camera.fx, camera.fy, camera.cx, camera.cy]),
        "landmarks": camera.project(marks).astype(np.float32),
        "landmarks_3d": marks.astype(np.float32),
        "box": _face_box(head, grids[0], camera),
        **_tags(scene),
    }


def _posed(
    head: Head, rest: np.ndarray, coords: np.ndarray, front: np.ndarray, scene: CaptureScene, camera: Camera
) -> np.ndarray:
    levels, moved = head.skull.levels, rest.copy()
    on = front > 0
    moved[on] += displacement(head.identity, levels, scene.expression, coords[on], rest[on], front[on])
    return place(moved, scene, camera, levels.menton, rest[..., 1])


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
