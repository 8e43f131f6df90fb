"""PCD in its three bodies, and LZF."""

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from write_clouds import lzf_literals, write_pcd

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud_file import cloud_arrays, read_cloud
from face3d_data.formats.lzf import unpack_lzf
from face3d_data.formats.pcd import parse_pcd, parse_pcd_header
from face3d_data.remarks import remarks_into

HEADER = b"""# .PCD v0.7
VERSION 0.7
FIELDS x y z rgb
SIZE 4 4 4 4
TYPE F F F U
COUNT 1 1 1 1
WIDTH 2
HEIGHT 1
VIEWPOINT 0 0 0 1 0 0 0
POINTS 2
DATA binary
"""
# Typed by hand: two points, a row each.
BINARY = HEADER + bytes.fromhex(
    "0000803f 00000040 000040c0 33221100"  # 1 2 -3, colour 0x00112233
    "00000000 0000003f 00008040 ff000000"  # 0 0.5 4, colour 0x000000ff
)
# The same by fields, as compressed files hold them: x x y y z z rgb rgb, 32 bytes.
COLUMNS = bytes.fromhex("0000803f 00000000 00000040 0000003f 000040c0 00008040 33221100 ff000000")
PACKED = (
    bytes.fromhex(
        "03 0000803f"  # 4 bytes as they are: 00 00 80 3f
        "00 00"  # one zero
        "20 00"  # 3 bytes, 1 back: three zeros more, which the copy itself writes
        "17"  # 24 bytes as they are
    )
    + COLUMNS[8:]
)
COMPRESSED = HEADER.replace(b"binary", b"binary_compressed") + struct.pack("<II", len(PACKED), 32) + PACKED
TEXT = HEADER.replace(b"binary", b"ascii") + b"1 2 -3 1122867\n0 0.5 4 255\n"


@pytest.mark.parametrize("data", [BINARY, COMPRESSED, TEXT], ids=["binary", "compressed", "text"])
def test_bytes_typed_by_hand_are_read(data):
    cloud = parse_pcd(data, "a.pcd")
    assert cloud.points.tolist() == [[1, 2, -3], [0, 0.5, 4]]
    assert cloud.colors.tolist() == [[0x11, 0x22, 0x33], [0, 0, 255]]
    assert cloud.normals is None


def test_a_colour_written_as_a_float_is_its_bytes():
    value = struct.unpack("<f", struct.pack("<I", 0x112233))[0]
    data = TEXT.replace(b"TYPE F F F U", b"TYPE F F F F").replace(b"1122867", repr(value).encode())
    assert parse_pcd(data.replace(b" 255\n", b" 0\n"), "a.pcd").colors.tolist() == [[0x11, 0x22, 0x33], [0, 0, 0]]


def test_colours_of_text_with_a_sign_are_their_bytes_and_others_cost_only_themselves():
    data = TEXT.replace(b"TYPE F F F U", b"TYPE F F F I")
    signed = (0xFF112233 - 2**32, 0x112233)
    for value in signed:
        assert parse_pcd(data.replace(b"1122867", b"%d" % value), "a.pcd").colors.tolist() == [
            [17, 34, 51],
            [0, 0, 255],
        ]
    heard = []
    for value in (b"4294967296", b"-2147483649", b"nan"):
        with remarks_into(heard):
            assert parse_pcd(data.replace(b"1122867", value), "a.pcd").colors.tolist() == [[0, 0, 0], [0, 0, 255]]
    assert heard == ["a.pcd: 1 of 2 packed colours do not have four bytes: they become black"]


def test_colours_of_eight_bytes_are_neither_promised_nor_given(tmp_path):
    header = HEADER.replace(b"SIZE 4 4 4 4", b"SIZE 4 4 4 8").replace(b"TYPE F F F U", b"TYPE F F F F")
    (tmp_path / "a.pcd").write_bytes(header + struct.pack("<3fd", 1, 2, 3, 9) + struct.pack("<3fd", 4, 5, 6, 9))
    heard = []
    with remarks_into(heard):
        cloud = read_cloud(tmp_path / "a.pcd")
    assert cloud_arrays(tmp_path / "a.pcd") == ("points",)
    assert cloud.points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert cloud.colors is None
    assert heard == ["a.pcd: rgb does not have four bytes: colours are ignored"]


@pytest.mark.parametrize("body", ["ascii", "binary", "binary_compressed"])
@pytest.mark.parametrize("pad", [False, True])
def test_the_writers_values_are_read_exactly(tmp_path, body, pad):
    rng = np.random.default_rng(1)
    points = rng.normal(0, 50, (200, 3)).astype(np.float32)
    points[:20, 2] = 0
    normals = rng.normal(size=(200, 3)).astype(np.float32)
    colors = rng.integers(0, 256, (200, 3)).astype(np.uint8)
    write_pcd(tmp_path / "a.pcd", points, normals, colors, body, pad)
    data = (tmp_path / "a.pcd").read_bytes()
    cloud = parse_pcd(data, "a.pcd")
    assert np.array_equal(cloud.points.astype(np.float32), points)
    assert np.array_equal(cloud.colors, colors)
    np.testing.assert_allclose(cloud.normals, normals / np.linalg.norm(normals, axis=1, keepdims=True), rtol=1e-5)
    assert {"x", "normal_x", "r"} <= set(parse_pcd_header(data, "a.pcd").columns)


