"""Dataset of synthetic people with planted copies, made by worker processes, for the search for near-duplicates.

A library of `near_duplicates.py`. Clouds go to files as they are made and from there into shards, so that memory holds
no more of them than a task's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from near_duplicate_scans import KINDS, POINTS, copy_of, scan_of, thinned

from face3d_data.digest import seed_from
from face3d_data.engine.backends import Engine
from face3d_data.engine.progress import StepProgress
from face3d_data.engine.stats import Report
from face3d_data.shards.finish import finish_dataset
from face3d_data.shards.plan import plan_dataset
from face3d_data.shards.read import Dataset
from face3d_data.shards.schema import DatasetSpec
from face3d_data.shards.write import ShardTask, write_shard
from face3d_data.table import FIXED_COLUMNS

CAPTURES = 8
SPLITS = ("train",) * 7 + ("eval",) + ("test",) * 2
PEOPLE_AT_ONCE = 32


@dataclass(frozen=True)
class Row:
    """One sample to be published, where its cloud is, and the order in which it is read."""

    identity: str
    capture: str
    split: str
    file: Path
    index: int
    order: tuple[str, int]

    @property
    def names(self) -> frozenset[str]:
        """The arrays."""
        return frozenset({"points"})

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array."""
        return (POINTS, 3)


@dataclass(frozen=True)
class MakePeople:
    """Some people whose clouds are to be made; the report's result is their rows.

    Attributes:
        folder: takes a file of clouds.
        people: numbers of people.
        copied: person to the number of the copy that is planted of them.
    """

    folder: Path
    people: tuple[int, ...]
    copied: Mapping[int, int]

    def run(self) -> Report:
        """Make the clouds."""
        file = self.folder / f"{self.people[0]:08d}.npy"
        rows, clouds = [], []
        for person in self.people:
            for identity, capture, split, points, order in _samples(person, self.copied.get(person)):
                rows.append(Row(identity, capture, split, file, len(clouds), order))
                clouds.append(points)
        np.save(file, np.stack(clouds))
        report = Report(inputs=len(self.people), outputs=len(rows), result=rows)
        report.counts["ok"] = len(self.people)
        return report

    def halves(self) -> Sequence[MakePeople]:
        """Return the two halves, or nothing for a single person."""
        middle = len(self.people) // 2
        return [replace(self, people=some) for some in (self.people[:middle], self.people[middle:])] if middle else []


@dataclass(frozen=True)
class PublishShard:
    """A shard to be written; the report's result says what it has become."""

    shard: ShardTask

    def run(self) -> Report:
        """Write the shard."""
        info = write_shard(self.shard, lambda place, name: _clouds(place.file)[place.index])
        report = Report(inputs=len(self.shard.rows), outputs=len(self.shard.rows), result=info)
        report.counts["ok"] = report.inputs
        return report

    def halves(self) -> Sequence[PublishShard]:
        """Return nothing: a shard is whole."""
        return ()


@lru_cache(maxsize=512)
def _clouds(file: Path) -> np.ndarray:
    return np.load(file, mmap_mode="r")


def _samples(person: int, number: int | None) -> Iterator[tuple[str, str, str, np.ndarray, tuple[str, int]]]:
    """Yield a person's captures and the copy that is planted, whose capture is called as the person copied."""
    for capture in range(CAPTURES):
        rng = np.random.default_rng(seed_from("rows", person, capture))
        scan = scan_of(person, capture, neutral=False)
        split = SPLITS[person % len(SPLITS)]
        points, order = thinned(scan, POINTS, rng), ("part", person * CAPTURES + capture)
        yield f"made/p{person:05d}", f"c{capture}", split, points, order
        if capture == 0 and number is not None:
            kind = KINDS[number % len(KINDS)]
            points = copy_of(scan, kind, rng).astype(np.float32)
            yield (
                f"copy/{kind.replace(' ', '-')}{number:04d}",
                f"of-p{person:05d}",
                "test",
                points,
                ("copies", number),
            )


def make_dataset(folder: Path, n_samples: int, planted: int, jobs: int) -> Dataset:
    """Publish people's captures, with a number of copies of each kind, as a dataset.

    Args:
        folder: takes the dataset, in `dataset`, and the clouds that it is made from.
        n_samples: number of samples, approximately.
        planted: copies of each kind.
        jobs: worker processes.
    """
    n_people = max(10, (n_samples - planted * len(KINDS)) // CAPTURES)
    trained = [person for person in range(n_people) if SPLITS[person % len(SPLITS)] == "train"]
    copied = {person: number for number, person in enumerate(trained[: planted * len(KINDS)])}
    made, dataset = folder / "clouds", folder / "dataset"
    for part in (made, dataset):
        part.mkdir(parents=True, exist_ok=True)
    with Engine("loky", jobs) as engine:
        rows: dict[int, list[Row]] = {}
        people = (range(start, min(start + PEOPLE_AT_ONCE, n_people)) for start in range(0, n_people, PEOPLE_AT_ONCE))
        tasks = (
            MakePeople(made, tuple(some), {person: copied[person] for person in some if person in copied})
            for some in people
        )
        with StepProgress("people", n_people) as progress:
            for task, report in engine.run(tasks):
                rows[task.people[0]] = report.result  # type: ignore[attr-defined, union-attr, assignment]
                progress.update(report)  # type: ignore[arg-type]
        plan = plan_dataset(
            _frame([row for first in sorted(rows) for row in rows[first]]),
            DatasetSpec(**{"from": "made", "fields": ["points"]}),
            name="made",
            seed=0,
        )
        infos = [report.result for _, report in engine.run(map(PublishShard, plan.shard_tasks(dataset)))]  # type: ignore[union-attr]
    return Dataset(finish_dataset(plan, dataset, infos))  # type: ignore[arg-type]


def _frame(rows: Sequence[Row]) -> pd.DataFrame:
    records = [
        {
            **{"key": f"{number:032x}", "id": f"{row.identity}/{row.capture}", "identity": row.identity},
            **{"dataset": row.identity.partition("/")[0], "variant": "plain", "split": row.split, "source": "made"},
            **{"origin_id": f"{row.identity}/{row.capture}", "path": "", "root": "", "n_points": POINTS, "place": row},
        }
        for number, row in enumerate(rows)
    ]
    return pd.DataFrame(records)[list(FIXED_COLUMNS)].astype(object)
