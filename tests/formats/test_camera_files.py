"""Camera files in every spelling: one camera comes out of each; what cannot be used is named."""

import json

import cv2
import numpy as np
import pytest

from face3d_data.formats.camera_pair import parse_motion
from face3d_data.formats.distortion import parse_distortion
from face3d_data.formats.intrinsics import NOT_ALIGNED, parse_intrinsics, read_intrinsics
from face3d_data.testing.write_cameras import CAMERA, COEFFS, SPELLINGS, write_camera

PIXELS = {"fx": 600.0, "fy": 610.0, "cx": 31.5, "cy": 23.5, "width": 64, "height": 48}
LENS = (*COEFFS, *[0.0] * 8)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_gives_the_same_camera(tmp_path, spelling):
    camera = read_intrinsics(write_camera(tmp_path, spelling), need_scale=False)
    assert (camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height) == CAMERA
    # Open3D's files know no lens.
    assert camera.distortion == (None if spelling == "open3d" else LENS)


@pytest.mark.parametrize("ending", ["yml", "xml", "json"])
def test_what_opencv_writes_is_read(tmp_path, ending):
    path = tmp_path / f"camera.{ending}"
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    file.write("image_width", 64)
    file.write("image_height", 48)
    file.write("camera_matrix", np.array([[600, 0, 31.5], [0, 610, 23.5], [0, 0, 1]]))
    file.write("distortion_coefficients", np.array([[0.1, -0.2, 0.001, 0.002, 0.03]]))
    file.release()
    camera = read_intrinsics(path, need_scale=False)
    assert (camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height) == CAMERA
    assert camera.distortion == LENS


@pytest.mark.parametrize(
    ("values", "lens"),
    [
        ({"coeffs": [0, 0, 0, 0, 0], "model": "inverse_brown_conrady"}, None),
        ({"distortion_model": "rational_polynomial", "D": [1, 2, 3, 4, 5, 6, 7, 8]}, (*range(1, 9), 0, 0, 0, 0, 0)),
        ({"D": [*range(1, 13), 0, 0]}, (*range(1, 13), 0)),
        ({"k1": 0.5, "k3": 0.25}, (0.5, 0, 0, 0, 0.25, 0, 0, 0, 0, 0, 0, 0, 0)),
        ({"distortion": {"k1": 0.5, "p2": 1}}, (0.5, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)),
        ({"model": "Modified Brown Conrady", "coeffs": [1, 2, 3, 4, 5]}, (1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 1)),
        ({"model": "RS2_DISTORTION_INVERSE_BROWN_CONRADY", "coeffs": [1, 2, 3, 4, 5]}, (1, 2, 3, 4, 5, *[0] * 7, 1)),
        ({"model": 4, "coeffs": [1, 2, 3, 4, 5]}, (1, 2, 3, 4, 5, *[0] * 8)),
        ({"model": "D435"}, None),
        ({"RadialDistortion": [1, 2], "TangentialDistortion": [3, 4]}, (1, 2, 3, 4, 0, *[0] * 8)),
        ({"distance_mm": 650, "depth_scale": 0.001}, None),
    ],
)
def test_models_and_coefficients(values, lens):
    assert parse_distortion(values) == lens


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"distortion_model": "equidistant", "D": [0.1, 0, 0, 0]}, "is a fisheye lens, which is not read"),
        ({"model": "kannala_brandt4", "coeffs": [0, 0, 0, 0, 0]}, "is a fisheye lens"),
        ({"model": 5, "coeffs": [0, 0, 0, 0, 0]}, "is a fisheye lens"),
        ({"model": "wobbly", "coeffs": [1, 0, 0, 0]}, "distortion model 'wobbly' is not known"),
        ({"model": "none", "coeffs": [1, 0, 0, 0]}, "model none with coefficients"),
        ({"coeffs": [1, 2, 3]}, "coeffs holds 3 numbers, wanted 4, 5, 8, 12, 14"),
        ({"coeffs": [1, "2", 3, 4]}, "must be finite numbers"),
        ({"coeffs": [1, float("nan"), 3, 4]}, "must be finite numbers"),
        ({"coeffs": [1, 2, 3, 10**400]}, "must be finite numbers"),
        ({"coeffs": [True, 2, 3, 4]}, "must be finite numbers"),
        ({"D": [0] * 13 + [1]}, "tilted sensor"),
        ({"D": [0, 0, 0, 0], "k1": 0.1}, "given twice, by D, k1"),
        ({"model": "modified_brown_conrady", "coeffs": [1] * 8}, "has five coefficients"),
        ({"lens_distortion": [0.1, 0]}, "'lens_distortion' looks like distortion and is not known"),
        ({"distortion": {"k7": 1}}, "'k7' is not known"),
    ],
)
def test_lenses_that_cannot_be_used_are_named(values, said):
    with pytest.raises(ValueError, match=said):
        parse_distortion(values)


