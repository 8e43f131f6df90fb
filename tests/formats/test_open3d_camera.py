"""camera_intrinsic.json and intrinsic.json of Open3D's tools."""

import json
import reprlib

import pytest

from face3d_data.formats.intrinsics import Intrinsics, metres_per_unit, parse_intrinsics, read_intrinsics

RECORDER = b"""{
    "width": 640,
    "height": 480,
    "intrinsic_matrix": [
        616.5,
        0,
        0,
        0,
        616.75,
        0,
        327.25,
        237.5,
        1
    ]
}"""
"""As `realsense_recorder.py` writes it: fx 0 0, 0 fy 0, cx cy 1."""
BAG_READER = {
    "color_format": "RS2_FORMAT_RGB8",
    "depth_format": "RS2_FORMAT_Z16",
    "depth_scale": 3999.999755859375,
    "device_name": "Intel RealSense L515",
    "fps": 30.0,
    "height": 540,
    "intrinsic_matrix": [688.5, 0.0, 0.0, 0.0, 688.75, 0.0, 482.5, 269.5, 1.0],
    "serial_number": "f0141095",
    "stream_length_usec": 14966000,
    "width": 960,
}
GOOD = json.loads(RECORDER)
short = reprlib.repr


def parse(values):
    return parse_intrinsics(values, need_scale=False)


def test_the_literals_are_read(tmp_path):
    path = tmp_path / "camera_intrinsic.json"
    path.write_bytes(RECORDER)
    assert read_intrinsics(path, need_scale=False) == Intrinsics(616.5, 616.75, 327.25, 237.5, 640, 480)
    path.write_text(json.dumps(BAG_READER))
    assert read_intrinsics(path) == Intrinsics(
        *(688.5, 688.75, 482.5, 269.5, 960, 540, 1 / 3999.999755859375),
        device="Intel RealSense L515",
        serial="f0141095",
    )


@pytest.mark.parametrize(
    "matrix",
    [
        [616.5, 0, 327.25, 0, 616.75, 237.5, 0, 0, 1],
        [[616.5, 0, 327.25], [0, 616.75, 237.5], [0, 0, 1]],
        [[616.5, 0, 0], [0, 616.75, 0], [327.25, 237.5, 1]],
    ],
)
def test_rows_are_told_from_columns(matrix):
    assert parse(GOOD | {"intrinsic_matrix": matrix}) == parse(GOOD)


@pytest.mark.parametrize(
    "matrix",
    [
        [1] * 8,
        [616.5, 0, 0, 0, 616.75, 0, 0, 0, 1],
        [616.5, 0, 327.25, 0, 616.75, 237.5, 327.25, 237.5, 1],
        [616.5, 0, 327.25, 0, 616.75, 0, 0, 237.5, 1],
        [616.5, 3, 0, 0, 616.75, 0, 327.25, 237.5, 1],
        [616.5, 0, 0, 0, 616.75, 0, 327.25, 237.5, 0],
        [616.5, 0, 0, 0, 616.75, 0, 327.25, 237.5, True],
        [616.5, 0, 0, 0, 616.75, 0, 327.25, float("nan"), 1],
        [0, 0, 0, 0, 616.75, 0, 327.25, 237.5, 1],
        [1e9, 0, 0, 0, 616.75, 0, 327.25, 237.5, 1],
        [616.5, 0, 0, 0, 616.75, 0, 700, 237.5, 1],
        [616.5, 0, 0, 0, 616.75, 0, 327.25, -2, 1],
        {"0": 1},
        "616",
    ],
    ids=short,
)
def test_what_is_neither_is_refused(matrix):
    with pytest.raises(ValueError, match=r"^intrinsic_matrix"):
        parse(GOOD | {"intrinsic_matrix": matrix})


@pytest.mark.parametrize("value", ["640", 0, -1, 640.5, 10**9, float("inf"), True])
def test_impossible_sizes_are_refused(value):
    with pytest.raises(ValueError, match="width"):
        parse(GOOD | {"width": value})


@pytest.mark.parametrize("scale", ["1000", float("nan"), [1000], True, 10**400], ids=short)
def test_what_is_no_number_is_named(scale):
    with pytest.raises(ValueError, match=r"^depth_scale = .* is not a finite number"):
        metres_per_unit(scale)


@pytest.mark.parametrize("name", [None, 7, "", "a\ud800b", "a\nb"])
def test_odd_names_are_left_out(name):
    assert parse(GOOD | {"device_name": name}).device is None


def test_cut_anywhere_it_is_refused_with_its_file(tmp_path):
    path = tmp_path / "camera_intrinsic.json"
    for end in range(len(RECORDER)):
        path.write_bytes(RECORDER[:end])
        with pytest.raises(ValueError, match=r"camera_intrinsic\.json: "):
            read_intrinsics(path, need_scale=False)
    path.write_text("[1]")
    with pytest.raises(ValueError, match="expected an object"):
        read_intrinsics(path)
