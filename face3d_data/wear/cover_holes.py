"""Holes in depth readings: how frequent they are in a depth image, and the same frequency on an occluder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EDGE_MM = 12.0
"""A larger step between neighbours is the edge of something nearer."""
WIDEST_PX = 6
FEWEST_EDGES = 30


@dataclass(frozen=True)
class HoleModel:
    """How a depth camera loses readings.

    Attributes:
        share: of the readings of a surface that are lost, 0..1.
        edge_px: width of the gap between readings at the edge of something nearer.
    """

    share: float = 0.0
    edge_px: float = 0.0


def measure_holes(depth: np.ndarray) -> HoleModel:
    """Count the gaps between readings along rows and columns.

    Args:
        depth: f4 (H, W), mm, 0 = no reading: the surroundings of a face.
    """
    lost, read = np.zeros(2), np.zeros(2)
    for image in (depth, depth.T):
        for gap in range(min(WIDEST_PX + 1, len(image) - 1)):
            before, after = image[: -gap - 1], image[gap + 1 :]
            bridged = (before > 0) & (after > 0)
            for i in range(1, gap + 1):
                bridged &= image[i : len(image) - gap - 1 + i] == 0
            steps = np.abs(before[bridged] - after[bridged])
            counts = np.bincount((steps > EDGE_MM).astype(np.intp), minlength=2)
            lost += gap * counts
            read += counts
    share = float(lost[0] / max(lost[0] + read[0], 1))
    return HoleModel(share, float(lost[1] / read[1]) if read[1] >= FEWEST_EDGES else 0.0)


def lost_readings(z_mm: np.ndarray, occluded: np.ndarray, holes: HoleModel, rng: np.random.Generator) -> np.ndarray:
    """Return bool (h, w), True where the camera loses the occluder: at random, and next to what is far behind it.

    Args:
        z_mm: f4 (h, w), what is seen, the occluder in it; 0 = nothing.
        occluded: bool (h, w), pixels that see the occluder.
        holes: how often that happens; half of the gap at an edge is the nearer side's.
        rng: draws where.
    """
    lost = np.zeros(z_mm.shape, bool)
    if not holes.share and not holes.edge_px:
        return lost
    reach = holes.edge_px / 2
    lost = rng.random(z_mm.shape, dtype=np.float32) < holes.share
    chance = rng.random(z_mm.shape, dtype=np.float32)
    for step in range(1, int(np.ceil(reach)) + 1):
        for axis in (0, 1):
            for side in (step, -step):
                behind = _far_behind(z_mm, occluded, axis, side)
                lost |= behind & (chance < reach - step + 1)
    return lost & occluded


def _far_behind(z_mm: np.ndarray, occluded: np.ndarray, axis: int, side: int) -> np.ndarray:
    """Return bool (h, w): the pixel that many steps aside is no occluder and far behind this one."""
    z, on = (z_mm, occluded) if axis == 0 else (z_mm.T, occluded.T)
    scene, beside = np.where(on, 0, z), np.zeros_like(z)
    if side > 0:
        beside[:-side] = scene[side:]
    else:
        beside[-side:] = scene[:side]
    far = beside > z + EDGE_MM
    return far if axis == 0 else far.T
