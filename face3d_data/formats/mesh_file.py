"""The choice of codec by the ending of a mesh's file, compressed ones included."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.glb import glb_has_colors, parse_glb, split_glb
from face3d_data.formats.image import read_bytes
from face3d_data.formats.mesh import Mesh
from face3d_data.formats.obj import obj_has_colors, parse_obj
from face3d_data.formats.off import off_has_colors, parse_off
from face3d_data.formats.ply import parse_header, parse_ply_mesh
from face3d_data.formats.stl import parse_stl
from face3d_data.formats.vrml import parse_vrml

_CODECS: dict[str, Callable[[bytes, str], Mesh]] = {
    ".obj": parse_obj,
    ".stl": parse_stl,
    ".ply": parse_ply_mesh,
    ".off": parse_off,
    ".glb": parse_glb,
    ".wrl.gz": parse_vrml,
    ".wrl": parse_vrml,
    ".wrz": parse_vrml,
    ".vrml": parse_vrml,
}
MESH_SUFFIXES: tuple[str, ...] = tuple(_CODECS)
MOST_UNPACKED = 512 << 20
"""Bytes that a compressed file may unpack to: a head at 0.1 mm has a tenth of that."""
_PIECE = 1 << 20
_HEAD_BYTES = 1 << 16


def read_mesh(path: Path) -> Mesh:
    """Return the mesh in a file: OBJ, STL, PLY, OFF, binary glTF 2 (`.glb`) or VRML 2, told apart by its ending.

    Raises:
        Unreadable: `unreadable`, with the byte offset or line; `no_surface` where there are points but no faces.
        OSError: the file is gone or cannot be read.
    """
    # Damaged bytes make any number: what comes of it is checked, and nobody is to be warned of it.
    with np.errstate(all="ignore"):
        mesh = _CODECS[_ending(path)](unpack(read_bytes(path), path.name), path.name)
    if not len(mesh.triangles):
        raise Unreadable("no_surface", f"{path.name}: holds {len(mesh.vertices)} vertices and no face")
    return mesh


def _ending(path: Path) -> str:
    name = path.name.lower()
    return next((end for end in _CODECS if name.endswith(end)), ".vrml")


def mesh_has_colors(path: Path) -> bool:
    """Return whether `read_mesh` will give colours, from the beginning of a file; False where it cannot be read."""
    ending = _ending(path)
    if ending not in (".obj", ".ply", ".off", ".glb"):
        return False
    try:
        with open(path, "rb") as stream:
            head = stream.read(_HEAD_BYTES)
            if ending == ".glb" and len(head) == _HEAD_BYTES:
                head += stream.read()
        if ending == ".ply":
            named = [prop.name for element in parse_header(head, path.name).elements if element.name == "vertex"
                     for prop in element.properties]  # fmt: skip
            return {"red", "green", "blue"} <= set(named)
        if ending == ".glb":
            return glb_has_colors(split_glb(head, path.name)[0])
        return obj_has_colors(head) if ending == ".obj" else off_has_colors(head)
    except (OSError, Unreadable):
        return False


def unpack(data: bytes, name: str) -> bytes:
    """Return what a gzip file holds, piece by piece up to `MOST_UNPACKED`; other data as it is.

    VRML allows a `.wrl` to be compressed without saying so in its name.

    Raises:
        Unreadable: `unreadable`: damaged, cut off, or larger than that.
    """
    if not data.startswith(b"\x1f\x8b"):
        return data
    pieces, size = [], 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            while piece := stream.read(_PIECE):
                pieces.append(piece)
                size += len(piece)
                if size > MOST_UNPACKED:
                    raise Unreadable("unreadable", f"{name}: unpacks to more than {MOST_UNPACKED >> 20} MB")
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable("unreadable", f"{name}: damaged gzip after byte {size} of what it holds ({error})") from None
    return b"".join(pieces)
