"""A run does what is not done, joins it to who it shows, and accounts for every input."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from toys import ToyReader, write_toys

from face3d_data.errors import RunStopped, UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.look import explain, look
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.retry import retry_rows
from face3d_data.pipeline.run import run


def pipeline_of(root: Path, steps: list[dict] | None = None, **keys):
    raw = {
        "name": "toy",
        "sources": {"src": {"reader": "toy_files", "root": str(root)}},
        "steps": steps
        or [
            {"id": "scaled", "stage": "toy_scale", "from": "src"},
            {"id": "noisy", "stage": "toy_jitter", "from": "scaled"},
            {"id": "many", "stage": "toy_copies", "from": "noisy"},
        ],
        **keys,
    }
    return make_pipeline(raw, root)


def kept(root: Path, **keys):
    """Return a pipeline in which every step keeps its arrays, so that each begins where the one before it ended."""
    built = pipeline_of(root, **keys)
    return pipeline_of(root, [{**step, "keep": True} for step in built.raw["steps"]], **keys)


def arrays(result, step):
    return {entry.id: entry.place.read("points").tobytes() for entry in result.entries(step)}


def test_ids_variants_and_inherited_arrays(tmp_path):
    root = write_toys(tmp_path / "in")
    result = run(pipeline_of(root), tmp_path / "work", engine="serial")
    assert [e.id for e in result.entries("scaled")][:2] == ["src/p000/c0", "src/p000/c1"]
    many = result.entries("many")
    assert len(many) == 24
    first = many[0]
    assert first.id == f"src/p000/c0~copy:0~{first.key[:8]}"
    assert (first.variant, first.origin_id, first.identity, first.n_points) == (
        "copy:0",
        "src/p000/c0",
        "src/p000",
        12,
    )
    assert first.place.names == {"points", "landmarks_3d"}
    assert np.array_equal(first.place.read("landmarks_3d"), np.zeros((5, 3)))
    with pytest.raises(UserError, match="'scaled' does not keep landmarks_3d: give it keep: true"):
        result.entries("scaled")[0].place.read("landmarks_3d")
    result = run(kept(root), tmp_path / "work", engine="serial")
    assert first.key == result.entries("many")[0].key
    assert result.entries("scaled")[0].place.find("landmarks_3d").step == "scaled"
    assert first.tags["mask"] == "none"
    assert isinstance(first.tags["shift"], float)


def test_mirrored_copies_are_other_people(tmp_path):
    steps = [{"id": "many", "stage": "toy_copies", "from": "src", "with": {"mirror": True}}]
    result = run(pipeline_of(write_toys(tmp_path / "in", 1, 1), steps), tmp_path / "work", engine="serial")
    assert {e.identity for e in result.entries("many")} == {"src/p000~mirror"}


@pytest.mark.slow
@pytest.mark.parametrize(("engine", "jobs", "chunk"), [("loky", 2, 3), ("threading", 2, 1), ("serial", 1, 256)])
def test_same_bytes_in_every_engine_and_chunking(tmp_path, engine, jobs, chunk):
    root = write_toys(tmp_path / "in")
    one = run(pipeline_of(root), tmp_path / "a", engine=Workers("serial", chunk=7))
    other = run(pipeline_of(root), tmp_path / "b", engine=Workers(engine, jobs, chunk))
    assert arrays(one, "many") == arrays(other, "many")
    assert [e.key for e in one.entries("many")] == [e.key for e in other.entries("many")]


def test_rerun_reads_nothing(tmp_path, monkeypatch):
    root = write_toys(tmp_path / "in")
    run(pipeline_of(root), tmp_path / "work", engine="serial")

    def refuse(*args):
        raise AssertionError("an array was read")

    monkeypatch.setattr(ToyReader, "load", refuse)
    monkeypatch.setattr("face3d_data.store.part_arrays._open", refuse)
    again = run(pipeline_of(root), tmp_path / "work", engine="serial")
    assert all(step.report.inputs == 0 for step in again.steps.values())
    assert len(again.entries("many")) == 24


def test_every_bad_input_leaves_its_trace(tmp_path):
    root = write_toys(tmp_path / "in")
    for name, text in {
        "c13": "13",
        "c14": "14",
        "c16": "16",
        "c17": "17",
        "word": "word",
        "empty": "",
        "odd": "1",
    }.items():
        (root / "p000" / f"{name}.txt").write_text(text)
    result = run(pipeline_of(root), tmp_path / "work", engine="serial")
    scaled = result.steps["scaled"]
    found = {row.sample_id.split("/")[-1]: (row.status, row.reason) for row in scaled.dirty}
    assert found == {
        "c13": ("reject", "unlucky"),
        "c14": ("error", "RuntimeError"),
        "c16": ("reject", "no_output"),
        "c17": ("error", "ContractError"),
    }
    at_source = {row.sample_id.split("/")[-1]: row.reason for row in result.steps["src"].dirty}
    assert at_source == {"word": "unreadable", "empty": "unreadable", "odd": "odd_name"}
    assert scaled.inputs == 17 == len(scaled.entries) + len(scaled.dirty) + len(scaled.unreadable)
    run_dir = tmp_path / "work" / "runs" / "toy"
    rows = list(csv.DictReader((run_dir / "src.dirty.csv").read_text("utf-8").splitlines()))
    assert [r["path"] for r in rows if r["sample_id"] == "src/p000/word"] == ["p000/word.txt"]
    traces = [p.read_text() for p in (run_dir / "scaled.errors").glob("*.txt")]
    assert len(traces) == 2
    assert any("fourteen" in text for text in traces)


def test_errors_are_tried_again_rejects_only_on_request(tmp_path):
    root = write_toys(tmp_path / "in", 1, 1)
    (root / "p000" / "a.txt").write_text("13")
    (root / "p000" / "b.txt").write_text("14")
    steps = [{"id": "scaled", "stage": "toy_scale", "from": "src"}]
    run(pipeline_of(root, steps), tmp_path / "work", engine="serial")
    again = run(pipeline_of(root, steps), tmp_path / "work", engine="serial")
    assert again.steps["scaled"].report.counts == {"error": 1}
    assert {row.reason: row.attempt for row in again.steps["scaled"].dirty} == {"unlucky": 1, "RuntimeError": 2}
    assert retry_rows(tmp_path / "work", "toy", "scaled", "unlucky") == 1
    third = run(pipeline_of(root, steps), tmp_path / "work", engine="serial")
    assert third.steps["scaled"].report.counts == {"error": 1, "reject": 1}


@pytest.mark.slow
def test_a_capture_that_kills_its_worker_is_a_crash_and_the_others_are_there(tmp_path):
    root = write_toys(tmp_path / "in", 2, 4)
    (root / "p000" / "killer.txt").write_text("15")
    steps = [{"id": "scaled", "stage": "toy_scale", "from": "src"}]
    result = run(pipeline_of(root, steps), tmp_path / "work", engine=Workers("loky", 2, 4))
    assert len(result.entries("scaled")) == 8
    assert [(row.sample_id, row.status) for row in result.steps["scaled"].dirty] == [("src/p000/killer", "crash")]
    again = run(pipeline_of(root, steps), tmp_path / "work", engine="serial")
    assert again.steps["scaled"].report.inputs == 0


def test_one_new_capture_is_one_capture_of_work(tmp_path):
    root = write_toys(tmp_path / "in")
    run(pipeline_of(root), tmp_path / "work", engine="serial")
    (root / "p001" / "new.txt").write_text("7 8 9")
    again = run(pipeline_of(root), tmp_path / "work", engine="serial")
    assert [again.steps[s].report.inputs for s in ("scaled", "noisy", "many")] == [1, 1, 1]


def test_equal_content_is_computed_once_and_joined_to_both(tmp_path):
    root = write_toys(tmp_path / "in", 1, 1)
    (root / "p000" / "twin.txt").write_text((root / "p000" / "c0.txt").read_text())
    result = run(pipeline_of(root), tmp_path / "work", engine="serial")
    assert result.steps["scaled"].report.inputs == 1
    assert [e.id for e in result.entries("scaled")] == ["src/p000/c0", "src/p000/twin"]


def test_changed_parameter_and_seed_rerun_only_what_follows(tmp_path):
    root = write_toys(tmp_path / "in")
    run(kept(root), tmp_path / "work", engine="serial")
    seeded = kept(root, seed=5)
    lines = explain(seeded, tmp_path / "work")
    assert lines[0] == "scaled (toy_scale): up to date: 12 inputs done"
    assert lines[1].startswith("noisy (toy_jitter): seed changed [0, 0] → [5, 0]: 12 of 12")
    assert lines[2].startswith("many (toy_copies): follows noisy")
    again = run(seeded, tmp_path / "work", engine="serial")
    assert [again.steps[s].report.inputs for s in ("scaled", "noisy", "many")] == [0, 12, 12]
    steps = [
        {"id": "scaled", "stage": "toy_scale", "from": "src"},
        {"id": "many", "stage": "toy_copies", "from": "scaled", "with": {"copies": 3}},
    ]
    changed = pipeline_of(root, steps)
    assert explain(changed, tmp_path / "work")[1].startswith("many (toy_copies): parameter copies changed 2 → 3")
    assert look(changed, tmp_path / "work").todo == {"scaled": 0, "many": 12}


def test_force_and_until(tmp_path):
    root = write_toys(tmp_path / "in", 1, 2)
    run(kept(root), tmp_path / "work", engine="serial")
    again = run(kept(root), tmp_path / "work", engine="serial", force=["noisy"], until="noisy")
    assert list(again.steps) == ["src", "scaled", "noisy"]
    assert again.steps["noisy"].report.inputs == 2
    assert explain(kept(root), tmp_path / "work", ["noisy"])[1] == "noisy (toy_jitter): forced: 2 inputs again"


@pytest.mark.slow
def test_limits_stop_the_run_from_fifty_inputs_on(tmp_path):
    root = write_toys(tmp_path / "in", 7, 7)
    for i in range(2):
        (root / "p000" / f"bad{i}.txt").write_text("14")
    with pytest.raises(RunStopped, match=r"'scaled': 2 of 51 .*RuntimeError 2.*max_error_rate 0.02"):
        run(pipeline_of(root), tmp_path / "work", engine="serial")
    assert not (tmp_path / "work" / "runs" / "toy" / "lock.yaml").exists()
    (root / "p006" / "c6.txt").unlink()
    (root / "p006" / "c5.txt").unlink()
    assert len(run(pipeline_of(root), tmp_path / "work", engine="serial").entries("scaled")) == 47


def test_clashing_ids_name_both_captures_and_the_remedy(tmp_path):
    one, two = write_toys(tmp_path / "one", 1, 1), write_toys(tmp_path / "two", 1, 1, start=500)
    raw = {
        "name": "toy",
        "sources": {
            "a": {"reader": "toy_files", "root": str(one), "dataset": "d"},
            "b": {"reader": "toy_files", "root": str(two), "dataset": "d"},
        },
        "steps": [{"id": "scaled", "stage": "toy_scale", "from": ["a", "b"]}],
    }
    with pytest.raises(UserError, match=r"d/p000/c0.*a: p000/c0.txt and b: p000/c0.txt.*capture_prefix"):
        run(make_pipeline(raw, tmp_path), tmp_path / "work", engine="serial")
    raw["sources"]["b"]["capture_prefix"] = "b_"
    result = run(make_pipeline(raw, tmp_path), tmp_path / "work", engine="serial")
    assert [e.id for e in result.entries("scaled")] == ["d/p000/c0", "d/p000/b_c0"]
    assert {e.identity for e in result.entries("scaled")} == {"d/p000"}


def test_where_lets_only_matching_rows_in(tmp_path):
    root = write_toys(tmp_path / "in", 1, 2)
    steps = [
        {"id": "kept", "stage": "toy_scale", "from": "src", "where": {"mask": "none"}},
        {"id": "lost", "stage": "toy_scale", "from": "src", "where": {"mask": ["worn", "surgical"]}},
    ]
    result = run(pipeline_of(root, steps), tmp_path / "work", engine="serial")
    assert (result.steps["kept"].inputs, result.steps["lost"].inputs) == (2, 0)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".jsonl", ".h5"])
def test_a_torn_part_counts_as_absent_with_a_warning(tmp_path, caplog, suffix):
    root = write_toys(tmp_path / "in")
    before = arrays(run(kept(root), tmp_path / "work", engine="serial"), "many")
    folder = next((tmp_path / "work" / "cache").glob("toy_jitter-*")) / "parts"
    torn = sorted(folder.glob(f"*{suffix}"))[0]
    torn.write_bytes(torn.read_bytes()[:-9])
    again = run(kept(root), tmp_path / "work", engine="serial")
    assert again.steps["noisy"].report.inputs > 0
    assert again.steps["scaled"].report.inputs == 0
    assert "counts as absent" in caplog.text
    assert arrays(again, "many") == before


def test_two_runs_of_one_pipeline_are_refused(tmp_path):
    root = write_toys(tmp_path / "in", 1, 1)
    pipeline = pipeline_of(root)
    result = run(pipeline, tmp_path / "work", engine="serial")
    with result.workspace.running("toy"), pytest.raises(UserError, match="running already"):
        run(pipeline, tmp_path / "work", engine="serial")
