"""Stage `detect` with `detector: auto`: one detector after another, then the depth; pictures of faces are no faces."""

import numpy as np
import pytest
from face_scans import INTRINSICS, face_sample, head_pose

from face3d_data.detectors import facemesh, mtcnn
from face3d_data.detectors.protocol import DetectedFaces
from face3d_data.errors import Reject
from face3d_data.geometry.relief import relief_mm
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.sample import Sample
from face3d_data.stages.detect import Detect
from face3d_data.stages.face_search import CHAIN
from face3d_data.testing.contract import check_stage

AUTO = Detect(detector="auto")
MARKS = np.array([[80, 60], [120, 60], [100, 85], [84, 105], [116, 105]], np.float32)


@pytest.fixture(scope="module")
def photo():
    return pytest.importorskip("skimage.data", reason="the photograph comes with scikit-image (extra: dev)").astronaut()


def faces(*scores, dense=False):
    n = len(scores)
    boxes = np.tile(np.float32([70, 40, 130, 120]), (n, 1))
    marks = np.tile(MARKS, (n, 1, 1))
    many = {"landmarks_68": np.ones((n, 68, 2), np.float32), "landmarks_dense": np.ones((n, 478, 2), np.float32)}
    return DetectedFaces(boxes, np.float32(scores), marks, **(many if dense else {}))


def let_find(monkeypatch, mesh=(), cascade=()):
    """Let the two detectors find faces of these scores, and return the list in which their calls are noted."""
    calls = []
    for cls, found in ((facemesh.Facemesh, faces(*mesh, dense=True)), (mtcnn.Mtcnn, faces(*cascade))):
        monkeypatch.setattr(cls, "detect", lambda self, *_, found=found: calls.append(self.name) or found)
    return calls


def poster(photo, distance_mm=700.0, noise_mm=1.0, tilt=5e-7):
    _, columns = np.mgrid[:512, :512]
    z = 1 / (1 / distance_mm + (columns - 256) * tilt)
    depth = (z + np.random.default_rng(0).normal(0, noise_mm, z.shape)).astype(np.float32)
    return Sample.of({"color": photo, "depth": depth, "intrinsics": np.array([600, 600, 256, 256.0])})


def test_facemesh_comes_first_and_gives_its_landmarks(photo):
    out = AUTO.apply(Sample.of({"color": photo}))
    assert out.tags["found_by"] == "facemesh"
    assert out.arrays["landmarks_68"].shape == (68, 2)
    assert out.arrays["landmarks_dense"].shape == (478, 2)
    assert 60 < np.ptp(out.arrays["box"][::2]) < 110


def test_mtcnn_searches_what_facemesh_did_not_find(monkeypatch):
    calls = let_find(monkeypatch, mesh=[0.7], cascade=[0.95])
    stale = {"landmarks_dense": np.zeros((478, 2), np.float32)}
    out = AUTO.apply(Sample.of({"color": np.zeros((200, 200, 3), np.uint8), **stale}))
    assert out.tags["found_by"] == "mtcnn"
    assert out.tags["face_score"] == pytest.approx(0.95)
    assert calls == list(CHAIN)
    assert "landmarks_dense" not in out.arrays, "they were of another detector"


def test_nothing_is_tried_after_a_face_was_found(monkeypatch):
    calls = let_find(monkeypatch, mesh=[0.99], cascade=[0.95])
    assert AUTO.apply(Sample.of({"color": np.zeros((200, 200, 3), np.uint8)})).tags["found_by"] == "facemesh"
    assert calls == ["facemesh"]


@pytest.mark.parametrize("with_color", [True, False])
def test_depth_has_the_face_that_no_detector_saw(with_color):
    """The colour is a ramp: nobody sees a face in it."""
    sample = face_sample(head_pose(10.0), wall_mm=1200.0)
    truth = sample.arrays["landmarks"]
    sample = sample.without("landmarks") if with_color else sample.without("landmarks", "color")
    out = AUTO.apply(sample)
    assert out.tags["found_by"] == "depth"
    assert np.linalg.norm(out.arrays["landmarks"] - truth, axis=1).max() < 6
    assert 0.5 <= out.tags["face_score"] <= 1


def test_a_reject_says_what_each_tried(monkeypatch):
    let_find(monkeypatch, mesh=[0.7], cascade=[])
    depth = np.full((200, 200), 900, np.float32)
    color = np.zeros((200, 200, 3), np.uint8)
    with pytest.raises(Reject) as caught:
        AUTO.apply(Sample.of({"color": color, "depth": depth, "intrinsics": INTRINSICS}))
    assert caught.value.reason == "no_face"
    for said in ("facemesh: best probability 0.700", "mtcnn: nothing like a face", "depth: the best fit scores"):
        assert said in caught.value.detail
    assert "check its unit" in caught.value.detail
    with pytest.raises(Reject, match=r"depth: there is none"):
        AUTO.apply(Sample.of({"color": color, "depth": depth[:50], "intrinsics": INTRINSICS}))


# hostile scenes


def test_a_poster_is_not_taken_for_a_face(photo):
    with pytest.raises(Reject, match="flat") as caught:
        AUTO.apply(poster(photo))
    assert caught.value.reason == "flat"
    assert "check its unit" not in caught.value.detail, "its face was found"
    assert Detect(detector="facemesh").apply(poster(photo)).tags["face_score"] > 0.99, (
        "a detector alone looks at colour"
    )


