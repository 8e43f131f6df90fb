"""The shipped strategies give what they promise, and per-point arrays stay together under every choice of points."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.sample import ARRAYS, PER_POINT, check_array, check_points_agree
from face3d_data.testing.strategies import depth_images, point_clouds, samples


@given(point_clouds(min_points=3, max_points=50))
def test_point_clouds_are_declared_arrays(points):
    check_array("points", points)
    assert 3 <= len(points) <= 50


@given(point_clouds(spoiled=False))
def test_unspoiled_clouds_are_finite(points):
    assert np.isfinite(points).all()


@given(depth_images())
def test_depth_images_are_declared_arrays(depth):
    check_array("depth", depth)
    assert depth.min() >= 0


@settings(max_examples=20, deadline=None)
@given(samples(), st.data())
def test_chosen_points_keep_their_own_rows(sample, data):
    n_points = len(sample.arrays["points"])
    chosen = np.array(data.draw(st.lists(st.integers(0, n_points - 1), max_size=20)), int)
    taken = sample.take(chosen)
    check_points_agree(taken)
    for name in ("points", *PER_POINT):
        assert np.array_equal(taken.arrays[name], sample.arrays[name][chosen])


@settings(max_examples=10, deadline=None)
@given(samples())
def test_samples_have_every_array_of_a_capture_with_room_for_a_face(sample):
    found_later = {name for name in ARRAYS if "_68" in name or "_dense" in name or name.startswith(("vert", "map"))}
    assert set(sample.arrays) == set(ARRAYS) - {"grid", "grid_color", "distortion"} - found_later
    nose = sample.arrays["landmarks_3d"][2]
    near = np.linalg.norm(sample.arrays["points"] - nose, axis=1) < 90
    assert near.sum() > 300
