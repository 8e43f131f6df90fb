"""Mirror: the whole capture at once, so that it is one that a camera could have taken."""

import numpy as np
from augment_examples import strong

from face3d_data.augment.mirror import Mirror
from face3d_data.augment.rotation import Rotation
from face3d_data.geometry.align import transform
from face3d_data.geometry.camera import depth_to_points, project
from face3d_data.geometry.landmark_sets import MIRRORED
from face3d_data.sample import PIXELS
from face3d_data.testing.contract_augmentation import tiny_arrays

YES = {"mirror": True}


def mirrored(arrays):
    return {**arrays, **Mirror().apply(arrays, YES)}


def in_face_frame() -> dict[str, np.ndarray]:
    """A capture whose points are in another frame than the camera's."""
    arrays = tiny_arrays()
    return {**arrays, **strong("rotation").apply(arrays, {"yaw_deg": 20.0, "pitch_deg": -10.0, "roll_deg": 7.0})}


def test_twice_is_the_identity():
    arrays = in_face_frame()
    twice = mirrored(mirrored(arrays))
    for name, array in arrays.items():
        if name in (*PIXELS, "box", "intrinsics"):
            np.testing.assert_allclose(twice[name], array, atol=1e-4)
        else:
            np.testing.assert_array_equal(twice[name], array)


def test_the_left_eye_becomes_the_right_one():
    arrays = tiny_arrays()
    after = mirrored(arrays)
    width = arrays["color"].shape[1]
    np.testing.assert_allclose(after["landmarks"][0], [width - 1, 0] + arrays["landmarks"][1] * [-1, 1], atol=1e-4)
    np.testing.assert_array_equal(after["landmarks_3d"][3], arrays["landmarks_3d"][4] * [-1, 1, 1])
    assert after["landmarks"][0, 0] < after["landmarks"][1, 0]
    np.testing.assert_array_equal(after["color"], arrays["color"][:, ::-1])
    x1, _, x2, _ = arrays["box"]
    np.testing.assert_allclose(after["box"][[0, 2]], [width - 1 - x2, width - 1 - x1], atol=1e-4)


def test_every_set_of_landmarks_is_reordered_in_pixels_and_in_space():
    arrays = tiny_arrays()
    after = mirrored(arrays)
    width = arrays["color"].shape[1]
    for name, order in MIRRORED.items():
        sign, shift = ([-1, 1, 1], 0) if name.endswith("_3d") else ([-1, 1], [width - 1, 0])
        np.testing.assert_allclose(after[name], (arrays[name] * sign + shift)[order], atol=1e-4)


def test_mirrored_points_lie_in_the_mirrored_depth():
    after = mirrored(in_face_frame())
    seen = transform(after["points"].astype(np.float64), np.linalg.inv(after["pose"]))
    from_depth, _ = depth_to_points(after["depth"], after["intrinsics"])
    assert len(from_depth) == len(seen)
    order = np.lexsort(np.rint(project(seen, after["intrinsics"])).T)
    np.testing.assert_allclose(seen[order], from_depth, atol=1e-2)
    marks = transform(after["landmarks_3d"].astype(np.float64), np.linalg.inv(after["pose"]))
    np.testing.assert_allclose(project(marks, after["intrinsics"]), after["landmarks"], atol=1e-2)


def test_the_pose_stays_a_motion():
    pose = mirrored(in_face_frame())["pose"]
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(pose[:3, :3]) > 0.999


def test_a_turn_to_the_left_is_mirrored_to_one_to_the_right():
    arrays = {"points": tiny_arrays()["points"], "landmarks_3d": tiny_arrays()["landmarks_3d"]}
    left = mirrored({**arrays, **Rotation().apply(arrays, {"yaw_deg": 25.0, "pitch_deg": 0.0, "roll_deg": 0.0})})
    flat = mirrored(arrays)
    right = {**flat, **Rotation().apply(flat, {"yaw_deg": -25.0, "pitch_deg": 0.0, "roll_deg": 0.0})}
    np.testing.assert_allclose(left["points"], right["points"], atol=1e-3)


def test_a_scanners_grid_and_its_colours_turn_over_together():
    arrays = tiny_arrays()
    after = mirrored({name: arrays[name] for name in ("grid", "grid_color", "landmarks_3d")})
    np.testing.assert_array_equal(after["grid"], arrays["grid"][:, ::-1] * [-1, 1, 1])
    np.testing.assert_array_equal(after["grid_color"], arrays["grid_color"][:, ::-1])


def test_landmarks_in_a_grids_pixels_stay_on_their_points():
    grid = np.zeros((10, 30, 3), np.float32)
    marks = np.float32([[20, 2], [25, 2], [22, 5], [20, 8], [25, 8]])
    after = mirrored({"grid": grid, "landmarks": marks})
    np.testing.assert_array_equal(after["landmarks"], [[4, 2], [9, 2], [7, 5], [4, 8], [9, 8]])


def test_unknown_landmarks_do_not_spoil_the_box():
    box = np.float32([10, 5, 40, 50])
    after = mirrored({"points": tiny_arrays()["points"], "box": box, "landmarks": np.full((5, 2), np.nan, np.float32)})
    np.testing.assert_array_equal(after["box"], box)


def test_without_an_image_the_cameras_axis_stays():
    arrays = tiny_arrays()
    after = mirrored({name: arrays[name] for name in ("landmarks", "intrinsics", "landmarks_3d")})
    np.testing.assert_allclose(after["intrinsics"], arrays["intrinsics"])
    np.testing.assert_allclose(project(after["landmarks_3d"], after["intrinsics"]), after["landmarks"], atol=1e-2)


def test_only_what_was_mirrored_is_another_person():
    assert Mirror().new_identity({"mirror": True}) == "~mirror"
    assert Mirror().new_identity({"mirror": False}) == ""
    rng = np.random.default_rng(0)
    share = np.mean([Mirror(mirror_p=0.3).draw(rng)["mirror"] for _ in range(1000)])
    assert 0.25 < share < 0.35
