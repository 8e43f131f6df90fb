"""Offline triplets on one thread: drawing them, and apart from it writing and reading their file.

    python benchmarks/triplets.py [--triplets 1000000] [--rows 1000000] [--people 100000] [--json FILE]

Rows have made-up ids as long as real ones, five captures a person. Each figure is a median of 5 rounds, in seconds:

- `generate`: from labels and captures of the rows to triplets (goal: at most 5 s for 1 M triplets); the part that is
  done once in a run is in it, and shown as `prepare`;
- `write`: the .npy of texts, synced to the disk; `read`: back to rows, each id looked up;
- `batches`: the samples of each batch, and where its triplets find them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from face3d_data.engine.threads import limit_threads
from face3d_data.tables.triplet_draws import TripletDraws
from face3d_data.tables.triplet_file import save_triplets
from face3d_training.triplet_file import load_triplets
from face3d_training.triplets import TripletSampler

ROUNDS = 5
CAPTURES = 5
IDENTITIES, SIZE = 32, 544
GOALS = {"generate_s": 5.0}


def made_table(n_rows: int, n_people: int) -> pd.DataFrame:
    """Return the columns of a training CSV that triplets are drawn from, in random order."""
    label = np.random.default_rng(0).integers(0, n_people, n_rows)
    capture = np.arange(n_rows) % CAPTURES
    ids = [f"set__p{p:06d}__capture_{c:02d}~mask_{i:07d}" for i, (p, c) in enumerate(zip(label, capture, strict=True))]
    origins = [f"set/p{p:06d}/capture_{c:02d}" for p, c in zip(label, capture, strict=True)]
    names = [f"set__p{p:06d}" for p in label]
    return pd.DataFrame({"id": ids, "name": names, "class": label, "origin_id": origins})


def batches(triplets: np.ndarray) -> list[np.ndarray]:
    """Return the samples of each batch of an epoch that holds these triplets."""
    return TripletSampler(lambda _: triplets, len(triplets), SIZE).batches(0)


def measure(n_triplets: int, n_rows: int, n_people: int) -> dict[str, Any]:
    """Return medians in seconds, the file's size, and the goals."""
    table = made_table(n_rows, n_people)
    labels, captures = table["class"].to_numpy(), table["origin_id"].tolist()
    seconds: dict[str, list[float]] = {}

    def timed(name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        start = time.perf_counter()
        result = call(*arguments)
        seconds.setdefault(f"{name}_s", []).append(time.perf_counter() - start)
        return result

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "triplets.npy"
        for number in range(ROUNDS):
            draws = timed("prepare", TripletDraws, labels, captures, IDENTITIES, SIZE, 0)
            triplets = timed("draw", draws.of_epoch, number, n_triplets)
            timed("write", save_triplets, path, triplets, table)
            again = timed("read", load_triplets, path, table, labels)
            timed("batches", batches, triplets)
            if not np.array_equal(again, triplets):
                raise SystemExit("the file gave other triplets back")
        megabytes = path.stat().st_size / 1e6
    seconds["generate_s"] = [sum(both) for both in zip(seconds["prepare_s"], seconds["draw_s"], strict=True)]
    medians = {name: round(statistics.median(values), 3) for name, values in seconds.items()}
    sizes = {"triplets": n_triplets, "rows": n_rows, "people": n_people}
    return {**sizes, "median_s": medians, "file_mb": round(megabytes, 1), "goals": GOALS}


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--triplets", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    limit_threads()
    result = measure(options.triplets, options.rows, options.people)
    print(f"{options.triplets} triplets of {options.rows} rows of {options.people} people, medians of {ROUNDS}")
    for name, value in result["median_s"].items():
        goal = f"  (goal: at most {GOALS[name]:g})" if name in GOALS else ""
        print(f"  {name:12} {value:8.3f} s{goal}")
    print(f"  file         {result['file_mb']:8.1f} MB")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
