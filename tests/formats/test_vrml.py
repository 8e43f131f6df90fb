"""VRML 2: parsed by its words, whatever its lines; what cannot be read without guessing is refused."""

import gzip

import numpy as np
import pytest
from hang_guard import ends_soon
from write_meshes import vrml_text

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import FileLimits, limits_in_force
from face3d_data.formats.mesh_file import read_mesh
from face3d_data.formats.packed import unpack
from face3d_data.formats.vrml import parse_vrml

# Typed by hand from ISO/IEC 14772-1: comments, commas, arrays broken anywhere, one polygon of four corners.
BY_HAND = b"""#VRML V2.0 utf8
# a comment with point [ 9 9 9 ] and "a quote
NavigationInfo { type [ "EXAMINE", "a ] # no comment" ] }
Shape {
  appearance Appearance { material Material { diffuseColor 1 0.5 0 } }
  geometry IndexedFaceSet {
    ccw TRUE, solid FALSE
    coord Coordinate { point [ 0 0
      0, 1 0 0 # the second
      1 1 0,0 1 -0.5,
    ] }
    texCoord TextureCoordinate { point [ 0 0, 1 1 ] }
    coordIndex [ 0, 1, 2, 3, -1,
                 0 1
                 3 ]
    texCoordIndex [ 0, 1, 0, 1, -1 ]
  }
}
"""
SQUARE = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, -0.5]]
FACES = "geometry IndexedFaceSet { coord Coordinate { point [ 0 0 0, 1 0 0, 0 1 0 ] } coordIndex [ 0 1 2 -1 ] }"


def vrml(body: str):
    return parse_vrml(b"#VRML V2.0 utf8\n" + body.encode(), "a.wrl")


def test_bytes_typed_by_hand_are_read():
    mesh = parse_vrml(BY_HAND, "a.wrl")
    assert mesh.vertices.tolist() == SQUARE
    assert mesh.triangles.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 3]]


def test_lines_do_not_matter():
    assert parse_vrml(BY_HAND.replace(b"\n", b"\r\n"), "a.wrl").vertices.tolist() == SQUARE
    one_line = "Shape{geometry IndexedFaceSet{coord Coordinate{point[0 0 0,1 0 0,0 1 0]}coordIndex[0,1,2,-1]}}"
    assert vrml(one_line).triangles.tolist() == [[0, 1, 2]]
    split = (
        "Shape { geometry IndexedFaceSet { coordIndex [ 0 1 2 ] coord Coordinate { point [ 0 0 0 1 0 0 0 1 0 ] } } }"
    )
    split = split.replace(" ", "\n")
    assert vrml(split).triangles.tolist() == [[0, 1, 2]]


def test_what_the_writer_wrote_is_exact(tmp_path):
    rng = np.random.default_rng(0)
    vertices = rng.normal(0, 60, (50, 3)).astype(np.float32)
    triangles = rng.integers(0, 50, (40, 3))
    text = vrml_text(vertices, triangles)
    for name, data in (("a.wrl", text.encode()), ("b.wrl.gz", gzip.compress(text.encode())), ("c.wrl", None)):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()) if data is None else data)
        mesh = read_mesh(tmp_path / name)
        assert np.array_equal(mesh.vertices.astype(np.float32), vertices)
        assert np.array_equal(mesh.triangles, triangles)


def test_several_shapes_come_together():
    mesh = vrml(f"Group {{ children [ Shape {{ {FACES} }} Shape {{ {FACES} }} ] }} Shape {{ {FACES} }}")
    assert mesh.triangles.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert len(mesh.vertices) == 9


def test_transforms_move_what_is_below_them():
    turned = "rotation 0 0 1 1.5707963267948966 scale 2 2 2 translation 10 0 0"
    mesh = vrml(f"Transform {{ {turned} children Shape {{ {FACES} }} }}")
    np.testing.assert_allclose(mesh.vertices, [[10, 0, 0], [10, 2, 0], [8, 0, 0]], atol=1e-12)
    inner = f"Transform {{ {turned} children [ Shape {{ {FACES} }} ] }}"
    nested = vrml(f"Transform {{ translation 0 0 5 children [ {inner} ] }}")
    np.testing.assert_allclose(nested.vertices - mesh.vertices, [[0, 0, 5]] * 3, atol=1e-12)
    center = vrml(f"Transform {{ center 1 0 0 rotation 0 0 1 3.141592653589793 children [ Shape {{ {FACES} }} ] }}")
    np.testing.assert_allclose(center.vertices, [[2, 0, 0], [1, 0, 0], [2, -1, 0]], atol=1e-12)


def test_a_mirrored_shape_and_one_wound_the_other_way_are_turned_round():
    assert vrml(f"Transform {{ scale -1 1 1 children Shape {{ {FACES} }} }}").triangles.tolist() == [[2, 1, 0]]
    clockwise = FACES.replace("{ coord", "{ ccw FALSE coord")
    assert vrml(f"Shape {{ {clockwise} }}").triangles.tolist() == [[2, 1, 0]]


