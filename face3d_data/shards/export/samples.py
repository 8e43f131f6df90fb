"""Per-sample export: PLY clouds, NumPy arrays or PNG images, named as in the CSVs next to them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.errors import UserError
from face3d_data.registration.template import Template
from face3d_data.registration.uv_map import uv_normals, uv_positions
from face3d_data.roots import ply_comment, split_root
from face3d_data.shards.batch import Batch
from face3d_data.shards.export.form import EXPORT_FRAMES, ExportRows, Form, beside, copy_lists, make_folders, write_csv
from face3d_data.shards.export.map_files import MAP_PNG, height_pixels, normal_pixels
from face3d_data.shards.export.mesh_files import MAP_PIXELS, mesh_ply_bytes, obj_text, template_of
from face3d_data.shards.export.ten_folds import in_ten_folds

if TYPE_CHECKING:
    import pandas as pd

DEPTH_MAX_MM = 65535
BARE_PAIRS = "pairs_without_header.txt"
PLY_FIELDS = ("points", "normals", "point_colors")
PNG_FIELDS = ("color", "depth")
MAP_FIELDS = ("map", "map_occlusion")
MESH_FIELDS = ("vertices", "vertex_visible")


class SampleFiles(Form):
    """`<name>/<id>.ply` and the like, and the dataset's CSVs and lists beside them.

    Args:
        rows: what is exported.
        out: folder to write into.
        kinds: any of `ply`, `npy`, `png`, `obj`, `uv`, `map`; none writes the CSVs alone.

    Raises:
        UserError: the dataset has no array that one of them can hold.
    """

    def __init__(self, rows: ExportRows, out: Path, kinds: Sequence[str]) -> None:
        super().__init__(rows, out)
        self.kinds = kinds
        self.lists_left_out: list[str] = []
        fields = rows.fields
        self.main = next((field for field in ("points", "depth") if field in fields), fields[0])
        for kind in kinds:
            mesh = ("vertices",)
            wanted = {"ply": ("points", *mesh), "npy": fields, "png": PNG_FIELDS, "map": ("map",)}.get(kind, mesh)
            if not set(wanted) & set(fields):
                lacking = f"has no {' or '.join(wanted)} to write as {kind}"
                raise UserError(f"{rows.dataset.path}: {lacking} (its arrays: {', '.join(fields)})")

    def begin(self, split: str, table: pd.DataFrame) -> None:
        """Write the split's CSV and make its people's folders."""
        super().begin(split, table)
        write_csv(self.out / f"{split}.csv", table)
        if self.kinds:
            make_folders(self.out, table["name"].tolist(), table["id"].tolist(), str(self.rows.dataset.path))

    def write(self, table: pd.DataFrame, batch: Batch) -> None:
        """Write the rows' files."""
        columns = (table[column].tolist() for column in ("name", "id", "root"))
        for name, row, root, sample in zip(*columns, batch, strict=True):
            for kind in self.kinds:
                getattr(self, f"_write_{kind}")(self.out / name / row, {**sample, "root": root, "id": row})

    def finish(self) -> None:
        """Write the lists, and what maps mean."""
        if "map" in self.kinds:
            said = self.rows.dataset.info.get("array_attributes", {}).get("map", {})
            (self.out / "maps.json").write_text(json.dumps({**said, **MAP_PNG}, indent=1) + "\n")
        self.lists_left_out = copy_lists(self.rows, self.out)
        if "ply" in self.kinds and (self.out / "pairs.csv").exists():
            self.lists_left_out += self._write_bare_pairs()

    def _write_bare_pairs(self) -> list[str]:
        """Write the pairs as evaluators of clouds read them: LFW's ten folds, without its first line."""
        folded = in_ten_folds(self.rows.dataset.table("pairs"))
        columns = (folded.table[name].tolist() for name in ("name1", "id1", "name2", "id2"))
        lines = ("\t".join((a, i, j) if a == b else (a, i, b, j)) for a, i, b, j in zip(*columns, strict=True))
        (self.out / BARE_PAIRS).write_text("".join(f"{line}\n" for line in lines), "utf-8")
        return [line.replace("pairs:", f"{BARE_PAIRS}:", 1) for line in folded.notes]

    def losses(self) -> list[str]:
        """Return what no file of a sample holds."""
        if not self.kinds or "npy" in self.kinds:
            return self.lists_left_out
        held = {"ply": (*PLY_FIELDS, *MESH_FIELDS), "png": PNG_FIELDS, "obj": ("vertices",), "uv": ("vertices",)}
        held["map"] = MAP_FIELDS
        kept = [name for kind in self.kinds for name in held[kind]]
        gone = [name for name in self.rows.fields if name not in kept]
        lines = [f"left out: {', '.join(gone)} (npy holds every array)"] if gone else []
        if "ply" in self.kinds and self.rows.normalized:
            lines.append("points lie on the unit sphere; left out: centroid and scale, their size (npy holds them)")
        if "png" in self.kinds and "depth" in self.rows.fields:
            lines.append("depth is rounded to whole mm (npy holds it as it is)")
        return lines + self.lists_left_out

    def _write_npy(self, stem: Path, sample: dict[str, Any]) -> None:
        frames = EXPORT_FRAMES if self.rows.normalized else ()
        for field in (*self.rows.fields, *frames):
            np.save(beside(stem, ".npy" if field == self.main else f".{field}.npy"), sample[field])

    def _write_ply(self, stem: Path, sample: dict[str, Any]) -> None:
        if "points" in sample:
            data = ply_bytes(sample["points"], sample.get("normals"), sample.get("point_colors"), sample["root"])
            beside(stem, ".ply").write_bytes(data)
        if "vertices" in sample:
            mesh = mesh_ply_bytes(sample["vertices"], sample.get("vertex_visible"), self._template(sample))
            beside(stem, ".mesh.ply").write_bytes(mesh)

    def _write_obj(self, stem: Path, sample: dict[str, Any]) -> None:
        beside(stem, ".obj").write_text(obj_text(sample["vertices"], self._template(sample)), "ascii")

    def _write_uv(self, stem: Path, sample: dict[str, Any]) -> None:
        template = self._template(sample)
        for name, draw in (("position", uv_positions), ("normal", uv_normals)):
            image = draw(template, sample["vertices"], MAP_PIXELS)
            _write_image(beside(stem, f".{name}.png"), np.ascontiguousarray(image[..., ::-1]))

    def _write_map(self, stem: Path, sample: dict[str, Any]) -> None:
        _write_image(beside(stem, ".height.png"), height_pixels(sample["map"]))
        write_color(beside(stem, ".normals.png"), normal_pixels(sample["map"]))
        if "map_occlusion" in sample:
            share = np.rint(255 * sample["map_occlusion"].astype(np.float32)).astype(np.uint8)
            _write_image(beside(stem, ".occlusion.png"), share)

    def _template(self, sample: dict[str, Any]) -> Template:
        return template_of(f"{self.rows.dataset.path}: {sample['id']}", sample["vertices"])

    def _write_png(self, stem: Path, sample: dict[str, Any]) -> None:
        if "color" in sample:
            write_color(beside(stem, ".png"), sample["color"])
        if "depth" in sample:
            depth = np.clip(np.rint(sample["depth"]), 0, DEPTH_MAX_MM).astype(np.uint16)
            _write_image(beside(stem, ".depth.png"), depth)


