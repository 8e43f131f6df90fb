"""One pipeline, any engine, order of sources and chunking: the same bytes."""

from __future__ import annotations

import pytest

from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.testing import write_tiny_rgbd

pytestmark = pytest.mark.slow


def pipeline_of(roots, reverse=False):
    names = list(roots)[:: -1 if reverse else 1]
    return make_pipeline(
        {
            "name": "bytes",
            "seed": 3,
            "sources": {name: {"reader": "rgbd_folder", "root": str(roots[name])} for name in names},
            "steps": [
                {"id": "faces", "stage": "detect", "from": names, "with": {"detector": "given"}},
                {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 64, "keep_colors": True}},
                {"id": "cleaned", "stage": "clean", "from": "clouds"},
                {"id": "people", "table": "split", "from": "cleaned"},
                {"id": "fast", "stage": "subsample", "from": "people", "with": {"n_points": 64}},
                {"id": "drawn", "stage": "subsample", "from": "people", "with": {"n_points": 64, "method": "random"}},
                {"id": "shaded", "stage": "normals", "from": "fast"},
            ],
            "datasets": {
                "fast": {"from": "shaded", "fields": ["points", "normals", "point_colors"], "pairs": True},
                "drawn": {"from": "drawn", "fields": ["points"], "shard_size": 5, "gallery": True, "probe": True},
            },
        },
        next(iter(roots.values())).parent,
    )


def bytes_of(result):
    return {
        (name, str(path.relative_to(folder))): path.read_bytes()
        for name, folder in result.datasets.items()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    base = tmp_path_factory.mktemp("sources")
    return {
        "one": write_tiny_rgbd(base / "one", people=5, captures=4, width=96, height=72),
        "two": write_tiny_rgbd(base / "two", people=4, captures=3, width=96, height=72, seed=9),
    }


@pytest.fixture(scope="module")
def reference(roots, tmp_path_factory):
    return bytes_of(run(pipeline_of(roots), tmp_path_factory.mktemp("reference"), engine=Workers("serial", chunk=256)))


@pytest.mark.parametrize(
    ("engine", "jobs", "chunk", "reverse"),
    [("serial", 1, 7, False), ("loky", 2, 7, True), ("loky", 2, 256, False), ("threading", 2, None, True)],
)
def test_same_bytes(roots, reference, tmp_path, engine, jobs, chunk, reverse):
    found = bytes_of(run(pipeline_of(roots, reverse), tmp_path / "work", engine=Workers(engine, jobs, chunk)))
    assert found.keys() == reference.keys()
    assert [name for name in found if found[name] != reference[name]] == []
    assert sum(name.endswith(".h5") for _, name in found) >= 6


def test_another_seed_gives_other_bytes_only_where_something_draws(roots, reference, tmp_path):
    from dataclasses import replace

    other = run(replace(pipeline_of(roots), seed=4), tmp_path / "work", engine="serial")
    points = {e.id: e.place.read("points").tobytes() for e in other.entries("fast")}
    same = run(pipeline_of(roots), tmp_path / "other", engine="serial")
    assert points == {e.id: e.place.read("points").tobytes() for e in same.entries("fast")}
    drawn = [{e.id: e.place.read("points").tobytes() for e in r.entries("drawn")} for r in (other, same)]
    assert all(drawn[0][name] != drawn[1][name] for name in drawn[0])
