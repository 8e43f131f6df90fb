"""OBJ, STL, OFF and GLB."""

import json
import struct

import numpy as np
import pytest
from write_meshes import MESH_WRITERS, write_glb, write_obj

from face3d_data.errors import Unreadable
from face3d_data.formats.glb import parse_glb
from face3d_data.formats.mesh_file import MESH_SUFFIXES, mesh_has_colors, read_mesh
from face3d_data.formats.obj import parse_obj
from face3d_data.formats.off import parse_off
from face3d_data.formats.stl import parse_stl

# Each typed by hand from its specification: a square of corners (0 0), (1 0), (1 1), (0 1), and a triangle.
OBJ = b"""# Wavefront OBJ
mtllib a.mtl
v 0 0 0
 v  1.0 0 0   # a comment
v 1 1 0
vt 0.5 0.5
vn 0 0 1
f 1/1/1 2//1 3/1
v 0 1 1e-1
f -4 -2 \\
  -1
g other
f 1 2 3 4
l 1 2
"""
STL = bytes.fromhex(
    "736f6c6964" + "20" * 75  # 80 bytes of header, which begins with "solid" though the file is binary
    + "01000000"  # one facet
    "00000000 00000000 0000803f"  # its normal, 0 0 1
    "00000000 00000000 00000000"  # 0 0 0
    "0000803f 00000000 00000000"  # 1 0 0
    "00000000 0000803f 000000bf"  # 0 1 -0.5
    "0000"  # attribute
)  # fmt: skip
STL_TEXT = b"""solid a name
facet normal 0 0 1
 outer loop
  vertex 0 0 0
  VERTEX 1.0e0 0 0
  vertex 0 1 -.5
 endloop
endfacet
endsolid a name
"""
OFF = b"""COFF 4 2 0 # counts
0 0 0 255 0 0 255
1 0 0 0 255 0 255

1 1 0 0 0 255 255
0 1 0.5 9 9 9 255
4 0 1 2 3
3 0 1 3 255 255 0
"""


def test_obj_typed_by_hand_is_read():
    mesh = parse_obj(OBJ, "a.obj")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.1]]
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 2], [0, 2, 3]]
    assert mesh.colors is None


def test_stl_typed_by_hand_is_read():
    for data in (STL, STL_TEXT):
        mesh = parse_stl(data, "a.stl")
        assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, -0.5]]
        assert mesh.triangles.tolist() == [[0, 1, 2]]


def test_off_typed_by_hand_is_read():
    mesh = parse_off(OFF, "a.off")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5]]
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 3]]
    assert mesh.colors.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]


def glb(document: dict, binary: bytes = b"") -> bytes:
    text = json.dumps(document).encode()
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


# Three positions as float32, then three indices as uint16.
BINARY = bytes.fromhex(
    "00000000 00000000 00000000"  # 0 0 0
    "0000803f 00000000 00000000"  # 1 0 0
    "00000000 0000803f 00000040"  # 0 1 2
    "0000 0100 0200"  # 0 1 2
)


def document() -> dict:
    return {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 3, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 36},
            {"buffer": 0, "byteOffset": 36, "byteLength": 6},
        ],
        "buffers": [{"byteLength": 42}],
    }


def test_glb_typed_by_hand_is_read():
    mesh = parse_glb(glb(document(), BINARY), "a.glb")
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 2]]
    assert mesh.triangles.tolist() == [[0, 1, 2]]


