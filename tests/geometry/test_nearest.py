"""Nearest points of a tree, against comparing every place with every point."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.geometry.nearest import NearestPoints


def compared(points, places, k):
    """Return the distances f8 (M, k) to the nearest points, by comparing all."""
    offset = places[:, None].astype(np.float64) - points
    distance = np.sort(np.sqrt((offset**2).sum(-1)), axis=1)[:, :k]
    return np.pad(distance, ((0, 0), (0, max(0, k - len(points)))), constant_values=np.inf)


@st.composite
def clouds(draw):
    """Points with ties and duplicates, in steps of a coarse grid, or without."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    step, offset = draw(st.sampled_from([0.0, 0.5, 20.0])), draw(st.sampled_from([0.0, 700.0]))
    points, places = (rng.normal(0, 10, (draw(st.integers(0, most)), 3)) for most in (200, 40))
    if step:
        points, places = (np.round(array / step) * step for array in (points, places))
    return (points + offset).astype(np.float32), (places + offset).astype(np.float32)


@settings(deadline=None)
@given(clouds(), st.integers(1, 20))
def test_they_equal_a_brute_search(both, k):
    points, places = both
    distance, index = NearestPoints(points).k_nearest(places, k)
    np.testing.assert_allclose(distance, compared(points, places, k), rtol=1e-12)
    for row, (place, chosen) in enumerate(zip(places.astype(np.float64), index, strict=True)):
        there = chosen[chosen < len(points)]
        assert len(set(there.tolist())) == min(k, len(points))
        apart = np.sqrt(((points[there] - place) ** 2).sum(-1))
        np.testing.assert_allclose(apart, distance[row, : len(there)], rtol=1e-12)


@settings(deadline=None)
@given(clouds(), st.sampled_from([0.4, 5.0, np.inf]))
def test_what_is_as_far_as_the_bound_or_farther_is_no_point(both, within):
    points, places = both
    distance, index = NearestPoints(points).nearest(places, within)
    nearest = compared(points, places, 1)[:, 0]
    found = nearest < within
    np.testing.assert_array_equal(index < len(points), found)
    np.testing.assert_allclose(distance, np.where(found, nearest, np.inf), rtol=1e-12)


def test_the_same_points_and_a_pickled_tree_give_the_same_answer():
    points = np.random.default_rng(0).integers(0, 8, (3000, 3)).astype(np.float32)
    tree = NearestPoints(points)
    first = tree.k_nearest(points, 9)
    for again in (NearestPoints(points), NearestPoints(np.asfortranarray(points)), pickle.loads(pickle.dumps(tree))):
        for one, other in zip(first, again.k_nearest(points, 9), strict=True):
            assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("n", [1, 5000])
def test_points_at_one_place_are_found(n):
    distance, index = NearestPoints(np.ones((n, 3), np.float32)).k_nearest(np.ones((2, 3)), 4)
    assert (distance[:, : min(n, 4)] == 0).all()
    assert index.max() <= n
