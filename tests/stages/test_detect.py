import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from face3d_data.detectors import mtcnn
from face3d_data.detectors.given import box_around
from face3d_data.detectors.protocol import DetectedFaces
from face3d_data.errors import MissingDependency, Reject
from face3d_data.registry import find
from face3d_data.sample import Arrays, Sample
from face3d_data.stages.detect import Detect as AnyDetect
from face3d_data.stages.face_choice import choose

Detect = partial(AnyDetect, detector="mtcnn")
"""One detector alone; what `auto` does with several is in test_detect_auto.py."""
LANDMARKS = np.array([[272, 210], [334, 207], [304, 243], [283, 283], [329, 281]], np.float32)


@pytest.fixture(scope="module")
def photo():
    return pytest.importorskip("skimage.data", reason="the photograph comes with scikit-image (extra: dev)").astronaut()


def fake_faces(monkeypatch, boxes, scores):
    """Let MTCNN find these, and return the list in which its calls are noted."""
    boxes, scores = np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32)
    found = DetectedFaces(boxes, scores, np.arange(len(boxes) * 10, dtype=np.float32).reshape(-1, 5, 2))
    calls = []
    monkeypatch.setattr(mtcnn.Mtcnn, "detect", lambda self, *call: calls.append(call) or found)
    return calls


def image(**more):
    return Sample.of({"color": np.zeros((100, 200, 3), np.uint8), **more})


def test_the_face_of_a_photograph(photo):
    out = Detect().apply(Sample.of({"color": photo}))
    x1, y1, x2, y2 = out.arrays["box"]
    assert 60 < x2 - x1 < 110
    assert (out.arrays["landmarks"] > [x1, y1]).all()
    assert (out.arrays["landmarks"] < [x2, y2]).all()
    assert out.tags["faces_found"] == 1
    assert out.tags["face_score"] > 0.99


def test_a_depth_bound_leaves_the_face_where_it_is(photo):
    sides = {"color": photo, "intrinsics": np.array([600, 600, 256, 256.0])}
    free = Detect(depth_bound=False).apply(Sample.of(sides | {"depth": np.full((512, 512), 900, np.float32)}))
    bounded = Detect().apply(Sample.of(sides | {"depth": np.full((512, 512), 900, np.float32)}))
    np.testing.assert_allclose(bounded.arrays["box"], free.arrays["box"], atol=0.01)
    with pytest.raises(Reject, match="no_face"):
        Detect().apply(Sample.of(sides | {"depth": np.full((512, 512), 150, np.float32)}))


@pytest.mark.slow
def test_the_bound_changes_no_synthetic_capture():
    reader = find("reader", "synthetic")(people=3, captures=2)
    for source in reader.scan():
        capture = reader.sample(source)
        bounded, free = (Detect(depth_bound=bound, min_confidence=0.8).apply(capture) for bound in (True, False))
        np.testing.assert_allclose(bounded.arrays["box"], free.arrays["box"], atol=0.01)
        np.testing.assert_allclose(bounded.arrays["landmarks"], free.arrays["landmarks"], atol=0.01)


def test_depth_of_another_size_or_without_intrinsics_bounds_nothing(monkeypatch):
    calls = fake_faces(monkeypatch, [[0, 0, 9, 9]], [1.0])
    k, depth = np.array([100, 100, 100, 50.0]), np.full((100, 200), 100, np.float32)
    Detect().apply(image(depth=depth))
    Detect().apply(image(depth=depth[:50, :100], intrinsics=k))
    Detect(depth_bound=False).apply(image(depth=depth, intrinsics=k))
    assert [call[2] for call in calls] == [None, None, None]
    Detect(min_face_px=33).apply(image(depth=depth, intrinsics=k))
    assert calls[3][1] == 33
    assert calls[3][2] == (pytest.approx(110), np.inf)


