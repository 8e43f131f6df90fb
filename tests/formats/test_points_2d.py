"""Texts of points in a picture: typed by hand, cut after every line, and wrong in every way."""

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.points_2d import read_points_2d

BY_HAND = b"12.5\t7\r\n-1\t3e1\r\nNaN\tNaN\r\n"  # x, a tab, y; the third point is missing


def refused(tmp_path, data, count=3):
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    with pytest.raises(Unreadable) as caught:
        read_points_2d(path, count)
    assert caught.value.reason == "unreadable"
    return caught.value.detail


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r", b"\n\n"])
@pytest.mark.parametrize("gap", [b"\t", b"  "])
def test_points_typed_by_hand(tmp_path, line_end, gap):
    path = tmp_path / "a.txt"
    path.write_bytes(BY_HAND.replace(b"\r\n", line_end).replace(b"\t", gap))
    assert np.array_equal(read_points_2d(path, 3), [[12.5, 7], [-1, 30], [np.nan, np.nan]], equal_nan=True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "line 0: 0 points, expected 3"),
        (BY_HAND[:10], "line 2: expected x and y, found '-1'"),
        (BY_HAND[:16], "line 2: 2 points, expected 3"),
        (BY_HAND + b"1\t2\r\n", "line 4: 4 points, expected 3"),
        (BY_HAND.replace(b"\t7", b"\t7\t8"), "line 1: expected x and y, found '12.5 7 8'"),
        (BY_HAND.replace(b"3e1", b"inf"), "line 2: expected x and y"),
        (BY_HAND.replace(b"3e1", b"3e99"), "line 2: a point is beyond 1e+06 px"),
        (b"1 2\n" * 1000, "over 600 bytes for 3 points"),
    ],
)
def test_wrong_lines_are_named(tmp_path, data, said):
    assert said in refused(tmp_path, data)
