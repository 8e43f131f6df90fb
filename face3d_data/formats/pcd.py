"""PCD, the Point Cloud Library's files: ascii, binary and binary_compressed.

Evidence for a codec of our own (tests/formats/test_library_faults.py):
Open3D 0.20 reads doubles as zeros, and text that is cut off as memory that nobody wrote, without an error.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud import JUDGED_ROWS, Cloud, cloud_of_columns
from face3d_data.formats.cost import check_points
from face3d_data.formats.lzf import unpack_lzf
from face3d_data.formats.number_text import split_lines
from face3d_data.formats.text_bytes import plain_if_text
from face3d_data.remarks import remark

_KINDS = {"F": "f", "U": "u", "I": "i"}
_SIZES = {"F": (4, 8), "U": (1, 2, 4, 8), "I": (1, 2, 4, 8)}
_LONGEST_HEADER = 1 << 16
_BODY = re.compile(rb"(?i)(?:\A|[\r\n])[ \t]*DATA[ \t]+(\w+)")
_PACKED = ("rgb", "rgba")
_MOST_LZF = 264
"""Bytes that three bytes of LZF can unpack to: a length of 255 + 7 + 2."""


@dataclass(frozen=True)
class PcdHeader:
    """A PCD file's header: (name, dtype, count) of each field, points, `DATA`, and where the body begins."""

    fields: tuple[tuple[str, str, int], ...]
    n_points: int
    data: str
    size: int
    lines: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields' names, with r, g and b where colours are packed into one."""
        names = [
            ("r", "g", "b") if name in _PACKED else (name,)
            for name, kind, count in self.fields
            if count == 1 and (name not in _PACKED or _is_packed(kind, self.data))
        ]
        return tuple(name for group in names for name in group)


def _is_packed(kind: str, data: str) -> bool:
    """Return whether a field of this type holds a colour in four bytes; a text's number does by its value."""
    return data == "ascii" or kind[1:] == "4"


def parse_pcd(data: bytes, name: str) -> Cloud:
    """Return the cloud of a PCD file (PCL documentation, The PCD file format, version 0.7).

    The viewpoint is ignored: points come as the file has them. Rows of NaN (organised clouds have them where nothing
    was seen) are left out.

    Args:
        data: the file.
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`, with the line or the byte.
    """
    data = plain_if_text(data, name, _BODY, _LONGEST_HEADER)
    return cloud_of_columns(_columns(data, parse_pcd_header(data, name), name), name)


def _columns(data: bytes, header: PcdHeader, name: str) -> dict[str, np.ndarray]:
    """Return the columns of a file's points, colours taken apart."""
    check_points(header.n_points, name, held_by=len(data) if header.data != "binary_compressed" else None)
    if header.data == "ascii":
        return _unpacked(_read_text(data, header, name), name)
    layout = np.dtype([(field, f"<{kind}", (count,)) for field, kind, count in header.fields])
    wanted = layout.itemsize * header.n_points
    if header.data == "binary":
        if wanted > len(data) - header.size:
            has = len(data) - header.size
            raise Unreadable("unreadable", f"{name}: byte {header.size}: {has} of {wanted} bytes follow: truncated?")
        table = np.frombuffer(data, layout, header.n_points, header.size)
        return _unpacked({key: table[key][:, 0] for key in table.dtype.names or ()}, name)
    body = _decompress(data, header, wanted, name)
    columns, at = {}, 0
    for field, kind, count in header.fields:
        # Compressed files hold all values of one field after the other.
        values = np.frombuffer(body, f"<{kind}", header.n_points * count, at)
        columns[field] = values.reshape(header.n_points, count)[:, 0]
        at += values.nbytes
    return _unpacked(columns, name)


