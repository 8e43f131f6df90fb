"""Text decoding, the layer under all text formats: byte-order marks, UTF-16 and UTF-32, line ends, gzip.

Codecs of numbers work on bytes in which a digit is one byte. What an editor, PowerShell or a spreadsheet makes of a
text (a mark at its beginning, two bytes a character, other line ends) is undone here, before any codec looks at it.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from face3d_data.errors import Unreadable
from face3d_data.formats.packed import unpack, unpack_head

UTF8_MARK = codecs.BOM_UTF8
# UTF-32's little-endian mark begins with UTF-16's, so it comes first.
_WIDE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_TEXT = rb"[\t\n\r\x20-\x7e]"
_UNMARKED = (
    (re.compile(rb"(?:" + _TEXT + rb"\0\0\0){3}"), "utf-32-le", "UTF-32"),
    (re.compile(rb"(?:\0\0\0" + _TEXT + rb"){3}"), "utf-32-be", "UTF-32"),
    (re.compile(rb"(?:" + _TEXT + rb"\0){4}"), "utf-16-le", "UTF-16"),
    (re.compile(rb"(?:\0" + _TEXT + rb"){4}"), "utf-16-be", "UTF-16"),
)
"""How a text without a mark begins whose characters are ASCII in two or four bytes."""


def plain_text(data: bytes, name: str) -> bytes:
    """Return a text's bytes without a byte-order mark, in UTF-8 where it was UTF-16 or UTF-32, with `\\n` line ends.

    Bytes of 8-bit encodings stay as they are: numbers and keywords are ASCII in all of them.

    Args:
        data: the file, not compressed.
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`: it is UTF-16 or UTF-32 and cut off or damaged.
    """
    return unix_lines(unmarked(data, name))


def unmarked(data: bytes, name: str) -> bytes:
    """Return the bytes without a byte-order mark, in UTF-8 where they were UTF-16 or UTF-32; line ends stay.

    For formats whose header is text and whose body may not be.

    Raises:
        Unreadable: as `plain_text`.
    """
    if data.startswith(UTF8_MARK):
        return data[len(UTF8_MARK) :]
    wide = _wide(data)
    if wide is None:
        return data
    size, encoding, title = wide
    try:
        return data[size:].decode(encoding).encode()
    except UnicodeError as error:
        at = size + getattr(error, "start", 0)
        said = f"byte {at}: is {title}, and damaged or truncated: save it as UTF-8"
        raise Unreadable("unreadable", f"{name}: {said}") from None


def plain_if_text(data: bytes, name: str, body: re.Pattern[bytes], header_bytes: int) -> bytes:
    """Return a file whose header is text as `unmarked` does, and with `\\n` line ends where its body is text too.

    Args:
        data: the file, or its beginning.
        name: its name, for errors.
        body: finds in the header the word that says what the body is, `ascii` for text.
        header_bytes: how long a header may be.

    Raises:
        Unreadable: as `plain_text`.
    """
    data = unmarked(data, name)
    found = body.search(data, 0, header_bytes)
    return unix_lines(data) if found is not None and found[1].lower() == b"ascii" else data


def text_head(data: bytes, name: str) -> bytes:
    """Return the beginning of a text as `plain_text` does, though a character may be cut in two at its end."""
    wide = _wide(data)
    if wide is not None:
        unit = 4 if wide[2] == "UTF-32" else 2
        data = data[: len(data) // unit * unit]
        if unit == 2 and data[-2:] and 0xD8 <= data[-1 if wide[1].endswith("le") else -2] <= 0xDB:
            data = data[:-2]
    return plain_text(data, name)


def _wide(data: bytes) -> tuple[int, str, str] | None:
    """Return (size of the mark, encoding, its title) of a text of wide characters, None for any other."""
    for mark, encoding, title in _WIDE_MARKS:
        if data.startswith(mark):
            return len(mark), encoding, title
    if b"\0" not in data[:4]:
        return None
    return next(((0, encoding, title) for begin, encoding, title in _UNMARKED if begin.match(data)), None)


def unix_lines(data: bytes) -> bytes:
    """Return a text in which `\\n` alone ends lines, where `\\r\\n` or `\\r` did."""
    if b"\r" not in data:
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def decoded(data: bytes, name: str, fallback: str | None = None) -> str:
    """Return a text as a string, as `plain_text` decodes it.

    Args:
        data: the file, not compressed.
        name: its name, for errors.
        fallback: the encoding of bytes that are not UTF-8 (`latin-1`, for formats that allow names in it); None: they
            are refused.

    Raises:
        Unreadable: `unreadable`: it is no text of these encodings.
    """
    text = plain_text(data, name)
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        if fallback is not None:
            return text.decode(fallback)
        said = f"line {text.count(10, 0, error.start) + 1}: is not UTF-8 text: save it as UTF-8"
        raise Unreadable("unreadable", f"{name}: {said}") from None


def read_plain(path: str | Path, most_bytes: int | None = None, wanted: str = "") -> bytes:
    """Return what `plain_text` makes of a file, unpacked where it is gzip.

    Args:
        path: the file.
        most_bytes: a longer file holds something else; None: any length.
        wanted: what it should hold then, for the error (`for 3 points`).

    Raises:
        Unreadable: `unreadable`: it is too long, damaged gzip, or damaged UTF-16.
        OSError: it is gone or cannot be read.
    """
    path = Path(path)
    with open(path, "rb") as stream:
        data = stream.read(-1 if most_bytes is None else most_bytes + 1)
    if most_bytes is not None and len(data) > most_bytes:
        raise Unreadable("unreadable", f"{path.name}: over {most_bytes} bytes{wanted and ' '}{wanted}")
    return plain_text(unpack(data, path.name, most_bytes), path.name)


def read_text(path: str | Path, most_bytes: int | None = None, fallback: str | None = None, wanted: str = "") -> str:
    """Return a file as a string: `read_plain`, then decoded as `decoded` does.

    Raises:
        Unreadable: as these.
        OSError: it is gone or cannot be read.
    """
    path = Path(path)
    return decoded(read_plain(path, most_bytes, wanted), path.name, fallback)


def read_head(path: str | Path, n_bytes: int) -> bytes:
    """Return the first bytes of a file, at most `n_bytes`, unpacked where it is gzip; marks and line ends stay.

    Raises:
        Unreadable: `unreadable`: damaged gzip.
        OSError: it is gone or cannot be read.
    """
    path = Path(path)
    with open(path, "rb") as stream:
        return unpack_head(stream.read(n_bytes), path.name, n_bytes)
