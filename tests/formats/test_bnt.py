"""`.bnt`: a file typed by hand, a file read value by value, and every place at which one can be cut or wrong."""

import struct

import numpy as np
import pytest
from write_bosphorus import write_bnt

from face3d_data.errors import Unreadable
from face3d_data.formats.bnt import read_bnt, read_bnt_header, read_bnt_texture

BY_HAND = bytes.fromhex(
    "0200"  # uint16: 2 rows
    "0100"  # uint16: 1 column
    "0000000065cdcdc1"  # float64: the background value, -1000000000.0 = -1.862645149230957 x 2**29
    "0500"  # uint16: 5 bytes of the picture's name
    "612e706e67"  # "a.png"
    "0a000000"  # uint32: 10 values = 5 x 2 x 1
    "000000000000f03f"  # x of the lower row: 1.0
    "0000000000000040"  # x of the upper row: 2.0
    "0000000000000840"  # y: 3.0
    "0000000000001040"  # 4.0
    "0000000000001440"  # z: 5.0
    "00000000000018c0"  # -6.0
    "000000000000e03f"  # u: 0.5
    "000000000000d03f"  # 0.25
    "0000000000000000"  # v: 0.0
    "000000000000f03f"  # 1.0
)
FIELDS = {0: "rows", 2: "columns", 4: "background", 12: "length", 14: "name", 19: "count", 23: "x", 39: "y", 55: "z"}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.bnt"
    path.write_bytes(BY_HAND)
    return path


def scan(rows=7, columns=5, seed=0):
    rng = np.random.default_rng(seed)
    points = rng.normal(0, 60, (rows, columns, 3))
    points[rng.random((rows, columns)) < 0.3] = np.nan
    return points, rng.random((rows, columns, 2))


def value_by_value(path):
    """The file read as public code does it, one `struct.unpack` a value: points, top row first."""
    with open(path, "rb") as stream:
        rows, columns = (struct.unpack("<H", stream.read(2))[0] for _ in range(2))
        background = struct.unpack("<d", stream.read(8))[0]
        stream.read(struct.unpack("<H", stream.read(2))[0])
        stream.read(4)
        planes = [
            [[struct.unpack("<d", stream.read(8))[0] for _ in range(columns)] for _ in range(rows)] for _ in "xyz"
        ]
    points = np.full((rows, columns, 3), np.nan, np.float32)
    for row in range(rows):
        for column in range(columns):
            x, y, z = (plane[rows - 1 - row][column] for plane in planes)
            if z != background:
                points[row, column] = x, -y, -z
    return points


def refused(path, read=read_bnt):
    with pytest.raises(Unreadable) as caught:
        read(path)
    assert path.name in caught.value.detail
    return caught.value


def test_the_file_typed_by_hand_is_read_in_the_camera_frame_upper_row_first(file):
    assert read_bnt(file).tolist() == [[[2, -4, 6]], [[1, -3, -5]]]
    assert read_bnt_texture(file).tolist() == [[[0.25, 1.0]], [[0.5, 0.0]]]
    header = read_bnt_header(file)
    assert (header.rows, header.columns, header.background) == (2, 1, -1e9)
    assert (header.picture, header.start) == ("a.png", 23)


@pytest.mark.parametrize("at", [0, *FIELDS, 71, 87, len(BY_HAND) - 1])
def test_a_file_cut_at_any_field_is_refused_with_the_byte(file, at):
    file.write_bytes(BY_HAND[:at])
    for read in (read_bnt, read_bnt_texture, read_bnt_header):
        error = refused(file, read)
        assert error.reason == "unreadable"
        assert f"byte {at}:" in error.detail or (at == 0 and "empty" in error.detail)


@pytest.mark.parametrize(
    ("at", "new", "said"),
    [
        (0, "ffff", "byte 19: says 10 values, but 5 times 65535 rows of 1 columns"),
        (0, "0000", "byte 0: 0 rows"),
        (2, "0000", "byte 0: 2 rows of 0 columns"),
        (4, "000000000000f87f", "byte 4: the background value is nan"),
        (12, "ffff", "byte 103: the file is truncated before byte 65553"),
        (19, "ffffffff", "byte 19: says 4294967295 values"),
        (23, "000000000000f07f", "byte 23: inf is not a coordinate in mm"),
        (47, "ffffffffffffef7f", "byte 47: 1.79769e+308 is not a coordinate"),
        (55, "000000000000f87f", "byte 55: nan is not a coordinate"),
    ],
)
def test_absurd_values_are_refused_with_the_byte(file, at, new, said):
    new = bytes.fromhex(new)
    file.write_bytes(BY_HAND[:at] + new + BY_HAND[at + len(new) :])
    assert said in refused(file).detail


