"""Depth images and marks in text files."""

import contextlib

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.pixel_depth_text import read_marks, read_pixel_depth

# Typed by hand: column, row and depth of the pixels of a 2 x 2 image at (192, 74), CR LF and LF, one hole.
LITERAL = b"192 74 701\r\n193 74 702\n\n192 75 0\n193 75 704.5\n"
WINDOW = (192, 74, 2, 2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.txt"


def test_a_literal_depth_image_is_read(path):
    path.write_bytes(LITERAL)
    depth = read_pixel_depth(path, WINDOW)
    assert depth.dtype == np.float32
    assert depth.tolist() == [[701, 702], [0, 704.5]]
    path.write_bytes(LITERAL + b"100 10 9\n")
    assert read_pixel_depth(path, (193, 73, 2, 3)).tolist() == [[0, 0], [702, 0], [704.5, 0]]


def test_any_order_of_lines_gives_the_same_image(path):
    rng = np.random.default_rng(1)
    wanted = rng.integers(0, 3000, (12, 17))
    rows = [(x, y, wanted[y, x]) for y in range(12) for x in range(17)]
    rng.shuffle(rows)
    path.write_text("\n".join("{} {} {}".format(*row) for row in rows))
    assert np.array_equal(read_pixel_depth(path, (0, 0, 17, 12)), wanted.astype(np.float32))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"192 76", "line 6: holds 2 numbers, expected 3"),
        (b"192 76 1 2", "line 6: holds 4 numbers, expected 3"),
        (b"192 76 x", "line 6: 'x' is not a number"),
        (b"-1 76 5", "line 6: there is no pixel at x = -1, y = 76"),
        (b"1.5 76 5", "line 6: there is no pixel at x = 1.5"),
        (b"nan 76 5", "line 6: there is no pixel at x = nan"),
        (b"1e300 76 5", "line 6: there is no pixel at x = 1e+300"),
        (b"192 76 -5", "line 6: a depth cannot be -5"),
        (b"192 76 inf", "line 6: a depth cannot be inf"),
        (b"192 76 65536", "line 6: a depth cannot be 65536"),
        (b"193 74 3", "line 6: pixel x = 193, y = 74 appears twice"),
    ],
)
def test_a_bad_line_is_named(path, line, said):
    path.write_bytes(LITERAL + line + b"\n")
    with pytest.raises(Unreadable) as error:
        read_pixel_depth(path, WINDOW)
    assert error.value.reason == "unreadable"
    assert error.value.detail.startswith(f"a.txt: {said}")


@pytest.mark.parametrize("data", [b"", b" \n", b"0 0 5\n", b"192 74 0\n", b"192\x1f74\x1f5\n", b"192\0 74 5\n"])
def test_a_file_without_a_depth_is_refused(path, data):
    path.write_bytes(data)
    with pytest.raises(Unreadable, match="unreadable"):
        read_pixel_depth(path, WINDOW)


def test_pixels_that_would_fit_another_window_of_the_size_are_not_cut_in_silence(path):
    path.write_text("".join(f"{x} {y} 700\n" for y in range(4) for x in range(4)))
    said = "line 1: pixels are x = 0 to 3, y = 0 to 3, not all in 4x4 from x = 2, y = 1 on: set crop"
    with pytest.raises(Unreadable, match=said):
        read_pixel_depth(path, (2, 1, 4, 4), "crop")
    assert read_pixel_depth(path, (0, 0, 4, 4)).all()
    assert read_pixel_depth(path, (1, 1, 2, 2)).all(), "a part of a larger image"


def test_a_file_cut_anywhere_or_changed_is_refused_or_read(path):
    for at in range(len(LITERAL)):
        for data in (LITERAL[:at], *(LITERAL[:at] + byte + LITERAL[at + 1 :] for byte in (b"\0", b"9", b" ", b"\xff"))):
            path.write_bytes(data)
            with contextlib.suppress(Unreadable):
                assert read_pixel_depth(path, WINDOW).shape == (2, 2)


@pytest.mark.slow
def test_a_whole_image_is_read(path):
    path.write_text("".join(f"{x} {y} {700 + x % 90}\n" for y in range(480) for x in range(640)))
    depth = read_pixel_depth(path, (0, 0, 640, 480))
    assert depth[7, 100] == 710


def test_marks_are_read(path):
    path.write_bytes(b"1.5\t2\r\n-3e1\t4\n")
    assert read_marks(path, 2).tolist() == [[1.5, 2], [-30, 4]]
    with pytest.raises(Unreadable, match="line 1: holds 2 numbers, expected 3"):
        read_marks(path, 3)
    path.write_bytes(b"1 2\n" * 20_000)
    with pytest.raises(Unreadable, match="more than 65536 bytes"):
        read_marks(path, 2)
