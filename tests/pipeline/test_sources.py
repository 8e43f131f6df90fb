"""A reader that fails at one capture: an error row that is tried again, unless it is the run that cannot go on."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path

import pytest
from toys import ToyReader, write_toys

from face3d_data.errors import MissingDependency, RunStopped, UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.reader import Source


def make(root: Path):
    source = {"reader": "toy_files", "root": str(root)}
    steps = [{"id": "scaled", "stage": "toy_scale", "from": "src"}]
    return make_pipeline({"name": "toy", "sources": {"src": source}, "steps": steps}, root)


def fail_at(monkeypatch, capture, error):
    def inspect(self, source):
        if source.capture == capture:
            raise error

    monkeypatch.setattr(ToyReader, "inspect", inspect)


def spoil(monkeypatch, capture, /, **changes):
    scan = ToyReader.scan

    def scan_spoilt(self):
        for source in scan(self):
            yield Source(**{**vars(source), **changes}) if source.capture == capture else source

    monkeypatch.setattr(ToyReader, "scan", scan_spoilt)


def outcome(result):
    rows = result.steps["src"].dirty
    return len(result.entries("scaled")), [(row.sample_id, row.status, row.reason, row.attempt) for row in rows]


def test_a_failing_inspection_is_one_error_row_and_is_tried_again(tmp_path, monkeypatch):
    root, work = write_toys(tmp_path / "in", 1, 3), tmp_path / "work"
    fail_at(monkeypatch, "c1", KeyError("a key\nthat does not exist"))
    want = (2, [("src/p000/c1", "error", "KeyError", 1)])
    first = run(make(root), work, engine="serial")
    assert outcome(first) == want
    assert "\n" not in first.steps["src"].dirty[0].detail
    assert outcome(run(make(root), work, engine="serial")) == want
    monkeypatch.undo()
    assert outcome(run(make(root), work, engine="serial")) == (3, [])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"record": {"x": float("nan")}}, "ValueError"),
        ({"record": "\ud800"}, "UnicodeEncodeError"),
        ({"record": object()}, "TypeError"),
        ({"tags": {"yaw_deg": float("inf")}}, "ValueError"),
        ({"index": Path}, "TypeError"),
    ],
)
def test_a_record_without_digest_is_one_error_row(tmp_path, monkeypatch, changes, reason):
    root, work = write_toys(tmp_path / "in", 1, 3), tmp_path / "work"
    spoil(monkeypatch, "c1", **changes)
    assert outcome(run(make(root), work, engine="serial")) == (2, [("src/p000/c1", "error", reason, 1)])
    with open(work / "runs" / "toy" / "src.dirty.csv", encoding="utf-8", newline="") as stream:
        assert [row["reason"] for row in csv.DictReader(stream)] == [reason]
    monkeypatch.undo()
    assert outcome(run(make(root), work, engine="serial")) == (3, [])


@pytest.mark.parametrize("name", ["person", "capture"])
def test_a_name_that_is_no_utf8_is_one_dirty_row_of_the_data_set_too(tmp_path, monkeypatch, name):
    root, work = write_toys(tmp_path / "in", 3, 2), tmp_path / "work"
    spoil(monkeypatch, "c1", **{name: "a\udcffb\ud800"})
    steps = [{"id": "people", "table": "split", "from": "src", "with": {"ratios": {"train": 0.5, "test": 0.5}}}]
    source = {"reader": "toy_files", "root": str(root)}
    raw = {"name": "toy", "sources": {"src": source}, "steps": steps, "limits": {"max_reject_rate": 0.9}}
    datasets = {"toy": {"from": "people", "fields": ["points"]}}
    result = run(make_pipeline({**raw, "datasets": datasets}, root), work, engine="serial")
    with open(Path(result.datasets["toy"]) / "dirty.csv", encoding="utf-8", newline="") as stream:
        assert [row["reason"] for row in csv.DictReader(stream)] == ["bad_name"] * 3


STOPS = [UserError("wrong option"), MissingDependency("pip install it"), MemoryError(), sqlite3.OperationalError("")]


@pytest.mark.parametrize("error", STOPS)
def test_what_is_no_fault_of_a_capture_stops_the_run(tmp_path, monkeypatch, error):
    root = write_toys(tmp_path / "in", 1, 3)
    fail_at(monkeypatch, "c1", error)
    with pytest.raises(RunStopped if isinstance(error, MemoryError) else type(error)):
        run(make(root), tmp_path / "work", engine="serial")
