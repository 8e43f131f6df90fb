"""Depth in .npy files."""

from contextlib import suppress

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.npy import inspect_depth_npy, read_depth_npy
from face3d_data.remarks import remarks_into

# NumPy's format 1.0, byte by byte: magic, version, header length 118, header, then 1.5 and NaN as f4 little-endian.
HEADER = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }"
NPY = b"\x93NUMPY\x01\x00\x76\x00" + HEADER.ljust(117) + b"\n" + bytes.fromhex("0000c03f0000c07f")


def reason(call, *args) -> str:
    with pytest.raises(Unreadable) as caught:
        call(*args)
    return caught.value.reason


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.npy"


def test_the_bytes_are_read_and_nan_is_no_reading(path):
    path.write_bytes(NPY)
    depth = read_depth_npy(path)
    assert (depth.dtype, depth.tolist()) == (np.float32, [[1.5, 0.0]])
    assert inspect_depth_npy(path) == (1, 2)


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4", "<f2", ">f4", "<f8"])
@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 1)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_number_type_and_layout_is_read(path, dtype, shape, order):
    np.save(path, np.asarray(np.arange(12).reshape(shape), dtype, order=order))
    assert read_depth_npy(path).tolist() == np.arange(12.0).reshape(3, 4).tolist()
    assert inspect_depth_npy(path) == (3, 4)


@pytest.mark.parametrize(
    ("values", "infinite"), [([1.5, np.inf, 2, np.nan], 1), ([np.inf, 1.5, -np.inf, 0.5], 2), ([1.5, np.nan, 1, 1], 0)]
)
def test_infinities_are_no_reading_and_remarked(path, values, infinite):
    np.save(path, np.array([values], np.float32))
    with remarks_into(heard := []):
        depth = read_depth_npy(path)
    assert depth.tolist() == [[value if np.isfinite(value) else 0 for value in values]]
    assert heard == ([f"a.npy: {infinite} of 4 readings are infinite: they become missing"] if infinite else [])


def test_negative_values_are_no_reading(path):
    np.save(path, np.array([[-1, 5]], np.int16))
    assert read_depth_npy(path).tolist() == [[0, 5]]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.full((2, 2), np.nan), "unreadable"),
        (np.array([[np.inf, -np.inf, np.nan]]), "unreadable"),
        (np.array([[1.0, np.inf, 1e300]]), "unreadable"),
        (np.array([[1e300]]), "unreadable"),
        (np.zeros((2, 2), np.uint8), "depth_8bit"),
        (np.zeros((2, 2), bool), "unreadable"),
        (np.zeros((2, 2), complex), "unreadable"),
        (np.zeros(4), "unreadable"),
        (np.zeros((2, 2, 3)), "unreadable"),
        (np.zeros((0, 2)), "unreadable"),
        (np.array([["a"]]), "unreadable"),
        (np.array([[{"a": 1}]], object), "unreadable"),
    ],
)
def test_what_is_no_depth_is_refused(path, values, wanted):
    np.save(path, values, allow_pickle=True)
    assert reason(read_depth_npy, path) == wanted


def test_a_cut_file_is_unreadable_wherever_it_is_cut(path):
    for cut in range(len(NPY)):
        path.write_bytes(NPY[:cut])
        assert reason(read_depth_npy, path) == reason(inspect_depth_npy, path) == "unreadable", cut


def test_missing_files_are_errors_and_other_content_is_unreadable(path):
    for read in (read_depth_npy, inspect_depth_npy):
        with pytest.raises(FileNotFoundError):
            read(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" * 20)
    assert reason(read_depth_npy, path) == reason(inspect_depth_npy, path) == "unreadable"


def with_header(header: bytes) -> bytes:
    return NPY[:10] + header.ljust(117) + b"\n" + NPY[-8:]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid escape sequence")
@pytest.mark.filterwarnings("ignore:Reading `.npy`")
def test_any_changed_byte_of_the_header_is_read_or_unreadable(path):
    for at in range(10 + len(HEADER) + 1):
        for byte in b" }({'\"\\\x00\xff9-\n#L":
            path.write_bytes(NPY[:at] + bytes([byte]) + NPY[at + 1 :])
            for read in (inspect_depth_npy, read_depth_npy):
                with suppress(Unreadable):
                    read(path)


@pytest.mark.parametrize(
    "shape",
    [
        "(True, 2)",
        "(-1, 2)",
        "(-1, -2)",
        "(1099511627776, 1099511627776)",
        "(9223372036854775808, 2)",
        f"({'9' * 80}, 1)",
        "(1.0, 2)",
        "([], 2)",
        "2",
    ],
)
def test_a_shape_that_no_file_has_is_unreadable(path, shape):
    path.write_bytes(with_header(HEADER.replace(b"(1, 2)", shape.encode())))
    assert reason(inspect_depth_npy, path) == reason(read_depth_npy, path) == "unreadable"


@pytest.mark.parametrize("descr", ["()", "[()]", "{}", "'|O'", "'<f4,<f4'", "('<f4', (2,))", "None", "'\\ud800'"])
def test_a_type_that_is_no_number_is_unreadable(path, descr):
    path.write_bytes(with_header(HEADER.replace(b"'<f4'", descr.encode())))
    assert reason(inspect_depth_npy, path) == reason(read_depth_npy, path) == "unreadable"


def test_brackets_without_end_and_headers_longer_than_the_file_are_unreadable(path):
    deep = b"(" * 9000
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(deep).to_bytes(2, "little") + deep)
    assert reason(inspect_depth_npy, path) == "unreadable"
    path.write_bytes(b"\x93NUMPY\x02\x00" + b"\xff" * 4 + NPY[10:])
    assert reason(inspect_depth_npy, path) == "unreadable"
    path.write_bytes(b"\x93NUMPY\x09\x09" + NPY[8:])
    assert reason(inspect_depth_npy, path) == reason(read_depth_npy, path) == "unreadable"
