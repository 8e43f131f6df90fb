"""Camera files in every spelling: one camera comes out of each; what cannot be used is named."""

import json

import cv2
import numpy as np
import pytest
from write_cameras import CAMERA, COEFFS, SPELLINGS, write_camera

from face3d_data.formats.camera_pair import parse_motion
from face3d_data.formats.distortion import parse_distortion
from face3d_data.formats.intrinsics import NOT_ALIGNED, parse_intrinsics, read_intrinsics

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
        ({"distortion_model": "equidistant", "D": [0.1, 0, 0, 0]}, "is a fisheye lens, which is not supported"),
        ({"model": "kannala_brandt4", "coeffs": [0, 0, 0, 0, 0]}, "is a fisheye lens"),
        ({"model": 5, "coeffs": [0, 0, 0, 0, 0]}, "is a fisheye lens"),
        ({"model": "wobbly", "coeffs": [1, 0, 0, 0]}, "distortion model 'wobbly' is unknown"),
        ({"model": "none", "coeffs": [1, 0, 0, 0]}, "model none with coefficients"),
        ({"coeffs": [1, 2, 3]}, "coeffs holds 3 numbers, expected 4, 5, 8, 12, 14"),
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
        ("- 1\n", "yaml", "expected an object"),
        ("!!python/object/apply:os.system ['true']\n", "yaml", "line 1: the tag .* is not taken"),
        ("<opencv_storage><fx>1</fx>", "xml", "no element found"),
        ("<robot/>", "xml", "expected OpenCV's opencv_storage"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><opencv_storage/>', "xml", "must not declare entities"),
        ("[" * 5000, "yaml", "is nested more than 50 deep"),
        ("fx: 1\nfx: 2\n", "yaml", "key 'fx' is written twice"),
        ("fx: 1", "json", "not valid JSON"),
        ("x" * (1 << 21), "yaml", "are too large for a camera file"),
        ("camera_matrix: [600, 1, 31.5, 0, 610, 23.5, 0, 0, 1]", "yaml", "camera_matrix = .* is neither"),
        ("{K: [0,0,0,0,0,0,0,0,1], D: []}", "yaml", "K = "),
        ("{K: [600,0,31.5,0,610,23.5,0,0,1], fx: 500}", "yaml", "contradict each other"),
        ("{K: [600,0,31.5,0,610,23.5,0,0,1], binning_x: 2}", "yaml", "binned images are not read"),
        ("{K: [600,0,31.5,0,610,23.5,0,0,1], roi: {x_offset: 8}}", "yaml", "cut are not read"),
        ("{K: [600,0,31.5,0,610,23.5,0,0,1], width: 30}", "yaml", "centre 31.5, 23.5 is outside the image"),
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


@pytest.mark.parametrize(
    ("text", "number"), [("-.2", -0.2), (".5e-1", 0.05), ("1.5e0", 1.5), ("+.25", 0.25), ("-1e-2", -0.01)]
)
def test_numbers_that_yaml_takes_for_texts_are_numbers(tmp_path, text, number):
    path = tmp_path / "camera.yaml"
    path.write_text(f"k: [600, 0, 31.5, 0, 610, 23.5, 0, 0, 1]\nd: [0.1, {text}, 0, 0]\n")
    assert read_intrinsics(path, need_scale=False).distortion[:2] == (0.1, number)


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


def test_a_fisheye_lens_named_beside_two_cameras_is_refused():
    with pytest.raises(ValueError, match="is_fisheye = True is a fisheye lens"):
        parse_intrinsics(two(is_fisheye=True))
    with pytest.raises(ValueError, match="depth: type = 'fisheye' is a fisheye lens"):
        parse_intrinsics(two(depth=two()["depth"] | {"type": "fisheye"}))


def test_a_fisheye_lens_is_found_however_deep_and_depth_costs_nothing():
    deep = {"type": "fisheye"}
    for _ in range(5000):
        deep = {"in": deep}
    for key in ("lens", "fisheye"):
        with pytest.raises(ValueError, match="is a fisheye lens"):
            parse_intrinsics(PIXELS | {key: deep}, need_scale=False)


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
        ({"R": [[1, 0, 0], [0, 1, 0], [0, 0, -1]]}, "is not a rotation"),
        ({"R": [[2, 0, 0], [0, 1, 0], [0, 0, 1]]}, "is not a rotation"),
        ({"t": [15, 0, 0]}, "this looks like mm: set unit to mm"),
        ({"t": [15e6, 0, 0], "unit": "mm"}, "centimetres apart$"),
        ({"t": [0, 0]}, "t must be three numbers"),
    ],
)
def test_a_motion_that_cannot_be_is_named(changes, said):
    with pytest.raises(ValueError, match=said):
        parse_motion(two()["depth_to_color"] | changes)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"Camera.type": "KannalaBrandt8"}, "Camera.type = 'KannalaBrandt8' is a fisheye lens"),
        ({"camera_type": "fisheye"}, "camera_type = 'fisheye' is a fisheye lens"),
        ({"fisheye_model": 1}, "fisheye_model = 1 is a fisheye lens"),
        ({"is_fisheye": True}, "is_fisheye = True is a fisheye lens"),
        ({"isFisheye": "yes"}, "isFisheye = 'yes' is a fisheye lens"),
        ({"fisheye_params": {"k": [0.1, 0]}}, "is a fisheye lens"),
        ({"intrinsics": {"lensModel": "omni"}}, "lensModel = 'omni' is a fisheye lens"),
        ({"camera_model": "ds", "distortion_model": "radtan"}, "camera_model = 'ds' is a fisheye lens"),
        ({"distortion_model": "equi"}, "distortion_model = 'equi' is a fisheye lens"),
        ({"lens_type": "wobbly"}, "lens_type = 'wobbly' is an unknown lens model"),
        ({"type": "spherical"}, "type = 'spherical' is an unknown lens model"),
        ({"lens": "fisheye"}, "lens = 'fisheye' is a fisheye lens"),
        ({"camera": {"lens": {"type": "fisheye624"}}}, "type = 'fisheye624' is a fisheye lens"),
        ({"model_type": "KANNALA_BRANDT"}, "model_type = 'KANNALA_BRANDT' is a fisheye lens"),
        ({"projection": "omnidirectional"}, "projection = 'omnidirectional' is a fisheye lens"),
        ({"xi": 0.9}, "xi = 0.9: an omnidirectional lens"),
    ],
)
@pytest.mark.parametrize("lens", [{}, {"coeffs": [0.1, 0, 0, 0]}], ids=["bare", "coeffs"])
def test_fisheye_and_unknown_lenses_are_refused_by_whichever_key(more, said, lens):
    with pytest.raises(ValueError, match=said):
        parse_intrinsics(PIXELS | lens | more, need_scale=False)


