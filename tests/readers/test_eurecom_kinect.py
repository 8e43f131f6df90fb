"""Reader `eurecom_kinect`."""

import numpy as np
import pytest
import tiny_eurecom_kinect
from scans import face_scan
from write_eurecom_kinect import write_eurecom_kinect

from face3d_data.component import build
from face3d_data.errors import Unreadable, UserError
from face3d_data.readers.eurecom_kinect import EurecomKinect
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation
from face3d_data.testing.write import write_image

STATES = ("Neutral", "OcclusionEyes", "LeftProfile", "LightOn")


@pytest.fixture
def root(tmp_path):
    return write_eurecom_kinect(tmp_path, people=2, sessions=(1, 2), states=STATES[:2], rows=36)


def reader(root, **options) -> EurecomKinect:
    return build(EurecomKinect, {"root": root, **options}, "source 'x'")


def found_in(root, **options):
    return {f"{source.person}/{source.capture}": source for source in reader(root, **options).scan()}


@pytest.mark.parametrize("use", ["depth", "mesh"])
def test_it_keeps_the_contract(tmp_path, use):
    tiny_eurecom_kinect.write(tmp_path)
    assert len(check_reader(reader(tmp_path, use=use))) == 4


def test_people_captures_and_tags_come_from_the_names(root):
    found = found_in(root)
    assert len(found) == 8
    assert {source.person for source in found.values()} == {"0001", "0002"}
    assert found["0002/s2_OcclusionEyes"].tags == {
        "category": "OcclusionEyes", "session": 2, "sensor": "Kinect v1", "expression": "neutral", "pose": "frontal",
        "occlusion": "eye", "lighting": "normal",
    }  # fmt: skip
    assert found["0001/s1_Neutral"].tags["occlusion"] == "none"


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("Neutral", ("neutral", "frontal", "none", "normal")),
        ("Smile", ("smile", "frontal", "none", "normal")),
        ("OpenMouth", ("open_mouth", "frontal", "none", "normal")),
        ("LightOn", ("neutral", "frontal", "none", "strong")),
        ("OcclusionEyes", ("neutral", "frontal", "eye", "normal")),
        ("OcclusionMouth", ("neutral", "frontal", "mouth", "normal")),
        ("OcclusionPaper", ("neutral", "frontal", "paper", "normal")),
        ("LeftProfile", ("neutral", "left", "none", "normal")),
        ("RightProfile", ("neutral", "right", "none", "normal")),
    ],
)
def test_every_state_has_its_tags(tmp_path, state, told):
    for name in (f"RGB/rgb_0001_s2_{state}.bmp", f"Depth/DepthKinect/depth_0001_s2_{state}.txt"):
        path = tmp_path / "0001" / "s2" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
    tags = found_in(tmp_path)[f"0001/s2_{state}"].tags
    assert tuple(tags[name] for name in ("expression", "pose", "occlusion", "lighting")) == told
    assert (tags["category"], tags["session"]) == (state, 2)


def test_colour_and_depth_are_registered_and_exact(root):
    source, scan = found_in(root)["0002/s1_OcclusionEyes"], face_scan(1, 1, 36)
    eurecom = reader(root)
    eurecom.inspect(source)
    assert np.array_equal(eurecom.load(source, "color"), scan.color)
    assert np.array_equal(eurecom.load(source, "depth"), np.rint(scan.depth))
    assert eurecom.load(source, "intrinsics").tolist() == [525, 525, 319.5 - 192, 239.5 - 74]
    assert np.array_equal(eurecom.load(source, "landmarks"), scan.landmarks)


def test_landmark_files_of_other_names_are_listed(root):
    marks = root / "0001" / "s1" / "Mark" / "MarkRGB"
    (marks / "rgb_0001_s1_Neutral_Points.txt").rename(marks / "rgb_0001_s1_Neutral_Landmarks.txt")
    found = found_in(root)
    assert "landmarks" not in found["0001/s1_Neutral"].arrays
    assert found["0001/s1/Mark/MarkRGB/rgb_0001_s1_Neutral_Landmarks.txt"].problem[0] == "name_not_matched"


def test_a_crop_at_which_depth_would_not_lie_over_colour_is_refused(root):
    wrong = reader(root, crop=(180, 74))
    with pytest.raises(Unreadable, match=r"line \d+: .*not all in .* from x = 180, y = 74 on: set crop"):
        wrong.load(found_in(root)["0001/s1_Neutral"], "depth")


def test_meshes_are_turned_into_the_camera_frame(root):
    eurecom = reader(root, use="mesh")
    source, scan = found_in(root, use="mesh")["0001/s1_Neutral"], face_scan(0, 0, 36)
    points, marks = eurecom.load(source, "points"), eurecom.load(source, "landmarks_3d")
    assert np.array_equal(points, scan.points)
    assert np.array_equal(marks, scan.landmarks_3d)
    check_orientation(points, marks)


