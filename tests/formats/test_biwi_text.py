"""The Biwi database's `.cal` and `_pose.txt`."""

import numpy as np
import pytest

from face3d_data.formats.biwi_text import parse_cal, parse_pose

CAL = (
    "575.816 0 320 \n"  # fx 0 cx
    "0 575.816 240 \n"  # 0 fy cy
    "0 0 1 \n"
    "\n"
    "0 0 0 0 \n"  # distortion
    "\n"
    "1 0 0 \n0 1 0 \n0 0 1 \n"  # R
    "\n"
    "0 0 0 \n"  # T, mm
)
POSE = (
    "0.980639 0.109899 0.162077 \n"  # R, row by row
    "-0.11023 0.993882 -0.00697376 \n"
    "-0.161851 -0.011027 0.986754 \n"
    "\n"
    "43.4019 -30.7038 906.864 \n"  # centre, mm
)


def test_the_literals_are_read():
    assert parse_cal(CAL) == (575.816, 575.816, 320.0, 240.0)
    rotation, centre = parse_pose(POSE.replace("\n", "\r\n"))
    assert rotation[0].tolist() == [0.980639, 0.109899, 0.162077]
    assert centre.tolist() == [43.4019, -30.7038, 906.864]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: expected three numbers, found ''"),
        ("1 2\n", "line 1: expected three numbers, found '1 2'"),
        ("575 0 320\n0 575 nan\n0 0 1\n", "line 2: expected three numbers"),
        ("575 0 320\n0 575 240\n", "line 3: expected three numbers"),
        ("575 1 320\n0 575 240\n0 0 1\n", "lines 1 to 3: not a camera matrix"),
        ("-575 0 320\n0 575 240\n0 0 1\n", "lines 1 to 3: not a camera matrix"),
        ("575 0 320\n0 1e30 240\n0 0 1\n", "lines 1 to 3: not a camera matrix"),
        ("1 " * 9000, "18000 characters are too many"),
    ],
)
def test_what_is_no_camera_is_said_with_its_line(text, said):
    with pytest.raises(ValueError, match=said):
        parse_cal(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (POSE.replace("0.980639", "1.98"), "lines 1 to 3: not a rotation"),
        ("1 0 0\n0 1 0\n0 0 -1\n\n1 2 3\n", "lines 1 to 3: not a rotation"),
        ("1e300 0 0\n0 1 0\n0 0 1\n\n1 2 3\n", "lines 1 to 3: not a rotation"),
        ("1 0 0\n0 1 0\n0 0 1\n\n", "line 5: expected three numbers, found ''"),
        ("1 0 0\n0 1 0\n0 0 1\n\n1 2 x\n", "line 5: expected three numbers, found '1 2 x'"),
        ("1 0 0\n0 1 0\n0 0 1\n\n1 2 99999\n", "line 5: the centre is 1e"),
    ],
)
def test_what_is_no_pose_is_said_with_its_line(text, said):
    with pytest.raises(ValueError, match=said):
        parse_pose(text)


def test_cut_anywhere_the_numbers_are_whole_or_refused():
    for end in range(len(POSE)):
        try:
            rotation, centre = parse_pose(POSE[:end])
        except ValueError:
            continue
        assert np.isfinite(rotation).all()
        assert np.isfinite(centre).all()
