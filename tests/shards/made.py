"""Datasets made in memory for tests: places that hold arrays, and the three calls that a pipeline makes."""

import json
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd

from face3d_data.digest import digest_file
from face3d_data.shards.finish import finish_dataset
from face3d_data.shards.origin import DatasetOrigin
from face3d_data.shards.plan import plan_dataset
from face3d_data.shards.schema import OWN_DIGEST, DatasetSpec, description_digest
from face3d_data.shards.write import write_shard
from face3d_data.table import FIXED_COLUMNS

N_POINTS = 16


@dataclass
class MemoryPlace:
    arrays: dict = field(default_factory=dict)
    order: tuple = ("part", 0)
    known: bool = True
    steps: tuple = ()

    @property
    def names(self):
        return frozenset(self.arrays)

    def chain(self):
        return [SimpleNamespace(step=step) for step in self.steps]

    def shape(self, name):
        return self.arrays[name].shape if self.known else None


def read(place, name):
    return place.arrays[name]


def manifest(n_people=6, n_captures=3, variants=("plain",), n_points=N_POINTS, splits=("train", "eval", "test")):
    """Person i is in the split i modulo their number; every sample has other arrays."""
    records = []
    for person in range(n_people):
        for capture in range(n_captures):
            for variant in variants:
                n = len(records)
                rng = np.random.default_rng(n)
                origin = f"d/p{person}/c{capture}"
                arrays = {
                    "points": rng.normal(0, 40, (n_points, 3)).astype("f4"),
                    "normals": rng.normal(0, 1, (n_points, 3)).astype("f4"),
                    "depth": rng.uniform(300, 900, (4, 5)).astype("f4"),
                    "color": rng.integers(0, 255, (4, 5, 3)).astype("u1"),
                    "landmarks": rng.uniform(0, 4, (5, 2)).astype("f4"),
                }
                records.append(
                    {
                        "key": f"{n:032x}",
                        "id": origin + ("" if variant == "plain" else f"~{variant}~{n:08x}"),
                        "identity": f"d/p{person}",
                        "dataset": "d",
                        "variant": variant,
                        "origin_id": origin,
                        "split": splits[person % len(splits)],
                        "source": "src",
                        "path": f"p{person}/c{capture}.png",
                        "n_points": n_points,
                        "place": MemoryPlace(arrays, ("part", -n)),
                        "mask": "none" if variant == "plain" else "worn",
                    }
                )
    frame = pd.DataFrame(records, columns=[*FIXED_COLUMNS, "mask"]).assign(root="")
    return frame.astype(dict.fromkeys(frame.columns, object))


def spec_of(**options):
    return DatasetSpec(**{"from": "all", "fields": ["points"], **options})


def plan_of(frame, spec=None, **options):
    given = {"name": "faces", "seed": 5, "pipeline": "p", **options}
    own = {name: given.pop(name) for name in ("name", "seed", "allow_leaks") if name in given}
    return plan_dataset(frame, spec or spec_of(), **own, origin=DatasetOrigin(**given))


def build(folder, frame=None, spec=None, **options):
    """Plan, write and publish; returns the link to the dataset."""
    plan = plan_of(manifest() if frame is None else frame, spec, **options).looked_at(folder, digest_file)
    return finish_dataset(plan, folder, [write_shard(task, read) for task in plan.shard_tasks(folder)])


def accept(link, change=lambda info: None):
    """Write the files' hashes and sizes into dataset.json again, as somebody would who edits a dataset by hand."""
    info = json.loads((link / "dataset.json").read_text())
    change(info)
    info["files"] = {name: digest_file(link / name) for name in info["files"]}
    info["bytes"] = {name: (link / name).stat().st_size for name in info["files"]}
    sign(link, info)


def sign(link, info):
    """Write dataset.json with the digest of its own that fits."""
    (link / "dataset.json").write_text(json.dumps({**info, OWN_DIGEST: description_digest(info)}))
