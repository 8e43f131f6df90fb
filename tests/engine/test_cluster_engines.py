"""Clusters: runs on Dask and Ray give the bytes of a serial run, whatever dies meanwhile."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from test_backends import Numbers, done
from toys import write_toys

from face3d_data.engine.backends import CLUSTERS, Crash, Engine
from face3d_data.engine.worker_check import asking, compare, surroundings
from face3d_data.errors import RunStopped, UserError
from face3d_data.pipeline.build import make_pipeline
from face3d_data.pipeline.result import Workers
from face3d_data.pipeline.run import run
from face3d_data.version import __version__ as VERSION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
TESTS = Path(__file__).parents[1]
PATH = os.pathsep.join([str(TESTS), str(TESTS / "engine"), *sys.path])


@pytest.fixture(autouse=True)
def installed(request):
    name = request.node.callspec.params.get("name") if hasattr(request.node, "callspec") else None
    for library in [name] if name else ["dask", "ray"]:
        pytest.importorskip({"dask": "distributed"}.get(library, library))


def pipeline_of(root):
    return make_pipeline(
        {
            "name": "toy",
            "seed": 3,
            "sources": {"src": {"reader": "toy_files", "root": str(root)}},
            "steps": [
                {"id": "scaled", "stage": "toy_scale", "from": "src"},
                {"id": "noisy", "stage": "toy_jitter", "from": "scaled"},
                {"id": "many", "stage": "toy_copies", "from": "noisy", "keep": True},
                {"id": "people", "table": "split", "from": "many"},
            ],
            "datasets": {"toys": {"from": "people", "fields": ["points"], "shard_size": 4}},
        },
        root,
    )


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize("name", CLUSTERS)
def test_the_bytes_are_those_of_a_serial_run(tmp_path, name):
    root = write_toys(tmp_path / "in")
    (root / "p000" / "bad.txt").write_text("13 1")
    (root / "p001" / "kills.txt").write_text("15 1")
    results = {}
    for engine in ("loky", name):
        result = run(pipeline_of(root), tmp_path / engine, engine=Workers(engine, 2, chunk=2))
        results[engine] = [(row.sample_id, row.status, row.reason, row.detail) for row in result.steps["scaled"].dirty]
    assert files(tmp_path / name / "datasets") == files(tmp_path / "loky" / "datasets")
    assert results[name] == results["loky"]
    assert [row[2] for row in results[name]] == ["unlucky", "worker_died"]
    again = run(pipeline_of(root), tmp_path / name, engine="serial")
    assert all(step.report.inputs == 0 for step in again.steps.values())


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_killer_is_isolated_and_what_stops_a_run_stops_it(name, capfd):
    with Engine(name, 2) as engine:
        outcomes = list(engine.run([Numbers(tuple(range(start, start + 4))) for start in range(0, 24, 4)]))
        assert done(outcomes) == [n for n in range(24) if n != 13]
        assert [task.numbers for task, report in outcomes if isinstance(report, Crash)] == [(13,)]
        with pytest.raises(RunStopped, match="no disk space left"):
            list(engine.run([Numbers((1,)), Numbers((2,), OSError(28, "No space left on device", "x"))]))
    assert capfd.readouterr() == ("", "")  # what the libraries say of dead workers is nothing to act on


@pytest.mark.parametrize("name", CLUSTERS)
def test_an_address_where_nothing_answers_is_one_line(name, monkeypatch):
    from face3d_data.engine import dask_pool

    monkeypatch.setattr(dask_pool, "ANSWER_SECONDS", 1)
    address = {"dask": "tcp://127.0.0.1:9", "ray": "127.0.0.1:9"}[name]
    with (
        pytest.raises(UserError, match=f"--address {address}: no .* answers there") as stop,
        Engine(name, 2, address) as engine,
    ):
        list(engine.run([Numbers((1,))]))
    assert "\n" not in str(stop.value)


@pytest.fixture
def dask_cluster(tmp_path):
    """A scheduler and three workers as processes; gives its address, and the processes."""
    pytest.importorskip("distributed")
    environment = {**os.environ, "PYTHONPATH": PATH}
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    command += ["--no-dashboard", "--scheduler-file", str(tmp_path / "scheduler.json")]
    started = [subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)]
    wait_for((tmp_path / "scheduler.json").exists)
    import json

    address = json.loads((tmp_path / "scheduler.json").read_text())["address"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    for i in range(3):
        more = ["--local-directory", str(tmp_path / f"worker{i}")]
        started.append(
            subprocess.Popen([*worker, *more], env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        )
    from distributed import Client

    with Client(address) as client:
        client.wait_for_workers(3, timeout=60)
    yield address, started
    for process in reversed(started):
        process.terminate()
        process.wait(20)


def wait_for(ready, seconds=60):
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_dask_cluster_of_processes(tmp_path, dask_cluster, monkeypatch):
    address, _ = dask_cluster
    root = write_toys(tmp_path / "in")
    run(pipeline_of(root), tmp_path / "serial", engine="serial")
    run(pipeline_of(root), tmp_path / "dask", engine=Workers("dask", address=address, chunk=2))
    assert files(tmp_path / "dask" / "datasets") == files(tmp_path / "serial" / "datasets")

    with monkeypatch.context() as patch:  # the workers are elsewhere: they do not see what the driver writes
        patch.setattr("face3d_data.engine.dask_pool.surroundings", unseen)
        with pytest.raises(UserError, match=r"does not see the files of .*: mount it there under the same path"):
            run(pipeline_of(root), tmp_path / "elsewhere", engine=Workers("dask", address=address))
    assert list((tmp_path / "elsewhere" / "cache").glob(".seen*")) == []


def test_workers_and_scheduler_are_killed_in_the_middle(tmp_path, dask_cluster, monkeypatch):
    monkeypatch.setattr("face3d_data.engine.dask_pool.ANSWER_SECONDS", 1)
    address, (scheduler, *nannies) = dask_cluster
    root = write_toys(tmp_path / "in", people=30, captures=4)
    run(pipeline_of(root), tmp_path / "serial", engine="serial")
    killer = Killer(tmp_path / "dask", nannies[:2], after=5)
    with killer:
        run(pipeline_of(root), tmp_path / "dask", engine=Workers("dask", address=address, chunk=2))
    assert killer.killed == 2
    assert files(tmp_path / "dask" / "datasets") == files(tmp_path / "serial" / "datasets")

    with (
        Killer(tmp_path / "again", [scheduler], after=5) as killer,
        pytest.raises(RunStopped, match="start it and run"),
    ):
        run(pipeline_of(root), tmp_path / "again", engine=Workers("dask", address=address, chunk=2))
    assert killer.killed == 1
    assert not (tmp_path / "again" / "datasets" / "toys").exists()
    with pytest.raises(UserError, match="no Dask scheduler answers there"):
        run(pipeline_of(root), tmp_path / "again", engine=Workers("dask", address=address))
    result = run(pipeline_of(root), tmp_path / "again", engine=Workers("dask", 2))
    assert 0 < result.steps["scaled"].report.inputs < 120
    assert files(tmp_path / "again" / "datasets") == files(tmp_path / "serial" / "datasets")


class Killer:
    """Kills processes, or those that they watch, as soon as a workspace has some parts.

    Args:
        work: the workspace.
        processes: to kill; of a nanny its worker.
        after: parts.
    """

    def __init__(self, work, processes, after):
        self.work, self.processes, self.after = work, processes, after
        self.killed, self._stop = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join()

    def _watch(self):
        while len(list(self.work.glob("cache/*/parts/*.jsonl"))) < self.after:
            if self._stop.wait(0.002):
                return
        for process in self.processes:
            for child in psutil.Process(process.pid).children() or [process]:
                if "resource_tracker" not in " ".join(getattr(child, "cmdline", list)()):
                    os.kill(child.pid, signal.SIGKILL)
            self.killed += 1


def unseen(path, roots):
    """Answer like a worker that sees another folder, and like the driver in the process of the driver."""
    there = surroundings(path, roots)
    return there if "(call)" in os.environ.get("PYTEST_CURRENT_TEST", "") else replace(there, text="")


def test_a_scheduler_that_dies_in_the_middle_stops_the_run_and_the_next_goes_on(tmp_path, dask_cluster):
    address, (scheduler, *_) = dask_cluster
    with Engine("dask", 1, address) as engine:
        outcomes = engine.run(Numbers((n,)) for n in range(20, 2000))
        list(itertools.islice(outcomes, 20))
        scheduler.kill()
        with pytest.raises(RunStopped, match=r"scheduler .* is gone: start it"):
            list(outcomes)


def test_a_worker_that_has_something_else_is_named(tmp_path):
    with asking(tmp_path / "new", [tmp_path, tmp_path / "nowhere"]) as question:
        here = surroundings(*question)
        assert here.text
        assert here.missing == (str(tmp_path / "nowhere"),)
        compare("w1", surroundings(*question), here, tmp_path)
        unseen = f"worker w1 does not see the files of {tmp_path}: mount it there under the same path"
        for there, message in (
            (replace(here, text=""), unseen),
            (replace(here, missing=(*here.missing, str(tmp_path))), f"does not see the source {tmp_path}: mount it"),
            (versions(here, numpy="1.0"), "worker w1 has numpy 1.0, this machine 2"),
            (versions(here, a_plugin="3"), "worker w1 has a_plugin 3, this machine none: results might differ"),
            (versions(here, face3d_data="0"), f"worker w1 has face3d_data 0, this machine {VERSION} (code "),
        ):
            with pytest.raises(UserError, match=re.escape(message)):
                compare("w1", there, here, tmp_path)
    assert list((tmp_path / "new").iterdir()) == []


def versions(here, **others):
    return replace(here, versions={**here.versions, **others})


def test_an_address_is_for_clusters_and_excludes_jobs(tmp_path):
    with pytest.raises(UserError, match=r"--address tcp://h:1: the engine 'loky' has none: use --engine dask or ray"):
        Engine("loky", 2, "tcp://h:1")
    root = write_toys(tmp_path / "in")
    with pytest.raises(UserError, match="--jobs 2: the cluster at --address"):
        run(pipeline_of(root), tmp_path / "work", engine=Workers("dask", 2, address="tcp://h:1"))
