"""Values that JSON allows and no capture can have: they cost the capture that they stand beside, and no other."""

import json
import reprlib

import pytest

from face3d_data.reader import source_key
from face3d_data.readers.rgbd_folder import RgbdFolder
from face3d_data.readers.rgbd_npy import RgbdNpy
from face3d_data.testing import write_tiny_rgbd
from face3d_data.unchanged import read_state


@pytest.fixture
def root(tmp_path):
    return write_tiny_rgbd(tmp_path / "data", people=1, captures=2)


def scan(root):
    found = list(RgbdFolder(root=root).scan())
    for source in found:
        if source.problem is None:
            source_key("reader", source.hashed(read_state))
        else:
            source.problem[1].encode()
    return {source.capture: source for source in found}


def record(root, **values):
    path = root / "person_0000" / "landmarks.json"
    entries = json.loads(path.read_text())
    entries["capture_00"] |= values
    path.write_text(json.dumps(entries))


BAD = [float("nan"), float("inf"), -float("inf"), "\ud800x", 10**400, [1], {"a": 1}]


@pytest.mark.parametrize("name", ["expression", "yaw_deg", "distance_mm"])
@pytest.mark.parametrize("value", BAD, ids=reprlib.repr)
def test_a_tag_that_cannot_be_kept_is_bad_landmarks_of_its_capture(root, name, value):
    record(root, **{name: value})
    found = scan(root)
    reason, detail = found["capture_00"].problem
    assert (reason, name in detail, len(detail) < 150) == ("bad_landmarks", True, True)
    assert found["capture_01"].problem is None


@pytest.mark.parametrize("value", ["", "Zoë", "a\nb", 0, -3, 12.5, True, False])
def test_texts_numbers_and_flags_are_kept_as_they_are(root, value):
    record(root, yaw_deg=value)
    assert scan(root)["capture_00"].tags["yaw_deg"] is value or scan(root)["capture_00"].tags["yaw_deg"] == value


def test_null_is_no_tag(root):
    record(root, expression=None)
    found = scan(root)["capture_00"]
    assert (found.problem, "expression" in found.tags) == (None, False)


def test_a_landmark_that_no_array_holds_is_bad_landmarks(root):
    record(root, landmarks_px={name: [10**400, 1] for name in ("left_eye", "right_eye", "nose")})
    assert scan(root)["capture_00"].problem[0] == "bad_landmarks"


def test_brackets_without_end_are_bad_landmarks(root):
    (root / "person_0000" / "landmarks.json").write_text("[" * 100_000)
    assert {source.problem[0] for source in scan(root).values()} == {"bad_landmarks"}


@pytest.mark.parametrize("key", ["fx", "width", "depth_scale"])
def test_a_camera_of_400_digits_is_bad_intrinsics(root, key):
    camera = json.loads((root / "intrinsics.json").read_text()) | {key: 10**400}
    (root / "person_0000" / "capture_00_intrinsics.json").write_text(json.dumps(camera))
    found = scan(root)
    assert found["capture_00"].problem[0] == "bad_intrinsics"
    assert found["capture_01"].problem is None


def test_a_camera_option_of_400_digits_is_refused(root):
    with pytest.raises(ValueError, match="four numbers"):
        RgbdNpy(root=root, intrinsics=[10**400, 1, 1, 1])
