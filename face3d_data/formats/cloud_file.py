"""Cloud files: the codec for an ending, and the content of a file as far as its start shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.array_file import read_npy_table, read_npz_table, record_columns
from face3d_data.formats.bc import BC_SUFFIXES, bc_columns, parse_bc
from face3d_data.formats.cloud import (
    JUDGED_ROWS,
    Cloud,
    arrays_of,
    arrays_seen,
    cloud_of_columns,
    cloud_of_table,
    judge_columns,
)
from face3d_data.formats.cost import check_points, check_text, check_text_bytes
from face3d_data.formats.image import read_bytes
from face3d_data.formats.mesh_file import mesh_has_colors
from face3d_data.formats.obj import parse_obj
from face3d_data.formats.packed import inner_name, unpack, with_packed
from face3d_data.formats.pcd import parse_pcd, pcd_begin
from face3d_data.formats.ply import parse_ply_cloud, ply_begin
from face3d_data.formats.text_bytes import read_head
from face3d_data.formats.xyz import parse_xyz, xyz_columns
from face3d_data.remarks import remark

TEXT_SUFFIXES: tuple[str, ...] = (".xyz", ".txt", ".csv", ".pts", ".asc")
ARRAY_SUFFIXES: tuple[str, ...] = (".npy", ".npz")
CLOUD_SUFFIXES: tuple[str, ...] = (
    *with_packed((".ply", ".pcd", *TEXT_SUFFIXES)),
    *ARRAY_SUFFIXES,
    *BC_SUFFIXES,
    *with_packed((".obj",)),
)
"""Endings, the surest first: of a capture that has several, a mesh's comes last."""
HEAD_BYTES = 1 << 16


def read_cloud(path: str | Path, columns: Sequence[str] | None = None, key: str | None = None) -> Cloud:
    """Return the cloud in a file of one of `CLOUD_SUFFIXES`; of an OBJ its vertices.

    Args:
        path: the file; its ending names the codec.
        columns: what the columns of texts and arrays are, of `COLUMN_NAMES`; None: as the file names them, or else
            found by `judge_columns`.
        key: the array of a `.npz` file; None: the usual ones.

    Raises:
        Unreadable: `unreadable`, with the line or the byte; `unknown_columns`; `no_key`.
        OSError: the file is gone or cannot be read.
    """
    path = Path(path)
    # Damaged bytes make any number: what comes of it is checked, and nobody is to be warned of it.
    with np.errstate(all="ignore"):
        cloud = _read(read_bytes(path), path.name, _suffix(path), columns, key)
    check_points(len(cloud.points), path.name)  # texts declare no number: this is the first that is known
    return cloud


def _read(data: bytes, name: str, suffix: str, columns: Sequence[str] | None, key: str | None) -> Cloud:
    if suffix in ARRAY_SUFFIXES:
        return _array_cloud(_array(data, name, suffix, key), columns, name)
    if suffix in BC_SUFFIXES:
        return parse_bc(data, name, suffix)
    data = unpack(data, name)
    check_text(data, name)
    if suffix not in (".ply", ".pcd"):
        check_text_bytes(len(data), name)
    return _parse(data, name, suffix, columns)


def _suffix(path: Path) -> str:
    return Path(inner_name(path.name)).suffix.lower()


def _parse(data: bytes, name: str, suffix: str, columns: Sequence[str] | None) -> Cloud:
    if suffix == ".ply":
        return parse_ply_cloud(data, name)
    if suffix == ".pcd":
        return parse_pcd(data, name)
    if suffix != ".obj":
        return parse_xyz(data, name, columns)
    mesh = parse_obj(data, name)
    parts = {axis: mesh.vertices[:, i] for i, axis in enumerate("xyz")}
    if mesh.colors is not None:
        parts |= {axis: mesh.colors[:, i] for i, axis in enumerate("rgb")}
    return cloud_of_columns(parts, name)


def _array(data: bytes, name: str, suffix: str, key: str | None, most_rows: int | None = None) -> np.ndarray:
    if suffix == ".npz":
        return read_npz_table(data, name, key, most_rows)
    return read_npy_table(data, name, most_rows)


def _array_cloud(table: np.ndarray, columns: Sequence[str] | None, name: str) -> Cloud:
    """Return the cloud of a table (N, k), or of records (N,) whose fields have names."""
    if table.dtype.names is None:
        return cloud_of_table(table, columns or judge_columns(table[:JUDGED_ROWS], name), name)
    named, unknown = record_columns(table, name)
    if columns:
        return cloud_of_table(np.stack(list(named.values()), axis=1), columns, name)
    _remark_unknown(unknown, name)
    return cloud_of_columns(named, name)


def _remark_unknown(unknown: Sequence[str], name: str) -> None:
    if unknown:
        remark(f"{name}: unknown columns are ignored: {', '.join(unknown)[:100]}")


def cloud_arrays(path: str | Path, columns: Sequence[str] | None = None, key: str | None = None) -> tuple[str, ...]:
    """Return which of points, normals, colors and curvature `read_cloud` will give, from the beginning of a file.

    Args:
        path: the file.
        columns: as for `read_cloud`.
        key: as for `read_cloud`.

    Returns:
        Names; points alone where the file cannot be read: `read_cloud` says what is wrong with it.
    """
    path = Path(path)
    suffix = _suffix(path)
    if suffix in BC_SUFFIXES:
        return arrays_of(bc_columns(suffix))
    try:
        with np.errstate(all="ignore"):
            if suffix == ".obj":
                return ("points", "colors") if mesh_has_colors(path) else ("points",)
            return arrays_seen(*_begin(path, suffix, columns, key))
    except (Unreadable, OSError):
        return ("points",)


def _begin(
    path: Path, suffix: str, columns: Sequence[str] | None, key: str | None
) -> tuple[Sequence[str], Mapping[str, np.ndarray]]:
    """Return the names of a file's columns, and its first rows by these names as far as its beginning shows them."""
    if suffix in ARRAY_SUFFIXES:
        # Arrays that are stored by columns have their first rows all over the file.
        table = _array(path.read_bytes(), path.name, suffix, key, JUDGED_ROWS)[:JUDGED_ROWS]
        if table.dtype.names is not None:
            named = record_columns(table, path.name)[0]
            return columns or tuple(named), dict(zip(columns or named, named.values(), strict=True))
        names = columns or judge_columns(table, path.name)
    else:
        head = read_head(path, HEAD_BYTES)
        if suffix in (".ply", ".pcd"):
            return (ply_begin if suffix == ".ply" else pcd_begin)(head, path.name)
        names, table = xyz_columns(head, path.name, columns)
    if table.shape[1] != len(names):
        return names, {}
    return names, {name: table[:, i] for i, name in enumerate(names) if name != "-"}
