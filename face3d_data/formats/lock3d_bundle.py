"""Text bundles of Lock3DFace's cropped depth: `<x>.name` names the videos, `<x>.dat` has their frames.

`.name`: a line `video,number of frames` a video. `.dat`: a line a frame, the frames of all videos one after another;
in it 180 × 180 whole numbers of mm apart by spaces, column by column. So they are read in the public preprocessing
code of Led3D's makers, in three of its versions; no description of the database confirms it [unconfirmed].
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.text_bytes import UTF8_MARK, decoded

SIDE = 180
N_VALUES = SIDE * SIDE
MOST_LINE_BYTES = N_VALUES * 6 + 16
"""Five digits and a space for each value, and the line's end."""
MOST_FRAMES = 100_000
MOST_NAMES_BYTES = 64_000_000
_DIGITS = b"0123456789 "


@dataclass(frozen=True)
class BundleFrame:
    """Where one frame is in a `.dat` file: line from 1, byte offset, length in bytes, and its content's digest."""

    number: int
    at: int
    length: int
    digest: str


def parse_names(data: bytes) -> list[tuple[str, int]]:
    """Return (video, number of frames) of each line of a `.name` file's bytes.

    Raises:
        ValueError: naming the line.
    """
    if len(data) > MOST_NAMES_BYTES:
        raise ValueError(f"{len(data)} bytes are too many")
    try:
        text = decoded(data, "the list", "latin-1").rstrip()
    except Unreadable as error:
        raise ValueError(error.detail) from None
    videos = []
    for number, line in enumerate(text.split("\n") if text else (), 1):
        video, comma, count = (part.strip() for part in line.partition(","))
        # More may follow after a second comma; what it means is not known.
        count = count.partition(",")[0].strip()
        if not comma or not video or not (count.isascii() and count.isdigit()) or len(count) > 6:
            raise ValueError(f"line {number}: expected <video>,<number of frames>, found {line[:60]!r}")
        if int(count) > MOST_FRAMES:
            raise ValueError(f"line {number}: {count} frames are too many")
        videos.append((video, int(count)))
    return videos


def find_lines(path: str | Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (number from 1, byte offset, content) of each line of a `.dat` file, reading it once, line by line.

    Raises:
        Unreadable: `unreadable`: a line is longer than a frame can be.
        OSError: the file cannot be read.
    """
    path = Path(path)
    at = 0
    with open(path, "rb") as stream:
        for number in range(1, 2**62):
            line = stream.readline(MOST_LINE_BYTES + 1)
            if not line:
                return
            if len(line) > MOST_LINE_BYTES:
                raise Unreadable("unreadable", f"{path.name}: line {number}, byte {at}: too long for a frame")
            yield number, at, line
            at += len(line)


def line_digest(line: bytes) -> str:
    """Return a digest of a line's content."""
    return hashlib.blake2b(line, digest_size=16).hexdigest()


def read_frame(path: str | Path, line: BundleFrame) -> np.ndarray:
    """Return one frame's depth f4 (180, 180) in mm, 0 = no reading.

    Raises:
        Unreadable: `unreadable`: it is not what was listed, or no frame.
        OSError: the file cannot be read.
    """
    path = Path(path)
    with open(path, "rb") as stream:
        stream.seek(line.at)
        data = stream.read(min(line.length, MOST_LINE_BYTES))
    where = f"{path.name}: line {line.number}, byte {line.at}"
    if line_digest(data) != line.digest:
        raise Unreadable("unreadable", f"{where}: the file changed since it was listed")
    try:
        return parse_frame(data)
    except ValueError as error:
        raise Unreadable("unreadable", f"{where}: {error}") from None


def parse_frame(line: bytes) -> np.ndarray:
    """Return the depth f4 (180, 180) of a line of 32,400 whole numbers, which stand column by column.

    Raises:
        ValueError: saying what is wrong, and where.
    """
    line = line.removeprefix(UTF8_MARK).strip(b" \t\r\n")
    odd = line.translate(None, _DIGITS)
    if odd:
        raise ValueError(f"character {line.index(odd[:1]) + 1}: {odd[:1]!r} cannot be in a whole number")
    values = np.fromstring(line.decode("ascii"), np.float64, sep=" ") if line else np.zeros(0)
    if len(values) != N_VALUES:
        raise ValueError(f"{len(values)} values, expected {N_VALUES} ({SIDE}x{SIDE})")
    if values.max() > 65535:
        raise ValueError(f"value {int(values.argmax()) + 1}: {values.max():.6g} mm is not a 16-bit depth")
    return np.ascontiguousarray(values.astype(np.float32).reshape(SIDE, SIDE).T)
