"""Captures and pipeline of `scaling.py`: clouds of 32 points, one a file or thousands in one HDF5 file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np

POINTS = 32
PER_PERSON = 10
ROWS_PER_FILE = 10_000
KINDS = ("rows", "files")
"""Many captures a file (`hdf5`), and one capture a file (`cloud_folder`)."""
READERS = {"rows": "hdf5", "files": "cloud_folder"}


def clouds(first: int, count: int) -> np.ndarray:
    """Return clouds f4 (count, 32, 3) of a face's size, mm; a capture's number decides its points."""
    drawn = np.random.default_rng(first).normal(size=(count, POINTS, 3)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=2, keepdims=True) * np.float32([70, 90, 60])


def write_rows(path: Path, first: int, count: int) -> None:
    """Write captures into one HDF5 file, with the number of each one's person."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["data"] = clouds(first, count)
        file["pid"] = np.arange(first, first + count) // PER_PERSON


def write_files(root: Path, first: int, count: int) -> None:
    """Write captures as `<person>/<capture>.npy`."""
    for number, cloud in enumerate(clouds(first, count), start=first):
        folder = root / f"person_{number // PER_PERSON:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"capture_{number:07d}.npy", cloud)


def write_captures(root: Path, kind: str, count: int) -> Path:
    """Write a collection unless it is there already; return its folder."""
    if root.exists():
        return root
    begun = root.with_name(f"{root.name}.begun")
    shutil.rmtree(begun, ignore_errors=True)
    for first in range(0, count, ROWS_PER_FILE):
        some = min(ROWS_PER_FILE, count - first)
        if kind == "rows":
            write_rows(begun / f"clouds_{first // ROWS_PER_FILE:05d}.h5", first, some)
        else:
            write_files(begun, first, some)
    begun.rename(root)
    return root


def add_capture(root: Path, kind: str, total: int) -> None:
    """Add one capture to a folder of added ones: of a person who has captures already, whatever a collection's size.

    Args:
        root: folder of the added captures alone.
        kind: as in `KINDS`.
        total: captures of the collection; no two of the same number are added.
    """
    added = sum(1 for path in root.rglob("*") if path.is_file())
    cloud = clouds(1_000_000_000 + total + added, 1)
    person = (7 * added) % max(1, total // PER_PERSON)
    if kind == "rows":
        root.mkdir(parents=True, exist_ok=True)
        with h5py.File(root / f"added_{added:03d}.h5", "w") as file:
            file["data"] = cloud
            file["pid"] = np.array([person])
    else:
        folder = root / f"person_{person:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"added_{added:03d}.npy", cloud[0])


def pipeline(captures: Path, added: Path, kind: str) -> dict[str, Any]:
    """Return the pipeline, as its YAML holds it: the steps and lists of `rgbd` over two folders of the same people."""
    reader = {"reader": READERS[kind], "dataset": "tiny"}
    steps = [
        {"id": "faces", "stage": "tiny_detect", "from": ["many", "added"]},
        {"id": "clouds", "stage": "tiny_to_cloud", "from": "faces"},
        {"id": "cleaned", "stage": "tiny_clean", "from": "clouds"},
        {"id": "posed", "stage": "tiny_align", "from": "cleaned"},
        {
            "id": "people",
            "table": "split",
            "from": "posed",
            "with": {"by": "identity", "ratios": {"train": 0.6, "eval": 0.1, "test": 0.3}},
        },
        {"id": "sampled", "stage": "tiny_subsample", "from": "people"},
        {"id": "shaded", "stage": "tiny_normals", "from": "sampled"},
    ]
    lists = {
        "pairs": {"split": "test", "folds": 10, "per_fold": 300},
        "gallery": {"split": "test", "captures": 1},
        "probe": {"split": "test"},
    }
    return {
        "name": "tiny",
        "seed": 1,
        "sources": {"many": {**reader, "root": str(captures)}, "added": {**reader, "root": str(added)}},
        "steps": steps,
        "datasets": {"tiny": {"from": "shaded", "fields": ["points", "normals"], **lists}},
    }
