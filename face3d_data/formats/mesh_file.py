"""Mesh files: the codec for an ending, including compressed files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cloud import arrays_of
from face3d_data.formats.cost import check_points, check_text, check_text_bytes
from face3d_data.formats.glb import glb_has_colors, parse_glb, parse_gltf, split_glb, split_gltf
from face3d_data.formats.image import read_bytes
from face3d_data.formats.mesh import Mesh
from face3d_data.formats.obj import obj_has_colors, parse_obj
from face3d_data.formats.off import off_has_colors, parse_off
from face3d_data.formats.packed import inner_name, unpack, with_packed
from face3d_data.formats.ply import parse_ply_mesh, ply_begin
from face3d_data.formats.stl import parse_stl
from face3d_data.formats.text_bytes import read_head, text_head
from face3d_data.formats.trimesh_formats import parse_3mf, parse_dae
from face3d_data.formats.vrml import parse_vrml

_CODECS: dict[str, Callable[[bytes, str], Mesh]] = {
    ".obj": parse_obj,
    ".ply": parse_ply_mesh,
    ".stl": parse_stl,
    ".off": parse_off,
    ".glb": parse_glb,
    ".gltf": parse_gltf,
    ".3mf": parse_3mf,
    ".dae": parse_dae,
    ".wrl": parse_vrml,
    ".wrz": parse_vrml,
    ".vrml": parse_vrml,
}
_TEXTS = (".obj", ".off", ".wrl", ".vrml")
MESH_SUFFIXES: tuple[str, ...] = with_packed(tuple(_CODECS))
_HEAD_BYTES = 1 << 14
"""What is looked at for colours when a folder is listed: some hundred vertices."""


def read_mesh(path: str | Path) -> Mesh:
    """Return the mesh in a file: OBJ, STL, PLY, OFF, glTF 2 (`.glb`, `.gltf`), 3MF, Collada or VRML 2, by its ending.

    Raises:
        Unreadable: `unreadable`, with the byte offset or line; `no_surface` where there are points but no faces.
        OSError: the file is gone or cannot be read.
    """
    path = Path(path)
    # Damaged bytes make any number: what comes of it is checked, and nobody is to be warned of it.
    if _ending(path) in _TEXTS:
        check_text_bytes(path.stat().st_size, path.name)
    with np.errstate(all="ignore"):
        data = unpack(read_bytes(path), path.name)
        check_text(data, path.name)
        mesh = _CODECS[_ending(path)](data, path.name)
    # Texts declare no numbers: these are the first that are known.
    check_points(len(mesh.vertices) // 3 if _ending(path) == ".stl" else len(mesh.vertices), path.name, "vertices")
    check_points(len(mesh.triangles), path.name, "triangles")
    if not len(mesh.triangles):
        said = f"holds {len(mesh.vertices)} vertices and no faces: cloud_folder reads points only"
        raise Unreadable("no_surface", f"{path.name}: {said}")
    return mesh


def _ending(path: Path) -> str:
    name = inner_name(path.name.lower())
    return next((end for end in _CODECS if name.endswith(end)), ".vrml")


def mesh_has_colors(path: str | Path) -> bool:
    """Return whether `read_mesh` will give colours, from the beginning of a file; False where it cannot be read."""
    path = Path(path)
    ending = _ending(path)
    if ending not in (".obj", ".ply", ".off", ".glb", ".gltf"):
        return False
    try:
        whole = ending in (".glb", ".gltf")
        head = unpack(read_bytes(path), path.name) if whole else read_head(path, _HEAD_BYTES)
        if ending == ".ply":
            return "colors" in arrays_of(ply_begin(head, path.name)[0])
        if ending == ".glb":
            return glb_has_colors(split_glb(head, path.name)[0])
        if ending == ".gltf":
            return glb_has_colors(split_gltf(head, path.name)[0])
        head = text_head(head, path.name)
        return obj_has_colors(head) if ending == ".obj" else off_has_colors(head)
    except (OSError, Unreadable):
        return False
