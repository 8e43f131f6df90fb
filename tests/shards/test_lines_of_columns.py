"""Lines of a CSV from columns: the bytes that `csv` writes row by row."""

import csv

import made

from face3d_data.shards.csv_lines import cell_text, column_cells, csv_lines, csv_text
from face3d_data.shards.read import Dataset
from face3d_data.shards.schema import DATASET_COLUMNS

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


def test_names_of_tags_are_quoted_like_cells(tmp_path):
    """An unquoted comma in the header would move every column behind it."""
    frame = made.manifest()
    names = ["a,b", 'say "x"', "two\nlines", "plain"]
    for i, name in enumerate(names):
        frame[name] = [f"{i},{row}" for row in range(len(frame))]
    folder = made.build(tmp_path, frame, made.spec_of(tags=names))
    with open(folder / "train.csv", encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == [*DATASET_COLUMNS, *names]
    assert {len(row) for row in rows} == {len(header)}
    table = Dataset(folder).table("train")
    by_id = dict(zip(frame["id"], frame["a,b"], strict=True))
    assert table["a,b"].tolist() == [by_id[one] for one in table["sample_id"]]