def test_nodes_of_glb_move_their_meshes():
    made = document()
    made["nodes"] = [
        {"children": [1], "translation": [0, 0, 10]},
        {"mesh": 0, "rotation": [0, 0, 0.5**0.5, 0.5**0.5], "scale": [2, 1, 1]},
    ]
    mesh = parse_glb(glb(made, BINARY), "a.glb")
    np.testing.assert_allclose(mesh.vertices, [[0, 0, 10], [0, 2, 10], [-1, 0, 12]], atol=1e-12)
    made["nodes"] = [{"mesh": 0, "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 5, 0, 0, 1]}]
    mesh = parse_glb(glb(made, BINARY), "a.glb")
    assert mesh.vertices.tolist() == [[5, 0, 0], [4, 0, 0], [5, 1, 2]]
    assert mesh.triangles.tolist() == [[2, 1, 0]]


@pytest.mark.parametrize("kind", MESH_WRITERS)
def test_every_writer_is_read_exactly(tmp_path, kind):
    rng = np.random.default_rng(2)
    vertices = np.round(rng.normal(0, 50, (40, 3)) * 256).astype(np.float32) / 256
    triangles = np.sort(rng.permuted(np.tile(np.arange(40), (30, 1)), axis=1)[:, :3], axis=1)
    colors = rng.integers(0, 256, (40, 3)).astype(np.uint8)
    path = tmp_path / f"a{kind}"
    MESH_WRITERS[kind](path, vertices, triangles, colors)
    mesh = read_mesh(path)
    assert np.array_equal(mesh.vertices[mesh.triangles].astype(np.float32), vertices[triangles])
    assert mesh_has_colors(path) == (mesh.colors is not None)
    if mesh.colors is not None:
        assert np.array_equal(mesh.colors, colors)


def test_obj_counts_backwards_too(tmp_path):
    vertices, triangles = np.eye(3, dtype=np.float32), np.array([[0, 1, 2]])
    write_obj(tmp_path / "a.obj", vertices, triangles, backwards=True)
    assert read_mesh(tmp_path / "a.obj").triangles.tolist() == [[0, 1, 2]]


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".obj", ".ply", ".stl", ".off", ".glb"])
def test_trimesh_writes_what_is_read(tmp_path, ending):
    trimesh = pytest.importorskip("trimesh")
    made = trimesh.creation.icosphere(2, radius=80)
    made.export(tmp_path / f"a{ending}")
    mesh = read_mesh(tmp_path / f"a{ending}")
    np.testing.assert_allclose(mesh.vertices[mesh.triangles], made.vertices[made.faces], atol=1e-5)


@pytest.mark.parametrize(
    ("parse", "data"),
    [(parse_obj, OBJ), (parse_stl, STL), (parse_stl, STL_TEXT), (parse_off, OFF)],
    ids=["obj", "stl", "stl text", "off"],
)
def test_cut_off_anywhere_is_told_or_still_a_mesh(parse, data):
    for at in range(len(data)):
        mesh, error = None, None
        try:
            mesh = parse(data[:at], "a.x")
        except Unreadable as caught:
            error = caught
        if mesh is None:
            assert error.reason == "unreadable"
            assert "\n" not in error.detail
            continue
        # What an OBJ lacks at its end cannot be told; the end of a text's last line may lack.
        assert len(mesh.triangles) == 0 or mesh.triangles.max() < len(mesh.vertices)
        assert parse in (parse_obj, parse_off) or at > len(data) - 20 or not len(mesh.triangles)


TRIANGLE = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


