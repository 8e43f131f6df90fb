"""Faces of many images at once: what one image at a time gives, with one wait for the device."""

import numpy as np
import pytest
import torch
from facemesh_images import images

from face3d_data.detectors import facemesh
from face3d_data.detectors.facemesh import Facemesh
from face3d_data.detectors.mediapipe.nets import load_nets
from face3d_data.detectors.mesh_batch import MOST_FACES, find_faces_in_all, suppress_all
from face3d_data.detectors.mesh_search import decode, suppress
from face3d_data.detectors.protocol import DetectedFaces
from face3d_data.sample import Sample
from face3d_data.stages.detect import WORKERS_A_DEVICE, Detect

pytest.importorskip("skimage.data", reason="the photograph comes with scikit-image (extra: dev)")


def test_many_images_give_the_faces_of_each_alone():
    blank = np.full((512, 512, 3), 110, np.uint8)
    some = [images()[name] for name in ("plain", "two", "masked", "mirrored")]
    found = find_faces_in_all([*some, blank], "cpu")
    # The masked face is one that the detector is less sure of: it is looked at again by itself.
    assert [len(faces) for faces in found] == [1, 2, 0, 1, 0]
    for image, faces in zip(some, found, strict=False):
        alone = Facemesh().detect(image)
        if not len(faces):
            assert len(alone) == 1
            continue
        assert len(alone) == len(faces)
        for marks in alone.landmarks_dense:
            apart = np.linalg.norm(faces.landmarks_dense - marks, axis=2)
            assert apart.mean(axis=1).min() < 0.15
            assert apart[apart.mean(axis=1).argmin()].max() < 0.6
    assert find_faces_in_all([], "cpu") == []


def test_suppression_on_the_device_is_that_of_the_cpu():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(-6, 1, (5, 896)).astype(np.float32))
    places = torch.from_numpy(rng.normal(0, 2, (5, 896, 16)).astype(np.float32))
    places[..., 2:4] = 30 + places[..., 2:4]
    for i in range(4):  # the fifth has no face
        chosen = rng.choice(896, 12, replace=False)
        logits[i, chosen] = torch.from_numpy(rng.uniform(0.1, 4, 12).astype(np.float32))
    boxes, points, scores = (part.numpy() for part in suppress_all(logits, places))
    for i in range(5):
        wanted = suppress(decode(logits[i].numpy(), places[i].numpy()))
        n = min(len(wanted.scores), MOST_FACES)
        np.testing.assert_allclose(scores[i, :n], wanted.scores[:n], rtol=1e-5)
        assert (scores[i, n:] == 0).all()
        np.testing.assert_allclose(boxes[i, :n], wanted.boxes[:n], atol=1e-3)
        np.testing.assert_allclose(points[i, :n], wanted.points[:n], atol=1e-3)


def on_a_device(monkeypatch, seen):
    """Let `device: cuda` give these faces of a batch, and the CPU look where there are none."""
    calls = []
    monkeypatch.setattr(
        facemesh.Facemesh, "detect_all", lambda self, colors, *_: calls.append(len(colors)) or seen[: len(colors)]
    )
    monkeypatch.setattr(facemesh.Facemesh, "detect", lambda self, *_: calls.append("one") or DetectedFaces.none())
    monkeypatch.setattr("face3d_data.detectors.mtcnn.Mtcnn.detect", lambda self, *_: DetectedFaces.none())
    return calls


def test_the_stage_looks_at_a_batch_and_alone_where_nothing_was_seen(monkeypatch):
    face = find_faces_in_all([images()["plain"]], "cpu")[0]
    calls = on_a_device(monkeypatch, [face, DetectedFaces.none(), face])
    stage = Detect(device="cuda")
    samples = [Sample.of({"color": images()["plain"]})] * 3
    made = stage.run_batch(samples, [None] * 3)
    assert calls == [3, "one"]
    assert [part[0].tags["found_by"] for part in (made[0], made[2])] == ["facemesh"] * 2
    assert "nothing like a face" in str(made[1])
    depth = Sample.of({"depth": np.zeros((40, 40), np.float32), "intrinsics": np.array([50, 50, 20, 20.0])})
    assert "no_face" in str(stage.run_batch([depth], [None])[0])


def test_only_a_gpu_is_given_batches_and_shared_by_few_workers():
    assert (Detect().batch_size, Detect().workers_at_once) == (1, None)
    assert (Detect(device="cuda").batch_size, Detect(device="cuda").workers_at_once) == (32, WORKERS_A_DEVICE)
    assert Detect(device="cuda", detector="mtcnn").batch_size == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
def test_a_gpu_gives_what_the_cpu_gives():
    there = Facemesh(device="cuda").detect_all([images()["plain"]] * 4, 20.0, [None] * 4)
    here = Facemesh().detect(images()["plain"])
    for faces in there:
        assert np.linalg.norm(faces.landmarks_dense[0] - here.landmarks_dense[0], axis=1).max() < 0.6
    load_nets.cache_clear()
