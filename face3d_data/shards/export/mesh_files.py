"""Registered faces as files: meshes in OBJ and PLY, and UV maps in PNG."""

from __future__ import annotations

import numpy as np

from face3d_data.errors import UserError
from face3d_data.registration.template import Template, own_template

MAP_PIXELS = 256


def template_of(where: str, vertices: np.ndarray) -> Template:
    """Return the template whose topology vertices (V, 3) have.

    Args:
        where: what messages name: the dataset's folder, and the sample.
        vertices: of one registered face.

    Raises:
        UserError: they are of another one.
    """
    template = own_template()
    if len(template.vertices) != len(vertices):
        raise UserError(
            f"{where}: has {len(vertices)} vertices a face, the package's template {len(template.vertices)}: their "
            "triangles are in the template that they were registered with; npy holds the vertices"
        )
    if not template.has_topology_of(vertices):
        raise UserError(
            f"{where}: has vertices in another order than the package's template: their triangles are in the template "
            "that they were registered with; npy holds the vertices"
        )
    return template


def obj_text(vertices: np.ndarray, template: Template) -> str:
    """Return an OBJ file of a registered face with its UV coordinates, mm."""
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in np.asarray(vertices, np.float64).tolist()]
    faces = (template.triangles + 1).tolist()
    if template.uv is None:
        return "\n".join([*lines, *(f"f {a} {b} {c}" for a, b, c in faces), ""])
    lines += [f"vt {u:.5f} {v:.5f}" for u, v in template.uv.tolist()]
    lines += [f"f {a}/{a} {b}/{b} {c}/{c}" for a, b, c in faces]
    return "\n".join([*lines, ""])


def mesh_ply_bytes(vertices: np.ndarray, visible: np.ndarray | None, template: Template) -> bytes:
    """Return a binary PLY file of a registered face, mm; whether a vertex was seen is its property `visible`."""
    columns = [(name, "<f4", vertices[:, i]) for i, name in enumerate("xyz")]
    if visible is not None:
        columns.append(("visible", "u1", visible))
    rows = np.empty(len(vertices), [(name, dtype) for name, dtype, _ in columns])
    for name, _, values in columns:
        rows[name] = values
    faces = np.empty(len(template.triangles), [("n", "u1"), ("corners", "<i4", (3,))])
    faces["n"], faces["corners"] = 3, template.triangles
    header = [
        "ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}",
        *(f"property {'uchar' if dtype == 'u1' else 'float'} {name}" for name, dtype, _ in columns),
        f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header", "",
    ]  # fmt: skip
    return "\n".join(header).encode("ascii") + rows.tobytes() + faces.tobytes()