@pytest.mark.parametrize(
    ("parse", "data", "old", "new", "said"),
    [
        (parse_obj, OBJ, b"v 1 1 0", b"v 1 1", "line 5: a vertex of 2 numbers, expected 3"),
        (parse_obj, OBJ, b"v 1 1 0", b"v 1 1 zero", "line 5: 'zero' is not a number"),
        (parse_obj, OBJ, b"f 1 2 3 4", b"f 1 2 3 9", "line 12: a face refers to vertex 9, but there are 4"),
        (parse_obj, OBJ, b"f 1 2 3 4", b"f 1 2 3 0", "line 12: a face refers to vertex 0"),
        (parse_obj, OBJ, b"f -4 ", b"f -9 ", "a face refers to vertex -4"),
        (parse_obj, OBJ, b"f 1 2 3 4", b"f 1 2 3.5 4", "'3.5' is not a whole number"),
        (parse_obj, OBJ, b"f 1 2 3 4", b"f 1 /2 3 4", "a corner without a vertex"),
        (parse_obj, b"hello\n", b"", b"", "contains no vertices"),
        (parse_obj, TRIANGLE + b"f", b"", b"", r"line 5: a face of 0 corners at the end: truncated\?"),
        (parse_obj, TRIANGLE + b"f \n", b"", b"", r"line 5: a face of 0 corners at the end: truncated\?"),
        (parse_obj, TRIANGLE + b"f 1/2 2", b"", b"", r"line 5: a face of 2 corners at the end: truncated\?"),
        (parse_stl, STL, b"\x01\0\0\0", b"\xff\xff\xff\xff", "byte 80: 4294967295 facets need"),
        (parse_stl, STL_TEXT, b"vertex 0 0 0", b"vertex 0 0", "line 4: a vertex without three numbers"),
        (parse_stl, STL_TEXT, b"vertex 0 0 0", b"vertex 0 0 o", "line 4: 'o' is not a number"),
        (parse_stl, STL_TEXT, b"vertex 0 0 0", b"vertex1 0 0 0", "2 vertices in 1 facets"),
        (parse_stl, STL_TEXT, b"vertex 0 0 0", b"vertex-1 0 0 0", "2 vertices in 1 facets"),
        (parse_stl, STL_TEXT, b"endfacet\n", b"endfacets\n", "3 vertices in 0 facets"),
        (parse_stl, STL_TEXT, b"endfacet\n", b"", "3 vertices in 0 facets: truncated"),
        (parse_stl, b"short", b"", b"", "byte 5: the header is truncated"),
        (parse_off, OFF, b"4 2 0", b"4000000000 2 0", "of 4000000002 lines: truncated"),
        (parse_off, OFF, b"4 2 0", b"four 2 0", "line 1: 'four' is not a whole number"),
        (parse_off, OFF, b"4 0 1 2 3", b"4 0 1 2 4", "line 7: a face refers to vertex 4, but there are 4"),
        (parse_off, OFF, b"4 0 1 2 3", b"9 0 1 2 3", "line 7: a face of 9 corners, and 4 numbers follow"),
        (parse_off, OFF, b"1 0 0 0", b"1 0 0", "line 3: a vertex with a different number of values"),
        (parse_off, b"OFF BINARY\n1 2", b"", b"", "binary OFF"),
    ],
)
def test_damage_is_named_with_its_place(parse, data, old, new, said):
    with pytest.raises(Unreadable, match=said):
        parse(data.replace(old, new, 1) if old else data, "a.x")


def changed(path: str, value) -> bytes:
    made = document()
    *keys, last = (int(key) if key.isdigit() else key for key in path.split("."))
    entry = made
    for key in keys:
        entry = entry[key]
    entry[last] = value
    return glb(made, BINARY)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (glb(document(), BINARY)[:30], "byte 8"),
        (glb(document(), BINARY)[:-1], "byte 8|truncated"),
        (b"glTF", "byte 0: not a binary glTF"),
        (b"glTF" + bytes(16), "glTF 0: only version 2"),
        (b"glTF" + struct.pack("<IIII", 2, 22, 2, 0x4E4F534A) + b"[]", "the JSON is not an object"),
        (b"glTF" + struct.pack("<IIII", 2, 22, 2, 0x4E4F534A) + b"{!", "not valid JSON"),
        (b"glTF" + struct.pack("<IIII", 2, 20 + 10**5, 10**5, 0x4E4F534A) + b"[" * 10**5, "nested|not valid JSON"),
        (changed("accessors.0.count", 10**12), r"accessors\[0\] goes beyond"),
        (changed("accessors.0.count", -1), r"accessors\[0\] has another type"),
        (changed("accessors.0.byteOffset", 4), r"accessors\[0\] goes beyond"),
        (changed("bufferViews.0.byteLength", 10**9), r"accessors\[0\] goes beyond"),
        (changed("bufferViews.0.byteStride", 2), r"accessors\[0\] goes beyond"),
        (changed("bufferViews.0.byteOffset", 1.5), "an offset or length is not a whole number"),
        (changed("accessors.0.componentType", 5121), "another type"),
        (changed("accessors.0.sparse", {}), "sparse"),
        (changed("buffers.0.uri", "a.bin"), "outside the file"),
        (changed("nodes.0.children", [0]), r"nodes\[0\] is in the scene twice"),
        (changed("nodes.0.mesh", "x\n\ud800"), r"meshes\['x\\n"),
        (changed("nodes.0.scale", [1, 1, "a"]), "scale is not 3 numbers"),
        (changed("meshes.0.primitives.0.mode", 5), "a part of mode 5"),
        (changed("meshes.0.primitives", [1]), "no POSITION"),
        (changed("extensionsRequired", ["KHR_draco_mesh_compression"]), "needs .*draco"),
        (changed("scenes", []), r"scenes\[0\] does not exist"),
        (changed("scenes.0.nodes", []), "its scene contains no triangles"),
    ],
)
def test_damage_of_glb_is_named(data, said):
    with pytest.raises(Unreadable, match=said) as caught:
        parse_glb(data, "a.glb")
    assert "\n" not in caught.value.detail
    caught.value.detail.encode()


