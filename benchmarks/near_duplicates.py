"""The search for near-duplicates between splits: what it finds, what it misses, whom it wrongs, and how long it takes.

    python benchmarks/near_duplicates.py [--samples 10000] [--planted 40] [--people 300] [--json FILE]

A dataset of synthetic people is made, 8 captures each with their expressions, seen through a sensor's noise, aligned
as `align_3d` does and thinned to 2,048 points; 70 % of the people are in train, 10 % in eval, 20 % in test. Into test
go, under names of their own, `--planted` copies of train's scans of each kind: sampled anew from the same points
(1,536 of them), with new noise on top, turned by up to 6 degrees and shifted by up to 3 mm, in a mask. Then:

- the search between the splits: found and missed of each kind, pairs of strangers that it suspects (goal: none), and
  seconds (goal: at most 120 for 10,000 samples), and the part of it that laying the clouds on the mean face takes;
- distances as the search measures them: of 1,000 random pairs of `--people` strangers (goal: none suspected) and of
  the 1,000 pairs of them with the nearest descriptors, all without expression; of other captures of one person without
  expression, and of each kind of copy.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from near_duplicate_scans import FEWER_POINTS, KINDS, POINTS, copy_of, scan_of, thinned

from face3d_data.digest import seed_from
from face3d_data.geometry.surface_distance import surface_distance
from face3d_data.shards.audit.near_duplicates import find_near_duplicates
from face3d_data.shards.audit.near_duplicates_points import MOST, PARTS, Clouds, PointsLook
from face3d_data.shards.finish import finish_dataset
from face3d_data.shards.plan import plan_dataset
from face3d_data.shards.read import Dataset
from face3d_data.shards.schema import DatasetSpec
from face3d_data.shards.write import write_shard
from face3d_data.table import FIXED_COLUMNS

CAPTURES = 8
SPLITS = ("train",) * 7 + ("eval",) + ("test",) * 2
STRANGERS = 1000
GOALS = {"seconds": 120.0, "strangers": 0}


@dataclass(frozen=True)
class Row:
    """One sample to be published, and the order in which it is read."""

    identity: str
    capture: str
    split: str
    points: np.ndarray
    order: tuple[str, int]

    @property
    def names(self) -> frozenset[str]:
        """The arrays."""
        return frozenset({"points"})

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array."""
        return self.points.shape


def rows_of(n_samples: int, planted: int) -> Iterator[Row]:
    """Yield people's captures and the planted copies, whose captures are called as the person copied."""
    n_people = max(10, (n_samples - planted * len(KINDS)) // CAPTURES)
    copies = [person for person in range(n_people) if SPLITS[person % len(SPLITS)] == "train"][: planted * len(KINDS)]
    for person in range(n_people):
        for capture in range(CAPTURES):
            rng = np.random.default_rng(seed_from("rows", person, capture))
            scan = scan_of(person, capture, neutral=False)
            name, split = f"made/p{person:05d}", SPLITS[person % len(SPLITS)]
            yield Row(name, f"c{capture}", split, thinned(scan, POINTS, rng), ("part", person * CAPTURES + capture))
            if capture == 0 and person in copies:
                number = copies.index(person)
                kind = KINDS[number % len(KINDS)]
                points = copy_of(scan, kind, rng).astype(np.float32)
                name = f"copy/{kind.replace(' ', '-')}{number:04d}"
                yield Row(name, f"of-p{person:05d}", "test", points, ("copies", number))


def publish(rows: list[Row], folder: Path) -> Dataset:
    """Publish rows as a dataset."""
    records = [
        {
            **{"key": f"{number:032x}", "id": f"{row.identity}/{row.capture}", "identity": row.identity},
            **{"dataset": row.identity.partition("/")[0], "variant": "plain", "split": row.split, "source": "made"},
            **{"origin_id": f"{row.identity}/{row.capture}", "path": "", "root": "", "n_points": POINTS, "place": row},
        }
        for number, row in enumerate(rows)
    ]
    frame = pd.DataFrame(records)[list(FIXED_COLUMNS)].astype(object)
    plan = plan_dataset(frame, DatasetSpec(**{"from": "made", "fields": ["points"]}), name="made", seed=0)
    infos = [write_shard(task, lambda place, name: place.points) for task in plan.shard_tasks(folder)]
    return Dataset(finish_dataset(plan, folder, infos))


def search(n_samples: int, planted: int) -> dict[str, Any]:
    """Return what the search finds in a dataset with planted copies."""
    with tempfile.TemporaryDirectory() as name:
        started = time.perf_counter()
        dataset = publish(list(rows_of(n_samples, planted)), Path(name))
        made_s = time.perf_counter() - started
        table = pd.concat([dataset.table(split) for split in dataset.splits], ignore_index=True)
        started = time.perf_counter()
        PointsLook(Clouds(dataset, table, "points"), "points")
        laid_s = time.perf_counter() - started
        started, busy = time.perf_counter(), time.process_time()
        result = find_near_duplicates(dataset, table)
        seconds, busy_s = time.perf_counter() - started, time.process_time() - busy
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
        "laying_s": round(laid_s, 1),
        "compared_pairs": result.compared,
        "found": {kind: f"{hits[kind]} of {n}" for kind, n in sorted(count.items())},
        "missed": sum(count.values()) - sum(hits.values()),
        "other_captures_of_one_person": others,
        "strangers": len(strangers),
        "strangers_named": strangers[:10],
    }


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
    looks = {kind: PointsLook(_Held(found), "points") for kind, found in clouds.items()}  # type: ignore[arg-type]
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


class _Held:
    """Clouds in memory."""

    def __init__(self, clouds: list[np.ndarray]) -> None:
        self._clouds = clouds

    def __len__(self) -> int:
        return len(self._clouds)

    def each(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield place and points of every cloud."""
        yield from enumerate(self._clouds)

    def at(self, place: int) -> np.ndarray:
        """Return the points of one."""
        return self._clouds[place]


def _nearest(look: PointsLook, pairs: np.ndarray, part: int) -> np.ndarray:
    maps = look.parts[part].descriptors
    apart = np.linalg.norm(maps[pairs[:, 0]] - maps[pairs[:, 1]], axis=1)
    return pairs[np.argsort(apart)[:STRANGERS]]


def _figures(first: PointsLook, second: PointsLook, pairs: np.ndarray, part: int) -> dict[str, Any]:
    """Return quantiles of the maps' distance and of the figures that confirm, and how many pairs are suspected."""
    found = []
    for one, other in pairs:
        apart = surface_distance(first._surface(int(one), part), second._surface(int(other), part), PARTS[part][1])
        maps = first.parts[part].descriptors[one] - second.parts[part].descriptors[other]
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
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    figures = distances(options.people)
    for part, kinds in figures.items():
        print(f"{part}: least, 1 %, median, 99 %, most of shape (mm) and noise ratio")
        for kind, of in kinds.items():
            told = "  ".join(" ".join(f"{value:6.3f}" for value in of[name]) for name in ("shape_mm", "noise_ratio"))
            print(f"  {kind:26} {of['pairs']:5} pairs {of['suspected']:4} suspected  {told}")
    result = search(options.samples, options.planted)
    for key, value in result.items():
        goal = f"  (goal: at most {GOALS[key]:g})" if key in GOALS else ""
        print(f"{key:30} {value}{goal}")
    if options.json:
        options.json.write_text(json.dumps({"distances": figures, "search": result, "goals": GOALS}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
