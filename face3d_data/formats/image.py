"""Image files: their pixels, decoded by OpenCV; faults that it would accept (truncated files) are found here first."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import check_bytes
from face3d_data.formats.foreign import refuse_foreign
from face3d_data.formats.image_header import PNG_SIGNATURE, check_header, has_odd_masks, parse_bmp, parse_png
from face3d_data.formats.image_other import OTHER_SUFFIXES, START_BYTES, decode_other, other_kind

IMAGE_SUFFIXES: tuple[str, ...] = (".jpg", ".png", ".jpeg", ".jfif", ".bmp", *OTHER_SUFFIXES)


def read_color(path: str | Path, turn_by_exif: bool = False) -> np.ndarray:
    """Return an image as RGB u1 (H, W, 3): grey and palettes expanded, 16 bits scaled to 8, alpha left off.

    Args:
        path: a PNG, JPEG, BMP, WebP, TIFF, GIF, AVIF or HEIC file; it is read as bytes, so that any name works.
        turn_by_exif: turn and mirror it as its EXIF orientation says. Not for colour that lies over a depth image:
            there the pixels as stored are the ones that correspond.

    Raises:
        Unreadable: `unreadable`: the file is missing, cut off, damaged or no image.
        NeedsLibrary: HEIC, and `pillow-heif` is not installed.
    """
    import cv2

    path = Path(path)
    data = read_bytes(path)
    kind = "bmp" if has_odd_masks(data) else other_kind(data[:START_BYTES])
    if kind is not None:
        try:
            if kind == "bmp":
                _refuse_cut(data)
            return decode_other(data, kind, turn_by_exif)
        except Unreadable as error:
            raise type(error)(error.reason, f"{path.name}: {error.detail}") from None
    flags = cv2.IMREAD_COLOR_RGB if turn_by_exif else cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    return _decode(data, path.name, flags)


def read_depth_png(path: str | Path) -> np.ndarray:
    """Return a 16-bit grey PNG as u2 (H, W), in the file's own unit.

    Raises:
        Unreadable: `depth_8bit` where it has 8 bits or fewer; `unreadable` where it has several channels, is missing,
            cut off, damaged or not a PNG.
    """
    import cv2

    path = Path(path)
    pixels = _decode(read_bytes(path), path.name, cv2.IMREAD_UNCHANGED)
    if pixels.ndim != 2:
        raise Unreadable("unreadable", f"{path.name}: depth has {pixels.shape[2]} channels, expected one of 16 bits")
    if pixels.dtype != np.uint16:
        raise Unreadable("depth_8bit", f"{path.name}: depth is {pixels.dtype}, expected 16 bits")
    return pixels


def _decode(data: bytes, name: str, flags: int) -> np.ndarray:
    import cv2

    try:
        _refuse_cut(data)
    except Unreadable as error:
        raise Unreadable(error.reason, f"{name}: {error.detail}") from None
    check_header(data, name)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise Unreadable("unreadable", f"{name}: {error.err}") from None
    if pixels is None:
        raise Unreadable("unreadable", f"{name}: its pixels cannot be decoded")
    return pixels


def _refuse_cut(data: bytes) -> None:
    fault = find_cut(data)
    if fault:
        raise Unreadable("unreadable", fault)


def read_bytes(path: str | Path) -> bytes:
    """Return a file's bytes.

    Raises:
        Unreadable: `unreadable`: the file is empty; `too_large`.
        OSError: it is gone or cannot be read now; that says nothing of its content, so it is tried again next run.
    """
    path = Path(path)
    check_bytes(path.stat().st_size, path.name)
    data = path.read_bytes()
    if not data:
        raise Unreadable("unreadable", f"{path.name}: the file is empty")
    refuse_foreign(data, path.name)
    return data


def find_cut(data: bytes) -> str | None:
    """Return what shows that an image file is cut off or no image, or None.

    Decoders fill what is missing with grey and only warn, so this is asked before them.
    """
    if data.startswith(PNG_SIGNATURE):
        return _png_fault(data)
    if data.startswith(b"\xff\xd8"):
        return _jpeg_fault(data)
    if data.startswith(b"BM"):
        return _bmp_fault(data)
    return f"not a PNG, JPEG or BMP: it starts with {data[:8]!r}"


def _png_fault(data: bytes) -> str | None:
    try:
        parse_png(data[:33])
    except Unreadable as error:
        return error.detail
    view = memoryview(data)
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        if end > len(data):
            break
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            return f"the PNG is damaged (checksum of the chunk at byte {at})"
        if view[at + 4 : at + 8] == b"IEND":
            return None
        at = end
    return "the PNG is truncated before its end"


def _jpeg_fault(data: bytes) -> str | None:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xDA:
            # Within the scans 0xFF is followed by 0 or a restart marker, so this can only be the end of the image.
            return None if data.find(b"\xff\xd9", at) >= 0 else "the JPEG is truncated before its end"
        bare = marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD7
        step = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        at += (1 if marker == 0xFF else 2) if bare else step
    return "the JPEG is truncated before its pixels"


def _bmp_fault(data: bytes) -> str | None:
    try:
        header = parse_bmp(data)
    except Unreadable as error:
        return error.detail
    bits = int.from_bytes(data[28:30], "little")
    compressed = int.from_bytes(data[30:34], "little") in (1, 2)
    start = int.from_bytes(data[10:14], "little")
    row_bytes = (header.width * bits + 31) // 32 * 4
    wanted = start + (1 if compressed else row_bytes * header.height)
    return None if len(data) >= wanted else f"the BMP is truncated: {len(data)} of {wanted} bytes"