def test_glb_with_an_index_too_large_is_refused():
    data = glb(document(), BINARY[:-2] + b"\x07\x00")
    with pytest.raises(Unreadable, match="refers to vertex 7, but there are 3"):
        parse_glb(data, "a.glb")


def test_glb_whose_nodes_repeat_a_mesh_is_no_scan():
    made = document()
    made["nodes"] = [{"mesh": 0}] * 50
    made["scenes"] = [{"nodes": list(range(50))}]
    with pytest.raises(Unreadable, match="too often for a scan"):
        parse_glb(glb(made, BINARY), "a.glb")


def test_colours_of_glb_come_in_three_types(tmp_path):
    colors = np.array([[255, 0, 51]] * 3, np.uint8)
    write_glb(tmp_path / "a.glb", np.eye(3, dtype=np.float32), np.array([[0, 1, 2]]), colors)
    mesh = read_mesh(tmp_path / "a.glb")
    assert mesh.colors.tolist() == colors.tolist()
    assert mesh.vertices.tolist() == np.eye(3).tolist()


def test_points_alone_are_no_mesh(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\nl 1 2\n")
    with pytest.raises(Unreadable, match=r"no_surface: a\.obj: holds 2 vertices and no face"):
        read_mesh(tmp_path / "a.obj")


def test_all_endings_have_a_codec(tmp_path):
    for ending in MESH_SUFFIXES:
        (tmp_path / f"a{ending}").write_bytes(b"nothing of the kind")
        with pytest.raises(Unreadable, match="unreadable"):
            read_mesh(tmp_path / f"a{ending}")
        assert not mesh_has_colors(tmp_path / f"a{ending}")


OFF_MESH = ([[0, 0, 0], [100, 0, 0], [100, 140, 0], [0, 140, 0]], [[0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize(
    "text",
    [
        "OFF\n4 2 0\n0 0 0\n100 0 0\n100 140 0\n0 140 0\n3 0 1 2\n3 0 2 3\n",
        "OFF4 2 0\n0 0 0\n100 0 0\n100 140 0\n0 140 0\n3 0 1 2\n3 0 2 3\n",
        "OFF 4 2\n0 0 0\n100 0 0\n100 140 0\n0 140 0\n3 0 1 2 9 9 9\n3 0 2 3\n",
        "OFF\n4 1 0\n0 0 0\n100 0 0\n100 140 0\n0 140 0\n4\n0 1\n2 3\n",
        "OFF\n4 2 0\n0 0 0 100 0 0\n100 140 0 0 140 0\n3 0 1 2 3 0 2 3\n",
        "# c\nNOFF\n4 2 0 # d\n0 0 0 0 0\n1 100 0 0 0 0 1\n100 140 0 0 0 1\n0 140 0 0 0 1\n3 0 1 2\n3 0 2 3\n",
        "4 2 0\n0 0 0\n100 0 0\n100 140 0\n0 140 0\n3 0 1 2\n3 0 2 3\n",
    ],
)
def test_an_off_may_be_broken_into_lines_in_any_way(text):
    mesh = parse_off(text.encode(), "a.off")
    assert (mesh.vertices.tolist(), mesh.triangles.tolist()) == OFF_MESH


def test_a_coff_of_broken_lines_keeps_its_colours():
    mesh = parse_off(b"COFF\n3 1 0\n0 0 0\n255 0 0 255 9 0 0 0 255 0 255\n0 9 0 0 0 255 255 3 0 1 2", "a.off")
    assert mesh.vertices.tolist() == [[0, 0, 0], [9, 0, 0], [0, 9, 0]]
    assert mesh.colors.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


@pytest.mark.parametrize("cut", range(2, 12, 2))
def test_an_off_of_broken_lines_cut_off_is_refused(cut):
    whole = b"OFF\n4 2 0\n0 0 0 100 0 0\n100 140 0 0 140 0\n3 0 1 2 3 0\n2 3"
    with pytest.raises(Unreadable, match=r"a\.off: line"):
        parse_off(whole[:-cut], "a.off")
