"""Small parts of a run are merged: keys, rows and bytes stay, and no place that somebody holds goes away."""

from __future__ import annotations

import gc
import shutil

import pytest
from toys import write_toys

from face3d_data.pipeline import merging
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.look import look
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.store import merge
from face3d_data.store.part import read_part_rows

STEPS = [
    {"id": "scaled", "stage": "toy_scale", "from": "src", "keep": True},
    {"id": "many", "stage": "toy_copies", "from": "scaled", "keep": True},
    {"id": "again", "stage": "toy_scale", "from": "many", "keep": True},
    {"id": "people", "table": "split", "from": "again"},
]
"""`again` has the cache folder of `scaled`: the component is the same, and so are its parameters."""
ONE_ROW = Workers("serial", chunk=1)


def pipeline_of(root, name="toy"):
    raw = {
        "name": name,
        "sources": {"src": {"reader": "toy_files", "root": str(root)}},
        "steps": STEPS,
        "datasets": {f"{name}s": {"from": "people", "fields": ["points"], "shard_size": 8}},
    }
    return make_pipeline(raw, root)


def part_counts(work):
    return {p.name.rpartition("-")[0]: len(list(p.glob("parts/*.jsonl"))) for p in (work / "cache").glob("toy_*-*")}


def content(result, step="again"):
    return [(e.id, e.key, e.place.read("points").tobytes()) for e in result.entries(step)]


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def part_files(work):
    return {path: path.read_bytes() for path in (work / "cache").glob("*/parts/*")}


def add_person(root, name, start):
    write_toys(root / ".new", people=1, start=start)
    shutil.move(root / ".new" / "p000", root / name)


@pytest.fixture
def unmerged(monkeypatch):
    """Undone by the test that gives it back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "MERGED_FROM", 10_000)
        yield patch


def test_a_run_of_small_tasks_gives_what_one_of_large_ones_gives(tmp_path):
    root = write_toys(tmp_path / "in")
    few = run(pipeline_of(root), tmp_path / "few", engine="serial")
    many = run(pipeline_of(root), tmp_path / "many", engine=ONE_ROW)
    assert content(many) == content(few)
    assert content(many, "scaled") == content(few, "scaled")
    assert files(tmp_path / "many" / "datasets") == files(tmp_path / "few" / "datasets")
    counts = part_counts(tmp_path / "many")
    assert counts["toy_copies"] == 1
    # Places in the parts of `scaled` are held when `again` has written to the same folder.
    assert counts["toy_scale"] == 1 + len(few.entries("many"))


def test_the_next_run_has_nothing_to_do(tmp_path):
    root = write_toys(tmp_path / "in")
    run(pipeline_of(root), tmp_path / "work", engine=ONE_ROW)
    before = part_files(tmp_path / "work")
    again = run(pipeline_of(root), tmp_path / "work", engine="serial")
    assert all(step.report.inputs == 0 for step in again.steps.values())
    assert part_files(tmp_path / "work") == before
    assert not any(look(pipeline_of(root), tmp_path / "work").todo.values())


@pytest.mark.parametrize("holder", ["a run's result", "a look"])
def test_parts_in_which_somebody_holds_places_stay(tmp_path, unmerged, holder):
    root, work = write_toys(tmp_path / "in"), tmp_path / "work"
    held = run(pipeline_of(root), work, engine=ONE_ROW)
    if holder == "a look":
        held = look(pipeline_of(root), work)
        gc.collect()
    unmerged.undo()
    before, counts = content(held, "many"), part_counts(work)
    add_person(root, "p009", 500)
    run(pipeline_of(root, "other"), work, engine=ONE_ROW)
    assert content(held, "many") == before
    assert all(part_counts(work)[name] >= count for name, count in counts.items())
    del held
    gc.collect()
    add_person(root, "p008", 900)
    run(pipeline_of(root, "other"), work, engine=ONE_ROW)
    assert part_counts(work)["toy_copies"] == 1


@pytest.mark.slow
def test_workers_merge(tmp_path):
    root = write_toys(tmp_path / "in")
    few = run(pipeline_of(root), tmp_path / "few", engine="serial")
    many = run(pipeline_of(root), tmp_path / "many", engine=Workers("loky", jobs=2, chunk=1))
    assert content(many) == content(few)
    assert part_counts(tmp_path / "many")["toy_copies"] == 1


@pytest.mark.slow
def test_a_worker_that_dies_while_it_merges_costs_nothing(tmp_path, monkeypatch, caplog):
    root = write_toys(tmp_path / "in")
    few = run(pipeline_of(root), tmp_path / "few", engine="serial")
    monkeypatch.setattr(merging, "MergeParts", Deadly)
    many = run(pipeline_of(root), tmp_path / "many", engine=Workers("loky", jobs=2, chunk=1))
    assert content(many) == content(few)
    assert part_counts(tmp_path / "many")["toy_copies"] > 1
    assert "are not merged" in caplog.text


class Deadly(merging.MergeParts):
    """Kills the worker that runs it."""

    def run(self):
        """Die."""
        import os
        import signal

        os.kill(os.getpid(), signal.SIGKILL)


def test_the_rows_of_sources_are_merged(tmp_path, monkeypatch):
    from face3d_data.pipeline import sources

    monkeypatch.setattr(sources, "INSPECTED_ROWS", 1)
    root, work = write_toys(tmp_path / "in"), tmp_path / "work"
    result = run(pipeline_of(root), work, engine="serial")
    (folder,) = (work / "cache").glob("toy_files-*/parts")
    (part,) = folder.glob("*.jsonl")
    assert len(read_part_rows(part)) == len(result.entries("src"))