def test_literal_marks_of_a_mesh_come_out_upright(root):
    """Typed by hand, the eyes in the wrong order: tab-separated, mm, y up, z to the viewer, six points."""
    (root / "0001/s1/Mark/Mark3DObj/depth_0001_s1_Neutral_Points_OBJ.txt").write_bytes(
        b"30.5\t50\t-730\n"  # an eye, right in the image
        b"-30\t50.25\t-730\n"  # an eye, left in the image
        b"0\t20\t-690\r\n"  # nose tip
        b"-20\t-20\t-700\n20\t-20\t-700\n"  # mouth corners
        b"0\t-50\t-700\n"  # chin
    )
    marks = reader(root, use="mesh").load(found_in(root, use="mesh")["0001/s1_Neutral"], "landmarks_3d")
    assert marks.tolist() == [[-30, -50.25, 730], [30.5, -50, 730], [0, -20, 690], [-20, 20, 700], [20, 20, 700]]


def test_filters_leave_out_without_listing(root):
    assert list(found_in(root, states=["Neutral"], sessions=[2])) == ["0001/s2_Neutral", "0002/s2_Neutral"]
    with pytest.raises(UserError, match="'Neutral', 'Smile', 'OpenMouth'"):
        reader(root, states=["Sad"])
    assert reader(root, states=["Neutral"]).fingerprint() == reader(root).fingerprint()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("0001/s1/RGB/rgb_0001_s1_Neutral.bmp", "no_color"),
        ("0001/s1/Depth/DepthKinect/depth_0001_s1_Neutral.txt", "no_depth"),
    ],
)
def test_a_missing_twin_is_listed(root, name, reason):
    (root / name).unlink()
    found = found_in(root)
    assert found["0001/s1_Neutral"].problem[0] == reason
    assert sum(source.problem is not None for source in found.values()) == 1


def test_a_missing_mesh_and_missing_marks(root):
    (root / "0001/s1/3DObj/depth_0001_s1_Neutral.obj").unlink()
    (root / "0002/s1/Mark/MarkRGB/rgb_0002_s1_Neutral_Points.txt").unlink()
    assert found_in(root, use="mesh")["0001/s1_Neutral"].problem[0] == "no_mesh"
    assert found_in(root)["0001/s1_Neutral"].problem is None
    assert found_in(root)["0002/s1_Neutral"].arrays == ("color", "depth", "intrinsics")


@pytest.mark.parametrize(
    ("text", "problem", "arrays"),
    [
        ("1 2\n3 4\n", None, 3),
        ("nan 1\n2 1\n2 2\n1 3\n2 3\n", None, 3),
        ("2 1\n1 1\n2 2\n1 3\n2 3\n", None, 4),
        ("1 9\n2 9\n2 2\n1 3\n2 3\n", "bad_landmarks", 0),
        ("1 9 3\n", "bad_landmarks", 0),
        ("", "bad_landmarks", 0),
    ],
)
def test_marks_that_are_not_five_or_six_points(root, text, problem, arrays):
    (root / "0001/s1/Mark/MarkRGB/rgb_0001_s1_Neutral_Points.txt").write_text(text)
    source = found_in(root)["0001/s1_Neutral"]
    assert (source.problem[0] if source.problem else None) == problem
    assert len(source.arrays) == arrays
    if arrays == 4:
        assert reader(root).load(source, "landmarks").tolist() == [[1, 1], [2, 1], [2, 2], [1, 3], [2, 3]]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("0001/s1/RGB/rgb_0001_s1_Sad.bmp", "no state is named 'Sad'"),
        ("0001/s1/RGB/rgb_0002_s1_Neutral.bmp", "named person 0002, session 1, but lies in another's folder"),
        ("0001/s1/RGB/other.bmp", "expected 0001/s1/RGB/rgb_0001_s1_Neutral.bmp"),
        ("0001/s1/Depth/DepthKinect/depth.txt", "expected 0001/s1/RGB"),
    ],
)
def test_a_name_that_does_not_fit_is_listed(root, name, said):
    (root / name).write_bytes(b"x")
    (root / "0001/notes.txt").write_text("not a capture")
    bad = [source.problem for source in found_in(root).values() if source.problem]
    assert len(bad) == 1
    assert bad[0][0] == "name_not_matched"
    assert said in bad[0][1]


def test_a_second_copy_of_a_capture_is_listed(root):
    write_eurecom_kinect(root / "copy", people=1, sessions=(1,), states=("Neutral",), rows=36)
    problem = found_in(root)["0001/s1_Neutral"].problem
    assert problem[0] == "same_name"
    assert "copy/0001" in problem[1]


def test_a_colour_image_that_is_not_the_sensors_is_refused(root):
    path = root / "0001/s1/RGB/rgb_0001_s1_Neutral.bmp"
    write_image(path, np.zeros((480, 500, 3), np.uint8))
    source = found_in(root)["0001/s1_Neutral"]
    with pytest.raises(Unreadable, match=r"size_mismatch: .*500x480 .*from 192,74 on .* set crop"):
        reader(root).inspect(source)
    write_image(path, np.zeros((480, 640, 3), np.uint8))
    reader(root).inspect(source)
    assert reader(root).load(source, "depth").shape == (480, 640)
    assert reader(root).load(source, "intrinsics").tolist() == [525, 525, 319.5, 239.5]


def test_wrong_roots_and_cameras_are_named(root, tmp_path):
    with pytest.raises(UserError, match="is not a folder"):
        list(reader(tmp_path / "gone").scan())
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="expected files as 0001/s1/RGB"):
        list(reader(tmp_path / "empty").scan())
    with pytest.raises(UserError, match="must be above 0"):
        reader(root, intrinsics=[0, 1, 2, 3])
