"""Draw of the sensor of one synthetic capture: its principle, lens, distance, noise, averaging and depth steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.synthetic.sensors.laser import laser_depth
from face3d_data.synthetic.sensors.stereo import stereo_depth
from face3d_data.synthetic.sensors.structured_light import structured_light_depth
from face3d_data.synthetic.sensors.time_of_flight import time_of_flight_depth

SensorKind = Literal["stereo", "time_of_flight", "structured_light", "laser"]
SENSOR_KINDS: tuple[SensorKind, ...] = get_args(SensorKind)
SENSOR_TAGS = ("sensor_kind", "focal_px", "depth_step_mm")
"""Tags of a drawn sensor: its principle, its focal length in an image of 640 px width, and its depth step."""
MOST_FRAMES = 30
LEAST_STRENGTH = 0.25
"""Of the noise, this share is the same in every frame: averaging does not remove it."""


@dataclass(frozen=True)
class _Lens:
    """Lenses and working distances of the cameras of one principle.

    Attributes:
        focals_px: focal lengths that are met with.
        distance_mm: where faces stand before them.
        strength: range of the factor on the noise; for laser of its standard deviation in mm.
        steps_mm: depth steps and how often each is met; 0 is no rounding.
        averages: whether several frames may be averaged.
    """

    focals_px: tuple[float, ...]
    distance_mm: tuple[float, float]
    strength: tuple[float, float]
    steps_mm: tuple[tuple[float, float], ...]
    averages: bool


_COARSE = ((1.0, 0.6), (2.0, 0.15), (4.0, 0.15), (8.0, 0.1))
_LENSES: dict[str, _Lens] = {
    # D435 and D415 at 640 x 480 and 1280 x 720 px
    "stereo": _Lens((385.0, 425.0, 615.0, 640.0, 925.0), (400.0, 900.0), (0.6, 1.5), _COARSE, True),
    # Kinect v2 at 512 x 424; Azure Kinect, narrow field of view, at 640 x 576
    "time_of_flight": _Lens((366.0, 504.0), (500.0, 1300.0), (0.4, 1.0), _COARSE, True),
    # Kinect v1, Xtion, TrueDepth at 640 x 480
    "structured_light": _Lens((570.0, 585.0, 600.0), (400.0, 1100.0), (0.3, 1.0), _COARSE, True),
    # Vivid 910 at 640 x 480: lenses wide and middle
    "laser": _Lens((800.0, 1400.0), (600.0, 1300.0), (0.05, 0.3), ((0.0, 0.8), (1.0, 0.2)), False),
}
LENS_JITTER = 0.03


@dataclass(frozen=True)
class DrawnSensor:
    """One drawn sensor.

    Attributes:
        name: its principle, one of `SENSOR_KINDS`.
        focal_px: focal length in an image of 640 px width.
        distance_mm: working distance of the capture.
        strength: of the noise, as its module takes it, averaging included.
        step_mm: readings are multiples of this; 0: they are not rounded.
        frames: how many were averaged.
        rounding: of noses, by multipath; for time of flight alone.
    """

    name: SensorKind
    focal_px: float
    distance_mm: float
    strength: float
    step_mm: float
    frames: int
    rounding: float

    def read(
        self, depth_mm: np.ndarray, focal_px: float, rng: np.random.Generator, hair: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the readings f4 (H, W), mm, 0 = none, of a true depth map.

        Args:
            depth_mm: f4 (H, W), 0 = nothing there.
            focal_px: focal length of that image.
            rng: source of the noise.
            hair: bool (H, W), where hair is.
        """
        if self.name == "stereo":
            reading = stereo_depth(depth_mm, focal_px, rng, self.strength)
        elif self.name == "time_of_flight":
            reading = time_of_flight_depth(depth_mm, focal_px, rng, self.strength, self.rounding, hair)
        elif self.name == "structured_light":
            reading = structured_light_depth(depth_mm, focal_px, rng, self.strength, hair)
        else:
            reading = laser_depth(depth_mm, focal_px, rng, self.strength, hair)
        return np.round(reading / self.step_mm) * np.float32(self.step_mm) if self.step_mm else reading


def draw_sensor(
    weights: Mapping[str, float],
    seed: int,
    person: int,
    capture: int,
    distance_mm: tuple[float, float] | None = None,
) -> DrawnSensor:
    """Draw the sensor of one capture; the same for the same (seed, person, capture) and weights.

    Args:
        weights: how often each of `SENSOR_KINDS` is drawn, relative to each other.
        seed: the population.
        person: number of the person.
        capture: number of the capture.
        distance_mm: range of the distance; each principle's own if None.
    """
    rng = np.random.default_rng(seed_from("synthetic sensor", seed, person, capture))
    names = [name for name in SENSOR_KINDS if weights.get(name, 0) > 0]
    shares = np.array([weights[name] for name in names], np.float64)
    name = names[int(np.searchsorted(np.cumsum(shares) / shares.sum(), rng.random(), side="right"))]
    lens = _LENSES[name]
    steps, odds = zip(*lens.steps_mm, strict=True)
    averaged = lens.averages and rng.random() < 0.5
    frames = round(MOST_FRAMES ** float(rng.random())) if averaged else 1
    strength = float(rng.uniform(*lens.strength))
    low, high = distance_mm or lens.distance_mm
    return DrawnSensor(
        name=name,
        focal_px=float(rng.choice(lens.focals_px) * rng.uniform(1 - LENS_JITTER, 1 + LENS_JITTER)),
        distance_mm=float(rng.uniform(low, high)),
        strength=strength * (LEAST_STRENGTH + (1 - LEAST_STRENGTH) / frames**0.5),
        step_mm=float(rng.choice(steps, p=odds)),
        frames=frames,
        rounding=float(rng.uniform(0.2, 0.7)),
    )
