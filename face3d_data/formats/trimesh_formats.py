"""3MF and Collada (`.dae`) meshes, read by trimesh; content that it would silently skip is refused first."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from face3d_data.errors import Unreadable
from face3d_data.formats.cost import check_text_bytes
from face3d_data.formats.mesh import Mesh, check_indices
from face3d_data.remarks import remark

_DOCTYPE = b"<!DOCTYPE"
"""Begins a document type, whose entities may unpack to any size; neither format needs one."""


def parse_3mf(data: bytes, name: str) -> Mesh:
    """Return the mesh of a 3MF file (3MF Consortium, Core Specification 1.3): the triangles of all built items.

    Colours and materials are ignored; the unit is the reader's to say.

    Raises:
        Unreadable: `unreadable`, with what is wrong; `too_large` for what unpacks to more than limits allow.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_text_bytes(sum(info.file_size for info in archive.infolist()), name)
            for info in archive.infolist():
                if info.filename.lower().endswith(".model"):
                    _check_xml(archive.read(info), name)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as error:
        raise Unreadable("unreadable", f"{name}: not a 3MF file: {_line(error)}") from None
    return _mesh(data, "3mf", name)


def parse_dae(data: bytes, name: str) -> Mesh:
    """Return the mesh of a Collada file (Khronos, COLLADA 1.4.1): the triangles of its scene, moved by its nodes.

    trimesh leaves out a geometry that pycollada cannot read; such a file is refused here. Colours, materials and the
    file's unit and up axis are ignored: reader options say what they are.

    Raises:
        Unreadable: `unreadable`, with what is wrong.
    """
    import collada

    check_text_bytes(len(data), name)
    _check_xml(data, name)
    try:
        collada.Collada(io.BytesIO(data))
    except Exception as error:  # whatever damaged XML makes of its objects
        raise Unreadable("unreadable", f"{name}: {_line(error)}") from None
    return _mesh(data, "dae", name)


def _check_xml(data: bytes, name: str) -> None:
    if _DOCTYPE in data.replace(b"\0", b"").upper():
        raise Unreadable("unreadable", f"{name}: has a document type (<!DOCTYPE>), which is not supported: remove it")


def _mesh(data: bytes, kind: str, name: str) -> Mesh:
    import trimesh

    try:
        scene = trimesh.load_scene(io.BytesIO(data), file_type=kind, process=False)
        made = scene.to_mesh()
        vertices, triangles = np.asarray(made.vertices, np.float64), np.asarray(made.faces)
    except Exception as error:  # whatever damaged numbers make of its arrays
        raise Unreadable("unreadable", f"{name}: {_line(error)}") from None
    if not len(triangles):
        raise Unreadable("unreadable", f"{name}: its scene contains no triangles")
    check_indices(triangles.ravel(), len(vertices), name)
    if made.visual.kind == "vertex":
        remark(f"{name}: colours of its vertices are ignored: save it as PLY to keep them")
    return Mesh(vertices, triangles.astype(np.int32))


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())[:160]
    return text if text.startswith(type(error).__name__) else f"{type(error).__name__}: {text}"
