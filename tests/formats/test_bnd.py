"""The landmarks of BU-3DFE."""

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.bnd import parse_bnd

# Typed by hand: an index, two tabs, three numbers; CRLF.
LINE = b"1234\t\t-12.5 30 1e1\r\n"


def test_lines_typed_by_hand_are_read():
    indices, places = parse_bnd(LINE * 83, "a.bnd")
    assert indices.tolist() == [1234] * 83
    assert places.dtype == np.float64
    assert places.tolist() == [[-12.5, 30, 10]] * 83


def test_cut_off_anywhere_is_told_with_its_line():
    data = LINE * 83
    for at in range(0, len(data) - 4, 3):
        with pytest.raises(Unreadable, match=r"^bad_landmarks: a\.bnd: line \d+: "):
            parse_bnd(data[:at], "a.bnd")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"1 2 3\n", "line 7: 3 numbers, expected vertexIndex x y z"),
        (b"1 2 3 four\n", "line 7: 'four' is not a number"),
        (b"-1 2 3 4\n", "line 7: not a vertex index and a position"),
        (b"1.5 2 3 4\n", "line 7: not a vertex index"),
        (b"4294967296 2 3 4\n", "line 7: not a vertex index"),
        (b"1 nan 3 4\n", "line 7: not a vertex index"),
        (b"1 2 1e300 4\n", "line 7: not a vertex index"),
        (b"", "82 landmarks, expected 83"),
        (LINE * 2, "84 landmarks, expected 83"),
    ],
)
def test_damage_is_named_with_its_line(line, said):
    with pytest.raises(Unreadable, match=f"bad_landmarks: .*{said}"):
        parse_bnd(LINE * 6 + line + LINE * 76, "a.bnd")