@pytest.mark.parametrize(("which", "index"), [("largest", 0), ("central", 1), ("confident", 2)])
def test_which_of_several_faces(monkeypatch, which, index):
    boxes = [[0, 0, 60, 60], [90, 40, 110, 60], [150, 0, 190, 40]]
    fake_faces(monkeypatch, boxes, [0.95, 0.96, 0.99])
    out = Detect(which=which).apply(image())
    assert out.arrays["box"].tolist() == boxes[index]
    assert out.arrays["landmarks"][0, 0] == 10 * index
    assert out.tags["faces_found"] == 3


def test_several_faces_are_rejected_if_asked(monkeypatch):
    fake_faces(monkeypatch, [[0, 0, 60, 60], [90, 40, 110, 60]], [0.95, 0.85])
    with pytest.raises(Reject) as caught:
        Detect(several="reject", min_confidence=0.8).apply(image())
    assert caught.value.reason == "several_faces"
    assert Detect(several="reject").apply(image()).tags["faces_found"] == 1


@pytest.mark.parametrize("scores", [[], [0.7, 0.85]])
def test_no_face_or_none_sure_enough_is_rejected(monkeypatch, scores):
    fake_faces(monkeypatch, [[0, 0, 9, 9]] * len(scores), scores)
    with pytest.raises(Reject) as caught:
        Detect().apply(image())
    assert caught.value.reason == "no_face"
    assert ("0.850" in caught.value.detail) == bool(scores)


def explode():
    raise AssertionError("this array was not to be read")


def test_given_makes_the_box_of_the_readers_landmarks_and_reads_only_the_image_beside():
    color = np.zeros((480, 640, 3), np.uint8)
    lazy = {"landmarks": lambda: LANDMARKS, "color": lambda: color, "depth": explode, "intrinsics": explode}
    out = Detect(detector="given").apply(Sample(Arrays(lazy)))
    assert set(out.arrays.own) == {"box"}
    np.testing.assert_allclose(out.arrays["box"], box_around(LANDMARKS))


def test_given_keeps_the_readers_box():
    out = Detect(detector="given").apply(Sample(Arrays({"landmarks": lambda: LANDMARKS, "box": explode})))
    assert not out.arrays.own


def test_given_needs_landmarks():
    with pytest.raises(Reject) as caught:
        Detect(detector="given").apply(image())
    assert caught.value.reason == "missing_landmarks"
    for said in ("detector: given", "the reader", "use detector: auto"):
        assert said in caught.value.detail


def one_at(value):
    landmarks = LANDMARKS.copy()
    landmarks[2, 0] = value
    return landmarks


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("box", [{}, {"box": np.array([0, 0, 9, 9], np.float32)}])
@pytest.mark.parametrize("value", [np.nan, np.inf, 2e6, -2e6, 3e38])
def test_given_rejects_landmarks_that_are_in_no_image(value, box):
    with pytest.raises(Reject, match=r"no_face: bad landmarks: .*(not finite|in no image)"):
        Detect(detector="given").apply(Sample.of({"landmarks": one_at(value), **box}))


@pytest.mark.parametrize("image", ["color", "depth"])
@pytest.mark.parametrize(
    ("landmarks", "said"),
    [
        (LANDMARKS + 9100, r"none of the five is in the image of 640x480 px, their middle is at \(9404, 9345\)"),
        (LANDMARKS - [500, 0], "none of the five"),
        (np.float32([[972, 210], [630, 207], [1004, 243], [983, 283], [1029, 281]]), "their middle at .* is farther"),
        (one_at(9100), r"the nose at \(9100, 243\) is far outside the image"),
    ],
)
def test_given_rejects_landmarks_outside_the_image(image, landmarks, said):
    arrays = {"color": np.zeros((480, 640, 3), np.uint8), "depth": np.ones((480, 640), np.float32)}
    with pytest.raises(Reject, match=f"no_face: bad landmarks: .*{said}"):
        Detect(detector="given").apply(Sample.of({"landmarks": landmarks.astype(np.float32), image: arrays[image]}))