@pytest.mark.parametrize(("distance_mm", "noise_mm"), [(400, 0.5), (700, 3), (1200, 8), (1500, 5)])
def test_a_photograph_is_flat_in_noise_and_a_face_is_not(photo, distance_mm, noise_mm):
    half = 55.0 / distance_mm * 600
    marks = np.array([[-1, -1], [1, -1], [0, 0], [-1, 1], [1, 1]]) * half * 0.6 + 256
    assert relief_mm(poster(photo, distance_mm, noise_mm).arrays["depth"], marks) < 8
    sample = face_sample(head_pose(0.0), noise_mm=3.0)
    assert relief_mm(sample.arrays["depth"], sample.arrays["landmarks"]) > 16


def test_too_little_depth_says_nothing_of_flatness():
    assert relief_mm(np.zeros((100, 100), np.float32), MARKS) is None
    sparse = np.zeros((200, 200), np.float32)
    sparse[80:84, 90:110] = 700
    assert relief_mm(sparse, MARKS) is None
    assert relief_mm(np.full((200, 200), 700, np.float32), MARKS - 1000) is None


def test_the_live_one_of_a_face_and_a_poster_is_taken(monkeypatch):
    live = face_sample(head_pose(0.0), wall_mm=1000.0)
    beside = live.arrays["landmarks"] - [85, 60]
    both = DetectedFaces(
        np.float32([[0, 0, 60, 60], [80, 80, 160, 160]]),
        np.float32([0.99, 0.95]),
        np.float32([np.clip(beside, 1, 70), live.arrays["landmarks"]]),
    )
    monkeypatch.setattr(facemesh.Facemesh, "detect", lambda self, *_: both)
    out = AUTO.apply(live.without("landmarks"))
    assert out.arrays["box"][0] == 80
    assert out.tags["faces_found"] == 1


def test_two_faces_are_told(photo):
    two = np.concatenate([photo[:300, 80:380], photo[:300, 80:380][:, ::-1]], axis=1)
    assert AUTO.apply(Sample.of({"color": np.ascontiguousarray(two)})).tags["faces_found"] == 2
    with pytest.raises(Reject, match="several_faces"):
        Detect(detector="auto", several="reject").apply(Sample.of({"color": np.ascontiguousarray(two)}))


@pytest.mark.parametrize("what", ["nothing", "noise", "the back of a head"])
def test_what_is_no_face_is_rejected(what):
    rows, columns = np.mgrid[:120, :160]
    color = np.full((120, 160, 3), 90, np.uint8)
    depth = np.full((120, 160), 900, np.float32)
    if what == "noise":
        color = np.random.default_rng(0).integers(0, 255, color.shape, dtype=np.uint8)
        depth = np.random.default_rng(1).uniform(500, 1500, depth.shape).astype(np.float32)
    if what == "the back of a head":
        # An ellipsoid of 160 x 230 mm: hair all over, no nose.
        x, y = (columns - 80) / 300 * 700, (rows - 60) / 300 * 700
        inside = 1 - (x / 80) ** 2 - (y / 115) ** 2
        depth = np.where(inside > 0, 700 - 95 * np.sqrt(np.maximum(inside, 0)), 1400).astype(np.float32)
        color[inside > 0] = (60, 40, 30)
    sample = Sample.of({"color": color, "depth": depth, "intrinsics": np.array([300, 300, 80, 60.0])})
    with pytest.raises(Reject) as caught:
        AUTO.apply(sample)
    assert caught.value.reason == "no_face"


def test_a_profile_is_found_by_something_or_rejected():
    out = []
    for yaw in (60.0, 75.0):
        try:
            out.append(AUTO.apply(face_sample(head_pose(yaw), wall_mm=1200.0).without("landmarks")).tags["found_by"])
        except Reject as error:
            out.append(error.reason)
    assert set(out) <= {"depth", "no_face"}


def test_it_keeps_the_contract(photo):
    sample = Sample.of({"color": photo[:256, 100:356].copy()})
    check_stage(AUTO, sample)
    check_stage(Detect(detector="facemesh"), sample)


def test_arrays_that_may_be_there_afterwards():
    assert Detect(detector="mtcnn").created() == {"box", "landmarks"}
    assert Detect(detector="given").created() == {"box", "landmarks"}
    assert Detect(detector="facemesh").created() == {"box", "landmarks", "landmarks_68", "landmarks_dense"}
    prints = [Detect(detector=name).fingerprint() for name in ("auto", "facemesh", "mtcnn", "given")]
    assert len(set(prints)) == 4


# a run


def pipeline_of(folder):
    return make_pipeline(
        {
            "name": "auto",
            "sources": {"people": {"reader": "synthetic", "people": 2, "captures": 2}},
            "steps": [
                {"id": "faces", "stage": "detect", "from": "people", "with": {"detector": "auto"}},
                {"id": "clouds", "stage": "to_cloud", "from": "faces"},
            ],
        },
        folder,
    )


@pytest.mark.slow
def test_one_and_two_workers_give_the_same_bytes_and_the_step_counts_its_detectors(tmp_path):
    found = []
    for engine, jobs in (("serial", 1), ("loky", 2)):
        result = run(pipeline_of(tmp_path), tmp_path / engine, engine=Workers(engine, jobs))
        names = ("landmarks_68_3d", "landmarks_dense_3d", "points")
        found.append({e.id: [e.place.read(name).tobytes() for name in names] for e in result.entries("clouds")})
        assert result.steps["faces"].notes == ("found_by: facemesh 4",)
    assert found[0] == found[1]
    assert len(found[0]) == 4
