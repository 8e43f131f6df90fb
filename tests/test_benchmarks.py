"""Every benchmark says what it does and runs at its smallest size; how fast it is, is never judged here."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from face3d_data.registry import find
from face3d_data.store.manifest_files import manifest_csv
from face3d_data.testing import write_tiny_rgbd

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
SCRIPTS = sorted(path.name for path in FOLDER.glob("*.py"))
RUN_BY_MAKE = [
    "bosphorus.py",
    "detection.py",
    "engine.py",
    "frame.py",
    "fused.py",
    "loader.py",
    "mask_cost.py",
    "masks.py",
    "memory.py",
    "rerun.py",
]
RUN_BY_MAKE += [
    "near_duplicates.py",
    "opening.py",
    "shard_reading.py",
    "packaged_cost.py",
    "sampling.py",
    "training_loader.py",
    "training_ops.py",
    "start.py",
    "surface_maps.py",
    "triplet_loss.py",
    "triplets.py",
    "truth.py",
]


def call(script, *arguments, **environment):
    command = [sys.executable, str(FOLDER / script), *map(str, arguments)]
    env = {**os.environ, "OMP_NUM_THREADS": "1", **{name: str(value) for name, value in environment.items()}}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def module(name):
    """Import a script under a name of its own: `engine` alone could be anybody's."""
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", FOLDER / f"{name}.py")
    loaded = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(FOLDER))  # a script imports those beside it
    try:
        spec.loader.exec_module(loaded)
    finally:
        sys.path.remove(str(FOLDER))
    return loaded


def figures(tmp_path, script, *arguments):
    done = call(script, *arguments, "--json", tmp_path / "figures.json")
    assert done.returncode == 0, done.stderr
    return json.loads((tmp_path / "figures.json").read_text())


@pytest.fixture(scope="module")
def run_all():
    return module("run_all")


@pytest.fixture(scope="module")
def goals():
    return module("goals")


@pytest.mark.parametrize("script", [*RUN_BY_MAKE, "run_all.py"])
def test_help_says_what_is_measured(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit) as ended:
        module(script.removesuffix(".py")).main()
    assert not ended.value.code
    assert "--json" in capsys.readouterr().out


@pytest.mark.slow
def test_a_rerun_with_nothing_changed_works_on_nothing(tmp_path):
    found = figures(tmp_path, "rerun.py", "--people", 6, "--captures", 2, "--rounds", 1)
    assert found["captures"] == 12
    assert len(found["rerun_s"]) == 1
    assert found["met"] is (found["median_rerun_s"] <= 3)


@pytest.mark.slow
def test_fused_steps_take_less_cache_and_decode_each_image_once(tmp_path):
    found = figures(tmp_path, "fused.py", "--captures", 4)
    assert found["fused"]["outputs"] == found["kept"]["outputs"] > 0
    assert found["fused"]["kb_a_capture"] < found["kept"]["kb_a_capture"]
    assert found["fused"]["images_decoded_a_capture"] == 2 < found["kept"]["images_decoded_a_capture"]


@pytest.mark.slow
def test_growth_by_single_captures_ends_in_the_same_bytes(tmp_path):
    found = figures(tmp_path, "rerun.py", "--grow", 3)
    assert found["failures"] == []
    assert found["runs_that_worked_on_one_capture"] == 3
    assert min(found["parts_before"].values()) > 3 >= max(found["parts_after"].values())


@pytest.mark.slow
def test_subsampling_is_compared(tmp_path):
    found = figures(tmp_path, "sampling.py", "--points", 3000, "--keep", 64)
    assert set(found["goals"]) < set(found["ratios"])


@pytest.mark.slow
def test_opening_is_compared_with_loading(tmp_path):
    found = figures(tmp_path, "opening.py", "--gb", 0.002, "--points", 64)
    assert found["gb"] == pytest.approx(0.002, rel=0.2)
    assert set(found["check_over"]) == {"gather", "train"}