def write_color(path: Path, color: np.ndarray) -> None:
    """Write an image, u1 (H, W, 3), RGB, as PNG."""
    path.write_bytes(png_bytes(color))


def png_bytes(color: np.ndarray) -> bytes:
    """Return an image, u1 (H, W, 3), RGB, as a PNG file."""
    return _encoded(np.ascontiguousarray(color[..., ::-1]))


def _encoded(pixels: np.ndarray) -> bytes:
    import cv2

    return cv2.imencode(".png", pixels)[1].tobytes()


def _write_image(path: Path, pixels: np.ndarray) -> None:
    path.write_bytes(_encoded(pixels))


def ply_bytes(
    points: np.ndarray, normals: np.ndarray | None = None, colors: np.ndarray | None = None, root: str = ""
) -> bytes:
    """Return a binary little-endian PLY file of a cloud.

    Args:
        points: (N, 3), stored as float32.
        normals: (N, 3), stored as float32.
        colors: uint8 (N, 3), RGB.
        root: which recording it was made of, written as a comment that our readers take over.
    """
    columns = [(name, "<f4", points[:, i]) for i, name in enumerate("xyz")]
    if normals is not None:
        columns += [(f"n{name}", "<f4", normals[:, i]) for i, name in enumerate("xyz")]
    if colors is not None:
        columns += [(name, "u1", colors[:, i]) for i, name in enumerate(("red", "green", "blue"))]
    vertices = np.empty(len(points), [(name, dtype) for name, dtype, _ in columns])
    for name, _, values in columns:
        vertices[name] = values
    properties = [f"property {'uchar' if dtype == 'u1' else 'float'} {name}" for name, dtype, _ in columns]
    comment = [f"comment {ply_comment(root)}"] if split_root(root) else []
    counts = [f"element vertex {len(points)}", *properties]
    header = ["ply", "format binary_little_endian 1.0", *comment, *counts, "end_header", ""]
    return "\n".join(header).encode("ascii") + vertices.tobytes()