def test_open3d_writes_what_is_read(tmp_path):
    from face3d_data.errors import MissingDependency
    from face3d_data.geometry.open3d_lazy import open3d

    try:
        o3d = open3d()
    except MissingDependency:
        pytest.skip("Open3D is not installed")
    points = np.random.default_rng(0).normal(size=(500, 3)).round(2)
    made = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    for name, options in (("a", {"write_ascii": True}), ("b", {}), ("c", {"compressed": True})):
        assert o3d.io.write_point_cloud(str(tmp_path / f"{name}.pcd"), made, **options)
        cloud = parse_pcd((tmp_path / f"{name}.pcd").read_bytes(), "a.pcd")
        np.testing.assert_allclose(cloud.points, points, atol=1e-7)


def test_what_was_not_seen_is_left_out():
    data = TEXT.replace(b"0 0.5 4 255", b"nan nan nan 0")
    assert parse_pcd(data, "a.pcd").points.tolist() == [[1, 2, -3]]


@pytest.mark.parametrize("data", [BINARY, COMPRESSED, TEXT], ids=["binary", "compressed", "text"])
def test_cut_off_anywhere_is_told_with_its_place(data):
    whole = len(data) - (4 if data is TEXT else 0)
    for at in range(whole):
        with pytest.raises(Unreadable, match=r"^unreadable: a\.pcd: (line|byte) \d+: "):
            parse_pcd(data[:at], "a.pcd")


@pytest.mark.parametrize(
    ("data", "old", "new", "said"),
    [
        (BINARY, b"POINTS 2", b"POINTS 400000000", "32 of 6400000000 bytes follow"),
        (BINARY, b"POINTS 2", b"POINTS -2", "POINTS: expected one whole number"),
        (BINARY, b"SIZE 4 4 4 4", b"SIZE 4 4 4 3", "field 'rgb': there is no type U of 3 bytes"),
        (BINARY, b"SIZE 4 4 4 4", b"SIZE 4 4 4", "do not match"),
        (BINARY, b"COUNT 1 1 1 1", b"COUNT 1 1 1 99999", "COUNT 99999"),
        (BINARY, b"FIELDS x y z rgb", b"FIELDS x y w rgb", "FIELDS has no x, y or z"),
        (BINARY, b"FIELDS x y z rgb", b"FIELDS x y z x", "or one of them twice"),
        (BINARY, b"DATA binary", b"DATA sideways", "line 11: DATA sideways is not supported"),
        (BINARY, b"VERSION", b"REVISION", "no header from VERSION to DATA"),
        (TEXT, b"1 2 -3 1122867", b"1 2 -3", "line 12: 3 numbers, expected 4"),
        (TEXT, b"1 2 -3 1122867", b"1 2 -3 x", "line 12: 'x' is not a number"),
        (TEXT, b"POINTS 2", b"POINTS 3", "2 of 3 points"),
        (COMPRESSED, b"\x20\x00\x17", b"\x20\xff\x17", "it points before the beginning"),
        (COMPRESSED, b"\x20\x00\x17", b"\x40\x00\x17", "it unpacks to 33 bytes, expected 32"),
        (COMPRESSED, struct.pack("<I", 32), struct.pack("<I", 2**31), "but its points take 32"),
        (COMPRESSED, struct.pack("<I", len(PACKED)), struct.pack("<I", 2**31), "of 2147483648 bytes follow"),
    ],
)
def test_damage_is_named(data, old, new, said):
    assert old in data
    with pytest.raises(Unreadable, match=said):
        parse_pcd(data.replace(old, new, 1), "a.pcd")


@pytest.mark.slow
@given(st.binary(max_size=400), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_lzf_unpacks_what_was_packed(data, repeats):
    data = data + bytes(repeats) + data
    assert unpack_lzf(lzf_literals(data), len(data)) == data


def test_lzf_copies_what_it_has_just_written():
    # "ab", then 9 bytes from 2 back, the length in a byte of its own.
    assert unpack_lzf(b"\x01ab" + bytes([7 << 5, 0, 1]), 11) == b"abababababa"


@given(st.binary(max_size=60), st.integers(0, 200))
@settings(max_examples=200, deadline=None)
def test_no_bytes_do_harm_to_lzf(data, size):
    with contextlib.suppress(ValueError):
        assert len(unpack_lzf(data, size)) == size
