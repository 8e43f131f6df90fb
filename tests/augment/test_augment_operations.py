"""What holds for every operation of augmentation: zero changes nothing, a record decides everything, rows follow."""

import json

import numpy as np
import pytest
from augment_examples import KINDS, STRONG, fitting, same, strong, zero
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.augment.augmentation import OPERATIONS
from face3d_data.augment.operation import uniform
from face3d_data.sample import ARRAYS, PER_POINT, check_array
from face3d_data.testing.contract_augmentation import tiny_arrays
from face3d_data.testing.strategies import point_clouds

every_operation = pytest.mark.parametrize("name", KINDS)


def test_every_operation_has_an_example_here():
    assert list(STRONG) == [kind.name for kind in OPERATIONS]


@every_operation
def test_zero_strength_is_off_and_draws_the_identity(name):
    operation, arrays = zero(name), fitting(name)
    assert not operation.is_on()
    assert strong(name).is_on()
    assert operation.apply(arrays, operation.draw(np.random.default_rng(0))) == {}


@every_operation
def test_a_record_is_json_and_decides_every_byte(name):
    operation, arrays = strong(name), fitting(name)
    record = operation.draw(np.random.default_rng(5))
    assert set(record) == set(operation.draws)
    assert record == operation.draw(np.random.default_rng(5))
    changed = operation.apply(arrays, record)
    assert changed
    stored = json.loads(json.dumps({**record, "of_another_operation": 1}))
    assert same(operation.apply(arrays, stored), changed)
    assert same(zero(name).apply(arrays, record), changed)


@every_operation
def test_another_seed_gives_another_draw(name):
    operation, arrays = strong(name), fitting(name)
    if name in ("mirror", "flip"):
        operation = KINDS[name](**{f"{name}_p": 0.5})
    results = [operation.apply(arrays, operation.draw(np.random.default_rng(seed))) for seed in range(6)]
    assert any(not same(results[0], other) for other in results[1:])


@every_operation
def test_only_declared_arrays_change_and_keep_their_forms(name):
    operation, arrays = strong(name), fitting(name)
    changed = operation.apply(arrays, operation.draw(np.random.default_rng(1)))
    assert changed.keys() <= set(operation.acts_on) <= ARRAYS.keys()
    for key, array in changed.items():
        check_array(key, array)
        assert array.flags.c_contiguous
        assert not np.shares_memory(array, arrays[key])


@every_operation
def test_only_declared_arrays_are_read(name):
    operation, read = strong(name), set()

    class Watched(dict):
        def __getitem__(self, key):
            read.add(key)
            return super().__getitem__(key)

        def get(self, key, default=None):
            read.add(key)
            return super().get(key, default)

    operation.apply(Watched(fitting(name)), operation.draw(np.random.default_rng(1)))
    assert read <= {*operation.needs, *operation.acts_on, *operation.reads}


@every_operation
def test_arrays_that_follow_the_points_do(name):
    operation, arrays = strong(name), tiny_arrays()
    after = {**arrays, **operation.apply(arrays, operation.draw(np.random.default_rng(2)))}
    rows = after["curvature"].astype(int)
    assert {len(after[key]) for key in ("points", *PER_POINT)} == {len(rows)}
    np.testing.assert_array_equal(after["occlusion"], rows % 3)
    if name != "color_jitter":
        np.testing.assert_array_equal(after["point_colors"], arrays["point_colors"][rows])


@every_operation
@pytest.mark.filterwarnings("error")
@given(point_clouds(max_points=60), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_no_cloud_breaks_an_operation(name, points, seed):
    operation = strong(name)
    for some in (points, points[:0], points[:1]):
        arrays = {"points": some, "landmarks_3d": np.full((5, 3), np.nan, np.float32)}
        changed = operation.apply(arrays, operation.draw(np.random.default_rng(seed)))
        for key, array in changed.items():
            check_array(key, array)


@given(st.floats(1e-6, 1.0), st.integers(0, 99))
def test_no_draw_leaves_its_bounds_by_rounding(bound, seed):
    drawn = uniform(np.random.default_rng(seed), -bound, bound)
    assert -bound <= drawn <= bound
    assert drawn in (-bound, round(drawn, 4), bound)


def test_names_of_options_and_of_drawn_values_are_separated():
    for attribute in ("model_fields", "draws"):
        names = [name for kind in OPERATIONS for name in getattr(kind, attribute)]
        assert len(set(names)) == len(names), attribute
    for kind in OPERATIONS:
        assert set(kind.strengths) <= kind.model_fields.keys()
        assert all(info.description for info in kind.model_fields.values())


@pytest.mark.parametrize("name", ["rotation", "scale", "translation", "mirror"])
def test_no_axis_is_scaled_by_itself(name):
    operation, arrays = strong(name), fitting(name)
    after = operation.apply(arrays, operation.draw(np.random.default_rng(3)))["points"].astype(np.float64)
    before = arrays["points"].astype(np.float64)
    pairs = np.random.default_rng(0).integers(0, len(before), (200, 2))
    ratio = _distances(after, pairs) / _distances(before, pairs)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)
    if name != "scale":
        np.testing.assert_allclose(ratio, 1, rtol=1e-4)


def _distances(points, pairs):
    return np.maximum(np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1), 1e-9)
