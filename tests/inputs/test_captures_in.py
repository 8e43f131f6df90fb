"""Captures in the files and folders that a command is given."""

import gzip
import json
import shutil

import cv2
import numpy as np
import pytest

from face3d_data.errors import UserError
from face3d_data.inputs.captures import ReaderChoice, captures_in, kind_of
from face3d_data.testing import write_tiny_npy, write_tiny_rgbd

POINTS = b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
FACES = POINTS + b"element face 1\nproperty list uchar int vertex_indices\nend_header\n"
CLOUD = POINTS + b"end_header\n"


@pytest.fixture(scope="module")
def rgbd(tmp_path_factory):
    root = tmp_path_factory.mktemp("captures")
    write_tiny_rgbd(root, people=2, captures=2)
    return root


def found(path, *more):
    return [(one.path, one.person) for one in captures_in(path, *more)]


def test_a_folder_of_people_gives_each_capture_with_its_person(rgbd):
    people = sorted(path.name for path in rgbd.iterdir() if path.is_dir())
    captures = list(captures_in(rgbd))
    assert [one.person for one in captures] == [people[0]] * 2 + [people[1]] * 2
    assert all(one.problem is None and "depth" in one.sample.arrays for one in captures)


def test_a_person_s_folder_and_one_file_find_the_camera_above(rgbd):
    folder = next(path for path in sorted(rgbd.iterdir()) if path.is_dir())
    in_folder = list(captures_in(folder))
    color = sorted(folder.glob("*_color.png"))[1]
    (alone,) = captures_in(color)
    (by_depth,) = captures_in(color.with_name(color.name.replace("_color", "_depth")))
    assert alone.path == by_depth.path == in_folder[1].path == str(color)
    expected = in_folder[1].sample.arrays
    for one in (alone, by_depth):
        assert np.array_equal(one.sample.arrays["intrinsics"], expected["intrinsics"])
        assert np.array_equal(one.sample.arrays["depth"], expected["depth"])


def test_captures_may_lie_in_folders_of_any_depth(rgbd, tmp_path):
    deep = tmp_path / "site" / "anna" / "monday"
    deep.mkdir(parents=True)
    first = sorted(next(path for path in sorted(rgbd.iterdir()) if path.is_dir()).glob("*_0*"))
    for file in first:
        (deep / file.name).write_bytes(file.read_bytes())
    (tmp_path / "intrinsics.json").write_bytes((rgbd / "intrinsics.json").read_bytes())
    assert {person for _, person in found(tmp_path)} == {"site"}
    assert {person for _, person in found(tmp_path / "site")} == {"anna"}


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ({"a.obj": b""}, "mesh_folder"),
        ({"a.ply": FACES}, "mesh_folder"),
        ({"a.ply": CLOUD}, "cloud_folder"),
        ({"a.ply": POINTS + b"element face 0\nend_header\n"}, "cloud_folder"),
        ({"a.ply.gz": gzip.compress(FACES)}, "mesh_folder"),
        ({"a.npy": b"", "note.md": b""}, "cloud_folder"),
        ({"a.stl": b"", "texture.jpg": b""}, "mesh_folder"),
        ({"a.jpg": b"", "b.PNG": b""}, "image_folder"),
        ({"a_color.png": b"", "a_depth.png": b"", "photo.jpg": b""}, "rgbd_folder"),
        ({"a.bag": b""}, "realsense_bag"),
    ],
)
def test_the_reader_is_chosen_by_the_files(tmp_path, names, kind):
    for name, content in names.items():
        (tmp_path / name).write_bytes(content)
    assert kind_of(tmp_path) == kind


def test_a_colour_image_without_depth_is_an_image(tmp_path):
    (tmp_path / "a_color.png").write_bytes(b"")
    assert kind_of(tmp_path / "a_color.png") == "image_folder"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "contains no capture: expected <name>_color.png with <name>_depth.png"),
        (("note.md",), "contains no capture"),
        (("a.obj", "b.npy"), r"contains scans \(mesh_folder\) and point clouds \(cloud_folder\): choose with --reader"),
    ],
)
def test_a_folder_of_nothing_or_of_several_kinds_is_one_line(tmp_path, names, message):
    for name in names:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=message):
        list(captures_in(tmp_path))


def test_what_is_not_there_or_not_known_is_one_line(tmp_path):
    (tmp_path / "a.doc").write_bytes(b"")
    for path, message in (("none", "no such file or folder"), ("a.doc", "is no capture that is known by its name")):
        with pytest.raises(UserError, match=message):
            list(captures_in(tmp_path / path))


def test_a_capture_that_cannot_be_read_says_why_and_the_others_are_read(rgbd, tmp_path):
    folder = next(path for path in sorted(rgbd.iterdir()) if path.is_dir())
    for file in (*folder.iterdir(), rgbd / "intrinsics.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    broken = sorted(tmp_path.glob("*_depth.png"))[0]
    broken.write_bytes(b"no image")
    lonely = sorted(tmp_path.glob("*_depth.png"))[1]
    lonely.unlink()
    reasons = [one.problem[0] for one in captures_in(tmp_path) if one.problem is not None]
    assert reasons == ["unreadable", "no_depth"]


def test_a_reader_of_its_own_layout_reads_folders_alone(rgbd):
    choice = ReaderChoice("rgbd_folder", {"pattern": "{identity}/{capture}"})
    assert len(found(rgbd, choice)) == 4
    with pytest.raises(UserError, match="reads folders: give the folder of the collection"):
        found(next(rgbd.rglob("*_color.png")), choice)


def test_several_captures_of_one_file_have_different_names(tmp_path):
    """Frames of a recording, or images of a file: by their names a gallery knows captures again."""
    (tmp_path / "frames.csv").write_text("identity,capture,color\nanna,one,a.png\nanna,two,a.png\n")
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    choice = ReaderChoice("csv", {"file": str(tmp_path / "frames.csv")})
    assert [path for path, _ in found(tmp_path, choice)] == [str(tmp_path / "a.png"), f"{tmp_path / 'a.png'}#1"]


def test_depth_without_a_unit_is_noted_or_refused_with_the_option(rgbd, tmp_path):
    write_tiny_npy(tmp_path / "npy", 1, 1)
    (one,) = captures_in(tmp_path / "npy", ReaderChoice("rgbd_npy"))
    assert list(one.sample.arrays) == ["color"]
    assert one.note.endswith("--set depth_scale=0.001 where values are mm")
    (one,) = captures_in(tmp_path / "npy", ReaderChoice("rgbd_npy", {"depth_scale": 0.001}))
    assert (one.note, "depth" in one.sample.arrays) == ("", True)
    shutil.copytree(rgbd, tmp_path / "rgbd")
    camera = tmp_path / "rgbd" / "intrinsics.json"
    values = json.loads(camera.read_text())
    del values["depth_scale"]
    camera.write_text(json.dumps(values))
    said = r"'depth_scale' is missing .*: add it, 0\.001 where values are mm, or set .* \(--set depth_scale=0\.001\)$"
    with pytest.raises(UserError, match=said):
        list(captures_in(tmp_path / "rgbd"))
    assert all(
        "depth" in one.sample.arrays
        for one in captures_in(tmp_path / "rgbd", ReaderChoice(None, {"depth_scale": 0.001}))
    )
