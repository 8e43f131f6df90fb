"""The pinhole camera: projections invert each other, holes give no points, a region changes nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from face3d_data.geometry.camera import depth_to_points, project, sphere_region, unproject

INTRINSICS = np.array([600.0, 610.0, 31.5, 23.5])
depths = hnp.arrays(np.float32, (12, 16), elements=st.one_of(st.just(0.0), st.floats(300, 900, width=32)))


@given(hnp.arrays(np.float64, (7, 2), elements=st.floats(-500, 500)), st.floats(1, 5000))
def test_project_inverts_unproject(pixels, z):
    points = unproject(pixels, np.full(7, z), INTRINSICS)
    np.testing.assert_allclose(project(points, INTRINSICS), pixels, atol=1e-9)


@pytest.mark.slow
@given(depths)
def test_every_reading_becomes_one_point_and_holes_none(depth):
    points, pixels = depth_to_points(depth, INTRINSICS)
    assert points.dtype == np.float32
    np.testing.assert_array_equal(pixels, np.flatnonzero(depth))
    np.testing.assert_array_equal(points[:, 2], depth.ravel()[pixels])
    v, u = np.divmod(pixels, depth.shape[1])
    np.testing.assert_allclose(project(points, INTRINSICS), np.stack([u, v], axis=1), atol=1e-3)


@pytest.mark.slow
@given(depths, st.integers(0, 10), st.integers(0, 10), st.integers(1, 6), st.integers(1, 6))
def test_a_region_gives_the_same_points_as_the_whole_image(depth, x0, y0, width, height):
    region = (x0, y0, min(x0 + width, 16), min(y0 + height, 12))
    points, pixels = depth_to_points(depth, INTRINSICS, region)
    whole, whole_pixels = depth_to_points(depth, INTRINSICS)
    v, u = np.divmod(whole_pixels, 16)
    inside = (u >= region[0]) & (u < region[2]) & (v >= region[1]) & (v < region[3])
    np.testing.assert_array_equal(pixels, whole_pixels[inside])
    np.testing.assert_array_equal(points, whole[inside])


def test_nan_and_negative_readings_are_holes():
    depth = np.array([[np.nan, -5.0, np.inf, 0.0, 400.0]], np.float32)
    points, pixels = depth_to_points(depth, INTRINSICS)
    assert pixels.tolist() == [4]
    assert points.shape == (1, 3)


@given(st.floats(-150, 150), st.floats(-150, 150), st.floats(300, 900), st.integers(0, 2**32 - 1))
def test_sphere_region_holds_every_pixel_of_the_sphere(x, y, z, seed):
    centre, radius = np.array([x, y, z]), 90.0
    offsets = np.random.default_rng(seed).normal(size=(200, 3))
    surface = centre + radius * offsets / np.linalg.norm(offsets, axis=1, keepdims=True)
    seen = project(surface, INTRINSICS)
    x0, y0, x1, y1 = sphere_region(centre, radius, INTRINSICS, (48, 64))
    inside = (seen[:, 0] >= 0) & (seen[:, 0] <= 63) & (seen[:, 1] >= 0) & (seen[:, 1] <= 47)
    seen = seen[inside]
    assert (seen[:, 0] >= x0).all()
    assert (seen[:, 0] <= x1 - 1).all()
    assert (seen[:, 1] >= y0).all()
    assert (seen[:, 1] <= y1 - 1).all()


def test_a_camera_inside_the_sphere_takes_the_whole_image():
    assert sphere_region(np.array([0, 0, 50.0]), 90.0, INTRINSICS, (48, 64)) == (0, 0, 64, 48)
