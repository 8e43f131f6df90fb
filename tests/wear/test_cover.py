"""Covering whatever a sample may hold: no exception, and the rules that always hold."""

from dataclasses import replace

import numpy as np
import pytest
from cover_toys import INTRINSICS, RADIUS_MM, TO_FACE, ball_view, cloud_view, patch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from face3d_data.wear.cover import View, cover
from face3d_data.wear.occluder import join_occluders

IMAGES = ("fine", "noisy", "all holes", "few readings", "NaN and infinity", "near and far", "none")
CLOUDS = ("fine", "NaN", "all NaN", "one place", "behind the camera", "far away", "few", "empty", "none")


def depth_of(kind: str, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    spoilt = {
        "all holes": lambda: np.zeros_like(depth),
        "few readings": lambda: np.where(rng.random(depth.shape) < 0.01, depth, 0),
        "NaN and infinity": lambda: np.where(rng.random(depth.shape) < 0.1, rng.choice([np.nan, np.inf]), depth),
        "near and far": lambda: np.where(rng.random(depth.shape) < 0.1, rng.choice([1.0, 65535.0]), depth),
        "noisy": lambda: depth + rng.normal(0, 30, depth.shape) * (depth > 0),
    }
    return None if kind == "none" else np.asarray(spoilt.get(kind, lambda: depth)(), np.float32)


def points_of(kind: str, points: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    spoilt = {
        "NaN": lambda: np.where(rng.random((len(points), 1)) < 0.3, np.nan, points),
        "all NaN": lambda: np.full((50, 3), np.nan),
        "one place": lambda: np.tile(points[:1], (60, 1)),
        "behind the camera": lambda: -points,
        "far away": lambda: points + np.array([0, 0, 1e5]),
        "few": lambda: points[rng.choice(len(points), 6)],
        "empty": lambda: points[:0],
    }
    return None if kind == "none" else np.asarray(spoilt.get(kind, lambda: points)(), np.float32)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(IMAGES),
    st.booleans(),
    st.sampled_from(CLOUDS),
    st.booleans(),
    st.tuples(st.floats(-40, 40), st.floats(-30, 30), st.floats(-180, 180)),
    st.tuples(st.floats(-400, 400), st.floats(-400, 400), st.floats(-700, 300)),
    st.integers(0, 9),
)
@pytest.mark.filterwarnings("error")
def test_no_view_raises_and_what_is_not_covered_stays(image, in_color, cloud, clear, angles, shift, seed):
    rng = np.random.default_rng(seed)
    fine = ball_view(sigma_mm=0.6)
    depth, points = depth_of(image, fine.depth, rng), points_of(cloud, fine.points, rng)
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    motion[:3, 3] = shift if seed % 2 else 0
    with_image = depth is not None or in_color
    view = View(
        motion @ TO_FACE,
        color=fine.color if in_color else None,
        depth=depth,
        intrinsics=INTRINSICS if with_image else None,
        points=points,
        point_colors=None if points is None else np.full((len(points), 3), 90, np.uint8),
        normals=None if points is None else np.tile(np.float32([0, 0, -1]), (len(points), 1)),
        skin=(patch((70, 70), (0, 0), off_mm=0).vertices, patch().triangles) if seed % 3 else None,
    )
    occluder = join_occluders([patch(), patch((10, 10), (0, 30), see_through=(0.2,))]) if clear else patch()
    made = cover(view, occluder, rng)
    for name in ("color", "depth", "points", "normals", "point_colors"):
        assert (getattr(made, name) is None) == (getattr(view, name) is None)
    if with_image:
        assert made.silhouette.shape == view.shape
    if depth is not None:
        assert np.array_equal(made.depth[~made.silhouette], depth[~made.silhouette], equal_nan=True)
        assert np.isfinite(made.depth[np.isfinite(depth)]).all()
    if points is not None:
        n = len(made.kept)
        assert made.points[:n].tobytes() == points[made.kept].tobytes()
        assert np.isfinite(made.points[n:]).all()
        assert len(made.points) == len(made.occlusion) == len(made.normals) == len(made.point_colors)
        assert (made.occlusion[n:] == 1).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 200), (8, 8)])
def test_tiny_images_are_no_trouble(shape):
    view = View(
        TO_FACE,
        color=np.full((*shape, 3), 128, np.uint8),
        depth=np.full(shape, 640, np.float32),
        intrinsics=np.array([400.0, 400.0, (shape[1] - 1) / 2, (shape[0] - 1) / 2]),
    )
    made = cover(view, patch(centre_mm=(0, 0)), np.random.default_rng(0))
    assert made.silhouette.any()
    assert made.color.shape == (*shape, 3)


def test_colour_and_points_without_depth_agree():
    view = replace(ball_view(), depth=None)
    made = cover(view, patch(), np.random.default_rng(0))
    n = len(made.kept)
    new = made.points[n:]
    assert (made.occlusion[n:] == 1).all()
    assert made.silhouette.sum() == pytest.approx(len(new), rel=0.02)
    assert np.abs(np.linalg.norm(new - [0, 0, 600 + RADIUS_MM], axis=1) - RADIUS_MM - 4).max() < 0.1


def test_one_view_may_wear_many_things():
    view = ball_view(sigma_mm=0.8)
    alone = [cover(replace(view), patch(off_mm=off), np.random.default_rng(1)) for off in (2, 8)]
    together = [cover(view, patch(off_mm=off), np.random.default_rng(1)) for off in (2, 8)]
    for a, b in zip(alone, together, strict=True):
        assert a.depth.tobytes() == b.depth.tobytes()
        assert a.color.tobytes() == b.color.tobytes()
        assert a.points.tobytes() == b.points.tobytes()


def test_a_scaled_face_frame_covers_the_same_places():
    scale = np.diag([1.25, 1.25, 1.25, 1.0])
    view = ball_view()
    occluder = patch()
    larger = replace(occluder, vertices=occluder.vertices * np.float32(1.25))
    here, there = (
        cover(v, o, np.random.default_rng(0))
        for v, o in ((view, occluder), (replace(view, to_face=scale @ TO_FACE), larger))
    )
    assert (here.silhouette == there.silhouette).mean() > 0.9999
    both = here.silhouette & there.silhouette
    assert np.allclose(here.depth[both], there.depth[both], atol=0.01)
    assert np.abs(here.color[both].astype(int) - there.color[both]).max() <= 12
    assert len(here.points) == pytest.approx(len(there.points), abs=5)


def test_a_scaled_pose_moves_new_points_along():
    pose = np.diag([1.1, 1.1, 1.1, 1.0])
    view = cloud_view(ball_view())
    here = cover(view, patch(), np.random.default_rng(0))
    scaled = replace(view, points=view.points * np.float32(1.1), pose=pose)
    there = cover(scaled, patch(), np.random.default_rng(0))
    assert len(here.points) == len(there.points)
    assert np.allclose(here.points * 1.1, there.points, atol=0.05)