@pytest.mark.slow
def test_memory_is_watched_over_every_step(tmp_path):
    found = figures(tmp_path, "memory.py", "--rows", 8, "--captures", write_tiny_rgbd(tmp_path / "in", 2, 2, 96, 72))
    assert found["steps"]["detect"]["rows"] == 8
    assert 50 < found["peak_mb"] < 4000


@pytest.mark.slow
def test_only_the_steps_after_the_warming_up_count(tmp_path):
    engine = module("engine")
    warm, captures = (write_tiny_rgbd(tmp_path / name, 1, 1, seed=i) for i, name in enumerate(("warm", "captures")))
    pipeline = engine.pipeline_over(warm, captures)
    assert [step.id for step in pipeline.steps][3:5] == ["warm_align_3d", "captures_detect"]
    assert engine.steps_seconds(pipeline, 1, tmp_path) > 0
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_what_is_missing_is_skipped_with_the_reason(tmp_path):
    done = call("run_all.py", "--only", "truth", "--json", tmp_path / "table.json", FACE3D_SHARED=tmp_path / "nothing")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "table.json").read_text())
    assert rows[0]["met"].startswith("skipped: no captures with landmarks.json")
    assert all(row["measured"] is None for row in rows)


def test_a_script_that_breaks_off_is_said(run_all, goals, tmp_path):
    two = (goals.Goal("speed", ("a",), least=2), goals.Goal("size", ("b",)))
    rows, broke_off = run_all.run(goals.Benchmark("gone", "gone.py", (), two), tmp_path)
    assert broke_off
    assert [row["met"] for row in rows] == ["broke off", "as above"]


def test_goals_are_met_missed_or_skipped(run_all, goals):
    goal = goals.Goal("speed", ("ratios", "a"), least=2, unless="install it")
    assert goal.row({"ratios": {"a": 2.0}})["met"] == "yes"
    assert goal.row({"ratios": {"a": 1.9}})["met"] == "MISSED"
    assert goal.row({"ratios": {}})["met"] == "skipped: install it"
    slow = goals.Goal("time", ("s",), most=3)
    assert [slow.row({"s": value})["met"] for value in (3.0, 3.1)] == ["yes", "MISSED"]
    shown = goals.Goal("for information", ("s",))
    assert shown.row({"s": 1.0})["met"] == "-"
    assert run_all.line(shown.row({"s": 1.25})).split()[-2:] == ["1.25", "-"]
    flag = goals.Goal("verified", ("ok",), least=True)
    assert [flag.row({"ok": value})["met"] for value in (True, False)] == ["yes", "MISSED"]


def test_run_all_knows_every_benchmark_and_the_readme_every_script(run_all):
    assert {benchmark.script for benchmark in run_all.benchmarks()} == set(RUN_BY_MAKE)
    readme = (FOLDER / "README.md").read_text()
    assert [name for name in SCRIPTS if f"`{name}`" not in readme and name != "run_all.py"] == []


def test_truth_is_judged_by_each_bar():
    truth = module("truth")
    good = {"captures": 96, "detected": 95, "share_detected": 95 / 96, "landmark_error_percent": 6.0}
    good |= {"nose_error_mm": 5.0, "rmse_mm": 3.0, "problems": [], "verified": True}
    assert all(truth.judge(good).values())
    worse = {"share_detected": 94 / 96, "landmark_error_percent": 6.1, "nose_error_mm": 5.1, "rmse_mm": 3.1}
    for name, value in {**worse, "verified": False}.items():
        assert list(truth.judge(good | {name: value}).values()).count(False) == 1, name


def test_growth_is_judged_by_each_check():
    rerun = module("rerun")
    good = {"runs": 3, "runs_that_worked_on_one_capture": 3, "parts_after": {"a": 1, "b": 3}}
    good |= {"inputs_worked_on_after_gc": 0, "same_bytes_after_gc": True, "same_bytes_made_at_once": True}
    assert rerun.failures(good) == []
    worse = {"runs_that_worked_on_one_capture": 2, "parts_after": {"a": 4}, "inputs_worked_on_after_gc": 1}
    for name, value in {**worse, "same_bytes_after_gc": False, "same_bytes_made_at_once": False}.items():
        assert len(rerun.failures(good | {name: value})) == 1, name


