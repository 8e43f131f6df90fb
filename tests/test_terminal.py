"""Text for terminals: no name moves the cursor, colours a screen, breaks a line or turns its direction."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from face3d_data.terminal import escaped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("evil\u202egnp.exe", r"evil\u202egnp.exe"),
        ("\x07\x08\x7f\x9b", r"\x07\x08\x7f\x9b"),
        ("two\u2028lines", r"two\u2028lines"),
        ("half \udce4", r"half \udce4"),
        ("Zoé Ångström 李 😀", "Zoé Ångström 李 😀"),
    ],
)
def test_control_characters_are_shown(text, shown):
    assert escaped(text) == shown


def test_line_breaks_of_a_page_stay():
    assert escaped("a\nb\x1bc", keep="\n") == "a\nb\\x1bc"


@given(st.text(max_size=30))
def test_nothing_is_left_that_a_terminal_obeys(text):
    shown = escaped(text)
    assert all(unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") for c in shown)
    assert not {"\u202e", "\u2066", "\u200f"} & set(shown)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert escaped(shown) == shown
