"""Another camera's view: what it hides is judged by casting rays at the true surface."""

import numpy as np
import pytest
from face_scans import head_pose

from face3d_data.augment.depth_noise import DepthNoise
from face3d_data.augment.raster import angular_spacing, own_raster, points_in_view
from face3d_data.augment.virtual_view import NEAREST_MM, VirtualView, view_motion
from face3d_data.augment.visibility import visible
from face3d_data.geometry.align import transform
from face3d_data.sample import MAPS, PER_POINT, PIXELS
from face3d_data.testing.contract_augmentation import tiny_arrays
from face3d_data.wear.head_map import map_mesh, mean_head
from face3d_data.wear.occluder import Occluder, camera_rays

FRONT = {"view_yaw_deg": 0.0, "view_pitch_deg": 0.0, "view_distance_mm": 0.0, "view_thin": False}
FAR = np.array([0.0, 0.0, 600.0])
INTRINSICS = np.array([300.0, 300.0, 89.5, 89.5])
VIEWS = [(25, 0), (-45, 0), (70, 10), (0, 30), (-30, -25)]


def apply(arrays, **changes):
    return VirtualView().apply(arrays, {**FRONT, **changes})


@pytest.fixture(scope="module")
def head() -> Occluder:
    """The mean head as a surface that rays can be cast at, in its face frame."""
    vertices, triangles = map_mesh(mean_head().radius)
    flat = np.zeros((len(vertices), 2), np.float32)
    part = np.zeros(len(triangles), np.uint8)
    return Occluder(vertices, np.zeros_like(vertices), triangles, flat, part, lambda part, at: at, label=2)


@pytest.fixture(scope="module")
def scan(head) -> np.ndarray:
    """What a camera 600 mm before the face reads of it, f8 (N, 3) in the camera frame, without noise."""
    pixels = np.stack(np.meshgrid(np.arange(180.0), np.arange(180.0)), axis=-1).reshape(-1, 2)
    rays = camera_rays(pixels, INTRINSICS)
    hits = head.cast(rays, np.linalg.inv(head_pose()))
    points = (rays[hits.found, 3:] * hits.t[hits.found, None]).astype(np.float64)
    return points[np.linalg.norm(points - [0, 0, 600], axis=1) < 95]


def truly_visible(head, points, motion) -> np.ndarray:
    """Return which points no part of the head lies before, from the new camera: 1.5 mm are allowed for facets."""
    camera = np.linalg.inv(motion)[:3, 3]
    rays = np.hstack([np.broadcast_to(camera, points.shape), points - camera]).astype(np.float32)
    hits = head.cast(rays, np.linalg.inv(head_pose()))
    return hits.t >= 1 - 1.5 / np.linalg.norm(points - camera, axis=1)


@pytest.mark.parametrize(("noise_mm", "most_wrong", "precision", "recall"), [(0, 0.02, 0.9, 0.85), (1, 0.04, 0.8, 0.8)])
def test_hidden_points_are_those_that_rays_do_not_reach(head, scan, noise_mm, most_wrong, precision, recall):
    noise = np.random.default_rng(0).normal(0, noise_mm, len(scan)) if noise_mm else np.zeros(len(scan))
    noisy = scan * (1 + noise / scan[:, 2])[:, None]
    counts = np.zeros(4)
    for yaw, pitch in VIEWS:
        motion = view_motion(FAR, yaw, pitch, 0)
        hidden, gone = ~truly_visible(head, scan, motion), ~visible(noisy, motion)
        counts += [(hidden & gone).sum(), (~hidden & gone).sum(), (hidden & ~gone).sum(), len(scan)]
    both, wrongly, missed, total = counts
    assert both + missed > 0.05 * total, "the views hide something"
    assert (wrongly + missed) / total < most_wrong
    assert both / (both + wrongly) > precision
    assert both / (both + missed) > recall


