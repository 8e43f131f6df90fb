"""`.abs` and `.abs.gz`: a file typed by hand, any line ends, packed bombs, and every place where one can be wrong."""

import gzip
import tracemalloc

import numpy as np
import pytest
from write_frgc import write_abs

from face3d_data.errors import Unreadable
from face3d_data.formats.abs_range import read_abs, read_abs_shape

N = b"-999999.000000"
BY_HAND = (
    b"2 rows\r\n"
    b"3 columns\r\n"
    b"pixels (flag X Y Z):\r\n"
    b"0 1 1 0 0 1 \r\n"  # flags, the upper row first, with a blank at the end
    + b" ".join([N, b"1.5", b"2.000000", N, N, b"-3.25"])  # X
    + b" \r\n"
    + b" ".join([N, b"10", b"20.5", N, N, b"30.000001"])  # Y
    + b" \r\n"
    + b" ".join([N, b"-1500.5", b"-1.6e3", N, N, b"-1700"])  # Z
    + b" \r\n"
)
READ = [
    [None, [1.5, -10, 1500.5], [2, -20.5, 1600]],
    [None, None, [-3.25, -30.000001907348633, 1700]],
]


def points_of(expected):
    nothing = [np.nan] * 3
    return np.array([[point or nothing for point in row] for row in expected], np.float32)


@pytest.fixture(params=["a.abs", "a.abs.gz"])
def path(tmp_path, request):
    return tmp_path / request.param


def put(path, data):
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def refused(path, read=read_abs):
    with pytest.raises(Unreadable) as caught:
        read(path)
    assert path.name in caught.value.detail
    return caught.value


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("blank", [b" ", b""])
def test_the_file_typed_by_hand_is_read_in_the_camera_frame(path, line_end, blank):
    data = BY_HAND.replace(b" \r\n", blank + b"\r\n").replace(b"\r\n", line_end)
    for text in (data, data.rstrip(), data + line_end * 3):
        got = read_abs(put(path, text))
        assert got.dtype == np.float32
        assert np.array_equal(got, points_of(READ), equal_nan=True)
        assert read_abs_shape(path) == (2, 3)


def test_a_flagged_point_without_coordinates_is_none(path):
    data = BY_HAND.replace(b"0 1 1 0 0 1", b"1 1 1 0 0 1")
    assert np.array_equal(read_abs(put(path, data)), points_of(READ), equal_nan=True)


def test_coordinates_without_a_flag_are_no_point(path):
    data = BY_HAND.replace(b"0 1 1 0 0 1", b"0 1 0 0 0 1")
    expected = [[None, READ[0][1], None], READ[1]]
    assert np.array_equal(read_abs(put(path, data)), points_of(expected), equal_nan=True)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"2 rows", b"rows", "line 1: expected 'N rows', found b'rows"),
        (b"3 columns", b"3 rows", "line 2: expected 'N columns'"),
        (b"flag X Y Z", b"flag Z Y X", "line 3: expected 'pixels (flag X Y Z):'"),
        (b"2 rows", b"0 rows", "line 1: 0 rows of 3 columns"),
        (b"2 rows", b"9999999 rows", "line 1: 9999999 rows of 3 columns"),
        (b"2 rows", b"99999999999999999999 rows", "line 1: expected 'N rows'"),
        (b"0 1 1 0 0 1", b"0 1 1 0 0 2", "line 4: a flag is not 0 or 1"),
        (b"0 1 1 0 0 1", b"0 1 1 0 0 x", "line 4: b'x' is not a number"),
        (b"0 1 1 0 0 1", b"0 1 1 0 1", "line 4: 5 numbers, expected 6"),
        (b"1.5", b"1.5.5", "line 5: contains something that is not a number"),
        (b"20.5", b"20.5 7", "line 6: 7 numbers, expected 6"),
        (b"-1700", b"inf", "line 7: a coordinate is beyond"),
        (b"-1700", b"nan", "line 7: a coordinate is beyond"),
        (b"-1700", b"1e400", "line 7: a coordinate is beyond"),
        (b"-1700", b"-1700\r\n5", "line 8: 5 lines of numbers, expected 4"),
    ],
)
def test_wrong_lines_are_named(path, old, new, said):
    assert old in BY_HAND
    error = refused(put(path, BY_HAND.replace(old, new, 1)))
    assert error.reason == "unreadable"
    assert said in error.detail


def test_a_file_cut_after_any_line_is_refused(path):
    lines = BY_HAND.splitlines(keepends=True)
    for n in range(len(lines)):
        detail = refused(put(path, b"".join(lines[:n]))).detail
        assert "line " in detail or "empty" in detail


def test_nothing_seen_has_its_own_reason(path):
    error = refused(put(path, BY_HAND.replace(b"0 1 1 0 0 1", b"0 0 0 0 0 0")))
    assert (error.reason, error.detail) == ("no_points", f"{path.name}: no points in 2 x 3")


def test_a_plain_file_too_short_for_its_size_is_found_by_its_header(tmp_path):
    path = put(tmp_path / "a.abs", BY_HAND.replace(b"2 rows", b"480 rows"))
    assert "the file is truncated" in refused(path, read_abs_shape).detail


def test_a_packed_file_cut_or_damaged_anywhere_is_refused_with_the_byte(tmp_path):
    path = tmp_path / "a.abs.gz"
    data = gzip.compress(BY_HAND, mtime=0)
    for at in range(len(data)):
        path.write_bytes(data[:at])
        detail = refused(path).detail
        assert "of the packed file" in detail or "line 1" in detail
    path.write_bytes(BY_HAND)  # a browser that unpacks what it loads leaves the name as it was
    assert read_abs_shape(path) == (2, 3)


def test_a_bomb_is_unpacked_no_further_than_its_header_asks_for(tmp_path):
    path = tmp_path / "a.abs.gz"
    path.write_bytes(gzip.compress(BY_HAND + b"0 " * 20_000_000, 1))
    tracemalloc.start()
    try:
        assert "line 4: over 1504 bytes for 6 points" in refused(path).detail
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8e6
    path.write_bytes(gzip.compress(b"2 rows" + b" " * 20_000_000, 1))
    assert "line 2: expected 'N columns'" in refused(path, read_abs_shape).detail


@pytest.mark.parametrize("ends", [("\r\n", " "), ("\n", "")])
def test_what_is_written_is_read_exactly(path, ends):
    rng = np.random.default_rng(0)
    points = np.round(rng.normal(0, 300, (5, 7, 3)), 6)
    points[rng.random((5, 7)) < 0.4] = np.nan
    write_abs(path, points, *ends)
    assert np.array_equal(read_abs(path), (points * [1, -1, -1]).astype(np.float32), equal_nan=True)
    assert read_abs_shape(path) == (5, 7)


@pytest.mark.slow
def test_flipped_bytes_give_points_or_a_reason(path):
    rng = np.random.default_rng(2)
    data = put(path, BY_HAND).read_bytes()
    reasons = []
    for _ in range(400):
        changed = bytearray(data)
        changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        try:
            got = read_abs(path)
            assert np.isfinite(got).any()
            assert not np.isinf(got).any()
        except Unreadable as error:
            reasons.append(error.reason)
    assert set(reasons) <= {"unreadable", "no_points"}
    assert len(reasons) > 50
