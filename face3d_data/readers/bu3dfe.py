"""BU-3DFE: 100 people, six expressions at four levels and a neutral face, as textured meshes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from face3d_data.errors import Unreadable, UserError
from face3d_data.formats.bnd import parse_bnd
from face3d_data.formats.image import read_bytes
from face3d_data.formats.mesh_file import read_mesh
from face3d_data.reader import Source
from face3d_data.readers.shared.bu3dfe_landmarks import five_of_83
from face3d_data.readers.shared.mesh_points import (
    MOST_MESH_POINTS,
    N_POINTS_TEXT,
    POINTS_FROM_TEXT,
    PointsFrom,
    last_read,
    points_of,
)
from face3d_data.readers.shared.named_tree import Gathered, NamedTree
from face3d_data.registry import register
from face3d_data.sample import Tag

Bu3dfeExpression = Literal["neutral", "anger", "disgust", "fear", "happy", "sadness", "surprise"]
EXPRESSIONS: dict[str, str] = {"ne": "neutral", "an": "anger", "di": "disgust", "fe": "fear", "ha": "happy",
                               "sa": "sadness", "su": "surprise"}  # fmt: skip
ETHNICITIES: dict[str, str] = {"ae": "east_asian", "am": "middle_east_asian", "bl": "black", "in": "indian",
                               "la": "latino", "wh": "white"}  # fmt: skip
_NAME = r"(?:.*/)?(?P<person>[FM][0-9]{4})_(?P<code>(?P<expression>AN|DI|FE|HA|NE|SA|SU)(?P<level>0[0-4])"
_NAME += r"(?P<ethnicity>AE|AM|BL|IN|LA|WH))_(?P<kind>F3D|RAW)"


@register
class Bu3dfe(NamedTree):
    """Read BU-3DFE: `F0001/F0001_AN01WH_F3D.wrl` with its 83 landmarks in the `.bnd`.

    The frame of the files is y up, z towards the viewer, mm [unconfirmed, as public code renders them so]. Textures are
    not read. A mesh with a `.bnd` has `landmarks_3d`: an eye is the mean of its two corners; left is left in the image,
    by position. The 83 points do not include the nose tip: it is the vertex that protrudes most from the plane of eyes
    and mouth, between them, and unknown if none does. Landmarks that are off their vertex, or at implausible distances
    for eyes and mouths, are refused.
    """

    name = "bu3dfe"
    version = 1
    outputs = ("points", "normals", "landmarks_3d")
    tag_names = ("expression", "level", "ethnicity", "sex", "category", "code")
    reasons: ClassVar[dict[str, str]] = {
        **NamedTree.reasons,
        "no_mesh": "landmarks (.bnd) without a mesh (.wrl) next to them",
        "no_surface": "the mesh has no faces, or faces without area",
        "bad_landmarks": "the .bnd cannot be read, or does not fit the mesh or a face",
        "same_name": "another file has the same person and capture",
    }
    paths: ClassVar[Mapping[str, str]] = {"mesh": _NAME + r"\.wrl", "landmarks": _NAME + r"\.bnd"}
    left_alone: ClassVar[str] = r".*\.(?:bmp|png|jpe?g|pse|txt|pdf|docx?|html?)"
    data_files: ClassVar[str] = r".*\.(?:wrl|bnd)(?:\.gz)?"
    example: ClassVar[str] = "F0001/F0001_AN01WH_F3D.wrl"

    model: Literal["F3D", "RAW"] = Field(
        "F3D", exclude=True, description="F3D: the cropped face, with landmarks; RAW: as scanned"
    )
    expressions: tuple[Bu3dfeExpression, ...] | None = Field(
        None, exclude=True, description="only these: neutral anger disgust fear happy sadness surprise"
    )
    levels: tuple[Annotated[int, Field(ge=0, le=4)], ...] | None = Field(
        None, exclude=True, description="only these levels of expression: 1 to 4; neutral faces have 0"
    )
    points_from: PointsFrom = Field("vertices", description=POINTS_FROM_TEXT)
    n_points: int = Field(30_000, gt=0, le=MOST_MESH_POINTS, description=N_POINTS_TEXT)

    def scan(self) -> Iterator[Source]:
        """Yield every mesh that the options select, sorted, and every mesh and `.bnd` that fits no name.

        Raises:
            UserError: the root does not exist or contains no mesh, or the options select none.
        """
        selected = False
        for source in super().scan():
            selected = True
            yield source
        if not selected:
            raise UserError(f"{self.name}: no mesh in {self.root} is selected: see model, expressions, levels")

    def name_of(self, role: str, groups: Mapping[str, str]) -> tuple[str, str]:
        """Return the person (F0001) and the capture (AN01WH_F3D)."""
        return groups["person"].upper(), f"{groups['code']}_{groups['kind']}".upper()

    def is_wanted(self, groups: Mapping[str, str]) -> bool:
        """Return whether the options take a file: kind, expression and level."""
        return (
            groups["kind"].upper() == self.model
            and (self.expressions is None or EXPRESSIONS[groups["expression"].lower()] in self.expressions)
            and (self.levels is None or int(groups["level"]) in self.levels)
        )

    def source(self, found: Gathered) -> Source:
        """Return the source of one mesh and its landmarks; nothing is opened here."""
        files, groups = found.first("mesh", "landmarks"), found.groups()
        problem = None
        if "mesh" not in files:
            problem = ("no_mesh", f"{files['landmarks'].name} has no .wrl next to it")
        twice = next((paths for paths in found.files.values() if len(paths) > 1), None)
        if twice is not None:
            problem = ("same_name", f"{twice[1][0].name} lies in {twice[0][0].parent.name} and again elsewhere")
        arrays = ("points", "normals", *(("landmarks_3d",) if "landmarks" in files else ()))
        return Source(found.person, found.capture, files, tags=_tags(groups), arrays=arrays, problem=problem)

    def inspect(self, source: Source) -> None:
        """Refuse empty files before any stage runs."""
        for path in source.files.values():
            if path.stat().st_size == 0:
                raise Unreadable("unreadable", f"{path.name}: byte 0: the file is empty")

    def load(self, source: Source, name: str) -> np.ndarray:
        """Return one array, mm in the camera frame."""
        arrays = last_read(self, source.files["mesh"], self._read)
        if name == "landmarks_3d":
            path = source.files["landmarks"]
            indices, places = parse_bnd(read_bytes(path), path.name)
            return five_of_83(indices, _to_camera(places), arrays["vertices"], path.name)
        return arrays[name]

    def _read(self, path: Path) -> dict[str, np.ndarray]:
        mesh = read_mesh(path)
        made = points_of(mesh, path.name, self.points_from, self.n_points, _to_camera)
        if not np.abs(made.points).max() < 1e7:
            raise Unreadable("unreadable", f"{path.name}: a coordinate is {np.abs(made.points).max():g} mm: damaged")
        return {
            "points": _to_camera(made.points),
            "normals": _to_camera(made.normals),
            "vertices": _to_camera(mesh.vertices),
        }


def _to_camera(vectors: np.ndarray) -> np.ndarray:
    """Turn vectors (N, 3) with y up and z towards the viewer into the camera frame, as f4."""
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(vectors * np.array([1, -1, -1]), np.float32)


def _tags(groups: Mapping[str, str]) -> dict[str, Tag]:
    code = groups["expression"]
    return {
        "expression": EXPRESSIONS[code.lower()],
        "level": int(groups["level"]),
        "ethnicity": ETHNICITIES[groups["ethnicity"].lower()],
        "sex": "female" if groups["person"][0] in "Ff" else "male",
        "category": code.upper(),
        "code": groups["code"].upper(),
    }
