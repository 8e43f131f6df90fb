"""Tiny published datasets for the trainer's tests: sixteen made-up people, each kind within a fraction of a second.

Eight people to learn from, four in `eval`, four in `test`; four captures each, plain and masked where the kind has
masks. People differ in the shape of the head and in colour, captures in noise, place and light, so that little
training tells them apart.
"""

import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from face3d_data.digest import digest
from face3d_data.geometry.surface_map import MapGrid, map_channels, surface_map
from face3d_data.shards.finish import finish_dataset
from face3d_data.shards.origin import DatasetOrigin
from face3d_data.shards.plan import plan_dataset
from face3d_data.shards.schema import DatasetSpec
from face3d_data.shards.write import write_shard
from face3d_data.table import FIXED_COLUMNS
from face3d_data.testing.tiny import tiny_capture, tiny_sample
from face3d_training.config import load_config

SPLITS = ("train",) * 8 + ("eval",) * 4 + ("test",) * 4
CAPTURES = 4
TO_FACE = np.array([1, -1, -1], np.float32)
"""From a camera's axes to the face frame's."""


@dataclass
class Place:
    """A place that holds its arrays."""

    arrays: Mapping[str, np.ndarray]
    order: tuple[str, int]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.arrays)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.arrays[name].shape


Row = tuple[int, int, str, Mapping[str, np.ndarray], Mapping[str, Any]]
"""Person, capture, variant (`plain` or `mask:…`), arrays and tags."""


def publish(folder: Path, name: str, rows: Iterable[Row], splits: tuple[str, ...] = SPLITS, **options: Any) -> Path:
    """Publish rows as a dataset with pairs, gallery and probe of the split `test`; return the link to it.

    Splits are those of the people, or of the captures where `origin` says `by="capture"`.
    """
    by_capture = getattr(options.get("origin"), "by", "") == "capture"
    records = []
    for number, (person, capture, variant, arrays, tags) in enumerate(rows):
        origin, key = f"tiny/p{person:02d}/c{capture}", f"{number:032x}"
        records.append(
            {
                "key": key,
                "root": f"{person:08x}{capture:08x}",
                "id": origin if variant == "plain" else f"{origin}~{variant.replace(':', '_')}~{key[-8:]}",
                "identity": f"tiny/p{person:02d}",
                **{
                    "dataset": "tiny",
                    "variant": variant,
                    "origin_id": origin,
                    "split": splits[capture if by_capture else person],
                },
                **{"source": "tiny", "path": f"p{person:02d}/c{capture}", "place": Place(arrays, ("part", number))},
                "n_points": len(arrays["points"]) if "points" in arrays else None,
                **tags,
            }
        )
    frame = pd.DataFrame(records)
    tag_names = [column for column in frame if column not in FIXED_COLUMNS]
    frame = frame[[*FIXED_COLUMNS, *tag_names]].astype(object)
    frame = frame.where(frame.notna(), None)
    given = {"fields": sorted(records[0]["place"].names), "tags": tag_names, **options}
    if "test" in splits:
        given = {"pairs": {"folds": 2, "per_fold": 6}, "gallery": {"query": "mask == 'none'"}, "probe": {}} | given
    origin = given.pop("origin", None)
    plan = plan_dataset(frame, DatasetSpec(**{"from": "tiny", **given}), name=name, seed=0, origin=origin)
    return finish_dataset(
        plan, folder, [write_shard(task, lambda place, name: place.arrays[name]) for task in plan.shard_tasks(folder)]
    )


@functools.cache
def _shelf() -> tempfile.TemporaryDirectory[str]:
    """Where datasets that were published once in this process are kept; it goes with the process."""
    return tempfile.TemporaryDirectory(prefix="tiny-sets-")


def copied(folder: Path, name: str, rows: Callable[[], list[Row]], key: str, options: Mapping[str, Any]) -> Path:
    """Publish rows as `publish` does; where the same were published before, copy them. Return the link to them.

    Args:
        folder: of datasets.
        name: of the dataset.
        rows: gives the rows.
        key: says, with `options`, which rows they are.
        options: of `publish`.
    """
    kept = Path(_shelf().name) / digest([key, sorted((each, repr(value)) for each, value in options.items())])
    if not kept.is_dir():
        publish(kept, name, rows(), **options)
    link = kept / name
    shutil.copytree(link.resolve(), folder / os.readlink(link), dirs_exist_ok=True)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(os.readlink(link))
    return folder / name


def points_set(folder: Path, n_points: int = 64, masked: bool = True, **options: Any) -> Path:
    """Publish clouds in the face frame, f4 (n_points, 3) mm, with normals and landmarks_3d."""
    key = f"points {n_points} {masked}"
    return copied(folder, "points", lambda: point_rows(n_points, masked), key, options)


def point_rows(n_points: int, masked: bool) -> list[Row]:
    rows: list[Row] = []
    side = int(np.ceil(np.sqrt(n_points * 2.5)))
    for person in range(len(SPLITS)):
        for capture in range(CAPTURES):
            face = _face(person, capture, side, n_points)
            rows.append((person, capture, "plain", face, {"mask": "none", "visible_ratio": None, "yaw_deg": 0.0}))
            if masked:
                rows.append((person, capture, "mask:surgical.0", *_covered_cloud(face)))
    return rows


