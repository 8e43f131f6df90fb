"""Object File Format (OFF), in text.

Evidence for a codec of our own (tests/formats/test_library_faults.py):
trimesh 5.2 reads a file that is cut off as a mesh with fewer faces, without an error.
"""

from __future__ import annotations

import re
from contextlib import suppress

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import check_points
from face3d_data.formats.mesh import Mesh, check_indices, colors_u1, coloured_vertices, fan
from face3d_data.formats.number_text import TextLines, blank_comments, split_lines
from face3d_data.formats.text_bytes import plain_text

# ModelNet40's files have the counts glued to the word: OFF28048 34302 0.
_MAGIC = re.compile(rb"\s*(ST)?(C)?(N)?OFF(?=[\s0-9]|\Z)[ \t]*(BINARY)?")
_COLOR_WORDS = (4, 3)


def parse_off(data: bytes, name: str) -> Mesh:
    """Return the mesh of an OFF file (Geomview manual, OFF): a vertex a line, then a face a line.

    `C`, `N` and `ST` before `OFF` say that vertices have normals, colours and texture coordinates after x y z; of these
    the colours are kept. Counts may follow the first word on its line, with or without a blank; a file without it is
    taken as `OFF`. Colours of faces are ignored. Vertices and faces may be broken into lines in any way where faces
    have no colours: then it is the numbers that count.

    Args:
        data: the file.
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`, with the line.
    """
    text = blank_comments(plain_text(data, name))
    magic = _MAGIC.match(text)
    if magic and magic.group(4):
        raise Unreadable("unreadable", f"{name}: line 1: a binary OFF file: only text is supported")
    if magic:
        text = re.sub(rb"[^\n]", b" ", text[: magic.end()]) + text[magic.end() :]
    lines = split_lines(text)
    if not len(lines.starts):
        raise Unreadable("unreadable", f"{name}: line 1: the counts of vertices and faces are missing")
    counts = lines.parse(slice(0, 1), name, whole=True)
    if len(counts) not in (2, 3) or (counts < 0).any():
        raise Unreadable("unreadable", f"{name}: line {lines.numbers[0]}: expected counts of vertices, faces and edges")
    n_vertices, n_faces = int(counts[0]), int(counts[1])
    check_points(n_vertices, name, "vertices", held_by=len(data))
    check_points(n_faces, name, "triangles", held_by=len(data))
    has_normals, has_colors = bool(magic and magic.group(3)), bool(magic and magic.group(2))
    try:
        return _by_lines(lines, n_vertices, n_faces, 3 + 3 * has_normals if has_colors else None, name)
    except Unreadable:
        with suppress(Unreadable):
            mesh = _by_numbers(lines, n_vertices, n_faces, has_normals, has_colors, name)
            if mesh is not None:
                return mesh
        raise


def _by_lines(lines: TextLines, n_vertices: int, n_faces: int, color_at: int | None, name: str) -> Mesh:
    """Return the mesh of a file with a vertex a line, then a face a line."""
    if 1 + n_vertices + n_faces > len(lines.starts):
        has = len(lines.starts) - 1
        raise Unreadable(
            "unreadable", f"{name}: line {lines.numbers[-1]}: {has} of {n_vertices + n_faces} lines: truncated?"
        )
    rows = slice(1, 1 + n_vertices)
    words = lines.counts[rows]
    usual = int(words[0]) if n_vertices else 3
    # With colours: each vertex has as many values as the longest, or none beyond x y z and normal.
    allowed = [usual] if color_at is None else [int(words.max(initial=3)), color_at]
    odd = np.flatnonzero(~np.isin(words, allowed) | (words < 3))
    if len(odd):
        line = lines.numbers[1 + int(odd[0])]
        raise Unreadable("unreadable", f"{name}: line {line}: a vertex with a different number of values")
    numbers = lines.parse(rows, name)
    vertices, colors = coloured_vertices(numbers, words, len(numbers) if color_at is None else color_at, name)
    chosen = slice(1 + n_vertices, 1 + n_vertices + n_faces)
    return Mesh(vertices, _triangles(lines, chosen, n_vertices, name), colors)


def _by_numbers(
    lines: TextLines, n_vertices: int, n_faces: int, has_normals: bool, has_colors: bool, name: str
) -> Mesh | None:
    """Return the mesh of a file whose vertices and faces take any lines, None where its numbers do not come out even.

    Every number is of a vertex or of a face, so that faces with colours, or a file cut off, give none.
    """
    numbers = lines.parse(slice(1, None), name)
    base = 3 + 3 * has_normals
    for color_words in _COLOR_WORDS if has_colors else (0,):
        width = base + color_words
        table, rest = numbers[: n_vertices * width], numbers[n_vertices * width :]
        if len(table) < n_vertices * width:
            continue
        starts = _walk_faces(rest, n_faces)
        if starts is None:
            continue
        table = table.reshape(n_vertices, width)
        sizes = rest[starts].astype(np.int64)
        corners = rest[np.delete(np.arange(len(rest)), starts)]
        if not (corners == np.floor(corners)).all():
            continue
        check_indices(corners, n_vertices, name)
        colors = colors_u1(table[:, base : base + 3], name) if has_colors else None
        triangles = fan(corners, np.cumsum(sizes) - sizes, sizes, n_vertices, name)
        return Mesh(np.ascontiguousarray(table[:, :3]), triangles, colors)
    return None


def _walk_faces(numbers: np.ndarray, n_faces: int) -> np.ndarray | None:
    """Return where each face's count of corners stands, None where faces do not take all numbers."""
    starts, at, end = [], 0, len(numbers)
    for _ in range(min(n_faces, end)):
        if at >= end or not 1 <= numbers[at] <= end or numbers[at] % 1:
            return None
        starts.append(at)
        at += 1 + int(numbers[at])
    return np.array(starts, np.int64) if at == end and len(starts) == n_faces else None


def off_has_colors(head: bytes) -> bool:
    """Return whether the beginning of an OFF file says that its vertices have colours, and the first one has."""
    text = blank_comments(head)
    magic = _MAGIC.match(text)
    if not magic or not magic.group(2):
        return False
    counts = [len(line.split()) for line in text[magic.end() :].splitlines() if line.strip()]
    return len(counts) > 1 and counts[1] >= (9 if magic.group(3) else 6)


def _triangles(lines: TextLines, chosen: slice, n_vertices: int, name: str) -> np.ndarray:
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
        said = f"a face refers to vertex {values[wrong[0]]:g}, but there are {n_vertices}"
        raise Unreadable("unreadable", f"{name}: line {line}: {said}")
    return fan(np.where(is_corner, values, 0), begins + 1, sizes.astype(np.int64), n_vertices, name)
