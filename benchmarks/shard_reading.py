"""Random batches and opening of datasets with few and with many shards, here and in an older checkout.

    python benchmarks/shard_reading.py [OTHER] [--shards 2 128 512 4096] [--rows 64] [--rounds 5] [--json FILE]

Clouds of 64 points, `--rows` a shard, one process on one core a checkout, which take turns round by round. Random
batches: 256 places drawn from the whole split, until at least 20,000 samples are read; every file is in the page cache.
Opening: `ShardReader(folder, "all")`. Goal: 150,000 samples a second at 512 shards; 0.5 s to open 4,096 shards, as many
as 17 million rows have at 4,096 a shard.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
POINTS, BATCH, LEAST = 64, 256, 20_000
GOAL_SAMPLES, GOAL_OPEN_S = 150_000, 0.5
COUNTED = 512


class Place:
    """Where a row's arrays are: in memory, drawn by its number."""

    order = ("", 0)
    names = frozenset({"points"})

    def __init__(self, number: int) -> None:
        self.number = number

    def chain(self) -> list[Any]:
        """Return nothing: no step made it."""
        return []

    def shape(self, name: str) -> tuple[int, int]:
        """Return the shape of the cloud."""
        return (POINTS, 3)


def cloud(place: Place, name: str) -> np.ndarray:
    """Return points f4 (64, 3)."""
    return np.random.default_rng(place.number).normal(size=(POINTS, 3)).astype(np.float32)


def build(folder: Path, shards: int, rows: int) -> Path:
    """Publish a dataset of about `shards` shards, of `rows` rows each, by this process's checkout."""
    import pandas as pd

    import face3d_data.atomic

    face3d_data.atomic.sync = lambda path: None  # waiting for the disk is no part of what is measured
    from face3d_data.shards.finish import finish_dataset
    from face3d_data.shards.plan import plan_dataset
    from face3d_data.shards.schema import SCHEMA_VERSION, DatasetSpec
    from face3d_data.shards.write import write_shard
    from face3d_data.table import FIXED_COLUMNS

    n = shards * rows
    ids = [f"d/p{i % 997:03}/c{i}" for i in range(n)]
    frame = pd.DataFrame(dict.fromkeys(FIXED_COLUMNS, ""), index=range(n), dtype=object)
    frame["id"] = frame["origin_id"] = ids
    frame["key"] = [f"{i:032x}" for i in range(n)]
    frame["identity"] = [one.rpartition("/")[0] for one in ids]
    frame = frame.assign(dataset="d", variant="plain", n_points=POINTS, place=[Place(i) for i in range(n)])
    # Shards are as full as this from version 2 on; buckets of version 3 are halved when they are fuller.
    size = rows if SCHEMA_VERSION < 3 else rows + rows // 2
    plan = plan_dataset(frame, DatasetSpec(**{"from": "x", "fields": ["points"], "shard_size": size}), name="d", seed=1)
    return finish_dataset(plan, folder, [write_shard(task, cloud) for task in plan.shard_tasks(folder)])


def opening(folder: Path) -> float:
    """Return the seconds that it takes to open a split."""
    from face3d_data.shards.read import ShardReader

    start = time.perf_counter()
    ShardReader(folder, "all")
    return time.perf_counter() - start


def batches(reader: Any, seed: int) -> float:
    """Return random samples a second."""
    rng, seconds, samples = np.random.default_rng(seed), 0.0, 0
    while samples < LEAST:
        wanted = rng.integers(len(reader), size=BATCH)
        start = time.perf_counter()
        reader.__getitems__(wanted)
        seconds += time.perf_counter() - start
        samples += BATCH
    return samples / seconds


def serve(folder: Path, counts: list[int], rows: int) -> None:
    """Build the datasets of this checkout, and measure what lines of standard input ask for."""
    from face3d_data.shards.read import ShardReader

    links = {count: build(folder / str(count), count, rows) for count in counts}
    readers = {count: ShardReader(link, "all") for count, link in links.items()}
    for count, reader in readers.items():
        reader.__getitems__(range(len(reader)))
        print(json.dumps(len(list((links[count] / "shards").iterdir()))), flush=True)
    for number, line in enumerate(sys.stdin):
        what, count = json.loads(line)
        print(opening(links[count]) if what == "open" else batches(readers[count], number), flush=True)


def start(tree: Path, folder: Path, options: argparse.Namespace) -> subprocess.Popen[str]:
    """Start the process of a checkout."""
    command = [sys.executable, str(Path(__file__).resolve()), "--serve", str(folder), "--rows", str(options.rows)]
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(
        [*command, "--shards", *map(str, options.shards)], text=True, cwd=tree, env=environment, **pipes
    )


def ask(process: subprocess.Popen[str], *question: Any) -> float:
    """Return what a process measured."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return, for each checkout and number of shards, shards, samples a second and seconds to open."""
    trees = {"this": ROOT} | ({"other": options.other.resolve()} if options.other else {})
    running = {name: start(tree, folder / name, options) for name, tree in trees.items()}
    found: dict[str, Any] = {}
    for name, process in running.items():
        assert process.stdout is not None
        found[name] = {count: {"shards": json.loads(process.stdout.readline())} for count in options.shards}
    for count in options.shards:
        for what in ("open", "read"):
            rounds = [{name: ask(one, what, count) for name, one in running.items()} for _ in range(options.rounds)]
            for name in running:
                found[name][count][what] = statistics.median(one[name] for one in rounds)
    for process in running.values():
        process.terminate()
    return found


def main() -> int:
    """Measure, print, and return 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", nargs="?", type=Path, help="root of another checkout")
    parser.add_argument("--shards", type=int, nargs="+", default=[2, 128, 512, 4096])
    parser.add_argument("--rows", type=int, default=64, help="rows a shard")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.shards, options.rows)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options, Path(folder))
    print(f"{'checkout':<10}{'shards':>8}{'samples/s':>12}{'open s':>10}")
    for name, rows in found.items():
        for row in rows.values():
            print(f"{name:<10}{row['shards']:>8}{row['read']:>12,.0f}{row['open']:>10.4f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    mine = found["this"]
    slow = COUNTED in mine and mine[COUNTED]["read"] < GOAL_SAMPLES
    late = mine[max(mine)]["open"] > GOAL_OPEN_S
    print(
        "goals:",
        ", ".join(f"{what} {'MISSED' if bad else 'met'}" for what, bad in (("reading", slow), ("opening", late))),
    )
    return int(slow or late)


if __name__ == "__main__":
    sys.exit(main())
