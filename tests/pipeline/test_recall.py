"""What did not change is recalled, and what did is looked at: records are never believed over files."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from toys import write_toys

from face3d_data.pipeline import all_sources, recall, walk
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.look import explain
from face3d_data.pipeline.run import run
from face3d_data.store import files

STEPS = [
    {"id": "scaled", "stage": "toy_scale", "from": "src"},
    {"id": "noisy", "stage": "toy_jitter", "from": "scaled"},
    {"id": "people", "table": "split", "from": "noisy", "with": {"ratios": {"train": 0.5, "test": 0.5}}},
]


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Trust time stamps at once."""
    monkeypatch.setattr(files, "SETTLE_NS", 0)


@pytest.fixture
def looked(monkeypatch):
    """Collect the names of sources, steps and notes whose rows were looked at."""
    names = []
    read, join, table = all_sources.read_source, recall.join_rows, recall.run_table

    def noting(what, at):
        return lambda *args: (names.append(args[at].id), what(*args))[1]

    monkeypatch.setattr(all_sources, "read_source", noting(read, 0))
    monkeypatch.setattr(recall, "join_rows", noting(join, 0))
    monkeypatch.setattr(recall, "run_table", noting(table, 0))
    from face3d_data.pipeline import run as module

    monkeypatch.setattr(walk, "join_rows", noting(join, 0))
    monkeypatch.setattr(module, "run_table", noting(table, 0))
    return names


def toy(root: Path, steps=None, limits=None, **source):
    raw = {
        "name": "toy",
        "limits": limits or {},
        "sources": {"src": {"reader": "toy_files", "root": str(root), **source}},
        "steps": steps or STEPS,
        "datasets": {"toy": {"from": "people", "fields": ["points"]}},
    }
    return make_pipeline(raw, root)


def go(root, work, steps=None, until=None, **options):
    said = []
    kwargs = {name: options.pop(name) for name in ("rehash", "force") if name in options}
    result = run(toy(root, steps, **options), work, engine="serial", until=until, say=said.append, **kwargs)
    return result, said


def everything(work: Path) -> dict[str, bytes]:
    kept = ("stats.json", "lock", "files")
    return {
        str(path.relative_to(work)): path.read_bytes()
        for path in sorted(work.rglob("*"))
        if path.is_file() and path.name not in kept
    }


def test_a_second_run_looks_at_no_row_and_says_the_same(tmp_path, looked):
    root, work = write_toys(tmp_path / "in", 4, 3), tmp_path / "work"
    (root / "p000" / "c0.txt").write_text("not numbers")
    _, first = go(root, work)
    assert set(looked) == {"src", "scaled", "noisy", "people"}
    before = everything(work)
    looked.clear()
    result, second = go(root, work)
    assert looked == []
    assert everything(work) == before
    done = re.compile(r", (\d+ new in .*|\d+ files? hashed|nothing new)$")
    assert [done.sub("", line) for line in first] == [done.sub("", line) for line in second]
    assert explain(toy(root), work)[0].endswith("done")
    assert looked == []
    assert len(result.entries("people")) == result.steps["people"].outputs
    assert set(looked) == {"src", "scaled", "noisy", "people"}


def captures_of(result):
    return sorted(entry.id for entry in result.entries("people"))


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ("capture", {"src", "scaled", "noisy", "people"}),
        ("content", {"src", "scaled", "noisy", "people"}),
        ("tag", {"src", "scaled", "noisy", "people"}),
        ("option", {"src", "scaled", "noisy", "people"}),
        ("state", {"src", "scaled", "noisy", "people"}),
        ("part", {"src", "scaled", "noisy"}),
        ("record", {"src", "scaled", "noisy"}),
        ("flip", {"src", "scaled", "noisy"}),
        ("manifest", {"src", "scaled", "noisy"}),
    ],
)
def test_what_changed_is_looked_at(tmp_path, looked, change, again):
    root, work, options = write_toys(tmp_path / "in", 4, 3), tmp_path / "work", {}
    go(root, work)
    looked.clear()
    steps = [dict(step) for step in STEPS]
    record = work / "runs" / "toy" / recall.FOLDER / "noisy.json"
    if change == "capture":
        write_toys(root, 5, 3)
    elif change == "content":
        (root / "p000" / "c0.txt").write_text("7 " * 12)
    elif change == "tag":
        options = {"tags": {"sensor": "a"}}
    elif change == "option":
        steps[0]["with"] = {"factor": 3.0}
    elif change == "state":
        state = work / "runs" / "toy" / "people.split.csv"
        state.write_text(state.read_text().replace("train", "test"))
    elif change == "part":
        for path in work.glob("cache/toy_jitter-*/parts/*"):
            path.unlink()
    elif change == "record":
        record.unlink()
    elif change == "flip":
        record.write_text(record.read_text().replace('"outputs": 12', '"outputs": 11'))
    elif change == "manifest":
        (work / "runs" / "toy" / "noisy.parquet").unlink()
    result, _ = go(root, work, steps, **options)
    assert set(looked) == again
    fresh, _ = go(root, tmp_path / "fresh", steps, **options)
    assert captures_of(result) == captures_of(fresh)
    if change != "state":  # a split remembers
        assert [e.key for e in result.entries("noisy")] == [e.key for e in fresh.entries("noisy")]
    looked.clear()
    go(root, work, steps, **options)
    assert looked == []


