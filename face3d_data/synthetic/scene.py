"""Scene of one synthetic capture: pose, expression, distance, light, camera, sensor, and the ranges of their draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.synthetic.beard import draw_beard
from face3d_data.synthetic.drawn_hat import HAT_TAG, DrawnHat, draw_hat
from face3d_data.synthetic.expression import EXPRESSIONS, Expression, draw_expression
from face3d_data.synthetic.render import Backdrop, Camera, SceneLight
from face3d_data.synthetic.sensors.draw import SENSOR_TAGS, DrawnSensor, draw_sensor
from face3d_data.synthetic.sensors.stereo import stereo_depth

FOCAL_AT_640 = 615.0
FACE_CENTRE = np.array([0.0, -30.0, 88.0])
NECK = np.array([0.0, -95.0, -10.0])
WALL_EVERY = 4
MAX_YAW_DEG, DISTANCE_MM = 20.0, (500.0, 800.0)


@dataclass(frozen=True)
class CaptureRanges:
    """Ranges that captures are drawn from.

    Attributes:
        sensors: how often each of `sensors.draw.SENSOR_KINDS` is drawn, relative to each other; none: always one stereo
            camera with a focal length of 615 px at a width of 640.
        max_yaw_deg: largest yaw of captures but the first.
        distance_mm: range of the distance; each sensor's own if None, 500 to 800 mm without `sensors`.
        landmark_error: standard deviation of the landmarks of captures without colour, in eye distances.
        beards: share of the parametric people whose beard is geometry, in captures without colour.
        depth_step_mm: drawn sensors round their readings to multiples of it, 0 for none; drawn if None.
        hats: share of the captures without colour in which a hat is worn, as geometry.
    """

    sensors: tuple[tuple[str, float], ...] = ()
    max_yaw_deg: float = MAX_YAW_DEG
    distance_mm: tuple[float, float] | None = None
    landmark_error: float = 0.022
    beards: float = 0.0
    depth_step_mm: float | None = None
    hats: float = 0.0


PLAIN = CaptureRanges()


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
    sensor: DrawnSensor | None = None
    beard_mm: float = 0.0
    hat: DrawnHat | None = None


def draw_scene(
    seed: int, person: int, capture: int, rng: np.random.Generator, ranges: CaptureRanges = PLAIN
) -> CaptureScene:
    """Draw pose, expression, light, background and sensor; capture 0 is near-frontal and neutral.

    Pitch and roll are within 20 degrees. Other ranges change what they name and no other draw.
    """
    spread = np.array([2.5, 2.5, 1.5]) if capture == 0 else np.array([ranges.max_yaw_deg, 20.0, 20.0])
    yaw, pitch, roll = (rng.uniform(-1, 1, 3) * spread).tolist()
    distance = float(rng.uniform(*(ranges.distance_mm or DISTANCE_MM)))
    sensor = draw_sensor(dict(ranges.sensors), seed, person, capture, ranges.distance_mm) if ranges.sensors else None
    if sensor is not None and ranges.depth_step_mm is not None:
        sensor = replace(sensor, step_mm=ranges.depth_step_mm)
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
        distance_mm=distance if sensor is None else sensor.distance_mm,
        offset_px=tuple(rng.uniform(-1, 1, 2).tolist()),
        gaze=tuple(rng.normal(0, 0.6, 2).tolist()),
        light=light,
        backdrop=backdrop,
        exposure=float(rng.uniform(0.88, 1.12)),
        sensor=sensor,
        beard_mm=draw_beard(seed, person, capture, ranges.beards) if ranges.beards else 0.0,
        hat=draw_hat(seed, person, capture, ranges.hats) if ranges.hats else None,
    )


def capture_rng(seed: int, person: int, capture: int) -> np.random.Generator:
    """Return the generator that a capture is drawn from."""
    return np.random.default_rng(seed_from("synthetic capture", seed, person, capture))


def capture_tags(seed: int, person: int, capture: int, ranges: CaptureRanges = PLAIN) -> dict[str, Any]:
    """Return a capture's tags without rendering it: expression, yaw_deg, pitch_deg, roll_deg, distance_mm, sensor."""
    return scene_tags(draw_scene(seed, person, capture, capture_rng(seed, person, capture), ranges))


def scene_tags(scene: CaptureScene) -> dict[str, Any]:
    """Return the tags of a scene; those of `SENSOR_TAGS` and the hat only where they were drawn."""
    tags = {
        "expression": scene.expression_name,
        "yaw_deg": round(scene.yaw_deg, 2) + 0.0,  # no -0.0
        "pitch_deg": round(scene.pitch_deg, 2),
        "roll_deg": round(scene.roll_deg, 2),
        "distance_mm": round(scene.distance_mm, 1),
    }
    if scene.hat is not None:
        tags[HAT_TAG] = scene.hat.kind
    if scene.sensor is None:
        return tags
    sensor = scene.sensor
    return tags | dict(zip(SENSOR_TAGS, (sensor.name, round(sensor.focal_px, 1), sensor.step_mm), strict=True))


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
    turned = local @ part.T
    further = local @ full.T
    further -= turned
    further *= blend
    turned += further
    turned += NECK
    centre = (FACE_CENTRE - NECK) @ full.T + NECK
    aim = np.array([scene.offset_px[0] * 0.11 * camera.width, scene.offset_px[1] * 0.08 * camera.height]) / camera.fx
    shift = np.array([aim[0] * scene.distance_mm, aim[1] * scene.distance_mm, scene.distance_mm])
    turned -= centre
    turned *= np.array([1.0, -1.0, -1.0])
    turned += shift
    return turned


def camera_for(width: int, height: int, sensor: DrawnSensor | None = None) -> Camera:
    """Return the camera of captures of that size: the same field of view for all sizes, the centre in the middle."""
    focal = (FOCAL_AT_640 if sensor is None else sensor.focal_px) * width / 640.0
    return Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)


def read_depth(
    scene: CaptureScene, depth_mm: np.ndarray, camera: Camera, rng: np.random.Generator, hair: np.ndarray | None = None
) -> np.ndarray:
    """Return what the scene's sensor, or the stereo camera of all others, reads of a true depth map f4 (H, W)."""
    if scene.sensor is None:
        return stereo_depth(depth_mm, camera.fx, rng)
    return scene.sensor.read(depth_mm, camera.fx, rng, hair)
