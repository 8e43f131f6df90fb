"""Writers of HDF5 files of clouds as other programs leave them: ModelNet's, faces with `pid`, this program's shards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scans import face_scan


def face_clouds(people: int, captures: int, n_points: int, rows: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Return clouds of synthetic faces, f4 (people · captures, n_points, 3) in mm, and who they are, i8.

    Points are taken evenly from each scan.
    """
    clouds = []
    for person in range(people):
        for capture in range(captures):
            points = face_scan(person, capture, rows).points
            clouds.append(points[np.linspace(0, len(points) - 1, n_points).astype(int)])
    return np.stack(clouds), np.repeat(np.arange(people), captures)


def write_modelnet(
    root: Path,
    split: str,
    clouds: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str] = (),
    normals: np.ndarray | None = None,
    per_file: int = 2048,
    prefix: str = "data/modelnet40_ply_hdf5_2048/",
) -> None:
    """Write `ply_data_<split>N.h5` (gzip, as PointNet's script does it), `<split>_files.txt` and `shape_names.txt`.

    Args:
        root: folder to write into; made where missing.
        split: `train` or `test`.
        clouds: (n, points, 3), stored as float32.
        labels: (n,), stored as uint8 (n, 1).
        names: the labels' names; no file where empty.
        normals: as clouds.
        per_file: rows of a file.
        prefix: what stands before the names in the list, which is the folder that ModelNet's own list has.
    """
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, start in enumerate(range(0, len(clouds), per_file)):
        rows = slice(start, start + per_file)
        name = f"ply_data_{split}{number}.h5"
        with h5py.File(root / name, "w") as file:
            packed: dict[str, Any] = {"compression": "gzip", "compression_opts": 4}
            file.create_dataset("data", data=clouds[rows].astype("<f4"), **packed)
            file.create_dataset("label", data=labels[rows, None].astype("u1"), compression="gzip")
            if normals is not None:
                file.create_dataset("normal", data=normals[rows].astype("<f4"), **packed)
        lines.append(f"{prefix}{name}\n")
    (root / f"{split}_files.txt").write_text("".join(lines))
    if names:
        (root / "shape_names.txt").write_text("".join(f"{name}\n" for name in names))


def write_face_h5(path: Path, clouds: np.ndarray, pids: np.ndarray, classes: np.ndarray | None = None) -> None:
    """Write `data` float32 (n, points, 3), `pid` int64 and `class` int64, contiguous."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["data"] = clouds.astype("<f4")
        file["pid"] = pids.astype("<i8")
        file["class"] = (pids if classes is None else classes).astype("<i8")


def write_shard(
    path: Path,
    clouds: np.ndarray,
    identities: Sequence[str],
    captures: Sequence[str],
    variants: Sequence[str] | None = None,
    normalize: bool = False,
) -> None:
    """Write a shard: `data`, `label`, fixed-width `sample_id`, `identity`, `variant`; `centroid` and `scale` if asked.

    Args:
        path: the file.
        clouds: (n, points, 3), mm.
        identities: `<dataset>/<person>` of each row.
        captures: what follows in its id.
        variants: `plain` if not given.
        normalize: move each cloud to its centroid and divide it by its radius.
    """
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = {name: i for i, name in enumerate(sorted(set(identities)))}
    texts = {
        "sample_id": [f"{who.split('~')[0]}/{capture}" for who, capture in zip(identities, captures, strict=True)],
        "identity": list(identities),
        "variant": list(variants or ["plain"] * len(identities)),
    }
    with h5py.File(path, "w") as file:
        if normalize:
            centroid = clouds.mean(axis=1)
            scale = np.linalg.norm(clouds - centroid[:, None], axis=2).max(axis=1)
            file["data"] = ((clouds - centroid[:, None]) / scale[:, None, None]).astype("<f4")
            file["centroid"], file["scale"] = centroid.astype("<f4"), scale.astype("<f4")
        else:
            file["data"] = clouds.astype("<f4")
        file["label"] = np.array([[numbers[who]] for who in identities], "<i8")
        for name, values in texts.items():
            raw = [value.encode() for value in values]
            width = max(map(len, raw))
            file[name] = np.array(raw, f"S{width}").astype(h5py.string_dtype("utf-8", width))
