"""Reader `realsense`: recordings with and without names, units of depth, cameras, and what is wrong with each file."""

import json
import shutil

import numpy as np
import pytest
import tiny_realsense
from scans import face_scan
from write_realsense import realsense_camera, realsense_color, realsense_depth, write_recording

from face3d_data.component import build
from face3d_data.errors import Unreadable, UserError
from face3d_data.readers.realsense import RealSense
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation
from face3d_data.testing.write import write_image

ALL = ["ann/000000", "ann/000001", "bob/first_00000", "bob/first_00001", "bob/second_00000"]


@pytest.fixture
def root(tmp_path):
    tiny_realsense.write(tmp_path)
    return tmp_path


def found(root, **options):
    return {f"{s.person}/{s.capture}": s for s in RealSense(root=root, **options).scan()}


def problems(root, **options):
    return {name: source.problem[0] for name, source in found(root, **options).items() if source.problem}


def change(path, **changes):
    path.write_text(json.dumps({k: v for k, v in (json.loads(path.read_text()) | changes).items() if v is not None}))


def test_people_recordings_frames_and_tags(root):
    sources = found(root)
    assert list(sources) == ALL
    assert not problems(root)
    assert sources["ann/000001"].tags == {"frame": 1, "units_per_metre": 1000.0}
    assert sources["bob/second_00000"].tags == {
        "recording": "second",
        "frame": 0,
        "units_per_metre": 4000.0,
        "sensor": "Intel RealSense D415",
    }


def test_arrays_are_what_was_written(root):
    reader = RealSense(root=root)
    scan = face_scan(1, 1)
    sample = reader.sample(found(root)["bob/first_00001"])
    assert np.array_equal(sample.arrays["depth"], realsense_depth(scan).astype(np.float32))
    assert sample.arrays["intrinsics"].tolist() == list(realsense_camera(scan))
    difference = np.abs(sample.arrays["color"].astype(int) - realsense_color(scan))
    assert np.median(difference) <= 3  # a JPEG


def test_units_of_the_file_make_millimetres(root):
    depth = RealSense(root=root).sample(found(root)["bob/second_00000"]).arrays["depth"]
    assert np.array_equal(depth, realsense_depth(face_scan(1, 2), 4000) * np.float32(0.25))


def test_the_recorders_unit_can_be_set(root):
    reader = RealSense(root=root, depth_scale=4000)
    source = found(root, depth_scale=4000)["ann/000000"]
    assert source.tags["units_per_metre"] == 4000
    assert np.array_equal(reader.load(source, "depth"), realsense_depth(face_scan(0, 0)) * np.float32(0.25))
    assert reader.fingerprint() != RealSense(root=root).fingerprint()


def test_metres_per_unit_are_recognised(root):
    assert RealSense(root=root, depth_scale=4000).depth_scale == RealSense(root=root, depth_scale=0.00025).depth_scale
    change(root / "bob" / "first" / "intrinsic.json", depth_scale=0.001)
    assert found(root)["bob/first_00000"].tags["units_per_metre"] == 1000
    with pytest.raises(UserError, match=r"depth_scale = 2\.0 must be metres per unit"):
        build(RealSense, {"root": root, "depth_scale": 2}, "source")
    change(root / "bob" / "first" / "intrinsic.json", depth_scale=2)
    assert problems(root) == dict.fromkeys(["bob/first_00000", "bob/first_00001"], "bad_intrinsics")
    detail = found(root)["bob/first_00000"].problem[1]
    assert detail.startswith("bob/first/intrinsic.json: depth_scale = 2 must be metres per unit")


def test_a_recorder_of_another_unit_is_noticed(root):
    write_recording(root / "ann", [face_scan(0, 0), face_scan(0, 1)], units_per_metre=4000)
    sources = list(found(root).values())
    with pytest.raises(UserError, match=r"the nearest reading is \d+ mm away: set depth_scale"):
        RealSense(root=root).survey(sources)
    RealSense(root=root).survey(sources[2:])  # the bag reader's files say their unit
    RealSense(root=root, depth_scale=4000).survey(list(found(root, depth_scale=4000).values()))


def test_the_usual_unit_is_taken(root):
    RealSense(root=root).survey(list(found(root).values()))


@pytest.mark.slow
def test_faces_look_at_the_camera_upright(root):
    for name in ("ann/000000", "bob/second_00000"):
        arrays = RealSense(root=root).sample(found(root)[name]).arrays
        fx, fy, cx, cy = arrays["intrinsics"]
        v, u = np.nonzero(arrays["depth"])
        z = arrays["depth"][v, u]
        check_orientation(np.stack([(u - cx) / fx * z, (v - cy) / fy * z, z], 1))


def test_a_matrix_by_row_is_not_misread(root):
    matrix = json.loads((root / "ann" / "camera_intrinsic.json").read_text())["intrinsic_matrix"]
    change(root / "ann" / "camera_intrinsic.json", intrinsic_matrix=np.reshape(matrix, (3, 3)).T.ravel().tolist())
    got = RealSense(root=root).load(found(root)["ann/000000"], "intrinsics")
    assert got.tolist() == list(realsense_camera(face_scan(0, 0)))


