"""Range images in NumPy files."""

import contextlib

import numpy as np
import pytest

from face3d_data.errors import Unreadable
from face3d_data.formats.npy_grid import inspect_grid_npy, read_grid_npy

# Typed by hand from the description of the format (numpy.lib.format): one row of two pixels, the second with a NaN.
LITERAL = (
    b"\x93NUMPY\x01\x00"  # magic, version 1.0
    b"\x76\x00"  # 118 bytes of header follow, so that data begin at 128
    + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }".ljust(117)
    + b"\n"
    + bytes.fromhex("0000803f 00000040 000040c0")  # 1.0 2.0 -3.0
    + bytes.fromhex("0000c07f 00000040 00004040")  # NaN 2.0 3.0
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.npy"


def test_a_literal_grid_is_read(path):
    path.write_bytes(LITERAL)
    assert inspect_grid_npy(path) == (1, 2)
    grid = read_grid_npy(path)
    assert grid.dtype == np.float32
    assert grid[0, 0].tolist() == [1, 2, -3]
    assert np.isnan(grid[0, 1]).all()


@pytest.mark.parametrize("values", [np.asfortranarray(np.arange(24.0).reshape(2, 4, 3)), np.ones((2, 4, 3), ">f8")])
def test_other_orders_and_precisions_are_read(path, values):
    np.save(path, values)
    assert np.array_equal(read_grid_npy(path), values.astype(np.float32))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.zeros((4, 3), np.float32), "expected (H, W, 3)"),
        (np.zeros((4, 4, 2), np.float32), "expected (H, W, 3)"),
        (np.zeros((0, 4, 3), np.float32), "expected (H, W, 3)"),
        (np.zeros((4, 4, 3), np.int32), "expected floats"),
        (np.full((4, 4, 3), np.nan, np.float32), "contains no finite points"),
    ],
)
def test_other_arrays_are_refused(path, values, said):
    np.save(path, values)
    with pytest.raises(Unreadable) as error:
        read_grid_npy(path)
    assert said in error.value.detail


def test_a_file_cut_anywhere_is_refused(path):
    for at in range(len(LITERAL)):
        path.write_bytes(LITERAL[:at])
        for read in (inspect_grid_npy, read_grid_npy):
            with pytest.raises(Unreadable, match=r"unreadable: a\.npy"):
                read(path)


@pytest.mark.slow
def test_a_changed_byte_is_refused_or_read(path):
    shapes = set()
    for at in range(len(LITERAL)):
        for byte in (0, 0x39, 0xFF):
            path.write_bytes(LITERAL[:at] + bytes([byte]) + LITERAL[at + 1 :])
            with contextlib.suppress(Unreadable):
                inspect_grid_npy(path)
                shapes.add(read_grid_npy(path).shape)
    assert shapes == {(1, 2, 3)}


@pytest.mark.parametrize(
    "shape", ["(99999, 9999, 3)", "(9, 99999999, 3)", "(-1, 2, 3)", "(1, 2, 3, 0)", "(True, 2, 3)"]
)
def test_absurd_sizes_are_refused_before_memory_is_asked_for(path, shape):
    header = LITERAL[10:128].replace(b"(1, 2, 3)", shape.encode()).rstrip().ljust(117) + b"\n"
    path.write_bytes(LITERAL[:10] + header + LITERAL[128:])
    with pytest.raises(Unreadable, match=r"truncated|expected \(H, W, 3\)"):
        read_grid_npy(path)


def test_holes_that_are_written_as_zeros_become_no_points_at_the_camera(path):
    values = np.ones((2, 3, 3), np.float32)
    values[0, 1] = 0
    values[1, 2] = [0, 0, 5]
    np.save(path, values)
    grid = read_grid_npy(path)
    assert np.isnan(grid[0, 1]).all()
    assert grid[1, 2].tolist() == [0, 0, 5]
    assert np.isfinite(grid).all(axis=2).sum() == 5
