"""The search for near-duplicates between splits: what it finds, what it misses, whom it wrongs, and how long it takes.

    python benchmarks/near_duplicates.py [--samples 10000] [--planted 40] [--people 300] [--jobs N] [--folder FOLDER]
                                         [--json FILE]

A dataset of synthetic people is made, 8 captures each with their expressions, seen through a sensor's noise, aligned
as `align_3d` does and thinned to 2,048 points; 70 % of the people are in train, 10 % in eval, 20 % in test. Into test
go, under names of their own, `--planted` copies of train's scans of each kind: sampled anew from the same points
(1,536 of them), with new noise on top, turned by up to 6 degrees and shifted by up to 3 mm, in a mask. People and
captures are as real in a dataset of 100,000 samples, which takes two cores a quarter of an hour to make, and 5 GB;
with `--folder` it is kept, and used again. Then:

- the search between the splits: found and missed of each kind, pairs of strangers that it suspects (goal: none),
  seconds (goal: at most 120 for 10,000 samples) beside the processor's, with all workers, and the most memory that the
  search's own process and all of them held at a time, without files that are mapped;
- distances as the search measures them: of 1,000 random pairs of `--people` strangers (goal: none suspected) and of
  the 1,000 pairs of them with the nearest descriptors, all without expression; of other captures of one person without
  expression, and of each kind of copy. With `--people 0` they are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from joblib import cpu_count
from near_duplicate_dataset import make_dataset
from near_duplicate_scans import FEWER_POINTS, KINDS, POINTS, copy_of, scan_of, thinned

from face3d_data.geometry.surface_distance import surface_distance
from face3d_data.shards.audit.near_duplicates import find_near_duplicates
from face3d_data.shards.audit.near_duplicates_points import MOST, PARTS, describe_cloud, lay
from face3d_data.shards.read import Dataset

STRANGERS = 1000
GOALS = {"seconds": 120.0, "strangers": 0}


class PeakMemory:
    """The most anonymous memory, in MiB, that this process, and it with its workers, held while the context was open.

    Attributes:
        own: of this process.
        every: of all.
    """

    def __enter__(self) -> PeakMemory:
        self.own = self.every = 0.0
        self._done = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._done.wait(0.2):
            own = _anonymous_mb("self")
            listed = (path.read_text().split() for path in Path("/proc/self/task").glob("*/children"))
            self.own = max(self.own, own)
            self.every = max(self.every, own + sum(_anonymous_mb(child) for some in listed for child in some))


def _anonymous_mb(process: str) -> float:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def search(n_samples: int, planted: int, jobs: int, folder: Path) -> dict[str, Any]:
    """Return what the search finds in a dataset with planted copies, which is made in a folder if it is not there."""
    started = time.perf_counter()
    made = folder / "dataset" / "made"
    dataset = Dataset(made) if made.exists() else make_dataset(folder, n_samples, planted, jobs)
    made_s = time.perf_counter() - started
    table = pd.concat([dataset.table(split) for split in dataset.splits], ignore_index=True)
    started, busy = time.perf_counter(), _processor_seconds()
    with PeakMemory() as peak:
        result = find_near_duplicates(dataset, table, jobs=jobs, show_progress=True)
    seconds, busy_s = time.perf_counter() - started, _processor_seconds() - busy
    wanted = {sample for sample in table["sample_id"] if sample.startswith("copy/")}
    found, strangers, others = set(), [], 0
    for suspect in result.suspects:
        copied = {sample for sample in suspect.samples if sample in wanted}
        people = {sample.rpartition("-p")[2] if sample in copied else sample[6:11] for sample in suspect.samples}
        if len(people) > 1:
            strangers.append(str(suspect))
        elif any(sample.endswith("/c0") for sample in suspect.samples):
            found |= copied
        else:
            others += 1
    count = Counter(_kind(sample) for sample in wanted)
    hits = Counter(_kind(sample) for sample in found)
    return {
        "samples": len(table),
        "people": int(table["identity"].nunique()),
        "made_s": round(made_s, 1),
        "seconds": round(seconds, 1),
        "processor_seconds": round(busy_s, 1),
        "jobs": jobs,
        "peak_mb": round(peak.own),
        "peak_with_workers_mb": round(peak.every),
        "remarks": list(result.remarks),
        "compared_pairs": result.compared,
        "found": {kind: f"{hits[kind]} of {n}" for kind, n in sorted(count.items())},
        "missed": sum(count.values()) - sum(hits.values()),
        "other_captures_of_one_person": others,
        "strangers": len(strangers),
        "strangers_named": strangers[:10],
    }


def _processor_seconds() -> float:
    """Return the time that this process and its workers that have ended took of processors."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _kind(sample: str) -> str:
    return sample.split("/")[1].rstrip("0123456789").replace("-", " ")


