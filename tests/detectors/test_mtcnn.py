import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from face3d_data.detectors.cascade import crops
from face3d_data.detectors.mtcnn import Mtcnn
from face3d_data.detectors.nets import load_nets, max_pool

SCRIPT = Path(__file__).parents[1] / "golden" / "record_mtcnn.py"
spec = importlib.util.spec_from_file_location("record_mtcnn", SCRIPT)
recorder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recorder)
GOLDEN = json.loads(recorder.GOLDEN.read_text())["images"]


@pytest.fixture(scope="module")
def photographs():
    pytest.importorskip("skimage", reason="the photograph comes with scikit-image (extra: dev)")
    return recorder.photographs()


def check_parity(image, golden):
    assert recorder.pixel_hash(image) == golden["sha256"], "not the image that was recorded"
    faces = Mtcnn().detect(image)
    want = sorted(golden["faces"], key=lambda face: face["box"])
    order = np.lexsort(faces.boxes.round(1).T[::-1])
    assert len(faces) == len(want)
    np.testing.assert_allclose(faces.boxes[order], [face["box"] for face in want], atol=0.01)
    np.testing.assert_allclose(faces.landmarks[order], [face["landmarks"] for face in want], atol=0.01)
    np.testing.assert_allclose(faces.scores[order], [face["score"] for face in want], atol=1e-4)


@pytest.mark.parametrize("name", [name for name in GOLDEN if name.startswith("astronaut")])
def test_equals_the_tensorflow_package_on_a_photograph(name, photographs):
    check_parity(photographs[name], GOLDEN[name])


@pytest.mark.parametrize("name", recorder.CAPTURES)
def test_equals_the_tensorflow_package_on_a_capture(name):
    image = recorder.capture(name)
    if image is None:
        pytest.skip("the rendered captures are not here (FACE3D_SHARED)")
    check_parity(image, GOLDEN[name])


def test_the_golden_file_has_one_and_several_faces():
    counts = [len(image["faces"]) for image in GOLDEN.values()]
    assert min(counts) == 1
    assert max(counts) >= 4


@pytest.mark.parametrize("color", [0, 127, 255])
def test_nothing_is_found_in_a_flat_image(color):
    faces = Mtcnn().detect(np.full((90, 120, 3), color, np.uint8))
    assert len(faces) == 0
    assert faces.boxes.shape == (0, 4)
    assert faces.landmarks.shape == (0, 5, 2)


@pytest.mark.parametrize("shape", [(1, 1), (11, 300), (19, 20), (20, 20), (21, 23)])
def test_images_smaller_than_a_face_or_barely_larger_hold_none(shape):
    assert len(Mtcnn().detect(np.zeros((*shape, 3), np.uint8))) == 0


def test_faces_of_possible_sizes_come_out_as_without_the_bound(photographs):
    photo = photographs["astronaut"]
    free = Mtcnn().detect(photo)
    side = float((free.boxes[0, 2:] - free.boxes[0, :2]).max())
    bounded = Mtcnn().detect(photo, possible_px=(side / 1.3, side * 1.3))
    np.testing.assert_allclose(bounded.boxes, free.boxes, atol=0.01)
    np.testing.assert_allclose(bounded.landmarks, free.landmarks, atol=0.01)


def test_faces_of_impossible_sizes_are_not_sought(photographs):
    photo = photographs["astronaut"]
    box = Mtcnn().detect(photo).boxes[0]
    side = float((box[2:] - box[:2]).max())
    assert len(Mtcnn().detect(photo, possible_px=(10, side / 5))) == 0
    assert len(Mtcnn().detect(photo, possible_px=(side * 4, side * 9))) == 0
    assert len(Mtcnn().detect(photo, min_face_px=side * 2)) == 0


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("shape", [(8, 8), (9, 7), (22, 22), (46, 21), (5, 4)])
def test_max_pool_equals_torchs(size, shape):
    x = torch.randn((2, 3, *shape), generator=torch.Generator().manual_seed(1))
    assert torch.equal(max_pool(x, size), F.max_pool2d(x, size, 2, ceil_mode=True))


@pytest.mark.parametrize("shape", [(12, 12), (13, 40), (61, 50), (62, 33), (97, 120)])
def test_strips_of_an_image_score_as_the_whole(shape, monkeypatch):
    pnet, _, _ = load_nets("cpu")
    image = torch.randn((1, *shape, 3), generator=torch.Generator().manual_seed(2)).permute(0, 3, 1, 2)
    whole = pnet(image)
    monkeypatch.setattr("face3d_data.detectors.nets._STRIP_PX", 700)
    for got, want in zip(pnet(image), whole, strict=True):
        assert got.shape == want.shape
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)


def test_many_crops_are_judged_in_batches(monkeypatch):
    _, rnet, _ = load_nets("cpu")
    crops_of_noise = torch.randn((7, 3, 24, 24), generator=torch.Generator().manual_seed(3))
    whole = rnet(crops_of_noise)
    monkeypatch.setattr("face3d_data.detectors.nets._BATCH", 3)
    for got, want in zip(rnet(crops_of_noise), whole, strict=True):
        torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-4)


def naive_crop(image, box, side):
    height, width = image.shape[:2]
    out = np.zeros((side, side, 3))
    for i in range(side):
        for j in range(side):
            y = (box[1] + (box[3] - box[1]) * i / (side - 1)) / height * (height - 1)
            x = (box[0] + (box[2] - box[0]) * j / (side - 1)) / width * (width - 1)
            if not (0 <= y <= height - 1 and 0 <= x <= width - 1):
                continue
            top, left = min(int(y), height - 2), min(int(x), width - 2)
            fy, fx = y - top, x - left
            above = image[top, left] * (1 - fx) + image[top, left + 1] * fx
            below = image[top + 1, left] * (1 - fx) + image[top + 1, left + 1] * fx
            out[i, j] = above * (1 - fy) + below * fy
    return out


@pytest.mark.parametrize("box", [(3.2, 4.1, 17.9, 18.8), (-5.5, -2.0, 9.5, 13.0), (20.0, 12.0, 45.0, 37.0)])
def test_crops_equal_a_naive_twin(box):
    image = np.random.default_rng(2).random((30, 40, 3)).astype(np.float32)
    got = crops(torch.from_numpy(image).permute(2, 0, 1)[None], np.array([box]), 24)[0].permute(1, 2, 0)
    np.testing.assert_allclose(got.numpy(), naive_crop(image, box, 24), atol=1e-4)
