"""Colours and normals may cost themselves, with a remark; never the shape that they belong to."""

import numpy as np
import pytest

from face3d_data.formats.cloud_file import cloud_arrays, read_cloud
from face3d_data.formats.mesh import colors_u1
from face3d_data.formats.mesh_file import mesh_has_colors, read_mesh
from face3d_data.remarks import remarks_into

VERTICES = [[0, 0, 0], [100, 0, 0], [0, 140, 0]]


def read(path, reader):
    heard = []
    with remarks_into(heard):
        return reader(path), heard


def obj(path, *colors):
    rows = [f"v {x} {y} {z} {color}" for (x, y, z), color in zip(VERTICES, colors, strict=True)]
    path.write_text("\n".join([*rows, "f 1 2 3", ""]))
    return path


@pytest.mark.parametrize(
    ("colors", "wanted", "said"),
    [
        (("", "0 1 0", ""), None, "2 of 3 vertices have no colour: ignored, as the first has none"),
        (("1 0 0", "", "0 0 1"), [[255, 0, 0], [0, 0, 0], [0, 0, 255]], "1 of 3 vertices have no colour: black"),
        (
            ("1 0 0", "nan 0 1", "0 0 1"),
            [[255, 0, 0], [0, 0, 0], [0, 0, 255]],
            "1 of 3 colours are invalid: they become black",
        ),
        (("1 0 0 1", "-1 0 0 1", "inf 0 1 1"), [[255, 0, 0], [0, 0, 0], [0, 0, 0]], "2 of 3 colours"),
        (("65535 0 0", "0 32896 0", "257 0 514"), [[255, 0, 0], [0, 128, 0], [1, 0, 2]], None),
        (("1.5 0 0", "255 9 0", "300.5 0 0"), [[2, 0, 0], [255, 9, 0], [0, 0, 0]], "1 of 3 colours"),
        (("1.0", "", "0.5"), None, None),
    ],
)
def test_an_obj_keeps_its_shape_whatever_its_colours_are(tmp_path, colors, wanted, said):
    mesh, heard = read(obj(tmp_path / "a.obj", *colors), read_mesh)
    assert mesh.vertices.tolist() == VERTICES
    assert mesh.triangles.tolist() == [[0, 1, 2]]
    assert (None if mesh.colors is None else mesh.colors.tolist()) == wanted
    assert [said in text for text in heard] == [True] * (said is not None)


def test_the_beginning_promises_colours_only_where_all_of_it_has_them(tmp_path):
    path = tmp_path / "a.obj"
    for colors, promised in (
        (("1 0 0", "", "0 0 1"), False),
        (("1 0 0", "nan 0 1", "0 0 1"), False),
        (("1 0 0", "0 0 1", "0 0 1 1"), True),
    ):
        assert mesh_has_colors(obj(path, *colors)) is promised
        assert not promised or read_mesh(path).colors is not None


def test_numbers_of_every_range_become_colours():
    assert colors_u1(np.array([[0.0, 0.5, 1.0]]), "a").tolist() == [[0, 128, 255]]
    assert colors_u1(np.array([[0, 128, 255]], "u2"), "a").tolist() == [[0, 128, 255]]
    assert colors_u1(np.array([[0, 32896, 65535]], "u2"), "a").tolist() == [[0, 128, 255]]
    assert colors_u1(np.array([[1, 2, 70000], [256, 0, 0]], "i4"), "a").tolist() == [[0, 0, 0], [1, 0, 0]]
    assert colors_u1(np.full((2, 3), np.nan), "a").tolist() == [[0, 0, 0]] * 2


def ply(path, kind, colors, normals=None, order="binary_little_endian"):
    """Write a PLY of three vertices whose colours are of a type, in text or binary."""
    fields = [*((axis, "f4") for axis in "xyz"), *((name, kind) for name in ("red", "green", "blue"))]
    fields += [(name, "f4") for name in ("nx", "ny", "nz")] if normals is not None else []
    table = np.zeros(3, fields)
    columns = np.hstack([VERTICES, colors, *([normals] if normals is not None else [])])
    for i, (name, _) in enumerate(fields):
        table[name] = columns[:, i]
    names = {"f4": "float", "u2": "ushort", "u1": "uchar"}
    header = ["ply", f"format {order} 1.0", "element vertex 3"]
    header += [f"property {names[kind]} {name}" for name, kind in fields]
    header += ["element face 1", "property list uchar int vertex_indices", "end_header", ""]
    body = table.tobytes() + bytes([3]) + np.array([0, 1, 2], "<i4").tobytes()
    if order == "ascii":
        body = "\n".join([*(" ".join(map(str, row)) for row in columns.tolist()), "3 0 1 2", ""]).encode()
    path.write_bytes("\n".join(header).encode() + body)
    return path


