"""Columns of a dataset as tables hold them: Arrow arrays, and the features by which Hugging Face names them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.errors import UserError
from face3d_data.registration.template import Template
from face3d_data.shards.batch import Batch
from face3d_data.shards.export.form import ExportRows
from face3d_data.shards.export.mesh_files import mesh_ply_bytes, template_of
from face3d_data.shards.export.samples import png_bytes

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

VALUES = {"int64": "int64", "Int64": "int64", "float64": "float64", "bool": "bool", "boolean": "bool"}
"""Kinds of a CSV's columns to those of Arrow; others are texts."""
MOST_DIMENSIONS = 5
"""Dimensions of the largest array that Hugging Face has a feature for."""
CLASS = "class"
MESH = "mesh"
"""Column of a registered face as a PLY file, beside its `vertices`."""


class ExportColumns:
    """Columns of the rows that are exported: those of the CSVs, then arrays.

    `color` is a PNG file of each row, `vertices` also a PLY file (column `mesh`); other arrays are nested lists.

    Args:
        rows: what is exported.

    Attributes:
        without_mesh: why `vertices` come without meshes; empty: they come with them, or there are none.
    """

    def __init__(self, rows: ExportRows) -> None:
        self.rows = rows
        table = rows.table(rows.splits[0])
        self.texts = {str(name): VALUES.get(str(dtype), "string") for name, dtype in table.dtypes.items()}
        self.people = rows.class_names()
        self.arrays = rows.every_array()
        self.without_mesh = ""
        self._template = self._template_of_first() if "vertices" in self.arrays else None

    @property
    def has_mesh(self) -> bool:
        """Whether faces are registered to the template, so that they have triangles."""
        return self._template is not None

    def _template_of_first(self) -> Template | None:
        """Return the template whose topology the first face has; None, and why, where it is another program's."""
        for split in self.rows.splits:
            reader = self.rows.dataset.reader(split, ["vertices"])
            if not len(reader):
                continue
            try:
                return template_of(str(self.rows.dataset.path), reader[0]["vertices"])
            except UserError as error:
                self.without_mesh = str(error)
                return None
        return None

    def features(self) -> dict[str, dict[str, Any]]:
        """Return the features of all columns, by name, as `datasets` keeps them in a file's metadata."""
        found: dict[str, dict[str, Any]] = {
            name: {"dtype": kind, "_type": "Value"} for name, kind in self.texts.items()
        }
        if all(self.people) and len(set(self.people)) == len(self.people):
            found[CLASS] = {"names": self.people, "_type": "ClassLabel"}
        for name, (shape, dtype) in self.arrays.items():
            found[name] = _feature(name, shape, dtype)
        if self.has_mesh:
            found[MESH] = {"_type": "Mesh"}
        return found

    def metadata(self) -> dict[str, str]:
        """Return the metadata of a file by which `datasets` knows its features."""
        return {"huggingface": json.dumps({"info": {"features": self.features()}})}

    def schema(self) -> pa.Schema:
        """Return the Arrow schema of a file."""
        import pyarrow as pa

        fields = [pa.field(name, pa.type_for_alias(kind)) for name, kind in self.texts.items()]
        fields += [
            pa.field(name, _arrow_type(name, *form), metadata=_extension(name, *form))
            for name, form in self.arrays.items()
        ]
        fields += [pa.field(MESH, _file_type())] if self.has_mesh else []
        return pa.schema(fields, metadata=self.metadata())

    def table(self, rows: pd.DataFrame, batch: Batch) -> pa.Table:
        """Return some rows as an Arrow table.

        Args:
            rows: of a CSV.
            batch: their arrays.
        """
        import pyarrow as pa

        schema = self.schema()
        arrays = [pa.array(rows[name], schema.field(name).type, from_pandas=True) for name in self.texts]
        ids = rows["id"].tolist()
        for name in self.arrays:
            values = batch.arrays[name]
            arrays.append(_pictures(ids, values) if name == "color" else _nested(values))
        if self.has_mesh:
            arrays.append(self._meshes(ids, batch))
        return pa.Table.from_arrays(arrays, schema=schema)

    def _meshes(self, ids: list[str], batch: Batch) -> pa.Array:
        seen = batch.arrays.get("vertex_visible")
        files: list[dict[str, Any]] = []
        if self._template is None:
            return _files(files)
        for number, vertices in enumerate(batch.arrays["vertices"]):
            visible = None if seen is None else seen[number]
            files.append({"bytes": mesh_ply_bytes(vertices, visible, self._template), "path": f"{ids[number]}.ply"})
        return _files(files)


def _feature(name: str, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
    if name == "color":
        return {"_type": "Image"}
    if not shape:
        return {"dtype": dtype, "_type": "Value"}
    if len(shape) == 1 or len(shape) > MOST_DIMENSIONS:
        feature: dict[str, Any] = {"dtype": dtype, "_type": "Value"}
        for _ in shape:
            feature = {"feature": feature, "_type": "List"}
        return feature
    return {"shape": list(shape), "dtype": dtype, "_type": f"Array{len(shape)}D"}


def _arrow_type(name: str, shape: tuple[int, ...], dtype: str) -> pa.DataType:
    import pyarrow as pa

    if name == "color":
        return _file_type()
    kind = pa.from_numpy_dtype(np.dtype(dtype))
    for _ in shape:
        kind = pa.list_(kind)
    return kind


def _extension(name: str, shape: tuple[int, ...], dtype: str) -> dict[str, str] | None:
    """Return the metadata of a field by which `datasets` takes its lists for arrays; others read the lists."""
    if name == "color" or not 2 <= len(shape) <= MOST_DIMENSIONS:
        return None
    kind = f"datasets.features.features.Array{len(shape)}DExtensionType"
    return {"ARROW:extension:name": kind, "ARROW:extension:metadata": json.dumps([shape, dtype])}


def _file_type() -> pa.DataType:
    """Return the type of a file in a column, as the features Image and Mesh have it."""
    import pyarrow as pa

    return pa.struct({"bytes": pa.binary(), "path": pa.string()})


def _pictures(ids: list[str], colors: np.ndarray) -> pa.Array:
    return _files([{"bytes": png_bytes(color), "path": f"{one}.png"} for one, color in zip(ids, colors, strict=True)])


def _files(files: Sequence[Mapping[str, Any]]) -> pa.Array:
    import pyarrow as pa

    return pa.array(files, _file_type())


def _nested(values: np.ndarray) -> pa.Array:
    """Return arrays (n, …) as lists of lists, one a row."""
    import pyarrow as pa

    made = pa.array(np.ascontiguousarray(values).reshape(-1))
    for axis in range(values.ndim - 1, 0, -1):
        offsets = np.arange(len(made) // values.shape[axis] + 1, dtype=np.int32) * values.shape[axis]
        made = pa.ListArray.from_arrays(pa.array(offsets), made)
    return made
