"""Image headers: size and bit depth of image files, without decoding any pixels."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import check_pixels
from face3d_data.formats.foreign import refuse_foreign
from face3d_data.formats.image_other import other_kind, read_other_header

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_PNG_BITS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}
_BMP_BYTES = 70
_START_BYTES = 256
_BMP_HEADERS = (40, 52, 56, 64, 108, 124)
_BITFIELDS = (3, 6)
"""BMP compression codes that mean uncompressed pixels with channel masks, without and with an alpha mask."""
_USUAL_MASKS = {16: ((0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)), 32: ((0xFF0000, 0xFF00, 0xFF),)}


@dataclass(frozen=True)
class ImageHeader:
    """What an image file says of itself: `kind` is `png`, `jpeg`, `bmp` or `other_kind`'s; sizes in px as stored.

    `bits` is per channel; `channels` counts those that a decoder gives (3 for a palette).
    """

    kind: str
    width: int
    height: int
    bits: int
    channels: int


def read_image_header(path: str | Path) -> ImageHeader:
    """Return an image file's header, and check at a PNG's end that it was written to the end.

    Raises:
        Unreadable: `unreadable`: no such file, empty, no image, or cut off; `too_large`.
    """
    path = Path(path)
    with open(path, "rb") as stream:
        return _checked(stream, path.name)


def check_header(data: bytes, name: str) -> None:
    """Check the size of an image before a pixel of it is decoded.

    Raises:
        Unreadable: `too_large`; as `read_image_header`.
    """
    _checked(io.BytesIO(data), name)


def _checked(stream: BinaryIO, name: str) -> ImageHeader:
    refuse_foreign(stream.read(_START_BYTES), name)
    stream.seek(0)
    try:
        header = _read(stream)
    except Unreadable as error:
        raise type(error)(error.reason, f"{name}: {error.detail}") from None
    check_pixels(header.width, header.height, name)
    return header


def _read(stream: BinaryIO) -> ImageHeader:
    start = stream.read(33)
    if not start:
        raise Unreadable("unreadable", "the file is empty")
    if start.startswith(PNG_SIGNATURE):
        header = parse_png(start)
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - 64))
        if PNG_END not in stream.read():
            raise Unreadable("unreadable", "the PNG is truncated before its end")
        _refuse_animation(stream)
        return header
    if start.startswith(b"\xff\xd8"):
        stream.seek(2)
        return _walk_jpeg(stream)
    if start.startswith(b"BM"):
        return parse_bmp(start + stream.read(_BMP_BYTES - len(start)))
    kind = other_kind(start)
    if kind is not None:
        return ImageHeader(*read_other_header(stream, kind))
    raise Unreadable("unreadable", f"not a PNG, JPEG, BMP, WebP, TIFF, GIF, AVIF or HEIC: it starts with {start[:8]!r}")


def parse_png(data: bytes) -> ImageHeader:
    """Return the header in the first 33 bytes of a PNG file (signature and IHDR chunk; PNG 3rd edition, 11.2.1).

    Raises:
        Unreadable: the chunk is cut off, damaged, or holds a value that PNG does not know.
    """
    if len(data) < 33 or data[8:16] != b"\x00\x00\x00\x0dIHDR":
        raise Unreadable("unreadable", "the PNG is truncated in its header")
    if zlib.crc32(data[12:29]) != struct.unpack(">I", data[29:33])[0]:
        raise Unreadable("unreadable", "the PNG's header is damaged (checksum)")
    width, height, bits, colour_type = struct.unpack(">IIBB", data[16:26])
    if bits not in _PNG_BITS.get(colour_type, ()) or not width or not height:
        raise Unreadable("unreadable", f"not a valid PNG: {width}x{height}, {bits} bits, colour type {colour_type}")
    return ImageHeader("png", width, height, bits, _PNG_CHANNELS[colour_type])


def _refuse_animation(stream: BinaryIO) -> None:
    """Refuse a PNG of several frames (PNG 3rd edition, 11.3.6.1): decoders give the first, or another image."""
    at = len(PNG_SIGNATURE)
    while True:
        stream.seek(at)
        start = stream.read(12)
        if len(start) < 12 or start[4:8] in (b"IDAT", b"IEND"):
            return
        frames = int.from_bytes(start[8:12], "big")
        if start[4:8] == b"acTL" and frames > 1:
            raise Unreadable("unreadable", f"has {frames} frames: an animation is not a capture")
        at += 12 + int.from_bytes(start[:4], "big")


def parse_bmp(data: bytes) -> ImageHeader:
    """Return the header in the first bytes of a BMP file (BITMAPINFOHEADER; a negative height means top-down).

    Args:
        data: the first `_BMP_BYTES` of the file, or all of it.

    Raises:
        Unreadable: the header is cut off, of the OS/2 kind, or of a size or with masks that no BMP has.
    """
    size = int.from_bytes(data[14:18], "little")
    if len(data) < 30 or size < 40:
        raise Unreadable("unreadable", "the BMP is truncated in its header, or an OS/2 one")
    if size not in _BMP_HEADERS:
        raise Unreadable("unreadable", f"not a valid BMP: a header of {size} bytes")
    width, height, _, bits = struct.unpack("<iiHH", data[18:30])
    if width <= 0 or height == 0 or bits not in (1, 4, 8, 16, 24, 32):
        raise Unreadable("unreadable", f"not a valid BMP: {width}x{height}, {bits} bits a pixel")
    if bmp_masks(data) is not None and bits not in _USUAL_MASKS:
        raise Unreadable("unreadable", f"not a valid BMP: masks of colours with {bits} bits a pixel")
    return ImageHeader("bmp", width, abs(height), 8, 4 if bits == 32 else 3)


def bmp_masks(data: bytes) -> tuple[int, ...] | None:
    """Return which bits of a BMP's pixels are red, green and blue, where its header defines them (BI_BITFIELDS)."""
    if int.from_bytes(data[30:34], "little") not in _BITFIELDS:
        return None
    return tuple(int.from_bytes(data[at : at + 4], "little") for at in (54, 58, 62))