@pytest.mark.slow
def test_scaling_measures_each_operation_in_a_process(tmp_path):
    arguments = ("--rows", 60, "--kinds", "rows", "--keep", tmp_path / "kept", "--operations", "first", "noop", "add")
    lines = {line["operation"]: line for line in figures(tmp_path, "scaling.py", *arguments)}
    assert list(lines) == ["first", "noop", "add"]
    assert {line["rows"] for line in lines.values()} == {60}
    assert all(0 < line["driver_s"] <= line["processor_s"] + 0.1 for line in lines.values())
    assert all(line["imported_bytes"] < line["peak_bytes"] for line in lines.values())
    assert lines["noop"]["sizes"] == lines["add"]["sizes_before"]
    written = lines["add"]["changes"]["written"]["largest"]
    assert any(path.endswith("train.csv") for path in written)
    work = tmp_path / "kept" / f"{FOLDER.parent.name}-rows-60" / "work"
    rows = "".join(manifest_csv(work / "runs" / "tiny" / "shaded.parquet"))
    assert len(rows.splitlines()) == 1 + 60 + 2  # the header, and one capture added before the first run
    again = {line["operation"]: line for line in figures(tmp_path, "scaling.py", *arguments)}
    assert again["first"]["wall_s"] == lines["first"]["wall_s"]
    assert not any(line["resumed"] for line in again.values())


def test_scaling_writes_the_same_captures_in_both_ways(tmp_path):
    rows = module("scaling_rows")
    found = {}
    for kind in rows.KINDS:
        root, added = rows.write_captures(tmp_path / kind, kind, 25), tmp_path / f"added to {kind}"
        assert rows.write_captures(root, kind, 99) == root  # a second run finds what is there
        for _ in range(2):
            rows.add_capture(added, kind, 25)
        read = []
        for folder in (root, added):
            reader = find("reader", rows.READERS[kind])(root=folder)
            sources = list(reader.scan())
            assert {source.problem for source in sources} == {None}
            read += [reader.load(source, "points") for source in sources]
        found[kind] = np.array(read)
    assert found["rows"].shape == (25 + 2, rows.POINTS, 3)
    assert len(np.unique(found["rows"], axis=0)) == 25 + 2
    assert np.allclose(found["rows"], found["files"])


def test_scaling_fits_what_is_over_the_start():
    table = module("scaling_table")
    assert table.exponent([10, 100, 1000], [3, 30, 300]) == pytest.approx(1)
    assert table.exponent([10, 1000], [1, 1e4]) == pytest.approx(2)
    same = {"checkout": "a", "kind": "rows", "operation": "noop", "start_processor_s": 1.0}
    lines = [
        {**same, "rows": 1000, "processor_s": 3.0, "peak_bytes": 5_000_000, "imported_bytes": 4_000_000},
        {**same, "rows": 100, "processor_s": 1.1, "peak_bytes": 4_100_000, "imported_bytes": 4_000_000},
    ]
    (fit,) = table.fits(lines)
    assert fit["exponent"] == pytest.approx(1.30103)
    assert fit["row_cost_grows"] == pytest.approx(2)
    assert fit["bytes_of_a_further_row"] == pytest.approx(1000)
    assert [table.row_bytes(line) for line in lines] == [1000, 1000]
    assert table.fits(lines[:1]) == []
    assert table.missed(lines, "b") == []
    assert [line.split(":")[1].split()[0] for line in table.missed(lines, "a")] == ["1000", "a"]
    million = {**lines[0], "rows": table.MILLION, "wall_s": 20.1}
    assert table.missed([million], "a") == ["noop, rows: 20.1 s, goal 20"]
    assert table.missed([{**million, "wall_s": 20.0}], "a") == []


