"""Points as lines of numbers, raw, and in NumPy's files."""

import io
import struct
import zipfile

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.array_file import read_npy_table, read_npz_table
from face3d_data.formats.bc import parse_bc
from face3d_data.formats.cloud import cloud_of_table
from face3d_data.formats.cloud_file import CLOUD_SUFFIXES, cloud_arrays, read_cloud
from face3d_data.formats.xyz import parse_xyz
from face3d_data.remarks import remarks_into

POINTS = [[1, 2, 3], [4, 5, -6.5]]


@pytest.mark.parametrize(
    "text",
    [
        "1 2 3\n4 5 -6.5\n",
        "1,2,3\n4,5,-6.5",
        "1;2;3\r\n4;5;-6.5\r\n",
        "1;2;3\n4;5;-6,5\n",
        "1.0, 2.0 ,3\n4\t5\t-6.5\n",
        "# x y z\n1 2 3 # here\n\n4 5 -6.5 // there\n",
        "x,y,z\n1,2,3\n4,5,-6.5\n",
        '"X";"Y";"Z"\n1;2;3\n4;5;-6.5\n',
        "what the scanner says\n1 2 3\n4 5 -6.5\n",
        "2\n1 2 3\n4 5 -6.5\n",
        "\ufeff1 2 3\n4 5 -6.5\n",
        "1 2 3\r4 5 -6.5\r",
    ],
)
def test_every_way_of_writing_points_is_read(text):
    cloud = parse_xyz(text.encode(), "a.xyz")
    assert cloud.points.tolist() == POINTS
    assert cloud.normals is None
    assert cloud.colors is None


def test_six_columns_are_normals_where_they_are_of_unit_length():
    cloud = parse_xyz(b"1 2 3 0 0 1\n4 5 6 0.6 0 0.8\n", "a.xyz")
    np.testing.assert_allclose(cloud.normals, [[0, 0, 1], [0.6, 0, 0.8]], atol=1e-7)
    assert cloud.colors is None
    assert parse_xyz(b"1 2 3 255 0 7\n4 5 6 0 0 1\n", "a.xyz").colors.tolist() == [[255, 0, 7], [0, 0, 1]]
    assert parse_xyz(b"1 2 3 1 0.2 0.6\n", "a.xyz").colors.tolist() == [[255, 51, 153]]


def test_seven_columns_have_a_curvature_or_an_intensity():
    cloud = parse_xyz(b"1 2 3 0 0 1 0.25\n", "a.xyz")
    assert cloud.normals.tolist() == [[0, 0, 1]]
    assert cloud.curvature.tolist() == [0.25]
    assert parse_xyz(b"1 2 3 99 255 0 7\n", "a.pts").colors.tolist() == [[255, 0, 7]]


def test_columns_may_be_named_by_the_header_or_by_who_asks():
    data = b"x,y,z,red,green,blue,intensity\n1,2,3,0,0,1,5\n"
    assert parse_xyz(data, "a.csv").colors.tolist() == [[0, 0, 255]]
    cloud = parse_xyz(b"7 1 2 3\n", "a.txt", ("-", "z", "y", "x"))
    assert cloud.points.tolist() == [[3, 2, 1]]


