"""Depth in .npy files."""

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.npy import inspect_depth_npy, read_depth_npy

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


def test_negative_values_are_no_reading(path):
    np.save(path, np.array([[-1, 5]], np.int16))
    assert read_depth_npy(path).tolist() == [[0, 5]]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.full((2, 2), np.nan), "unreadable"),
        (np.array([[1.0, np.inf]]), "unreadable"),
        (np.array([[1.0, -np.inf, np.nan]]), "unreadable"),
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
