"""Gaps of a cloud under an occluder: filled where there are readings, and never with more points than make sense."""

from dataclasses import replace

import numpy as np
import pytest
from cover_toys import CENTRE, INTRINSICS, RADIUS_MM, ball_view, cloud_view, patch

from face3d_data.geometry.camera import project
from face3d_data.wear.cover import Covered, View, cover


def covered_by(view: View, occluder, seed: int = 0) -> Covered:
    return cover(view, occluder, np.random.default_rng(seed))


def pixels_with_points(made: Covered) -> np.ndarray:
    pixels = np.rint(project(made.points[len(made.kept) :], INTRINSICS)).astype(int)
    found = np.zeros_like(made.silhouette)
    found[pixels[:, 1], pixels[:, 0]] = True
    return found


@pytest.mark.parametrize("width_px", [1, 2, 4])
def test_narrow_gaps_are_filled_also_where_the_occluder_hangs_far_over_the_cloud(width_px):
    view = ball_view()
    column = np.rint(project(view.points, INTRINSICS)[:, 0]).astype(int)
    left = (column < 100) & (column % 20 >= width_px)
    made = covered_by(replace(view, points=view.points[left]), patch((55.0, 20.0), (0.0, 0.0)))
    v, u = np.nonzero(made.silhouette)
    # The cloud ends where its points are farthest from the nose tip.
    reach = np.linalg.norm(view.points[left] - [0, 0, 600], axis=1).max()
    seen = np.stack([u - INTRINSICS[2], v - INTRINSICS[3], np.full(len(u), INTRINSICS[0])], 1) / INTRINSICS[0]
    within = np.linalg.norm(seen * made.depth[v, u][:, None] - [0, 0, 600], axis=1) < reach - 1e-3
    assert within.sum() > 1500
    assert pixels_with_points(made)[v, u][within].all()


def test_a_grid_of_every_other_pixel_goes_on_in_its_gaps_where_it_is():
    view = ball_view()
    pixels = np.rint(project(view.points, INTRINSICS)).astype(int)
    grid = (pixels % 2 == 1).all(axis=1)
    gap = (np.abs(pixels - [100, 110]) < 9).all(axis=1)
    made = covered_by(replace(view, points=view.points[grid & ~gap]), patch())
    v, u = np.nonzero(made.silhouette)
    odd = (u % 2 == 1) & (v % 2 == 1)
    assert (pixels_with_points(made)[v, u] == odd).all()


@pytest.mark.parametrize("along", [(1.0, 0.4, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.2)])
def test_points_on_a_line_become_no_surface_of_many_more(along):
    at = np.linspace(-70, 70, 1500)[:, None] * np.array(along) + [0, 15, 610]
    made = covered_by(cloud_view(ball_view(), points=at.astype(np.float32)), patch())
    assert len(made.points) - len(made.kept) <= 2 * len(at)


def test_readings_and_points_without_end_are_no_trouble(recwarn):
    view = ball_view(sigma_mm=0.5)
    depth, points = view.depth.copy(), view.points.copy()
    depth[::9, ::7] = np.inf
    points[::11] = np.inf
    endless = replace(view, depth=depth, points=points, normals=np.zeros_like(points))
    for made in (covered_by(endless, patch()), covered_by(cloud_view(endless), patch())):
        assert np.isfinite(made.points[len(made.kept) :]).all()
    assert not recwarn.list


@pytest.mark.parametrize("scale", [0.5, 1.14])
def test_normals_are_unit_and_the_light_is_the_same_where_the_pose_holds_a_scale(scale):
    view = ball_view()
    pixels = np.rint(project(view.points, INTRINSICS)).astype(int)
    normals = ((view.points - CENTRE) / RADIUS_MM).astype(np.float32)
    view = replace(view, normals=normals, point_colors=view.color[pixels[:, 1], pixels[:, 0]])
    pose = np.diag([scale, scale, scale, 1.0])
    for one in (view, cloud_view(view)):
        larger = replace(one, points=(one.points * scale).astype(np.float32), pose=pose)
        made, plain = covered_by(larger, patch()), covered_by(one, patch())
        assert np.allclose(np.linalg.norm(made.normals, axis=1), 1, atol=1e-4)
        assert np.allclose(made.points, plain.points * scale, atol=0.01)
        assert np.abs(made.point_colors.astype(int) - plain.point_colors).max() <= 1
