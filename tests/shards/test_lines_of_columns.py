"""Lines of a CSV from columns: the bytes that `csv` writes row by row."""

from face3d_data.shards.csv_lines import cell_text, column_cells, csv_lines
from face3d_data.shards.lists import csv_text

NASTY = [
    "plain",
    "",
    "a,b",
    'say "x"',
    "two\nlines",
    "=1+1",
    "-5",
    "-x",
    "+",
    "@home",
    "\tx",
    "\rx",
    "x\ry",
    "'=a",
    "'",
]


def test_columns_of_texts_are_written_as_rows_are():
    other = [f"x{i}" for i in range(len(NASTY))]
    for column in (NASTY, other, NASTY[:1], NASTY[5:6]):
        rows = list(zip(column, other, strict=False))
        cells = [column_cells(column), column_cells(other[: len(column)])]
        assert "h,i\n" + csv_lines(cells) == csv_text(("h", "i"), rows)


def test_values_of_any_type_are_written_as_rows_are():
    values = [None, True, 3, 2.5, 1e300, "a,b", "=x"]
    rows = [(value, 1) for value in values]
    text = csv_text(("h", "i"), rows)
    assert "h,i\n" + csv_lines([column_cells(values), ["1"] * len(values)]) == text
    assert [cell_text(value) for value in values[:3]] == ["", "True", "3"]
    assert column_cells([1, None, 20]) == ["1", "", "20"]


def test_nothing_has_no_lines():
    assert csv_lines([[], []]) == ""
