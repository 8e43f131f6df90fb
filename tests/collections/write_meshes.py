"""Writers of mesh files from their specifications, and of tiny collections; they share nothing with codecs."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scans import face_scan, scan_mesh

FIVE_NAMES = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
PLY_BODIES = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


def y_up(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (N, 3) of the camera frame (y down, z forward) with y up and z towards the viewer, exactly."""
    return np.asarray(vectors, np.float32) * np.array([1, -1, -1], np.float32)


def write_obj(
    path: Path, vertices: np.ndarray, triangles: np.ndarray, colors: np.ndarray | None = None, backwards: bool = False
) -> None:
    """Write a Wavefront OBJ with texture and normal references, as scanners' programs do.

    Args:
        path: file to write.
        vertices: (V, 3).
        triangles: int (T, 3), from 0.
        colors: u1 (V, 3), written from 0 to 1 after the coordinates.
        backwards: write negative indices.
    """
    lines = ["# a scan", "mtllib scan.mtl", "o face"]
    for i, point in enumerate(vertices):
        color = "" if colors is None else " " + " ".join(f"{value / 255:.6f}" for value in colors[i])
        lines.append("v " + " ".join(f"{value:.9g}" for value in point) + color)
    lines += ["vt 0 0", "vn 0 0 1", "usemtl skin", "s off"]
    for corners in triangles:
        places = [corner - len(vertices) if backwards else corner + 1 for corner in corners]
        lines.append("f " + " ".join(f"{place}/1/1" for place in places))
    path.write_text("\n".join(lines) + "\n")


def write_stl(path: Path, vertices: np.ndarray, triangles: np.ndarray, text: bool = False) -> None:
    """Write an STL; the binary one's header begins with `solid`, as some programs write it."""
    if text:
        lines = ["solid face"]
        for corners in triangles:
            lines += ["  facet normal 0 0 0", "    outer loop"]
            lines += ["      vertex " + " ".join(f"{value:.9g}" for value in vertices[corner]) for corner in corners]
            lines += ["    endloop", "  endfacet"]
        path.write_text("\n".join([*lines, "endsolid face", ""]))
        return
    facets = [struct.pack("<12fH", 0, 0, 0, *vertices[corners].ravel(), 0) for corners in triangles]
    path.write_bytes(b"solid of binary facets".ljust(80) + struct.pack("<I", len(facets)) + b"".join(facets))


def write_ply(
    path: Path,
    columns: Mapping[str, np.ndarray],
    faces: Sequence[Sequence[int]] = (),
    body: str = "binary_little_endian",
    texture: bool = False,
) -> None:
    """Write a PLY.

    Args:
        path: file to write.
        columns: name to values (V,) of the vertices' properties; f4, f8 or u1.
        faces: corners of each face, from 0; none: no element of faces.
        body: one of `PLY_BODIES`.
        texture: also give each face a list of texture coordinates, as MeshLab does.
    """
    kinds = {"f4": "float", "f8": "double", "u1": "uchar"}
    header = ["ply", f"format {body} 1.0", "comment a scan", f"element vertex {len(next(iter(columns.values())))}"]
    header += [f"property {kinds[values.dtype.str[1:]]} {name}" for name, values in columns.items()]
    if len(faces):
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        header += ["property list uchar float texcoord"] if texture else []
    rows, order = list(zip(*columns.values(), strict=True)), PLY_BODIES[body]
    lines = _ply_binary(columns, rows, faces, texture, order) if order else _ply_text(rows, faces, texture)
    path.write_bytes("\n".join([*header, "end_header", ""]).encode() + b"".join(lines))


def _texture_of(corners: Sequence[int], texture: bool) -> list[float]:
    return [0.5] * (2 * len(corners)) if texture else []


def _ply_text(rows: Sequence[Sequence[Any]], faces: Sequence[Sequence[int]], texture: bool) -> Iterator[bytes]:
    for row in rows:
        yield (" ".join(f"{float(value):.9g}" for value in row) + "\n").encode()
    for corners in faces:
        coordinates = _texture_of(corners, texture)
        words = [len(corners), *corners, *([len(coordinates), *coordinates] if texture else [])]
        yield (" ".join(str(word) for word in words) + "\n").encode()


def _ply_binary(
    columns: Mapping[str, np.ndarray],
    rows: Sequence[Sequence[Any]],
    faces: Sequence[Sequence[int]],
    texture: bool,
    order: str,
) -> Iterator[bytes]:
    codes = {"f4": "f", "f8": "d", "u1": "B"}
    pack = order + "".join(codes[values.dtype.str[1:]] for values in columns.values())
    for row in rows:
        yield struct.pack(pack, *(value.item() for value in row))
    for corners in faces:
        yield struct.pack(f"{order}B{len(corners)}i", len(corners), *corners)
        if texture:
            coordinates = _texture_of(corners, texture)
            yield struct.pack(f"{order}B{len(coordinates)}f", len(coordinates), *coordinates)


def write_off(path: Path, vertices: np.ndarray, triangles: np.ndarray, colors: np.ndarray | None = None) -> None:
    """Write an OFF, or a COFF where there are colours; its faces have a colour that is not of the vertices."""
    lines = ["OFF" if colors is None else "COFF", "# a scan", f"{len(vertices)} {len(triangles)} 0"]
    for i, point in enumerate(vertices):
        color = "" if colors is None else " " + " ".join(str(value) for value in (*colors[i], 255))
        lines.append(" ".join(f"{value:.9g}" for value in point) + color)
    lines += [f"3 {a} {b} {c} 0.5 0.5 0.5" for a, b, c in triangles]
    path.write_text("\n".join(lines) + "\n")


