"""The text bundle of Lock3DFace's depth."""

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.lock3d_bundle import MOST_LINE_BYTES, find_lines, parse_frame, parse_names

LITERAL = b"701 702 703" + b" 0" * 177 + b" 711" + b" 0" * (180 * 179 - 2) + b" 65535"
"""Column 0 begins 701, 702, 703 (downwards); column 1 begins 711; the last value is the bottom right."""


def test_the_literal_is_read():
    depth = parse_frame(LITERAL + b" \r\n")
    assert (depth.shape, depth.dtype) == ((180, 180), np.float32)
    assert depth[:3, 0].tolist() == [701, 702, 703]
    assert (depth[0, 1], depth[179, 179]) == (711, 65535)
    assert (depth > 0).sum() == 5


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"", "0 values, expected 32400"),
        (LITERAL[:-6], "32399 values"),
        (LITERAL + b" 1", "32401 values"),
        (LITERAL.replace(b"702", b"-70"), "character 5: b'-' cannot be in a whole number"),
        (LITERAL.replace(b"702", b"7e2"), "character 6: b'e' cannot be in a whole number"),
        (LITERAL.replace(b"702", b"70\xff"), "cannot be in a whole number"),
        (LITERAL.replace(b"702", b"65536"), "value 2: 65536 mm is not a 16-bit depth"),
        (LITERAL.replace(b"702", b"9" * 400), "value 2: inf mm is not a 16-bit depth"),
    ],
)
def test_what_is_no_frame_is_said(line, said):
    with pytest.raises(ValueError, match=said):
        parse_frame(line)


def test_names_are_read():
    assert parse_names(b"001_Kinect_NU_1,59\r\nx , 0\n") == [("001_Kinect_NU_1", 59), ("x", 0)]
    assert parse_names(b"a,3,more\n") == [("a", 3)]
    assert parse_names(b"") == []


@pytest.mark.parametrize("line", [b"a", b"a,", b",3", b"a,-1", b"a,1_0", b"a,\xb2", b"a,999999", b"a,9999999999"])
def test_what_is_no_name_is_said_with_its_line(line):
    with pytest.raises(ValueError, match="line 2: "):
        parse_names(b"b,1\n" + line)


def test_lines_are_found_and_none_is_longer_than_a_frame(tmp_path):
    path = tmp_path / "a.dat"
    path.write_bytes(b"1 2\n\n345")
    assert list(find_lines(path)) == [(1, 0, b"1 2\n"), (2, 4, b"\n"), (3, 5, b"345")]
    path.write_bytes(b"1\n" + b"2" * (MOST_LINE_BYTES + 1))
    with pytest.raises(Unreadable, match=r"a\.dat: line 2, byte 2: too long for a frame"):
        list(find_lines(path))
