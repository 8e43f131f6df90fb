"""Patterns of names: what they find, what they leave, and where a bad one is said to be wrong."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from face3d_data.errors import UserError
from face3d_data.readers.shared.pattern import Match, NamePattern


def test_the_person_the_capture_and_the_tags_are_found():
    pattern = NamePattern("{identity}/{session}_{capture}_depth.png")
    assert pattern.match("ann/s1_07_depth.png") == Match("ann", "s1_07", {"session": "s1"})
    assert pattern.tag_names == ("session",)
    assert pattern.match("ann/s1_07_color.png") is None
    assert pattern.match("ann/x/s1_07_depth.png") is None


def test_a_masked_folder_is_the_same_person_with_a_mask():
    pattern = NamePattern("{identity}[_{masked:flag}]/{capture}_depth.png")
    assert pattern.match("105_masked/01_depth.png") == Match("105", "masked_01", {"mask": "worn"})
    assert pattern.match("105/01_depth.png") == Match("105", "01", {})
    assert pattern.match("105_unmasked/01_depth.png") == Match("105_unmasked", "01", {})
    assert pattern.tag_names == ("mask",)


def test_a_folder_pattern_takes_any_file_name():
    pattern = NamePattern("{identity}[_{masked:flag}]/")
    assert pattern.match("105_masked/x y") == Match("105", "masked_x y", {"mask": "worn"})


def test_a_file_pattern_stands_in_a_persons_folder():
    pattern = NamePattern("{index}_{visible_ratio:float}.jpg")
    assert pattern.match("bob/12_0.85.jpg") == Match("bob", "12_0.85", {"index": "12", "visible_ratio": 0.85})
    assert pattern.match("12_0.85.jpg") is None


def test_another_flag_is_a_tag_that_is_always_there():
    pattern = NamePattern("{identity}/[{left:flag}_]{capture}")
    assert pattern.match("a/left_1").tags == {"left": True}
    assert pattern.match("a/1").tags == {"left": False}


def test_an_absent_option_gives_no_tag():
    pattern = NamePattern("{identity}/[s{session:int}-[{light}-]]{capture}")
    assert pattern.match("a/s3-dim-x") == Match("a", "3_dim_x", {"session": 3, "light": "dim"})
    assert pattern.match("a/s3-x") == Match("a", "3_x", {"session": 3})
    assert pattern.match("a/x") == Match("a", "x", {})


@pytest.mark.parametrize("text", ["12_0", "1e3", " 1", "1 ", "٣", "", "0x1f", "1.0", "--1"])
def test_an_int_is_digits_only(text):
    assert NamePattern("{identity}/{n:int}").match(f"a/{text}") is None


@pytest.mark.parametrize("text", ["12_0.5", "nan", "inf", ".", "", "1,5", "1e", "٣.١", "1e999", "-1e999"])
def test_a_float_is_a_plain_number_only(text):
    assert NamePattern("{identity}/{n:float}").match(f"a/{text}") is None


@given(st.integers())
def test_every_int_comes_back(value):
    assert NamePattern("{identity}/{n:int}").match(f"a/{value}").tags == {"n": value}


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_comes_back(value):
    assert NamePattern("{identity}/{n:float}").match(f"a/{value!r}").tags == {"n": value}


NAME_TEXT = st.text(st.characters(exclude_characters="/_.", exclude_categories=("Cs",)), min_size=1, max_size=12)


@pytest.mark.slow
@given(NAME_TEXT, NAME_TEXT, NAME_TEXT, st.integers(0, 99), st.booleans())
def test_what_was_written_by_a_pattern_is_read_by_it(identity, light, capture, session, masked):
    pattern = NamePattern("{identity}[_{masked:flag}]/s{session:int}_{light}_{capture}.x")
    flag = "_masked" if masked else ""
    found = pattern.match(f"{identity}{flag}/s{session}_{light}_{capture}.x")
    assert found.person == identity
    assert found.tags == {"session": session, "light": light} | ({"mask": "worn"} if masked else {})
    assert found.capture == "_".join([*(["masked"] if masked else []), str(session), light, capture])


@pytest.mark.slow
@given(st.text(max_size=12))
def test_literal_text_is_never_taken_for_an_expression(text):
    literal = re.sub(r"[][{}/]", "", text)
    pattern = NamePattern(f"{{identity}}/{literal}-{{capture}}")
    assert pattern.match(f"p/{literal}-c") == Match("p", "c", {})
    assert pattern.match(f"p/{literal}c") is None or "-" in literal


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("{identity}/{capture", 12, "'{' is not closed"),
        ("{identity}/capture}", 19, "'}' without '{'"),
        ("{identity}[_x/{capture}", 11, "'[' is not closed"),
        ("{identity}]/{capture}", 11, "']' without '['"),
        ("{identity}[]/{capture}", 11, "'[]' is empty"),
        ("{identity}/{n:number}", 12, "there is no type 'number' (known: str, int, float, flag)"),
        ("{identity}/{a b}", 12, "'a b' is not a name"),
        ("{identity}/{}", 12, "'' is not a name"),
        ("{identity}/{a}_{a}", 16, "{a} is used twice"),
        ("{identity}/{key}", 12, "{key} is a reserved column name"),
        ("{identity}/{a}{b}", 15, "the end of {a} is ambiguous"),
        ("{identity:flag}/{a}", 1, "{identity} cannot be a flag"),
        ("x/{capture}", 1, "no {identity}"),
        ("/{identity}/{capture}", 1, "'/' without a folder's name"),
        ("{identity}//{capture}", 12, "'/' without a folder's name"),
        ("{identity}/{capture}/", 21, "a file name must follow '/'"),
    ],
)
def test_a_bad_pattern_is_refused_naming_the_place(text, at, said):
    with pytest.raises(UserError, match=re.escape(f"pattern {text!r}, character {at}: {said}")):
        NamePattern(text)