def test_a_camera_above_serves_all_recordings_below(root):
    shutil.move(root / "bob" / "first" / "intrinsic.json", root / "intrinsic.json")
    (root / "ann" / "camera_intrinsic.json").unlink()
    assert not problems(root)
    (root / "intrinsic.json").unlink()
    assert problems(root) == dict.fromkeys(ALL[:4], "no_intrinsics")


def test_folders_may_be_capitalised_and_others_are_told_what_is_wanted(root):
    (root / "ann" / "color").rename(root / "ann" / "Color")
    (root / "ann" / "depth").rename(root / "ann" / "DEPTH")
    assert not problems(root)
    assert list(found(root)) == ALL
    (root / "ann" / "Color").rename(root / "ann" / "rgb")
    said = {source.problem[1] for source in RealSense(root=root).scan() if source.problem}
    assert "000000.jpg: is not in a folder of frames: expected color/ and depth/" in said


def test_a_persons_camera_serves_the_recordings_of_that_person(root):
    shutil.move(root / "bob" / "first" / "intrinsic.json", root / "bob" / "intrinsic.json")
    shutil.move(root / "ann" / "camera_intrinsic.json", root / "camera_intrinsic.json")
    assert not problems(root)
    assert found(root)["bob/first_00000"].tags["sensor"] == "Intel RealSense D415", "not the collection's"


def test_two_cameras_that_contradict_are_refused(root):
    shutil.copy(root / "bob" / "first" / "intrinsic.json", root / "ann")
    assert not problems(root)
    assert found(root)["ann/000000"].tags["sensor"] == "Intel RealSense D415"
    change(root / "ann" / "intrinsic.json", width=170)
    assert problems(root) == dict.fromkeys(ALL[:2], "bad_intrinsics")


def test_frames_can_be_chosen(root):
    assert list(found(root, first=1)) == ["ann/000001", "bob/first_00001"]
    assert list(found(root, max_frames=1)) == ["ann/000000", "bob/first_00000", "bob/second_00000"]
    write_recording(root / "bob" / "second", [face_scan(1, 0)] * 5, bag_reader=True)
    assert [n for n in found(root, every=2, max_frames=2) if "second" in n] == ["bob/second_00000", "bob/second_00002"]
    assert RealSense(root=root, first=1).fingerprint() == RealSense(root=root).fingerprint()


def test_a_pattern_names_other_layouts(root):
    shutil.move(root / "bob" / "first", root / "bob_s2_left")
    shutil.rmtree(root / "bob")
    sources = found(root, pattern="{identity}[_s{session:int}][_{side}]")
    assert list(sources) == ["ann/000000", "ann/000001", "bob/2_left_00000", "bob/2_left_00001"]
    assert sources["bob/2_left_00000"].tags["session"] == 2
    assert {"session", "side", "frame"} <= set(
        RealSense(root=root, pattern="{identity}/{session}_{side}").declared_tags()
    )


def test_what_is_wrong_is_listed(root):
    (root / "ann" / "color" / "000000.jpg").unlink()
    (root / "ann" / "depth" / "000001.png").unlink()
    (root / "bob" / "first" / "color" / "note.png").write_bytes(b"x")
    (root / "bob" / "first" / "color" / "0.jpg").write_bytes(b"x")
    (root / "bob" / "photo.jpg").write_bytes(b"x")
    (root / "bob" / "notes.txt").write_bytes(b"x")
    write_recording(root / "bob" / "deep" / "er", [face_scan(0, 0)])
    write_recording(root, [face_scan(0, 0)])
    assert problems(root) == {
        "ann/000000": "no_color",
        "ann/000001": "no_depth",
        "bob/first/color/00000.jpg": "same_name",
        "bob/first/color/note.png": "name_not_matched",
        "bob/photo.jpg": "name_not_matched",
        "bob/deep/er/color": "name_not_matched",
        "./color": "name_not_matched",
    }


def test_recordings_that_a_pattern_cannot_tell_apart_are_listed(root):
    assert problems(root, pattern="{identity}[/first][/second]") == {"bob/second/color": "same_name"}


def test_images_that_do_not_fit_are_refused(root):
    reader, source = RealSense(root=root), found(root)["ann/000000"]
    write_image(source.files["depth"], np.zeros((120, 160), np.uint8))
    with pytest.raises(Unreadable, match=r"depth_8bit: .* has 8 bits"):
        reader.sample(source)
    write_image(source.files["depth"], np.zeros((60, 80), np.uint16))
    with pytest.raises(Unreadable, match=r"colour 160x120, depth 80x60, the camera file 160x120: depth is not aligned"):
        reader.sample(source)


def test_a_missing_or_empty_root_is_said(tmp_path):
    with pytest.raises(UserError, match="is not a folder"):
        list(RealSense(root=tmp_path / "no").scan())
    with pytest.raises(UserError, match="no recording in"):
        list(RealSense(root=tmp_path).scan())


def test_it_keeps_the_contract(root):
    check_reader(RealSense(root=root))