def test_scaling_lists_what_was_written_linked_and_removed(tmp_path):
    files = module("scaling_files")
    for name in ("cache/kept", "cache/changed", "datasets/old/shard", "runs/gone"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    before = files.snapshot(tmp_path)
    (tmp_path / "datasets/new").mkdir()
    os.link(tmp_path / "datasets/old/shard", tmp_path / "datasets/new/shard")
    (tmp_path / "cache/changed").write_text("longer than before")
    (tmp_path / "runs/gone").unlink()
    after = files.snapshot(tmp_path)
    changed = files.changes(before, after)
    assert changed["written"] == {"files": 1, "bytes": 18, "largest": {"cache/changed": 18}}
    assert changed["linked"]["largest"] == {"datasets/new/shard": 18}
    assert changed["removed"]["largest"] == {"runs/gone": 9}
    assert files.sizes(after)["datasets"] == {"files": 1, "bytes": 18}


@pytest.mark.slow
def test_a_mask_costs_time_and_memory(tmp_path):
    found = figures(tmp_path, "mask_cost.py", "--captures", 1, "--rounds", 1, "--styles", "cloth", "--rows", 4)
    assert found["memory"]["rows"] == 4
    assert found["memory"]["torch_loaded"] in (False, None)
    assert 50 < found["memory"]["peak_mb"] < 4000
    assert min(found["rgbd_per_s"], found["points_per_s"]) > 0


def test_the_table_of_recognition_has_a_row_a_recipe_and_a_block_a_figure(tmp_path):
    """Runs of several seeds are one row, of their mean; a false non-match rate has its interval turned around."""
    table = module("recognition_table")

    def figure(value):
        return {"value": value, "low": value - 0.1, "high": value + 0.1}

    def method(rank, auc, accepted):
        found = {"auc": figure(auc), "tar": {"1e-3": figure(accepted)}}
        return {
            "identification": {"plain_to_plain": {"rank": {"1": figure(rank)}}},
            "verification": {"plain_to_plain": found},
        }

    groups = {
        "name": "maps, 2 seeds",
        "methods": ["maps-s0", "maps-s1"],
        "figures": {"plain_to_plain": {"rank 1": figure(0.8), "auc": figure(0.9), "tar 1e-3": figure(0.4)}},
        "spread": {"plain_to_plain": {"rank 1": {"std": 0.01}, "auc": {"std": 0.0}, "tar 1e-3": {"std": 0.02}}},
    }
    left = {"methods": {"maps-no_ict": method(0.7, 0.8, 0.3), "LDA": method(0.5, 0.6, 0.25)}, "seeds": []}
    left["differences"] = [
        {
            "better": "maps-no_ict",
            "other": "LDA",
            "figures": {
                "plain_to_plain": {"rank 1": figure(0.2)},
                "masked_to_plain": {"rank 1": {"value": 0.0, "low": None, "high": None, "why": "no interval"}},
            },
        }
    ]
    whole = {
        "methods": {f"maps-s{seed}": method(0.1, 0.1, 0.1) for seed in (0, 1)},
        "seeds": [groups],
        "differences": [],
    }
    for name, metrics in {"left": left, "whole": whole}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(json.dumps({**metrics, "dataset": {"people": 9}}))
    columns = {"ict, left out": tmp_path / "left", "ict, included": tmp_path / "whole"}
    lines = table.table(columns)
    rows = [line for line in lines if line.startswith(("| maps", "| LDA"))]
    assert rows == [
        "| maps | 0.700 [0.600, 0.800] | 0.800 [0.700, 0.900] ± 0.010 (2 seeds) |",
        "| LDA | 0.500 [0.400, 0.600] | – |",
        "| maps | 0.800 [0.700, 0.900] | 0.900 [0.800, 1.000] ± 0.000 (2 seeds) |",
        "| LDA | 0.600 [0.500, 0.700] | – |",
        "| maps | 0.700 [0.600, 0.800] | 0.600 [0.500, 0.700] ± 0.020 (2 seeds) |",
        "| LDA | 0.750 [0.650, 0.850] | – |",
    ]
    assert sum(table.RENDERED in line for line in lines) == len(table.FIGURES)
    assert table.differences(columns)[-1] == "| ict, left out | maps-no_ict – LDA | +20.0 [+10.0, +30.0] | +0.0 |"
