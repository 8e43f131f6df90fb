"""Lines and columns of the list that reader `csv` reads: types of tags, bad lines, options that do not fit."""

import pytest
from write_csv import write_csv_collection, write_list

from face3d_data.component import build
from face3d_data.errors import UserError
from face3d_data.readers.csv import CsvReader


@pytest.fixture
def rows(tmp_path):
    return write_csv_collection(tmp_path, people=2, captures=3, rows=40)


def reader(root, **options) -> CsvReader:
    return build(CsvReader, {"file": root / "faces.csv", **options}, "source 'x'")


def rewritten(root, rows, **options) -> CsvReader:
    write_list(root / "faces.csv", rows)
    return reader(root, **options)


def problems(found):
    return {source.capture: source.problem for source in found if source.problem}


@pytest.mark.parametrize(
    ("cells", "types"),
    [
        (["1", "-2", ""], {int}),
        (["1", "2.5", "1e3"], {float}),
        (["true", "False", ""], {bool}),
        (["007", "008", "1"], {str}),
        (["1", "x", "2"], {str}),
        (["12_0", "1", "2"], {str}),
        (["nan", "1", "2"], {str}),
        (["1e999", "1", "2"], {str}),
        (["\u0661", "1", "2"], {str}),
        (["99999999999999999999", "1", "2"], {float}),
    ],
)
def test_a_tag_has_the_type_that_all_its_cells_allow(tmp_path, rows, cells, types):
    csv = rewritten(tmp_path, [row | {"grade": cell} for row, cell in zip(rows, cells, strict=False)])
    values = [source.tags.get("grade") for source in csv.scan()]
    assert {type(value) for value in values if value is not None} == types
    assert [value is None for value in values] == [cell == "" for cell in cells]


def test_a_type_that_is_given_is_demanded(tmp_path, rows):
    written = [row | {"grade": cell} for row, cell in zip(rows, ("01", "x", "2.5"), strict=False)]
    found = list(rewritten(tmp_path, written, tag_columns=["grade:int"]).scan())
    assert found[0].tags["grade"] == 1
    assert found[1].problem == ("bad_value", "faces.csv line 3: grade: 'x' is not a whole number")
    assert found[2].problem[0] == "bad_value"
    assert [source.tags["grade"] for source in rewritten(tmp_path, written, tag_columns=["grade:str"]).scan()] == [
        "01",
        "x",
        "2.5",
    ]


@pytest.mark.parametrize(
    ("changes", "reason", "said"),
    [
        ({"identity": ""}, "no_identity", "line 2: the identity is empty"),
        ({"identity": "a/b"}, "bad_name", "line 2: person 'a/b'"),
        ({"capture": "c~1"}, "bad_name", "line 2: capture 'c~1'"),
        ({"color": "", "depth": ""}, "no_file", "has no file (color, depth, grid"),
        ({"color": "gone.png"}, "missing_file", "color: 'gone.png' is not a file"),
        ({"color": "files\\p0\\c0_rgb.png"}, "missing_file", "write / between folders"),
        ({"color": "files"}, "missing_file", "is not a file"),
        ({"mask": "perhaps"}, "bad_value", "mask: 'perhaps' is none of none, unmasked"),
        ({"fx": ""}, "bad_intrinsics", "key 'fx' is missing"),
        ({"fx": "12_0"}, "bad_intrinsics", "fx: '12_0' is not a finite number"),
        ({"fx": "-1"}, "bad_intrinsics", "fx = -1.0 must be above 0"),
        ({"depth_scale": "2"}, "bad_intrinsics", "units per metre"),
        ({"depth_scale": ""}, "no_depth_scale", "0.001 where values are mm"),
        ({"nose_x": ""}, "bad_landmarks", "nose_x: '' is not a finite number"),
        ({"nose_x": "1e39"}, "bad_landmarks", "nose_x: '1e39' is too large"),
        ({"grid_color": "files/p0/c0_rgb.png"}, "no_file", "grid_color without grid"),
        ({"intrinsics": "camera.json"}, "bad_intrinsics", "both intrinsics and fx"),
        ({"landmarks": "marks.json"}, "bad_landmarks", "marks.json: cannot be read"),
    ],
)
def test_a_bad_line_is_listed_by_its_number(tmp_path, rows, changes, reason, said):
    found = list(rewritten(tmp_path, [rows[0] | changes, *rows[1:]]).scan())
    assert found[0].capture == "line 2"
    assert found[0].problem[0] == reason
    assert said in found[0].problem[1]
    assert [source.problem for source in found[1:]] == [None] * 5


