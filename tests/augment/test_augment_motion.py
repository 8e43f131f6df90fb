"""Rotation, scale, translation: exact values, even draws within their bounds, and a pose that leads back."""

import numpy as np
import pytest
from augment_examples import strong

from face3d_data.augment.motion import face_centre
from face3d_data.augment.rotation import Rotation
from face3d_data.augment.scale import Scale
from face3d_data.augment.translation import Translation
from face3d_data.geometry.align import transform
from face3d_data.geometry.camera import project
from face3d_data.sample import POSITIONS
from face3d_data.testing.contract_augmentation import tiny_arrays

NOSE_MM = np.float32([10, 20, 600])


def three_points() -> dict[str, np.ndarray]:
    landmarks = np.tile(NOSE_MM, (5, 1))
    points = NOSE_MM + np.eye(3, dtype=np.float32) * 10
    return {"points": points, "landmarks_3d": landmarks, "normals": np.eye(3, dtype=np.float32)}


@pytest.mark.parametrize(
    ("angle", "x_goes_to", "y_goes_to"),
    [("yaw_deg", [0, 0, -1], [0, 1, 0]), ("pitch_deg", [1, 0, 0], [0, 0, 1]), ("roll_deg", [0, 1, 0], [-1, 0, 0])],
)
def test_a_quarter_turn_about_the_nose(angle, x_goes_to, y_goes_to):
    record = {"yaw_deg": 0.0, "pitch_deg": 0.0, "roll_deg": 0.0, angle: 90.0}
    changed = Rotation().apply(three_points(), record)
    np.testing.assert_allclose(changed["points"][:2] - NOSE_MM, 10 * np.array([x_goes_to, y_goes_to]), atol=1e-3)
    np.testing.assert_allclose(changed["normals"][:2], [x_goes_to, y_goes_to], atol=1e-6)
    np.testing.assert_allclose(changed["landmarks_3d"], three_points()["landmarks_3d"], atol=1e-3)


def test_pitch_comes_before_yaw_and_yaw_before_roll():
    all_at_once = Rotation().apply(three_points(), {"yaw_deg": 30.0, "pitch_deg": 20.0, "roll_deg": 10.0})
    arrays = three_points()
    for angle, value in (("pitch_deg", 20.0), ("yaw_deg", 30.0), ("roll_deg", 10.0)):
        record = {"yaw_deg": 0.0, "pitch_deg": 0.0, "roll_deg": 0.0, angle: value}
        arrays |= Rotation().apply(arrays, record)
    np.testing.assert_allclose(all_at_once["points"], arrays["points"], atol=1e-3)
    np.testing.assert_allclose(all_at_once["pose"], arrays["pose"], atol=1e-3)


def test_scale_is_about_the_nose_and_leaves_normals_unit():
    changed = Scale().apply(three_points(), {"scale": 1.5})
    np.testing.assert_allclose(changed["points"] - NOSE_MM, 15 * np.eye(3), atol=1e-3)
    np.testing.assert_allclose(changed["normals"], np.eye(3), atol=1e-6)


def test_translation_moves_everything_but_directions():
    record = {"translation_x_mm": 1.0, "translation_y_mm": -2.0, "translation_z_mm": 3.0}
    changed = Translation().apply(three_points(), record)
    np.testing.assert_array_equal(changed["points"], three_points()["points"] + np.float32([1, -2, 3]))
    np.testing.assert_array_equal(changed["landmarks_3d"][0], NOSE_MM + np.float32([1, -2, 3]))
    assert "normals" not in changed


@pytest.mark.parametrize("name", ["rotation", "scale", "translation"])
def test_moved_points_still_project_onto_their_pixels(name):
    arrays = tiny_arrays()
    operation = strong(name)
    after = {**arrays, **operation.apply(arrays, operation.draw(np.random.default_rng(0)))}
    seen = transform(after["points"].astype(np.float64), np.linalg.inv(after["pose"]))
    pixels = project(arrays["points"], arrays["intrinsics"])
    np.testing.assert_allclose(project(seen, arrays["intrinsics"]), pixels, atol=1e-2)
    columns, rows = np.rint(pixels).astype(int).T
    np.testing.assert_allclose(seen[:, 2], arrays["depth"][rows, columns], atol=1e-2)
    marks = transform(after["landmarks_3d"].astype(np.float64), np.linalg.inv(after["pose"]))
    np.testing.assert_allclose(project(marks, arrays["intrinsics"]), arrays["landmarks"], atol=1e-2)


def test_two_motions_add_up_in_the_pose():
    arrays = tiny_arrays()
    for name in ("rotation", "scale", "translation"):
        arrays = {**arrays, **strong(name).apply(arrays, strong(name).draw(np.random.default_rng(7)))}
    back = transform(arrays["points"].astype(np.float64), np.linalg.inv(arrays["pose"]))
    np.testing.assert_allclose(back, tiny_arrays()["points"], atol=1e-3)


def test_the_centre_is_the_nose_or_the_mean_of_what_is_finite():
    arrays = three_points()
    np.testing.assert_array_equal(face_centre(arrays), NOSE_MM)
    lost = {"points": np.float32([[0, 0, 0], [2, 4, 6], [np.nan, 0, 0]]), "landmarks_3d": np.full((5, 3), np.nan)}
    np.testing.assert_array_equal(face_centre(lost), [1, 2, 3])


@pytest.mark.parametrize(
    ("operation", "name", "low", "high"),
    [
        (Rotation(yaw_deg=15), "yaw_deg", -15, 15),
        (Rotation(roll_deg=5), "roll_deg", -5, 5),
        (Scale(scale=0.1), "scale", 0.9, 1.1),
        (Translation(translation_mm=8), "translation_z_mm", -8, 8),
    ],
)
def test_draws_fill_their_range_evenly(operation, name, low, high):
    rng = np.random.default_rng(0)
    values = np.array([operation.draw(rng)[name] for _ in range(2000)])
    assert low <= values.min() < low + 0.02 * (high - low)
    assert high - 0.02 * (high - low) < values.max() <= high
    counts, _ = np.histogram(values, 10, (low, high))
    assert ((counts - 200) ** 2 / 200).sum() < 27.9  # chi-square, 9 degrees of freedom, p = 0.001
    assert Rotation(yaw_deg=15).draw(rng)["pitch_deg"] == 0


def test_every_place_moves_with_the_points_and_residuals_scale():
    arrays = {**tiny_arrays()}
    moved = Rotation().apply(arrays, {"yaw_deg": 30.0, "pitch_deg": 20.0, "roll_deg": 10.0})
    for name in POSITIONS:
        np.testing.assert_allclose(moved[name], transform(arrays[name], moved["pose"]), atol=1e-4)
    assert "vertex_residual" not in moved
    scaled = Scale().apply(arrays, {"scale": 1.5})
    np.testing.assert_allclose(scaled["vertex_residual"], 1.5 * arrays["vertex_residual"], rtol=1e-6)