def _face(person: int, capture: int, side_px: int, n_points: int) -> dict[str, np.ndarray]:
    """Return a cloud in the face frame, stretched along each axis by up to a quarter: what tells people apart."""
    arrays = tiny_sample(person, capture, side_px, side_px).arrays
    stretch = np.random.default_rng(person).uniform(0.75, 1.25, 3).astype(np.float32)
    chosen = np.linspace(0, len(arrays["points"]) - 1, n_points).astype(int)
    chosen = np.random.default_rng([person, capture]).permutation(chosen)
    nose, normals = arrays["landmarks_3d"][2], arrays["normals"][chosen] * TO_FACE / stretch
    return {
        "points": ((arrays["points"][chosen] - nose) * TO_FACE * stretch).astype(np.float32),
        "normals": (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32),
        "landmarks_3d": ((arrays["landmarks_3d"] - nose) * TO_FACE * stretch).astype(np.float32),
    }


def _covered_cloud(face: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return a cloud whose lower half stands off by what a mask would, and its tags."""
    below = face["points"][:, 1] < -5
    points = face["points"] + np.where(below[:, None], [0, 0, 9], 0).astype(np.float32)
    tags = {"mask": "surgical", "visible_ratio": round(1 - float(below.mean()), 4), "yaw_deg": 0.0}
    return {**face, "points": points}, tags


def image_set(folder: Path, size_px: int = 32, depth: bool = False, masked: bool = False, **options: Any) -> Path:
    """Publish colour crops u1 (size, size, 3), with `depth` f4 (size, size) and intrinsics too, and landmarks."""
    name = "rgbd" if depth else "rgb_masked" if masked else "rgb"
    key = f"images {size_px} {depth} {masked}"
    return copied(folder, name, lambda: image_rows(size_px, depth, masked), key, options)


def image_rows(size_px: int, depth: bool, masked: bool) -> list[Row]:
    rows: list[Row] = []
    for person in range(len(SPLITS)):
        for capture in range(CAPTURES):
            made = tiny_capture(person, capture, size_px, size_px)
            arrays = {"color": made.color, "landmarks": made.landmarks}
            if depth:
                arrays |= {"depth": made.depth_mm, "intrinsics": made.intrinsics}
            rows.append((person, capture, "plain", arrays, {"mask": "none", "visible_ratio": None}))
            if masked:
                color = made.color.copy()
                top = round(float(made.landmarks[2, 1]))
                color[top : round(size_px * 0.9), size_px // 4 : -size_px // 4] = (90, 120, 200)
                tags = {"mask": "surgical", "visible_ratio": round(0.5 + 0.01 * capture, 4)}
                rows.append((person, capture, "mask:surgical.0", {**arrays, "color": color}, tags))
    return rows


MAP_CELLS = 32
MAP_GRID = MapGrid(4.0, MAP_CELLS, MAP_CELLS, -64.0, 66.0)
MAP_SAID = {
    **{"cell_mm": 4.0, "left_mm": -64.0, "top_mm": 66.0},
    **{"channels": "height,slope_x,slope_y,valid", "fill": "none"},
}


def map_set(folder: Path, occluded: bool = False, cells: int = MAP_CELLS, **options: Any) -> Path:
    """Publish maps f4 (4, cells, cells) of height and slopes, 128 mm wide: 32 cells of 4 mm, or 64 of 2 mm.

    `map_occlusion` of 3 rows too if asked for.
    """
    grid = MapGrid(128 / cells, cells, cells, MAP_GRID.left_mm, MAP_GRID.top_mm)
    said = DatasetOrigin(array_attributes={"map": MAP_SAID | {"cell_mm": grid.cell_mm}})
    key = f"maps {occluded} {cells}"
    return copied(folder, "maps", lambda: map_rows(grid, occluded), key, {"origin": said, **options})


def map_rows(grid: MapGrid, occluded: bool) -> list[Row]:
    rows: list[Row] = []
    for person in range(len(SPLITS)):
        for capture in range(CAPTURES):
            points = _face(person, capture, 48, 900)["points"]
            made = map_channels(surface_map(points, grid, 3.0, 12.0), "slopes")
            arrays = {"map": made}
            if occluded:
                rows_shown = np.arange(len(made[-1]))[:, None] < 3
                arrays["map_occlusion"] = np.where(rows_shown, made[-1], 0).astype(np.float32)
            rows.append((person, capture, "plain", arrays, {"mask": "none", "visible_ratio": None}))
    return rows


SMALL_NETS: dict[str, dict[str, Any]] = {
    "pointnet2_ssg": {"model.centers": [32, 8], "model.neighbors": [8, 8]},
    "pointmlp": {"model.embed": 16, "model.neighbors": [8, 8, 4, 4]},
    "pointmlp_elite": {"model.neighbors": [8, 8, 4, 4]},
}
"""What makes a network small enough for 64 points."""


def tiny_set_for(config_name: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Publish a dataset of the kind that a config that comes with the package learns from.

    Returns:
        Its path, and overrides for `load_config` with which one epoch is two small steps on one thread.
    """
    config = load_config(config_name)
    overrides: dict[str, Any] = {
        **{"epochs": 1, "device": "cpu", "threads": 1, "stop.collapse_spread": 0.0},
        **{"batch.identities": 4, "batch.samples": 2, "batch.size": 16, "batch.iterations": 2, "batch.accumulate": 2},
        "triplets.per_epoch": 16,
    }
    name = config.model["name"]
    if "points" in config.data.fields:
        return points_set(folder), overrides | {"data.n_points": 64 // config.data.views} | SMALL_NETS.get(name, {})
    if "map" in config.data.fields:
        return map_set(folder), overrides | {"model.image_size_px": MAP_CELLS}
    overrides |= {"data.image_size_px": 32}
    overrides |= {"model.image_size_px": 32} if name.startswith("ir") else {}
    depth = "depth" in config.data.fields
    return image_set(folder, depth=depth, masked=not depth and "lpd" in config.loss), overrides