def write_glb(path: Path, vertices: np.ndarray, triangles: np.ndarray, colors: np.ndarray | None = None) -> None:
    """Write a binary glTF 2.0; a node moves the mesh down by 1, and its positions are that much too high."""
    raised = np.asarray(vertices, "<f4") + np.array([0, 1, 0], "<f4")
    parts = [raised.tobytes(), np.asarray(triangles, "<u4").tobytes()]
    accessors = [
        {"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3"},
        {"bufferView": 1, "componentType": 5125, "count": 3 * len(triangles), "type": "SCALAR"},
    ]
    attributes = {"POSITION": 0}
    if colors is not None:
        rgba = np.concatenate([colors, np.full((len(colors), 1), 255)], axis=1).astype("u1")
        parts.append(rgba.tobytes())
        accessors.append(
            {"bufferView": 2, "componentType": 5121, "normalized": True, "count": len(colors), "type": "VEC4"}
        )
        attributes["COLOR_0"] = 2
    views, at = [], 0
    for part in parts:
        views.append({"buffer": 0, "byteOffset": at, "byteLength": len(part)})
        at += len(part)
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"children": [1], "translation": [0, -1, 0]}, {"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 1}]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": at}],
    }
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    binary = b"".join(parts)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def vrml_text(vertices: np.ndarray, triangles: np.ndarray) -> str:
    """Return a VRML 2 file with one textured shape, its arrays broken into lines without regard to their triples."""
    points = ", ".join(" ".join(f"{value:.9g}" for value in point) for point in vertices)
    indices = ", ".join(f"{a}, {b}, {c}, -1" for a, b, c in triangles)
    return f"""#VRML V2.0 utf8
# a scan [ with a bracket in a comment
Viewpoint {{ position 0 0 500 description "front ] view" }}
Shape {{
  appearance Appearance {{ texture ImageTexture {{ url [ "scan [1].bmp" ] }} }}
  geometry IndexedFaceSet {{
    solid FALSE
    coord DEF points Coordinate {{ point [
{_wrapped(points)}
    ] }}
    texCoord TextureCoordinate {{ point [ 0 0, 1 1 ] }}
    coordIndex [ {_wrapped(indices)} ]
    texCoordIndex [ 0, 1, 0, -1 ]
  }}
}}
"""


def _wrapped(text: str) -> str:
    """Break a text into lines of eight words."""
    words = text.split()
    return "\n".join(" ".join(words[at : at + 8]) for at in range(0, len(words), 8))


def five_entry(landmarks_3d: np.ndarray) -> dict[str, dict[str, list[float] | None]]:
    """Return what `<capture>.landmarks.json` holds of five landmarks (5, 3); rows of NaN are null."""
    rows = [row if np.isfinite(row).all() else None for row in np.asarray(landmarks_3d)]
    points = {
        name: None if row is None else [float(value) for value in row]
        for name, row in zip(FIVE_NAMES, rows, strict=True)
    }
    return {"landmarks_3d": points}


def _ply(path: Path, vertices: np.ndarray, triangles: np.ndarray, colors: np.ndarray, body: str) -> None:
    columns = {axis: np.asarray(vertices[:, i], np.float32) for i, axis in enumerate("xyz")}
    columns |= {name: colors[:, i] for i, name in enumerate(("red", "green", "blue"))}
    write_ply(path, columns, triangles.tolist(), body, texture=True)


MESH_WRITERS: dict[str, Callable[[Path, np.ndarray, np.ndarray, np.ndarray], None]] = {
    ".obj": write_obj,
    ".stl": lambda path, v, t, c: write_stl(path, v, t),
    "_text.stl": lambda path, v, t, c: write_stl(path, v, t, text=True),
    ".ply": lambda path, v, t, c: _ply(path, v, t, c, "binary_little_endian"),
    "_text.ply": lambda path, v, t, c: _ply(path, v, t, c, "ascii"),
    "_big.ply": lambda path, v, t, c: _ply(path, v, t, c, "binary_big_endian"),
    ".off": write_off,
    ".glb": write_glb,
    ".wrl": lambda path, v, t, c: write_plain(path, vrml_text(v, t).encode()),
    ".wrl.gz": lambda path, v, t, c: write_gzip(path, vrml_text(v, t).encode()),
}
"""What follows a capture's number in its file's name, to what writes it."""


def write_plain(path: Path, data: bytes) -> None:
    """Write data as it is."""
    path.write_bytes(data)


def write_gzip(path: Path, data: bytes) -> None:
    """Write compressed data, the same bytes every time."""
    import gzip

    path.write_bytes(gzip.compress(data, mtime=0))


def write_meshes(root: Path, people: int = 2, captures: int = 5, rows: int = 24, landmarks: bool = True) -> Path:
    """Write tiny face scans as meshes, y up, in mm, as `mesh_folder` reads them: each capture in the next format.

    Every other person has a `landmarks.json`, the others a `.landmarks.json` for each capture.

    Returns:
        The root.
    """
    kinds = list(MESH_WRITERS)
    for person in range(people):
        folder = root / f"person_{person:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        entries = {}
        for capture in range(captures):
            scan = face_scan(person, capture, rows)
            vertices, triangles, colors = scan_mesh(scan)
            kind = kinds[(person * captures + capture) % len(kinds)]
            stem = f"{capture:02d}{kind.partition('.')[0]}"
            MESH_WRITERS[kind](folder / f"{capture:02d}{kind}", y_up(vertices), triangles, colors)
            entries[stem] = five_entry(y_up(scan.landmarks_3d))
            if landmarks and person % 2:
                (folder / f"{stem}.landmarks.json").write_text(json.dumps(entries[stem]))
        if landmarks and not person % 2:
            (folder / "landmarks.json").write_text(json.dumps(entries))
    return root
