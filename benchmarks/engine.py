"""Speed of two worker processes against one, over the steps of a pipeline that compute.

    python benchmarks/engine.py [--captures RGBD_FOLDER | --people 16] [--rounds 5] [--json FILE]

The steps are detect, to_cloud, clean and align_3d on 640x480 RGB-D captures, by default synthetic ones that
`face3d synth` writes. Every run starts from an empty workspace; its workers are warmed up by the same steps on a few
other captures, and only the time of the steps on the rest counts, the writing of their parts included. One and two
processes take turns; goal: at least 1.7 times as fast on two cores (median of the rounds' ratios).

What the machine itself gives is measured in the same rounds: a loop of the same stages in memory, in one process and
in two at once. Where other programs take processor time, both ratios fall, and their quotient still tells.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from face3d_data.pipeline.result import Workers

os.environ.setdefault("OMP_NUM_THREADS", "1")

from face3d_data.engine.threads import limit_threads
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.run import run
from face3d_data.pipeline.spec import Pipeline
from face3d_data.registry import find
from face3d_data.sample import Sample
from face3d_data.synthetic.write import write_people

GOAL = 1.7
STAGES = ("detect", "to_cloud", "clean", "align_3d")
WARM_PEOPLE = 4
LOOPED = 4
NO_LIMIT = {"max_error_rate": 0.02, "max_reject_rate": 1.0}


def pipeline_over(warm: Path, captures: Path) -> Pipeline:
    """Return the steps over the captures that warm the workers up, then over those that count."""
    steps = []
    for source in ("warm", "captures"):
        before = source
        for stage in STAGES:
            steps.append({"id": f"{source}_{stage}", "stage": stage, "from": before})
            before = f"{source}_{stage}"
    sources = {
        "warm": {"reader": "rgbd_folder", "root": str(warm)},
        "captures": {"reader": "rgbd_folder", "root": str(captures)},
    }
    return make_pipeline({"name": "engine", "sources": sources, "steps": steps, "limits": NO_LIMIT}, captures)


def steps_seconds(pipeline: Pipeline, jobs: int, folder: Path) -> float:
    """Run the pipeline in an empty workspace and return the seconds of the steps that count."""
    work = folder / "work"
    result = run(pipeline, work, engine=Workers("loky", jobs))
    shutil.rmtree(work)
    return sum(result.steps[f"captures_{stage}"].seconds for stage in STAGES)


def loop(root: Path, repeats: int, ready: Any, times: Any) -> None:
    """Take a few captures through the stages in memory, again and again; put the seconds into `times`."""
    limit_threads()
    reader, stages = find("reader", "rgbd_folder")(root=root), [find("stage", name)() for name in STAGES]
    names = ("color", "depth", "intrinsics")
    samples = [
        Sample.of({name: reader.load(source, name) for name in names}) for source in islice(reader.scan(), LOOPED)
    ]

    def once() -> None:
        for sample in samples:
            for stage in stages:
                sample = stage.apply(sample)

    once()
    ready.wait()
    start = time.perf_counter()
    for _ in range(repeats):
        once()
    times.put(time.perf_counter() - start)


def loop_seconds(root: Path, repeats: int, processes: int) -> float:
    """Return the seconds of the slowest of some loops at once."""
    context = multiprocessing.get_context("spawn")
    ready, times = context.Barrier(processes), context.Queue()
    started = [context.Process(target=loop, args=(root, repeats, ready, times)) for _ in range(processes)]
    for process in started:
        process.start()
    slowest = max(times.get() for _ in started)
    for process in started:
        process.join()
    return slowest


def measure(warm: Path, captures: Path, rounds: int, folder: Path) -> dict[str, Any]:
    """Return times and ratios."""
    pipeline = pipeline_over(warm, captures)
    count = sum(1 for source in find("reader", "rgbd_folder")(root=captures).scan() if not source.problem)
    repeats = max(1, count // (4 * LOOPED))
    taken: list[tuple[float, float, float, float]] = []
    for _ in range(rounds):
        one, two = steps_seconds(pipeline, 1, folder), steps_seconds(pipeline, 2, folder)
        alone, both = loop_seconds(warm, repeats, 1), loop_seconds(warm, repeats, 2)
        taken.append((one, two, alone, both))
    ratio = statistics.median(one / two for one, two, _, _ in taken)
    machine = statistics.median(2 * alone / both for _, _, alone, both in taken)
    return {
        "captures": count,
        "rounds": rounds,
        "one_process_s": [round(one, 3) for one, _, _, _ in taken],
        "two_processes_s": [round(two, 3) for _, two, _, _ in taken],
        "two_vs_one": round(ratio, 3),
        "two_vs_one_of_a_bare_loop": round(machine, 3),
        "share_of_what_the_machine_gives": round(ratio / machine, 3),
        "load": [round(value, 2) for value in os.getloadavg()],
        "goal": GOAL,
        "met": ratio >= GOAL,
    }


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=Path, help="rgbd_folder of captures; without it synthetic people are used")
    parser.add_argument("--people", type=int, default=16, help="synthetic people, 4 captures each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        list(write_people(folder / "warm", WARM_PEOPLE, 2, 1, 640, 480, 2))
        if not options.captures:
            list(write_people(folder / "captures", options.people, 4, 2, 640, 480, 2))
        result = measure(folder / "warm", options.captures or folder / "captures", options.rounds, folder)
    for key, value in result.items():
        print(f"{key:34} {value}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