def test_points_without_a_direction_are_left_out():
    cloud = parse_xyz(b"1 2 3 0 0 0\n4 5 6 0 0 1\nnan 1 2 0 0 1\n", "a.xyz", ("x", "y", "z", "nx", "ny", "nz"))
    assert cloud.points.tolist() == [[4, 5, 6]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2 3\n4 5\n", "unreadable: a: line 2: 2 numbers, the first point has 3"),
        ("1 2 3\n\n4 five 6\n", "unreadable: a: line 3: 'five' is not a number"),
        ("1 2 3\n4 5-6 7\n", "unreadable: a: line 2: '5-6' is not a number"),
        ("1,2,,3\n1,2,,3\n", "unreadable: a: line 1: an empty cell"),
        ("x,y,z\n1,2,3\n1, ,3,4\n", "unreadable: a: line 3: an empty cell"),
        ("1;2;\t;3\n", "unreadable: a: line 1: an empty cell"),
        (",1,2,3\n", "unreadable: a: line 1: an empty cell"),
        ("1,2,3\n,4,5\n", "unreadable: a: line 2: an empty cell"),
        ("1O.5 3 4\n1 2 3\n", "unreadable: a: line 1: '1O.5 3 4' is neither a point nor a header: '1O.5' looks like"),
        ("$1 2 3\n1 2 3\n", r"unreadable: a: line 1: '\$1 2 3' is neither a point nor a header: '\$1'"),
        ('"1.5",2,3\n1,2,3\n', "unreadable: a: line 1: .* is neither a point nor a header: '1.5'"),
        ("\u221212 2 3\n1 2 3\n", "unreadable: a: line 1: .* is neither a point nor a header: '\u221212'"),
        ("1,234.5;2;3\n1;2;3\n", "unreadable: a: line 1: .* is neither a point nor a header: '1,234.5'"),
        ("# a scan\n\nx 2 3\n1 2 3\n", "unreadable: a: line 3: 'x 2 3' is neither a point nor a header: '2'"),
        ("1 2 3 4\n", "unknown_columns: a: has 4 columns"),
        ("", "unreadable: a: line 1: contains no points"),
        ("# nothing\n", "unreadable: a: line 1: contains no points"),
        ("x y z\n", "unreadable: a: line 1: contains no points"),
        ("nan nan nan\n", "unreadable: a: contains no finite points"),
    ],
)
def test_damage_is_named_with_its_line(text, said):
    with pytest.raises(Unreadable, match=said):
        parse_xyz(text.encode(), "a")


def test_columns_that_do_not_fit_are_named():
    with pytest.raises(Unreadable, match="unknown_columns: a: has 3 columns, but the option columns names 4"):
        parse_xyz(b"1 2 3\n", "a", ("x", "y", "z", "-"))


# Typed by hand: x of two points, then y, then z, as little-endian float32.
BC = bytes.fromhex("0000803f 0000804000000040 0000a04000004040 0000d0c0")


def test_bc_typed_by_hand_is_read():
    assert parse_bc(BC, "a.bc", ".bc").points.tolist() == POINTS
    # One point of seven rows: 1 2 3, normal 0 0 1, curvature 0.5.
    row = bytes.fromhex("0000803f 00000040 00004040 00000000 00000000 0000803f 0000003f")
    cloud = parse_bc(row, "a.bcnc", ".bcnc")
    assert cloud.points.tolist() == [[1, 2, 3]]
    assert cloud.normals.tolist() == [[0, 0, 1]]
    assert cloud.curvature.tolist() == [0.5]


def test_bc_cut_off_anywhere_is_told():
    for at in set(range(len(BC))) - {12}:
        with pytest.raises(Unreadable, match=rf"a\.bc: byte {at // 12 * 12}: "):
            parse_bc(BC[:at], "a.bc", ".bc")


# Typed by hand from NumPy's description of the format, version 1.0.
NPY_HEADER = b"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n"
NPY = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(NPY_HEADER)) + NPY_HEADER + BC


def test_npy_typed_by_hand_is_read():
    assert read_npy_table(NPY, "a.npy").tolist() == POINTS
    by_rows = NPY.replace(b"True", b"False", 1)
    by_rows = by_rows[:8] + struct.pack("<H", len(NPY_HEADER) + 1) + by_rows[10:]
    assert read_npy_table(by_rows, "a.npy").tolist() == np.frombuffer(BC, "<f4").reshape(2, 3).tolist()
    assert read_npy_table(by_rows[:-12], "a.npy", most_rows=1).shape == (1, 3)


