"""Large sets of landmarks: their orders on a mirrored face, and their depth."""

import numpy as np
import pytest

from face3d_data.geometry.camera import project, unproject
from face3d_data.geometry.landmark_sets import DENSE_OF_68, LIFTED, MIRRORED, MIRRORED_68, MIRRORED_DENSE
from face3d_data.geometry.landmarks import lift_many, lift_many_from_grid
from face3d_data.registration.template import own_template
from face3d_data.sample import ARRAYS, PIXELS, POSITIONS

INTRINSICS = np.array([600.0, 600.0, 79.5, 59.5])


@pytest.fixture
def depth():
    rows, columns = np.mgrid[:120, :160]
    return (650.0 + 0.5 * (columns - 80) + 0.25 * (rows - 60)).astype(np.float32)


@pytest.fixture
def pixels():
    rows, columns = np.mgrid[20:100:8, 30:130:8]
    return np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(np.float32)


def test_sets_are_those_of_samples():
    assert (*LIFTED,) == PIXELS
    assert (*LIFTED.values(), "vertices") == POSITIONS
    assert {name: len(order) for name, order in MIRRORED.items()} == {
        name: ARRAYS[name].shape[0] for name in (*PIXELS, *LIFTED.values())
    }


@pytest.mark.parametrize("name", MIRRORED)
def test_mirroring_twice_is_the_identity(name):
    order = MIRRORED[name]
    assert np.array_equal(order[order], np.arange(len(order)))


def test_orders_of_68_and_478_agree():
    dense_of_68 = np.array(DENSE_OF_68)
    assert len(set(DENSE_OF_68)) == 68
    assert np.array_equal(dense_of_68[MIRRORED_68], MIRRORED_DENSE[dense_of_68])


def test_a_plane_is_lifted_exactly(depth, pixels):
    z = 650.0 + 0.5 * (pixels[:, 0] - 80) + 0.25 * (pixels[:, 1] - 60)
    np.testing.assert_allclose(lift_many(depth, INTRINSICS, pixels), unproject(pixels, z, INTRINSICS), atol=1e-2)


def test_a_grid_gives_its_own_points(depth, pixels):
    rows, columns = np.mgrid[:120, :160]
    every = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    grid = unproject(every, depth.reshape(-1), INTRINSICS).reshape(120, 160, 3).astype(np.float32)
    found = lift_many_from_grid(grid, pixels)
    np.testing.assert_allclose(found, lift_many(depth, INTRINSICS, pixels), atol=0.05)


def test_holes_walls_and_unknown_places_concern_one_landmark_only(depth, pixels):
    whole = lift_many(depth, INTRINSICS, pixels)
    depth[10:30, 20:40] = 0  # pixel 0: no reading within reach
    depth[96:104, 120:] = 2000.0
    pixels[5] = np.nan
    pixels[7] = [900.0, -900.0]
    found = lift_many(depth, INTRINSICS, pixels)
    lost = np.isnan(found).any(axis=1)
    assert lost[[0, 5, 7]].all()
    assert lost.sum() <= 5
    np.testing.assert_allclose(found[~lost], whole[~lost], atol=1.5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("far", [3e38, -3e38, 1e19])
def test_absurd_places_are_borne(depth, far):
    found = lift_many(depth, INTRINSICS, np.full((68, 2), far, np.float32))
    assert found.shape == (68, 3)
    assert np.isnan(found).all()


@pytest.mark.filterwarnings("error")
def test_nothing_read_gives_nan(depth, pixels):
    assert np.isnan(lift_many(np.zeros_like(depth), INTRINSICS, pixels)).all()
    assert np.isnan(lift_many_from_grid(np.full((120, 160, 3), np.nan, np.float32), pixels)).all()
    assert np.isnan(lift_many(depth, INTRINSICS, np.full((68, 2), np.nan, np.float32))).all()


def test_a_wall_behind_an_outline_does_not_pull_it(depth, pixels):
    whole = lift_many(depth, INTRINSICS, pixels)
    edge = pixels[:, 0] == 126
    depth[:, 126:] = 2000.0  # half of each disc on the last column
    found = lift_many(depth, INTRINSICS, pixels)
    np.testing.assert_allclose(found[edge, 2], whole[edge, 2], atol=3.0)


def face_in_front(extra_mm=0.0, outline=()):
    """The template's 68 landmarks before a camera, and a depth image with a small disc of readings at each."""
    template = own_template()
    marks = template.landmarks(template.vertices) * [1, -1, -1] + [0, 0, 600]
    centre = np.array([900.0, 900.0, 199.5, 199.5])
    pixels = project(marks, centre).astype(np.float32)
    depth = np.zeros((400, 400), np.float32)
    rows, columns = np.mgrid[:400, :400]
    for place, (pixel, z) in enumerate(zip(pixels, marks[:, 2], strict=True)):
        near = (columns - pixel[0]) ** 2 + (rows - pixel[1]) ** 2 < 16
        depth[near] = z + (extra_mm if place in outline else 0)
    return depth, centre, pixels, marks


@pytest.mark.parametrize(("place", "behind_mm"), [(4, 45.0), (10, 60.0)])
def test_a_landmark_that_reads_the_neck_behind_the_jaw_is_unknown(place, behind_mm):
    depth, centre, pixels, marks = face_in_front()
    assert np.allclose(lift_many(depth, centre, pixels), marks, atol=4)
    depth, centre, pixels, marks = face_in_front(behind_mm, (place,))
    found = lift_many(depth, centre, pixels)
    assert np.flatnonzero(np.isnan(found[:, 2])).tolist() == [place]
    grid = np.full((400, 400, 3), np.nan, np.float32)
    rows, columns = np.nonzero(depth)
    grid[rows, columns] = unproject(np.stack([columns, rows], 1), depth[rows, columns], centre)
    assert np.flatnonzero(np.isnan(lift_many_from_grid(grid, pixels)[:, 2])).tolist() == [place]


def test_of_an_edge_within_a_disc_what_is_in_front_counts(depth, pixels):
    whole = lift_many(depth, INTRINSICS, pixels)
    edge = pixels[:, 0] == 62
    depth[:, 62:66] += 40.0  # most of each disc on that column
    np.testing.assert_allclose(lift_many(depth, INTRINSICS, pixels)[edge], whole[edge], atol=2.5)
