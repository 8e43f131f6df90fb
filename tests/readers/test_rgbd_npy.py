"""RGB-D pairs by stem."""

import json

import numpy as np
import pytest

from face3d_data.component import build
from face3d_data.errors import Unreadable, UserError
from face3d_data.readers.rgbd_npy import RgbdNpy
from face3d_data.testing import tiny_capture, write_tiny_npy

CAMERA = [72.0, 72.0, 15.5, 11.5]


@pytest.fixture
def root(tmp_path):
    return write_tiny_npy(tmp_path / "data", people=2, captures=1)


def reader(root, **options) -> RgbdNpy:
    return build(RgbdNpy, {"root": root, **options}, "source 'x'")


def test_a_pair_is_read_in_millimetres_with_holes_as_zero(root):
    made = tiny_capture(1, 0)
    metres = root / "person_0001" / "0000.npy"
    np.save(metres, np.load(metres).astype(np.float64) / 1000)
    npy = reader(root, intrinsics=CAMERA, depth_scale=1)
    sample = npy.sample(list(npy.scan())[1])
    assert np.array_equal(sample.arrays["color"], made.color)
    np.testing.assert_allclose(sample.arrays["depth"], made.depth_mm, rtol=1e-6)
    assert (sample.arrays["depth"] == 0).any()
    assert sample.arrays["depth"].dtype == np.float32
    assert sample.arrays["intrinsics"].tolist() == CAMERA


def test_the_camera_may_be_a_file_a_list_or_text(root):
    path = root / "intrinsics.json"
    for given in (path, str(path), [str(path)], CAMERA, "72,72,15.5,11.5", root / "72,72,15.5,11.5"):
        npy = reader(root, intrinsics=given)
        assert npy.load(next(npy.scan()), "intrinsics").tolist() == CAMERA


def test_without_unit_or_camera_the_arrays_are_not_promised(root):
    assert reader(root).provides() == ("color",)
    assert reader(root, depth_scale=0.001).provides() == ("color", "depth")
    assert reader(root, intrinsics=CAMERA).provides() == ("color", "intrinsics")
    assert next(reader(root).scan()).arrays == ("color",)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"intrinsics": "1,2,3"}, "'intrinsics' = '1,2,3': expected four numbers fx,fy,cx,cy or a JSON file, got 3"),
        ({"intrinsics": "a,b,c,d"}, "expected four numbers"),
        ({"intrinsics": [0, 1, 2, 3]}, "fx = 0.0 must be above 0"),
        ({"depth_scale": 0}, "depth_scale"),
        ({"depth_scale": 2}, "depth_scale"),
    ],
)
def test_wrong_options_are_named(root, options, said):
    with pytest.raises(UserError, match=said):
        reader(root, **options)


def test_a_wrong_camera_file_is_named(root, tmp_path):
    with pytest.raises(UserError, match=r"intrinsics: .*gone\.json: cannot be read"):
        list(reader(root, intrinsics=tmp_path / "gone.json").scan())
    (root / "intrinsics.json").write_text(json.dumps({"fx": 1}))
    with pytest.raises(UserError, match="key 'fy' is missing"):
        list(reader(root, intrinsics=root / "intrinsics.json").scan())


def test_the_cameras_content_enters_the_fingerprint(root, tmp_path):
    copy = tmp_path / "other.json"
    copy.write_bytes((root / "intrinsics.json").read_bytes())
    first = reader(root, intrinsics=root / "intrinsics.json").fingerprint()
    assert reader(root, intrinsics=copy).fingerprint() == first
    copy.write_text(copy.read_text() + " ")
    assert reader(root, intrinsics=copy).fingerprint() != first
    assert reader(root, depth_scale=0.001).fingerprint() != reader(root, depth_scale=0.002).fingerprint()


@pytest.mark.parametrize("fault", [np.inf, -np.inf])
def test_infinite_readings_are_holes(root, fault):
    path = root / "person_0000" / "0000.npy"
    depth = np.load(path)
    np.save(path, np.where(depth > 0, depth, fault))
    npy = reader(root, intrinsics=CAMERA, depth_scale=0.001)
    assert np.array_equal(npy.sample(next(npy.scan())).arrays["depth"], np.where(depth > 0, depth, 0))


@pytest.mark.parametrize("fault", ["nan", "huge", "cut", "zero", "text"])
def test_bad_depth_is_unreadable(root, fault):
    path = root / "person_0000" / "0000.npy"
    depth = np.load(path)
    if fault in ("nan", "huge"):
        np.save(path, np.full(depth.shape, np.nan if fault == "nan" else 1e39))
    else:
        path.write_bytes({"cut": path.read_bytes()[:-100], "zero": b"", "text": b"depth, honestly"}[fault])
    npy = reader(root, intrinsics=CAMERA, depth_scale=0.001)
    source = next(npy.scan())
    with pytest.raises(Unreadable) as caught:
        npy.sample(source).arrays["depth"]
    assert caught.value.reason == "unreadable"


def test_infinite_depth_is_no_reading(root):
    path = root / "person_0000" / "0000.npy"
    depth = np.load(path).astype(np.float32)
    holes = np.zeros(depth.shape, bool)
    holes[::3, ::2] = True
    npy = reader(root, intrinsics=CAMERA, depth_scale=0.001)
    np.save(path, np.where(holes, 0, depth))
    want = npy.sample(next(npy.scan())).arrays["depth"]
    np.save(path, np.where(holes, np.inf, depth))
    np.testing.assert_array_equal(npy.sample(next(npy.scan())).arrays["depth"], want)


def test_another_size_or_type_is_found_in_the_headers(root):
    npy = reader(root, intrinsics=root / "intrinsics.json", depth_scale=0.001)
    first, second = npy.scan()
    np.save(first.files["depth"], np.zeros((24, 33), np.float32))
    np.save(second.files["depth"], np.zeros((24, 32), np.uint8))
    for source, reason in ((first, "size_mismatch"), (second, "depth_8bit")):
        with pytest.raises(Unreadable) as caught:
            npy.inspect(source)
        assert caught.value.reason == reason


def test_a_camera_file_of_another_size_is_found(root):
    camera = json.loads((root / "intrinsics.json").read_text())
    (root / "intrinsics.json").write_text(json.dumps(camera | {"width": 640, "height": 480}))
    npy = reader(root, intrinsics=root / "intrinsics.json", depth_scale=0.001)
    with pytest.raises(Unreadable, match="size_mismatch: colour 32x24, depth 32x24, the camera file 640x480"):
        npy.inspect(next(npy.scan()))


def test_missing_twins_are_listed(root):
    (root / "person_0000" / "0000.png").unlink()
    (root / "person_0001" / "0000.npy").unlink()
    assert [source.problem[0] for source in reader(root).scan()] == ["no_color", "no_depth"]
