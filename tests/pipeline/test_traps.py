"""Traps that a run must not fall into: wrong rows joined, stale caches, lost retries, runs in each other's way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toys import ToyJitter, ToyReader, ToyScale, write_toys

from face3d_data.errors import UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.dirty_rows import read_dirty
from face3d_data.pipeline.look import explain, look
from face3d_data.pipeline.run import run
from face3d_data.reader import Reader
from face3d_data.store.manifest_files import DIRTY_ROW_COLUMNS, manifest_csv


def make(root, steps, datasets=None, sources=None, **keys):
    raw = {"name": "toy", "sources": sources or {"src": {"reader": "toy_files", "root": str(root)}}, "steps": steps}
    return make_pipeline({**raw, "datasets": datasets or {}, **keys}, Path(root))


SCALED = {"id": "scaled", "stage": "toy_scale", "from": "src"}


def test_rows_with_one_id_are_refused_by_every_table_step(tmp_path):
    sources = {
        name: {"reader": "toy_files", "root": str(write_toys(tmp_path / name, 2, 2, start)), "dataset": "d"}
        for name, start in (("s1", 100), ("s2", 500))
    }
    steps = [{"id": "chosen", "table": "select", "from": ["s1", "s2"], "with": {"query": "source == 's1'"}}]
    with pytest.raises(UserError, match=r"step 'chosen': two rows have the id 'd/p000/c0' .*capture_prefix"):
        run(make(tmp_path, steps, sources=sources), tmp_path / "work", engine="serial")


def test_a_row_that_comes_in_twice_is_separated_from_two_sources(tmp_path):
    root = write_toys(tmp_path / "in", 1, 1)
    steps = [{"id": "scaled", "stage": "toy_scale", "from": ["src", "src"]}]
    with pytest.raises(UserError, match="arrives on two paths: fix 'from' or 'where'"):
        run(make(root, steps), tmp_path / "work", engine="serial")


@pytest.mark.parametrize("name", ["identity", "split", "key", "place", "dataset"])
def test_no_stage_can_change_a_column_through_a_tag(tmp_path, name):
    root = write_toys(tmp_path / "in", 1, 1)
    steps = [{"id": "tagged", "stage": "toy_tags", "from": "src", "with": {"set_tag": name}}]
    result = run(make(root, steps), tmp_path / "work", engine="serial")
    assert [(row.status, row.reason) for row in result.steps["tagged"].dirty] == [("error", "ContractError")]


def test_no_source_can_either(tmp_path, monkeypatch):
    root = write_toys(tmp_path / "in", 1, 1)
    monkeypatch.setattr(ToyReader, "declared_tags", lambda self: ("origin_id",))
    with pytest.raises(UserError, match=r"source 'src': tag 'origin_id' is the name of a column"):
        make(root, [SCALED])
    monkeypatch.setattr(ToyReader, "declared_tags", Reader.declared_tags)
    scan = ToyReader.scan
    monkeypatch.setattr(
        ToyReader, "scan", lambda self: (type(s)(**{**vars(s), "tags": {"n_points": 3}}) for s in scan(self))
    )
    with pytest.raises(UserError, match=r"source 'src': tag 'n_points' is the name of a column"):
        run(make(root, [SCALED]), tmp_path / "work", engine="serial")


def test_labels_of_table_steps_reach_where_but_no_stage(tmp_path):
    """A label is in no key, so a stage that saw it would give stale results."""
    root = write_toys(tmp_path / "in", 1, 2)

    def steps(value):
        return [
            {"id": "labelled", "table": "toy_label", "from": "src", "with": {"value": value}},
            {"id": "seen", "stage": "toy_tags", "from": "labelled", "with": {"copy_tag": "label"}},
            {"id": "chosen", "stage": "toy_tags", "from": "labelled", "where": {"label": "b"}},
        ]

    for value, chosen in (("a", 0), ("b", 2)):
        result = run(make(root, steps(value)), tmp_path / "work", engine="serial")
        assert {entry.tags["seen"] for entry in result.entries("seen")} == {"absent"}
        assert {entry.all_tags["label"] for entry in result.entries("seen")} == {value}
        assert result.steps["chosen"].inputs == chosen
    text = "".join(manifest_csv(tmp_path / "work" / "runs" / "toy" / "seen.parquet")).splitlines()
    assert text[0].endswith(",label,mask,seen")
    assert text[1].endswith(",b,none,absent")


@pytest.mark.slow
def test_force_reaches_what_follows_and_the_dataset(tmp_path, monkeypatch):
    root = write_toys(tmp_path / "in", 3, 2)
    steps = [SCALED, {"id": "people", "table": "split", "from": "scaled"}, {**SCALED, "id": "more", "from": "people"}]
    pipeline = make(root, steps, {"toy": {"from": "more", "fields": ["points"]}})
    first = run(pipeline, tmp_path / "work", engine="serial")
    before = {p.name: p.read_bytes() for p in first.datasets["toy"].rglob("*") if p.is_file()}
    said = []
    run(pipeline, tmp_path / "work", engine="serial", force=["scaled"], say=said.append)
    assert {p.name: p.read_bytes() for p in first.datasets["toy"].rglob("*") if p.is_file()} == before
    assert not any("other bytes" in line for line in said)

    def changed(self, sample, rng):
        yield sample.with_arrays(points=sample.arrays["points"] + np.float32(1))

    monkeypatch.setattr(ToyScale, "run", changed)
    again = run(pipeline, tmp_path / "work", engine="serial", force=["scaled"], say=said.append)
    assert [again.steps[name].report.inputs for name in ("scaled", "more")] == [6, 6]
    after = {p.name: p.read_bytes() for p in again.datasets["toy"].rglob("*") if p.is_file()}
    assert after["train-00000.h5"] != before["train-00000.h5"]
    assert any("other bytes than before under the same versions" in line for line in said)
    assert list((tmp_path / "work" / "datasets").glob("*~")) == []


def test_a_draw_in_a_notebook_is_the_pipelines_draw(tmp_path):
    root = write_toys(tmp_path / "in", 1, 2)
    steps = [{"id": "noisy", "stage": "toy_jitter", "from": "src"}]
    result = run(make(root, steps, seed=3), tmp_path / "work", engine="serial")
    reader = ToyReader(root=root)
    for source, entry in zip(reader.scan(), result.entries("noisy"), strict=True):
        sample = ToyJitter().apply(reader.sample(source, "src"), seed=3)
        assert np.array_equal(sample.arrays["points"], entry.place.read("points"))
        assert (sample.key, sample.id) == (entry.key, entry.id)


def test_a_torn_part_is_warned_of_once(tmp_path, caplog):
    root, work = write_toys(tmp_path / "in", 1, 3), tmp_path / "work"
    run(make(root, [SCALED]), work, engine="serial")
    rows = next((work / "cache").glob("toy_scale-*/parts/*.jsonl"))
    rows.rename(rows.with_name("0" * 32 + ".jsonl"))
    (rows.with_name("0" * 32 + ".jsonl")).write_text("torn")
    run(make(root, [SCALED]), work, engine="serial")
    assert caplog.text.count("counts as absent") == 1
    run(make(root, [SCALED]), work, engine="serial")
    assert caplog.text.count("counts as absent") == 1


def test_a_file_that_was_away_for_a_while_is_read_the_next_time(tmp_path, monkeypatch):
    root, work = write_toys(tmp_path / "in", 1, 3), tmp_path / "work"
    load = ToyReader.load

    def away(self, source, name):
        if source.capture == "c1":
            raise OSError(5, "Input/output error")
        return load(self, source, name)

    monkeypatch.setattr(ToyReader, "load", away)
    first = run(make(root, [SCALED]), work, engine="serial")
    assert [(row.status, row.reason) for row in first.steps["scaled"].dirty] == [("error", "OSError")]
    monkeypatch.setattr(ToyReader, "load", load)
    monkeypatch.setattr(ToyReader, "inspect", Reader.inspect)
    assert run(make(root, [SCALED]), work, engine="serial").steps["scaled"].dirty == []


def test_a_header_that_could_not_be_read_is_not_remembered(tmp_path, monkeypatch):
    root, work = write_toys(tmp_path / "in", 1, 2), tmp_path / "work"

    def away(self, source):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(ToyReader, "inspect", away)
    first = run(make(root, [SCALED]), work, engine="serial")
    assert {(row.status, row.reason) for row in first.steps["src"].dirty} == {("error", "not_read")}
    monkeypatch.undo()
    assert len(run(make(root, [SCALED]), work, engine="serial").entries("scaled")) == 2


def test_two_runs_cannot_write_one_dataset(tmp_path):
    root = write_toys(tmp_path / "in", 3, 2)
    steps = [{"id": "people", "table": "split", "from": "src"}]
    pipeline = make(root, steps, {"toy": {"from": "people", "fields": ["points"]}})
    result = run(pipeline, tmp_path / "work", engine="serial")
    with (
        result.workspace.publishing("toy"),
        pytest.raises(UserError, match="'toy' is being written by another"),
    ):
        run(pipeline, tmp_path / "work", engine="serial")


def test_only_its_own_unfinished_folder_is_cleared_away(tmp_path):
    root, datasets = write_toys(tmp_path / "in", 3, 2), tmp_path / "work" / "datasets"
    mine, others = datasets / f"toy-{'0' * 16}.partial", datasets / f"toy-masked-{'0' * 16}.partial"
    for folder in (mine, others):
        folder.mkdir(parents=True)
    steps = [{"id": "people", "table": "split", "from": "src"}]
    run(make(root, steps, {"toy": {"from": "people", "fields": ["points"]}}), tmp_path / "work", engine="serial")
    assert (mine.exists(), others.exists()) == (False, True)


def test_select_over_nothing_gives_nothing(tmp_path):
    root = write_toys(tmp_path / "in", 1, 2)
    steps = [
        {"id": "none", "table": "select", "from": "src", "where": {"mask": "worn"}, "with": {"query": "mask == 'x'"}}
    ]
    assert run(make(root, steps), tmp_path / "work", engine="serial").entries("none") == []


def test_a_batch_that_fails_is_done_one_by_one(tmp_path):
    root = write_toys(tmp_path / "in", 1, 6)
    (root / "p000" / "c2.txt").write_text("13")
    steps = [{"id": "batched", "stage": "toy_batch", "from": "src"}]
    result = run(make(root, steps), tmp_path / "work", engine="serial")
    assert len(result.entries("batched")) == 5
    assert [(row.sample_id, row.detail) for row in result.steps["batched"].dirty] == [
        ("src/p000/c2", "one of them is 13")
    ]


def test_looking_writes_nothing(tmp_path):
    root = write_toys(tmp_path / "in", 1, 2)
    explain(make(root, [SCALED]), tmp_path / "work")
    look(make(root, [SCALED]), tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_explain_does_not_stumble_over_tags_that_are_still_to_be_made(tmp_path):
    root = write_toys(tmp_path / "in", 2, 2)
    steps = [
        {"id": "tagged", "stage": "toy_tags", "from": "src"},
        {"id": "chosen", "table": "select", "from": ["tagged", "src"], "with": {"query": "seen == 'absent'"}},
    ]
    lines = explain(make(root, steps), tmp_path / "work")
    assert lines == ["tagged (toy_tags): first run: 4 inputs", "chosen (select): follows tagged"]


def test_a_relative_pipeline_can_be_shown_from_elsewhere(tmp_path, monkeypatch):
    from face3d_data.pipeline.build import load_pipeline

    write_toys(tmp_path / "in", 1, 2)
    (tmp_path / "p.yaml").write_text(
        "name: toy\nsources: {src: {reader: toy_files, root: in}}\nsteps: [{id: scaled, stage: toy_scale, from: src}]\n"
    )
    monkeypatch.chdir(tmp_path)
    run(load_pipeline("p.yaml"), "work", engine="serial")
    monkeypatch.chdir("/")
    kept = load_pipeline(tmp_path / "work" / "runs" / "toy" / "pipeline.yaml")
    assert look(kept, tmp_path / "work").todo == {"scaled": 0}


def test_paths_in_a_mapping_are_taken_as_they_are(tmp_path):
    root = write_toys(tmp_path / "in", 1, 1)
    raw = {"name": "toy", "sources": {"src": {"reader": "toy_files", "root": root}}, "steps": [SCALED]}
    assert len(run(make_pipeline(raw, tmp_path), tmp_path / "work", engine="serial").entries("scaled")) == 1


@pytest.mark.slow
def test_addresses_in_messages_do_not_make_new_datasets(tmp_path, monkeypatch):
    root = write_toys(tmp_path / "in", 30, 2)
    (root / "p000" / "bad.txt").write_text("14")
    steps = [SCALED, {"id": "people", "table": "split", "from": "scaled"}]
    pipeline = make(root, steps, {"toy": {"from": "people", "fields": ["points"]}})

    def fail(self, sample, rng):
        if sample.arrays["points"][0, 0] == 14:
            raise RuntimeError(f"no use for {object()!r}")
        yield sample.with_arrays(points=sample.arrays["points"])

    monkeypatch.setattr(ToyScale, "run", fail)
    folders = {run(pipeline, tmp_path / "work", engine="serial").datasets["toy"].resolve() for _ in range(2)}
    assert len(folders) == 1
    detail = next(row["detail"] for row in read_dirty(tmp_path / "work", "toy", None, None))
    assert detail == "no use for <object object>"
    assert set(json.loads(json.dumps(read_dirty(tmp_path / "work", "toy", None, None)))[0]) == {
        *DIRTY_ROW_COLUMNS,
        "traceback",
    }


@pytest.mark.slow
def test_very_long_names_are_kept_and_export_says_what_to_shorten(tmp_path):
    from face3d_data.shards.export.dataset import export_dataset
    from face3d_data.sheets.sample_trace import show_sample

    root = write_toys(tmp_path / "in", 3, 1)
    (root / "p000").rename(root / ("é" * 120))
    steps = [{"id": "people", "table": "split", "from": "src"}]
    result = run(
        make(root, steps, {"toy": {"from": "people", "fields": ["points"]}}), tmp_path / "work", engine="serial"
    )
    with pytest.raises(UserError, match="is too long for a file name: shorten the capture's name"):
        export_dataset(result.datasets["toy"], tmp_path / "out", ["ply"])
    assert not (tmp_path / "out").exists()
    lines = list(show_sample(tmp_path / "work", f"src/{'é' * 120}/c0", None, tmp_path / "pictures"))
    assert len(list((tmp_path / "pictures").rglob("*.png"))) == 1, lines
