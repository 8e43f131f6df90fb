"""Occluders: what rays meet, from any frame, and several joined."""

from dataclasses import replace

import numpy as np
import pytest
from cover_toys import FROM_FACE, INTRINSICS, RADIUS_MM, TO_FACE, met_naively, patch
from scipy.spatial.transform import Rotation

from face3d_data.wear.occluder import camera_rays, join_occluders


def rays_towards(places: np.ndarray) -> np.ndarray:
    """Rays of the camera frame towards places in the plane of the face frame's origin."""
    seen = np.column_stack([places, np.zeros(len(places))]) @ FROM_FACE[:3, :3].T + FROM_FACE[:3, 3]
    return camera_rays(seen[:, :2] / seen[:, 2:] * INTRINSICS[:2] + INTRINSICS[2:], INTRINSICS)


def test_hits_are_those_of_trying_every_triangle():
    occluder = patch(n=7)
    rays = rays_towards(np.random.default_rng(0).uniform(-50, 50, (60, 2)))
    hits, met = occluder.cast(rays, TO_FACE), met_naively(occluder, rays[:, 3:].astype(float))
    assert (hits.found == met.found).all()
    assert 10 < hits.found.sum() < 50
    assert np.allclose(hits.t[hits.found], met.z[met.found], atol=2e-3)
    assert np.isinf(hits.t[~hits.found]).all()


def test_a_hit_is_the_same_from_any_frame_and_of_any_length_of_ray():
    occluder, rays = patch(), rays_towards(np.array([[0.0, -10.0], [12.0, -20.0]]))
    plain = occluder.cast(rays, TO_FACE)
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", [0.3, -0.2, 0.5]).as_matrix()
    turn[:3, 3] = [100, -50, 30]
    moved = np.column_stack([rays[:, :3] @ turn[:3, :3].T + turn[:3, 3], rays[:, 3:] @ turn[:3, :3].T])
    assert np.allclose(occluder.cast(moved.astype(np.float32), TO_FACE @ np.linalg.inv(turn)).t, plain.t, atol=2e-3)
    longer = rays * np.array([1, 1, 1, 2, 2, 2], np.float32)
    assert np.allclose(occluder.cast(longer, TO_FACE).t * 2, plain.t, atol=1e-3)


@pytest.mark.parametrize("flipped", [False, True])
def test_normals_and_coordinates_are_blended_and_face_the_viewer(flipped):
    occluder = patch()
    if flipped:
        occluder = replace(occluder, triangles=occluder.triangles[:, ::-1].copy())
    rays = rays_towards(np.array([[5.0, -12.0], [-11.0, -3.0]]))
    for direction, sign in ((1, 1), (-1, -1)):
        seen = rays.copy()
        if direction < 0:  # the same line, looked along from behind
            seen[:, :3], seen[:, 3:] = rays[:, 3:] * 900, -rays[:, 3:]
        hits = occluder.cast(seen, TO_FACE)
        surface = occluder.at(hits, seen, TO_FACE)
        place = (seen[:, :3] + hits.t[:, None] * seen[:, 3:]) @ TO_FACE[:3, :3].T + TO_FACE[:3, 3]
        outwards = (place + np.array([0, 0, RADIUS_MM])) / (RADIUS_MM + 4)
        assert np.allclose(surface.normals, sign * outwards, atol=2e-3)
        assert np.allclose(surface.coords, place[:, :2], atol=0.02)


def test_relief_that_leans_away_does_not_turn_a_normal_round():
    flat = patch(half_mm=(30, 30), centre_mm=(0, 0))
    leaning = replace(flat, normals=np.tile(np.array([0.8, 0, -0.6], np.float32), (len(flat.vertices), 1)))
    rays = rays_towards(np.array([[0.0, 0.0]]))
    # Its corners' normals look backwards, so its back is what the camera sees: turned to the camera.
    assert leaning.at(leaning.cast(rays, TO_FACE), rays, TO_FACE).normals[0] == pytest.approx([-0.8, 0, 0.6], abs=1e-4)
    grazing = replace(flat, normals=np.tile(np.array([0.995, 0, 0.1], np.float32), (len(flat.vertices), 1)))
    assert grazing.at(grazing.cast(rays, TO_FACE), rays, TO_FACE).normals[0][2] > 0.09


def test_clear_parts_are_met_only_when_asked_for():
    lens = patch(see_through=(0.2,))
    rays = rays_towards(np.array([[0.0, -10.0]]))
    assert lens.has_clear
    assert not lens.cast(rays, TO_FACE).found.any()
    assert lens.cast(rays, TO_FACE, clear=True).found.all()
    dark = patch(see_through=(0.9,))
    assert not dark.has_clear
    assert dark.cast(rays, TO_FACE).found.all()
    assert not dark.cast(rays, TO_FACE, clear=True).found.any()


def test_joined_occluders_keep_their_paint_and_their_opacity():
    def red(part, coords):
        assert (part == 0).all()
        return np.tile(np.array([1, 0, 0], np.float32), (len(part), 1))

    far, near = patch(off_mm=2), patch((5, 5), off_mm=8, paint=red)
    both = join_occluders([far, near, patch(off_mm=20, see_through=(0.1,))])
    rays = rays_towards(np.array([[0.0, -15.0], [20.0, -15.0]]))
    hits = both.cast(rays, TO_FACE)
    surface = both.at(hits, rays, TO_FACE)
    assert surface.part.tolist() == [1, 0]
    assert both.paint(surface.part, surface.coords).tolist() == [[1, 0, 0], [np.float32(0.8)] * 3]
    assert hits.t == pytest.approx([near.cast(rays[:1], TO_FACE).t[0], far.cast(rays[1:], TO_FACE).t[0]])
    assert both.opacity.tolist() == [1, 1, np.float32(0.1)]
    clear = both.cast(rays, TO_FACE, clear=True)
    assert both.at(clear, rays, TO_FACE).part.tolist() == [2, 2]


def test_joining_needs_one_label():
    with pytest.raises(ValueError, match="one label"):
        join_occluders([patch(), patch(label=2)])
    with pytest.raises(ValueError, match="one label"):
        join_occluders([])


def test_no_rays_and_no_triangles_meet_nothing():
    empty = replace(patch(), triangles=np.empty((0, 3), np.uint32), part=np.empty(0, np.uint8))
    assert not empty.cast(rays_towards(np.zeros((3, 2)))).found.any()
    assert len(patch().cast(np.empty((0, 6), np.float32)).t) == 0
