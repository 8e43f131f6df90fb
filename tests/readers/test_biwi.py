"""Reader `biwi`: people of two sequences are one, angles, cameras, and what is wrong with each broken file."""

import numpy as np
import pytest
import tiny_biwi
from scans import face_scan
from write_biwi import biwi_camera, biwi_depth, write_runs

from face3d_data.errors import Unreadable, UserError
from face3d_data.readers.biwi import PEOPLE, Biwi, head_angles_deg
from face3d_data.synthetic.scene import rotation
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation


@pytest.fixture
def root(tmp_path):
    tiny_biwi.write(tmp_path)
    return tmp_path


def found(root, **options):
    return {f"{s.person}/{s.capture}": s for s in Biwi(root=root, **options).scan()}


def problems(root, **options):
    return {name: source.problem[0] for name, source in found(root, **options).items() if source.problem}


def points_of(sample):
    fx, fy, cx, cy = sample.arrays["intrinsics"]
    v, u = np.nonzero(sample.arrays["depth"])
    z = sample.arrays["depth"][v, u]
    return np.stack([(u - cx) / fx * z, (v - cy) / fy * z, z], 1).astype(np.float32)


@pytest.mark.slow
def test_two_sequences_of_a_person_are_one_identity(root):
    assert list(found(root)) == ["F01/01_00003", "F01/01_00004", "F03/03_00003", "F03/03_00007", "F03/15_00003"]
    assert not problems(root)
    tags = {name: source.tags for name, source in found(root).items()}
    assert [tags[name]["session"] for name in tags] == [1, 1, 1, 1, 2]
    assert [tags[name]["frame"] for name in tags] == [3, 4, 3, 7, 3]
    assert tags["F03/15_00003"]["sequence"] == "15"


def test_the_table_has_20_people_four_of_them_twice():
    people = list(PEOPLE.values())
    assert (len(people), len(set(people))) == (24, 20)
    twice = {who: [s for s, one in PEOPLE.items() if one == who] for who in people if people.count(who) == 2}
    assert twice == {"F02": ["02", "21"], "F03": ["03", "15"], "F05": ["05", "18"], "M01": ["07", "22"]}


def test_arrays_are_what_was_written(root):
    reader = Biwi(root=root)
    sample = reader.sample(found(root)["F03/03_00007"])
    scan = face_scan(1, 1)
    assert sorted(sample.arrays) == ["depth", "intrinsics"]
    assert np.array_equal(sample.arrays["depth"], biwi_depth(scan).astype(np.float32))
    assert sample.arrays["intrinsics"].tolist() == list(biwi_camera(scan))


@pytest.mark.slow
def test_faces_look_at_the_camera_upright(root):
    check_orientation(points_of(Biwi(root=root).sample(found(root)["F01/01_00003"])))


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 0, 0), (0, 25, 0), (0, 0, -30), (-60, 35, 15)])
def test_angles_are_those_of_synthetic_heads(angles):
    turn = np.diag([1.0, -1.0, -1.0])
    assert head_angles_deg(turn @ rotation(*angles) @ turn) == pytest.approx(angles, abs=1e-9)


def test_yaw_of_the_files_rotation_has_its_sign(root):
    # R turns (0, 0, -1), the way the nose points, to -sin: the image's left, which is yaw < 0 here.
    tags = found(root)["F03/03_00007"].tags
    assert (tags["yaw_deg"], tags["pitch_deg"], tags["roll_deg"]) == (-7.0, 0.0, 0.0)
    assert tags["distance_mm"] == pytest.approx(face_scan(1, 1).landmarks_3d[2, 2] + 80, abs=0.02)


def test_the_photograph_comes_alone(root):
    reader = Biwi(root=root, image="color")
    source = next(iter(reader.scan()))
    assert (source.arrays, list(source.files)) == (("color",), ["color"])
    assert reader.sample(source).arrays["color"].shape == (480, 640, 3)


