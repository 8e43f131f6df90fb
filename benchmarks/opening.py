"""Cost of comparing a dataset with its hashes when it is opened, against loading it, as ratios measured in one run.

    python benchmarks/opening.py [--gb N] [--points N] [--json FILE]

A dataset of drawn clouds is written once. In each of 3 rounds these take turns, all from the page cache:

- check: `checked_dataset`, which hashes every file (SHA-256, several threads);
- gather: every sample once through `ShardReader`, in shuffled batches of 512, copied into new arrays;
- train: the same batches through the trainer's rows (`FaceRows`), scaled and stacked as a network takes them.

The goal is that the check takes no longer than one epoch's loading by the trainer, without any network.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from loader import build

from face3d_data.shards import check as check_module
from face3d_data.shards.check import checked_dataset
from face3d_data.shards.read import ShardReader
from face3d_training.config import load_config
from face3d_training.data import FaceRows

ROUNDS = 3
BATCH = 512


def seconds(work: Callable[[], Any]) -> float:
    """Return how long something takes by the clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return the size, the seconds of each case, and what the check costs of the two ways of loading."""
    reader = build(folder, int(arguments.gb * 1e9 / (12 * arguments.points)), arguments.points)
    path, n = reader.path, len(reader)
    rows = FaceRows(path, "train", load_config(None, [("data.n_points", arguments.points)]).data, "points")
    order = np.random.default_rng(0).permutation(n)
    batches = [order[start : start + BATCH] for start in range(0, n, BATCH)]

    def check() -> None:
        check_module._checked.clear()
        checked_dataset(path)

    cases: dict[str, Callable[[], Any]] = {
        "check": check,
        "gather": lambda: [ShardReader.__getitems__(reader, batch.tolist()) for batch in batches],
        "train": lambda: [rows.__getitems__([(int(row), 0, 0) for row in batch]) for batch in batches],
    }
    rounds = [{name: seconds(work) for name, work in cases.items()} for _ in range(ROUNDS)]
    size = sum(file.stat().st_size for file in path.resolve().rglob("*.h5"))
    taken = {name: statistics.median(found[name] for found in rounds) for name in cases}
    ratio = {name: statistics.median(found["check"] / found[name] for found in rounds) for name in ("gather", "train")}
    return {"gb": size / 1e9, "seconds": taken, "gb_per_s": size / 1e9 / taken["check"], "check_over": ratio}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gb", type=float, default=2.0, help="size of the shards")
    parser.add_argument("--points", type=int, default=2_048, help="points in a cloud")
    parser.add_argument("--json", type=Path, help="write the figures there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(arguments, Path(folder))
    for name, value in result["seconds"].items():
        print(f"{name:<8} {value:>7.2f} s")
    print(f"{result['gb']:.2f} GB, compared at {result['gb_per_s']:.2f} GB/s")
    print(f"check / gather {result['check_over']['gather']:.2f}, check / train {result['check_over']['train']:.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
