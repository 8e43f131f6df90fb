"""The decoding layer under text formats: every codec reads the same through any mark, encoding, line end or gzip."""

import gzip
import itertools
import json

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.abs_range import read_abs
from face3d_data.formats.biwi_text import parse_cal
from face3d_data.formats.bnd import parse_bnd
from face3d_data.formats.cloud_file import cloud_arrays, read_cloud
from face3d_data.formats.delimited import read_header, read_lines
from face3d_data.formats.json_file import read_json
from face3d_data.formats.landmark_lines import read_landmark_lines
from face3d_data.formats.lm2_lm3 import read_lm2, read_lm3
from face3d_data.formats.lock3d_bundle import parse_names
from face3d_data.formats.mesh_file import mesh_has_colors, read_mesh
from face3d_data.formats.pair_lists import read_lfw_pairs
from face3d_data.formats.pixel_depth_text import read_marks
from face3d_data.formats.points_2d import read_points_2d
from face3d_data.formats.text_bytes import decoded, plain_text, read_text, text_head, unmarked

OBJ = "v 0 0 0 1 0 0\nv 100 0 0 0 1 0\nv 0 140 0 0 0 1\nv 50 60 70 1 1 1\n# a face\nf 1 2 \\\n4\nf 1 4 3\n"
OFF = "OFF\n4 2 0\n0 0 0\n100 0 0\n0 140 0\n50 60 70\n3 0 1 3\n3 0 3 2\n"
STL = "solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 9 0 0\nvertex 0 9 1\nendloop\nendfacet\nendsolid\n"
PLY = (
    "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
    "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    "0 0 0\n100 0 0\n0 140 0\n50 60 70\n3 0 1 3\n"
)
PCD = (
    "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 2\nHEIGHT 1\n"
    "VIEWPOINT 0 0 0 1 0 0 0\nPOINTS 2\nDATA ascii\n1 2 3\n4 5 -6.5\n"
)
WRL = (
    "#VRML V2.0 utf8\nShape { geometry IndexedFaceSet {\ncoord Coordinate { point [ 0 0 0, 9 0 0, 0 9 1 ] }\n"
    "coordIndex [ 0, 1, 2, -1 ] } }\n"
)
ABS = "1 rows\n2 columns\npixels (flag X Y Z):\n1 1\n1.5 2\n3 4\n-5 -6\n"
LM3 = "# a\n# b\n2 landmarks:\nNose tip\n1 2 3\nChin middle\n4 5 6\n"
LM2 = "# a\n\n1 landmarks\n\nLabels:\nNose tip\n\n2D Image coordinates:\n1 2\n"
BND = "".join(f"{i}\t{i}.5 0 1\n" for i in range(83))


def mesh_values(path):
    mesh = read_mesh(path)
    colors = None if mesh.colors is None else mesh.colors.tolist()
    return mesh.vertices.tolist(), mesh.triangles.tolist(), colors, mesh_has_colors(path)


def cloud_values(path):
    return read_cloud(path).points.tolist(), cloud_arrays(path)


def list_values(path):
    header, lines = read_lines(path, ["identity"])
    return header, list(lines), read_header(path, ["identity"])


CODECS = {
    "obj": ("a.obj", OBJ, mesh_values),
    "off": ("a.off", OFF, mesh_values),
    "stl": ("a.stl", STL, mesh_values),
    "ply": ("a.ply", PLY, mesh_values),
    "vrml": ("a.wrl", WRL, mesh_values),
    "ply cloud": ("a.ply", PLY, cloud_values),
    "pcd": ("a.pcd", PCD, cloud_values),
    "xyz": ("a.xyz", "1 2 3\n4 5 -6.5\n", cloud_values),
    "csv cloud": ("a.csv", "x,y,z,nx,ny,nz\n1,2,3,0,0,1\n4,5,-6.5,0,1,0\n", cloud_values),
    "abs": ("a.abs", ABS, lambda path: read_abs(path).tolist()),
    "json": ("a.json", '{"nose": [1,\n 2.5, 3], "name": "Zoë"}\n', read_json),
    "lm3": ("a.lm3", LM3, read_lm3),
    "lm2": ("a.lm2", LM2, read_lm2),
    "bnd": ("a.bnd", BND, lambda path: [part.tolist() for part in parse_bnd(path.read_bytes(), path.name)]),
    "landmark lines": ("a.txt", "x:1 y:2\n" * 5, lambda path: read_landmark_lines(path).tolist()),
    "points": ("a.txt", "1 2\n3 4\n5 6.5\n", lambda path: read_points_2d(path, 3).tolist()),
    "marks": ("a.txt", "1 2 3\n4 5 6\n", lambda path: read_marks(path, 3).tolist()),
    "pairs": ("pairs.txt", "Ann_Lee\t1\t2\nAnn_Lee\t1\tBöb\t2\n", read_lfw_pairs),
    "list": ("a.csv", "identity,color\nZoë,a.png\nBen,b.png\n", list_values),
    "cal": ("a.cal", "5 0 3\n0 5 2\n0 0 1\n", lambda path: parse_cal(read_text(path))),
    "names": ("a.name", "Benno,3\nZoë,12\n", lambda path: parse_names(path.read_bytes())),
}
ENDS = ("\r", "\n", "\r\n")
WAYS = {
    "UTF-8 with a mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16 LE with a mark": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "UTF-16 BE with a mark": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "UTF-16 LE": lambda text: text.encode("utf-16-le"),
    "UTF-16 BE": lambda text: text.encode("utf-16-be"),
    "UTF-32 with a mark": lambda text: text.encode("utf-32"),
    "UTF-32 BE": lambda text: text.encode("utf-32-be"),
    "\\r\\n": lambda text: text.replace("\n", "\r\n").encode(),
    "\\r": lambda text: text.replace("\n", "\r").encode(),
    "mixed line ends": lambda text: "".join(map("".join, zip(text.split("\n"), itertools.cycle(ENDS)))).encode(),
    "UTF-16 and \\r\\n": lambda text: text.replace("\n", "\r\n").encode("utf-16"),
}


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_reads_the_same_in_every_encoding_and_with_every_line_end(tmp_path, codec):
    name, text, read = CODECS[codec]
    path = tmp_path / name
    path.write_bytes(text.encode())
    wanted = read(path)
    for way, encode in WAYS.items():
        path.write_bytes(encode(text))
        assert read(path) == wanted, way


