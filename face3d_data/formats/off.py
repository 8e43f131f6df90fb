"""Object File Format, in text."""

from __future__ import annotations

import re

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.mesh import Mesh, colors_u1, fan
from face3d_data.formats.number_text import Lines, blank_comments, split_lines

_MAGIC = re.compile(rb"\s*(ST)?(C)?(N)?OFF(?!\S)[ \t]*(BINARY)?")


def parse_off(data: bytes, name: str) -> Mesh:
    """Return the mesh of an OFF file (Geomview manual, OFF): a vertex a line, then a face a line.

    `C`, `N` and `ST` before `OFF` say that vertices have normals, colours and texture coordinates after x y z; of
    these the colours are kept. Counts may follow the first word on its line; a file without it is taken as `OFF`.
    Colours of faces are left aside.

    Args:
        data: the file.
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`, with the line.
    """
    text = blank_comments(data)
    magic = _MAGIC.match(text)
    if magic and magic.group(4):
        raise Unreadable("unreadable", f"{name}: line 1: a binary OFF file: only text is read")
    if magic:
        text = re.sub(rb"[^\r\n]", b" ", text[: magic.end()]) + text[magic.end() :]
    lines = split_lines(text)
    if not len(lines.starts):
        raise Unreadable("unreadable", f"{name}: line 1: no count of vertices and faces")
    counts = lines.parse(slice(0, 1), name, whole=True)
    if len(counts) not in (2, 3) or (counts < 0).any():
        raise Unreadable("unreadable", f"{name}: line {lines.numbers[0]}: wanted counts of vertices, faces and edges")
    n_vertices, n_faces = int(counts[0]), int(counts[1])
    if 1 + n_vertices + n_faces > len(lines.starts):
        has = len(lines.starts) - 1
        raise Unreadable("unreadable", f"{name}: line {lines.numbers[-1]}: {has} of {n_vertices + n_faces} lines: cut?")
    values = _vertices(lines, n_vertices, name)
    at = 3 + (3 if magic and magic.group(3) else 0)
    colors = colors_u1(values[:, at : at + 3], name) if magic and magic.group(2) and values.shape[1] >= at + 3 else None
    chosen = slice(1 + n_vertices, 1 + n_vertices + n_faces)
    return Mesh(np.ascontiguousarray(values[:, :3]), _triangles(lines, chosen, n_vertices, name), colors)


def _vertices(lines: Lines, count: int, name: str) -> np.ndarray:
    """Return the numbers of all vertices, f8 (V, k)."""
    rows = slice(1, 1 + count)
    words = int(lines.counts[1]) if count else 3
    odd = np.flatnonzero(lines.counts[rows] != words)
    if words < 3 or len(odd):
        line = lines.numbers[1 + (int(odd[0]) if len(odd) else 0)]
        raise Unreadable("unreadable", f"{name}: line {line}: a vertex with another number of values")
    return lines.parse(rows, name).reshape(-1, words)


def off_has_colors(head: bytes) -> bool:
    """Return whether the beginning of an OFF file says that its vertices have colours, and the first one has."""
    text = blank_comments(head)
    magic = _MAGIC.match(text)
    if not magic or not magic.group(2):
        return False
    counts = [len(line.split()) for line in text[magic.end() :].splitlines() if line.strip()]
    return len(counts) > 1 and counts[1] >= (9 if magic.group(3) else 6)


def _triangles(lines: Lines, chosen: slice, n_vertices: int, name: str) -> np.ndarray:
    words = lines.counts[chosen]
    values = lines.parse(chosen, name)
    begins = np.cumsum(words) - words
    sizes = values[begins]
    wrong = np.flatnonzero(~((sizes >= 1) & (sizes <= words - 1)))
    if len(wrong):
        line = lines.numbers[chosen][wrong[0]]
        said = f"a face of {sizes[wrong[0]]:g} corners, and {words[wrong[0]] - 1} numbers follow"
        raise Unreadable("unreadable", f"{name}: line {line}: {said}")
    # Colours may follow a face's corners: they are no indices.
    is_corner = np.arange(len(values)) - np.repeat(begins, words)
    is_corner = (is_corner >= 1) & (is_corner <= np.repeat(sizes, words))
    wrong = np.flatnonzero(is_corner & ~((values >= 0) & (values < n_vertices) & (values == np.floor(values))))
    if len(wrong):
        line = lines.numbers[chosen][np.searchsorted(np.cumsum(words), wrong[0], side="right")]
        said = f"a face names vertex {values[wrong[0]]:g}, and there are {n_vertices}"
        raise Unreadable("unreadable", f"{name}: line {line}: {said}")
    return fan(np.where(is_corner, values, 0), begins + 1, sizes.astype(np.int64))
