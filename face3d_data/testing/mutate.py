"""Mutation of files for fuzz tests: truncated, with flipped bits, with absurd numbers; the seed decides."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

ABSURD_INTEGERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
ABSURD_NUMBERS = (b"-1", b"0", b"1e308", b"nan", b"inf", b"-99999999999999999999", b"4294967296", b"2147483647", b"x")
BEGINNINGS = (
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\x1f\x8b\x08", b"ply\n", b"solid ", b"#VRML", b"\x93NUMPY"),
    *(b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"MATLAB 5.0", b"OFF\n", b"glTF", b"P6\n", b"\xef\xbb\xbf", bytes(16)),
)
HEADER_BYTES = 256
_NUMBER = re.compile(rb"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")


def mutate(data: bytes, seed: int) -> tuple[bytes, str]:
    """Return a corrupted copy of a file and what was done to it.

    Args:
        data: the file.
        seed: decides what is done.
    """
    rng = np.random.default_rng(seed)
    names = list(KINDS)
    name = names[int(rng.integers(len(names)))]
    spoilt = KINDS[name](bytearray(data), rng) if data else b"x"
    return bytes(spoilt), name


def _cut(data: bytearray, rng: np.random.Generator) -> bytes | bytearray:
    return data[: int(rng.integers(len(data)))]


def _cut_in_the_header(data: bytearray, rng: np.random.Generator) -> bytes | bytearray:
    return data[: int(rng.integers(min(len(data), HEADER_BYTES)))]


def _flip_bits(data: bytearray, rng: np.random.Generator) -> bytes | bytearray:
    for at in rng.integers(len(data), size=int(rng.integers(1, 9))):
        data[at] ^= 1 << int(rng.integers(8))
    return data


def _change_the_header(data: bytearray, rng: np.random.Generator) -> bytes | bytearray:
    for at in rng.integers(min(len(data), HEADER_BYTES), size=int(rng.integers(1, 5))):
        data[at] = int(rng.integers(256))
    return data


def _absurd_integer(data: bytearray, rng: np.random.Generator) -> bytes | bytearray:
    """Put a number that is too large, too small or none where a size may stand."""
    size = int(rng.choice([1, 2, 4, 8]))
    at = int(rng.integers(max(1, min(len(data), HEADER_BYTES) - size)))
    value = int(rng.choice(ABSURD_INTEGERS)) & ((1 << 8 * size) - 1)
    data[at : at + size] = value.to_bytes(size, "little" if rng.integers(2) else "big")
    return data


def _absurd_text_number(data: bytearray, rng: np.random.Generator) -> bytes | bytearray:
    """Replace a number that is written out, one near the beginning as often as any."""
    found = list(_NUMBER.finditer(bytes(data[: HEADER_BYTES if rng.integers(2) else 65536])))
    if not found:
        return _flip_bits(data, rng)
    one = found[int(rng.integers(len(found)))]
    return data[: one.start()] + ABSURD_NUMBERS[int(rng.integers(len(ABSURD_NUMBERS)))] + data[one.end() :]


def _leave_out(data: bytearray, rng: np.random.Generator) -> bytes | bytearray:
    at = int(rng.integers(len(data)))
    return data[:at] + data[at + int(rng.integers(1, 65)) :]


def _put_in(data: bytearray, rng: np.random.Generator) -> bytes | bytearray:
    at = int(rng.integers(len(data) + 1))
    return data[:at] + rng.bytes(int(rng.integers(1, 65))) + data[at:]


def _repeat(data: bytearray, rng: np.random.Generator) -> bytes | bytearray:
    at = int(rng.integers(len(data)))
    end = at + int(rng.integers(1, 257))
    return data[:end] + data[at:end] * int(rng.integers(1, 20)) + data[end:]


def _zeros(data: bytearray, rng: np.random.Generator) -> bytes | bytearray:
    at = int(rng.integers(len(data)))
    size = min(len(data) - at, int(rng.integers(1, 513)))
    data[at : at + size] = bytes(size)
    return data


def _noise(data: bytearray, rng: np.random.Generator) -> bytes:
    return rng.bytes(int(rng.integers(1, 4097)))


def _empty(data: bytearray, rng: np.random.Generator) -> bytes:
    return b""


def _another_beginning(data: bytearray, rng: np.random.Generator) -> bytes | bytearray:
    """Begin like a file of another kind."""
    begin = BEGINNINGS[int(rng.integers(len(BEGINNINGS)))]
    return begin + data[len(begin) :]


def _lines(data: bytearray, rng: np.random.Generator) -> bytes | bytearray:
    """Swap two lines, or end them otherwise."""
    lines = bytes(data).split(b"\n")
    if len(lines) < 3:
        return _put_in(data, rng)
    if rng.integers(2):
        return b"\r\n".join(lines)
    i, j = rng.integers(len(lines), size=2)
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


KINDS: dict[str, Callable[[bytearray, np.random.Generator], bytes | bytearray]] = {
    "cut": _cut,
    "cut in the header": _cut_in_the_header,
    "flipped bits": _flip_bits,
    "changed header": _change_the_header,
    "absurd integer": _absurd_integer,
    "absurd number": _absurd_text_number,
    "bytes left out": _leave_out,
    "bytes put in": _put_in,
    "repeated": _repeat,
    "zeros": _zeros,
    "noise": _noise,
    "empty": _empty,
    "another beginning": _another_beginning,
    "lines": _lines,
}
"""What is done to a file, to the function that does it."""
