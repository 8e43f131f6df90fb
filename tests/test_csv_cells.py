"""CSV cells: what a spreadsheet would run is text, numbers stay numbers, and everything is read back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from face3d_data.csv_cells import guarded, plain


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "'=1", "-", '=HYPERLINK("x")']
)
def test_formulas_are_text(cell):
    assert guarded(cell) == f"'{cell}"
    assert plain(guarded(cell)) == cell


@pytest.mark.parametrize("cell", ["-12.5", "+3", "-1e-3", "anna", "", "'tis", "a=b", "x/-y.png", -3, 2.5, None])
def test_numbers_and_names_stay_as_they_are(cell):
    assert guarded(cell) is cell
    assert plain(cell) is cell


@given(st.text(st.sampled_from("'=+-@\t\r1.e a"), max_size=6))
def test_every_text_comes_back(cell):
    assert plain(guarded(cell)) == cell
    assert guarded(cell)[:1] not in ("=", "@", "\t", "\r")
