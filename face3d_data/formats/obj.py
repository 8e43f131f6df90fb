"""Wavefront OBJ: vertices with or without colours, and faces; everything else in the file is ignored.

Evidence for a codec of our own (tests/formats/test_library_faults.py):
trimesh 5.2 counts negative indices back from the last vertex of the file: other triangles, without an error.
"""

from __future__ import annotations

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import check_line_lengths
from face3d_data.formats.mesh import Mesh, coloured_vertices, fan
from face3d_data.formats.number_text import TextLines, blank_comments, split_lines
from face3d_data.formats.text_bytes import plain_text

_V, _F, _SLASH = (ord(char) for char in "vf/")
_NOT_FINITE = frozenset(b"nN")
"""Letters of nan and inf that no finite number has."""
VERTEX_WORDS = (3, 4, 6, 7)
"""Numbers after `v`: x y z; x y z w; x y z r g b; x y z r g b a. The colours are custom, not of the specification."""


def parse_obj(data: bytes, name: str) -> Mesh:
    """Return the mesh of an OBJ file (Wavefront, Advanced Visualizer manual, appendix B1).

    Indices count from 1; negative ones count back from the vertex last given. Groups, materials, texture coordinates
    and normals are ignored; polygons are cut as fans. Colours are given where the first vertex has one, as r g b from 0
    to 1 (or to 255, or 65535) after x y z; vertices that lack theirs are black then.

    Args:
        data: the file.
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`, with the line; `too_large`: a line of over a megabyte.
    """
    text = plain_text(data, name)
    check_line_lengths(text, name)
    text = _joined(blank_comments(text))
    check_line_lengths(text, name)
    lines = split_lines(text)
    if not len(lines.starts):
        raise Unreadable("unreadable", f"{name}: contains no lines of an OBJ file")
    first = lines.data[lines.starts]
    second = lines.data[np.minimum(lines.starts + 1, len(lines.data) - 1)]
    second[lines.starts + 1 >= len(lines.data)] = ord("\n")
    is_vertex, is_face = ((first == letter) & (second <= 32) for letter in (_V, _F))
    vertices, colors = _vertices(lines, np.flatnonzero(is_vertex), name)
    _check_last(lines, is_face, text.endswith(b"\n"), name)
    triangles = _triangles(lines, is_vertex, np.flatnonzero(is_face), name)
    return Mesh(vertices, triangles, colors)


def _check_last(lines: TextLines, is_face: np.ndarray, ended: bool, name: str) -> None:
    """Check that the last line is whole: no face without a corner, nor one of fewer than three that ends nowhere."""
    if not is_face[-1]:
        return
    others = lines.counts[:-1][is_face[:-1]]
    least = 4 if not ended and len(others) and others.min() >= 4 else 2
    if lines.counts[-1] < least:
        said = f"line {lines.numbers[-1]}: a face of {lines.counts[-1] - 1} corners at the end: truncated?"
        raise Unreadable("unreadable", f"{name}: {said}")


def _joined(data: bytes) -> bytes:
    """Return the text with lines that end in a backslash joined to the next, byte for byte as long."""
    if b"\\" not in data:
        return data
    return data.replace(b"\\\n", b"  ")


def obj_has_colors(head: bytes) -> bool:
    """Return whether all vertices in the beginning of an OBJ file have a colour of finite numbers.

    Args:
        head: the beginning; its last line may be cut off.
    """
    whole, _, _ = head.rpartition(b"\n")
    found = False
    for line in (whole or head).split(b"\n"):
        words = line.split(b"#")[0].split()
        if words[:1] != [b"v"]:
            continue
        found = len(words) in (7, 8) and _NOT_FINITE.isdisjoint(b"".join(words[4:7]))
        if not found:
            return False
    return found


def _vertices(lines: TextLines, chosen: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    words = lines.counts[chosen] - 1
    if not len(chosen):
        raise Unreadable("unreadable", f"{name}: contains no vertices")
    odd = np.flatnonzero(~np.isin(words, VERTEX_WORDS))
    if len(odd):
        line = int(lines.numbers[chosen[odd[0]]])
        wanted = int(words[0]) if words[0] in VERTEX_WORDS else 3
        raise Unreadable("unreadable", f"{name}: line {line}: a vertex of {words[odd[0]]} numbers, expected {wanted}")
    return coloured_vertices(lines.parse(chosen, name, skip=1), words, 3, name)


def _triangles(lines: TextLines, is_vertex: np.ndarray, chosen: np.ndarray, name: str) -> np.ndarray:
    sizes = lines.counts[chosen] - 1
    if not len(chosen):
        return np.zeros((0, 3), np.int32)
    indices = lines.parse(chosen, name, 1, True, _without_references)
    if len(indices) != sizes.sum():
        raise Unreadable("unreadable", f"{name}: a face has a corner without a vertex")
    n_vertices = int(is_vertex.sum())
    if (indices < 0).any():
        before = np.repeat(np.cumsum(is_vertex)[chosen], sizes)
        indices = np.where(indices < 0, indices + before + 1, indices)
    wrong = np.flatnonzero((indices < 1) | (indices > n_vertices))
    if len(wrong):
        line = lines.numbers[chosen[np.searchsorted(np.cumsum(sizes), wrong[0], side="right")]]
        said = f"a face refers to vertex {indices[wrong[0]]}, but there are {n_vertices}"
        raise Unreadable("unreadable", f"{name}: line {line}: {said}")
    return fan(indices - 1, np.cumsum(sizes) - sizes, sizes, n_vertices, name)


def _without_references(text: bytes) -> bytes:
    """Return the text of faces with all from the first slash of each word to its end as blanks."""
    if b"/" not in text:
        return text
    array = np.frombuffer(text, np.uint8).copy()
    slashes = np.cumsum(array == _SLASH, dtype=np.int32)
    before_word = np.maximum.accumulate(np.where(array <= 32, slashes, 0))
    array[slashes > before_word] = 32
    return array.tobytes()