def distances(n_people: int) -> dict[str, Any]:
    """Return quantiles of the search's figures over pairs of scans without expression."""
    rng = np.random.default_rng(0)
    kinds = ("first", "other capture", *KINDS, "clean", "clean, sampled anew")
    clouds: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
    for person in range(100_000, 100_000 + n_people):
        scan, again = (scan_of(person, capture, neutral=True) for capture in (0, 1))
        clean = scan_of(person, 2, neutral=True, clean=True)
        clouds["first"].append(thinned(scan, POINTS, rng))
        clouds["other capture"].append(thinned(again, POINTS, rng))
        clouds["clean"].append(thinned(clean, POINTS, rng))
        clouds["clean, sampled anew"].append(thinned(clean, FEWER_POINTS, rng))
        for kind in KINDS:
            clouds[kind].append(copy_of(scan, kind, rng).astype(np.float32))
    looks = {kind: Held(found) for kind, found in clouds.items()}
    pairs = np.array(np.triu_indices(n_people, 1)).T
    drawn = pairs[rng.permutation(len(pairs))[:STRANGERS]]
    figures: dict[str, Any] = {}
    for part, (name, *_) in enumerate(PARTS):
        figures[name] = {
            "strangers": _figures(looks["first"], looks["first"], drawn, part),
            "nearest strangers": _figures(looks["first"], looks["first"], _nearest(looks["first"], pairs, part), part),
            "nearest strangers, clean": _figures(
                looks["clean"], looks["clean"], _nearest(looks["clean"], pairs, part), part
            ),
        }
        same = np.repeat(np.arange(n_people)[:, None], 2, axis=1)
        for kind in ("other capture", *KINDS):
            figures[name][kind] = _figures(looks["first"], looks[kind], same, part)
        figures[name]["clean, sampled anew"] = _figures(looks["clean"], looks["clean, sampled anew"], same, part)
    return figures


class Held:
    """Clouds in memory, described and laid as the search does it.

    Attributes:
        maps: descriptors f4 (n, k) of each part.
    """

    def __init__(self, clouds: list[np.ndarray]) -> None:
        described = [describe_cloud(points) for points in clouds]
        self.maps = [np.stack([maps[part] for maps, _, _ in described]) for part in range(len(PARTS))]
        laid = (
            [lay(points, poses, part) for part in range(len(PARTS))]
            for points, (_, poses, _) in zip(clouds, described, strict=True)
        )
        self.surfaces = list(laid)


def _nearest(look: Held, pairs: np.ndarray, part: int) -> np.ndarray:
    maps = look.maps[part]
    apart = np.linalg.norm(maps[pairs[:, 0]] - maps[pairs[:, 1]], axis=1)
    return pairs[np.argsort(apart)[:STRANGERS]]


def _figures(first: Held, second: Held, pairs: np.ndarray, part: int) -> dict[str, Any]:
    """Return quantiles of the maps' distance and of the figures that confirm, and how many pairs are suspected."""
    found = []
    for one, other in pairs:
        apart = surface_distance(first.surfaces[one][part], second.surfaces[other][part], PARTS[part][1])
        maps = first.maps[part][one] - second.maps[part][other]
        map_mm = float(np.linalg.norm(maps))
        shape_mm = apart.shape_mm if part == 0 else apart.part_mm
        found.append((map_mm, shape_mm, apart.noise_ratio, map_mm <= PARTS[part][3] and apart.within(MOST[part])))
    columns = np.array(found)
    names = ("map_mm", "shape_mm", "noise_ratio")
    quantiles = {
        name: [round(float(value), 3) for value in np.quantile(columns[:, i], (0, 0.01, 0.5, 0.99, 1))]
        for i, name in enumerate(names)
    }
    return {"pairs": len(found), "suspected": int(columns[:, 3].sum()), **quantiles}


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--planted", type=int, default=40, help="copies of each kind")
    parser.add_argument("--people", type=int, default=300, help="strangers whose distances are measured")
    parser.add_argument("--jobs", type=int, default=cpu_count(), help="worker processes")
    parser.add_argument("--folder", type=Path, help="keep the dataset here, or use the one that is here")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    figures = distances(options.people) if options.people else {}
    for part, kinds in figures.items():
        print(f"{part}: least, 1 %, median, 99 %, most of shape (mm) and noise ratio")
        for kind, of in kinds.items():
            told = "  ".join(" ".join(f"{value:6.3f}" for value in of[name]) for name in ("shape_mm", "noise_ratio"))
            print(f"  {kind:26} {of['pairs']:5} pairs {of['suspected']:4} suspected  {told}")
    with tempfile.TemporaryDirectory() as name:
        result = search(options.samples, options.planted, options.jobs, options.folder or Path(name))
    for key, value in result.items():
        goal = f"  (goal: at most {GOALS[key]:g})" if key in GOALS else ""
        print(f"{key:30} {value}{goal}")
    if options.json:
        options.json.write_text(json.dumps({"distances": figures, "search": result, "goals": GOALS}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