@pytest.mark.parametrize("off", [(0, 0), (-290, 0), (320, 0), (0, -240), (0, 260)])
def test_given_takes_a_face_that_the_border_cuts(off):
    sample = Sample.of({"landmarks": LANDMARKS + np.float32(off), "color": np.zeros((480, 640, 3), np.uint8)})
    assert "box" in Detect(detector="given").apply(sample).arrays


def test_given_rejects_landmarks_at_one_place():
    with pytest.raises(Reject, match="no_face: bad landmarks: all at one place"):
        Detect(detector="given").apply(Sample.of({"landmarks": np.full((5, 2), 7, np.float32)}))


def test_a_given_box_moves_and_grows_with_its_landmarks():
    box = box_around(LANDMARKS)
    assert (box[:2] < LANDMARKS.min(axis=0)).all()
    assert (box[2:] > LANDMARKS.max(axis=0)).all()
    np.testing.assert_allclose(box_around(LANDMARKS * 2 + 30), box * 2 + 30, atol=1e-3)


@pytest.mark.slow
def test_given_imports_no_torch():
    code = (
        "import sys, numpy as np\nfrom face3d_data.stages.detect import Detect\nfrom face3d_data.sample import Sample\n"
        "Detect(detector='given').apply(Sample.of({'landmarks': np.eye(5, 2, dtype='f4')}))\n"
        "print([name for name in ('torch', 'cv2', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_mtcnn_imports_no_tensorflow_nor_its_package(photo):
    code = (
        "import sys, numpy as np\nfrom face3d_data.detectors.mtcnn import Mtcnn\n"
        "Mtcnn().detect(np.zeros((40, 40, 3), 'u1'))\n"
        "print([name for name in ('tensorflow', 'keras', 'mtcnn', 'torchvision') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_fingerprint_knows_weights_parameters_and_the_kind_of_device(monkeypatch, tmp_path):
    plain = Detect().fingerprint()
    assert Detect(device="cuda").fingerprint() == Detect(device="cuda:1").fingerprint() != plain
    assert Detect(min_confidence=0.5).fingerprint() != plain
    other = tmp_path / "other.lz4"
    other.write_bytes(b"other weights")
    monkeypatch.setattr("face3d_data.detectors.weights.weight_file", lambda net: other)
    assert Detect().fingerprint() != plain


def test_missing_weights_name_the_remedy(monkeypatch):
    from face3d_data.detectors.weights import weight_file

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    weight_file.cache_clear()
    with pytest.raises(MissingDependency, match="pip install mtcnn"):
        Detect().fingerprint()


@pytest.mark.parametrize(
    "wrong", [{"thresholds": (0, 0.5, 0.5)}, {"min_face_px": 5}, {"which": "prettiest"}, {"device": "gpu"}]
)
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        Detect(**wrong)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_device_that_is_not_there_stops_with_the_remedy(photo):
    with pytest.raises(MissingDependency, match="set device to cpu"):
        Detect(device="cuda").apply(Sample.of({"color": photo}))


SHARED = Path(os.environ.get("FACE3D_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "rgbd"


def overlap(a, b):
    common = np.prod(np.maximum(0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])))
    return common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the rendered captures are not here (FACE3D_SHARED)")
def test_faces_of_rendered_captures_lie_where_they_were_rendered():
    reader = find("reader", "rgbd_folder")(root=SHARED)
    overlaps, errors = [], []
    for source in list(reader.scan())[::8]:
        capture = reader.sample(source)
        truth = json.loads((SHARED / source.person / "landmarks.json").read_text())[source.capture]
        found = Detect().apply(capture).arrays
        overlaps.append(overlap(found["box"], np.array(truth["face_box_xyxy"])))
        marks = capture.arrays["landmarks"]
        off = np.linalg.norm(found["landmarks"] - marks, axis=1).mean()
        errors.append(off / np.linalg.norm(marks[0] - marks[1]))
    assert min(overlaps) > 0.3
    assert np.median(errors) <= 0.06


def test_choose_takes_the_first_of_equals():
    faces = DetectedFaces(
        np.array([[0, 0, 9, 9]] * 2, np.float32), np.ones(2, np.float32), np.zeros((2, 5, 2), np.float32)
    )
    assert [choose(faces, which, (10, 10)) for which in ("best", "largest", "central", "confident")] == [0] * 4


def face_at(x, y, side, score=0.99):
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2], score


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ([face_at(45, 60, 130)], "a larger bystander at the edge"),
        ([face_at(600, 240, 160)], "a larger bystander who is cut off by the image's border"),
        ([face_at(320, 250, 30)], "a small face on a shirt, nearer to the middle"),
        ([face_at(330, 200, 110, 0.62)], "something like a face that is hardly sure"),
        ([face_at(60, 60, 90), face_at(580, 60, 90), face_at(60, 420, 90)], "several at the edges"),
    ],
)
def test_the_best_face_is_the_one_in_front_of_the_camera(others, why):
    found = [*others, face_at(330, 230, 100)]
    boxes, scores = (np.array(part, np.float32) for part in zip(*found, strict=True))
    faces = DetectedFaces(boxes, scores, np.zeros((len(found), 5, 2), np.float32))
    assert choose(faces, "best", (480, 640)) == len(found) - 1, why


