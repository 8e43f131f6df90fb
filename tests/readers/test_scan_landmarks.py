"""Landmarks beside scans, as `mesh_folder` and `cloud_folder` take them."""

import json

import numpy as np
import pytest
from scans import face_scan, scan_mesh
from write_meshes import five_entry, write_stl, y_up

from face3d_data.readers.mesh_folder import MeshFolder

SCAN = face_scan(0, 0, 36)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "ann").mkdir()
    vertices, triangles, _ = scan_mesh(SCAN)
    write_stl(tmp_path / "ann" / "a.stl", y_up(vertices), triangles)
    return tmp_path


def reader(root):
    return MeshFolder(root=root)


def test_landmarks_may_lie_in_one_file_a_folder(root):
    entry = five_entry(y_up(SCAN.landmarks_3d))
    (root / "ann" / "landmarks.json").write_text(json.dumps({"a": entry, "b": {"landmarks_3d": None}}))
    source = next(reader(root).scan())
    assert np.array_equal(reader(root).load(source, "landmarks_3d"), SCAN.landmarks_3d)
    assert source.record["landmarks"] == list(entry["landmarks_3d"].values())


def landmarks_of(root, entry):
    (root / "ann" / "a.landmarks.json").write_text(json.dumps(entry))
    meshes = reader(root)
    source = next(meshes.scan())
    if source.problem:
        return source.problem
    return meshes.load(source, "landmarks_3d") if "landmarks_3d" in source.arrays else None


def test_landmarks_that_are_missing_are_unknown(root):
    points = {"left_eye": [-30, 0, 0], "right_eye": [30, 0, 0], "nose": [0, -30, 20], "mouth_left": None}
    found = landmarks_of(root, {"landmarks_3d": points})
    assert np.array_equal(np.isfinite(found).all(1), [True, True, True, False, False])
    assert landmarks_of(root, {"landmarks_3d": {"nose": [0, 0, 0], "left_eye": [1, 1, 1]}}) is None
    assert landmarks_of(root, {"expression": "smile"}) is None
    assert landmarks_of(root, points).shape == (5, 3)


def test_left_is_left_in_the_image_however_named(root):
    points = {
        "left_eye": [30, 1, 0],
        "right_eye": [-30, 2, 0],
        "mouth_left": [20, -60, 0],
        "mouth_right": [-20, -61, 0],
    }
    found = landmarks_of(root, points)
    assert found[[0, 1, 3, 4]].tolist() == [[-30, -2, 0], [30, -1, 0], [-20, 61, 0], [20, 60, 0]]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"landmarks_3d": {"left_eyes": [0, 0, 0]}}, "no landmark is named 'left_eyes': did you mean 'left_eye'?"),
        ({"landmarks_3d": {"chin": [0, 0, 0]}}, "no landmark is named 'chin' .known: left_eye, right_eye, nose"),
        ({"landmarks_3d": {"nose": [0, 0]}}, "nose = .0, 0. must be three finite numbers"),
        ({"landmarks_3d": {"nose": [0, 0, "1"]}}, "must be three finite numbers"),
        ({"landmarks_3d": {"nose": [0, 0, 1e300]}}, "must be three finite numbers"),
        ({"landmarks_3d": [1, 2, 3]}, "must be an object"),
        ([], "must be an object"),
        ({"landmarks_mm": {}}, "key 'landmarks_mm' is not known: name it landmarks_3d"),
    ],
)
def test_landmarks_that_are_wrong_are_named(root, entry, said):
    reason, detail = landmarks_of(root, entry)
    assert reason == "bad_landmarks"
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(detail)


def test_bad_landmark_files_are_listed(root):
    (root / "ann" / "a.landmarks.json").write_text("{")
    assert next(reader(root).scan()).problem[0] == "bad_landmarks"
    (root / "ann" / "a.landmarks.json").write_text(" " * 100_000)
    assert "larger than" in next(reader(root).scan()).problem[1]
    (root / "ann" / "a.landmarks.json").unlink()
    (root / "ann" / "landmarks.json").write_text("[]")
    assert next(reader(root).scan()).problem[0] == "bad_landmarks"