def test_npy_cut_off_anywhere_is_told_with_its_byte():
    for at in range(len(NPY)):
        with pytest.raises(Unreadable, match=r"^unreadable: a\.npy: byte \d+: "):
            read_npy_table(NPY[:at], "a.npy")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"(2, 3)", b"(9, 3)", "24 of 108 bytes follow"),
        (b"(2, 3), }", b"(2**62,)}", "not a .npy header"),
        (b"(2, 3), }", b"(2, -3),}", "has shape"),
        (b"(2, 3), }", b"(3, 2), }", r"has shape \(3, 2\): transpose it to \(N, 3\)"),
        (b"'<f4'", b"'|O4'", "not a .npy header|expected numbers"),
        (b"'<f4'", b"'<U4'", "expected numbers"),
        (b"\x93NUM", b"\x94NUM", "not a .npy header"),
        (b"\x01\x00", b"\x09\x00", "not a .npy header"),
        (b"NUMPY\x01\x00;\x00", b"NUMPY\x02\x00\xff\xff", "not a .npy header"),
    ],
)
def test_damage_of_npy_is_named(old, new, said):
    assert old in NPY
    with pytest.raises(Unreadable, match=said):
        read_npy_table(NPY.replace(old, new, 1), "a.npy")


def npz(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def test_npz_gives_the_usual_array_or_the_one_named():
    points, other = np.array(POINTS), np.zeros((5, 3))
    assert read_npz_table(npz(points=points, other=other), "a.npz").tolist() == POINTS
    assert read_npz_table(npz(odd=points), "a.npz").tolist() == POINTS
    assert len(read_npz_table(npz(points=points, other=other), "a.npz", "other")) == 5
    with pytest.raises(Unreadable, match=r"no_key: a\.npz: several arrays: set key \(there are \['a', 'b'\]\)"):
        read_npz_table(npz(a=points, b=other), "a.npz")
    with pytest.raises(Unreadable, match=r"no_key: a\.npz: no array 'c'"):
        read_npz_table(npz(a=points), "a.npz", "c")


def test_npz_cut_or_claiming_too_much_is_refused():
    data = npz(points=np.array(POINTS))
    for at in range(0, len(data), 7):
        with pytest.raises(Unreadable, match=r"a\.npz"):
            read_npz_table(data[:at], "a.npz")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("points.npy", NPY.replace(b"(2, 3), }", b"(10**9,3)").replace(b"(10**9,3)", b"(8**9,3)}"))
        archive.writestr("xyz.npy", NPY.replace(b"(2, 3), }", b"(9999,3)}"))
    for key in ("points", "xyz"):
        with pytest.raises(Unreadable, match=r"a\.npz: (points|xyz): byte \d+: "):
            read_npz_table(stream.getvalue(), "a.npz", key)


def test_what_a_file_holds_is_seen_at_its_beginning(tmp_path):
    tables = {
        "a.xyz": "1 2 3 0 0 1\n",
        "b.txt": "1 2 3 9 8 7\n",
        "c.csv": "x,y,z\n1,2,3\n",
        "d.pts": "1 2 3 0 0 1 0.1\n",
    }
    expected = {"a.xyz": ("points", "normals"), "b.txt": ("points", "colors"), "c.csv": ("points",),
                "d.pts": ("points", "normals", "curvature")}  # fmt: skip
    for name, text in tables.items():
        (tmp_path / name).write_text(text * 5000 if "x,y" not in text else text)
        assert cloud_arrays(tmp_path / name) == expected[name]
    np.save(tmp_path / "e.npy", np.asfortranarray(np.tile([1, 2, 3, 0, 1, 0], (50, 1)).astype(np.float64)))
    assert cloud_arrays(tmp_path / "e.npy") == ("points", "normals")
    (tmp_path / "f.npz").write_bytes(npz(points=np.tile([1, 2, 3, 9, 9, 9], (50, 1))))
    assert cloud_arrays(tmp_path / "f.npz") == ("points", "colors")
    assert cloud_arrays(tmp_path / "g.bcnc") == ("points", "normals", "curvature")
    assert cloud_arrays(tmp_path / "gone.ply") == ("points",)
    assert cloud_arrays(tmp_path / "c.csv", ("x", "y", "z", "r", "g", "b")) == ("points", "colors")


def test_all_endings_have_a_codec(tmp_path):
    for ending in CLOUD_SUFFIXES:
        (tmp_path / f"a{ending}").write_bytes(b"nothing of the kind")
        with pytest.raises(Unreadable):
            read_cloud(tmp_path / f"a{ending}")
        assert cloud_arrays(tmp_path / f"a{ending}")[0] == "points"


HOLES = "0 0 0 0 0 0\nnan nan nan nan nan nan\n" * 20


@pytest.mark.parametrize(
    ("text", "arrays", "said"),
    [
        (HOLES + "1 2 3 0 0.6 -0.8\n4 5 6 0 0 1\n", ("points", "normals"), ""),
        (HOLES + "1 2 3 9 8 7\n4 5 6 0 0 1\n", ("points", "colors"), ""),
        ("1 2 3 0 0 0\n" * 17 + "4 5 6 0 0 1\n" * 9, ("points", "normals"), ""),
        ("1 2 3 5 -6 7\n4 5 6 1 2 3\n", ("points",), "neither unit normals nor colours"),
        ("1 2 3 0 0 0\n4 5 6 0 0 0\n", ("points",), "zero where the file begins"),
        ("1 2 3 0 0 0\n" * 300 + "4 5 6 0 0 1\n", ("points",), "zero where the file begins"),
        (HOLES.replace("\n", " 0\n") + "1 2 3 0 0.6 -0.8 0.5\n", ("points", "normals", "curvature"), ""),
        ("1 2 3 99 0 0 0\n1 2 3 -99 255 0 9\n", ("points", "colors"), ""),
        ("1 2 3 99 255 0 9\n1 2 3 99 0 0 0\n", ("points", "colors"), ""),
        ("1 2 3 99 -255 0 9\n", ("points",), "neither unit normals nor colours"),
    ],
)
def test_unnamed_columns_are_judged_by_rows_that_say_something(tmp_path, text, arrays, said):
    path, heard = tmp_path / "a.xyz", []
    path.write_text(text)
    with remarks_into(heard):
        cloud = read_cloud(path)
    given = [name for name in ("points", "normals", "colors", "curvature") if getattr(cloud, name) is not None]
    assert cloud_arrays(path) == tuple(given) == arrays
    assert [said in text for text in heard if "columns 4 to" in text] == [True] * bool(said)


def test_several_points_at_the_origin_are_holes_where_no_other_place_is_given_as_often():
    corners = [[x, y, z] for x in (0, 9) for y in (0, 9) for z in (0, 9)]
    heard = []
    with remarks_into(heard):
        cube = cloud_of_table(np.array(corners * 3, float), ("x", "y", "z"), "a")
    assert cube.points.tolist() == corners * 3
    assert heard == []
    scan = np.array([[0, 0, 0], [1, 2, 3], [0, 0, 0], [4, 5, 6], [4, 5, 6], [0, 0, 0], [np.nan, 0, 0]])
    with remarks_into(heard):
        assert cloud_of_table(scan, ("x", "y", "z"), "a").points.tolist() == [[1, 2, 3], [4, 5, 6], [4, 5, 6]]
    assert heard == ["a: 4 of 7 points are left out: not finite, or several at 0 0 0, which means holes"]


def test_npz_gives_the_normals_and_colours_that_lie_beside_its_points(tmp_path):
    path, heard = tmp_path / "a.npz", []
    points, normals = np.array(POINTS), np.array([[0, 0.6, 0.8], [0, 0, 1]], np.float32)
    colors = np.array([[1, 2, 3, 255], [4, 5, 6, 255]], np.uint8)
    path.write_bytes(npz(points=points, normals=np.asfortranarray(normals), colors=colors))
    cloud = read_cloud(path)
    assert cloud.points.tolist() == POINTS
    np.testing.assert_array_equal(cloud.normals, normals)
    assert cloud.colors.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert cloud_arrays(path) == ("points", "normals", "colors")
    assert read_cloud(path, key="points").normals is None
    assert cloud_arrays(path, key="points") == ("points",)
    path.write_bytes(npz(verts=points, data=np.zeros((9, 3)), rgb=np.zeros((9, 3), np.uint8)))
    with remarks_into(heard):
        cloud = read_cloud(path)
    assert (cloud.points.tolist(), cloud.colors) == (POINTS, None)
    assert heard == ["a.npz: colors of shape (9, 3) do not fit 2 points: they are ignored"]
    path.write_bytes(npz(points=np.tile(points, (200, 1)), normals=np.tile(normals, (200, 1))))
    assert cloud_arrays(path) == ("points", "normals")
    assert len(read_cloud(path).normals) == 400
