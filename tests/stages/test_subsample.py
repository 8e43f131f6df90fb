"""Stage `subsample`: N points, their arrays along, and draws only where the method draws."""

import numpy as np
import pytest
from pydantic import ValidationError

from face3d_data.errors import Reject
from face3d_data.geometry.sampling import METHODS
from face3d_data.sample import Sample
from face3d_data.stages.subsample import Subsample

CPU_METHODS = [method for method in METHODS if method != "pointnet2"]


def cloud(n: int = 3000) -> Sample:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(n, 3)).astype(np.float32)
    names = {"normals": points.copy(), "occlusion": (np.arange(n) % 3).astype(np.uint8)}
    return Sample.of({"points": points, "curvature": np.arange(n, dtype=np.float32), **names}, key="k")


@pytest.mark.parametrize("method", CPU_METHODS)
def test_every_method_keeps_n_points_with_their_arrays(method):
    sample = cloud()
    kept = Subsample(n_points=128, method=method).apply(sample).arrays
    index = kept["curvature"].astype(int)
    assert len(np.unique(index)) == 128
    np.testing.assert_array_equal(kept["points"], sample.arrays["points"][index])
    np.testing.assert_array_equal(kept["normals"], kept["points"])
    np.testing.assert_array_equal(kept["occlusion"], index % 3)


@pytest.mark.parametrize("method", CPU_METHODS)
def test_only_methods_that_draw_are_random_and_follow_the_seed(method):
    stage = Subsample(n_points=64, method=method)
    one, two = (stage.apply(cloud(), seed=seed).arrays["points"] for seed in (1, 2))
    assert stage.random == (method in ("poisson", "random"))
    assert np.array_equal(one, two) != stage.random


def test_curvature_is_made_where_it_is_absent():
    sample = cloud().without("curvature")
    holed = sample.arrays["points"].copy()
    holed[:7] = np.nan
    kept = Subsample(n_points=100, method="curvature").apply(sample.with_arrays(points=holed)).arrays["points"]
    assert np.isfinite(kept).all()
    assert len(kept) == 100


def test_duplicates_and_holes_are_dropped_before_counting():
    points = np.repeat(np.random.default_rng(0).normal(size=(50, 3)), 3, axis=0).astype(np.float32)
    points = np.vstack([points, np.full((5, 3), np.nan, np.float32)])
    kept = Subsample(n_points=50).apply(Sample.of({"points": points})).arrays["points"]
    assert len(np.unique(kept, axis=0)) == 50
    with pytest.raises(Reject, match="too_few_points: 50 < 51"):
        Subsample(n_points=51).apply(Sample.of({"points": points}))


def test_padding_repeats_points_if_asked():
    points = np.arange(12, dtype=np.float32).reshape(4, 3)
    kept = Subsample(n_points=10, pad=True).apply(Sample.of({"points": points})).arrays["points"]
    assert len(kept) == 10
    np.testing.assert_array_equal(np.unique(kept, axis=0), points)
    with pytest.raises(Reject, match="too_few_points"):
        Subsample(n_points=10, pad=True).apply(Sample.of({"points": points[:0]}))


def test_wrong_parameters_are_refused():
    with pytest.raises(ValidationError):
        Subsample(n_points=0)
    with pytest.raises(ValidationError):
        Subsample(method="fps")
