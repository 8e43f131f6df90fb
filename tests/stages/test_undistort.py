"""Lenses with distortion: undone in points exactly and in images by a stage; no stage takes one for a pinhole."""

import numpy as np
import pytest
from scans import face_scan

from face3d_data.errors import Reject
from face3d_data.geometry.camera import project, unproject
from face3d_data.geometry.lens import distort
from face3d_data.registry import components
from face3d_data.sample import Sample
from face3d_data.stages.crop import CropFace
from face3d_data.stages.detect import Detect
from face3d_data.stages.locate_3d import Locate3d
from face3d_data.stages.mask import Mask
from face3d_data.stages.to_cloud import ToCloud
from face3d_data.stages.undistort import Undistort
from face3d_data.testing import tiny_sample
from face3d_data.testing.contract import check_stage

pytestmark = pytest.mark.slow

LENS = np.array([0.3, -0.1, 0.004, -0.003, 0.05, 0, 0, 0, 0.001, 0, -0.002, 0, 0])


def through_a_lens(lens=LENS, width=160, height=120):
    """Return the points of a surface, and the sample that a camera with this lens makes of it."""
    camera = np.array([150.0, 152, 79.5, 59.5])
    v, u = np.mgrid[:height, :width]
    pixels = np.column_stack([u.ravel(), v.ravel()]).astype(float)

    def surface(x, y):
        return 600 + 0.002 * np.minimum(x**2 + y**2, 20_000)

    z = np.full(len(pixels), 600.0)
    for _ in range(60):  # where each ray meets the surface
        x, y, _ = unproject(pixels, z, camera, lens).T
        z = surface(x, y)
    depth = z.reshape(height, width).astype(np.float32)
    marks = np.array([[-30.0, -30], [30, -30], [0, 0], [-20, 35], [20, 35]])
    marks = np.column_stack([marks, surface(*marks.T)])
    color = np.zeros((height, width, 3), np.uint8)
    color[..., 0] = u
    color[..., 1] = v
    seen = project(marks, camera, lens)
    return marks, Sample.of(
        {
            "color": color,
            "depth": depth,
            "intrinsics": camera,
            "distortion": lens,
            "landmarks": seen.astype(np.float32),
            "box": np.array([*seen.min(0) - 5, *seen.max(0) + 5], np.float32),
        },
        tags={"mask": "none"},
        key="ab",
    )


def test_points_are_undistorted_exactly():
    marks, sample = through_a_lens()
    made = ToCloud(min_points=100).apply(sample).arrays
    x, y, z = made["points"].T.astype(float)
    assert np.abs(z - (600 + 0.002 * (x**2 + y**2))).max() < 1e-3
    pinhole = ToCloud(min_points=100).apply(sample.without("distortion")).arrays["points"].astype(float).T
    assert np.abs(pinhole[2] - (600 + 0.002 * (pinhole[0] ** 2 + pinhole[1] ** 2))).max() > 0.1
    assert np.abs(made["landmarks_3d"] - marks).max() < 3, "robust depths, not those of the pixels themselves"


def test_images_are_those_of_a_pinhole():
    marks, sample = through_a_lens()
    made = Undistort().apply(sample).arrays
    assert "distortion" not in made
    camera = sample.arrays["intrinsics"]
    assert np.abs(made["landmarks"] - project(marks, camera)).max() < 1e-3
    v, u = np.mgrid[20:100, 20:140]
    places = (np.column_stack([u.ravel(), v.ravel()]) - camera[2:]) / camera[:2]
    came_from = distort(places, LENS) * camera[:2] + camera[2:]
    colors = made["color"][20:100, 20:140].reshape(-1, 3).astype(float)
    assert np.abs(colors[:, :2] - came_from).max() <= 1, "the colours count the lens's pixels"
    nearest = np.floor(came_from + 0.5).astype(int)
    assert np.array_equal(made["depth"][20:100, 20:140].ravel(), sample.arrays["depth"][nearest[:, 1], nearest[:, 0]])
    low, high = made["box"][:2], made["box"][2:]
    assert (made["landmarks"] >= low).all()
    assert (made["landmarks"] <= high).all()


def test_a_pinholes_images_pass_as_they_are():
    for sample in (tiny_sample(), tiny_sample().with_arrays(distortion=np.zeros(13))):
        made = Undistort().apply(sample)
        assert not made.arrays.own
        assert "distortion" not in made.arrays
    check_stage(Undistort(), tiny_sample())
    check_stage(Undistort(), through_a_lens()[1])


def test_landmarks_beyond_the_lens_are_rejected():
    _, sample = through_a_lens()
    barrel = np.zeros(13)
    barrel[0] = -100.0
    with pytest.raises(Reject, match="beyond_lens: landmarks"):
        Undistort().apply(sample.with_arrays(distortion=barrel).without("box"))


def test_a_crop_sees_the_same_points():
    marks, sample = through_a_lens()
    made = CropFace(size_px=100, margin_px=20).apply(sample).arrays
    seen = project(marks, made["intrinsics"], made["distortion"])
    assert np.abs(made["landmarks"] - seen).max() < 1e-3


def test_a_rolled_crop_sees_the_same_points():
    marks, sample = through_a_lens()
    rolled = marks @ np.array([[np.cos(0.4), np.sin(0.4), 0], [-np.sin(0.4), np.cos(0.4), 0], [0, 0, 1]])
    pixels = project(rolled, sample.arrays["intrinsics"], LENS)
    made = CropFace(align="similarity").apply(sample.with_arrays(landmarks=pixels.astype(np.float32))).arrays
    assert not np.allclose(made["distortion"], LENS)
    moved = np.concatenate([rolled, np.ones((5, 1))], axis=1) @ np.linalg.inv(made["pose"]).T
    seen = project(moved[:, :3], made["intrinsics"], made["distortion"])
    assert np.abs(made["landmarks"] - seen).max() < 1e-3


def test_landmarks_are_sought_and_shown_through_the_lens():
    scan = face_scan(0, 0)
    bent = np.zeros(13)
    bent[0] = 1e-9
    arrays = {"depth": scan.depth.astype(np.float32), "intrinsics": scan.intrinsics}
    plain, lens = (Locate3d().apply(Sample.of(arrays | more)) for more in ({}, {"distortion": bent}))
    assert np.abs(plain.arrays["landmarks"] - lens.arrays["landmarks"]).max() < 0.01


def test_a_stage_that_takes_a_pinhole_rejects_another_camera():
    _, sample = through_a_lens()
    with pytest.raises(
        Reject, match="distorted: the lens has distortion, but mask needs a pinhole camera: put undistort"
    ):
        Mask().apply_all(sample)
    for name, cls in components("stage").items():
        reads = {*cls.optional, *(n for group in cls.inputs for n in ([group] if isinstance(group, str) else group))}
        if not cls.__module__.startswith("face3d_data.") or "intrinsics" not in reads or "distortion" in reads:
            continue
        assert name in ("mask", "occlude", "augment"), f"{name}: does it see through a lens?"
    Detect(detector="given").apply(sample)
    pinhole = sample.with_arrays(distortion=np.zeros(13))
    assert Mask().refusal(pinhole) is None
