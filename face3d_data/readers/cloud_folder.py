"""Folders of point clouds: PLY, PCD, text, NumPy arrays, bc."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from face3d_data.formats.cloud_file import CLOUD_SUFFIXES, cloud_arrays, read_cloud
from face3d_data.readers.shared.scan_folder import ScanFolder
from face3d_data.registry import register

Column = Literal["x", "y", "z", "nx", "ny", "nz", "r", "g", "b", "curvature", "-"]
_ARRAY = {"points": "points", "normals": "normals", "colors": "point_colors", "curvature": "curvature"}


@register
class CloudFolder(ScanFolder):
    """Read folders of point clouds, PLY PCD XYZ TXT PTS CSV NPY NPZ BC BCNC OBJ: `<person>/<capture>.ply`.

    Text files and arrays have one point per row. Three columns are x y z. Six are x y z and a normal, if the first rows
    have normals of unit length, otherwise x y z and r g b (0 to 255, 0 to 1, or 0 to 65535). Seven are x y z, normal,
    curvature, or x y z, intensity, r g b, as in PTS files. A header line or a comment that names all columns takes
    precedence over that, and the option `columns` over both; columns with unknown names are ignored. In arrays of
    records the field names define the columns. The vertices of an OBJ are read unless another file makes the same
    capture. Text, PLY, PCD and OBJ files may be compressed (`.ply.gz`); text may be UTF-8, UTF-16 or UTF-32, with
    decimal commas if blanks separate the numbers.

    Points with a coordinate that is not finite, and points whose normal has no direction, are left out; if no normal
    has a direction, the normals are left out. Invalid colours become black. A remark reports both (see `face3d show
    ID`). Landmarks may be next to the clouds, in their unit and axes: `<capture>.landmarks.json` or `landmarks.json`
    with `landmarks_3d: {nose: [x, y, z], ...}`.
    """

    name = "cloud_folder"
    version = 3
    outputs = ("points", "normals", "point_colors", "curvature", "landmarks_3d")
    reasons: ClassVar[dict[str, str]] = {
        **ScanFolder.reasons,
        "unknown_columns": "the meaning of the columns is ambiguous: set columns",
        "no_key": "the .npz file has several arrays, or none of this name: set key",
    }
    scan_suffixes = CLOUD_SUFFIXES
    last_suffixes = (".obj", ".obj.gz")

    columns: tuple[Column, ...] | None = Field(
        None,
        description="columns of texts and arrays, in order: x y z nx ny nz r g b curvature, - to skip one",
    )
    key: str | None = Field(None, min_length=1, description="array of .npz files to read, if not points, xyz, data ...")

    @model_validator(mode="after")
    def _columns_make_sense(self) -> CloudFolder:
        named = [column for column in self.columns or ("x", "y", "z") if column != "-"]
        if len(set(named)) < len(named) or not {"x", "y", "z"} <= set(named):
            raise ValueError(f"columns {' '.join(named)}: x, y and z must be there, and nothing twice")
        return self

    def arrays_in(self, path: Path) -> tuple[str, ...]:
        """Return the arrays that the beginning of a file shows."""
        return tuple(_ARRAY[name] for name in cloud_arrays(path, self.columns, self.key))

    def read(self, path: Path) -> dict[str, np.ndarray]:
        """Return the points of one cloud, in its own unit and axes."""
        cloud = read_cloud(path, self.columns, self.key)
        found = {array: getattr(cloud, name) for name, array in _ARRAY.items()}
        return {array: values for array, values in found.items() if values is not None}