@pytest.mark.parametrize(
    "more",
    [
        {"Camera.type": "PinHole"},
        {"camera_model": "pinhole", "distortion_model": "radtan"},
        {"fisheye_model": 0},
        {"note": "not a fisheye lens", "fisheye": {"enabled": False}},
        {"is_fisheye": False, "fisheye": "no"},
        {"type": "color"},
        {"model": "OPENCV"},
        {"distortion_model": "RationalPolynomial"},
    ],
)
def test_words_of_a_pinhole_with_brown_conrady_leave_the_coefficients(more):
    camera = parse_intrinsics(PIXELS | {"coeffs": [0.1, -0.2, 0, 0]} | more, need_scale=False)
    assert camera.distortion == (0.1, -0.2, *[0.0] * 11)


K = [600, 0, 31.5, 0, 610, 23.5, 0, 0, 1]
MATRIX = {"rows": 3, "cols": 3, "dt": "d", "data": K}


@pytest.mark.parametrize("names", [("M1", "D1"), ("K1", "D1"), ("cameraMatrix2", "distCoeffs2"), ("K_left", "D_left")])
def test_a_stereo_file_of_one_camera_keeps_its_lens(names):
    values = {names[0]: MATRIX, names[1]: {"rows": 1, "cols": 5, "data": list(COEFFS)}, "R1": [1] * 9}
    camera = parse_intrinsics(values, need_scale=False)
    assert (camera.fx, camera.fy, camera.cx, camera.cy, camera.distortion) == (600, 610, 31.5, 23.5, LENS)


@pytest.mark.parametrize(
    "keys", [("M1", "M2"), ("K1", "K2"), ("cameraMatrix1", "cameraMatrix2"), ("LEFT.K", "RIGHT.K"), ("K_l", "K_r")]
)
def test_a_stereo_file_of_two_cameras_is_refused(keys):
    with pytest.raises(ValueError, match=rf"two cameras \({keys[0]}, {keys[1]}\): write the one of the depth image"):
        parse_intrinsics(dict.fromkeys(keys, MATRIX) | {"D1": [0.1, 0, 0, 0]}, need_scale=False)