def test_keys_that_say_nothing_are_left_aside():
    assert parse_distortion({"lens_distortion": [0, 0], "distortion_note": None}) is None


@pytest.mark.parametrize(
    ("text", "ending", "said"),
    [
        ("a: &a [*a]\nfx: *a\n", "yaml", r"line 1: the alias \*a stands inside"),
        ("fx: [1,\n", "yaml", "line "),
        ("- 1\n", "yaml", "wanted an object"),
        ("!!python/object/apply:os.system ['true']\n", "yaml", "line 1: the tag .* is not taken"),
        ("<opencv_storage><fx>1</fx>", "xml", "no element found"),
        ("<robot/>", "xml", "wanted OpenCV's opencv_storage"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><opencv_storage/>', "xml", "declares no entities"),
        ("[" * 5000, "yaml", "is nested more than 50 deep"),
        ("fx: 1\nfx: 2\n", "yaml", "key 'fx' is written twice"),
        ("fx: 1", "json", "no valid JSON"),
        ("x" * (1 << 21), "yaml", "are no camera file"),
        ("camera_matrix: [600, 1, 31.5, 0, 610, 23.5, 0, 0, 1]", "yaml", "camera_matrix = .* is neither"),
        ("{K: [0,0,0,0,0,0,0,0,1], D: []}", "yaml", "K = "),
        ("{K: [600,0,31.5,0,610,23.5,0,0,1], fx: 500}", "yaml", "contradict each other"),
        ("{K: [600,0,31.5,0,610,23.5,0,0,1], binning_x: 2}", "yaml", "binned images are not read"),
        ("{K: [600,0,31.5,0,610,23.5,0,0,1], roi: {x_offset: 8}}", "yaml", "cut are not read"),
        ("{K: [600,0,31.5,0,610,23.5,0,0,1], width: 30}", "yaml", "centre 31.5, 23.5 lies outside the image"),
        ("fx: 1\nfy: 1\ncx: 1", "yaml", "key 'cy' is missing"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path, text, ending, said):
    path = tmp_path / f"c.{ending}"
    path.write_text(text)
    with pytest.raises(ValueError, match=said) as caught:
        read_intrinsics(path, need_scale=False)
    assert str(caught.value).startswith(f"{path}: ")


def test_what_ros_and_yaml_write_differently_is_read(tmp_path):
    path = tmp_path / "camera_info.yaml"
    path.write_text("k: [600, 0, 31.5, 0, 610, 23.5, 0, 0, 1]\nd: [1e-05, -2E-3, 0.0, 0, 0]\n---\nk: [1]\n---\n")
    assert read_intrinsics(path, need_scale=False).distortion == (1e-05, -2e-3, *[0.0] * 11)


def two(**changes):
    color = {**PIXELS, "coeffs": [0.1, 0, 0, 0, 0]}
    depth = {"fx": 300.0, "fy": 305.0, "cx": 15.5, "cy": 11.5, "width": 32, "height": 24}
    motion = {"R": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "t": [0.015, 0, 0], "unit": "m"}
    return {"color": color, "depth": depth, "depth_scale": 0.001, "depth_to_color": motion} | changes


def test_two_cameras_and_how_they_lie():
    camera = parse_intrinsics(two())
    assert (camera.fx, camera.width, camera.depth_scale) == (600.0, 64, 0.001)
    assert camera.distortion[0] == 0.1
    assert (camera.depth_camera.fx, camera.depth_camera.width) == (300.0, 32)
    assert camera.motion.translation_mm == (15.0, 0.0, 0.0)
    assert json.loads(json.dumps(camera.record)) == camera.record


def test_two_cameras_of_which_nothing_says_how_they_lie_are_refused():
    with pytest.raises(ValueError, match=NOT_ALIGNED):
        parse_intrinsics(two(depth_to_color=None))
    same = two(depth_to_color=None, depth=two()["color"])
    assert parse_intrinsics(same).depth_camera is None, "aligned: both are one camera"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"unit": None}, "must say the unit of t: mm or m"),
        ({"R": [1, 0, 0, 0, 1, 0, 0, 0, 1]}, "three rows of three numbers"),
        ({"R": [[1, 0, 0], [0, 1, 0], [0, 0, -1]]}, "is no rotation"),
        ({"R": [[2, 0, 0], [0, 1, 0], [0, 0, 1]]}, "is no rotation"),
        ({"t": [15, 0, 0]}, "this looks like mm: set unit to mm"),
        ({"t": [15e6, 0, 0], "unit": "mm"}, "centimetres apart$"),
        ({"t": [0, 0]}, "t must be three numbers"),
    ],
)
def test_a_motion_that_cannot_be_is_named(changes, said):
    with pytest.raises(ValueError, match=said):
        parse_motion(two()["depth_to_color"] | changes)
