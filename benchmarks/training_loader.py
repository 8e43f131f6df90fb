"""Speed of loading batches to train with, from shards against one PLY file a cloud, as ratios measured in one run.

    python benchmarks/training_loader.py [--samples N] [--points N] [--batch N] [--json FILE]

The same clouds lie in shards and, written by `face3d export`, in one PLY file each. A torch DataLoader gives batches of
random draws as training sees them: float32 tensors (batch, points, 3) in units of 100 mm, labels, and what else a batch
holds. Without workers (0) and with two (2), plain and with augmentation (turned, shifted, jittered; the same operations
in both), they come from

- shards: `FaceRows` through `make_loader`, as the trainer uses them (the gate: plain, without workers, at least 25
  times as fast as the PLY files without workers);
- ply: one file a sample through Open3D, stacked by torch's default collate.

Workers live on between rounds. Each figure is the median of 5 rounds in which all cases take turns. Before anything is
timed, all cases have to give the same numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from loader import build
from torch.utils.data import DataLoader, Dataset

from face3d_data.augment.augmentation import Augmentation
from face3d_data.digest import seed_from
from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.shards.export.dataset import export_dataset
from face3d_training.config import TrainConfig
from face3d_training.data import Draw, FaceRows
from face3d_training.loader import make_loader
from face3d_training.variation import Variation

ROUNDS = 5
GATE = 25.0
AUGMENT = {"yaw_deg": 8, "pitch_deg": 5, "roll_deg": 5, "translation_mm": 2, "jitter_mm": 0.3}
SAMPLES = {"shards": 100_000, "shards, augmented": 3_000, "ply": 4_000, "ply, augmented": 2_000}
"""Samples that a case loads in a round: about a second or two of each."""


@dataclass
class Batches:
    """Batches of given draws."""

    draws: list[Draw]
    size: int

    def __len__(self) -> int:
        return -(-len(self.draws) // self.size)

    def __iter__(self) -> Iterator[list[Draw]]:
        return (self.draws[i : i + self.size] for i in range(0, len(self.draws), self.size))


class PlyClouds(Dataset):
    """The usual way: one file a sample, read and augmented one after the other."""

    def __init__(self, rows: FaceRows, folder: Path, augmentation: Augmentation) -> None:
        self.files = [str(folder / name / f"{row}.ply") for name, row in rows.table[["name", "id"]].to_numpy()]
        self.keys, self.labels, self.augmentation = rows.table["key"].tolist(), rows.labels, augmentation

    def __getitem__(self, draw: Draw) -> dict[str, torch.Tensor]:
        row, epoch, copy = draw
        points = np.asarray(open3d().io.read_point_cloud(self.files[row]).points, dtype=np.float32)
        if self.augmentation.operations:
            rng = np.random.default_rng(seed_from("augment", 0, epoch, copy, self.keys[row]))
            points = self.augmentation.apply({"points": points}, self.augmentation.draw(rng))["points"]
        inputs = torch.from_numpy(points / np.float32(100))
        return {"inputs": inputs, "label": torch.tensor(self.labels[row]), "index": torch.tensor(row)}


def rows_of(dataset: Path, **options: Any) -> FaceRows:
    """Return a dataset's training rows as a config with these keys has them."""
    config = TrainConfig(**options)
    return FaceRows(dataset, "train", config.data, "points", variation=Variation.of(config))


def loaders(dataset: Path, files: Path, batch: int) -> dict[str, DataLoader]:
    """Return the loader of each case, by name and number of workers."""
    made: dict[str, DataLoader] = {}
    for name, augment in (("shards", {}), ("shards, augmented", AUGMENT)):
        rows = rows_of(dataset, augment=augment)
        clouds = PlyClouds(rows, files, Augmentation.of(**augment))
        random = np.random.default_rng(0).integers(len(rows), size=max(SAMPLES.values()))
        draws = [(int(row), number, 0) for number, row in enumerate(random)]
        for workers in (0, 2):
            per_file = name.replace("shards", "ply")
            made[f"{name} {workers}"] = make_loader(rows, Batches(draws[: SAMPLES[name]], batch), workers)
            made[f"{per_file} {workers}"] = DataLoader(
                clouds,
                batch_sampler=Batches(draws[: SAMPLES[per_file]], batch),
                num_workers=workers,
                persistent_workers=workers > 0,
            )
    return made


def samples_per_second(loader: DataLoader) -> float:
    """Load everything that a loader gives, once."""
    started, samples = time.perf_counter(), 0
    for batch in loader:
        samples += len(batch["label"])
    return samples / (time.perf_counter() - started)


def check_equal(cases: dict[str, DataLoader]) -> None:
    """Stop where two cases give other clouds; every worker is started by it."""
    for first in [name for name in cases if name.startswith("shards")]:
        other = first.replace("shards", "ply")
        for name in ("inputs", "label", "index"):
            if not torch.equal(next(iter(cases[first]))[name], next(iter(cases[other]))[name]):
                raise SystemExit(f"{first} and {other} give other {name}")


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return samples a second of every case, and their ratios to the PLY files loaded likewise without workers."""
    reader = build(folder / "datasets", arguments.samples, arguments.points)
    export_dataset(reader.path, folder / "files", ["ply"])
    cases = loaders(reader.path, folder / "files", arguments.batch)
    check_equal(cases)
    rounds = [{name: samples_per_second(loader) for name, loader in cases.items()} for _ in range(ROUNDS)]
    speed = {name: statistics.median(found[name] for found in rounds) for name in cases}

    def plain_file(name: str) -> str:
        return f"{name.rsplit(' ', 1)[0].replace('shards', 'ply')} 0"

    ratio = {name: statistics.median(found[name] / found[plain_file(name)] for found in rounds) for name in cases}
    return {"samples_per_second": speed, "ratio_to_ply": ratio, "gate": GATE, "passed": ratio["shards 0"] >= GATE}


def main() -> None:
    """Measure, print, and exit 1 if the gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2_000, help="clouds in the dataset")
    parser.add_argument("--points", type=int, default=2_048, help="points in a cloud")
    parser.add_argument("--batch", type=int, default=128, help="samples in a batch")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(arguments, Path(folder))
    print(f"{arguments.samples} clouds of {arguments.points} points, batches of {arguments.batch}")
    for name, speed in result["samples_per_second"].items():
        print(f"{name:<20} {speed:>10,.0f} samples/s  {result['ratio_to_ply'][name]:>7.1f} x ply without workers")
    verdict = "passed" if result["passed"] else "MISSED"
    print(f"gate: shards 0 at least {GATE:g} x ply 0: {verdict} ({result['ratio_to_ply']['shards 0']:.1f} x)")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if result["passed"] else 1)


if __name__ == "__main__":
    main()
