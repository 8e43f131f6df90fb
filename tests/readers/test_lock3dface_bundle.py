"""Reader `lock3dface_bundle`: frames of a text file, and what is wrong with it."""

import os

import numpy as np
import pytest
import tiny_lock3dface_bundle
from scans import face_scan
from write_lock3dface import CROP, kinect_depth, write_bundle

from face3d_data.errors import Unreadable, UserError
from face3d_data.reader import source_key
from face3d_data.readers.lock3dface_bundle import Lock3DFaceBundle
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation
from face3d_data.unchanged import read_state

ALL = ["001/NU_1_01", "001/FE_1_01", "002/NU_1_01", "002/NU_1_02"]


@pytest.fixture
def root(tmp_path):
    tiny_lock3dface_bundle.write(tmp_path)
    return tmp_path


def reader(root, **options):
    return Lock3DFaceBundle(root=root, intrinsics=tiny_lock3dface_bundle.CAMERA, **options)


def found(root, **options):
    return {f"{s.person}/{s.capture}": s for s in reader(root, **options).scan()}


def problems(root, **options):
    return {name: source.problem for name, source in found(root, **options).items() if source.problem}


def test_people_videos_frames_and_tags(root):
    assert list(found(root)) == ALL
    assert not problems(root)
    assert found(root)["002/NU_1_02"].tags == {
        "category": "NU", "code": "NU_1", "number": 1, "expression": "neutral", "pose": "frontal",
        "occlusion": "none", "session": 1, "frame": 2, "sensor": "Kinect v2", "bundle": "kinect_all.dat", "line": 4,
        "byte": found(root)["002/NU_1_02"].tags["byte"],
    }  # fmt: skip
    data = (root / "kinect_all.dat").read_bytes()
    assert data.count(b"\n", 0, found(root)["002/NU_1_02"].tags["byte"]) == 3


def test_a_person_who_comes_in_before_others_changes_no_key(root):
    def keys():
        bundle = reader(root)
        return {
            name: source_key(bundle.fingerprint(), source.hashed(read_state)) for name, source in found(root).items()
        }

    before = keys()
    write_bundle(root / "new", "kinect", {"000_Kinect_NU_1": [face_scan(1, 2)]})
    for ending in (".dat", ".name"):
        first, rest = root / "new" / f"kinect_all{ending}", root / f"kinect_all{ending}"
        rest.write_bytes(first.read_bytes() + rest.read_bytes())
        first.unlink()
    after = keys()
    assert set(after) - set(before) == {"000/NU_1_01"}
    assert {name: after[name] for name in before} == before
    assert np.array_equal(
        reader(root).load(found(root)["001/FE_1_01"], "depth"), kinect_depth(face_scan(0, 1), CROP, CROP)
    )


def test_depth_is_what_was_written(root):
    for name, scan in (("001/FE_1_01", face_scan(0, 1)), ("002/NU_1_02", face_scan(1, 1))):
        depth = reader(root).sample(found(root)[name]).arrays["depth"]
        assert np.array_equal(depth, kinect_depth(scan, CROP, CROP).astype(np.float32))


@pytest.mark.slow
def test_faces_look_at_the_camera_upright(root):
    arrays = reader(root).sample(found(root)["001/NU_1_01"]).arrays
    fx, fy, cx, cy = arrays["intrinsics"]
    v, u = np.nonzero(arrays["depth"])
    z = arrays["depth"][v, u]
    check_orientation(np.stack([(u - cx) / fx * z, (v - cy) / fy * z, z], 1))


def test_frames_and_categories_can_be_chosen(root):
    assert list(found(root, first=1)) == ["002/NU_1_02"]
    assert list(found(root, categories=["NU"], max_frames=1)) == ["001/NU_1_01", "002/NU_1_01"]
    assert found(root, first=1)["002/NU_1_02"] == found(root)["002/NU_1_02"]


def test_a_file_that_changed_since_is_noticed(root):
    source = found(root)["001/FE_1_01"]
    path = root / "kinect_all.dat"
    data = bytearray(path.read_bytes())
    data[source.tags["byte"] + 4] = ord("7")
    path.write_bytes(data)
    with pytest.raises(Unreadable, match=r"kinect_all\.dat: line 2, byte \d+: the file changed"):
        reader(root).load(source, "depth")


def test_what_is_wrong_is_listed(root):
    (root / "kinect_all.name").write_text("001_Kinect_NU_1,1\nxyz,1\n001_Kinect_NU_1,1\n002_Kinect_FE_2,3\n")
    (root / "other.dat").write_text("")
    (root / "more.name").write_text("")
    write_bundle(root / "left", "kinect", {"009_Kinect_NU_1": [face_scan(0, 0)]})
    (root / "left" / "kinect_all.name").write_text("")
    write_bundle(root / "bad", "kinect", {"009_Kinect_NU_1": [face_scan(0, 0)]})
    (root / "bad" / "kinect_all.name").write_text("a,1\nb\n")
    assert {name: problem[0] for name, problem in problems(root).items()} == {
        "kinect_all.dat/line_2": "name_not_matched",
        "kinect_all.dat/line_3": "same_name",
        "002/FE_2_02": "no_frame",
        "002/FE_2_03": "no_frame",
        "./other": "no_names",
        "./more": "no_depth",
        "left/kinect_all": "frames_left",
        "bad/kinect_all": "bad_names",
    }
    assert problems(root)["bad/kinect_all"][1].endswith("line 2: expected <video>,<number of frames>, found 'b'")


def test_lines_that_run_together_are_listed_with_its_place(root):
    path = root / "kinect_all.dat"
    path.write_bytes(path.read_bytes().replace(b"\n", b" ", 2))
    said = "kinect_all.dat: line 1, byte 0: too long for a frame"
    assert problems(root) == {"./kinect_all": ("unreadable", said)}


@pytest.mark.parametrize("text", ["1 2 3", "", "1 x"])
def test_lines_that_are_no_frame_are_unreadable(root, text):
    lines = (root / "kinect_all.dat").read_text().splitlines()
    (root / "kinect_all.dat").write_text("\n".join([text, *lines[1:]]))
    with pytest.raises(Unreadable, match=r"unreadable: kinect_all\.dat: line 1, byte 0: "):
        reader(root).load(found(root)["001/NU_1_01"], "depth")
    assert reader(root).load(found(root)["001/FE_1_01"], "depth").any()


def test_names_that_no_table_can_hold_are_listed(root):
    bad = os.fsencode(root) + b"/b\xff"
    os.mkdir(bad)
    for ending in (b".dat", b".name"):
        os.rename(os.fsencode(root) + b"/kinect_all" + ending, bad + b"/kinect_all" + ending)
    assert {name: problem[0] for name, problem in problems(root).items()} == {"b\\xff/kinect_all": "bad_name"}


def test_an_empty_root_is_said(tmp_path):
    with pytest.raises(UserError, match=r"expected <x>\.dat and <x>\.name"):
        list(Lock3DFaceBundle(root=tmp_path).scan())


def test_it_keeps_the_contract(root):
    check_reader(reader(root))
