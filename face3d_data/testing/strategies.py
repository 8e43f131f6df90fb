"""Hypothesis strategies for clouds, images and samples. Needs `hypothesis`, so this module is imported by itself."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from face3d_data.sample import Sample
from face3d_data.testing.tiny import tiny_sample


@st.composite
def point_clouds(draw: st.DrawFn, min_points: int = 1, max_points: int = 400, spoiled: bool = True) -> np.ndarray:
    """Draw points f4 (N, 3) in mm: spread, on a plane, on a line or repeated; where `spoiled`, some NaN or infinite."""
    n_points = draw(st.integers(min_points, max_points))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    points = rng.normal(0, draw(st.sampled_from([0.1, 50.0, 2000.0])), (n_points, 3))
    shape = draw(st.sampled_from(["spread", "plane", "line", "repeated", "grid"]))
    if shape in ("plane", "line"):
        points[:, (2 if shape == "plane" else 1) :] = 0
    if shape == "repeated":
        points = points[rng.integers(0, max(1, n_points // 4), n_points)]
    if shape == "grid":
        points = np.round(points)
    points += draw(st.sampled_from([0.0, 600.0]))
    if spoiled and draw(st.booleans()):
        share = draw(st.sampled_from([0.05, 0.5]))
        points[rng.random(n_points) < share] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    return points.astype(np.float32)


@st.composite
def depth_images(draw: st.DrawFn, max_side: int = 40) -> np.ndarray:
    """Draw a depth image f4 (H, W) in mm with holes of 0, sometimes nothing but holes."""
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    depth = rng.uniform(200, 3000, (height, width))
    depth[rng.random((height, width)) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = 0
    return depth.astype(np.float32)


@st.composite
def samples(draw: st.DrawFn, size: tuple[int, int] = (48, 36)) -> Sample:
    """Draw a tiny person's sample with all arrays of an RGB-D capture; `size` is (width, height) in px."""
    person, capture = draw(st.integers(0, 10**6)), draw(st.integers(0, 100))
    return tiny_sample(person, capture, *size, seed=draw(st.integers(0, 10)))
