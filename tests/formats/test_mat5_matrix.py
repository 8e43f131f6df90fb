"""One matrix out of a MATLAB file of level 5."""

import contextlib
import resource
import struct
import zlib

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.mat5_matrix import inspect_mat_matrix, read_mat_matrix

# Typed by hand from "Level 5 MAT-File Format": header, then the variable `d`, double, 3 x 2.
HEADER = b"MATLAB 5.0 MAT-file, typed by hand".ljust(116) + bytes(8) + bytes.fromhex("0001") + b"IM"
VARIABLE = bytes.fromhex(
    "0e000000 60000000"  # miMATRIX, 96 bytes
    "06000000 08000000 06000000 00000000"  # miUINT32, 8 bytes: class 6 (double), no flags
    "05000000 08000000 03000000 02000000"  # miINT32, 8 bytes: 3 rows, 2 columns
    "01000100 64000000"  # miINT8, 1 byte in the tag itself: 'd'
    "09000000 30000000"  # miDOUBLE, 48 bytes, column after column
    "000000000000f03f 0000000000000040 0000000000000840"  # 1 2 3
    "000000000000f0bf 0000000000000000 000000000000e03f"  # -1 0 0.5
)
BIG_ENDIAN = bytes.fromhex(
    "0000000e 00000038"  # miMATRIX, 56 bytes
    "00000006 00000008 00000006 00000000"  # class double
    "00000005 00000008 00000001 00000002"  # 1 x 2
    "00010001 64000000"  # 'd'
    "00020002 ff070000"  # miUINT8, 2 bytes in the tag itself: MATLAB stores whole numbers small
)
WANTED = [[1, -1], [2, 0], [3, 0.5]]


def packed(variable: bytes) -> bytes:
    data = zlib.compress(variable)
    return struct.pack("<II", 15, len(data)) + data


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.mat"


def refused(path, data, shape=(3, 2)) -> Unreadable:
    path.write_bytes(data)
    with pytest.raises(Unreadable) as error:
        read_mat_matrix(path, "d", shape)
    return error.value


def test_a_literal_file_is_read(path):
    path.write_bytes(HEADER + VARIABLE)
    values = read_mat_matrix(path, "d", (3, 2))
    assert (values.dtype, values.tolist()) == (np.dtype("f8"), WANTED)
    inspect_mat_matrix(path, "d", (3, 2))


def test_a_compressed_one_too_and_after_other_variables(path):
    other = VARIABLE.replace(b"\1\0\1\0d", b"\1\0\1\0e")
    complex_one = VARIABLE[:16] + bytes.fromhex("06080000") + VARIABLE[20:]
    path.write_bytes(HEADER + packed(other) + complex_one + other + packed(VARIABLE))
    assert read_mat_matrix(path, "d", (3, 2)).tolist() == WANTED


def test_the_other_byte_order_and_small_elements(path):
    body = BIG_ENDIAN[:4] + struct.pack(">I", len(BIG_ENDIAN) - 8) + BIG_ENDIAN[8:]
    path.write_bytes(HEADER[:124] + b"\1\0MI" + body)
    assert read_mat_matrix(path, "d", (1, 2)).tolist() == [[255, 7]]


@pytest.mark.parametrize(
    ("data", "reason", "said"),
    [
        (b"", "unreadable", "a.mat: the file is empty"),
        (HEADER[:60], "unreadable", "byte 60: the header is truncated"),
        (HEADER[:126] + b"XX", "unreadable", "byte 126: not a MATLAB file of level 5"),
        (HEADER[:124] + b"\0\2IM", "unreadable", "byte 124: version 0x0200"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "unreadable", "7.3 file (HDF5): save it as level 5"),
        (HEADER, "no_matrix", "no variable 'd' (there are: none)"),
        (HEADER + VARIABLE.replace(b"d", b"e"), "no_matrix", "no variable 'd' (there are: e)"),
        (HEADER + VARIABLE[:16] + b"\1" + VARIABLE[17:], "no_matrix", "no variable 'd' (there are: ?)"),
        (HEADER + VARIABLE[:32] + b"\4" + VARIABLE[33:], "no_matrix", "'d' is 4x2, expected 3x2"),
        (HEADER + b"\x0d" + VARIABLE[1:], "unreadable", "byte 128: an element of type 13"),
        (HEADER + VARIABLE[:-1], "unreadable", "byte 128: an element of 96 bytes, and 95 are left"),
        (HEADER + VARIABLE[:52] + b"\x31" + VARIABLE[53:], "unreadable", "byte 48: values of 49 bytes in a variable"),
        (HEADER + VARIABLE[:52] + b"\x28" + VARIABLE[53:], "unreadable", "has 40 bytes of values for 6 of float64"),
        (HEADER + packed(VARIABLE)[:-9] + bytes(9), "unreadable", "byte 128: in the variable there, unpacked byte"),
    ],
)
def test_what_cannot_be_used_is_named(path, data, reason, said):
    error = refused(path, data)
    assert error.reason == reason
    assert error.detail.startswith("a.mat: ")
    assert said in error.detail


@pytest.mark.parametrize("data", [VARIABLE, packed(VARIABLE)], ids=["plain", "compressed"])
def test_a_file_cut_anywhere_is_refused(path, data):
    for at in range(len(HEADER) + len(data)):
        assert refused(path, (HEADER + data)[:at]).reason in ("unreadable", "no_matrix")


@pytest.mark.slow
@pytest.mark.parametrize("data", [VARIABLE, packed(VARIABLE)], ids=["plain", "compressed"])
def test_a_changed_byte_is_refused_or_read(path, data):
    whole = HEADER + data
    for at in range(116, len(whole)):
        for byte in (0, 0x7F, 0xFF, whole[at] ^ 1):
            path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
            with contextlib.suppress(Unreadable):
                inspect_mat_matrix(path, "d", (3, 2))
                assert read_mat_matrix(path, "d", (3, 2)).shape == (3, 2)


def test_a_bomb_is_not_unpacked(path):
    """128 MB of zeros after the matrix, and a matrix that says it has 4 GB."""
    stream = zlib.compressobj(1)
    data = stream.compress(VARIABLE)
    data += b"".join(stream.compress(bytes(1 << 20)) for _ in range(128)) + stream.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "do not end at the expected byte" in refused(path, HEADER + struct.pack("<II", 15, len(data)) + data).detail
    huge = VARIABLE[:32] + struct.pack("<ii", 2**29, 1) + VARIABLE[40:]
    assert refused(path, HEADER + packed(huge)).reason == "no_matrix"
    assert refused(path, HEADER + packed(huge), (2**29, 1)).reason == "unreadable"
    most = 2**29 - 22  # the largest number of doubles that the sizes of 32 bits can say
    said = VARIABLE[:4] + struct.pack("<I", 2**32 - 100) + VARIABLE[8:32] + struct.pack("<ii", most, 1)
    said += VARIABLE[40:52] + struct.pack("<I", 8 * most) + VARIABLE[56:]
    assert "is truncated: 104 of" in refused(path, HEADER + packed(said), (most, 1)).detail
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 << 10