def pcd_begin(head: bytes, name: str) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Return the names of a file's columns, and the first rows of them where its beginning shows them.

    Args:
        head: the beginning of the file.
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`: no header of PCD.
    """
    head = plain_if_text(head, name, _BODY, _LONGEST_HEADER)
    header = parse_pcd_header(head, name)
    few = replace(header, n_points=min(header.n_points, JUDGED_ROWS))
    if header.data == "ascii":
        head = b"\n".join(head.split(b"\n")[: header.lines + few.n_points])
    try:
        return header.columns, {} if header.data == "binary_compressed" else _columns(head, few, name)
    except Unreadable:
        return header.columns, {}


def parse_pcd_header(data: bytes, name: str) -> PcdHeader:
    """Return what the beginning of a PCD file declares.

    Raises:
        Unreadable: `unreadable`, with the line.
    """
    found = re.search(rb"(?m)^[ \t]*DATA[ \t]+(\w+)[^\S\n]*\n", data[:_LONGEST_HEADER])
    if found is None or not re.match(rb"\s*(#[^\n]*\n\s*)*VERSION\s", data[:_LONGEST_HEADER]):
        raise Unreadable("unreadable", f"{name}: line 1: not a PCD file: no header from VERSION to DATA")
    lines = data[: found.end()].decode("latin-1").split("\n")[:-1]
    entries = {words[0]: words[1:] for words in map(str.split, lines) if words}
    kind = found.group(1).decode().lower()
    if kind not in ("ascii", "binary", "binary_compressed"):
        raise Unreadable("unreadable", f"{name}: line {len(lines)}: DATA {kind[:40]} is not supported")
    names = entries.get("FIELDS", entries.get("COLUMNS", []))
    counts = entries.get("COUNT") or ["1"] * len(names)
    columns = (names, entries.get("SIZE", []), entries.get("TYPE", []), counts)
    if not names or len({len(column) for column in columns}) != 1:
        raise Unreadable("unreadable", f"{name}: line 1: FIELDS, SIZE, TYPE and COUNT do not match")
    fields = [_field(*field, f"{name}: line 1") for field in zip(*columns, strict=True)]
    # PCL pads with fields named `_`: each needs a name of its own here.
    fields = [(f"_{i}" if field == "_" else field, kind, count) for i, (field, kind, count) in enumerate(fields)]
    if len({field for field, _, _ in fields}) < len(fields) or not {"x", "y", "z"} <= {field for field, _, _ in fields}:
        raise Unreadable("unreadable", f"{name}: line 1: FIELDS has no x, y or z, or one of them twice")
    sizes = [_whole(entries.get(key, ["1"]), f"{name}: line 1: {key}") for key in ("WIDTH", "HEIGHT")]
    n_points = _whole(entries["POINTS"], f"{name}: line 1: POINTS") if "POINTS" in entries else math.prod(sizes)
    return PcdHeader(tuple(fields), n_points, kind, found.end(), len(lines))


def _field(field: str, size: str, kind: str, count: str, where: str) -> tuple[str, str, int]:
    times = _whole([count], f"{where}: COUNT")
    if kind not in _KINDS or not size.isascii() or not size.isdigit() or int(size[:4]) not in _SIZES[kind]:
        raise Unreadable(
            "unreadable", f"{where}: field {field[:40]!r}: there is no type {kind[:4]} of {size[:4]} bytes"
        )
    if not 1 <= times <= 4096:
        raise Unreadable("unreadable", f"{where}: field {field[:40]!r}: COUNT {times}")
    return field, f"{_KINDS[kind]}{int(size)}", times


def _whole(words: list[str], where: str) -> int:
    if len(words) != 1 or not re.fullmatch(r"[0-9]{1,12}", words[0]):
        raise Unreadable("unreadable", f"{where}: expected one whole number, not {' '.join(words)[:40]!r}")
    return int(words[0])


def _read_text(data: bytes, header: PcdHeader, name: str) -> dict[str, np.ndarray]:
    lines = split_lines(data[header.size :], header.lines)
    width = sum(count for _, _, count in header.fields)
    odd = np.flatnonzero(lines.counts != width)
    line = int(lines.numbers[odd[0]]) if len(odd) else header.lines + len(lines.numbers)
    if len(odd):
        raise Unreadable("unreadable", f"{name}: line {line}: {lines.counts[odd[0]]} numbers, expected {width}")
    if len(lines.starts) != header.n_points:
        raise Unreadable("unreadable", f"{name}: line {line}: {len(lines.starts)} of {header.n_points} points")
    values = lines.parse(slice(None), name).reshape(-1, width)
    columns, at = {}, 0
    for field, kind, count in header.fields:
        columns[field] = values[:, at]
        if field in _PACKED:
            columns[field] = _packed_of_text(values[:, at], kind, name)
        at += count
    return columns


def _packed_of_text(values: np.ndarray, kind: str, name: str) -> np.ndarray:
    """Return packed colours u4 of numbers: of a field of type F, the number's own four bytes are the colour.

    With alpha above it, a colour may be written as a negative number. One that is no number or of more bytes is black.
    """
    good = np.isfinite(values) if kind == "f4" else (values >= -(2**31)) & (values < 2**32)
    if not good.all():
        remark(
            f"{name}: {np.count_nonzero(~good)} of {len(good)} packed colours do not have four bytes: they become black"
        )
        values = np.where(good, values, 0.0)
    if kind == "f4":
        return values.astype(np.float32).view(np.uint32)
    return values.astype(np.int64).astype(np.uint32)


def _unpacked(columns: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Return the columns with `rgb` taken apart: 0xRRGGBB, with alpha above it in `rgba`."""
    out = {field: values for field, values in columns.items() if field not in _PACKED}
    for field in _PACKED:
        if field in columns and columns[field].dtype.itemsize != 4:
            remark(f"{name}: {field} does not have four bytes: colours are ignored")
        elif field in columns:
            packed = np.ascontiguousarray(columns[field]).view(np.uint32)
            out |= {key: (packed >> shift & 255).astype(np.uint8) for key, shift in zip("rgb", (16, 8, 0), strict=True)}
    return out


def _decompress(data: bytes, header: PcdHeader, wanted: int, name: str) -> bytes:
    at = header.size
    where = f"{name}: byte {at}"
    packed, unpacked = (int.from_bytes(data[at + i : at + i + 4], "little") for i in (0, 4))
    if len(data) < at + 8 or packed > len(data) - at - 8:
        raise Unreadable("unreadable", f"{where}: {max(len(data) - at - 8, 0)} of {packed} bytes follow: truncated?")
    if unpacked != wanted or wanted > packed * _MOST_LZF or wanted >= 2**31:
        raise Unreadable("unreadable", f"{where}: {packed} bytes for {unpacked}, but its points take {wanted}")
    try:
        return unpack_lzf(data[at + 8 : at + 8 + packed], wanted)
    except ValueError as error:
        raise Unreadable("unreadable", f"{where}: {error}") from None
