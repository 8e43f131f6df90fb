"""Peak memory of a worker over many VGA RGB-D rows through detect, to_cloud and subsample.

    python benchmarks/memory.py [--rows 1000] [--jobs 1] [--captures RGBD_FOLDER] [--json FILE]

Goals: at most 1 GB with torch loaded, and flat. The rows are a few captures (640x480, synthetic by default) read again
and again as sources that differ in a tag, so that each row has its own key and is worked on; by default one worker
does them all. The peak is what workers report of themselves (largest resident set, torch and the detector's weights
included). Their resident sets are also looked at from outside, from /proc (Linux), every 50 ms; of each fifth of a
step's time the highest is kept. Flat: no step's last fifth is more than 5 % above what was reached before.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from face3d_data.pipeline.result import Workers

os.environ.setdefault("OMP_NUM_THREADS", "1")

from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.pipeline.spec import Pipeline
from face3d_data.registry import find
from face3d_data.synthetic.write import write_people

GOAL_MB = 1e9 / 2**20
FLAT = 1.05
STAGES = ("detect", "to_cloud", "subsample")
FIFTHS = 5
LOOK_EVERY_S = 0.05
PEOPLE, CAPTURES = 5, 4


def sources_over(root: Path, copies: int, folder: Path) -> dict[str, dict[str, str]]:
    """Return so many sources of one collection, each with a camera of its own: equal captures are worked on once.

    Args:
        root: a collection with one intrinsics.json.
        copies: how many.
        folder: where folders of links are made.
    """
    camera = json.loads((root / "intrinsics.json").read_text())
    sources = {}
    for i in range(copies):
        copy = folder / "copies" / str(i)
        copy.mkdir(parents=True)
        for path in root.iterdir():
            if path.name != "intrinsics.json":
                (copy / path.name).symlink_to(path.absolute())
        (copy / "intrinsics.json").write_text(json.dumps({**camera, "fx": camera["fx"] * (1 + 1e-9 * i)}))
        sources[f"copy{i}"] = {"reader": "rgbd_folder", "root": str(copy)}
    return sources


def pipeline_over(root: Path, copies: int, folder: Path) -> Pipeline:
    """Return the pipeline over so many sources of one collection."""
    sources = sources_over(root, copies, folder)
    steps, before = [], list(sources)
    for stage in STAGES:
        steps.append({"id": stage, "stage": stage, "from": before})
        before = [stage]
    limits = {"max_error_rate": 0.0, "max_reject_rate": 0.25}
    return make_pipeline({"name": "memory", "sources": sources, "steps": steps, "limits": limits}, root)


class Watch(threading.Thread):
    """Looks at the resident sets of this process's children until told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: list[tuple[float, float]] = []
        self._stop_now = threading.Event()

    def run(self) -> None:
        """Keep (time, largest resident set of a child in MiB)."""
        while not self._stop_now.wait(LOOK_EVERY_S):
            sizes = [resident_mb(pid) for pid in children()]
            if any(sizes):
                self.seen.append((time.perf_counter(), max(sizes)))

    def stop(self) -> None:
        """End the thread."""
        self._stop_now.set()
        self.join()

    def fifths(self, start: float, end: float) -> list[float]:
        """Return the highest size in each fifth of a time; nothing where /proc tells nothing."""
        width = (end - start) / FIFTHS
        groups = [
            [mb for when, mb in self.seen if start + i * width <= when < start + (i + 1) * width] for i in range(FIFTHS)
        ]
        return [round(max(group), 1) for group in groups] if all(groups) else []


def children() -> list[int]:
    """Return the process ids of this process's children."""
    text = "".join(path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    return [int(pid) for pid in text.split()]


def resident_mb(pid: int) -> float:
    """Return a process's resident set in MiB, 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


def measure(root: Path, rows: int, jobs: int, folder: Path) -> dict[str, Any]:
    """Run the rows through the steps and return peaks and sizes over time."""
    captures = sum(1 for source in find("reader", "rgbd_folder")(root=root).scan() if not source.problem)
    pipeline = pipeline_over(root, max(1, round(rows / captures)), folder)
    ends: dict[str, float] = {}

    def note(line: str) -> None:
        ends.setdefault(line.split()[0], time.perf_counter())

    watch = Watch()
    watch.start()
    try:
        result = run(pipeline, folder / "work", engine=Workers("loky", jobs), say=note)
    finally:
        watch.stop()
    steps = {}
    for stage in STAGES:
        step = result.steps[stage]
        fifths = watch.fifths(ends[stage] - step.seconds, ends[stage])
        steps[stage] = {
            "rows": step.report.inputs,
            "out": len(step.entries),
            "seconds": round(step.seconds, 1),
            "peak_mb": round(step.report.peak_mb, 1),
            "resident_mb_by_fifths": fifths,
            "flat": fifths[-1] <= FLAT * max(fifths[:-1]) if fifths else None,
        }
    peak = max(step["peak_mb"] for step in steps.values())
    met = peak <= GOAL_MB and all(step["flat"] is not False for step in steps.values())
    return {"jobs": jobs, "steps": steps, "peak_mb": peak, "goal_mb": round(GOAL_MB, 1), "met": met}


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1, help="workers that share the rows")
    parser.add_argument("--captures", type=Path, help="rgbd_folder of captures; without it synthetic people are used")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not options.captures:
            list(write_people(folder / "captures", PEOPLE, CAPTURES, 3, 640, 480, 2))
        result = measure(options.captures or folder / "captures", options.rows, options.jobs, folder)
    print(f"{result['jobs']} worker(s); resident set in MiB by fifths of each step's time")
    for stage, step in result["steps"].items():
        print(f"  {stage:10} {step['rows']:5} rows {step['seconds']:7.1f} s  peak {step['peak_mb']:7.1f} MiB", end="  ")
        print(*step["resident_mb_by_fifths"], "flat" if step["flat"] else "NOT FLAT" if step["flat"] is False else "")
    print(f"peak {result['peak_mb']:.1f} MiB (goal: at most {result['goal_mb']:.1f})")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
