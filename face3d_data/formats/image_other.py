"""Images that Pillow reads: WebP, TIFF, GIF, AVIF, and HEIC with the extra `heic`; others are `image`'s.

Only the codec of the kind that the first bytes show is let at a file, and animations and several pages are refused:
which of them would be the capture cannot be known.
"""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any, BinaryIO

import numpy as np

from face3d_data.errors import NeedsLibrary, Unreadable
from face3d_data.extras import extra_line
from face3d_data.formats.cost import check_pixels

# Pillow logs what it also raises; without a handler Python prints it.
logging.getLogger("PIL").addHandler(logging.NullHandler())

OTHER_SUFFIXES: tuple[str, ...] = (".avif", ".gif", ".heic", ".heif", ".tif", ".tiff", ".webp")
START_BYTES = 32
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_AVIF = (b"avif", b"avis")
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_FORMATS = {"webp": "WEBP", "tiff": "TIFF", "gif": "GIF", "avif": "AVIF", "heic": "HEIF", "bmp": "BMP"}
_ORIENTATION = 274
_SIDEWAYS = (5, 6, 7, 8)
_BACK = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
"""EXIF orientation to the `Image.Transpose` that undoes it."""
_BITS: dict[str, tuple[int, int]] = {
    **{"1": (1, 1), "L": (8, 1), "P": (8, 3), "LA": (8, 2), "PA": (8, 4)},
    **{"RGB": (8, 3), "RGBA": (8, 4), "RGBX": (8, 4), "CMYK": (8, 4), "YCbCr": (8, 3), "LAB": (8, 3)},
    **{"I;16": (16, 1), "I;16B": (16, 1), "I;16L": (16, 1)},
}
"""Pillow's modes that are read, with (bits a channel, channels)."""


def other_kind(start: bytes) -> str | None:
    """Return `webp`, `tiff`, `gif`, `avif` or `heic`, None where the first `START_BYTES` of a file show another."""
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    if start[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if start[:4] in _TIFF:
        return "tiff"
    if start[4:8] != b"ftyp":
        return None
    # A file of several brands says what it is by any of them: AVIF's main brand may be mif1.
    brands = [start[at : at + 4] for at in (8, *range(16, len(start) - 3, 4))]
    return "avif" if any(brand in _AVIF for brand in brands) else "heic" if brands[0] in _HEIC else None


def read_other_header(stream: BinaryIO, kind: str) -> tuple[str, int, int, int, int]:
    """Return (kind, width, height, bits a channel, channels) of an image, from its header; sizes in px as stored.

    Raises:
        Unreadable: `unreadable`: damaged, an animation, several pages, or pixels of another kind.
        NeedsLibrary: HEIC, and `pillow-heif` is not installed.
    """
    stream.seek(0)
    with _opened(stream, kind) as image:
        bits, channels = _BITS[image.mode]
        width, height = image.size
        if kind == "tiff" and _orientation(image) in _SIDEWAYS:
            width, height = height, width
        return kind, width, height, bits, channels


def decode_other(data: bytes, kind: str, turn_by_exif: bool) -> np.ndarray:
    """Return an image as RGB u1 (H, W, 3): grey and palettes expanded, 16 bits scaled to 8, alpha left off.

    Args:
        data: the file.
        kind: as `other_kind` says.
        turn_by_exif: turn and mirror it as its EXIF orientation says.

    Raises:
        Unreadable: `unreadable`: as `read_other_header`, or cut off.
        NeedsLibrary: likewise.
    """
    with _opened(io.BytesIO(data), kind) as image:
        try:
            return _pixels(image, turn_by_exif)
        except MemoryError:
            raise
        except Exception as error:  # what a decoder raises on damaged bytes may be anything
            raise Unreadable("unreadable", f"its pixels cannot be decoded ({_said(error)})") from None


def _opened(stream: BinaryIO | io.BytesIO, kind: str) -> Any:
    """Return Pillow's image of a stream, of which the header is read."""
    from PIL import Image

    if kind == "heic":
        _register_heic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large and of odd files: limits and errors say it
            image = Image.open(stream, formats=[_FORMATS[kind]])
            frames = 1 if kind == "heic" else getattr(image, "n_frames", 1)
    except MemoryError:
        raise
    except Exception as error:  # what a parser raises on damaged bytes may be anything
        raise Unreadable("unreadable", f"a damaged {kind.upper()} file ({_said(error)})") from None
    check_pixels(*image.size, "the image")
    if frames > 1:
        what = "pages: save the one that is the capture" if kind == "tiff" else "frames: an animation is not a capture"
        raise Unreadable("unreadable", f"has {frames} {what}")
    if image.mode not in _BITS:
        raise Unreadable("unreadable", f"pixels of mode {image.mode}: save it with 8 or 16 bits a channel")
    return image


def _register_heic() -> None:
    try:
        import pillow_heif
    except ImportError:
        raise NeedsLibrary("unreadable", f"HEIC images need pillow-heif: {extra_line('heic')}") from None
    pillow_heif.register_heif_opener()


def _pixels(image: Any, turn_by_exif: bool) -> np.ndarray:
    from PIL import Image, ImageOps, TiffImagePlugin

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        orientation = _orientation(image)
        image.load()
        if turn_by_exif:
            turned = ImageOps.exif_transpose(image)
        else:
            # Of these kinds Pillow turns TIFF alone by itself, whether asked to or not.
            back = _BACK.get(orientation) if isinstance(image, TiffImagePlugin.TiffImageFile) else None
            turned = image if back is None else image.transpose(Image.Transpose(back))
    if turned.mode.startswith("I;16"):
        grey = (np.asarray(turned).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.ascontiguousarray(np.asarray(turned.convert("RGB")))


def _orientation(image: Any) -> int:
    """Return the EXIF orientation of an image, 1 where it says none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return int(image.getexif().get(_ORIENTATION, 1) or 1)
    except MemoryError:
        raise
    except Exception:  # damaged EXIF says nothing; the pixels may be whole
        return 1


def _said(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:100]
