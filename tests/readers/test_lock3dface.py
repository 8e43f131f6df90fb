"""Reader `lock3dface`: videos, images, landmarks, and what is wrong with each broken file."""

import shutil

import numpy as np
import pytest
import tiny_lock3dface
from scans import face_scan
from write_lock3dface import kinect_depth, kinect_infrared, kinect_landmarks

from face3d_data.component import build
from face3d_data.errors import Unreadable, UserError
from face3d_data.readers.lock3dface import KINECT_V2, Lock3DFace
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation
from face3d_data.testing.write import write_image

ALL = ["001/FE_2_01", "001/NU_1_01", "001/NU_1_02", "002/NU_1_01", "002/TM_1_01"]


@pytest.fixture
def root(tmp_path):
    tiny_lock3dface.write(tmp_path)
    return tmp_path


def reader(root, **options):
    return Lock3DFace(root=root, **{"intrinsics": tiny_lock3dface.CAMERA, **options})


def found(root, **options):
    return {f"{s.person}/{s.capture}": s for s in reader(root, **options).scan()}


def problems(root, **options):
    return {name: source.problem[0] for name, source in found(root, **options).items() if source.problem}


def test_people_videos_and_tags(root):
    sources = found(root)
    assert list(sources) == ALL
    assert not problems(root)
    shared = {"sensor": "Kinect v2", "pose": "frontal", "occlusion": "none"}
    assert sources["001/NU_1_02"].tags == {
        **shared, "category": "NU", "code": "NU_1", "number": 1, "expression": "neutral", "session": 1, "frame": 2,
    }  # fmt: skip
    assert sources["001/FE_2_01"].tags == {
        **shared, "category": "FE", "code": "FE_2", "number": 2, "session": 1, "frame": 1,
    }  # fmt: skip
    assert sources["002/TM_1_01"].tags["session"] == 2


def test_arrays_are_what_was_written(root):
    sample = reader(root).sample(found(root)["002/TM_1_01"])
    scan = face_scan(1, 2)
    assert np.array_equal(sample.arrays["depth"], kinect_depth(scan).astype(np.float32))
    assert np.array_equal(sample.arrays["landmarks"], kinect_landmarks(scan).astype(np.float32))
    assert sample.arrays["intrinsics"].tolist() == list(tiny_lock3dface.CAMERA)
    infrared, color = kinect_infrared(scan), sample.arrays["color"]
    assert color.shape == (424, 512, 3)
    assert (color[..., 0] == color[..., 2]).all()
    rising = np.argsort(infrared[infrared > 400])
    assert (np.diff(color[infrared > 400][rising, 0].astype(int)) >= 0).all()


def test_the_camera_of_a_kinect_v2_is_taken_where_none_is_given(root):
    source = next(iter(Lock3DFace(root=root).scan()))
    assert Lock3DFace(root=root).load(source, "intrinsics").tolist() == list(KINECT_V2)


def test_faces_look_at_the_camera_upright_and_landmarks_lie_on_them(root):
    arrays = reader(root).sample(found(root)["001/NU_1_01"]).arrays
    fx, fy, cx, cy = arrays["intrinsics"]
    v, u = np.nonzero(arrays["depth"])
    z = arrays["depth"][v, u]
    x, y = arrays["landmarks"].astype(int).T
    there = arrays["depth"][y, x]
    marks = np.stack([(x - cx) / fx * there, (y - cy) / fy * there, there], 1)
    check_orientation(np.stack([(u - cx) / fx * z, (v - cy) / fy * z, z], 1), marks)


def test_landmarks_are_those_of_the_first_frame_unless_all_are_wanted(root):
    given = [name for name, source in found(root).items() if "landmarks" in source.arrays]
    assert given == [name for name in ALL if name != "001/NU_1_02"]
    every = found(root, landmarks_of="all")
    assert "landmarks" in every["001/NU_1_02"].arrays
    assert reader(root, landmarks_of="all").load(every["001/NU_1_02"], "landmarks").shape == (5, 2)
    # Frames left out do not make another frame the first.
    assert "landmarks" not in found(root, first=1)["001/NU_1_02"].arrays


def test_points_that_were_not_found_leave_a_frame_without(root):
    path = root / "label" / "infrared" / "002_Kinect_NU_1INFRARED.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], "x:0 y:0", lines[4]]))
    assert not problems(root)
    assert "landmarks" not in found(root)["002/NU_1_01"].arrays


def test_eyes_and_corners_are_ordered_by_x(root):
    path = root / "label" / "infrared" / "002_Kinect_NU_1INFRARED.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[i] for i in (1, 0, 2, 4, 3)))
    got = reader(root).load(found(root)["002/NU_1_01"], "landmarks")
    assert np.array_equal(got, kinect_landmarks(face_scan(1, 0)))


def test_colour_comes_alone(root):
    source = found(root, image="color")["001/NU_1_02"]
    assert (source.arrays, list(source.files)) == (("color",), ["color"])
    assert abs(int(reader(root, image="color").load(source, "color")[0, 0, 0]) - 102) <= 2


def test_depth_comes_alone(root):
    source = found(root, image="none")["001/NU_1_01"]
    assert source.arrays == ("depth", "intrinsics", "landmarks")
    assert list(source.files) == ["depth"]


