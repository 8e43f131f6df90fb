import numpy as np
import pytest
from pydantic import ValidationError

from face3d_data.errors import Reject
from face3d_data.geometry.crop import ARCFACE_TEMPLATE, Crop
from face3d_data.sample import Sample
from face3d_data.stages.crop import CropFace, crop_color

K = np.array([615.0, 615.0, 319.5, 239.5])
BOX = np.array([250, 180, 350, 300], np.float32)
ANGLE = 0.3
TURN = np.array([[np.cos(ANGLE), -np.sin(ANGLE)], [np.sin(ANGLE), np.cos(ANGLE)]])
LANDMARKS = ((ARCFACE_TEMPLATE - 56) @ TURN.T * 1.3 + [300, 240]).astype(np.float32)


def gradient(height=480, width=640):
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns * 255 / width, rows * 255 / height, np.full(rows.shape, 99)], axis=-1).astype(np.uint8)


def rgbd(**more):
    depth = np.full((480, 640), 700, np.float32)
    arrays = {"color": gradient(), "depth": depth, "intrinsics": K, "box": BOX, "landmarks": LANDMARKS}
    return Sample.of(arrays | more)


def test_the_default_crop_is_182_px_and_leaves_44_px_of_margin():
    out = CropFace().apply(rgbd()).arrays
    assert out["color"].shape == (182, 182, 3)
    assert out["depth"].shape == (182, 182)
    np.testing.assert_allclose(out["box"][[1, 3]], [21.5, 159.5])
    np.testing.assert_allclose(out["intrinsics"][:2], 615 * 138 / 120)
    assert "pose" not in out


def test_a_similarity_puts_landmarks_on_the_template_and_the_roll_into_pose():
    out = CropFace(align="similarity").apply(rgbd()).arrays
    assert out["color"].shape == (112, 112, 3)
    np.testing.assert_allclose(out["landmarks"], ARCFACE_TEMPLATE, atol=1e-3)
    np.testing.assert_allclose(out["pose"][:2, :2], TURN, atol=1e-6)
    np.testing.assert_allclose(out["pose"][2:, 2:], np.eye(2))


def test_a_similarity_scales_with_the_size_asked_for():
    out = CropFace(align="similarity", size_px=224).apply(rgbd()).arrays
    np.testing.assert_allclose(out["landmarks"], ARCFACE_TEMPLATE * 2 + 0.5, atol=1e-3)


def test_points_stay_and_pose_still_leads_to_them():
    rng = np.random.default_rng(4)
    camera = (rng.normal(size=(50, 3)) * 40 + [0, 0, 700]).astype(np.float64)
    pose = np.eye(4)
    pose[:3] = [[0, 1, 0, 5], [-1, 0, 0, 6], [0, 0, 1, -700]]
    points = (camera @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)
    out = CropFace(align="similarity").apply(rgbd(points=points, pose=pose)).arrays
    np.testing.assert_array_equal(out["points"], points)
    in_camera = (points - out["pose"][:3, 3]) @ out["pose"][:3, :3]
    new_px = in_camera[:, :2] / in_camera[:, 2:] * out["intrinsics"][:2] + out["intrinsics"][2:]
    old_px = camera[:, :2] / camera[:, 2:] * K[:2] + K[2:]
    crop = CropFace(align="similarity")._crop(rgbd())
    np.testing.assert_allclose(new_px, crop.map(old_px), atol=1e-3)


@pytest.mark.parametrize("align", ["box", "similarity"])
def test_colour_shows_at_each_pixel_what_lay_there(align):
    sample = rgbd()
    crop = CropFace(align=align)._crop(sample)
    out = CropFace(align=align).apply(sample).arrays["color"].astype(float)
    rows, columns = np.mgrid[: crop.size_px, : crop.size_px]
    source = crop.unmap(np.stack([columns, rows], axis=-1).astype(float))
    np.testing.assert_allclose(out[..., 0], np.clip(source[..., 0], 0, 639) * 255 / 640, atol=2)
    np.testing.assert_allclose(out[..., 1], np.clip(source[..., 1], 0, 479) * 255 / 480, atol=2)


@pytest.mark.parametrize("scale", [0.15, 0.5, 0.83])
def test_colour_is_averaged_where_it_shrinks(scale):
    noise = np.random.default_rng(6).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    small = crop_color(noise, Crop(np.array([[scale, 0, -8], [0, scale, -7]]), 50))
    assert small[5:-5, 5:-5].std() < 80 * scale
    assert small[5:-5, 5:-5].mean() == pytest.approx(127, abs=8)


def test_colour_of_a_shift_is_copied_and_padded_with_black():
    image = np.random.default_rng(7).integers(1, 256, (40, 50, 3), dtype=np.uint8)
    got = crop_color(image, Crop(np.array([[1.0, 0, 10], [0, 1, -5]]), 60))
    want = np.zeros((60, 60, 3), np.uint8)
    want[:35, 10:] = image[5:]
    np.testing.assert_array_equal(got, want)


def test_a_crop_beyond_the_edge_is_padded_with_zeros():
    out = CropFace().apply(rgbd(box=np.array([-60, -60, 40, 40], np.float32))).arrays
    assert not out["color"][:80, :80].any()
    assert not out["depth"][:80, :80].any()
    assert out["depth"][-40:, -40:].all()


@pytest.mark.parametrize("align", ["box", "similarity"])
@pytest.mark.parametrize("kept", [("color",), ("depth",), ("depth", "intrinsics")])
def test_any_part_of_an_rgbd_sample_is_cropped(kept, align):
    sample = rgbd()
    arrays = {name: sample.arrays[name] for name in (*kept, "box", "landmarks")}
    out = CropFace(align=align).apply(Sample.of(arrays)).arrays
    assert set(out) - {"pose"} == set(arrays)
    assert ("pose" in out) == (align == "similarity" and "intrinsics" in kept)
    assert out[kept[0]].shape[0] == CropFace(align=align).size_px


def test_what_is_missing_is_named():
    with pytest.raises(Reject) as caught:
        CropFace().apply(Sample.of({"color": gradient(), "landmarks": LANDMARKS}))
    assert caught.value.reason == "missing_box"


@pytest.mark.parametrize("box", [[10, 10, 10, 50], [-500, -500, -400, -400], [2000, 0, 2050, 50]])
def test_a_box_that_is_empty_or_outside_is_rejected(box):
    with pytest.raises(Reject) as caught:
        CropFace().apply(rgbd(box=np.array(box, np.float32)))
    assert caught.value.reason == "no_region"


def test_landmarks_at_one_place_are_rejected():
    with pytest.raises(Reject) as caught:
        CropFace(align="similarity").apply(rgbd(landmarks=np.ones((5, 2), np.float32)))
    assert caught.value.reason == "no_region"


def test_images_of_different_size_are_rejected():
    with pytest.raises(Reject) as caught:
        CropFace().apply(rgbd(depth=np.ones((240, 320), np.float32)))
    assert caught.value.reason == "size_mismatch"


@pytest.mark.parametrize("wrong", [{"margin_px": 182}, {"align": "similarity", "margin_px": 10}, {"size_px": 0}])
def test_parameters_that_contradict_each_other_are_refused(wrong):
    with pytest.raises(ValidationError):
        CropFace(**wrong)


def test_parameters_are_resolved_and_read_back():
    crop = CropFace(align="similarity")
    assert crop.parameters() == {"align": "similarity", "size_px": 112, "margin_px": 0}
    assert CropFace(**crop.parameters()) == crop
