"""Only what changed is done again; what was done in many small runs is the same as what is done at once."""

from __future__ import annotations

import pytest

from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.collect import collect
from face3d_data.pipeline.look import explain
from face3d_data.pipeline.run import run
from face3d_data.testing import add_tiny_capture, write_tiny_rgbd

pytestmark = pytest.mark.slow

STAGES = ("faces", "clouds", "sampled", "drawn")


def pipeline_of(root, n_points=64, seed=1):
    return make_pipeline(
        {
            "name": "tiny",
            "seed": seed,
            "sources": {"tiny": {"reader": "rgbd_folder", "root": str(root)}},
            "steps": [
                {"id": "faces", "stage": "detect", "from": "tiny", "with": {"detector": "given"}},
                {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 64}},
                {"id": "people", "table": "split", "from": "clouds"},
                {"id": "sampled", "stage": "subsample", "from": "people", "with": {"n_points": n_points}},
                {"id": "drawn", "stage": "subsample", "from": "sampled", "with": {"n_points": 32, "method": "random"}},
            ],
            "datasets": {"tiny": {"from": "drawn", "fields": ["points"]}},
        },
        root,
    )


def work_done(result):
    return [result.steps[name].report.inputs for name in STAGES]


def dataset(result):
    folder = result.datasets["tiny"]
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def root(tmp_path):
    return write_tiny_rgbd(tmp_path / "in", people=4, captures=3)


def test_a_parameter_reruns_its_stage_and_what_follows(root, tmp_path):
    work = tmp_path / "work"
    assert work_done(run(pipeline_of(root), work, engine="serial")) == [12, 12, 12, 12]
    changed = pipeline_of(root, n_points=48)
    lines = explain(changed, work)
    assert [line.split(": ", 1)[1] for line in lines] == [
        "up to date: 12 inputs done",
        "up to date: 12 inputs done",
        "up to date: 12 inputs done",
        "parameter n_points changed 64 → 48: 12 of 12 inputs",
        "follows sampled",
    ]
    assert work_done(run(changed, work, engine="serial")) == [0, 0, 12, 12]


def test_a_new_capture_is_its_own_work_though_a_shared_file_changes(root, tmp_path):
    work = tmp_path / "work"
    run(pipeline_of(root), work, engine="serial")
    before = (root / sorted(p.name for p in root.iterdir() if p.is_dir())[1] / "landmarks.json").read_bytes()
    add_tiny_capture(root, person=1, capture=3)
    assert (root / sorted(p.name for p in root.iterdir() if p.is_dir())[1] / "landmarks.json").read_bytes() != before
    again = run(pipeline_of(root), work, engine="serial")
    assert work_done(again) == [1, 1, 1, 1]
    assert len(again.entries("drawn")) == 13


def test_another_seed_runs_only_what_draws(root, tmp_path):
    work = tmp_path / "work"
    run(pipeline_of(root), work, engine="serial")
    assert work_done(run(pipeline_of(root, seed=2), work, engine="serial")) == [0, 0, 0, 12]


def test_many_small_runs_compacted_are_the_same_as_one(root, tmp_path):
    work = tmp_path / "work"
    run(pipeline_of(root), work, engine="serial")
    for capture in range(3, 15):
        add_tiny_capture(root, person=capture % 4, capture=capture)
        grown = run(pipeline_of(root), work, engine="serial")
        assert work_done(grown) == [1, 1, 1, 1]
    list(collect(work, apply_it=True, compact_it=True))
    for folder in (path for path in (work / "cache").iterdir() if path.is_dir()):
        assert len(list((folder / "parts").glob("*.jsonl"))) <= 3
    compacted = run(pipeline_of(root), work, engine="serial")
    assert work_done(compacted) == [0, 0, 0, 0]
    assert dataset(compacted) == dataset(grown)
    split = (work / "runs" / "tiny" / "people.split.csv").read_bytes()
    (tmp_path / "fresh" / "runs" / "tiny").mkdir(parents=True)
    (tmp_path / "fresh" / "runs" / "tiny" / "people.split.csv").write_bytes(split)
    assert dataset(run(pipeline_of(root), tmp_path / "fresh", engine="serial")) == dataset(grown)
