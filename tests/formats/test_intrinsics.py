"""intrinsics.json and landmarks.json."""

import json
import reprlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from face3d_data.formats.intrinsics import Intrinsics, metres_per_unit, parse_intrinsics, read_intrinsics
from face3d_data.formats.landmarks import LANDMARK_NAMES, landmark_points, read_landmarks

GOOD = {"fx": 615, "fy": 615.5, "cx": 319.5, "cy": 239.5, "width": 640, "height": 480, "depth_scale": 0.001}
short = reprlib.repr


def test_a_camera_is_read(tmp_path):
    path = tmp_path / "intrinsics.json"
    path.write_text(json.dumps(GOOD | {"serial": "x"}))
    assert read_intrinsics(path) == Intrinsics(615.0, 615.5, 319.5, 239.5, 640, 480, 0.001, serial="x")


@pytest.mark.parametrize("key", GOOD)
def test_a_missing_key_is_named_with_its_file(tmp_path, key):
    path = tmp_path / "intrinsics.json"
    path.write_text(json.dumps({k: v for k, v in GOOD.items() if k != key}))
    with pytest.raises(ValueError, match=f"{path}: key '{key}' is missing"):
        read_intrinsics(path)


@pytest.mark.parametrize("key", GOOD)
@pytest.mark.parametrize("value", [None, "1", True, float("nan"), float("inf"), [1], 10**400, -(10**400)], ids=short)
def test_what_is_no_number_is_named(key, value):
    with pytest.raises(ValueError, match=rf"^{key} = .* is not a finite number"):
        parse_intrinsics(GOOD | {key: value})


@pytest.mark.parametrize(("key", "value"), [("fx", 0), ("fy", -1), ("width", 0), ("height", 480.5)])
def test_impossible_values_are_refused(key, value):
    with pytest.raises(ValueError, match=f"{key} = "):
        parse_intrinsics(GOOD | {key: value})


@given(st.floats(1e-6, 0.1) | st.just(1.0))
def test_metres_per_unit_are_accepted(scale):
    assert metres_per_unit(scale) == scale


@given(st.floats(0.1, 9.99, exclude_min=True).filter(lambda scale: scale != 1) | st.floats(-1000, 9e-7))
def test_other_scales_are_refused(scale):
    with pytest.raises(ValueError, match=r"must be metres per unit.*or units per metre"):
        metres_per_unit(scale)


@given(st.floats(10, 1e6))
def test_units_per_metre_are_read_too(scale):
    assert metres_per_unit(scale) == 1 / scale


@pytest.mark.parametrize("content", ["", "{", "[1]", "3", "[" * 100_000, '{"a":' * 100_000, "9" * 5000], ids=short)
def test_other_content_is_named_with_its_file(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=str(path)):
        read_intrinsics(path)
    with pytest.raises(ValueError, match=str(path)):
        read_landmarks(path)


def test_the_size_and_scale_may_be_missing_where_not_needed():
    assert parse_intrinsics({"fx": 1, "fy": 2, "cx": 3, "cy": 4}, need_scale=False) == Intrinsics(1, 2, 3, 4)


def test_landmarks_come_in_the_arrays_order():
    entry = {"landmarks_px": {name: [i, i + 0.5] for i, name in reversed(list(enumerate(LANDMARK_NAMES)))}}
    assert landmark_points(entry) == [[0, 0.5], [1, 1.5], [2, 2.5], [3, 3.5], [4, 4.5]]
    assert landmark_points({"expression": "smile"}) is None


BAD_POINTS = [None, [1], [1, 2, 3], [1, "2"], [1, True], [1, float("nan")], [10**400, 1], [1, 1e39], {"x": 1}]


@pytest.mark.parametrize("bad", BAD_POINTS, ids=short)
def test_a_bad_point_is_named(bad):
    points = {name: [1, 2] for name in LANDMARK_NAMES} | {"nose": bad}
    with pytest.raises(ValueError, match=r"landmarks_px\.nose"):
        landmark_points({"landmarks_px": points})


def test_what_is_said_of_a_bad_value_is_short():
    with pytest.raises(ValueError, match="fx") as caught:
        parse_intrinsics(GOOD | {"fx": 10**400})
    assert len(str(caught.value)) < 100