def test_only_what_is_near_the_head_can_be_kept(root):
    name = "F01/01_00003"
    whole = Biwi(root=root).sample(found(root)[name]).arrays["depth"]
    near = Biwi(root=root, head_radius_mm=100).sample(found(root)[name]).arrays["depth"]
    assert 0 < (near > 0).sum() < (whole > 0).sum()
    assert np.array_equal(near[near > 0], whole[near > 0])
    (fx, fy, cx, cy), centre = found(root)[name].record["intrinsics"], found(root)[name].record["centre_mm"]
    rows, columns = np.mgrid[: whole.shape[0], : whole.shape[1]]
    points = np.stack([(columns - cx) / fx * whole, (rows - cy) / fy * whole, whole], axis=2)
    assert np.array_equal(near > 0, (whole > 0) & (np.linalg.norm(points - centre, axis=2) <= 100))
    with pytest.raises(Unreadable, match="no_head: no reading within 1 mm"):
        Biwi(root=root, head_radius_mm=1).sample(found(root)[name]).arrays["depth"]


def test_frames_can_be_chosen(root):
    assert list(found(root, first=1)) == ["F01/01_00004", "F03/03_00007"]
    assert list(found(root, max_frames=1)) == ["F01/01_00003", "F03/03_00003", "F03/15_00003"]
    assert list(found(root, every=2)) == ["F01/01_00003", "F03/03_00003", "F03/15_00003"]
    assert Biwi(root=root, every=2).fingerprint() == Biwi(root=root).fingerprint()


def test_the_root_may_be_the_folder_above_hpdb(tmp_path):
    tiny_biwi.write(tmp_path / "kinect_head_pose_db" / "hpdb")
    (tmp_path / "db_annotations" / "01").mkdir(parents=True)
    (tmp_path / "db_annotations" / "01" / "frame_00003_pose.txt").write_bytes(b"x")
    (tmp_path / "head_pose_masks" / "01").mkdir(parents=True)
    (tmp_path / "head_pose_masks" / "01" / "frame_00003_depth_mask.png").write_bytes(b"x")
    assert next(iter(found(tmp_path))) == "F01/01_00003"
    assert not problems(tmp_path)


def test_a_camera_that_changed_between_two_scans_is_read_again(root):
    before = found(root)["F01/01_00003"].record
    path = root / "01" / "depth.cal"
    numbers = path.read_text().split()
    path.write_text(path.read_text().replace(numbers[2], "321.5"))
    after = found(root)["F01/01_00003"].record
    assert after["intrinsics"][2] == 321.5
    assert after["intrinsics"] != before["intrinsics"]


def test_a_sequence_without_its_zero_is_the_same_person(root):
    (root / "03").rename(root / "3")
    sources = found(root)
    assert {"F03/3_00003", "F03/15_00003"} <= sources.keys()
    assert [sources[f"F03/{name}_00003"].tags["session"] for name in ("3", "15")] == [1, 2]
    assert not problems(root)


def test_what_is_wrong_is_listed(root):
    (root / "01" / "frame_00003_pose.txt").unlink()
    (root / "01" / "frame_00004_pose.txt").write_text("1 0 0\n0 1 0\n0 0 2\n\n1 2 3\n")
    (root / "03" / "frame_00003_depth.bin").unlink()
    (root / "15" / "depth.cal").unlink()
    (root / "03" / "depth.cal").write_text("1 2\n")
    (root / "25").mkdir()
    (root / "25" / "frame_00001_pose.txt").write_text("x")
    (root / "01" / "other.png").write_bytes(b"x")
    assert problems(root) == {
        "F01/01_00003": "no_pose",
        "F01/01_00004": "bad_pose",
        "F03/03_00003": "no_depth",
        "F03/03_00007": "bad_intrinsics",
        "F03/15_00003": "no_intrinsics",
        "25/25_00001": "name_not_matched",
        "01/other.png": "name_not_matched",
    }
    assert found(root)["F01/01_00004"].problem[1] == "frame_00004_pose.txt: lines 1 to 3: not a rotation"


def test_another_size_and_a_cut_file_are_refused(root):
    path = root / "01" / "frame_00003_depth.bin"
    source = found(root)["F01/01_00003"]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(Unreadable, match=r"unreadable: frame_00003_depth.bin: byte \d+: truncated"):
        Biwi(root=root).load(source, "depth")
    write_runs(path, np.zeros((4, 4), np.int16))
    with pytest.raises(Unreadable, match=r"size_mismatch: depth 4x4, depth\.cal 640x480"):
        Biwi(root=root).sample(source)


def test_an_empty_root_is_said(tmp_path):
    with pytest.raises(UserError, match="no capture in"):
        list(Biwi(root=tmp_path).scan())


def test_it_keeps_the_contract(root):
    check_reader(Biwi(root=root))
    check_reader(Biwi(root=root, image="color"))
