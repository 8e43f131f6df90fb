"""gc removes only what no last complete run reaches; compaction changes no row."""

from __future__ import annotations

import shutil

import pytest
from toys import write_toys

from face3d_data.errors import UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.collect import collect
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.store import merge


@pytest.fixture(autouse=True)
def as_written(monkeypatch):
    """Parts stay as tasks wrote them."""
    monkeypatch.setattr(merge, "MERGED_FROM", 1000)


def pipeline_of(root, factor=2.0):
    return make_pipeline(
        {
            "name": "toy",
            "sources": {"src": {"reader": "toy_files", "root": str(root)}},
            "steps": [
                {"id": "scaled", "stage": "toy_scale", "from": "src", "with": {"factor": factor}},
                {"id": "many", "stage": "toy_copies", "from": "scaled"},
            ],
        },
        root,
    )


def content(result):
    return [
        (e.id, e.key, e.place.read("points").tobytes(), e.place.read("landmarks_3d").tobytes())
        for e in result.entries("many")
    ]


def test_unreached_steps_go_and_the_run_stays(tmp_path):
    root, work = write_toys(tmp_path / "in"), tmp_path / "work"
    run(pipeline_of(root, 3.0), work, engine="serial")
    kept = content(run(pipeline_of(root), work, engine="serial"))
    left = work / "cache" / "toy_scale-x" / ".half.1234.tmp~"
    left.parent.mkdir()
    left.write_text("half")
    before = sorted(p.name for p in (work / "cache").iterdir())
    listed = list(collect(work, apply_it=False, compact_it=False))
    assert sorted(p.name for p in (work / "cache").iterdir()) == before
    assert sum("no last complete run" in line for line in listed) == 2
    assert sum(line.startswith("would remove 2 parts of cache/toy_copies-") for line in listed) == 1
    list(collect(work, apply_it=True, compact_it=False))
    assert len([p for p in (work / "cache").iterdir() if p.is_dir()]) == 3
    assert not left.exists()
    again = run(pipeline_of(root), work, engine="serial")
    assert all(step.report.inputs == 0 for step in again.steps.values())
    assert content(again) == kept


@pytest.mark.slow
def test_parts_of_people_who_left_go(tmp_path):
    root, work = write_toys(tmp_path / "in"), tmp_path / "work"
    run(pipeline_of(root), work, engine=Workers("serial", chunk=1))
    shutil.rmtree(root / "p001")
    run(pipeline_of(root), work, engine=Workers("serial", chunk=1))
    parts = next((work / "cache").glob("toy_copies-*")) / "parts"
    assert len(list(parts.glob("*.h5"))) == 12
    list(collect(work, apply_it=True, compact_it=False))
    assert len(list(parts.glob("*.h5"))) == len(list(parts.glob("*.jsonl"))) == 8


@pytest.mark.slow
def test_compaction_keeps_every_row_and_array_and_settles(tmp_path):
    root, work = write_toys(tmp_path / "in"), tmp_path / "work"
    (root / "p000" / "bad.txt").write_text("13")
    before = content(run(pipeline_of(root), work, engine=Workers("serial", chunk=1)))
    parts = sorted((work / "cache").glob("toy_*/parts/*"))
    listed = list(collect(work, apply_it=False, compact_it=True))
    assert sum("13 parts would be rewritten" in line for line in listed) == 1
    assert sorted((work / "cache").glob("toy_*/parts/*")) == parts  # without --apply nothing is changed
    lines = list(collect(work, apply_it=True, compact_it=True))
    assert [line.replace("would be freed: give --apply", "freed").replace("would be ", "") for line in listed] == lines
    for folder in (work / "cache").glob("toy_*"):
        assert len(list((folder / "parts").glob("*.jsonl"))) == 1
    after = run(pipeline_of(root), work, engine="serial")
    assert all(step.report.inputs == 0 for step in after.steps.values())
    assert content(after) == before
    assert [row.reason for row in after.steps["scaled"].dirty] == ["unlucky"]
    assert not any("rewritten" in line for line in collect(work, apply_it=True, compact_it=True))


def test_gc_refuses_what_is_no_workspace_and_what_has_no_complete_run(tmp_path):
    with pytest.raises(UserError, match="not a workspace"):
        list(collect(tmp_path, apply_it=True, compact_it=False))
    run(pipeline_of(write_toys(tmp_path / "in")), tmp_path / "work", engine="serial", until="scaled")
    with pytest.raises(UserError, match="complete a run first"):
        list(collect(tmp_path / "work", apply_it=True, compact_it=False))


def test_gc_waits_for_no_run(tmp_path):
    result = run(pipeline_of(write_toys(tmp_path / "in")), tmp_path / "work", engine="serial")
    with result.workspace.running("toy"), pytest.raises(UserError, match="a run is at work"):
        list(collect(tmp_path / "work", apply_it=True, compact_it=False))


def copies_bytes(work):
    return sum(path.stat().st_size for path in (work / "cache").glob("toy_copies-*/parts/*"))


@pytest.mark.slow
def test_rows_that_no_run_needs_are_told_and_dropped_by_compaction(tmp_path):
    root, work = write_toys(tmp_path / "in", people=5), tmp_path / "work"
    run(pipeline_of(root), work, engine="serial")
    shutil.rmtree(root / "p001")
    kept = content(run(pipeline_of(root), work, engine="serial"))
    before = copies_bytes(work)
    (*_, freed, holes) = collect(work, apply_it=True, compact_it=False)
    assert freed == "0.0 kB freed"
    assert holes.endswith(" more are rows that no run needs, in parts with others: give --compact, too")
    assert copies_bytes(work) == before
    lines = list(collect(work, apply_it=True, compact_it=True))
    told = [line.partition(": ")[2] for line in lines if line.startswith("cache/toy_")]
    said = "{} rewritten, without {} rows that no run needs"
    assert told == [said.format("3 parts", 8), said.format("1 part", 4), said.format("3 parts", 4)]
    assert copies_bytes(work) < 0.8 * before
    after = run(pipeline_of(root), work, engine="serial")
    assert all(step.report.inputs == 0 for step in after.steps.values())
    assert content(after) == kept
    assert list(collect(work, apply_it=True, compact_it=True)) == ["0.0 kB freed"]
