"""Headers that name columns: taken at their word, in a line or a comment, and distinguished from titles and prose."""

import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud import column_name
from face3d_data.formats.cloud_file import cloud_arrays
from face3d_data.formats.xyz import parse_xyz
from face3d_data.remarks import remarks_into

ROW = "1 2 3 61 200 175 255\n4 5 6 1 2 3 255\n"


@pytest.mark.parametrize(
    "text",
    [
        "//X Y Z R G B A\n" + ROW,
        "# x y z red green blue alpha\n" + ROW,
        "# a scan\n#X Y Z Rf Gf Bf Scalar_field\n2\n" + ROW,
        "X,Y,Z,Red,Green,Blue,Intensity\n" + ROW.replace(" ", ","),
        "X (mm);Y (mm);Z (mm);R;G;B;Point quality\n" + ROW.replace(" ", ";"),
        "//X Y Z R G B A\n2\n" + ROW,
    ],
)
def test_columns_are_what_the_header_calls_them(tmp_path, text):
    path = tmp_path / "a.txt"
    path.write_text(text)
    cloud = parse_xyz(text.encode(), "a.txt")
    assert cloud.points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert cloud.colors.tolist() == [[61, 200, 175], [1, 2, 3]]
    assert cloud_arrays(path) == ("points", "colors")


def test_columns_in_another_order_and_of_unknown_names():
    heard = []
    with remarks_into(heard):
        cloud = parse_xyz(b"Scalar_field,z,y,x,nx,ny,nz\n9,3,2,1,0,0,1\n9,6,5,4,0,1,0\n", "a.csv")
    assert cloud.points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert cloud.normals.tolist() == [[0, 0, 1], [0, 1, 0]]
    assert heard == ["a.csv: unknown columns are ignored: Scalar_field"]


def test_what_programs_call_columns_is_known():
    paraview = b'"Points:0","Points:1","Points:2","Normals:0","Normals:1","Normals:2"\n1,2,3,0,0,1\n'
    cloud = parse_xyz(paraview, "a.csv")
    assert (cloud.points.tolist(), cloud.normals.tolist()) == ([[1, 2, 3]], [[0, 0, 1]])
    assert [column_name(name) for name in ("Gf", "X [mm]", "Diffuse_Blue", "NormalX", "Illuminance_(PCV)")] == [
        "g", "x", "b", "nx", None]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# x y z\n" + ROW, "a: line 1: names 3 columns (x y z), and the rows have 7: set columns"),
        ("x y z r g b\n" + ROW, "a: line 1: names 6 columns"),
        ("x y z x r g b\n" + ROW, "two columns are x"),
        ("east north up r g b a\n" + ROW, "of east north up r g b a not all of x, y and z are known: set columns"),
    ],
)
def test_headers_against_which_columns_would_be_guessed_are_refused(text, said):
    with pytest.raises(Unreadable) as caught:
        parse_xyz(text.encode(), "a")
    assert caught.value.reason == "unknown_columns"
    assert said in caught.value.detail


@pytest.mark.parametrize(
    "text",
    [
        "# points x y z in mm, colours 0 to 255\n1 2 3 61 200 175\n",
        "a scan of the day\n1 2 3 61 200 175\n",
        "1 2 3 61 200 175 # x y z r g b a\n",
    ],
)
def test_titles_and_prose_are_no_headers(text):
    assert parse_xyz(text.encode(), "a").colors.tolist() == [[61, 200, 175]]


def test_who_asks_counts_more_than_the_header():
    cloud = parse_xyz(b"x y z r g b a\n" + ROW.encode(), "a", ("z", "y", "x", "-", "-", "-", "-"))
    assert cloud.points.tolist() == [[3, 2, 1], [6, 5, 4]]


@pytest.mark.parametrize(
    "header",
    [
        "Z_mm,X_mm,Y_mm", "pos_z,pos_x,pos_y", "Points_2,Points_0,Points_1", "z[mm],x[mm],y[mm]", "Z (m),X (m),Y (m)",
        "# z_mm x_mm y_mm", "# columns: z x y", "// fields = z x y", "z coord,x coord,y coord", "position.z;x;y",
        "points[2]\tpoints[0]\tpoints[1]", "Points:2,Points:0,Points:1", "z_m x_m y_m",
    ],
)  # fmt: skip
def test_an_order_that_the_header_gives_is_that_of_the_columns(header):
    assert parse_xyz(f"{header}\n3 1 2\n6 4 5\n".encode(), "a").points.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    "header",
    ["id,x,y", "t,x,y", "depth row col", "u,v,depth", "nx,ny,nz", "R,G,B", "# R G B", "# depth row col", "# id x y",
     "lat;lon;height", "# columns: u v depth", "x y", "a fine scan", "x_px,y_px,depth"],
)  # fmt: skip
def test_columns_that_the_header_calls_something_else_are_not_taken_for_x_y_z(header, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n1 2 3\n4 5 6\n")
    with pytest.raises(Unreadable) as caught:
        parse_xyz(path.read_bytes(), "a")
    assert caught.value.reason == "unknown_columns"
    assert caught.value.detail.startswith("a: line 1: ")
    assert parse_xyz(path.read_bytes(), "a", ("z", "x", "y")).points.tolist() == [[2, 3, 1], [5, 6, 4]]


@pytest.mark.parametrize("header", ["# a fine scan", "# by b", "a scan", "# R", "# taken at ten"])
def test_prose_of_few_words_is_no_header(header):
    assert parse_xyz(f"{header}\n1 2 3\n4 5 6\n".encode(), "a").points.tolist() == [[1, 2, 3], [4, 5, 6]]