def test_rehash_and_force_believe_no_record(tmp_path, looked):
    root, work = write_toys(tmp_path / "in", 3, 2), tmp_path / "work"
    go(root, work)
    looked.clear()
    go(root, work, force=["noisy"])
    assert set(looked) == {"src", "scaled", "noisy", "people"}
    looked.clear()
    go(root, work, rehash=True)
    assert set(looked) == {"src", "scaled", "noisy", "people"}


def test_errors_are_tried_again(tmp_path, looked):
    root, work = write_toys(tmp_path / "in", 3, 2), tmp_path / "work"
    (root / "p000" / "c0.txt").write_text("14 " * 12)
    go(root, work)
    assert not (work / "runs" / "toy" / recall.FOLDER / "scaled.json").exists()
    looked.clear()
    result, _ = go(root, work)
    assert result.steps["scaled"].report.inputs == 1


def test_a_damaged_dataset_is_written_again(tmp_path, looked):
    root, work = write_toys(tmp_path / "in", 4, 3), tmp_path / "work"
    result, _ = go(root, work)
    table = result.datasets["toy"] / "train.csv"
    table.write_text(table.read_text().replace("train", "trai_"))
    _, said = go(root, work)
    assert any("was damaged or changed" in line for line in said)
    shutil.rmtree(work / "datasets")
    result, _ = go(root, work)
    assert (result.datasets["toy"] / "dataset.json").exists()


def test_keys_that_a_stopped_run_did_not_write_are_written_by_the_next(tmp_path, looked):
    root, work = write_toys(tmp_path / "in", 4, 3), tmp_path / "work"
    go(root, work)
    write_toys(root, 5, 3)
    go(root, work, until="noisy")  # its records are new, its keys are not written
    looked.clear()
    go(root, work)
    keys = (work / "runs" / "toy" / "keys" / "noisy.txt").read_text().split()
    assert len(keys) == 15


def test_a_record_of_another_version_is_none(tmp_path, monkeypatch):
    records = recall.Records(tmp_path, keep=True)
    records.put("a", "of", {"x": 1})
    assert records.get("a", "of") == {"x": 1}
    assert records.get("a", "other") is None
    monkeypatch.setattr(recall, "VERSION", recall.VERSION + 1)
    assert records.get("a", "of") is None
    (tmp_path / recall.FOLDER / "a.json").write_text(json.dumps({"x": 1}))
    assert records.get("a", "of") is None


def test_steps_up_to_one_keep_its_arrays_though_a_whole_run_handed_them_on(tmp_path):
    root, work = write_toys(tmp_path / "in", 3, 2), tmp_path / "work"
    go(root, work)
    result, _ = go(root, work, until="scaled")
    assert {entry.place.read("points").shape for entry in result.entries("scaled")} == {(12, 3)}
    whole, _ = go(root, work)
    assert {entry.place.read("points").shape for entry in whole.entries("noisy")} == {(12, 3)}


def test_a_recalled_split_still_has_its_places(tmp_path):
    root, work = write_toys(tmp_path / "in", 4, 2), tmp_path / "work"
    first, _ = go(root, work)
    again, _ = go(root, work)
    assert again.steps["people"].recorded
    assert dict(again.steps["people"].state) == dict(first.steps["people"].state) != {}


def test_rows_that_an_earlier_version_wrote_as_csv_are_not_left_beside_the_new_ones(tmp_path):
    root, work = write_toys(tmp_path / "in", 3, 2), tmp_path / "work"
    (work / "runs" / "toy").mkdir(parents=True)
    for name in ("scaled.csv", "mine.csv"):
        (work / "runs" / "toy" / name).write_text("")
    go(root, work)
    there = {path.name for path in (work / "runs" / "toy").glob("*.csv")}
    assert "scaled.csv" not in there
    assert {"mine.csv", "people.split.csv", "scaled.dirty.csv"} <= there


def test_a_dataset_is_judged_again_by_other_limits(tmp_path, looked):
    root, work = write_toys(tmp_path / "in", 3, 2), tmp_path / "work"
    go(root, work)
    looked.clear()
    go(root, work, limits={"max_reject_rate": 0.01})
    assert looked != []
