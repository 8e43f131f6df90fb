"""Croissant metadata of an exported dataset: files with their digests, and what each column is, as JSON-LD."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from face3d_data.plurals import counted
from face3d_data.shards.export.columns import MESH, ExportColumns
from face3d_data.shards.export.form import ExportRows
from face3d_data.shards.export.sharing import SharingTerms

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
PARQUET_TYPE = "application/x-parquet"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{
        name: f"cr:{name}"
        for name in (
            *(
                "arrayShape",
                "citeAs",
                "column",
                "containedIn",
                "equivalentProperty",
                "extract",
                "field",
                "fileProperty",
            ),
            *("fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath"),
            *(
                "key",
                "md5",
                "parentField",
                "path",
                "recordSet",
                "references",
                "regex",
                "repeated",
                "replace",
                "samplingRate",
            ),
            *("separator", "source", "subField", "transform"),
        )
    },
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
"""Names of Croissant 1.1, https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html."""
TYPES = {"string": "sc:Text", "int64": "sc:Integer", "float64": "sc:Float", "bool": "sc:Boolean"}


@dataclass(frozen=True)
class PublishedFile:
    """A file of an exported dataset.

    Attributes:
        split: whose rows it holds.
        path: relative to the dataset's folder, with slashes.
        size: bytes.
        sha256: 64 hex digits.
    """

    split: str
    path: str
    size: int
    sha256: str


def croissant_text(
    rows: ExportRows, columns: ExportColumns, files: Sequence[PublishedFile], terms: SharingTerms
) -> str:
    """Return Croissant 1.1 metadata as JSON.

    Args:
        rows: what is exported.
        columns: of its files.
        files: these; paths are relative to the metadata.
        terms: of its sources.
    """
    splits = list(dict.fromkeys(file.split for file in files))
    total = sum(rows.dataset.info["splits"][split]["samples"] for split in splits)
    cited = [one.citation for found in terms.restricted.values() for one in found]
    metadata = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": rows.dataset.name,
        "description": description_of(rows, total),
        "conformsTo": CONFORMS_TO,
        **({"citeAs": " ".join(cited)} if cited else {}),
        "keywords": ["face recognition", "3D"],
        "isLiveDataset": False,
        "distribution": [*map(_file_object, files), *map(_file_set, splits)],
        "recordSet": [_record_set(split, columns) for split in splits],
    }
    return json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"


def _file_object(file: PublishedFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "contentSize": f"{file.size} B",
        "encodingFormat": PARQUET_TYPE,
        "sha256": file.sha256,
    }


def _file_set(split: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{split}-files",
        "name": f"{split}-files",
        "description": f"Files of the split {split}.",
        "encodingFormat": PARQUET_TYPE,
        "includes": f"data/{split}-*.parquet",
    }


def _record_set(split: str, columns: ExportColumns) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"Rows of the split {split}, a row a sample.",
        "key": {"@id": f"{split}/id"},
        "field": [_field(split, name, feature) for name, feature in columns.features().items()],
    }


def _field(split: str, name: str, feature: dict[str, Any]) -> dict[str, Any]:
    kind, extract = feature["_type"], {"fileSet": {"@id": f"{split}-files"}, "extract": {"column": name}}
    field = {"@type": "cr:Field", "@id": f"{split}/{name}", "name": name, "source": extract}
    if kind in ("Image", "Mesh"):
        extract["transform"] = {"jsonPath": "bytes"}
        return field | {"dataType": "sc:ImageObject" if name != MESH else "sc:Text"}
    if kind == "ClassLabel":
        return field | {"dataType": "sc:Integer"}
    if kind == "Value":
        return field | {"dataType": TYPES.get(feature["dtype"], _number(feature["dtype"]))}
    shape = feature.get("shape", [-1])
    dtype = feature["dtype"] if "dtype" in feature else _innermost(feature)
    return field | {
        "dataType": _number(dtype),
        "isArray": True,
        "arrayShape": ",".join(map(str, shape)),
    }


def _innermost(feature: dict[str, Any]) -> str:
    while "feature" in feature:
        feature = feature["feature"]
    return str(feature["dtype"])


def _number(dtype: str) -> str:
    return "sc:Float" if dtype.startswith("float") else "sc:Integer"


def description_of(rows: ExportRows, total: int) -> str:
    """Return one sentence on what a dataset is.

    Args:
        rows: what is exported.
        total: number of rows.
    """
    people = rows.dataset.info["classes"]
    return (
        f"{counted(total, 'sample')} of {counted(people, 'person')} for 3D face recognition, made by face3d_data "
        f"{rows.dataset.info['package_version']}; arrays: {', '.join(rows.fields)}. Digest of the dataset: "
        f"{rows.dataset.info['digest']}."
    )