def test_coordinates_may_be_shared():
    first = FACES.replace("coord Coordinate", "coord DEF all Coordinate")
    again = "geometry IndexedFaceSet { coord USE all coordIndex [ 2 1 0 ] }"
    mesh = vrml(f"Shape {{ {first} }} Shape {{ {again} }}")
    assert mesh.triangles.tolist() == [[0, 1, 2], [2, 1, 0]]
    assert len(mesh.vertices) == 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "line 1: contains no IndexedFaceSet"),
        ("Shape { geometry Sphere { radius 2 } }", "line 2: Sphere: only IndexedFaceSet is read"),
        (f"\n\nLOD {{ level [ Shape {{ {FACES} }} ] }}", "line 4: LOD: only"),
        ('Inline { url "b.wrl" }', "line 2: Inline: only"),
        ("PROTO Face [ field SFNode a NULL ] { Shape { } }", "line 2: PROTO: nodes that a file defines itself"),
        (f"DEF a Shape {{ {FACES} }} Group {{ children [ USE a ] }}", "line 2: USE a: shapes that are used again"),
        (f"Shape {{ {FACES.replace('0 1 2 -1', '0 1 3 -1')} }}", "line 2: coordIndex 3, but there are 3 points"),
        (f"Shape {{ {FACES.replace('0 1 2 -1', '0 1 -2 -1')} }}", "line 2: coordIndex -2"),
        (f"\nShape {{\n {FACES.replace('1 0 0', '1 0 0 7')} }}", r"line 4: point \[: 10 numbers are not points"),
        (f"\nShape {{\n {FACES.replace('1 0 0', chr(10) + '1 x 0')} }}", "line 5: 'x' is not a number"),
        (f"Shape {{ {FACES.replace('0 1 2 -1', '0 1.5 2 -1')} }}", "line 2: '1.5' is not a whole number"),
        (f"Shape {{ {FACES}", "line 2: Shape is not closed: truncated"),
        (f"Shape {{ {FACES} }} }}", "line 2: '}' without '{'"),
        ("Shape { geometry { } }", "line 2: '{' without a node's type|contains no"),
        ("Shape { geometry IndexedFaceSet { coordIndex [ 0 1 2", r"line 2: coordIndex \[ is not closed: truncated"),
        ("Shape { geometry IndexedFaceSet { coord USE b coordIndex [ 0 ] } }", "line 2: USE b: no Coordinate"),
        (f"Transform {{ scale 1 2 children Shape {{ {FACES} }} }}", "line 2: scale of 2 numbers"),
        (
            f"Transform {{ rotation 1e99 0 0 1 children Shape {{ {FACES} }} }}",
            "line 2: rotation of 4 .* absurd",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(body, said):
    with pytest.raises(Unreadable, match=said):
        vrml(body)


def test_the_first_version_is_refused():
    with pytest.raises(Unreadable, match=r"line 1: VRML 1\.0"):
        parse_vrml(b"#VRML V1.0 ascii\nSeparator { }", "a.wrl")


def test_cut_off_anywhere_is_told_with_its_line():
    for at in range(BY_HAND.rindex(b"}")):
        with pytest.raises(Unreadable, match=r"^unreadable: a\.wrl: line \d+: "):
            parse_vrml(BY_HAND[:at], "a.wrl")


def test_shapes_that_share_coordinates_a_thousand_times_are_no_scan():
    points = " ".join(["1 2 3"] * 200)
    given = f"coord DEF a Coordinate {{ point [ {points} ] }}"
    first = f"Shape {{ geometry IndexedFaceSet {{ {given} coordIndex [ 0 1 2 ] }} }}"
    again = (
        "Transform { translation %d 0 0 "
        + "children Shape { geometry IndexedFaceSet { coord USE a coordIndex [ 0 ] } } }"
    )
    with pytest.raises(Unreadable, match="used too often"):
        vrml(first + " ".join(again % i for i in range(1, 1000)))


@pytest.mark.parametrize(
    "bomb", ['"\\' * 50_000, "{" * 100_000, "a " * 50_000, "[" * 100_000, "a{" * 50_000, "#" * 10**5]
)
def test_hostile_structure_takes_no_time(bomb):
    with ends_soon(), pytest.raises(Unreadable):
        vrml(bomb)


def test_compressed_files_are_unpacked_up_to_a_limit():
    assert unpack(gzip.compress(b"abc"), "a") == b"abc"
    assert unpack(b"abc", "a") == b"abc"
    packed = gzip.compress(BY_HAND)
    for at in range(2, len(packed)):
        with pytest.raises(Unreadable, match="damaged gzip"):
            unpack(packed[:at], "a")
    limits = FileLimits(max_points=1)
    with limits_in_force(limits), pytest.raises(Unreadable, match="too_large: a: unpacks to more than 1 MB"):
        unpack(gzip.compress(bytes(5 << 20)), "a")


def test_a_scene_of_countless_nodes_is_refused():
    with pytest.raises(Unreadable, match="more than 20000 nodes: not a scan"):
        vrml("Group { } " * 20_001)
