"""PLY: meshes and clouds, in text and in both byte orders.

Evidence for a codec of our own (tests/formats/test_library_faults.py): trimesh 5.2 reads text that is cut off, and
faces of vertices that do not exist, without an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud import JUDGED_ROWS, Cloud, cloud_of_columns, column_name
from face3d_data.formats.cost import check_points
from face3d_data.formats.mesh import Mesh, check_indices, colors_u1, fan
from face3d_data.formats.ply_rows import Element, ElementRows, Property, read_binary_rows, read_text_rows
from face3d_data.formats.text_bytes import plain_if_text

_TYPES = {"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4",
          "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
          "int64": "i8", "uint64": "u8", "float32": "f4", "float64": "f8"}  # fmt: skip
_FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_FACE_LISTS = ("vertex_indices", "vertex_index")
_LONGEST_HEADER = 1 << 20
_BODY = re.compile(rb"[\r\n][ \t]*format[ \t]+(\w+)")


@dataclass(frozen=True)
class PlyHeader:
    """A PLY file's header: `order` is `<`, `>`, or nothing for text; the body begins at byte `size`, line `lines`."""

    order: str
    elements: tuple[Element, ...]
    size: int
    lines: int


def parse_ply_mesh(data: bytes, name: str) -> Mesh:
    """Return the mesh of a PLY file (Turk 1994, The PLY Polygon File Format): elements `vertex` and `face`.

    Polygons are cut as fans; texture coordinates and other elements are ignored; triangle strips are refused.

    Args:
        data: the file.
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`, with the line or the byte.
    """
    data = plain_if_text(data, name, _BODY, _LONGEST_HEADER)
    header = parse_header(data, name)
    _judge(header, name, {"vertex": "vertices", "face": "triangles"}, len(data))
    if any(element.name == "tristrips" for element in header.elements):
        raise Unreadable("unreadable", f"{name}: its surface consists of triangle strips: only faces are supported")
    rows = _read(data, header, name, ("vertex", "face"))
    vertices, colors = _vertices(rows, name)
    lists = rows["face"].lists if "face" in rows else {}
    found = next((lists[key] for key in _FACE_LISTS if key in lists), None)
    if found is None:
        return Mesh(vertices, np.zeros((0, 3), np.int32), colors)
    flat, starts, sizes = found
    if flat.dtype.kind not in "iu":
        raise Unreadable("unreadable", f"{name}: indices of faces are {flat.dtype}, expected whole numbers")
    check_indices(flat, len(vertices), name)
    return Mesh(vertices, fan(flat, starts, sizes, len(vertices), name), colors)


def parse_ply_cloud(data: bytes, name: str) -> Cloud:
    """Return the points of a PLY file; faces are ignored.

    Raises:
        Unreadable: `unreadable`, with the line or the byte.
    """
    data = plain_if_text(data, name, _BODY, _LONGEST_HEADER)
    header = parse_header(data, name)
    _judge(header, name, {"vertex": "points"}, len(data))
    rows = _read(data, header, name, ("vertex",))
    return cloud_of_columns(rows["vertex"].columns, name)


