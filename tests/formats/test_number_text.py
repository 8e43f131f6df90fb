"""Numbers in text, and the lines of what is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.errors import Unreadable
from face3d_data.formats.number_text import blank_comments, line_at, parse_numbers, split_lines


def test_numbers_are_rounded_as_python_rounds_them():
    words = ["0.1", "1e-7", "-3.", ".5", "+2E3", "nan", "inf", "123456789.123456789", "7"]
    assert np.array_equal(parse_numbers(" \n".join(words).encode(), "a"), [float(word) for word in words], True)


@given(st.lists(st.floats(allow_nan=False, width=64), max_size=20))
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read(values):
    text = "\n".join(repr(value) for value in values).encode()
    assert parse_numbers(text, "a").tolist() == values


@pytest.mark.parametrize("text", [b"", b" ", b"\n\n"])
def test_nothing_is_no_number(text):
    assert len(parse_numbers(text, "a")) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"1 2\n3 x4\n", "a: line 2: 'x4' is not a number"),
        (b"1\n\n\n1-2", "a: line 4: '1-2' is not a number"),
        (b"0.5.5", "a: line 1: '0.5.5' is not a number"),
        (b"1,5,2", "a: line 1: '1,5,2' is not a number: write decimal points, not commas"),
        (b"1 \xff\x00", r"a: line 1: '\\xff\\x00' is not a number"),
        (b"0x10", "a: line 1: '0x10' is not a number"),
        (b"1_0", "a: line 1: '1_0' is not a number"),
    ],
)
def test_what_is_no_number_is_named_with_its_line(text, said):
    with pytest.raises(Unreadable, match=said):
        parse_numbers(text, "a")


def test_whole_numbers_have_no_point():
    assert parse_numbers(b"1 -2", "a", whole=True).tolist() == [1, -2]
    with pytest.raises(Unreadable, match=r"line 8: '1\.5' is not a whole number"):
        parse_numbers(b"1\n1.5", "a", first_line=7, whole=True)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_have_words_and_numbers(end):
    lines = split_lines(end.join([b"", b"  a 1", b" ", b"b 2 3", b"c"]), lines_before=10)
    assert lines.counts.tolist() == [2, 3, 1]
    assert lines.numbers.tolist() == [12, 14, 15]
    assert lines.words(slice(0, 2), skip=1) == b" 1\n 2 3" + (b"\r" if end == b"\r\n" else b"") + b"\n" or end != b"\n"
    assert lines.parse(np.array([0, 1]), "f", skip=1).tolist() == [1, 2, 3]
    with pytest.raises(Unreadable, match="f: line 15: 'c' is not a number"):
        lines.parse(slice(2, 3), "f")


def test_lines_of_an_empty_text():
    for data in (b"", b"\n", b"  \n\n"):
        assert len(split_lines(data).starts) == 0
        assert split_lines(data).words(slice(None)) == b""


def test_comments_become_blanks_of_the_same_length():
    assert blank_comments(b"1 # two\r\n3 #\n#") == b"1      \r\n3  \n "
    assert blank_comments(b"1 // 2", b"//") == b"1     "


def test_lines_are_counted_from_one():
    assert [line_at(b"a\nb\nc", offset) for offset in (0, 1, 2, 4)] == [1, 1, 2, 3]
