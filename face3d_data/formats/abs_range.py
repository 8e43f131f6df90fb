"""`.abs` and `.abs.gz`: range images in text.

`480 rows`, `640 columns`, `pixels (flag X Y Z):`, then four lines of rows · columns numbers each, row by row from the
top: the flags (1 = a point), X, Y and Z in mm, X to the right, Y up, Z to the viewer (the scanner at 0, so that what it
sees has negative Z). Where there is no point the three are -999999. Lines may end with blanks and in any way.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.number_text import strict_numbers
from face3d_data.formats.packed import GZIP_MAGIC
from face3d_data.formats.text_bytes import UTF8_MARK, plain_text

NOWHERE = -999999.0
FARTHEST_MM = 1e5
MOST_POINTS = 1 << 20
"""The scanners that write such files have 640 x 480; a text of more numbers than this is not unpacked."""
_LOOKED_AT = 4096
_ODD_LINE_END = re.compile(rb"\r(?!\n|\Z)")
BYTES_A_POINT = 2 + 3 * 26
"""A flag and three numbers as C's `%f` or `%g` writes them, blanks included."""
_HEADER = (
    (re.compile(rb"\s*([0-9]{1,7})\s+rows\s*\Z"), "'N rows'"),
    (re.compile(rb"\s*([0-9]{1,7})\s+columns\s*\Z"), "'N columns'"),
    (re.compile(rb"\s*(pixels\s*\(\s*flag\s+X\s+Y\s+Z\s*\)).*", re.DOTALL), "'pixels (flag X Y Z):'"),
)
_NO_NUMBER = re.compile(rb"[^0-9eE+.\s-]+")


def read_abs_shape(path: str | Path) -> tuple[int, int]:
    """Return (rows, columns) from the first lines; of a packed file only the beginning is unpacked.

    Raises:
        Unreadable: `unreadable`, with the line that is wrong.
    """
    path = Path(path)
    with _opened(path) as stream:
        shape = _shape(stream, path.name)
    if not _is_packed(path) and path.stat().st_size < 8 * shape[0] * shape[1]:
        wanted = f"4 times {shape[0]} x {shape[1]} numbers"
        raise Unreadable("unreadable", f"{path.name}: byte {path.stat().st_size}: the file is truncated: no {wanted}")
    return shape


def read_abs(path: str | Path) -> np.ndarray:
    """Return the points as f4 (rows, columns, 3), mm, in the camera frame; NaN where there is none.

    The file's points are rotated by 180 degrees about x, so that x points right, y down and z away from the viewer. A
    gzip file, whatever its name, is unpacked in memory, never beyond the size given in its first lines.

    Raises:
        Unreadable: `unreadable`, with the line that is wrong, or the byte at which a packed file is; `no_points` where
            no flag is set.
    """
    path = Path(path)
    with _opened(path) as stream:
        rows, columns = _shape(stream, path.name)
        lines = _lines(stream, rows * columns, path.name)
    flags, x, y, z = (_numbers(line, number, rows * columns, path.name) for number, line in lines)
    if not np.isin(flags, (0.0, 1.0)).all():
        raise Unreadable("unreadable", f"{path.name}: line {lines[0][0]}: a flag is not 0 or 1")
    seen = (flags == 1) & (x != NOWHERE) & (y != NOWHERE) & (z != NOWHERE)
    if not seen.any():
        raise Unreadable("no_points", f"{path.name}: no points in {rows} x {columns}")
    points = np.full((rows * columns, 3), np.nan, np.float32)
    for axis, (values, (number, _)) in enumerate(zip((x, -y, -z), lines[1:], strict=True)):
        values = values[seen]
        if not (np.abs(values) <= FARTHEST_MM).all():
            raise Unreadable("unreadable", f"{path.name}: line {number}: a coordinate is beyond {FARTHEST_MM:g} mm")
        points[seen, axis] = values
    return points.reshape(rows, columns, 3)


def _is_packed(path: Path) -> bool:
    with open(path, "rb") as stream:
        return stream.read(len(GZIP_MAGIC)) == GZIP_MAGIC


def _plain(stream: BinaryIO, name: str) -> BinaryIO:
    """Return the stream at its beginning, or all of it in memory where it is no plain text with `\\n` at line ends."""
    head = stream.read(_LOOKED_AT)
    if not _ODD_LINE_END.search(head) and not head.startswith(UTF8_MARK) and b"\0" not in head[:4]:
        stream.seek(0)
        return stream
    rest = stream.read(4 * BYTES_A_POINT * MOST_POINTS)
    return io.BytesIO(plain_text(head + rest, name))


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a plain or packed file; what is wrong with the packing becomes `Unreadable` with its byte."""
    with open(path, "rb") as raw:
        try:
            yield _plain(cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if _is_packed(path) else raw, path.name)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise Unreadable("unreadable", f"{path.name}: byte {raw.tell()} of the packed file: {error}") from None


def _shape(stream: BinaryIO, name: str) -> tuple[int, int]:
    found = []
    for number, (wanted, words) in enumerate(_HEADER, 1):
        line = stream.readline(256)
        match = wanted.match(line)
        if match is None:
            what = f"found {line[:40]!r}" if line else "the file ends"
            raise Unreadable("unreadable", f"{name}: line {number}: expected {words}, {what}")
        found.append(match[1])
    rows, columns = int(found[0]), int(found[1])
    if not 0 < rows * columns <= MOST_POINTS:
        raise Unreadable("unreadable", f"{name}: line 1: {rows} rows of {columns} columns: not a range image")
    return rows, columns


def _lines(stream: BinaryIO, n_points: int, name: str) -> list[tuple[int, bytes]]:
    """Return (number, text) of the four lines of numbers."""
    most = 1024 + BYTES_A_POINT * n_points
    # One piece at a time: how much a packed file holds is not known before.
    pieces, size = [], 0
    while piece := stream.read(1 << 20):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise Unreadable("unreadable", f"{name}: line 4: over {most} bytes for {n_points} points")
    texts = b"".join(pieces).split(b"\n", 64)
    del pieces
    lines = [(number, text) for number, text in enumerate(texts, 4) if text.strip()]
    if len(lines) != 4:
        said = "flags, X, Y and Z take one line each"
        last = lines[-1][0] if lines else 3
        raise Unreadable("unreadable", f"{name}: line {last}: {len(lines)} lines of numbers, expected 4: {said}")
    return lines


def _numbers(line: bytes, number: int, wanted: int, name: str) -> np.ndarray:
    """Return the numbers of one line, f8 (wanted,)."""
    try:
        values = strict_numbers(line)
    except ValueError:
        odd = _NO_NUMBER.search(line)
        what = f"{odd[0][:20]!r} is not a number" if odd else "contains something that is not a number"
        raise Unreadable("unreadable", f"{name}: line {number}: {what}") from None
    if len(values) != wanted:
        raise Unreadable("unreadable", f"{name}: line {number}: {len(values)} numbers, expected {wanted}")
    return values