def ply_begin(head: bytes, name: str) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Return the names of a vertex's scalars, and the first rows of them as far as the beginning of a file has them.

    Args:
        head: the beginning of the file.
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`: no header of PLY.
    """
    head = plain_if_text(head, name, _BODY, _LONGEST_HEADER)
    header = parse_header(head, name)
    vertex = next((element for element in header.elements if element.name == "vertex"), None)
    if vertex is None:
        return (), {}
    names = tuple(prop.name for prop in vertex.properties if not prop.count)
    few = replace(vertex, count=min(vertex.count, JUDGED_ROWS))
    try:
        rows = _read(head, replace(header, elements=(few,)), name, ("vertex",)) if header.elements[0] is vertex else {}
    except Unreadable:
        rows = {}
    return names, rows["vertex"].columns if rows else {}


def _judge(header: PlyHeader, name: str, kinds: Mapping[str, str], size: int) -> None:
    """Check the numbers of a header's elements against the limits in force."""
    for element in header.elements:
        if element.name in kinds:
            check_points(element.count, name, kinds[element.name], held_by=size)


def parse_header(data: bytes, name: str) -> PlyHeader:
    """Return what the beginning of a PLY file declares.

    Raises:
        Unreadable: `unreadable`, with the line.
    """
    if not re.match(rb"ply\s", data[:4]):
        raise Unreadable("unreadable", f"{name}: line 1: not a PLY file: it starts with {data[:8]!r}")
    end = re.search(rb"(?<=[\r\n])[ \t]*end_header[ \t]*(\r\n|\n|\r)", data[:_LONGEST_HEADER])
    if end is None:
        raise Unreadable("unreadable", f"{name}: line 1: the header has no end")
    lines = re.split(rb"\r\n|\n|\r", data[: end.start()])
    order: str | None = None
    elements: list[Element] = []
    for number, line in enumerate(lines[1:], 2):
        words = line.decode("latin-1").split()
        if words[:1] == ["format"] and len(words) >= 2:
            order = _FORMATS.get(words[1])
        elif words and words[0] in ("element", "property"):
            _declare(words, elements, f"{name}: line {number}")
    if order is None:
        raise Unreadable("unreadable", f"{name}: line 2: the format is not one of {', '.join(_FORMATS)}")
    return PlyHeader(order, tuple(elements), end.end(), len(lines))


def _declare(words: list[str], elements: list[Element], where: str) -> None:
    """Add what one line of a header declares."""
    if words[0] == "element":
        if len(words) != 3 or not re.fullmatch(r"[0-9]{1,18}", words[2]):
            raise Unreadable("unreadable", f"{where}: expected 'element NAME COUNT'")
        elements.append(Element(words[1], int(words[2]), []))
        return
    types = words[2:4] if words[1:2] == ["list"] else words[1:2]
    wanted = 5 if words[1:2] == ["list"] else 3
    if len(words) != wanted or not elements or any(kind not in _TYPES for kind in types):
        raise Unreadable("unreadable", f"{where}: not a property of PLY: {' '.join(words)[:60]!r}")
    if any(known.name == words[-1] for known in elements[-1].properties):
        raise Unreadable("unreadable", f"{where}: property {words[-1][:40]!r} appears twice")
    count = _TYPES[types[0]] if wanted == 5 else ""
    if count[:1] == "f":
        raise Unreadable("unreadable", f"{where}: a list counted by {types[0]}")
    elements[-1].properties.append(Property(words[-1], _TYPES[types[-1]], count))


def _read(data: bytes, header: PlyHeader, name: str, wanted: tuple[str, ...]) -> dict[str, ElementRows]:
    """Return the rows of the wanted elements; what follows the last of them is not looked at."""
    last = max((i for i, element in enumerate(header.elements) if element.name in wanted), default=-1)
    used = header.elements[: last + 1]
    if header.order:
        rows = read_binary_rows(data, header.size, used, header.order, name)
    else:
        rows = read_text_rows(data[header.size :], header.lines, used, name)
    found = {element.name: row for element, row in zip(used, rows, strict=True) if element.name in wanted}
    if "vertex" not in found or not {"x", "y", "z"} <= found["vertex"].columns.keys():
        raise Unreadable("unreadable", f"{name}: line 1: declares no vertices with x, y and z")
    return found


def _vertices(rows: dict[str, ElementRows], name: str) -> tuple[np.ndarray, np.ndarray | None]:
    columns = rows["vertex"].columns
    vertices = np.stack([columns[axis].astype(np.float64) for axis in "xyz"], axis=1)
    named = {column_name(key): values for key, values in columns.items()}
    if not {"r", "g", "b"} <= named.keys():
        return vertices, None
    return vertices, colors_u1(np.stack([named[key] for key in "rgb"], axis=1), name)
