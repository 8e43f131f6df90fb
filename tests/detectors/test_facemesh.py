"""Detector `facemesh`: the same numbers as MediaPipe's own, faces of all sizes, the same bytes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from facemesh_images import detector_picture, images, mesh_pictures

from face3d_data.detectors.facemesh import Facemesh
from face3d_data.detectors.mediapipe.nets import load_nets
from face3d_data.detectors.mediapipe.view import Square, whole
from face3d_data.detectors.mesh_faces import levels, place_points, search
from face3d_data.detectors.mesh_search import Found, suppress
from face3d_data.geometry.landmark_sets import DENSE_OF_68, MIRRORED_68, MIRRORED_DENSE

pytest.importorskip("skimage.data", reason="the photograph comes with scikit-image (extra: dev)")
GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "facemesh.npz")
MOST_APART_PX = 0.05


def tensor(pictures):
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()


def test_the_detector_network_gives_mediapipes_numbers():
    net, _ = load_nets("cpu")
    with torch.inference_mode():
        logits, places = net(tensor([detector_picture()]) / 127.5 - 1)
    np.testing.assert_allclose(logits[0].numpy(), GOLDEN["logits"], atol=2e-3)
    np.testing.assert_allclose(places[0].numpy(), GOLDEN["places"], atol=2e-3)


def test_the_mesh_network_gives_mediapipes_points():
    _, net = load_nets("cpu")
    with torch.inference_mode():
        points, flags = net(tensor(mesh_pictures()) / 255)
    np.testing.assert_allclose(points.numpy(), GOLDEN["mesh"], atol=2e-3)
    assert (torch.sigmoid(flags) > 0.99).all()


@pytest.mark.parametrize("name", ["plain", "mirrored", "masked", "large", "two"])
def test_whole_images_give_mediapipes_landmarks(name):
    """Its own resampling rounds otherwise than OpenCV's of today: half a grey level moves a point by 0.1 px."""
    image = images()[name]
    found = place_points(image, search(image, [whole(image.shape)], "cpu"), "cpu").landmarks_dense
    wanted = GOLDEN[name]
    assert len(found) == len(wanted)
    for face in wanted:
        apart = np.linalg.norm(found - face, axis=2)
        nearest = apart[apart.mean(axis=1).argmin()]
        assert nearest.mean() <= MOST_APART_PX
        assert nearest.max() <= 5 * MOST_APART_PX


def test_sets_of_landmarks_agree():
    faces = Facemesh().detect(images()["plain"])
    dense = faces.landmarks_dense[0]
    np.testing.assert_array_equal(faces.landmarks_68[0], dense[list(DENSE_OF_68)])
    np.testing.assert_array_equal(faces.landmarks[0], dense[[468, 473, 4, 61, 291]])
    left, right = faces.landmarks[0, 0], faces.landmarks[0, 1]
    assert left[0] < right[0]
    assert (faces.boxes[0, :2] < dense.min(axis=0) + 12).all()
    assert faces.scores[0] > 0.99


def test_a_mirrored_photograph_has_the_mirrored_landmarks():
    plain, mirrored = (Facemesh().detect(images()[name]) for name in ("plain", "mirrored"))
    for name, order in (("landmarks_68", MIRRORED_68), ("landmarks_dense", MIRRORED_DENSE)):
        there = getattr(mirrored, name)[0] * [-1, 1] + [511, 0]
        apart = np.linalg.norm(there[order] - getattr(plain, name)[0], axis=1)
        assert np.median(apart) < 1.5
        assert apart.max() < 4.0, "no landmark is exchanged with a wrong one"


@pytest.mark.parametrize("every", [2, 3, 4])
def test_small_faces_are_found_in_parts_of_the_image(every):
    """A face of 90 px, made smaller, in an image of 640 x 480 px."""
    small = images()["plain"][::every, ::every]
    image = np.full((480, 640, 3), 110, np.uint8)
    image[200 : 200 + len(small), 400 : 400 + small.shape[1]] = small[: 480 - 200, : 640 - 400]
    faces = Facemesh().detect(image)
    assert len(faces) == 1
    eyes = faces.landmarks[0, :2].mean(axis=0)
    wanted = images()["plain"], Facemesh().detect(images()["plain"]).landmarks[0, :2].mean(axis=0)
    np.testing.assert_allclose(eyes, wanted[1] / every + [400, 200], atol=4)
    assert len(Facemesh().detect(image, min_face_px=100)) == 0


def test_levels_cover_the_image_and_end_at_the_smallest_face():
    for shape in ((480, 640), (2000, 300), (100, 100)):
        found = list(levels(shape, 20.0))
        assert found[-1][0].side / 8 <= 20 < 2 * max(found[-1][0].side / 8, 10.1)
        for squares in found[1:]:
            covered = np.zeros(shape, bool)
            for square in squares:
                x, y = (square.middle - square.side / 2).astype(int)
                covered[max(y, 0) : int(y + square.side) + 1, max(x, 0) : int(x + square.side) + 1] = True
            assert covered.all()
    assert len(list(levels((480, 640), 100.0))) == 1
    large = [len(squares) for squares in levels((4000, 6000), 12.0)]
    assert large[0] == 1
    assert max(large) <= 300


def test_a_picture_shows_its_square():
    image = np.zeros((60, 80, 3), np.uint8)
    image[20:40, 30:50] = 200
    square = Square(np.array([40.0, 30.0]), 40.0, np.pi / 2)
    picture = square.picture(image, 40, "black")
    assert picture[20, 20, 0] == 200
    assert picture[2, 2, 0] == 0
    corner = square.to_image(40) @ [0, 0, 1]
    np.testing.assert_allclose(corner, [60, 10], atol=1e-9)


def test_clusters_become_their_weighted_mean():
    boxes = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]], float)
    points = np.repeat(boxes[:, None, :2], 6, axis=1)
    found = suppress(Found(boxes, points, np.array([0.9, 0.6, 0.7])))
    np.testing.assert_allclose(found.boxes, [[0.8, 0, 10.8, 10], [50, 50, 60, 60]])
    np.testing.assert_allclose(found.scores, [0.9, 0.7])
    np.testing.assert_allclose(found.points[0, 0], [0.8, 0])
    assert len(suppress(Found(boxes[:0], points[:0], np.empty(0))).scores) == 0


def test_who_else_is_in_the_image_moves_no_byte_of_a_face():
    image = images()["two"]
    both = search(image, [whole(image.shape)], "cpu")
    assert len(both.scores) == 2
    one = Found(both.boxes[:1], both.points[:1], both.scores[:1])
    marks = place_points(image, one, "cpu").landmarks_dense[0]
    assert any(np.array_equal(marks, face) for face in place_points(image, both, "cpu").landmarks_dense)


def test_a_face_upside_down_has_its_own_landmarks():
    """The mesh alone lies on it as if it were upright, and is sure."""
    image = images()["plain"]
    upright = Facemesh().detect(image).landmarks_dense[0]
    over = np.ascontiguousarray(image[::-1, ::-1])
    found = Facemesh().detect(over)
    assert len(found) == 1
    back = np.array(image.shape[1::-1]) - 1 - found.landmarks_dense[0]
    eyes = np.linalg.norm(upright[468] - upright[473])
    assert np.linalg.norm(back - upright, axis=1).mean() < 0.03 * eyes


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cat", "clock", "coffee", "coins", "rocket", "brick", "page"])
def test_things_are_no_faces(name):
    """The mesh lies on five of these, and is sure of four."""
    from skimage import data

    image = getattr(data, name)()
    color = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    assert len(Facemesh().detect(np.ascontiguousarray(color))) == 0