def test_a_lens_of_another_camera_and_capital_coefficients_are_refused():
    with pytest.raises(ValueError, match="two cameras"):
        parse_intrinsics({"Camera1.fx": 600, "Camera2.fx": 600}, need_scale=False)
    with pytest.raises(ValueError, match="'K1' looks like distortion"):
        parse_intrinsics(PIXELS | {"K1": 0.1}, need_scale=False)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"skew": 0.5}, "skew = 0.5: pixels with a skew"),
        ({"Skew": 1}, "Skew = 1: pixels with a skew"),
        ({"lambda": -0.3}, "lambda = -0.3: the division model"),
        ({"Camera.newWidth": 32}, "newWidth = 32: images are not resized"),
        ({"newHeight": 24}, "newHeight = 24: images are not resized"),
        ({"R": [0, 1, 0, -1, 0, 0, 0, 0, 1]}, "R is not the identity"),
        ({"rectification_matrix": {"data": [1, 0, 0, 0, 0, 1, 0, -1, 0]}}, "rectification_matrix is not the identity"),
        ({"depth_to_color": {"R": [], "t": []}}, "depth_to_color in a file of one camera"),
        ({"depth_to_colour": {}}, "'depth_to_colour' is not known: did you mean depth_to_color"),
        ({"depth2rgb": {}}, "'depth2rgb' is not known: did you mean depth_to_color"),
        ({"depth_to_colr": {}}, "did you mean depth_to_color"),
        ({"colorToDepth": {}}, "colorToDepth is not supported: give depth_to_color, its inverse"),
        ({"ppx": 40.0}, "cx = 31.5, ppx = 40.0 contradict each other"),
        ({"image_width": 640}, "width = 64, image_width = 640 contradict"),
        ({"Camera.fx": 500}, "contradict each other"),
        ({"intrinsics": {"fx": 500}}, "contradict each other"),
        ({"depth_scale": 0.001, "DepthMapFactor": 5000}, "contradict each other"),
        ({"cx": 5000}, r"cx = 5000 is far outside the image \(width 64\)"),
    ],
)
def test_keys_that_change_the_geometry_are_never_left_aside(more, said):
    with pytest.raises(ValueError, match=said):
        parse_intrinsics(PIXELS | more, need_scale=False)


def test_what_says_the_same_twice_or_nothing_is_read():
    same = {"ppx": 31.5, "skew": 0, "lambda": 0.0, "newWidth": 64, "R": [1, 0, 0, 0, 1, 0, 0, 0, 1], "r": [0] * 9}
    camera = parse_intrinsics(PIXELS | same | {"depth_scale": 0.0002, "DepthMapFactor": 5000})
    assert (camera.fx, camera.cx, camera.depth_scale) == (600.0, 31.5, 0.0002)


def test_the_centre_of_a_cut_image_may_lie_outside():
    assert parse_intrinsics(PIXELS | {"cx": -180.0}, need_scale=False).cx == -180


def test_two_equal_cameras_with_a_motion_the_wrong_way_are_refused():
    same = two(depth_to_color=None, depth=two()["color"])
    with pytest.raises(ValueError, match="color_to_depth is not supported"):
        parse_intrinsics(same | {"color_to_depth": {"R": [], "t": []}})
    assert parse_intrinsics(two(color_to_depth={})).motion is not None, "depth_to_color is there"


@pytest.mark.parametrize(
    ("t", "unit", "said"), [([0.015, 0, 0], "mm", "looks like m: set unit to m$"), ([1e-6, 0, 0], "m", "apart$")]
)
def test_cameras_nearer_than_a_hair_are_in_another_unit(t, unit, said):
    with pytest.raises(ValueError, match=said):
        parse_motion(two()["depth_to_color"] | {"t": t, "unit": unit})
    assert parse_motion(two()["depth_to_color"] | {"t": [0, 0, 0]}).translation_mm == (0, 0, 0)


def test_a_key_that_json_has_twice_is_refused(tmp_path):
    path = tmp_path / "camera.json"
    for text in ('{"fx": 600, "fx": 500}', '{"depth": {"cx": 1, "cx": 1}}'):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"camera\.json: .*key '[fc]x' is written twice"):
            read_intrinsics(path, need_scale=False)


def test_a_foreign_file_is_answered_with_the_keys_that_it_has():
    with pytest.raises(ValueError, match=r"key 'fx' is missing \(needed: fx, fy, cx, cy; found: cam0, T_cam_imu\)"):
        parse_intrinsics({"cam0": {"fx": 1}, "T_cam_imu": []}, need_scale=False)
