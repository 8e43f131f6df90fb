"""Masks and copies: the same draws and bytes on one worker and on two, other draws with another seed."""

import pandas as pd
import pytest

from face3d_data import Dataset
from face3d_data.digest import digest_file
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run

pytestmark = pytest.mark.slow

STEPS = [
    {"id": "faces", "stage": "detect", "from": "people", "with": {"detector": "given"}},
    {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 100}},
    {"id": "parts", "table": "split", "from": "clouds", "with": {"ratios": {"train": 0.5, "test": 0.5}}},
    {"id": "worn", "stage": "mask", "from": "parts", "with": {"per_sample": 2, "worn": ["proper", "one_ear"]}},
    {"id": "hidden", "stage": "occlude", "from": "parts", "with": {"kinds": ["glasses", "scarf", "crop"]}},
    {"id": "varied", "stage": "augment", "from": "worn", "with": {"jitter_mm": 0.3, "yaw_deg": 10, "dropout": 0.2}},
    {"id": "all", "table": "combine", "from": ["worn", "hidden", "varied"]},
    {"id": "thin", "stage": "subsample", "from": "all", "with": {"n_points": 128}},
]


def built(folder, engine, jobs, seed=5):
    pipeline = make_pipeline(
        {
            "name": "masks",
            "seed": seed,
            "sources": {"people": {"reader": "synthetic", "people": 4, "captures": 1, "width": 200, "height": 150}},
            "steps": STEPS,
            "datasets": {
                "masks": {"from": "thin", "fields": ["points"], "tags": ["mask", "mask_seed", "visible_ratio"]}
            },
        },
        folder,
    )
    return run(pipeline, folder, engine=Workers(engine, jobs, 1)).datasets["masks"]


def hashes(folder):
    return {str(path.relative_to(folder)): digest_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def rows(folder):
    return pd.concat([Dataset(folder).table(split) for split in ("train", "test")])


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return built(tmp_path_factory.mktemp("one"), "serial", 1)


def test_one_worker_and_two_write_the_same_bytes(reference, tmp_path):
    assert hashes(built(tmp_path, "loky", 2)) == hashes(reference)
    assert len(rows(reference)) == 4 * (2 + 1 + 2)


def test_another_seed_draws_other_masks(reference, tmp_path):
    first, other = (
        set(rows(folder)["mask_seed"].dropna()) for folder in (reference, built(tmp_path, "serial", 1, seed=6))
    )
    assert first.isdisjoint(other)
