"""Lens distortion: as OpenCV's, undone exactly, turned with the camera."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.geometry.camera import depth_to_points, project, sphere_region, unproject
from face3d_data.geometry.lens import distort, reach, turned, undistort

CAMERA = np.array([600.0, 605.0, 321.5, 238.5])
MATRIX = np.array([[600.0, 0, 321.5], [0, 605.0, 238.5], [0, 0, 1]])
PX = 1e-4


def lens(seed, kind):
    """Return a random lens: `brown` (5 numbers), `rational` (8), `prism` (12) or `modified` (5, RealSense's)."""
    rng = np.random.default_rng(seed)
    d = np.zeros(13)
    d[[0, 1, 4]] = rng.uniform(-1, 1, 3) * [0.3, 0.2, 0.1]
    d[2:4] = rng.uniform(-0.005, 0.005, 2)
    if kind in ("rational", "prism"):
        d[5:8] = rng.uniform(-0.1, 0.1, 3)
    if kind == "prism":
        d[8:12] = rng.uniform(-0.005, 0.005, 4)
    d[12] = kind == "modified"
    return d


def places(seed, d):
    """Return places in the image of 640 x 480 px, within the lens's reach."""
    rng = np.random.default_rng(seed)
    found = np.column_stack([rng.uniform(-0.55, 0.55, 400), rng.uniform(-0.42, 0.42, 400)])
    return found[np.hypot(*found.T) < 0.95 * reach(d)]


@pytest.mark.pins  # OpenCV before 5 takes no criteria there
@pytest.mark.parametrize("kind", ["brown", "rational", "prism"])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_points_are_seen_where_opencv_sees_them_and_back(kind, seed):
    d = lens(seed, kind)
    points = np.column_stack([places(seed, d), np.ones(len(places(seed, d)))]) * 700.0
    theirs = cv2.projectPoints(points, np.zeros(3), np.zeros(3), MATRIX, d[:12])[0][:, 0]
    ours = project(points, CAMERA, d)
    assert np.abs(ours - theirs).max() <= PX
    back = unproject(ours, points[:, 2], CAMERA, d)
    assert np.abs(back - points).max() <= 1e-5, "mm at 700 mm"
    # Far out OpenCV's iteration may leave its own image; where it comes back to it, both agree.
    undone = cv2.undistortPoints(theirs[:, None], MATRIX, d[:12], criteria=(3, 500, 1e-13))[:, 0]
    again = cv2.projectPoints(np.column_stack([undone, np.ones(len(undone))]), np.zeros(3), np.zeros(3), MATRIX, d[:12])
    good = np.abs(again[0][:, 0] - theirs).max(axis=1) < 1e-7
    assert good.mean() > 0.9
    assert np.abs((back[:, :2] / back[:, 2:] - undone) * CAMERA[:2])[good].max() <= PX


def sdk_undistorts(x, y, c):
    """Return where RealSense's SDK sends a place of an inverse Brown-Conrady image, iterated to the end."""
    xo, yo = x, y
    for _ in range(300):
        r2 = x * x + y * y
        inverse = 1 / (1 + ((c[4] * r2 + c[1]) * r2 + c[0]) * r2)
        xq, yq = x / inverse, y / inverse
        dx = 2 * c[2] * xq * yq + c[3] * (r2 + 2 * xq * xq)
        dy = 2 * c[3] * xq * yq + c[2] * (r2 + 2 * yq * yq)
        x, y = (xo - dx) * inverse, (yo - dy) * inverse
    return x, y


@pytest.mark.slow
@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_realsense_models_are_undone_as_the_sdk_does(seed):
    d = lens(seed, "modified") * np.array([0.3] * 12 + [1])
    shown = distort(places(seed, d)[:30], d)
    for place, (x, y) in zip(undistort(shown, d), shown, strict=True):
        assert np.abs(np.array(sdk_undistorts(x, y, d[[0, 1, 2, 3, 4]])) - place).max() < 1e-9
    plain = d * np.array([1] * 12 + [0])
    assert np.abs(distort(places(seed, d), plain) - distort(places(seed, d), d)).max() > 1e-7, "another model"


@pytest.mark.parametrize("kind", ["brown", "rational", "prism", "modified"])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_it_is_undone_whatever_the_lens(kind, seed):
    d = lens(seed, kind)
    ideal = places(seed, d)
    assert np.abs(undistort(distort(ideal, d), d) - ideal).max() < 1e-9


def test_what_a_lens_does_not_show_is_nan_and_no_point():
    barrel = np.zeros(13)
    barrel[0] = -0.5  # r (1 - r²/2) grows up to sqrt(2 / 3), where it shows 0.544
    assert reach(barrel) == pytest.approx(np.sqrt(2 / 3), abs=1e-3)
    assert np.isnan(undistort([[0.6, 0.0]], barrel)).all()
    assert np.isfinite(undistort([[0.5, 0.0]], barrel)).all()
    assert np.isnan(project([[900.0, 0, 1000]], CAMERA, barrel)).all()
    depth = np.full((3, 700), 500, np.float32)
    points, pixels = depth_to_points(depth, np.array([600.0, 600, 350, 1]), distortion=barrel)
    assert set(pixels) == {row * 700 + u for row in range(3) for u in range(700) if np.hypot(u - 350, row - 1) < 326.5}
    assert np.isfinite(points).all()


def test_no_distortion_is_a_pinhole():
    none = np.zeros(13)
    depth = np.random.default_rng(0).uniform(0, 900, (12, 16)).astype(np.float32)
    for ours, plain in zip(depth_to_points(depth, CAMERA, None, none), depth_to_points(depth, CAMERA), strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-6)
    assert reach(none) == np.inf


@pytest.mark.parametrize("kind", ["brown", "prism", "modified"])
@pytest.mark.parametrize("roll", [0.3, -1.2, np.pi])
def test_a_rolled_cameras_lens_is_turned(kind, roll):
    d = lens(5, kind)
    cosine, sine = np.cos(roll), np.sin(roll)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    ideal = places(5, d)
    assert np.abs(distort(ideal @ turn.T, turned(d, cosine, sine)) - distort(ideal, d) @ turn.T).max() < 1e-12


@given(
    st.integers(0, 10_000), st.sampled_from(["brown", "rational", "prism"]), st.floats(-250, 250), st.floats(-180, 180)
)
@settings(max_examples=60, deadline=None)
def test_a_sphere_is_seen_within_its_region(seed, kind, x, y):
    d = lens(seed, kind)
    centre = np.array([x, y, 600.0])
    x0, y0, x1, y1 = sphere_region(centre, 90.0, CAMERA, (480, 640), d)
    on = np.random.default_rng(seed).normal(size=(500, 3))
    pixels = project(centre + 90 * on / np.linalg.norm(on, axis=1, keepdims=True), CAMERA, d)
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    inside = pixels[((pixels >= 0) & (pixels <= [639, 479])).all(axis=1)]
    assert (inside >= [x0, y0]).all()
    assert (inside <= [x1, y1]).all()
