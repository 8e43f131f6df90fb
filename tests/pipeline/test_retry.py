"""Rejected rows are tried again on request: those of this pipeline, wherever they were found."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import write_toys

from face3d_data.errors import RunStopped
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.dirty_rows import read_dirty
from face3d_data.pipeline.lock import read_lock
from face3d_data.pipeline.look import look
from face3d_data.pipeline.retry import retry_rows
from face3d_data.pipeline.run import run


def make(root, steps, datasets=None, sources=None, **keys):
    raw = {"name": "toy", "sources": sources or {"src": {"reader": "toy_files", "root": str(root)}}, "steps": steps}
    return make_pipeline({**raw, "datasets": datasets or {}, **keys}, Path(root))


SCALED = {"id": "scaled", "stage": "toy_scale", "from": "src"}


def bad_collection(tmp_path):
    root = write_toys(tmp_path / "in", 1, 2)
    for name, text in {"thirteen": "13", "word": "word", "empty": ""}.items():
        (root / "p000" / f"{name}.txt").write_text(text)
    return root


def reasons(work):
    return {
        row["sample_id"].rpartition("/")[2]: (row["reason"], row["attempt"])
        for row in read_dirty(work, "toy", None, None)
    }


def test_retry_keeps_reasons_and_reaches_sources_and_stages(tmp_path):
    root, work = bad_collection(tmp_path), tmp_path / "work"
    run(make(root, [SCALED]), work, engine="serial")
    want = {"thirteen": ("unlucky", "1"), "word": ("unreadable", "1"), "empty": ("unreadable", "1")}
    assert reasons(work) == want
    assert retry_rows(work, "toy", "src") == 2
    run(make(root, [SCALED]), work, engine="serial")
    assert reasons(work) == {**want, "word": ("unreadable", "3"), "empty": ("unreadable", "3")}
    assert retry_rows(work, "toy", None, "unlucky") == 1
    again = run(make(root, [SCALED]), work, engine="serial")
    assert again.steps["scaled"].report.inputs == 1
    assert reasons(work)["thirteen"] == ("unlucky", "3")


def test_retry_after_a_run_that_stopped_at_a_limit(tmp_path):
    root = write_toys(tmp_path / "in", 1, 2)
    for i in range(60):
        (root / "p000" / f"bad{i}.txt").write_text(f"13 {i}")
    with pytest.raises(RunStopped):
        run(make(root, [SCALED]), tmp_path / "work", engine="serial")
    assert read_lock(tmp_path / "work" / "runs" / "toy") is None
    assert retry_rows(tmp_path / "work", "toy", "scaled") == 60
    assert look(make(root, [SCALED]), tmp_path / "work").todo == {"scaled": 60}


def test_retry_leaves_other_pipelines_rows_alone(tmp_path):
    one, two, work = bad_collection(tmp_path / "1"), write_toys(tmp_path / "2" / "in", 1, 1), tmp_path / "work"
    (two / "p000" / "other.txt").write_text("13 99")
    run(make(one, [SCALED]), work, engine="serial")
    other = make(two, [SCALED], name="other")
    run(other, work, engine="serial")
    assert retry_rows(work, "toy", "scaled", "unlucky") == 1
    assert look(other, work).todo == {"scaled": 0}
