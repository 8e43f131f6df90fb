"""Speed of loading random triplets of clouds, as ratios measured in one run.

    python benchmarks/loader.py [--samples N] [--points N] [--batch N] [--json FILE]

The same clouds lie in shards and, written by `face3d export`, in one PLY file each. A torch DataLoader without workers
gives batches of random triplets, as float32 tensors (batch, 3, points, 3), made from

- shards: `ShardReader` with batched `__getitems__` (the gate: at least 25 times as fast as the PLY files);
- shards, item by item: `ShardReader.__getitem__` and torch's default collate;
- npy: one file a sample, `numpy.load`;
- ply: one file a sample through Open3D;

beside "gather", which is what no loader can avoid: one NumPy gather from memory into a new array. Each figure is the
median of 5 rounds in which all cases take turns. Before anything is timed, all cases have to give the same clouds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from face3d_data.geometry.open3d_lazy import open3d
from face3d_data.shards.batch import Batch
from face3d_data.shards.export.dataset import export_dataset
from face3d_data.shards.finish import finish_dataset
from face3d_data.shards.plan import plan_dataset
from face3d_data.shards.read import ShardReader
from face3d_data.shards.schema import DatasetSpec
from face3d_data.shards.write import write_shard
from face3d_data.table import FIXED_COLUMNS

ROUNDS = 5
GATE = 25.0
PER_PERSON = 10
SAMPLES = {"gather": 200_000, "shards": 200_000, "shards, item by item": 20_000, "npy": 10_000, "ply": 4_000}
"""Samples that a case loads in a round: about a second or less of each."""


@dataclass(frozen=True)
class Cloud:
    """A place that draws its cloud when asked for it."""

    number: int
    n_points: int

    @property
    def names(self) -> frozenset[str]:
        """Only points."""
        return frozenset({"points"})

    @property
    def order(self) -> tuple[str, int]:
        """Its number."""
        return ("", self.number)

    def shape(self, name: str) -> tuple[int, int]:
        """Return (points, 3)."""
        return (self.n_points, 3)


def draw(place: Cloud, name: str) -> np.ndarray:
    """Return a cloud of the size of a face, mm."""
    return np.random.default_rng(place.number).normal(0, 40, place.shape(name)).astype(np.float32)


def build(folder: Path, n_samples: int, n_points: int) -> ShardReader:
    """Publish a dataset of drawn clouds and return its reader."""
    person = [f"bench/{i // PER_PERSON:06d}" for i in range(n_samples)]
    ids = [f"{name}/{i % PER_PERSON}" for i, name in enumerate(person)]
    columns: dict[str, Any] = {"key": [f"{i:032x}" for i in range(n_samples)], "id": ids, "identity": person}
    columns |= {"dataset": "bench", "variant": "plain", "origin_id": ids, "split": "train", "source": "bench"}
    columns |= {"root": "", "path": "", "n_points": n_points, "place": [Cloud(i, n_points) for i in range(n_samples)]}
    frame = pd.DataFrame(columns)[list(FIXED_COLUMNS)]
    plan = plan_dataset(frame, DatasetSpec(upstream="bench", fields=("points",)), name="bench", seed=0)
    link = finish_dataset(plan, folder, [write_shard(task, draw) for task in plan.shard_tasks(folder)])
    return ShardReader(link, "train", ["points"])


class ShardTriplets(Dataset):
    """Triplets gathered a batch at a time."""

    def __init__(self, reader: ShardReader, triplets: np.ndarray) -> None:
        self.reader, self.triplets = reader, triplets

    def __len__(self) -> int:
        return len(self.triplets)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return the samples of all triplets in one batch."""
        return self.reader.__getitems__(self.triplets[indices].reshape(-1))

    @staticmethod
    def collate(batch: Batch) -> torch.Tensor:
        """Return float32 (batch, 3, points, 3) without a copy."""
        return torch.from_numpy(batch.arrays["points"]).unflatten(0, (-1, 3))


