"""Lock3DFace's landmark texts."""

import numpy as np
import pytest

from face3d_data.formats.landmark_lines import parse_landmark_lines, read_landmark_lines

LITERAL = b"x:277 y:228\nx:304 y:229\nx:291 y:253\nx:0 y:0\nx:305.5 y:275\n"
"""Left eye, right eye, nose tip, left mouth corner (not found), right mouth corner; px."""


def test_the_literal_is_read():
    points = parse_landmark_lines(LITERAL)
    assert points.dtype == np.float32
    assert points[[0, 1, 2, 4]].tolist() == [[277, 228], [304, 229], [291, 253], [305.5, 275]]
    assert np.isnan(points[3]).all()
    assert np.array_equal(parse_landmark_lines(LITERAL.replace(b"\n", b" \r\n")), points, equal_nan=True)


def test_cut_anywhere_it_is_refused_with_the_line_or_whole(tmp_path):
    path = tmp_path / "a.txt"
    whole = {}
    for end in range(len(LITERAL)):
        path.write_bytes(LITERAL[:end])
        try:
            whole[end] = read_landmark_lines(path)
        except ValueError as error:
            assert str(error).startswith("a.txt: line ")  # noqa: PT017
    assert min(whole) > LITERAL.rindex(b"y:")
    assert all(points.shape == (5, 2) for points in whole.values())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "line 1: expected 5 lines, found 0"),
        (LITERAL + b"x:1 y:1\n", "line 7: expected 5 lines, found 6"),
        (LITERAL.replace(b"x:304", b"x:nan"), "line 2: expected x:<number> y:<number>, found 'x:nan y:229'"),
        (LITERAL.replace(b"x:304", b"x:-3"), "line 2: expected"),
        (LITERAL.replace(b"x:304", b"x:30400"), "line 2: 30400, 229 px cannot be in an image"),
        (LITERAL.replace(b"x:304", b"\xff:304"), "line 2: expected"),
        (b"1" * 20_000, "20000 bytes or more are too many"),
    ],
)
def test_what_is_no_landmark_is_said_with_its_line(data, said):
    with pytest.raises(ValueError, match=said):
        parse_landmark_lines(data)


def test_a_file_that_is_gone_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"no\.txt: cannot be read"):
        read_landmark_lines(tmp_path / "no.txt")
