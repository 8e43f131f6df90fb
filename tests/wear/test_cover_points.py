"""An occluder in a cloud: what stays, what comes, how dense, and that it agrees with depth and with the rays."""

from dataclasses import replace

import numpy as np
import pytest
from cover_toys import (
    CENTRE,
    FROM_FACE,
    INTRINSICS,
    RADIUS_MM,
    TO_FACE,
    ball_color,
    ball_depth,
    ball_view,
    cloud_view,
    met_naively,
    noisy,
    patch,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from face3d_data.geometry.camera import depth_to_points, project
from face3d_data.geometry.clean import flying_pixels, largest_component, nearest_neighbours, statistical_outliers
from face3d_data.geometry.farthest import fast_farthest
from face3d_data.wear.cover import Covered, View, cover


def covered_by(view: View, occluder, seed: int = 0) -> Covered:
    return cover(view, occluder, np.random.default_rng(seed))


def motion_of(angles_deg, shift_mm) -> np.ndarray:
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", angles_deg, degrees=True).as_matrix()
    motion[:3, 3] = shift_mm
    return motion


def moved(points: np.ndarray, motion: np.ndarray) -> np.ndarray:
    return (points @ motion[:3, :3].T + motion[:3, 3]).astype(np.float32)


def cleaned(points: np.ndarray) -> np.ndarray:
    neighbours = nearest_neighbours(points, 8)
    kept = ~flying_pixels(points, neighbours, np.zeros(3), 5.0) & ~statistical_outliers(neighbours, 3.0)
    return points[kept & largest_component(points, kept, 8.0)]


KINDS = ("full", "clean", "farthest", "random")


def thinned(points: np.ndarray, kind: str) -> np.ndarray:
    rng = np.random.default_rng(5)
    made = {
        "full": lambda: points,
        "clean": lambda: cleaned(points),
        "farthest": lambda: points[fast_farthest(points, 1024)],
        "random": lambda: points[np.sort(rng.choice(len(points), len(points) // 3, replace=False))],
    }
    return made[kind]()


@pytest.mark.parametrize("with_depth", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_points_that_stay_stay_as_they_are_and_come_first(kind, with_depth):
    view = ball_view(sigma_mm=0.7)
    view = replace(view, points=thinned(view.points, kind))
    view = view if with_depth else cloud_view(view)
    made = covered_by(view, patch())
    n = len(made.kept)
    assert 0 < n < len(view.points)
    assert (np.diff(made.kept) > 0).all()
    assert made.points[:n].tobytes() == view.points[made.kept].tobytes()
    assert (made.occlusion == np.arange(len(made.points)).__ge__(n)).all()
    assert made.points.dtype == np.float32
    assert made.occlusion.dtype == np.uint8


@pytest.mark.parametrize("with_depth", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_what_ray_casting_says(kind, with_depth):
    view = ball_view(sigma_mm=0.5)
    view = replace(view, points=thinned(view.points, kind))
    occluder = patch(n=7)
    made = covered_by(view if with_depth else cloud_view(view), occluder)
    some = np.random.default_rng(1).choice(len(made.points), 400, replace=False)
    met = met_naively(occluder, made.points[some].astype(float))
    on_it = met.found & (np.abs(made.points[some, 2] - met.z) < 4 * 0.5 + 0.5)
    assert (on_it == (made.occlusion[some] == 1)).mean() >= 0.99
    hidden = met.found & (made.points[some, 2] > met.z + 2.5)
    assert hidden.mean() <= 0.005


def test_new_points_lie_on_the_covered_depth():
    view = ball_view(sigma_mm=1.0)
    for kind in KINDS:
        made = covered_by(replace(view, points=thinned(view.points, kind)), patch())
        new = made.points[len(made.kept) :]
        pixels = np.rint(project(new, INTRINSICS)).astype(int)
        read = made.depth[pixels[:, 1], pixels[:, 0]]
        assert made.silhouette[pixels[:, 1], pixels[:, 0]].all()
        assert np.allclose(new[:, 2], read, atol=1e-3), kind
    whole = covered_by(view, patch())
    assert (whole.occlusion == 1).sum() == (whole.silhouette & (whole.depth > 0)).sum()


def test_every_pixel_that_reads_the_occluder_has_a_point_though_the_skin_there_had_holes():
    view = ball_view()
    beard = (view.points[:, 1] > 25) & (np.random.default_rng(0).random(len(view.points)) < 0.7)
    made = covered_by(replace(view, points=view.points[~beard]), patch())
    pixels = np.rint(project(made.points[len(made.kept) :], INTRINSICS)).astype(int)
    found = np.zeros_like(made.silhouette)
    found[pixels[:, 1], pixels[:, 0]] = True
    assert (found == made.silhouette).all()


@pytest.mark.parametrize("with_depth", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_occluder_is_as_densely_covered_as_the_face(kind, with_depth):
    intrinsics = np.array([600.0, 600.0, 99.5, 99.5])
    depth = noisy(ball_depth(intrinsics), 0.5, 0.8, seed=1)
    points, _ = depth_to_points(depth, intrinsics)
    view = View(TO_FACE, depth=depth, intrinsics=intrinsics, points=thinned(points, kind))
    made = covered_by(view if with_depth else cloud_view(view), patch((32, 28), (0, 0)))
    apart = cKDTree(made.points).query(made.points, k=2)[0][:, 1]
    off_axis = np.hypot(*made.points[:, :2].T)
    on, beside = made.occlusion == 1, (made.occlusion == 0) & (off_axis < 60)
    assert np.median(apart[on]) == pytest.approx(np.median(apart[beside]), rel=0.15)


def test_noise_of_a_cloud_alone_is_like_its_own():
    view = cloud_view(ball_view(sigma_mm=0.8))
    made = covered_by(view, patch((35, 30), (0, 0)))
    radius = np.linalg.norm(made.points - CENTRE, axis=1)
    on = made.occlusion == 1
    assert radius[on].mean() == pytest.approx(RADIUS_MM + 4, abs=0.2)
    along_ray = (radius - RADIUS_MM - 4 * on) / ((CENTRE[2] - made.points[:, 2]) / radius)
    beside = ~on & (np.hypot(*made.points[:, :2].T) < 55)
    assert along_ray[on].std() == pytest.approx(along_ray[beside].std(), rel=0.15)
    clean = covered_by(cloud_view(ball_view()), patch((35, 30), (0, 0)))
    assert np.abs(np.linalg.norm(clean.points[clean.occlusion == 1] - CENTRE, axis=1) - RADIUS_MM - 4).max() < 0.1


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(-300, 300)] * 3),
    st.booleans(),
    st.sampled_from(["full", "farthest"]),
)
def test_turning_points_and_their_camera_turns_the_result(angles, shift, with_depth, kind):
    view = ball_view(sigma_mm=0.5)
    view = replace(view, points=thinned(view.points, kind), normals=np.tile(np.float32([0, 0, -1]), (1024, 1)))
    view = replace(view, normals=np.tile(np.float32([0, 0, -1]), (len(view.points), 1)))
    view = view if with_depth else cloud_view(view)
    pose = motion_of(angles, shift)
    turned = replace(view, points=moved(view.points, pose), normals=view.normals, pose=pose)
    here, there = covered_by(view, patch()), covered_by(turned, patch())
    assert (here.kept == there.kept).all()
    assert np.abs(moved(here.points, pose) - there.points).max() < 0.5
    new = slice(len(here.kept), None)
    assert np.allclose(here.normals[new] @ pose[:3, :3].T, there.normals[new], atol=0.02)
    assert (there.normals[: len(here.kept)] == view.normals[here.kept]).all()


def test_normals_are_unit_and_look_at_the_camera():
    view = ball_view(sigma_mm=0.5)
    view = replace(view, normals=((view.points - CENTRE) / RADIUS_MM).astype(np.float32))
    made = covered_by(view, patch())
    new = slice(len(made.kept), None)
    assert np.allclose(np.linalg.norm(made.normals[new], axis=1), 1, atol=1e-4)
    assert (np.einsum("ij,ij->i", made.normals[new], made.points[new]) < 0).all()
    outwards = (made.points[new] - CENTRE) / np.linalg.norm(made.points[new] - CENTRE, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", made.normals[new], outwards).min() > 0.99


def test_colours_of_new_points_are_those_of_their_pixels_or_shaded_alike():
    view = ball_view()
    pixels = np.rint(project(view.points, INTRINSICS)).astype(int)
    normals = ((view.points - CENTRE) / RADIUS_MM).astype(np.float32)
    view = replace(view, point_colors=view.color[pixels[:, 1], pixels[:, 0]], normals=normals)
    made = covered_by(view, patch())
    new = slice(len(made.kept), None)
    at = np.rint(project(made.points[new], INTRINSICS)).astype(int)
    assert (made.point_colors[new] == made.color[at[:, 1], at[:, 0]]).all()
    assert (made.point_colors[: new.start] == view.point_colors[made.kept]).all()
    alone = covered_by(cloud_view(view), patch())
    skinned = patch((79.0, 79.0), (0, 0), off_mm=0, n=81)
    by_skin = cloud_view(view, normals=None, skin=(skinned.vertices, skinned.triangles))
    assert np.allclose(by_skin.light.toward, cloud_view(view).light.toward, atol=0.05)
    new_colors = alone.point_colors[len(alone.kept) :].astype(float)
    assert np.abs(new_colors.mean(axis=0) - made.point_colors[new].mean(axis=0)).max() < 12


def test_what_was_labelled_before_keeps_its_label():
    view = ball_view()
    before = np.where(view.points[:, 1] < -20, 2, 0).astype(np.uint8)
    made = covered_by(replace(view, occlusion=before), patch(label=1))
    n = len(made.kept)
    assert (made.occlusion[:n] == before[made.kept]).all()
    assert (made.occlusion[n:] == 1).all()
    assert covered_by(view, patch(label=2)).occlusion.max() == 2


def test_a_point_before_the_occluder_stays():
    view = cloud_view(ball_view())
    finger = np.array([[0, 15, 560.0], [1, 15, 560.0]], np.float32)
    made = covered_by(replace(view, points=np.concatenate([view.points, finger])), patch())
    assert {len(view.points), len(view.points) + 1} <= set(made.kept.tolist())


def test_points_that_are_nan_are_left_alone():
    view = ball_view(sigma_mm=0.5)
    holed = view.points.copy()
    holed[::7] = np.nan
    for made in (covered_by(v, patch()) for v in (replace(view, points=holed), cloud_view(view, points=holed))):
        n = len(made.kept)
        assert np.isnan(made.points[:n]).any(axis=1).sum() == len(holed[::7])
        assert made.points[:n].tobytes() == holed[made.kept].tobytes()
        assert np.isfinite(made.points[n:]).all()


@pytest.mark.parametrize("n_points", [0, 1, 2, 3, 5, 30])
@pytest.mark.parametrize("with_depth", [True, False])
def test_few_points_are_no_trouble(n_points, with_depth):
    view = ball_view()
    some = np.argsort(np.linalg.norm(view.points - [0, 15, 600], axis=1), kind="stable")[: n_points * 20 : 20]
    view = replace(view, points=view.points[some], point_colors=np.zeros((n_points, 3), np.uint8))
    made = covered_by(view if with_depth else cloud_view(view), patch())
    assert len(made.points) == len(made.occlusion) == len(made.point_colors)
    assert n_points == 0 or (made.occlusion == 1).any()


def test_a_padded_cloud_and_one_point_many_times():
    view = cloud_view(ball_view())
    padded = np.resize(view.points[::9], (5000, 3))
    made = covered_by(replace(view, points=padded), patch())
    assert 0.3 < (made.occlusion == 1).sum() / (5000 - len(made.kept)) < 3
    one = covered_by(replace(view, points=np.tile(np.float32([[0, 15, 602]]), (100, 1))), patch())
    assert (one.occlusion == 1).all()


def test_a_cloud_seen_from_far_away_is_covered_along_parallel_rays():
    scan = ball_view().points + np.float32([0, 0, -640])  # begins before z = 0: no camera can be there
    view = View(TO_FACE @ motion_of((0, 0, 0), (0, 0, 640)), points=scan)
    made = covered_by(view, patch((30, 25), (0, 0)))
    new = made.points[len(made.kept) :]
    assert np.abs(new[:, 0]).max() == pytest.approx(30, abs=1)
    assert np.abs(new[:, 1]).max() == pytest.approx(25, abs=1)
    assert np.abs(np.linalg.norm(new - (CENTRE - [0, 0, 640]), axis=1) - RADIUS_MM - 4).max() < 0.1
    inside = (np.abs(made.points[: len(made.kept), :2]) < [29, 24]).all(axis=1)
    assert not inside.any()


def test_nothing_is_added_beyond_the_cloud_s_own_reach():
    view = ball_view()
    near = view.points[np.linalg.norm(view.points - [0, 0, 600], axis=1) < 40]
    for made in (
        covered_by(replace(view, points=near), patch((60, 20), (0, 0))),
        covered_by(cloud_view(view, points=near), patch((60, 20), (0, 0))),
    ):
        new = made.points[len(made.kept) :]
        assert np.linalg.norm(new - [0, 0, 600], axis=1).max() < 42


def test_parts_that_change_colour_only_touch_no_point():
    view = ball_view()
    made = covered_by(view, patch(see_through=(0.2,)))
    assert made.points.tobytes() == view.points.tobytes()
    assert made.depth.tobytes() == view.depth.tobytes()
    assert (made.color != view.color).any()
    assert (made.occlusion == 0).all()


def test_the_toys_are_seen_as_they_should():
    assert (ball_color(ball_depth())[100, 100] > 60).all()
    assert np.allclose(moved(np.zeros((1, 3)), FROM_FACE), [[0, 0, 600]])
