"""Operation `sensor`: depths as measured by one of a few known sensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from face3d_data.augment.depth_reading import DepthReading
from face3d_data.augment.operation import ArrayNames, Record, draw_seed
from face3d_data.registry import register
from face3d_data.sample import Tag

SensorName = Literal["kinect_v1", "d415", "structured_light"]


@dataclass(frozen=True)
class Triangulation:
    """A sensor that measures disparities: depth z = focal length × baseline / disparity.

    Attributes:
        baseline_mm: distance of its two cameras, or of camera and projector.
        focal_px: focal length.
        steps_per_px: disparities are rounded to steps of 1 / this.
        noise_px: standard deviation of a disparity before that, from matching.
        window_px: side of the window that is matched, px of the sensor: the correlation length of the noise.
    """

    baseline_mm: float
    focal_px: float
    steps_per_px: int
    noise_px: float
    window_px: int


SENSORS: dict[str, Triangulation] = {
    # Baseline, 1/8 px and 9 px: the code of Handa et al. 2014, A Benchmark for RGB-D Visual Odometry, 3D Reconstruction
    # and SLAM (github.com/ankurhanda/simkinect), whose constant 35130 is 8 × focal × baseline in cm: 580 px and some.
    # Noise: with its steps it is half a step, 1.4 mm at 1 m (Khoshelham and Elberink 2012, Accuracy and Resolution of
    # Kinect Depth Data, Sensors 12(2)).
    "kinect_v1": Triangulation(75.0, 580.0, 8, 0.051, 9),
    # 1/32 px: Grunnet-Jepsen et al. 2019, Subpixel Linearity Improvement for Intel RealSense Depth Camera D400 Series.
    # 0.08 px: the same author, github.com/realsenseai/librealsense, issue 3904. 7 px: Keselman et al. 2017, Intel
    # RealSense Stereoscopic Depth Cameras, for the R200. Focal length of 640 x 480; 55 mm: the D400 series' data sheet.
    "d415": Triangulation(55.0, 615.0, 32, 0.08, 7),
    # Accuracy 0.1 mm, as of hand-held fringe scanners (Bartol et al. 2021, A Review of Body Measurement Using 3D
    # Scanning, IEEE Access 9), at 600 mm; makers do not tell baseline, focal length and steps: these give it.
    "structured_light": Triangulation(160.0, 1500.0, 32, 0.065, 1),
}


@register
class Sensor(DepthReading):
    """Read every depth as a drawn sensor would: disparity with matching noise, in steps.

    Errors grow with depth squared; in steps of 1 / n px a disparity is as coarse as z² / (n · focal · baseline). A
    sensor adds its errors to those that the capture has, and looks from where the capture's camera stood.
    """

    name: ClassVar[str] = "sensor"
    draws: ClassVar[ArrayNames] = ("sensor", "sensor_seed")
    strengths: ClassVar[ArrayNames] = ("sensors",)
    one_surface_mm: ClassVar[float] = 0.1

    sensors: tuple[SensorName, ...] = Field(
        (),
        description="simulate the depth readings of one of these sensors: kinect_v1, d415 (stereo), "
        "structured_light (fine scanner)",
    )

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return the sensor, each equally likely ("" where there is none), and the seed of its noise."""
        name = self.sensors[int(rng.integers(len(self.sensors)))] if self.sensors else ""
        return {"sensor": name, "sensor_seed": draw_seed(rng)}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return depth image and points as the sensor reads them."""
        return self.reread(arrays, record) if record["sensor"] else {}

    def noise(self, shape: tuple[int, int], focal_px: float | None, record: Record) -> np.ndarray:
        """Return errors of the disparity f4 (H, W), px of the sensor, correlated over its window."""
        sensor = SENSORS[str(record["sensor"])]
        white = np.random.default_rng(int(record["sensor_seed"])).standard_normal(shape, np.float32)
        window = sensor.window_px * (focal_px or sensor.focal_px) / sensor.focal_px
        # A Gaussian as wide as the mean over a window is, which would leave streaks along rows and columns.
        sigma = float(np.sqrt(max(window**2 - 1, 0) / 12))
        reach = int(np.ceil(3 * sigma))
        weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * max(sigma, 1e-3) ** 2))
        weights /= weights.sum()
        from scipy.ndimage import correlate1d  # half a second that only this operation needs

        smooth = correlate1d(correlate1d(white, weights, axis=0, mode="wrap"), weights, axis=1, mode="wrap")
        return np.float32(sensor.noise_px / (weights**2).sum()) * smooth

    def read(self, z_mm: np.ndarray, noise: np.ndarray, record: Record) -> np.ndarray:
        """Return the depths of the disparities' steps; 0 where there is no disparity left."""
        sensor = SENSORS[str(record["sensor"])]
        reach = sensor.focal_px * sensor.baseline_mm
        z = np.asarray(z_mm, np.float64)
        disparity = np.divide(reach, z, out=np.zeros(z.shape), where=z > 0) + noise
        disparity = np.rint(disparity * sensor.steps_per_px) / sensor.steps_per_px
        return np.divide(reach, disparity, out=np.zeros(z.shape), where=(disparity > 0) & (z > 0))
