import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.geometry.crop import ARCFACE_TEMPLATE, Crop, crop_of_box, crop_of_landmarks

K = np.array([615.0, 615.0, 319.5, 239.5])
WIDE_PIXELS = np.array([580.0, 640.0, 300.0, 250.0])


def points_of(depth, intrinsics):
    rows, columns = np.nonzero(depth)
    z = depth[rows, columns].astype(np.float64)
    x, y = (columns - intrinsics[2]) / intrinsics[0] * z, (rows - intrinsics[3]) / intrinsics[1] * z
    return np.stack([x, y, z], axis=1)


def slanted(holes):
    rng = np.random.default_rng(holes)
    rows, columns = np.mgrid[:480, :640]
    depth = (600 + 0.1 * columns + 0.05 * rows + rng.uniform(0, 20, (480, 640))).astype(np.float32)
    depth[rng.random((480, 640)) < holes / 10] = 0
    return depth


landmark_noise = st.lists(st.floats(-6, 6), min_size=10, max_size=10).map(lambda v: np.array(v).reshape(5, 2))


@st.composite
def turned_landmarks(draw):
    angle, scale = draw(st.floats(-3.1, 3.1)), draw(st.floats(0.3, 3))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([draw(st.floats(60, 560)), draw(st.floats(60, 420))])
    return (ARCFACE_TEMPLATE - 56) @ turn.T * scale + middle + draw(landmark_noise) * scale / 2


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(turned_landmarks(), st.sampled_from([K, WIDE_PIXELS]), st.integers(0, 5), st.booleans())
def test_depth_of_a_crop_gives_the_same_points(landmarks, intrinsics, holes, similarity):
    depth = slanted(holes)
    box = np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)])
    crop = crop_of_landmarks(landmarks, 64, intrinsics) if similarity else crop_of_box(box, 64, 10)
    cut = crop.depth(depth)
    new_points = points_of(cut, crop.intrinsics(intrinsics)) @ crop.camera_rotation(intrinsics)[:3, :3]
    rows, columns = np.nonzero(cut)
    source = np.floor(crop.unmap(np.stack([columns, rows], axis=1).astype(float)) + 0.5)
    z = cut[rows, columns].astype(np.float64)
    old_points = np.column_stack([(source - intrinsics[2:]) / intrinsics[:2] * z[:, None], z])
    error_px = (new_points - old_points)[:, :2] / z[:, None] * intrinsics[:2]
    assert np.abs(error_px).max(initial=0) <= 0.5 + 1e-6
    np.testing.assert_array_equal(new_points[:, 2], z)


@settings(max_examples=30, deadline=None)
@given(turned_landmarks(), st.sampled_from([K, WIDE_PIXELS]))
def test_a_3d_landmark_projects_where_the_crop_maps_it(landmarks, intrinsics):
    z = np.linspace(500, 700, 5)
    in_space = np.column_stack([(landmarks - intrinsics[2:]) / intrinsics[:2] * z[:, None], z])
    crop = crop_of_landmarks(landmarks, 112, intrinsics)
    turned = in_space @ crop.camera_rotation(intrinsics)[:3, :3].T
    camera = crop.intrinsics(intrinsics)
    projected = turned[:, :2] / turned[:, 2:] * camera[:2] + camera[2:]
    np.testing.assert_allclose(projected, crop.map(landmarks), atol=1e-6)
    np.testing.assert_allclose(crop.unmap(crop.map(landmarks)), landmarks, atol=1e-6)


@pytest.mark.parametrize("angle", [-1.0, 0.0, 0.4])
def test_landmarks_that_are_the_template_turned_land_on_it(angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    crop = crop_of_landmarks(ARCFACE_TEMPLATE @ turn.T * 1.7 + [40, 90], 112)
    np.testing.assert_allclose(crop.map(ARCFACE_TEMPLATE @ turn.T * 1.7 + [40, 90]), ARCFACE_TEMPLATE, atol=1e-9)
    assert crop.scale == pytest.approx(1 / 1.7)
    np.testing.assert_allclose(crop.camera_rotation()[:2, :2], turn.T, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(turned_landmarks(), landmark_noise)
def test_no_other_similarity_comes_closer_to_the_template(landmarks, noise):
    crop = crop_of_landmarks(landmarks, 112)
    best = ((crop.map(landmarks) - ARCFACE_TEMPLATE) ** 2).sum()
    a, b, dx, dy = noise.ravel()[:4] * 0.01
    nudged = crop.map(landmarks) @ np.array([[1 + a, b], [-b, 1 + a]]) + [dx, dy]
    assert ((nudged - ARCFACE_TEMPLATE) ** 2).sum() >= best - 1e-9


def test_the_box_takes_the_crop_less_its_margin_whatever_its_size():
    for side in (30.0, 300.0):
        crop = crop_of_box(np.array([100, 50, 100 + side, 50 + side / 2]), 182, 44)
        np.testing.assert_allclose(crop.box(np.array([100, 50, 100 + side, 50 + side / 2]))[[0, 2]], [21.5, 159.5])
    np.testing.assert_allclose(crop.map(np.array([250.0, 125.0])), [90.5, 90.5])


def test_a_shifted_crop_copies_depth_and_pads_with_nothing():
    depth = np.arange(1, 101, dtype=np.float32).reshape(10, 10)
    crop = Crop(np.array([[1.0, 0, 3], [0, 1, -2]]), 8)
    want = np.zeros((8, 8), np.float32)
    want[:, 3:] = depth[2:10, :5]
    np.testing.assert_array_equal(crop.depth(depth), want)
    np.testing.assert_allclose(crop.intrinsics(np.array([9, 8, 5, 4.0])), [9, 8, 8, 2])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("far", [1e20, -1e20, 1e300])
def test_a_crop_farther_than_any_integer_is_empty(far):
    crop = Crop(np.array([[1.0, 0, far], [0, 1, 0]]), 8)
    assert not crop.depth(np.ones((10, 10), np.float32)).any()


def test_depth_is_never_mixed_across_an_edge():
    depth = np.where(np.arange(640) < 320, 500, 900).astype(np.float32) * np.ones((480, 1), np.float32)
    for scale in (0.3, 0.9, 2.5):
        crop = Crop(np.array([[scale, 0, 60 - 320 * scale], [0, scale, 60 - 240 * scale]]), 120)
        assert set(np.unique(crop.depth(depth))) <= {0, 500, 900}


@pytest.mark.parametrize("box", [[5, 5, 5, 9], [9, 5, 5, 9], [0, 0, np.nan, 5], [0, 0, np.inf, 5]])
def test_a_box_without_area_is_refused(box):
    with pytest.raises(ValueError, match="box"):
        crop_of_box(np.array(box, float), 182, 44)


@pytest.mark.parametrize("landmarks", [np.ones((5, 2)), np.full((5, 2), np.nan)])
def test_landmarks_at_one_place_are_refused(landmarks):
    with pytest.raises(ValueError, match="landmarks"):
        crop_of_landmarks(landmarks, 112)
