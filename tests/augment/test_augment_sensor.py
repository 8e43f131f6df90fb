"""Depths read by worse sensors: plain twins, exact steps, and points that stay on their depth image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.augment.low_quality import LowQuality
from face3d_data.augment.raster import STANDARD_MM, own_raster, points_in_view
from face3d_data.augment.sensor import SENSORS, Sensor
from face3d_data.geometry.align import transform
from face3d_data.geometry.camera import depth_to_points, project
from face3d_data.testing.contract_augmentation import tiny_arrays
from face3d_data.testing.strategies import depth_images

INTRINSICS = np.array([600.0, 590.0, 19.5, 14.5])
CHEAP = {"low_quality_mm": 4.0, "low_quality_seed": 7}
IN_FACE_FRAME = np.array([[0, -2.0, 0, 30], [-2, 0, 0, 5], [0, 0, -2, 1200], [0, 0, 0, 1]])
"""A pose with a turn and a scale of 2."""
BOTH = ((LowQuality(), CHEAP), *((Sensor(), {"sensor": name, "sensor_seed": 7}) for name in SENSORS))
both = pytest.mark.parametrize(("operation", "record"), BOTH, ids=["low_quality", *SENSORS])


def slope(height: int = 30, width: int = 40) -> np.ndarray:
    """A wall that comes nearer to the right, with holes: a row of pixels, one pixel, and a corner."""
    rows, columns = np.mgrid[:height, :width]
    depth = (620 + 0.3 * rows - 1.5 * columns).astype(np.float32)
    depth[5] = 0
    depth[10, 10] = 0
    depth[20:, :8] = 0
    return depth


def seen_by_camera() -> dict[str, np.ndarray]:
    depth = slope()
    return {"depth": depth, "intrinsics": INTRINSICS, "points": depth_to_points(depth, INTRINSICS)[0]}


def disparities(z_mm, name: str) -> np.ndarray:
    sensor = SENSORS[name]
    return sensor.focal_px * sensor.baseline_mm / np.asarray(z_mm, np.float64)


# the low-quality recipe


@given(depth_images(max_side=9), st.sampled_from([0.5, 4.0, 90.0]))
@settings(max_examples=40, deadline=None)
def test_the_recipe_follows_its_plain_twin(depth, sigma):
    record = {"low_quality_mm": sigma, "low_quality_seed": 3}
    noise = np.float32(sigma) * np.random.default_rng(3).standard_normal(depth.shape, np.float32)
    height, width = depth.shape
    expected = np.zeros_like(depth)
    for v in range(height):
        for u in range(width):
            window = [
                depth[y, x] + noise[y, x]
                for y in range(max(v - 1, 0), min(v + 2, height))
                for x in range(max(u - 1, 0), min(u + 2, width))
                if depth[y, x] > 0 and depth[y, x] + noise[y, x] > 0
            ]
            expected[v, u] = min(window, default=0)
    after = LowQuality().apply({"depth": depth}, record)["depth"]
    np.testing.assert_array_equal(after, expected)


def test_the_nearest_of_nine_is_one_and_a_half_sigma_nearer():
    wall = np.full((200, 200), 600, np.float32)
    error = LowQuality().apply({"depth": wall}, CHEAP)["depth"] - wall
    assert error.mean() == pytest.approx(-1.485 * 4, abs=0.15)
    assert error.std() == pytest.approx(0.6 * 4, abs=0.15)


def test_a_hole_is_closed_from_its_edge_and_void_stays_void():
    after = LowQuality().apply({"depth": slope()}, CHEAP)["depth"]
    assert (after[5] > 0).all()
    assert after[10, 10] > 0
    assert (after[21:, :7] == 0).all()
    assert (after[21:, 7] > 0).all()


# sensors


@pytest.mark.parametrize("name", SENSORS)
def test_disparities_come_in_steps(name):
    after = Sensor().apply({"depth": slope()}, {"sensor": name, "sensor_seed": 1})["depth"]
    steps = disparities(after[after > 0], name) * SENSORS[name].steps_per_px
    np.testing.assert_allclose(steps, np.rint(steps), atol=2e-3)
    np.testing.assert_array_equal(after > 0, slope() > 0)


@pytest.mark.parametrize(("name", "sigma_mm"), [("kinect_v1", 1.43), ("d415", 2.37), ("structured_light", 0.27)])
def test_errors_at_one_metre_are_those_of_the_sources(name, sigma_mm):
    wall = np.linspace(990, 1010, 300 * 300).astype(np.float32).reshape(300, 300)
    after = Sensor().apply({"depth": wall}, {"sensor": name, "sensor_seed": 1})["depth"]
    assert (after - wall).std() == pytest.approx(sigma_mm, rel=0.06)
    assert (after - wall).mean() == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("name", SENSORS)
def test_errors_grow_with_depth_squared(name):
    def sigma(z):
        wall = np.linspace(z * 0.99, z * 1.01, 200 * 200).astype(np.float32).reshape(200, 200)
        return (Sensor().apply({"depth": wall}, {"sensor": name, "sensor_seed": 1})["depth"] - wall).std()

    assert sigma(1200.0) / sigma(600.0) == pytest.approx(4, rel=0.1)


def test_noise_hangs_together_over_the_matched_window_at_any_resolution():
    def correlation(name, focal_px, apart):
        noise = Sensor().noise((240, 240), focal_px, {"sensor": name, "sensor_seed": 1})
        return float((noise[:, apart:] * noise[:, :-apart]).mean() / (noise**2).mean())

    assert correlation("d415", 615.0, 1) > 0.8
    assert abs(correlation("d415", 615.0, 12)) < 0.15
    assert correlation("d415", 1230.0, 4) == pytest.approx(correlation("d415", 615.0, 2), abs=0.05)
    assert abs(correlation("structured_light", 1500.0, 1)) < 0.05
    assert abs(correlation("d415", 60.0, 1)) < 0.05


def test_sensors_are_drawn_alike_and_none_is_the_identity():
    rng, operation = np.random.default_rng(0), Sensor(sensors=("kinect_v1", "d415"))
    drawn = [operation.draw(rng)["sensor"] for _ in range(400)]
    assert set(drawn) == {"kinect_v1", "d415"}
    assert 150 < drawn.count("d415") < 250
    assert Sensor().draw(rng)["sensor"] == ""
    assert Sensor().apply(seen_by_camera(), {"sensor": "", "sensor_seed": 0}) == {}


# depth and points from the same readings


@both
def test_points_take_the_new_reading_of_their_pixel_along_its_ray(operation, record):
    arrays = seen_by_camera()
    after = operation.apply(arrays, record)
    rows, columns = np.nonzero(arrays["depth"])
    np.testing.assert_allclose(after["points"][:, 2], after["depth"][rows, columns], rtol=1e-7)
    np.testing.assert_allclose(project(after["points"], INTRINSICS), np.stack([columns, rows], 1), atol=1e-3)
    assert not np.array_equal(after["points"], arrays["points"])


@both
def test_points_in_another_frame_are_read_from_the_camera_too(operation, record):
    arrays = seen_by_camera()
    posed = {**arrays, "points": transform(arrays["points"], IN_FACE_FRAME).astype(np.float32), "pose": IN_FACE_FRAME}
    expected = transform(operation.apply(arrays, record)["points"], IN_FACE_FRAME)
    np.testing.assert_allclose(operation.apply(posed, record)["points"], expected, atol=0.02)


@both
def test_without_a_depth_image_points_are_laid_into_one_of_their_own(operation, record):
    points = seen_by_camera()["points"]
    after = operation.apply({"points": points}, record)["points"]
    np.testing.assert_allclose(after[:, :2] / after[:, 2:], points[:, :2] / points[:, 2:], atol=1e-6)
    moved = after[:, 2] - points[:, 2]
    if operation.name == "low_quality":
        assert moved.mean() == pytest.approx(-1.485 * 4, abs=0.7)
    else:
        steps = disparities(after[:, 2], record["sensor"]) * SENSORS[record["sensor"]].steps_per_px
        np.testing.assert_allclose(steps, np.rint(steps), atol=5e-3)
        with_image = operation.apply(seen_by_camera(), record)["points"][:, 2] - points[:, 2]
        assert moved.std() == pytest.approx(with_image.std(), rel=0.35)


def test_points_of_an_image_get_one_pixel_each():
    depth = slope()
    points, pixels = depth_to_points(depth, np.array([600.0, 600.0, 19.5, 14.5]))
    seen = points_in_view(points, np.eye(4))
    raster = own_raster(seen)
    assert raster.focal_px == pytest.approx(600, rel=1e-3)
    assert raster.shape == depth.shape
    np.testing.assert_array_equal(raster.pixel, pixels)
    np.testing.assert_allclose(raster.nearest(seen.depths()), depth, rtol=1e-6)


def test_the_nearest_of_several_points_fills_a_pixel():
    rng = np.random.default_rng(0)
    points = rng.uniform([-50, -50, 500], [50, 50, 700], (300, 3)).astype(np.float32)
    seen = points_in_view(points, np.eye(4))
    raster = own_raster(seen, pixel=0.02)
    nearest = raster.nearest(seen.depths()).ravel()
    assert (np.bincount(raster.pixel) > 1).any()
    for pixel in np.unique(raster.pixel):
        assert nearest[pixel] == points[raster.pixel == pixel, 2].min()
    assert (nearest > 0).sum() == len(np.unique(raster.pixel))


@both
def test_a_point_before_or_behind_its_pixels_surface_is_read_by_itself(operation, record):
    arrays = seen_by_camera()
    arrays["points"] = np.concatenate([arrays["points"], arrays["points"][:50] * np.float32(1.1)])
    after = operation.apply(arrays, record)["points"]
    np.testing.assert_array_equal(after[:-50], operation.apply(seen_by_camera(), record)["points"])
    assert np.abs(after[-50:, 2] - arrays["points"][-50:, 2]).max() < 20
    assert (after[-50:] != arrays["points"][-50:]).any(axis=1).mean() > 0.9


@both
def test_points_beside_the_image_are_read_as_well(operation, record):
    arrays = seen_by_camera()
    arrays["points"] = arrays["points"] + np.float32([400, 0, 0])
    moved = operation.apply(arrays, record)["points"] - arrays["points"]
    assert 0.01 < moved[:, 2].std() < 8
    assert np.abs(moved[:, 2]).max() < 25


@both
def test_a_scan_without_a_camera_is_read_from_a_standard_distance(operation, record):
    points = (seen_by_camera()["points"] - [0, 0, 560]).astype(np.float32)
    assert points[:, 2].min() < 5
    seen = points_in_view(points, np.eye(4))
    assert seen.points[:, 2].min() == pytest.approx(STANDARD_MM)
    np.testing.assert_allclose(transform(seen.points, seen.camera), points, atol=1e-4)
    moved = operation.apply({"points": points}, record)["points"] - points
    assert 0.01 < np.abs(moved[:, 2]).mean() < 10
    assert np.abs(moved[:, :2]).max() < 1


# faults


@both
@pytest.mark.filterwarnings("error")
def test_nothing_to_read_is_no_fault(operation, record):
    holes = {"depth": np.zeros((6, 5), np.float32), "intrinsics": INTRINSICS}
    assert (operation.apply(holes, record)["depth"] == 0).all()
    point = np.float32([[1, 2, 600]])
    with_point = operation.apply({**holes, "points": point}, record)["points"]
    assert np.abs(with_point - point).max() < 25
    assert operation.apply({"points": point[:0]}, record).get("points", point[:0]).shape == (0, 3)
    lost = np.float32([[np.nan] * 3, [1, 2, 600], [np.inf, 0, 1]])
    after = operation.apply({"points": lost}, record)["points"]
    np.testing.assert_array_equal(after[[0, 2]], lost[[0, 2]])
    dirty = np.float32([[np.nan, 600], [np.inf, 0]])
    read = operation.apply({"depth": dirty}, record)["depth"]
    assert 550 < read[0, 1] < 650
    one = operation.apply({"depth": np.full((1, 1), 600, np.float32)}, record)["depth"]
    assert one.shape == (1, 1)
    assert abs(one[0, 0] - 600) < 25


@both
def test_depths_beyond_any_disparity_are_holes(operation, record):
    far = np.full((3, 3), 1e9, np.float32)
    after = operation.apply({"depth": far}, record)["depth"]
    assert (after >= 0).all()
    assert np.isfinite(after).all()


@both
def test_a_whole_capture_stays_consistent(operation, record):
    arrays = tiny_arrays()
    after = {**arrays, **operation.apply(arrays, record)}
    rows, columns = np.rint(project(after["points"], after["intrinsics"])).astype(int).T[::-1]
    np.testing.assert_allclose(after["points"][:, 2], after["depth"][rows, columns], rtol=1e-6)