class ItemTriplets(Dataset):
    """Triplets read one sample after the other with `read(place)`, stacked by torch's default collate."""

    def __init__(self, read: Callable[[int], np.ndarray], triplets: np.ndarray) -> None:
        self.read, self.triplets = read, triplets

    def __len__(self) -> int:
        return len(self.triplets)

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(np.stack([self.read(int(i)) for i in self.triplets[index]]))


def loaders(
    reader: ShardReader, files: Path, memory: np.ndarray, triplets: np.ndarray, batch: int
) -> dict[str, Callable[[], Any]]:
    """Return, for each case, what gives an iterator over its batches."""
    o3d = open3d()
    table = pd.read_csv(files / "train.csv")
    stems = [str(files / name / row_id) for name, row_id in zip(table["name"], table["id"], strict=True)]

    def read_ply(i: int) -> np.ndarray:
        return np.asarray(o3d.io.read_point_cloud(f"{stems[i]}.ply").points, dtype=np.float32)

    def items(read: Callable[[int], np.ndarray], name: str) -> Callable[[], Any]:
        return lambda: iter(DataLoader(ItemTriplets(read, triplets[: SAMPLES[name] // 3]), batch))

    some = triplets[: SAMPLES["shards"] // 3]
    starts = range(0, len(some), batch)
    return {
        "gather": lambda: (torch.from_numpy(memory[some[i : i + batch]]) for i in starts),
        "shards": lambda: iter(DataLoader(ShardTriplets(reader, some), batch, collate_fn=ShardTriplets.collate)),
        "shards, item by item": items(lambda i: reader[i]["points"], "shards, item by item"),
        "npy": items(lambda i: np.load(f"{stems[i]}.npy"), "npy"),
        "ply": items(read_ply, "ply"),
    }


def samples_per_second(load: Callable[[], Any]) -> float:
    """Load everything that a case gives, once."""
    started, samples = time.perf_counter(), 0
    for batch in load():
        samples += batch.shape[0] * batch.shape[1]
    return samples / (time.perf_counter() - started)


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return samples a second of every case, and their ratios to the PLY files."""
    reader = build(folder / "datasets", arguments.samples, arguments.points)
    export_dataset(reader.path, folder / "files", ["ply", "npy"])
    memory = reader.__getitems__(range(len(reader))).arrays["points"]
    rng = np.random.default_rng(0)
    triplets = rng.integers(len(reader), size=(max(SAMPLES.values()) // 3, 3))
    cases = loaders(reader, folder / "files", memory, triplets, arguments.batch)
    for name, load in cases.items():
        first = next(iter(load()))
        if not np.array_equal(first.numpy(), memory[triplets[: len(first)]]):
            raise SystemExit(f"{name} gives other clouds than were written")
    rounds = [{name: samples_per_second(load) for name, load in cases.items()} for _ in range(ROUNDS)]
    speed = {name: statistics.median(found[name] for found in rounds) for name in cases}
    ratio = {name: statistics.median(found[name] / found["ply"] for found in rounds) for name in cases}
    return {"samples_per_second": speed, "ratio_to_ply": ratio, "gate": GATE, "passed": ratio["shards"] >= GATE}


def main() -> None:
    """Measure, print, and exit 1 if the gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4_000, help="clouds in the dataset")
    parser.add_argument("--points", type=int, default=2_048, help="points in a cloud")
    parser.add_argument("--batch", type=int, default=64, help="triplets in a batch")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(arguments, Path(folder))
    print(f"{arguments.samples} clouds of {arguments.points} points, batches of {arguments.batch} triplets")
    for name, speed in result["samples_per_second"].items():
        print(f"{name:<22} {speed:>10,.0f} samples/s  {result['ratio_to_ply'][name]:>7.1f} x ply")
    verdict = "passed" if result["passed"] else "MISSED"
    print(f"gate: shards at least {GATE:g} x ply: {verdict} ({result['ratio_to_ply']['shards']:.1f} x)")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(0 if result["passed"] else 1)


if __name__ == "__main__":
    main()
