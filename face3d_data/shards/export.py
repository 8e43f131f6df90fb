"""A dataset as one file a sample, for programs that read no shards."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from face3d_data.atomic import TEMPORARY_SUFFIX
from face3d_data.errors import UserError
from face3d_data.shards.lists import csv_text
from face3d_data.shards.read import Dataset, ShardReader

if TYPE_CHECKING:
    import pandas as pd

FORMATS = {
    "ply": "points, with normals and colours where the dataset has them, as <name>/<id>.ply",
    "npy": "every array as it is stored: points (or depth, or the first) as <name>/<id>.npy, others <id>.<array>.npy",
    "png": "colour as <name>/<id>.png, depth as <name>/<id>.depth.png (16 bits, whole mm)",
}
LEFT_OUT = ("shard", "index")
"""Columns of the dataset's CSVs that mean nothing outside of it."""
BLOCK = 64
LONGEST_NAME = 240
"""Bytes of a name, below the 255 that file systems take, with room for endings."""
DEPTH_MAX_MM = 65535


def export_dataset(
    path: Path,
    out: Path,
    formats: Sequence[str] = ("ply",),
    splits: Sequence[str] | None = None,
    tell: Callable[[int], None] = lambda n: None,
) -> int:
    """Write a dataset as `<out>/<name>/<id>.<format>`, with its CSVs and pairs beside.

    Everything is written to a folder beside `out` first: `out` is whole or not there.

    Args:
        path: the dataset's folder.
        out: a folder that is empty or not there yet.
        formats: any of `FORMATS`.
        splits: splits to write, all by default.
        tell: called with the number of samples just written.

    Returns:
        The number of samples written.

    Raises:
        UserError: `out` holds something, a format does not fit the dataset's arrays, or there is no such split.
    """
    dataset = Dataset(path)
    chosen = list(splits or dataset.splits)
    readers = {split: dataset.reader(split) for split in chosen}
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: is not empty: give a folder that is not there yet")
    writers = [_writer(name, _fields(dataset), str(path)) for name in dict.fromkeys(formats)]
    out = out.absolute()
    partial = out.with_name(f".{out.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        partial.mkdir(parents=True)
        for split, reader in readers.items():
            _write_samples(partial, reader, dataset.table(split), writers, tell)
        _write_lists(partial, dataset, chosen)
        os.replace(partial, out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error}): give another folder") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return sum(map(len, readers.values()))


Writer = Callable[[Path, dict[str, Any]], None]


def _fields(dataset: Dataset) -> list[str]:
    return list(dataset.info["spec"]["fields"])


def _writer(name: str, fields: Sequence[str], where: str) -> Writer:
    """Return what writes one sample: called with the file's path without its ending, and the sample's arrays.

    Raises:
        UserError: no such format, or the dataset has no array that it can hold.
    """
    if name not in FORMATS:
        raise UserError(f"no format {name!r}: choose {', '.join(FORMATS)}")
    wanted = {"ply": ("points",), "npy": tuple(fields), "png": ("color", "depth")}[name]
    if not set(wanted) & set(fields):
        raise UserError(f"{where}: has no {' or '.join(wanted)} to write as {name} (its arrays: {', '.join(fields)})")
    if name == "npy":
        main = next((field for field in ("points", "depth") if field in fields), fields[0])
        return lambda stem, sample: _write_npy(stem, sample, fields, main)
    return {"ply": _write_ply, "png": _write_png}[name]


def _write_samples(
    out: Path, reader: ShardReader, table: pd.DataFrame, writers: Sequence[Writer], tell: Callable[[int], None]
) -> None:
    longest = max(table["id"], key=len, default="")
    if len(longest) > LONGEST_NAME:
        raise UserError(f"{reader.path}: {longest[:60]}… is too long for a file name: shorten the capture's name")
    stems = [out / name / row_id for name, row_id in zip(table["name"].tolist(), table["id"].tolist(), strict=True)]
    for folder in dict.fromkeys(stem.parent for stem in stems):
        folder.mkdir(exist_ok=True)
    for start in range(0, len(reader), BLOCK):
        batch = reader.__getitems__(range(start, min(start + BLOCK, len(reader))))
        for stem, sample in zip(stems[start : start + BLOCK], batch, strict=True):
            for write in writers:
                write(stem, sample)
        tell(len(batch))


def _write_lists(out: Path, dataset: Dataset, splits: Sequence[str]) -> None:
    lists = [name for name in ("gallery", "probe") if (dataset.path / f"{name}.csv").exists()]
    for name in (*splits, *lists):
        table = dataset.table(name).drop(columns=list(LEFT_OUT)).astype(object)
        rows = table.where(table.notna(), "").to_numpy().tolist()
        (out / f"{name}.csv").write_text(csv_text(list(table.columns), rows), "utf-8")
    for name in ("pairs.csv", "pairs.txt"):
        if (dataset.path / name).exists():
            shutil.copyfile(dataset.path / name, out / name)


def _write_npy(stem: Path, sample: dict[str, Any], fields: Sequence[str], main: str) -> None:
    for field in fields:
        np.save(_beside(stem, ".npy" if field == main else f".{field}.npy"), sample[field])


def _write_ply(stem: Path, sample: dict[str, Any]) -> None:
    data = ply_bytes(sample["points"], sample.get("normals"), sample.get("point_colors"))
    _beside(stem, ".ply").write_bytes(data)


def _write_png(stem: Path, sample: dict[str, Any]) -> None:
    import cv2

    if "color" in sample:
        _save(cv2.imencode(".png", np.ascontiguousarray(sample["color"][..., ::-1])), _beside(stem, ".png"))
    if "depth" in sample:
        depth = np.clip(np.rint(sample["depth"]), 0, DEPTH_MAX_MM).astype(np.uint16)
        _save(cv2.imencode(".png", depth), _beside(stem, ".depth.png"))


def _save(encoded: tuple[bool, np.ndarray], path: Path) -> None:
    path.write_bytes(encoded[1].tobytes())


def _beside(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)


def ply_bytes(points: np.ndarray, normals: np.ndarray | None = None, colors: np.ndarray | None = None) -> bytes:
    """Return a binary little-endian PLY file of a cloud.

    Args:
        points: (N, 3), stored as float32.
        normals: (N, 3), stored as float32.
        colors: uint8 (N, 3), RGB.
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
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}", *properties, "end_header", ""]
    return "\n".join(header).encode("ascii") + vertices.tobytes()
