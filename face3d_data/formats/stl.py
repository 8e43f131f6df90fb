"""STL, binary and ASCII.

Evidence for a codec of our own (tests/formats/test_library_faults.py):
trimesh 5.2 reads text that is cut off as an empty mesh, without an error.
"""

from __future__ import annotations

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import check_points
from face3d_data.formats.mesh import Mesh
from face3d_data.formats.number_text import split_lines
from face3d_data.formats.text_bytes import plain_text, text_head

_FACET = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_HEADER_BYTES = 84


def parse_stl(data: bytes, name: str) -> Mesh:
    """Return the mesh of an STL file (3D Systems, StereoLithography Interface Specification, 1989).

    It is binary where its length is what the count at byte 80 asks for: many binary files begin with `solid` too.
    Stored normals are ignored: many writers leave them zero. Each facet has its own three vertices.

    Args:
        data: the file.
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`, with the line or the byte.
    """
    count = int.from_bytes(data[80:84], "little") if len(data) >= _HEADER_BYTES else 0
    wanted = _HEADER_BYTES + count * _FACET.itemsize
    if len(data) >= _HEADER_BYTES and len(data) == wanted:
        check_points(count, name, "triangles")
        corners = np.frombuffer(data, _FACET, count, _HEADER_BYTES)["corners"].reshape(-1, 3).astype(np.float64)
    elif _is_ascii(text_head(data[:4096], name)):
        corners = _parse_ascii(plain_text(data, name), name)
    elif len(data) < _HEADER_BYTES:
        raise Unreadable("unreadable", f"{name}: byte {len(data)}: the header is truncated")
    else:
        raise Unreadable(
            "unreadable", f"{name}: byte 80: {count} facets need {wanted} bytes, but the file has {len(data)}"
        )
    return Mesh(corners, np.arange(len(corners), dtype=np.int32).reshape(-1, 3))


def _is_ascii(head: bytes) -> bool:
    return head[:1024].lstrip()[:5].lower() == b"solid" and b"facet" in head.lower()


def _parse_ascii(data: bytes, name: str) -> np.ndarray:
    lines = split_lines(data)
    chosen = np.flatnonzero(_begin_with(lines.data, lines.starts, b"vertex"))
    ended = int(_begin_with(lines.data, lines.starts, b"endfacet").sum())
    odd = chosen[lines.counts[chosen] != 4]
    if len(odd):
        raise Unreadable("unreadable", f"{name}: line {lines.numbers[odd[0]]}: a vertex without three numbers")
    if len(chosen) != 3 * ended:
        last = int(lines.numbers[-1])
        raise Unreadable("unreadable", f"{name}: line {last}: {len(chosen)} vertices in {ended} facets: truncated?")
    return lines.parse(chosen, name, skip=6).reshape(-1, 3)


def _begin_with(data: np.ndarray, starts: np.ndarray, word: bytes) -> np.ndarray:
    """Return for each line whether its first word is a lower-case word, in any case."""
    at = np.minimum(starts[:, None] + np.arange(len(word)), len(data) - 1)
    begins = ((data[at] | 0x20) == np.frombuffer(word, np.uint8)).all(axis=1)
    after = starts + len(word)
    return np.asarray(begins & ((after >= len(data)) | (data[np.minimum(after, len(data) - 1)] <= 32)))