def has_odd_masks(data: bytes) -> bool:
    """Return whether an image is a BMP whose colours are in other bits than decoders expect."""
    masks = bmp_masks(data) if data.startswith(b"BM") else None
    return masks is not None and masks not in _USUAL_MASKS.get(int.from_bytes(data[28:30], "little"), ())


def _walk_jpeg(stream: BinaryIO) -> ImageHeader:
    """Go from marker to marker up to the frame header (ITU T.81, B.2.2)."""
    while True:
        marker = stream.read(2)
        while marker == b"\xff\xff":
            marker = b"\xff" + stream.read(1)
        if len(marker) < 2 or marker[0] != 0xFF or marker[1] in (0xD9, 0xDA):
            raise Unreadable("unreadable", "the JPEG has no frame header, or is truncated before it")
        if marker[1] in _JPEG_BARE:
            continue
        size = stream.read(2)
        length = int.from_bytes(size, "big")
        if len(size) < 2 or length < 2:
            raise Unreadable("unreadable", "the JPEG is truncated in its header")
        if marker[1] not in _JPEG_FRAMES:
            stream.seek(length - 2, 1)
            continue
        frame = stream.read(6)
        if len(frame) < 6:
            raise Unreadable("unreadable", "the JPEG is truncated in its frame header")
        bits, height, width, channels = struct.unpack(">BHHB", frame)
        if not width or not height:
            raise Unreadable("unreadable", f"not a valid JPEG: {width}x{height}")
        return ImageHeader("jpeg", width, height, bits, channels)


def check_same_size(sizes: Mapping[str, tuple[int, int]]) -> None:
    """Check that what belongs to one capture has one size.

    Args:
        sizes: what it is to (width, height) in px.

    Raises:
        Unreadable: `size_mismatch`, naming every size.
    """
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{what} {width}x{height}" for what, (width, height) in sizes.items())
        raise Unreadable("size_mismatch", said)