def test_lines_that_cannot_be_parsed_and_doubles_are_listed(tmp_path, rows):
    path = tmp_path / "faces.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b'p9,"c0\n', b"p9,c0\n", lines[1], *lines[2:]]))
    found = problems(reader(tmp_path).scan())
    assert found["line 3"] == ("bad_line", "faces.csv line 3: a quote is not closed")
    assert found["line 4"] == ("bad_line", "faces.csv line 4: 2 fields, and the header has 30")
    assert found["line 5"] == ("same_name", "faces.csv line 5: line 2 is p0/c0 already: name captures")
    assert len(found) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": {"color": "path"}}, "columns: color: no column 'path'"),
        ({"tag_columns": ["sex"]}, "tag_columns: no column 'sex'"),
        ({"tag_columns": ["session:number"]}, "there is no type 'number'"),
        ({"tag_columns": ["color"]}, "column 'color' cannot be a tag"),
        ({"columns": {"identity": "who"}}, "no column 'who' .* map columns"),
    ],
)
def test_options_that_do_not_fit_are_named(tmp_path, rows, options, said):
    csv = reader(tmp_path, **options)
    for ask in (csv.declared_tags, csv.provides, lambda: list(csv.scan())):
        with pytest.raises(UserError, match=said):
            ask()


def test_a_list_without_lines_files_or_columns_is_refused(tmp_path, rows):
    for data, said in [
        (b"identity,color\n", "no lines after the header"),
        (b"identity,expression\nann,neutral\n", "no column of files"),
        (b"", "is empty"),
    ]:
        (tmp_path / "faces.csv").write_bytes(data)
        with pytest.raises(UserError, match=said):
            list(reader(tmp_path).scan())
    with pytest.raises(UserError, match="cannot be read"):
        reader(tmp_path / "gone").provides()


def test_an_index_column_without_a_name_is_left_alone(tmp_path, rows):
    write_list(tmp_path / "faces.csv", [{"": 0, **rows[0]}])
    assert "" not in reader(tmp_path).declared_tags()
    assert len(list(reader(tmp_path).scan())) == 1


NUMBERS = ("fx", "fy", "cx", "cy", "depth_scale", "nose_x", "nose_y", "nose_z")


def test_decimal_commas_between_semicolons_are_those_of_numbers(tmp_path, rows):
    plain = [source.record for source in reader(tmp_path).scan()]
    cells = [{**row, "yaw": f"{i},5", "set": "1,2" if i else "a,b"} for i, row in enumerate(rows)]
    for row in cells:
        row.update({name: str(row[name]).replace(".", ",") for name in NUMBERS if name in row})
    assert "," in cells[0]["fx"]
    write_list(tmp_path / "faces.csv", cells, ";")
    found = list(reader(tmp_path).scan())
    assert [source.problem for source in found] == [None] * len(rows)
    assert [source.tags["yaw"] for source in found] == [i + 0.5 for i in range(len(rows))]
    assert [source.tags["set"] for source in found] == ["a,b", *["1,2"] * (len(rows) - 1)]
    assert [source.record for source in found] == plain


def test_a_decimal_comma_in_another_list_is_named(tmp_path, rows):
    write_list(tmp_path / "faces.csv", [{**row, "fx": "600,5"} if "fx" in row else row for row in rows], "\t")
    said = [source.problem[1] for source in reader(tmp_path).scan() if source.problem]
    assert said
    assert all("fx: '600,5' is not a finite number: write a decimal point, not a comma" in text for text in said)
