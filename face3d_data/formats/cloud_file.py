"""The choice of codec by the ending of a cloud's file, and what a file holds as far as its beginning shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.array_file import read_npy_table, read_npz_table
from face3d_data.formats.bc import BC_SUFFIXES, bc_columns, parse_bc
from face3d_data.formats.cloud import JUDGED_ROWS, Cloud, arrays_of, cloud_of_table, judge_columns
from face3d_data.formats.image import read_bytes
from face3d_data.formats.pcd import parse_pcd, parse_pcd_header
from face3d_data.formats.ply import parse_header, parse_ply_cloud
from face3d_data.formats.xyz import parse_xyz, xyz_columns

TEXT_SUFFIXES: tuple[str, ...] = (".xyz", ".txt", ".csv", ".pts", ".asc")
CLOUD_SUFFIXES: tuple[str, ...] = (".ply", ".pcd", *TEXT_SUFFIXES, ".npy", ".npz", *BC_SUFFIXES)
HEAD_BYTES = 1 << 16


def read_cloud(path: Path, columns: Sequence[str] | None = None, key: str | None = None) -> Cloud:
    """Return the cloud in a file of one of `CLOUD_SUFFIXES`.

    Args:
        path: the file; its ending names the codec.
        columns: what the columns of texts and arrays are, of `COLUMN_NAMES`; None: found by `judge_columns`.
        key: the array of a `.npz` file; None: the usual ones.

    Raises:
        Unreadable: `unreadable`, with the line or the byte; `unknown_columns`; `no_key`.
        OSError: the file is gone or cannot be read.
    """
    # Damaged bytes make any number: what comes of it is checked, and nobody is to be warned of it.
    with np.errstate(all="ignore"):
        return _read(read_bytes(path), path.name, path.suffix.lower(), columns, key)


def _read(data: bytes, name: str, suffix: str, columns: Sequence[str] | None, key: str | None) -> Cloud:
    if suffix == ".ply":
        return parse_ply_cloud(data, name)
    if suffix == ".pcd":
        return parse_pcd(data, name)
    if suffix in BC_SUFFIXES:
        return parse_bc(data, name, suffix)
    if suffix in (".npy", ".npz"):
        table = read_npz_table(data, name, key) if suffix == ".npz" else read_npy_table(data, name)
        return cloud_of_table(table, columns or judge_columns(table[:JUDGED_ROWS], name), name)
    return parse_xyz(data, name, columns)


def cloud_arrays(path: Path, columns: Sequence[str] | None = None, key: str | None = None) -> tuple[str, ...]:
    """Return which of points, normals, colors and curvature `read_cloud` will give, from the beginning of a file.

    Args:
        path: the file.
        columns: as for `read_cloud`.
        key: as for `read_cloud`.

    Returns:
        Names; points alone where the file cannot be read: `read_cloud` says what is wrong with it.
    """
    suffix = path.suffix.lower()
    if suffix in BC_SUFFIXES:
        return arrays_of(bc_columns(suffix))
    if columns and suffix not in (".ply", ".pcd"):
        return arrays_of(columns)
    try:
        with np.errstate(all="ignore"):
            return arrays_of(_columns(path, suffix, key))
    except (Unreadable, OSError):
        return ("points",)


def _columns(path: Path, suffix: str, key: str | None) -> Sequence[str]:
    with open(path, "rb") as stream:
        # Arrays that are stored by columns have their first rows all over the file.
        head = stream.read() if suffix in (".npz", ".npy") else stream.read(HEAD_BYTES)
    if suffix == ".ply":
        vertex = [element for element in parse_header(head, path.name).elements if element.name == "vertex"]
        return [prop.name for element in vertex for prop in element.properties if not prop.count]
    if suffix == ".pcd":
        return parse_pcd_header(head, path.name).columns
    if suffix == ".npz":
        return judge_columns(read_npz_table(head, path.name, key, JUDGED_ROWS)[:JUDGED_ROWS], path.name)
    if suffix == ".npy":
        return judge_columns(read_npy_table(head, path.name, JUDGED_ROWS)[:JUDGED_ROWS], path.name)
    return xyz_columns(head, path.name)
