"""Dropout, holes, resampling: which points go, which stay, and in which order."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from face3d_data.augment.dropout import Dropout
from face3d_data.augment.holes import Holes
from face3d_data.augment.resampling import Resampling
from face3d_data.testing.contract_augmentation import tiny_arrays


def kept_rows(operation, record, arrays=None) -> np.ndarray:
    arrays = arrays or tiny_arrays()
    return {**arrays, **operation.apply(arrays, record)}["curvature"].astype(int)


def test_dropout_removes_about_its_share_and_keeps_the_order():
    rows = kept_rows(Dropout(), {"dropout": 0.25, "dropout_seed": 1})
    assert len(rows) / len(tiny_arrays()["points"]) == pytest.approx(0.75, abs=0.03)
    assert (np.diff(rows) > 0).all()


def test_dropout_draws_its_share_evenly_from_nothing_on():
    rng = np.random.default_rng(0)
    shares = np.array([Dropout(dropout=0.4).draw(rng)["dropout"] for _ in range(1000)])
    assert 0 <= shares.min() < 0.01
    assert 0.39 < shares.max() < 0.4
    assert shares.mean() == pytest.approx(0.2, abs=0.01)


def test_holes_are_balls_round_points_and_nothing_else_goes():
    arrays = tiny_arrays()
    record = {"holes": 3, "hole_radius_mm": 15.0, "holes_seed": 4}
    rows = kept_rows(Holes(), record)
    gone = np.setdiff1d(np.arange(len(arrays["points"])), rows)
    wanted = np.random.default_rng(4).choice(len(arrays["points"]), 3)
    distance, _ = cKDTree(arrays["points"][wanted]).query(arrays["points"])
    np.testing.assert_array_equal(gone, np.flatnonzero(distance <= 15))
    assert len(gone) > 3


def test_number_and_radius_of_holes_are_drawn_within_their_bounds():
    rng = np.random.default_rng(0)
    records = [Holes(holes=4, hole_radius_mm=10).draw(rng) for _ in range(500)]
    assert {record["holes"] for record in records} == {0, 1, 2, 3, 4}
    radii = [record["hole_radius_mm"] for record in records]
    assert 5 <= min(radii) < 5.1
    assert 9.9 < max(radii) <= 10


@pytest.mark.parametrize("method", ["fast", "poisson", "random"])
def test_samplings_of_one_surface_differ_and_are_each_distinct(method):
    operation = Resampling(resample_points=200, resample_method=method)
    one, two = (kept_rows(operation, operation.draw(np.random.default_rng(seed))) for seed in (0, 1))
    assert len(np.unique(one)) == len(np.unique(two)) == 200
    assert len(np.intersect1d(one, two)) < 100


def test_farthest_and_poisson_points_are_spread_wider_than_any():
    arrays = tiny_arrays()
    spacing = {}
    for method in ("fast", "poisson", "random"):
        rows = kept_rows(Resampling(), {"resample_points": 200, "resample_method": method, "resample_seed": 0})
        spacing[method] = cKDTree(arrays["points"][rows]).query(arrays["points"][rows], 2)[0][:, 1].min()
    assert min(spacing["fast"], spacing["poisson"]) > 2 * spacing["random"]


def test_too_few_points_are_all_kept_and_some_once_more():
    arrays = {name: array[:100] for name, array in tiny_arrays().items() if name in ("points", "curvature")}
    rows = kept_rows(Resampling(), {"resample_points": 250, "resample_method": "fast", "resample_seed": 0}, arrays)
    counts = np.bincount(rows, minlength=100)
    assert counts.sum() == 250
    assert set(counts) == {2, 3}


def test_points_that_are_not_finite_are_never_chosen():
    points = tiny_arrays()["points"].copy()
    points[::2] = np.inf
    for n_points in (100, 5000):
        record = {"resample_points": n_points, "resample_method": "fast", "resample_seed": 0}
        chosen = Resampling().apply({"points": points}, record)["points"]
        assert len(chosen) == n_points
        assert np.isfinite(chosen).all()