def test_categories_and_frames_can_be_chosen(root):
    assert list(found(root, categories=["NU"], max_frames=1)) == ["001/NU_1_01", "002/NU_1_01"]
    (root / "data" / "depth" / "001_Kinect_FE_2DEPTH" / "01.png").unlink()
    assert not problems(root, categories=["NU"])
    assert reader(root, categories=["NU"]).fingerprint() == reader(root).fingerprint()
    with pytest.raises(UserError, match="'NU', 'FE', 'PS', 'OC' or 'TM'"):
        build(Lock3DFace, {"root": root, "categories": ["XX"]}, "source")


def test_all_folders_may_lie_in_one(root, tmp_path_factory):
    flat = tmp_path_factory.mktemp("flat")
    for folder in [*(root / "data").glob("*/*"), *(root / "label" / "infrared").iterdir()]:
        shutil.move(folder, flat / folder.name)
    assert list(found(flat)) == ALL
    assert "landmarks" in found(flat)["001/NU_1_01"].arrays


def test_a_pattern_names_other_videos(root):
    for path in (root / "data").glob("*/002_Kinect_NU_1*"):
        path.rename(path.parent / path.name.replace("002_Kinect_NU_1", "zoe-7"))
    sources = found(root, pattern="{identity}-{take:int}", categories=())
    assert sources["zoe/7_01"].tags == {"sensor": "Kinect v2", "frame": 1, "take": 7}
    assert "001/NU_1_01" not in sources


def test_frames_that_another_camera_alone_has_are_none(root):
    color = root / "data" / "color" / "001_Kinect_FE_2COLOR"
    (color / "00.jpg").write_bytes((color / "01.jpg").read_bytes())
    assert list(found(root)) == ALL
    assert "landmarks" in found(root)["001/FE_2_01"].arrays, "01 is the video's first frame of depth all the same"
    assert "001/FE_2_00" in found(root, image="color")


def test_a_copy_without_infrared_or_depth_is_told_what_to_set(root):
    shutil.rmtree(root / "data" / "infrared")
    said = {source.problem[1] for source in found(root).values()}
    assert "001_Kinect_FE_2COLOR/01.jpg has no infrared twin: set image: none to do without" in said
    assert len(found(root, image="none")) == len(ALL)
    shutil.rmtree(root / "data" / "depth")
    assert {source.problem[1].partition(": ")[2] for source in found(root).values()} == {
        "set image: color to do without"
    }
    assert not problems(root, image="color")


def test_videos_that_are_not_unpacked_are_listed(root):
    (root / "003_Kinect_FE_1DEPTH.RAW").write_bytes(b"x")
    assert problems(root) == {"./003_Kinect_FE_1DEPTH.RAW": "name_not_matched"}
    assert "unpack them" in found(root)["./003_Kinect_FE_1DEPTH.RAW"].problem[1]


def test_endings_may_be_upper_case(root):
    label = root / "label" / "infrared" / "001_Kinect_FE_2INFRARED.txt"
    label.rename(label.with_suffix(".TXT"))
    assert "landmarks" in found(root)["001/FE_2_01"].arrays


def test_what_an_archive_left_behind_takes_no_ones_place(root):
    left = root / "__MACOSX" / "data" / "depth" / "001_Kinect_NU_1DEPTH"
    left.mkdir(parents=True)
    (left / "._01.png").write_bytes(b"x")
    (root / "a" / "001_Kinect_NU_1INFRARED").mkdir(parents=True)
    assert list(found(root)) == ALL
    assert not problems(root)


def test_what_is_wrong_is_listed(root):
    data, label = root / "data", root / "label" / "infrared"
    (data / "depth" / "001_Kinect_FE_2DEPTH" / "01.png").unlink()
    (data / "infrared" / "001_Kinect_NU_1INFRARED" / "02.png").unlink()
    (label / "002_Kinect_NU_1INFRARED.txt").write_text("x:1 y:2\n")
    (label / "002_Kinect_TM_1INFRARED.txt").write_text("x:600 y:20\n" * 5)
    shutil.copytree(data / "depth" / "001_Kinect_NU_1DEPTH", data / "more" / "001_Kinect_NU_1DEPTH")
    shutil.copytree(data / "color" / "001_Kinect_NU_1COLOR", data / "color" / "003_Kinect_XX_1COLOR")
    (data / "depth" / "001_Kinect_NU_1DEPTH" / "first.png").write_bytes(b"x")
    assert problems(root) == {
        "001/FE_2_01": "no_depth",
        "001/NU_1_02": "no_infrared",
        "002/NU_1_01": "bad_landmarks",
        "002/TM_1_01": "bad_landmarks",
        "data/more/001_Kinect_NU_1DEPTH": "same_name",
        "data/color/003_Kinect_XX_1COLOR/01.jpg": "name_not_matched",
        "data/color/003_Kinect_XX_1COLOR/02.jpg": "name_not_matched",
        "data/depth/001_Kinect_NU_1DEPTH/first.png": "name_not_matched",
    }
    said = "002_Kinect_NU_1INFRARED.txt: line 2: expected 5 lines, found 1"
    assert found(root)["002/NU_1_01"].problem[1] == said


def test_images_that_do_not_fit_are_refused(root):
    source = found(root)["001/NU_1_01"]
    write_image(source.files["depth"], np.zeros((424, 512), np.uint8))
    with pytest.raises(Unreadable, match="depth_8bit"):
        reader(root).sample(source)
    write_image(source.files["depth"], np.zeros((424, 500), np.uint16))
    with pytest.raises(Unreadable, match="size_mismatch: depth 500x424, infrared 512x424, camera 512x424"):
        reader(root).sample(source)


def test_it_keeps_the_contract(root):
    for image in ("infrared", "color", "none"):
        check_reader(reader(root, image=image))
