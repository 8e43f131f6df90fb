"""`.lm2` and `.lm3`: files typed by hand, any line ends, and every line at which one can be cut or wrong."""

import numpy as np
import pytest
from write_bosphorus import write_lm2, write_lm3

from face3d_data.errors import Unreadable
from face3d_data.formats.lm2_lm3 import read_lm2, read_lm3

LM3 = (
    b"# 3D Landmark File\r\n"  # a comment
    b"\r\n"  # blank
    b"3 landmarks:\r\n"  # how many
    b"Outer left eye corner\r\n"  # label
    b"-62.978 -0.953 13.127\r\n"  # x y z, mm
    b"Nose tip\r\n"
    b"-11.639 -29.176 56.925\r\n"
    b"Chin middle\r\n"
    b"1e1 +.5 -7\r\n"
)
LM2 = (
    b"# 2D Landmark File\r\n"  # a comment
    b"\r\n"  # blank
    b"2 landmarks: frontal view\r\n"  # how many
    b"\r\n"
    b"Labels:\r\n"
    b"Nose tip\r\n"  # labels
    b"Left mouth corner\r\n"
    b"\r\n"
    b"2D Image coordinates:\r\n"
    b"801.25 612\r\n"  # x y, px
    b"700 803.5\r\n"
)


@pytest.fixture(params=[b"\r\n", b"\n", b"\r"], ids=["crlf", "lf", "cr"])
def line_end(request):
    return request.param


def refused(tmp_path, data, read):
    path = tmp_path / "a.lm"
    path.write_bytes(data)
    with pytest.raises(Unreadable) as caught:
        read(path)
    assert caught.value.reason == "unreadable"
    assert "a.lm: " in caught.value.detail
    return caught.value.detail


def test_lm3_typed_by_hand(tmp_path, line_end):
    path = tmp_path / "a.lm3"
    path.write_bytes(LM3.replace(b"\r\n", line_end))
    found = read_lm3(path)
    assert {label: list(point) for label, point in found.items()} == {
        "Outer left eye corner": [-62.978, -0.953, 13.127],
        "Nose tip": [-11.639, -29.176, 56.925],
        "Chin middle": [10, 0.5, -7],
    }


def test_lm2_typed_by_hand(tmp_path, line_end):
    path = tmp_path / "a.lm2"
    path.write_bytes(LM2.replace(b"\r\n", line_end))
    found = read_lm2(path)
    assert {label: list(point) for label, point in found.items()} == {
        "Nose tip": [801.25, 612],
        "Left mouth corner": [700, 803.5],
    }


def test_the_number_is_found_by_its_words_wherever_it_stands(tmp_path):
    path = tmp_path / "a.lm3"
    path.write_bytes(b"\n\n# x\n\n# y\n" + LM3)
    assert list(read_lm3(path)) == ["Outer left eye corner", "Nose tip", "Chin middle"]
    path.write_bytes(b"0 landmarks:\n")
    assert read_lm3(path) == {}


@pytest.mark.parametrize(("data", "read"), [(LM3, read_lm3), (LM2, read_lm2)], ids=["lm3", "lm2"])
def test_a_file_cut_after_any_line_is_refused(tmp_path, data, read):
    lines = data.splitlines(keepends=True)
    for n in range(len(lines)):
        refused(tmp_path, b"".join(lines[:n]), read)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"3 landmarks", b"4 landmarks", "line 9: the file is truncated: 2 of 8 lines of landmarks are missing"),
        (b"3 landmarks", b"999999 landmarks", "truncated"),
        (b"3 landmarks", b"2 landmarks", "line 8: 'Chin middle' after the last of 2 landmarks"),
        (b"3 landmarks", b"many landmarks", "the file ends without a line 'N landmarks'"),
        (b"-0.953", b"nan", "line 5: expected 3 numbers, found '-62.978 nan 13.127'"),
        (b"-0.953", b"1_0", "line 5: expected 3 numbers"),
        (b"-0.953", b"1e300", "line 5: '-62.978 1e300 13.127' is not a position on a face"),
        (b"-0.953 ", b"", "line 5: expected 3 numbers, found '-62.978 13.127'"),
        (b"Nose tip", b"Chin middle", "line 8: 'Chin middle' appears twice"),
    ],
)
def test_wrong_lm3_lines_are_named(tmp_path, old, new, said):
    assert said in refused(tmp_path, LM3.replace(old, new), read_lm3)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"Labels:", b"Names:", "line 11: the file ends without 'Labels:'"),
        (b"2D Image coordinates:", b"Points:", "without '2D Image coordinates:'"),
        (b"700 803.5", b"700,803.5", "line 11: expected 2 numbers, found '700,803.5'"),
        (b"2 landmarks", b"1 landmarks", "line 11: '700 803.5' after the last of 1 landmarks"),
    ],
)
def test_wrong_lm2_lines_are_named(tmp_path, old, new, said):
    assert said in refused(tmp_path, LM2.replace(old, new), read_lm2)


@pytest.mark.parametrize("read", [read_lm3, read_lm2])
def test_a_long_file_and_an_empty_one_are_no_landmarks(tmp_path, read):
    assert "over 100000 bytes" in refused(tmp_path, LM3 + b"x" * 100_000, read)
    assert "empty" in refused(tmp_path, b"", read)
    assert "empty" in refused(tmp_path, b"\r\n \r\n", read)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_what_is_written_is_read(tmp_path, line_end):
    marks = {"Nose tip": (1.25, -2.0, 3.125), "Upper lip": (0.0, 0.0, -1.0)}
    write_lm3(tmp_path / "a.lm3", marks, line_end)
    write_lm2(tmp_path / "a.lm2", {label: point[:2] for label, point in marks.items()}, line_end)
    assert read_lm3(tmp_path / "a.lm3") == marks
    assert {label: (*point, 0) for label, point in read_lm2(tmp_path / "a.lm2").items()} == {
        "Nose tip": (1.25, -2.0, 0),
        "Upper lip": (0.0, 0.0, 0),
    }


@pytest.mark.parametrize(("data", "read"), [(LM3, read_lm3), (LM2, read_lm2)], ids=["lm3", "lm2"])
def test_flipped_bytes_give_landmarks_or_a_reason(tmp_path, data, read):
    rng = np.random.default_rng(0)
    path = tmp_path / "a.lm"
    reasons = []
    for _ in range(300):
        changed = bytearray(data)
        changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        try:
            assert all(np.isfinite(point).all() for point in read(path).values())
        except Unreadable as error:
            reasons.append(error.reason)
    assert set(reasons) == {"unreadable"}
    assert 50 < len(reasons) < 300