@pytest.mark.parametrize("codec", sorted(CODECS.keys() - {"bnd", "names"}))
def test_gzip_round_a_text_is_undone(tmp_path, codec):
    name, text, read = CODECS[codec]
    path = tmp_path / name
    path.write_bytes(text.encode())
    wanted = read(path)
    path.write_bytes(gzip.compress(text.encode("utf-16")))
    assert read(path) == wanted


def test_a_mark_before_a_binary_body_costs_no_byte(tmp_path):
    header = (
        b"ply\nformat binary_little_endian 1.0\nelement vertex 2\nproperty float x\nproperty float y\n"
        b"property float z\nend_header\n"
    )
    body = np.array([[1, 2, 3], [13, 10, -6.5]], "<f4").tobytes()
    path = tmp_path / "a.ply"
    path.write_bytes(b"\xef\xbb\xbf" + header + body)
    assert read_cloud(path).points.tolist() == [[1, 2, 3], [13, 10, -6.5]]
    assert cloud_arrays(path) == ("points",)


def test_binary_stl_is_told_by_its_length_even_where_it_begins_like_a_mark(tmp_path):
    facet = np.zeros(1, np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")]))
    facet["corners"] = [[0, 0, 0], [9, 0, 0], [0, 9, 1]]
    path = tmp_path / "a.stl"
    path.write_bytes(b"\xff\xfe".ljust(80, b"\0") + (1).to_bytes(4, "little") + facet.tobytes())
    assert read_mesh(path).vertices.tolist() == [[0, 0, 0], [9, 0, 0], [0, 9, 1]]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xff\xfev\0 \0\x31", "a: byte 6: is UTF-16, and damaged or truncated: save it as UTF-8"),
        (b"\xfe\xff\xd8\x00\0v", "a: byte 2: is UTF-16, and damaged"),
        (b"\xff\xfe\0\0\xff\xff\xff\xff", "a: byte 4: is UTF-32, and damaged"),
    ],
)
def test_damaged_wide_texts_are_named_with_the_byte(data, said):
    with pytest.raises(Unreadable) as caught:
        plain_text(data, "a")
    assert caught.value.detail.startswith(said)


def test_eight_bit_names_fall_back_where_the_format_allows_names_and_are_refused_elsewhere():
    assert decoded("Zoë".encode("latin-1"), "a", "latin-1") == "Zoë"
    assert decoded("Zoë".encode(), "a", "latin-1") == "Zoë"
    with pytest.raises(Unreadable, match="a: line 2: is not UTF-8 text: save it as UTF-8"):
        decoded(b"Ann\nZo\xeb\n", "a")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_a_head_may_be_cut_inside_a_character(encoding):
    data = "v 1 2 3 # \U0001f600 x\n".encode(encoding)
    for at in range(16, len(data)):
        assert text_head(data[:at], "a")[:3] == b"v 1"


def test_bytes_that_only_look_wide_stay():
    assert unmarked(b"\x93NUMPY\x01\0v\0{", "a") == b"\x93NUMPY\x01\0v\0{"
    assert unmarked(b"a\0b", "a") == b"a\0b"


def test_json_faults_name_the_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xff\xfe{\0x")
    with pytest.raises(ValueError, match=r"a\.json: byte 4: is UTF-16"):
        read_json(path)
    path.write_text(json.dumps([1])[:-1])
    with pytest.raises(ValueError, match=r"a\.json: not valid JSON"):
        read_json(path)
