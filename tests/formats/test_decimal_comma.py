"""Decimal commas: read as what they are or refused, never as what parts two numbers."""

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.decimal_comma import decimal_points
from face3d_data.formats.obj import parse_obj
from face3d_data.formats.off import parse_off
from face3d_data.formats.ply import parse_ply_cloud
from face3d_data.formats.vrml import parse_vrml
from face3d_data.formats.xyz import parse_xyz

POINTS = [[12.5, 3.25, 7], [-0.5, 1, 0.125]]


@pytest.mark.parametrize(
    "text",
    [
        "12,5 3,25 7,0\n-0,5 1,0 0,125\n",
        "12,5\t3,25\t7\n-0,5\t1\t0,125\n",
        "12,5  3,25 7,0\n-0,5 1,0 1,25e-1\n",
        "x y z\n12,5 3,25 7\n-0,5 1 0,125\n",
        "# x, y, z; in mm\n12.5,3.25,7\n-0.5,1,0.125\n",
        "# semicolons; in a comment\n12.5, 3.25, 7\n-0.5, 1, 0.125\n",
        "12,500 3,250 7,000\n-0,500 1,000 0,125\n",
        "12,5;3,25;7,0\n-0,5;1,0;0,125\n",
        "2\n12,5 3,25 7,0\n-0,5 1,0 0,125\n",
    ],
)
def test_every_way_of_writing_decimals_gives_the_same_points(text):
    cloud = parse_xyz(text.encode(), "a.xyz")
    assert cloud.points.tolist() == POINTS
    assert cloud.colors is cloud.normals is None


def test_whole_columns_beside_decimal_commas_are_colours():
    cloud = parse_xyz(b"12,5 3,25 7,0 255 0 9\n-0,5 1,0 0,125 1 2 3\n", "a.xyz")
    assert cloud.points.tolist() == POINTS
    assert cloud.colors.tolist() == [[255, 0, 9], [1, 2, 3]]


@pytest.mark.parametrize(
    "text",
    [
        "1 2 3\n12,5 3.25 7\n",
        "12,5, 3,25, 7,0\n-0,5, 1,0, 0,125\n",
        "1,234.5 2,000.25 3\n",
        "1,234 7 5\n1,235 8 6\n",
        "7,05,3,25,7,0\n8,05,3,25,7,0\n",
        "1 2 3,255 0\n4 5 6,255 0\n",
        "1.234,5 2.345,6 3.456,7\n",
        "1 2 3\n-1.234,5 2,5 1.003.456,7\n",
        "-12,51,30,25,57,31\n",
        "12,5,3,25,7,0\n1,125,-2,5,3,5\n",
    ],
)
def test_what_may_be_a_decimal_comma_or_not_is_refused_with_that_word(text):
    with pytest.raises(Unreadable, match=r"a\.xyz: line [12]: .*decimal commas\? write decimal points"):
        parse_xyz(text.encode(), "a.xyz")


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("1,2,3\n4,5,6\n", [[1, 2, 3], [4, 5, 6]]),
        ("1, 2, 3\n4 ,5 ,6\n", [[1, 2, 3], [4, 5, 6]]),
        ("1.5,2,3 9,8,7\n4,5,6 1,2,3\n", [[1.5, 2, 3], [4, 5, 6]]),
        ("10,0,3\n4,5,6\n", [[10, 0, 3], [4, 5, 6]]),
        ("12,51,30,25,57,31\n-2,-5,3,25,57,31\n", [[12, 51, 30], [-2, -5, 3]]),
        ("x,y,z,r,g,b\n12,51,30,25,57,31\n", [[12, 51, 30]]),
        ("# x y z r g b\n12,51,30,25,57,31\n", [[12, 51, 30]]),
        ("1,2,3,\n4,5,6,\n", [[1, 2, 3], [4, 5, 6]]),
    ],
)
def test_commas_that_part_numbers_still_do(text, points):
    assert parse_xyz(text.encode(), "a.csv").points.tolist() == points


def test_formats_without_commas_take_them_for_decimal_ones():
    mesh = parse_obj(b"v 12,5 3,25 7,0\nv -0,5 1 0,125\nv 0 0 1,5\nf 1 2 3\n", "a.obj")
    assert mesh.vertices.tolist() == [*POINTS, [0, 0, 1.5]]
    off = parse_off(b"OFF\n3 1 0\n12,5 3,25 7,0\n-0,5 1 0,125\n0 0 1,5\n3 0 1 2\n", "a.off")
    assert np.array_equal(off.vertices, mesh.vertices)
    header = b"ply\nformat ascii 1.0\nelement vertex 2\n" + b"".join(b"property float %c\n" % axis for axis in b"xyz")
    cloud = parse_ply_cloud(header + b"end_header\n12,5 3,25 7,0\n-0,5 1 0,125\n", "a.ply")
    assert cloud.points.tolist() == POINTS


@pytest.mark.parametrize("text", [b"1,234 5 6", b"1,2,3 4 5", b"1,5 2.5,3 1", b"1 2 3", b""])
def test_commas_that_are_no_decimal_ones_for_certain_stay(text):
    assert decimal_points(text) is None


def test_vrml_refuses_what_looks_like_decimal_commas_and_takes_lists_without_blanks():
    scene = (
        b"#VRML V2.0 utf8\nShape { geometry IndexedFaceSet {\ncoord Coordinate {\npoint [ %s ] } coordIndex [0,1,2] } }"
    )
    with pytest.raises(Unreadable, match="line 4: are these decimal commas"):
        parse_vrml(scene % b"12,5 3,25 7,0, 1,5 2,5 3,5, 0,5 1,5 2,5", "a.wrl")
    with pytest.raises(Unreadable, match="line 4: are these decimal commas"):
        parse_vrml(scene % b"0 0 0 1,5 0 2 0 9 1", "a.wrl")
    with pytest.raises(Unreadable, match="line 4: are these decimal commas"):
        parse_vrml(scene % b"0 0 0, 1,5 0 2, 0 9 1", "a.wrl")
    mixed = scene.replace(b"[0,1,2]", b"[0,1,2,-1 2,1,0,-1]") % b"0 0 0, 9 0 0, 0 9 1"
    assert parse_vrml(mixed, "a.wrl").triangles.tolist() == [[0, 1, 2], [2, 1, 0]]
    for text in (b"0,0,0,9,0,0,0,9,1", b"0 , 0, 0 ,9, 0,0,0,9,1", b"0 0 0 ,9 0 0, 0 9 1,", b"0 0 0\n9 0 0\n0 9 1"):
        assert parse_vrml(scene % text, "a.wrl").vertices.tolist() == [[0, 0, 0], [9, 0, 0], [0, 9, 1]]
    assert parse_vrml(scene % b"0 0 0,9 0 0,0 9 1", "a.wrl").vertices.tolist() == [[0, 0, 0], [9, 0, 0], [0, 9, 1]]
