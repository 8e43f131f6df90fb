"""Folders of meshes: OBJ, STL, PLY, OFF, GLB, VRML 2."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from face3d_data.formats.mesh_file import MESH_SUFFIXES, mesh_has_colors, read_mesh
from face3d_data.readers.shared.mesh_points import (
    MOST_MESH_POINTS,
    N_POINTS_TEXT,
    POINTS_FROM_TEXT,
    SURFACE_TEXT,
    PointsFrom,
    SurfaceChoice,
    points_of,
)
from face3d_data.readers.shared.scan_folder import ScanFolder
from face3d_data.registry import register


@register
class MeshFolder(ScanFolder):
    """Read folders of meshes, OBJ STL PLY OFF glTF 3MF DAE VRML: `<person>/<capture>.obj`; their surface as points.

    Points are sampled on the surface that is visible from the outside, in front (`surface`): what is behind the skin is
    not part of a scan. `normals` are those of the faces, oriented towards the visible side, whatever the winding; with
    `surface: all`, all are flipped if most point away from the viewer. `point_colors` come from vertex colours, if a
    file has them (OBJ, PLY, OFF and glTF can); textures are not read. If the first vertices of a file have no colour,
    there are no colours; later vertices without colour become black; a remark reports both (see `face3d show ID`). All
    files may be compressed (`.obj.gz`). Landmarks may be next to the meshes, in their unit and axes:
    `<capture>.landmarks.json` or `landmarks.json` with `landmarks_3d: {nose: [x, y, z], ...}`.
    """

    name = "mesh_folder"
    version = 4
    outputs = ("points", "normals", "point_colors", "landmarks_3d")
    reasons: ClassVar[dict[str, str]] = {
        **ScanFolder.reasons,
        "no_surface": "the file has no faces, or faces without area: cloud_folder reads points only",
    }
    scan_suffixes = MESH_SUFFIXES

    points_from: PointsFrom = Field("surface", description=POINTS_FROM_TEXT)
    surface: SurfaceChoice = Field("visible", description=SURFACE_TEXT)
    n_points: int = Field(30_000, gt=0, le=MOST_MESH_POINTS, description=N_POINTS_TEXT)

    def arrays_in(self, path: Path) -> tuple[str, ...]:
        """Return the arrays of a mesh: colours where the beginning of the file shows them."""
        return ("points", "normals", "point_colors") if mesh_has_colors(path) else ("points", "normals")

    def read(self, path: Path) -> dict[str, np.ndarray]:
        """Return the points of one mesh, in its own unit and axes."""
        made = points_of(read_mesh(path), path.name, self.points_from, self.n_points, self.to_camera, self.surface)
        arrays = {"points": made.points, "normals": made.normals}
        return arrays if made.colors is None else arrays | {"point_colors": made.colors}
