"""Fused depth: medians that were measured, and holes, against plain loops."""

import numpy as np
import pytest

from face3d_data.geometry.depth_fusion import fused_depth


def by_loops(frames):
    out = np.zeros(frames.shape[1:], frames.dtype)
    for place in np.ndindex(out.shape):
        seen = sorted(int(value) for value in frames[(slice(None), *place)] if value)
        if len(seen) >= len(frames) / 2:
            out[place] = seen[(len(seen) - 1) // 2] if seen else 0
    return out


@pytest.mark.parametrize("number", range(1, 9))
def test_it_is_the_lower_median_of_the_readings(number):
    rng = np.random.default_rng(number)
    frames = rng.integers(500, 900, (number, 9, 11)).astype(np.uint16)
    frames[rng.random(frames.shape) < 0.4] = 0
    fused = fused_depth(frames)
    assert fused.dtype == np.uint16
    assert np.array_equal(fused, by_loops(frames))


def test_a_rare_reading_is_a_hole_and_an_edge_is_no_mean_of_both_sides():
    frames = np.array([[[0, 600, 600]], [[0, 600, 0]], [[0, 900, 0]], [[700, 900, 602]]], np.uint16)
    assert fused_depth(frames).tolist() == [[0, 600, 600]]


def test_one_frame_is_itself():
    frame = np.array([[0, 65_535]], np.uint16)
    assert np.array_equal(fused_depth(frame[None]), frame)