def test_of_a_ball_the_side_towards_the_camera_is_seen():
    directions = np.random.default_rng(0).normal(size=(9000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    points = 80 * directions[directions[:, 2] < -0.15] + [0, 0, 700]
    motion = view_motion(np.array([0, 0, 700.0]), 50, 0, 0)
    camera = np.linalg.inv(motion)[:3, 3]
    toward = camera - points
    outward = (points - [0, 0, 700]) / 80
    above_horizon_deg = np.rad2deg(np.arcsin(np.einsum("ij,ij->i", outward, toward) / np.linalg.norm(toward, axis=1)))
    seen = visible(points, motion)
    assert seen[above_horizon_deg > 8].mean() > 0.999
    assert not seen[above_horizon_deg < -8].any()


def test_a_plate_hides_what_lies_in_its_shadow():
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(-60, 60, 1.5), np.arange(-60, 60, 1.5)))
    wall = np.stack([x, y, np.full_like(x, 660)], axis=1)
    plate = wall[(np.abs(x) < 20) & (np.abs(y) < 20)] * 600 / 660
    motion = view_motion(np.array([0, 0, 660.0]), 30, 0, 0)
    seen = visible(np.concatenate([wall, plate]), motion)
    camera = np.linalg.inv(motion)[:3, 3]
    at_plate = camera + (wall - camera) * ((600 - camera[2]) / (660 - camera[2]))
    inside = (20 * 600 / 660) - np.abs(at_plate[:, :2]).max(axis=1)
    on_wall = seen[: len(wall)]
    assert not on_wall[inside > 2].any()
    assert on_wall[inside < -3].all()
    assert (inside > 2).sum() > 300
    assert seen[len(wall) :].all()


# the new camera


def test_the_camera_is_led_right_up_and_away():
    centre = np.array([20.0, -10.0, 600.0])
    for yaw, pitch, farther in [(40, 0, 0), (0, 25, 0), (-30, 10, 120)]:
        motion = view_motion(centre, yaw, pitch, farther)
        np.testing.assert_allclose(motion[:3, :3] @ motion[:3, :3].T, np.eye(3), atol=1e-12)
        np.testing.assert_allclose(transform(centre[None], motion)[0], centre + np.array([0, 0, farther]), atol=1e-9)
    right, above = (np.linalg.inv(view_motion(FAR, *angles, 0))[:3, 3] for angles in [(90, 0), (0, 30)])
    np.testing.assert_allclose(right, [600, 0, 600], atol=1e-9)
    np.testing.assert_allclose(above, [0, -300, 600 - 600 * np.cos(np.deg2rad(30))], atol=1e-9)


def test_no_camera_is_put_into_the_face():
    assert transform(np.zeros((1, 3)), view_motion(FAR, 0, 0, -590))[0, 2] == NEAREST_MM - 600
    assert view_motion(np.array([0, 0, 200.0]), 0, 0, -50)[2, 3] == 0, "nearer already"


def test_angles_and_distances_are_drawn_to_both_sides():
    operation = VirtualView(view_yaw_deg=40, view_distance_mm=100)
    records = [operation.draw(np.random.default_rng(seed)) for seed in range(300)]
    yaw = np.array([record["view_yaw_deg"] for record in records])
    assert -40 <= yaw.min() < -39
    assert 39 < yaw.max() <= 40
    assert {record["view_pitch_deg"] for record in records} == {0.0}
    assert {record["view_thin"] for record in records} == {False}


# the operation


def test_kept_points_stay_in_place_and_order_and_take_their_values_along():
    arrays = tiny_arrays()
    after = apply(arrays, view_yaw_deg=55.0)
    rows = after["curvature"].astype(int)
    assert 0.4 * len(arrays["points"]) < len(rows) < 0.95 * len(arrays["points"])
    assert (np.diff(rows) > 0).all()
    for name in ("points", *PER_POINT):
        np.testing.assert_array_equal(after[name], arrays[name][rows])
    assert after.keys() == {"points", "pose", *PER_POINT}