def test_the_best_face_is_that_of_the_formula():
    rng = np.random.default_rng(0)
    for _ in range(200):
        middles, sides = rng.uniform([-20, -20], [660, 500], (4, 2)), rng.uniform(10, 300, 4)
        boxes = np.column_stack([middles - sides[:, None] / 2, middles + sides[:, None] / 2]).astype(np.float32)
        scores = rng.uniform(0.6, 1, 4).astype(np.float32)
        products = []
        for (x1, y1, x2, y2), score in zip(boxes.tolist(), scores.tolist(), strict=True):
            width, height = min(x2, 640) - max(x1, 0), min(y2, 480) - max(y1, 0)
            area = width * height if width > 0 and height > 0 else 0
            off = np.hypot((x1 + x2) / 2 - 320, (y1 + y2) / 2 - 240)
            products.append(area**0.5 * max(1 - off / 400, 0) * score)
        faces = DetectedFaces(boxes, scores, np.zeros((4, 5, 2), np.float32))
        assert choose(faces, "best", (480, 640)) == int(np.argmax(products))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the rendered captures are not here (FACE3D_SHARED)")
def test_of_several_people_in_a_picture_the_one_in_the_middle_is_taken():
    reader = find("reader", "rgbd_folder")(root=SHARED)
    pictures = [reader.sample(source).arrays for source in list(reader.scan())[::12][:3]]
    marks = [arrays["landmarks"] for arrays in pictures]
    parts = []
    for arrays, points, half in zip(pictures, marks, (110, 140, 100), strict=True):
        x, y = points.mean(axis=0).round().astype(int)
        padded = np.pad(arrays["color"], ((200, 200), (200, 200), (0, 0)), mode="edge")
        parts.append(padded[y + 200 - 140 : y + 200 + 140, x + 200 - half : x + 200 + half])
    # A bystander, cut at the edge and twice as large, beside the person in front of the camera.
    large = np.repeat(np.repeat(parts[0], 2, axis=0), 2, axis=1)[140:420, 130:]
    scene = np.concatenate([large, parts[1], parts[2]], axis=1)
    out = Detect().apply(Sample.of({"color": np.ascontiguousarray(scene)}))
    assert out.tags["faces_found"] >= 2
    left, right = out.arrays["box"][[0, 2]]
    assert large.shape[1] < (left + right) / 2 < large.shape[1] + parts[1].shape[1]
    taken = Detect(which="largest").apply(Sample.of({"color": np.ascontiguousarray(scene)})).arrays["box"]
    assert taken[2] < large.shape[1] + 20, "the largest is the bystander"
