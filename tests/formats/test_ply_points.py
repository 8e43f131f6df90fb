"""PLY: every body, every order of bytes, lists of differing length."""

import struct

import numpy as np
import pytest
from write_meshes import PLY_BODIES, write_ply

from face3d_data.errors import Unreadable
from face3d_data.formats.ply import parse_ply_cloud, parse_ply_mesh
from face3d_data.formats.ply_rows import follow

# Typed by hand from the format's description: a square and a triangle beside it, in binary, big end first.
BIG = (
    b"ply\n"
    b"format binary_big_endian 1.0\n"
    b"comment made by hand\n"
    b"element vertex 5\n"
    b"property float x\n"
    b"property float y\n"
    b"property float z\n"
    b"property uchar red\n"
    b"property uchar green\n"
    b"property uchar blue\n"
    b"element face 2\n"
    b"property uchar flags\n"
    b"property list uchar ushort vertex_indices\n"
    b"end_header\n"
    + bytes.fromhex(
        "00000000 00000000 00000000 ff0000"  # 0 0 0, red
        "3f800000 00000000 00000000 00ff00"  # 1 0 0, green
        "3f800000 3f800000 3f000000 0000ff"  # 1 1 0.5, blue
        "00000000 3f800000 00000000 000000"  # 0 1 0
        "40000000 c0000000 00000000 010203"  # 2 -2 0
        "00 04 0000 0001 0002 0003"  # flags 0, four corners
        "07 03 0001 0004 0002"  # flags 7, three corners
    )
)
BODY = BIG.index(b"end_header\n") + len(b"end_header\n")
FACES = BODY + 5 * 15
TEXT = (
    b"ply\r\nformat ascii 1.0\r\nelement vertex 3\r\nproperty double x\r\nproperty double y\r\nproperty double z\r\n"
    b"element face 1\r\nproperty list uchar int vertex_index\r\nend_header\r\n"
    b"0 0 0.1\r\n1 0 0\r\n0 1 0\r\n3 0 1 2\r\n"
)


def test_bytes_typed_by_hand_are_read():
    mesh = parse_ply_mesh(BIG, "a.ply")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0.5], [0, 1, 0], [2, -2, 0]]
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [1, 4, 2]]
    assert mesh.colors.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0], [1, 2, 3]]
    assert parse_ply_cloud(BIG, "a.ply").points.tolist() == mesh.vertices.tolist()


def test_text_typed_by_hand_is_read():
    mesh = parse_ply_mesh(TEXT, "a.ply")
    assert mesh.vertices.tolist() == [[0, 0, 0.1], [1, 0, 0], [0, 1, 0]]
    assert mesh.triangles.tolist() == [[0, 1, 2]]
    assert mesh.colors is None


@pytest.mark.parametrize("body", PLY_BODIES)
@pytest.mark.parametrize("sizes", [(3, 3, 3), (4, 4), (3, 4, 5, 3)])
def test_all_bodies_give_the_same(tmp_path, body, sizes):
    rng = np.random.default_rng(1)
    columns = {axis: rng.normal(size=6).astype(np.float32) for axis in "xyz"}
    columns |= {name: rng.normal(size=6) for name in ("nx", "ny", "nz")}
    faces = [list(range(size)) for size in sizes]
    write_ply(tmp_path / "a.ply", columns, faces, body, texture=True)
    mesh = parse_ply_mesh((tmp_path / "a.ply").read_bytes(), "a.ply")
    assert np.array_equal(mesh.vertices.astype(np.float32), np.stack([columns[axis] for axis in "xyz"], 1))
    assert mesh.triangles.tolist() == [[0, i, i + 1] for size in sizes for i in range(1, size - 1)]
    cloud = parse_ply_cloud((tmp_path / "a.ply").read_bytes(), "a.ply")
    normals = np.stack([columns[name] for name in ("nx", "ny", "nz")], 1)
    np.testing.assert_allclose(cloud.normals, normals / np.linalg.norm(normals, axis=1, keepdims=True), rtol=1e-6)


