"""Speed of a run that has nothing to do, start of the process included; and proof that many small runs are one.

    python benchmarks/rerun.py [--people 500] [--captures 10] [--rounds 5] [--json FILE]
    python benchmarks/rerun.py --grow 100 [--json FILE]

The first form runs a pipeline over tiny RGB-D captures (32x24, their own landmarks, split, dataset with pairs), then
times `face3d run` with nothing changed: median of 5 processes, goal at most 3 s for 5,000 captures. Beside it stand
its processor time, which a busy machine changes less, and what the interpreter takes to start and import alone.

With `--grow N`, N runs each add one capture; then `face3d gc --apply --compact` runs. Each run may work on that one
capture only, at most 3 parts a step may be left, and the dataset must have the same bytes as before, also when it is
made at once in another workspace. Exit code 1 where one of these fails.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import yaml

from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.result import RunResult
from face3d_data.pipeline.run import run
from face3d_data.store.files import SETTLE_NS
from face3d_data.testing import add_tiny_capture, write_tiny_rgbd

GOAL_S = 3.0
MOST_PARTS = 3
START_PEOPLE, START_CAPTURES = 20, 2
IMPORTS = "import face3d_data.pipeline.run, face3d_data.pipeline.publish, pandas"


def tiny_pipeline(root: Path) -> dict[str, Any]:
    """Return the pipeline over tiny captures, as its YAML holds it."""
    steps = [
        {"id": "faces", "stage": "detect", "from": "tiny", "with": {"detector": "given"}},
        {"id": "clouds", "stage": "to_cloud", "from": "faces", "with": {"min_points": 64}},
        {"id": "people", "table": "split", "from": "clouds"},
        {"id": "sampled", "stage": "subsample", "from": "people", "with": {"n_points": 64}},
    ]
    lists = {"pairs": {"split": "test", "folds": 10, "per_fold": 300}, "gallery": True, "probe": True}
    return {
        "name": "tiny",
        "seed": 1,
        "sources": {"tiny": {"reader": "rgbd_folder", "root": str(root)}},
        "steps": steps,
        "datasets": {"tiny": {"from": "sampled", "fields": ["points"], **lists}},
    }


def seconds(command: list[str]) -> tuple[float, float]:
    """Return how long a process takes from start to end, and how much processor time.

    Raises:
        SystemExit: it failed.
    """
    start, before = time.perf_counter(), os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def measure_rerun(folder: Path, people: int, captures: int, rounds: int) -> dict[str, Any]:
    """Return the times of reruns with nothing changed."""
    root, work, file = folder / "captures", folder / "work", folder / "tiny.yaml"
    write_tiny_rgbd(root, people, captures)
    file.write_text(yaml.safe_dump(tiny_pipeline(root)))
    command = [sys.executable, "-m", "face3d_data", "run", str(file), "-w", str(work)]
    # Files younger than this when they are hashed are hashed once more; nobody reruns that soon.
    time.sleep(SETTLE_NS / 1e9)
    first, _ = seconds(command)
    reruns, imports, inside = [], [], []
    for _ in range(rounds):
        reruns.append(seconds(command))
        imports.append(seconds([sys.executable, "-c", IMPORTS])[0])
        stats = json.loads((work / "runs" / "tiny" / "stats.json").read_text())
        worked = sum(step["work"]["inputs"] for step in stats["steps"].values())
        if worked:
            raise SystemExit(f"a rerun with nothing changed worked on {worked} inputs")
        inside.append(stats["seconds"])
    walls, processor = zip(*reruns, strict=True)
    median = statistics.median(walls)
    return {
        "captures": people * captures,
        "first_run_s": round(first, 3),
        "rerun_s": [round(value, 3) for value in walls],
        "median_rerun_s": round(median, 3),
        "median_rerun_processor_s": round(statistics.median(processor), 3),
        "median_imports_s": round(statistics.median(imports), 3),
        "median_run_itself_s": round(statistics.median(inside), 3),
        "goal_s": GOAL_S,
        "met": median <= GOAL_S,
    }


def file_hashes(dataset: Path) -> dict[str, str]:
    """Return path to SHA-256 for every file of a dataset."""
    files = sorted(path for path in dataset.resolve().rglob("*") if path.is_file())
    return {str(p.relative_to(dataset.resolve())): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def run_tiny(root: Path, work: Path) -> RunResult:
    """Run the pipeline in this process."""
    return run(make_pipeline(tiny_pipeline(root), root), work, engine="serial")


def parts(work: Path) -> dict[str, int]:
    """Return how many parts each step of a workspace has."""
    folders = sorted(path for path in (work / "cache").iterdir() if path.is_dir())
    return {path.name.rpartition("-")[0]: len(list(path.glob("parts/*.jsonl"))) for path in folders}


def grow(folder: Path, runs: int) -> dict[str, Any]:
    """Add captures run by run, compact, and return what was checked."""
    root, work = write_tiny_rgbd(folder / "captures", START_PEOPLE, START_CAPTURES), folder / "work"
    run_tiny(root, work)
    only_one = 0
    for number in range(runs):
        add_tiny_capture(root, number % START_PEOPLE, START_CAPTURES + number // START_PEOPLE)
        result = run_tiny(root, work)
        only_one += all(result.steps[step].report.inputs == 1 for step in ("faces", "clouds", "sampled"))
    grown, before = file_hashes(result.datasets["tiny"]), parts(work)
    seconds([sys.executable, "-m", "face3d_data", "gc", "--apply", "--compact", "-w", str(work)])
    after, again = parts(work), run_tiny(root, work)
    return {
        "runs": runs,
        "captures": START_PEOPLE * START_CAPTURES + runs,
        "runs_that_worked_on_one_capture": only_one,
        "parts_before": before,
        "parts_after": after,
        "inputs_worked_on_after_gc": sum(step.report.inputs for step in again.steps.values()),
        "dataset_files": len(grown),
        "same_bytes_after_gc": file_hashes(again.datasets["tiny"]) == grown,
        "same_bytes_made_at_once": file_hashes(run_tiny(root, folder / "at once").datasets["tiny"]) == grown,
    }


def failures(found: dict[str, Any]) -> list[str]:
    """Return what of the growth's checks failed."""
    checks = {
        "each run works on its one capture": found["runs_that_worked_on_one_capture"] == found["runs"],
        f"at most {MOST_PARTS} parts a step": max(found["parts_after"].values()) <= MOST_PARTS,
        "nothing is made again after gc": found["inputs_worked_on_after_gc"] == 0,
        "same bytes after gc": found["same_bytes_after_gc"],
        "same bytes made at once": found["same_bytes_made_at_once"],
    }
    return [name for name, holds in checks.items() if not holds]


def main() -> int:
    """Measure or grow, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--captures", type=int, default=10, help="of each person")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--grow", type=int, metavar="N", help="N runs that each add one capture instead")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.grow:
            result = grow(Path(folder), options.grow)
            result["failures"] = failures(result)
            result["met"] = not result["failures"]
        else:
            result = measure_rerun(Path(folder), options.people, options.captures, options.rounds)
    for name, value in result.items():
        print(f"{name:34} {value}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if result.get("failures") else 0


if __name__ == "__main__":
    sys.exit(main())