def test_the_pose_leads_from_the_new_camera():
    arrays = tiny_arrays()
    after = apply(arrays, view_yaw_deg=30.0, view_pitch_deg=-10.0, view_distance_mm=50.0)
    nose = arrays["landmarks_3d"][2].astype(np.float64)
    np.testing.assert_allclose(
        transform(nose[None], np.linalg.inv(after["pose"]))[0], nose + np.array([0, 0, 50]), atol=1e-6
    )
    seen = transform(after["points"].astype(np.float64), np.linalg.inv(after["pose"]))
    assert (seen[:, 2] > 300).all()
    rays = DepthNoise().apply({**arrays, **after}, {"depth_noise_mm": 5.0, "depth_noise_seed": 1})["points"]
    moved = (rays - after["points"]).astype(np.float64) @ after["pose"][:3, :3]
    along = np.cross(moved, seen)
    assert np.abs(along).max() < 1e-2 * np.linalg.norm(seen, axis=1).max(), "later noise lies along the new rays"


@pytest.mark.parametrize("scale", [1.0, 1.7])
def test_an_aligned_face_loses_the_same_points_and_stays_aligned(scale):
    arrays = tiny_arrays()
    to_face = np.linalg.inv(head_pose(20, 10, 500.0)) @ np.diag([scale, scale, scale, 1])
    aligned = {**arrays, "pose": to_face}
    for name in ("points", "landmarks_3d"):
        aligned[name] = transform(arrays[name], to_face).astype(np.float32)
    here, there = (apply(some, view_yaw_deg=40.0, view_pitch_deg=15.0) for some in (arrays, aligned))
    differing = set(here["curvature"]) ^ set(there["curvature"])
    assert len(differing) < 0.005 * len(arrays["points"])
    np.testing.assert_array_equal(there["points"], aligned["points"][there["curvature"].astype(int)])
    np.testing.assert_allclose(there["pose"], to_face @ here["pose"], atol=1e-3)


def test_images_are_of_the_old_view_and_go():
    images = {"color", "depth", "intrinsics", "grid", "grid_color", "box", *PIXELS}
    assert set(VirtualView.removes) == {*images, "vertex_visible", "vertex_residual", *MAPS}
    assert apply(tiny_arrays()) == {}, "where the camera stays, so do they"


def test_thinning_leaves_the_nearest_point_of_each_pixel(scan):
    arrays = {"points": scan.astype(np.float32), "curvature": np.arange(len(scan), dtype=np.float32)}
    whole = apply(arrays, view_yaw_deg=60.0)
    thin = apply(arrays, view_yaw_deg=60.0, view_thin=True)
    assert set(thin["curvature"]) < set(whole["curvature"])
    np.testing.assert_array_equal(thin["pose"], whole["pose"])
    width = angular_spacing(points_in_view(arrays["points"], np.eye(4)).tangents())
    view = points_in_view(whole["points"], whole["pose"])
    raster = own_raster(view, width)
    kept = np.isin(whole["curvature"], thin["curvature"])
    for pixel in np.unique(raster.pixel):
        in_pixel = np.flatnonzero(raster.pixel == pixel)
        assert kept[in_pixel].sum() == 1
        assert view.points[in_pixel, 2].min() == view.points[in_pixel[kept[in_pixel]][0], 2]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_small_and_spoiled_clouds_are_no_fault(count):
    points = (np.random.default_rng(0).normal(0, 30, (count, 3)) + FAR).astype(np.float32)
    after = apply({"points": points}, view_yaw_deg=30.0, view_thin=True)
    assert len(after["points"]) <= count
    spoiled = np.concatenate([points, np.full((2, 3), np.nan, np.float32), np.full((2, 3), np.inf, np.float32)])
    after = apply({"points": spoiled, "landmarks_3d": np.full((5, 3), np.nan, np.float32)}, view_yaw_deg=30.0)
    assert np.isfinite(after["points"]).all()
    same = np.tile(np.float32([[1, 2, 600]]), (count, 1))
    assert len(apply({"points": same}, view_pitch_deg=30.0)["points"]) <= count


def test_a_scan_without_a_camera_gets_one_to_lead_round(scan):
    points = (scan - [0, 0, 560]).astype(np.float32)
    after = apply({"points": points}, view_yaw_deg=60.0)
    assert 0.5 < len(after["points"]) / len(points) < 0.95
    assert np.linalg.norm(after["pose"][:3, 3] - points.mean(axis=0)) > 500