def test_trimesh_reads_and_writes_the_same(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    made = trimesh.creation.icosphere(2)
    for encoding in ("ascii", "binary"):
        mesh = parse_ply_mesh(made.export(file_type="ply", encoding=encoding), "a.ply")
        np.testing.assert_allclose(mesh.vertices, made.vertices, atol=1e-7)
        assert np.array_equal(mesh.triangles, made.faces)


@pytest.mark.parametrize("data", [BIG, TEXT], ids=["binary", "text"])
def test_cut_off_anywhere_is_told_with_its_place(data):
    last = len(data) if data is BIG else len(data) - 3  # a text that lacks its last line break is whole
    for at in range(last):
        with pytest.raises(Unreadable, match=r"^unreadable: a\.ply: (line|byte) \d+: ") as caught:
            parse_ply_mesh(data[:at], "a.ply")
        assert "\n" not in caught.value.detail


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"element vertex 5", b"element vertex 4294967295", f"byte {BODY + 9}: .* bytes for 4294967295 rows of vertex"),
        (b"element face 2", b"element face 99", f"byte {FACES + 1}: .* bytes for 99 rows of face"),
        (b"element vertex 5", b"element vertex -1", "line 4: expected 'element NAME COUNT'"),
        (b"property float x\n", b"property half x\n", "line 5: not a property of PLY: 'property half x'"),
        (b"property float x\n", b"", "line 1: declares no vertices with x, y and z"),
        (b"property float y", b"property float x", "line 6: property 'x' appears twice"),
        (b"list uchar ushort", b"list float ushort", "line 13: a list counted by float"),
        (b"binary_big_endian", b"binary_odd_endian", "line 2: the format is not one of ascii"),
        (b"element face 2", b"element tristrips 2", "triangle strips"),
        (b"\x07\x03\x00\x01", b"\x07\x03\x00\x09", "a face refers to vertex 9, but there are 5"),
        (b"\x00\x04\x00\x00", b"\x00\xff\x00\x00", f"byte {FACES}: face: the row at byte {FACES} goes beyond the end"),
    ],
)
def test_damage_is_named(old, new, said):
    assert old in BIG
    with pytest.raises(Unreadable, match=said):
        parse_ply_mesh(BIG.replace(old, new, 1), "a.ply")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"1 0 0\r\n", b"1 0\r\n", "line 11: 2 numbers do not make a vertex"),
        (b"1 0 0\r\n", b"1 0 zero\r\n", "line 11: 'zero' is not a number"),
        (b"3 0 1 2", b"4 0 1 2", "line 13: 4 numbers do not make a face"),
        (b"3 0 1 2", b"-1 0 1 2", "line 13: 4 numbers do not make a face"),
        (b"3 0 1 2", b"1e300 0 1 2", "line 13: 4 numbers do not make a face"),
        (b"3 0 1 2", b"3 0 1 2.5", "face: vertex_index: a number is not of type int32"),
        (b"3 0 1 2", b"3 0 1 1e20", "face: vertex_index: a number is not of type int32"),
        (b"3 0 1 2", b"3 0 1 -1", "a face refers to vertex -1"),
    ],
)
def test_damage_of_a_text_is_named_with_its_line(old, new, said):
    with pytest.raises(Unreadable, match=said):
        parse_ply_mesh(TEXT.replace(old, new, 1), "a.ply")


def test_points_that_were_not_seen_are_left_out():
    data = TEXT.replace(b"1 0 0\r\n", b"nan 0 0\r\n")
    assert parse_ply_cloud(data, "a.ply").points.tolist() == [[0, 0, 0.1], [0, 1, 0]]
    with pytest.raises(Unreadable, match="contains no finite points"):
        parse_ply_cloud(TEXT.replace(b"0 0 0.1\r\n1 0 0\r\n0 1 0\r\n", b"nan 0 0\r\n" * 3), "a.ply")


def test_rows_are_followed_as_a_plain_loop_does():
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 300, 3000)
    ends = np.cumsum(sizes)
    step = dict(zip((ends - sizes).tolist(), ends.tolist(), strict=True))

    def advance(at):
        return np.array([step.get(place, place + 1) for place in at.tolist()])

    found = follow(advance, 0, int(ends[-1]), len(sizes))
    assert np.array_equal(found, ends - sizes)
    assert len(follow(advance, 0, int(ends[-1]), len(sizes) + 5)) == len(sizes)
    assert follow(advance, 0, 0, 4).size == 0


def test_a_body_with_elements_before_and_after_is_read():
    camera = b"element camera 1\nproperty float a\nproperty list uchar float b\n"
    data = BIG.replace(b"element vertex 5", camera + b"element vertex 5", 1)
    head, _, body = data.partition(b"end_header\n")
    row = struct.pack(">fB2f", 1, 2, 3, 4)
    mesh = parse_ply_mesh(head + b"end_header\n" + row + body, "a.ply")
    assert len(mesh.triangles) == 3


@pytest.mark.parametrize(
    ("kind", "count"),
    [("uint", "ffffffff"), ("uint", "7fffffff"), ("int", "ffffffff"), ("int", "7fffffff"), ("ushort", "ffff")],
)
@pytest.mark.parametrize("rows", [1, 2])
def test_a_list_longer_than_its_file_is_a_file_cut_off(kind, count, rows):
    header = (
        "ply\nformat binary_little_endian 1.0\nelement vertex 3\nproperty float x\nproperty float y\n"
        f"property float z\nelement face {rows}\nproperty list {kind} int vertex_indices\nend_header\n"
    )
    data = header.encode() + bytes(36) + bytes.fromhex(count)[::-1] * rows
    with pytest.raises(Unreadable, match=r"a\.ply: byte \d+: face: the row at byte \d+ goes beyond the end: truncated"):
        parse_ply_mesh(data, "a.ply")
