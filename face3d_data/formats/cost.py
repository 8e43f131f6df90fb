"""Cost limits of files: their size is checked by their header, before anything is decoded.

A picture of 109 kB may unpack to gigabytes. Codecs ask here with the numbers of a header; the limits in force are those
of the reader that reads (`Reader.limits`), or the usual ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pydantic import BaseModel, ConfigDict, Field

from face3d_data.errors import TOO_LARGE, Unreadable

TRIANGLES_A_POINT = 3
"""A closed mesh has two triangles a vertex; polygons and open borders may make some more."""
BYTES_A_POINT = 64
"""A text line of x y z and a normal as programs write them takes less."""
SMALL_BYTES = 1 << 20
"""Files of this size may hold anything."""
LONGEST_LINE_BYTES = 1 << 20
"""No vertex, no row of a table and no face of a scan takes a longer line."""
LINES_A_POINT = 5
"""An OBJ has a vertex, a normal, a texture coordinate and two faces for each."""


class FileLimits(BaseModel):
    """What one file may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_megapixels: float = Field(64.0, gt=0, description="pixels of an image, millions")
    max_points: int = Field(4_000_000, gt=0, description="points of a cloud, vertices of a mesh; triangles three times")

    def __str__(self) -> str:
        return f"{{max_megapixels: {self.max_megapixels:g}, max_points: {self.max_points}}}"


USUAL = FileLimits()
_IN_FORCE: ContextVar[FileLimits] = ContextVar("limits", default=USUAL)


@contextmanager
def limits_in_force(limits: FileLimits) -> Iterator[None]:
    """Let codecs judge by these limits within the block, in this thread."""
    token = _IN_FORCE.set(limits)
    try:
        yield
    finally:
        _IN_FORCE.reset(token)


def check_pixels(width: int, height: int, name: str) -> None:
    """Check the size that an image's header declares.

    Raises:
        Unreadable: `too_large`, with the number and the option that lifts the limit.
    """
    most = _IN_FORCE.get().max_megapixels
    if width * height > most * 1e6:
        said = f"{name}: {width}x{height} px are {width * height / 1e6:.4g} megapixels"
        raise Unreadable(TOO_LARGE, f"{said}, limits: max_megapixels is {most:g}")


def check_points(count: int, name: str, what: str = "points", held_by: int | None = None) -> None:
    """Check the number of points, vertices or triangles that a header declares.

    Args:
        count: the number.
        name: the file's.
        what: the things.
        held_by: bytes that follow, where nothing is compressed: numbers that these cannot hold are damage, which the
            codec names.

    Raises:
        Unreadable: `too_large`, with the number and the option that lifts the limit.
    """
    most = _IN_FORCE.get().max_points
    if held_by is not None and count > held_by:
        return
    if count > (most * TRIANGLES_A_POINT if what == "triangles" else most):
        raise Unreadable(TOO_LARGE, f"{name}: {count:,} {what}, limits: max_points is {most}")


def most_bytes() -> int:
    """Return how many bytes a file may have, or unpack to, whatever it holds."""
    limits = _IN_FORCE.get()
    return int(max(limits.max_points * BYTES_A_POINT, limits.max_megapixels * 8e6))


def most_unpacked() -> int:
    """Return how many bytes a compressed file of points may unpack to."""
    return _IN_FORCE.get().max_points * BYTES_A_POINT + SMALL_BYTES


def check_text(data: bytes, name: str) -> None:
    """Check the number of lines of a text that holds points, before it is parsed.

    Raises:
        Unreadable: `too_large`, with the number and the option that lifts the limit.
    """
    lines, most = data.count(b"\n"), _IN_FORCE.get().max_points
    if lines > LINES_A_POINT * most:
        raise Unreadable(TOO_LARGE, f"{name}: {lines:,} lines, but limits: max_points is {most}")


def check_text_bytes(size: int, name: str) -> None:
    """Check the size of a file that is text: parsing it takes several times as much memory.

    Raises:
        Unreadable: `too_large`, with the number and the option that lifts the limit.
    """
    if size > most_unpacked():
        most = _IN_FORCE.get().max_points
        raise Unreadable(TOO_LARGE, f"{name}: {size >> 20} MB of text, more than limits: max_points = {most} need")


def check_line_lengths(data: bytes, name: str) -> None:
    """Check that lines of a text, which `\\n` ends, are no longer than those of points and faces can be.

    Raises:
        Unreadable: `too_large`, with the line.
    """
    at = 0
    while len(data) - at > LONGEST_LINE_BYTES:
        last = data.rfind(b"\n", at, at + LONGEST_LINE_BYTES + 1)
        if last < 0:
            line = data.count(b"\n", 0, at) + 1
            raise Unreadable(TOO_LARGE, f"{name}: line {line}: longer than {LONGEST_LINE_BYTES:,} bytes")
        at = last + 1


def check_bytes(size: int, name: str, how: str = "has") -> None:
    """Check the size of a file that is read whole, or of what it unpacks to.

    Raises:
        Unreadable: `too_large`, with the number and the option that lifts the limit.
    """
    most = most_bytes()
    if size > most:
        limits = _IN_FORCE.get()
        raise Unreadable(
            TOO_LARGE,
            f"{name}: {how} {size >> 20} MB, which is more than {limits.max_points} points or "
            f"{limits.max_megapixels:g} megapixels take: limits: max_points, max_megapixels",
        )
