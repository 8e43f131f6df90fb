"""Operation `depth_noise`: noise along each point's viewing ray that grows with the square of its depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.augment.jitter import clipped_normal
from face3d_data.augment.operation import ArrayNames, Operation, Record, draw_seed
from face3d_data.geometry.camera import viewpoint_of
from face3d_data.registry import register
from face3d_data.sample import MAPS, Tag

REFERENCE_MM = 1000.0


@register
class DepthNoise(Operation):
    """Move every point along its viewing ray by normal noise whose σ grows with depth squared, clipped at 3 σ.

    A stereo or structured-light sensor measures a disparity with a constant error, so that its depth errs by
    σ(z) = σ(1 m) · (z / 1 m)² (Khoshelham and Elberink 2012, Accuracy and Resolution of Kinect Depth Data, Sensors
    12(2), eq. 10). Camera and depth are found through `pose`, so that it works in any frame; where a scan's camera is
    not known (a scanner's frame begins behind its surface), every point is taken to be 1 m away.
    """

    name: ClassVar[str] = "depth_noise"
    needs: ClassVar[ArrayNames] = ("points",)
    acts_on: ClassVar[ArrayNames] = ("points",)
    removes: ClassVar[ArrayNames] = MAPS
    reads: ClassVar[ArrayNames] = ("pose",)
    draws: ClassVar[ArrayNames] = ("depth_noise_mm", "depth_noise_seed")
    strengths: ClassVar[ArrayNames] = ("depth_noise_mm",)

    depth_noise_mm: float = Field(
        0.0,
        ge=0,
        le=100,
        description="σ of noise along the viewing ray at a depth of 1 m, mm; grows with depth squared",
    )

    def draw(self, rng: np.random.Generator) -> dict[str, Tag]:
        """Return σ at 1 m in mm and the seed of the noise."""
        return {"depth_noise_mm": self.depth_noise_mm, "depth_noise_seed": draw_seed(rng)}

    def apply(self, arrays: Mapping[str, np.ndarray], record: Record) -> dict[str, np.ndarray]:
        """Return the noisy points."""
        if record["depth_noise_mm"] == 0:
            return {}
        points = arrays["points"]
        noise = float(record["depth_noise_mm"]) * clipped_normal(int(record["depth_noise_seed"]), points.shape[:1])
        steps = steps_along_depth(points, arrays.get("pose", np.eye(4)))
        return {"points": (points + steps * noise[:, None]).astype(np.float32)}


def steps_along_depth(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Return by how much each point moves where its depth grows by 1 mm times (depth / 1 m)².

    Args:
        points: (N, 3), mm.
        pose: (4, 4), camera frame to the frame of the points, one scale at most.

    Returns:
        f8 (N, 3), mm, in the frame of the points; 0 for points that are not finite.
    """
    finite = np.isfinite(points).all(axis=1)
    seen = points[finite].astype(np.float64)
    viewpoint = viewpoint_of(seen, pose)
    rays = seen - viewpoint
    depth = rays @ np.linalg.inv(pose)[2, :3]
    camera_known = np.array_equal(viewpoint, pose[:3, 3])
    growth = (depth / REFERENCE_MM) ** 2 if camera_known else np.ones(len(seen))
    steps = np.zeros(points.shape)
    steps[finite] = rays * np.divide(growth, depth, out=np.zeros_like(growth), where=depth > 0)[:, None]
    return steps
