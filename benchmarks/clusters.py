"""Clusters of Dask and Ray against worker processes of one machine: the same bytes, and how fast.

    python benchmarks/clusters.py [--jobs 2] [--rounds 3] [--people 16] [--pipelines NAME ...] [--json FILE]

A Dask scheduler and workers, and a Ray node, are started as processes on this machine, as many workers as `--jobs`.

- Bytes: each pipeline is run in this process and on each cluster, in workspaces of their own, and the files of the
  datasets are compared. `rgbd_masked` reads shared/data, and is left out where that is absent.
- Speed: the steps of `engine.py` on 640x480 RGB-D captures, loky and the clusters in turns, workers warmed up. Goal: at
  least 0.9 times as fast as loky with as many processes (median of the rounds' ratios).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from engine import STAGES, pipeline_over

from face3d_data.pipeline.build import load_pipeline
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.pipeline.spec import Pipeline
from face3d_data.resources import find_pipeline
from face3d_data.synthetic.write import write_people

GOAL = 0.9
SHARED = Path(os.environ.get("FACE3D_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"
ROOTS = {"D415_ROOT": SHARED / "rgbd", "D415_MASKED_ROOT": SHARED / "rgbd_masked"}
START_SECONDS = 60


def free_port() -> int:
    """Return a port that nobody listens at just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def processes(commands: list[list[str]]) -> Iterator[None]:
    """Start programs, and end them with the block."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment}
    started = [subprocess.Popen([sys.executable, "-m", *command], **quiet) for command in commands]
    try:
        yield
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(START_SECONDS)


@contextlib.contextmanager
def dask_cluster(jobs: int) -> Iterator[str]:
    """Give the address of a scheduler with worker processes."""
    from distributed import Client

    address = f"tcp://127.0.0.1:{free_port()}"
    scheduler = ["distributed.cli.dask_scheduler", "--host", address, "--no-dashboard"]
    worker = ["distributed.cli.dask_worker", address, "--nthreads", "1", "--memory-limit", "0", "--no-dashboard"]
    with processes([scheduler, *[worker] * jobs]):
        with Client(address, timeout=START_SECONDS) as client:
            client.wait_for_workers(jobs, timeout=START_SECONDS)
        yield address


@contextlib.contextmanager
def ray_cluster(jobs: int) -> Iterator[str]:
    """Give the address of a node with workers."""
    host, port = "127.0.0.1", str(free_port())
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    options = ["--num-cpus", str(jobs), "--include-dashboard", "false", "--disable-usage-stats", "--block"]
    with processes([["ray.scripts.scripts", "start", "--head", "--port", port, *options]]):
        for _ in range(START_SECONDS):
            with contextlib.suppress(OSError):
                socket.create_connection((host, int(port)), 1).close()
                break
            time.sleep(1)
        yield f"{host}:{port}"


CLUSTERS: dict[str, Callable[[int], contextlib.AbstractContextManager[str]]] = {
    "dask": dask_cluster,
    "ray": ray_cluster,
}


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of all datasets of a workspace."""
    found = (path for path in (folder / "datasets").rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def same_bytes(pipelines: list[str], engines: dict[str, Workers], folder: Path) -> dict[str, bool]:
    """Run each pipeline on each engine, and return whether the datasets are those of a run in this process."""
    same: dict[str, bool] = {}
    for name in pipelines:
        expected = files_of(name, Workers("serial"), folder)
        for engine, workers in engines.items():
            same[f"{name}, {engine}"] = bool(expected) and files_of(name, workers, folder) == expected
    return same


def files_of(name: str, workers: Workers, folder: Path) -> dict[str, bytes]:
    """Run a pipeline in an empty workspace and return the files of its datasets."""
    work = folder / "work"
    run(load_pipeline(find_pipeline(name)), work, engine=workers)
    found = files(work)
    shutil.rmtree(work)
    return found


def steps_seconds(pipeline: Pipeline, workers: Workers, folder: Path) -> float:
    """Run the pipeline of `engine.py` in an empty workspace and return the seconds of the steps that count."""
    work = folder / "work"
    result = run(pipeline, work, engine=workers)
    shutil.rmtree(work)
    return sum(result.steps[f"captures_{stage}"].seconds for stage in STAGES)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return whether the bytes are the same, and times and ratios."""
    list(write_people(folder / "warm", 4, 2, 1, 640, 480, 2))
    list(write_people(folder / "captures", options.people, 4, 2, 640, 480, 2))
    pipeline = pipeline_over(folder / "warm", folder / "captures")
    with contextlib.ExitStack() as stack:
        engines = {"loky": Workers("loky", options.jobs)}
        for name in options.engines:
            address = stack.enter_context(CLUSTERS[name](options.jobs))
            engines[name] = Workers(name, address=address)
        same = same_bytes(options.pipelines, engines, folder)
        taken: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(options.rounds):
            for name, workers in engines.items():
                taken[name].append(steps_seconds(pipeline, workers, folder))
    speed = {
        name: statistics.median(loky / other for loky, other in zip(taken["loky"], taken[name], strict=True))
        for name in options.engines
    }
    return {
        "same_bytes": same,
        "jobs": options.jobs,
        "captures": options.people * 4,
        "seconds": {name: [round(value, 2) for value in values] for name, values in taken.items()},
        "speed_vs_loky": {name: round(value, 3) for name, value in speed.items()},
        "load": [round(value, 2) for value in os.getloadavg()],
        "goal": GOAL,
        "met": all(same.values()) and all(value >= GOAL for value in speed.values()),
    }


def main() -> int:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--people", type=int, default=16, help="synthetic people, 4 captures each")
    parser.add_argument("--engines", nargs="+", choices=list(CLUSTERS), default=list(CLUSTERS))
    parser.add_argument("--pipelines", nargs="*", default=["quickstart", "rgbd_masked"])
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    if not all(path.is_dir() for path in ROOTS.values()):
        options.pipelines = [name for name in options.pipelines if name != "rgbd_masked"]
        print(f"rgbd_masked is left out: {SHARED} is absent (set FACE3D_SHARED)")
    os.environ.update({name: str(path) for name, path in ROOTS.items()})
    with tempfile.TemporaryDirectory() as name:
        result = measure(options, Path(name))
    for key, value in result.items():
        print(f"{key:16} {value}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if all(result["same_bytes"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