@pytest.mark.parametrize("reader", [read_mesh, read_cloud])
def test_a_ply_of_16_bit_colours_is_read(tmp_path, reader):
    found, heard = read(ply(tmp_path / "a.ply", "u2", [[65535, 0, 0], [0, 32896, 0], [0, 0, 257]]), reader)
    assert found.colors.tolist() == [[255, 0, 0], [0, 128, 0], [0, 0, 1]]
    assert heard == []


@pytest.mark.parametrize("order", ["binary_little_endian", "ascii"])
def test_nan_colours_of_a_ply_cost_themselves(tmp_path, order):
    path = ply(tmp_path / "a.ply", "f4", [[1, 0, 0], [np.nan, 0, 0], [0, 0, 1]], order=order)
    for reader in (read_mesh, read_cloud):
        found, heard = read(path, reader)
        assert found.colors.tolist() == [[255, 0, 0], [0, 0, 0], [0, 0, 255]]
        assert heard == ["a.ply: 1 of 3 colours are invalid: they become black"]


def test_text_that_does_not_fit_its_declared_type_costs_no_shape(tmp_path):
    path = ply(tmp_path / "a.ply", "u1", [[0.5, 0, 0], [0, 1, 0], [0, 0, 0.25]], order="ascii")
    mesh = read_mesh(path)
    assert mesh.vertices.tolist() == VERTICES
    assert mesh.colors.tolist() == [[128, 0, 0], [0, 255, 0], [0, 0, 64]]


def test_normals_that_are_all_zero_are_left_aside(tmp_path):
    gray = np.full((3, 3), 9)
    for order in ("binary_little_endian", "ascii"):
        path = ply(tmp_path / "a.ply", "u1", gray, np.zeros((3, 3)), order)
        cloud, heard = read(path, read_cloud)
        assert len(cloud.points) == 2 + 1  # one vertex at 0, 0, 0 is a point
        assert cloud.normals is None
        assert heard == ["a.ply: its normals have no direction: they are ignored"]
        assert cloud_arrays(path) == ("points", "colors")


def test_points_without_direction_among_others_are_left_out_with_a_remark(tmp_path):
    path = ply(tmp_path / "a.ply", "u1", np.full((3, 3), 9), [[0, 0, 2], [np.nan, 0, 1], [0, 1, 0]])
    cloud, heard = read(path, read_cloud)
    assert cloud.normals.tolist() == [[0, 0, 1], [0, 1, 0]]
    assert heard == ["a.ply: 1 of 3 points have a normal without direction: they are left out"]
    assert cloud_arrays(path) == ("points", "normals", "colors")


@pytest.mark.parametrize("kind", ["ascii", "binary"])
def test_zero_normals_of_a_pcd_are_left_aside(tmp_path, kind):
    table = np.zeros((2, 6), "<f4")
    table[:, :3] = [[1, 2, 3], [4, 5, 6]]
    body = table.tobytes() if kind == "binary" else "".join(" ".join(map(str, row)) + "\n" for row in table).encode()
    header = (
        "VERSION 0.7\nFIELDS x y z normal_x normal_y normal_z\nSIZE 4 4 4 4 4 4\nTYPE F F F F F F\n"
        f"COUNT 1 1 1 1 1 1\nWIDTH 2\nHEIGHT 1\nPOINTS 2\nDATA {kind}\n"
    )
    path = tmp_path / "a.pcd"
    path.write_bytes(header.encode() + body)
    assert read_cloud(path).normals is None
    assert len(read_cloud(path).points) == 2
    assert cloud_arrays(path) == ("points",)


def test_colours_of_an_off_may_be_missing_at_some_vertices(tmp_path):
    path = tmp_path / "a.off"
    path.write_text("COFF\n3 1 0\n0 0 0 255 0 0 255\n100 0 0\n0 140 0 0 0 255 255\n3 0 1 2\n")
    mesh, heard = read(path, read_mesh)
    assert mesh.vertices.tolist() == VERTICES
    assert mesh.colors.tolist() == [[255, 0, 0], [0, 0, 0], [0, 0, 255]]
    assert heard == ["a.off: 1 of 3 vertices have no colour: black"]