def test_absurd_sizes_that_agree_with_each_other_ask_for_no_memory(file):
    file.write_bytes(struct.pack("<HHdH", 65535, 13107, -1e9, 0) + struct.pack("<I", 4294836225))
    assert "byte 18: the file is truncated before byte 34358689818" in refused(file).detail


def test_a_texture_coordinate_outside_the_picture_is_refused_and_one_on_its_edge_is_not(file):
    file.write_bytes(BY_HAND[:95] + struct.pack("<d", 1.5))
    assert "byte 95: 1.5 is not a texture coordinate in 0..1" in refused(file, read_bnt_texture).detail
    file.write_bytes(BY_HAND[:95] + struct.pack("<d", 1.0000001))
    assert read_bnt_texture(file)[0, 0, 1] == 1.0000001


def test_a_point_is_background_where_one_of_its_values_is(file):
    file.write_bytes(BY_HAND[:55] + struct.pack("<d", -1e9) + BY_HAND[63:])
    assert np.isnan(read_bnt(file)[1]).all()
    assert np.isfinite(read_bnt(file)[0]).all()
    assert np.isnan(read_bnt_texture(file)[1]).all()


def test_a_background_value_that_could_be_a_coordinate_is_no_point(tmp_path):
    path = tmp_path / "zero.bnt"
    planes = np.array([[0.0, 1], [0, 2], [0, 3], [0, 0.5], [0, 0.5]])
    path.write_bytes(struct.pack("<HHdHI", 1, 2, 0.0, 0, 10)[:14] + struct.pack("<I", 10) + planes.tobytes())
    assert read_bnt(path)[0, 1].tolist() == [1, -2, -3]
    assert np.isnan(read_bnt(path)[0, 0]).all()


def test_all_background_has_its_own_reason(tmp_path):
    write_bnt(tmp_path / "a.bnt", np.full((3, 4, 3), np.nan), np.zeros((3, 4, 2)), "a.png")
    error = refused(tmp_path / "a.bnt")
    assert (error.reason, error.detail) == ("no_points", "a.bnt: all 12 points are background")


@pytest.mark.parametrize("picture", ["", "bs000_N_N_0.png", "x" * 5000])
def test_what_is_written_is_read_exactly_and_as_value_by_value(tmp_path, picture):
    points, texture = scan()
    path = tmp_path / "a.bnt"
    write_bnt(path, points, texture, picture)
    got = read_bnt(path)
    assert got.dtype == np.float32
    assert np.array_equal(got, (points * [1, -1, -1]).astype(np.float32), equal_nan=True)
    assert np.array_equal(got, value_by_value(path), equal_nan=True)
    texture[np.isnan(points[..., 0])] = np.nan
    assert np.array_equal(read_bnt_texture(path), texture, equal_nan=True)
    assert read_bnt_header(path).picture == picture


def test_a_name_that_is_no_text_does_no_harm(file):
    file.write_bytes(BY_HAND.replace(b"a.png", b"\xff.png"))
    assert read_bnt_header(file).picture == "\\xff.png"
    assert len(read_bnt(file)) == 2


@pytest.mark.slow
def test_flipped_bytes_give_points_or_a_reason(tmp_path):
    points, texture = scan()
    path = tmp_path / "a.bnt"
    write_bnt(path, points, texture, "a.png")
    data = path.read_bytes()
    rng = np.random.default_rng(1)
    outcomes = set()
    for _ in range(400):
        changed = bytearray(data)
        at = rng.integers(0, 40 if rng.random() < 0.5 else len(data))
        changed[at] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        for read in (read_bnt, read_bnt_texture):
            try:
                got = read(path)
            except Unreadable as error:
                outcomes.add(error.reason)
            else:
                outcomes.add("read")
                assert np.isfinite(got).any()
                assert not np.isinf(got).any()
    assert outcomes <= {"read", "unreadable", "no_points"}
    assert {"read", "unreadable"} <= outcomes
