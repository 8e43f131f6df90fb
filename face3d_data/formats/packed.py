"""Gzip files: recognised by their first bytes, whatever their name, and unpacked up to a limit."""

from __future__ import annotations

import gzip
import io
import zlib

from face3d_data.errors import TOO_LARGE, Unreadable
from face3d_data.formats.cost import most_unpacked
from face3d_data.formats.foreign import refuse_foreign

PACKED_SUFFIX = ".gz"
GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 20
_GZIP_WINDOW = 31
"""For zlib: a window of 2^15 bytes, and gzip's header around the stream."""


def with_packed(suffixes: tuple[str, ...]) -> tuple[str, ...]:
    """Return endings of files, and the same with `.gz` behind them."""
    return (*suffixes, *(f"{end}{PACKED_SUFFIX}" for end in suffixes if not end.endswith(PACKED_SUFFIX)))


def inner_name(name: str) -> str:
    """Return a file's name without the `.gz` of its packing."""
    return name[: -len(PACKED_SUFFIX)] if name.lower().endswith(PACKED_SUFFIX) else name


def unpack(data: bytes, name: str, most_bytes: int | None = None) -> bytes:
    """Return what a gzip file holds, piece by piece up to `most_bytes` (or what points take); other data as it is.

    VRML allows a `.wrl` to be compressed without saying so in its name.

    Raises:
        Unreadable: `unreadable`: damaged or cut off; `too_large`.
    """
    if not data.startswith(GZIP_MAGIC):
        refuse_foreign(data, name)
        return data
    most = most_unpacked() if most_bytes is None else most_bytes
    pieces, size = [], 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            while piece := stream.read(_PIECE):
                pieces.append(piece)
                size += len(piece)
                if size > most:
                    raise Unreadable(TOO_LARGE, f"{name}: unpacks to more than {_size_text(most)}: limits: max_points")
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable("unreadable", f"{name}: damaged gzip after byte {size} of its content ({error})") from None
    held = b"".join(pieces)
    _refuse_twice(held, name)
    return held


def _refuse_twice(held: bytes, name: str) -> None:
    if held.startswith(GZIP_MAGIC):
        raise Unreadable("unreadable", f"{name}: is compressed with gzip twice: unpack it once")
    refuse_foreign(held, name)


def _size_text(n_bytes: int) -> str:
    return f"{n_bytes >> 20} MB" if n_bytes >= 1 << 20 else f"{n_bytes} bytes"


def unpack_head(data: bytes, name: str, n_bytes: int) -> bytes:
    """Return the beginning of what a gzip file holds, from its own beginning; other data as it is.

    Args:
        data: the beginning of the file.
        name: its name, for errors.
        n_bytes: no more than this is unpacked.

    Raises:
        Unreadable: `unreadable`: damaged.
    """
    if not data.startswith(GZIP_MAGIC):
        refuse_foreign(data, name)
        return data
    try:
        held = zlib.decompressobj(_GZIP_WINDOW).decompress(data, n_bytes)
    except zlib.error as error:
        raise Unreadable("unreadable", f"{name}: damaged gzip ({error})") from None
    _refuse_twice(held, name)
    return held
