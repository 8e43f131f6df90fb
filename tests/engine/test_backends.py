"""Engines run every task once, report crashes, and stop where a run has to stop."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace

import pytest

from face3d_data.engine import backends, pools
from face3d_data.engine.backends import Crash, Engine
from face3d_data.engine.stats import Report
from face3d_data.engine.threads import limit_threads
from face3d_data.engine.worker import run_task
from face3d_data.errors import MissingDependency, RunStopped, UserError


@dataclass(frozen=True)
class Numbers:
    """A task over numbers: 13 kills the process, the others are counted."""

    numbers: tuple[int, ...]
    error: BaseException | None = None

    def run(self):
        if self.error is not None:
            raise self.error
        if 13 in self.numbers:
            os.kill(os.getpid(), signal.SIGKILL)
        return Report(len(self.numbers), len(self.numbers), Counter(ok=len(self.numbers)), result=list(self.numbers))

    def halves(self):
        half = len(self.numbers) // 2
        return [replace(self, numbers=n) for n in (self.numbers[:half], self.numbers[half:])] if half else []


@dataclass(frozen=True, eq=False)
class Counted:
    """A task that notes how many run while it does."""

    running: list[int]
    seen: list[int]

    def run(self):
        self.running[0] += 1
        self.seen.append(self.running[0])
        time.sleep(0.005)
        self.running[0] -= 1
        return Report(1, 1, Counter(ok=1), result=[1])


def done(outcomes):
    return sorted(n for _, report in outcomes if isinstance(report, Report) for n in report.result)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["serial", "threading", "loky"])
def test_every_task_runs_once(name):
    with Engine(name, 2) as engine:
        assert done(engine.run(Numbers((i, i + 100)) for i in range(9))) == [*range(9), *range(100, 109)]
        assert done(engine.run([Numbers((7,))])) == [7]


@pytest.mark.slow
def test_a_killer_is_isolated_and_all_others_are_done():
    with Engine("loky", 2) as engine:
        tasks = [Numbers(tuple(range(start, start + 4))) for start in range(0, 24, 4)]
        outcomes = list(engine.run(tasks))
        assert done(outcomes) == [n for n in range(24) if n != 13]
        crashed = [task.numbers for task, report in outcomes if isinstance(report, Crash)]
        assert crashed == [(13,)]
        assert done(engine.run([Numbers((1, 2))])) == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["serial", "threading", "loky"])
@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (MemoryError(), RunStopped, "no memory left: lower --jobs"),
        (OSError(28, "No space left on device", "x"), RunStopped, "no disk space left"),
        (RuntimeError("Problem closing file (errno = 28, error message)"), RunStopped, "no disk space left"),
        (sqlite3.OperationalError("database or disk is full"), RunStopped, "no disk space left"),
        (PermissionError(13, "Permission denied", "/x/y"), RunStopped, "/x/y cannot be read or written"),
        (MissingDependency("pip install it"), MissingDependency, "pip install it"),
    ],
)
def test_what_stops_the_run(name, error, kind, message):
    with Engine(name, 2) as engine, pytest.raises(kind, match=message):
        list(engine.run([Numbers((1,)), Numbers((2,), error)]))


@pytest.mark.slow
def test_a_worker_killed_for_memory_stops_the_run(monkeypatch):
    counts = iter(range(100))
    monkeypatch.setattr(backends, "_out_of_memory_kills", lambda: next(counts))
    with Engine("loky", 1) as engine, pytest.raises(RunStopped, match="for lack of memory: lower --jobs"):
        list(engine.run([Numbers((13,))]))


def test_unknown_engine_lists_what_there_is():
    with pytest.raises(UserError, match="no engine is named 'spark': use one of serial, loky, threading"):
        Engine("spark")


def test_inner_threads_are_held_to_one():
    from threadpoolctl import threadpool_info

    run_task(Numbers((1,)))
    assert os.environ["OMP_NUM_THREADS"] == "1"
    assert {pool["num_threads"] for pool in threadpool_info()} <= {1}


@pytest.mark.slow
def test_workers_end_with_their_driver(tmp_path):
    import subprocess
    import sys
    import time

    script = """
import os, sys, time
sys.path.insert(0, {tests!r})
from engine_sleep import Sleep
from face3d_data.engine.backends import Engine
with Engine("loky", 2) as engine:
    list(engine.run([Sleep({pids!r}), Sleep({pids!r})]))
"""
    (tmp_path / "engine_sleep.py").write_text(
        "import os, time\nfrom pathlib import Path\n"
        "class Sleep:\n"
        "    def __init__(self, folder): self.folder = folder\n"
        "    def run(self):\n"
        "        Path(self.folder, str(os.getpid())).touch(); time.sleep(60)\n"
        "    def halves(self): return ()\n"
    )
    pids = tmp_path / "pids"
    pids.mkdir()
    text = script.format(tests=str(tmp_path), pids=str(pids))
    driver = subprocess.Popen([sys.executable, "-c", text])
    deadline = time.monotonic() + 60
    while len(list(pids.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    workers = [int(path.name) for path in pids.iterdir()]
    assert len(workers) == 2
    while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in workers)


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


TRACKED = """
import os
from face3d_data.engine.pools import ProcessPool
if __name__ == "__main__":
    pool = ProcessPool(2)._processes
    assert pool.submit(abs, -3).result() == 3
    {ending}
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["os._exit(0)", "os.kill(os.getpid(), 9)", "raise SystemExit(0)"])
def test_nothing_is_said_of_semaphores_however_a_process_ends(tmp_path, ending):
    script = tmp_path / "ends.py"
    script.write_text(TRACKED.format(ending=ending))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("", "")


def _dies(parent):
    os._exit(1)


@pytest.mark.slow
def test_a_machine_on_which_no_worker_lives_is_told_from_tasks_that_kill_theirs(monkeypatch):
    monkeypatch.setattr(pools, "follow_parent", _dies)
    with Engine("loky", 2) as engine, pytest.raises(RunStopped, match="no worker process can be started") as stop:
        list(engine.run([Numbers((1,)), Numbers((2,))]))
    assert "--engine serial or --engine threading" in str(stop.value)


def test_a_user_who_may_not_have_semaphores_is_told_what_works(monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pools, "_processes", refuse)
    with Engine("loky", 2) as engine, pytest.raises(RunStopped, match=r"can be started \(Permission denied\): use"):
        list(engine.run([Numbers((1,))]))


def test_a_library_that_another_thread_is_importing_is_left_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", type(sys)("cv2"))
    limit_threads()
    held = []
    sys.modules["cv2"].setNumThreads = held.append
    limit_threads()
    assert held == [1]


def test_no_more_tasks_than_may_share_a_device_run_at_a_time():
    with Engine("threading", 4) as engine:
        for at_once, most in ((1, 1), (2, 2)):
            running, seen = [0], []
            tasks = [Counted(running, seen) for _ in range(6)]
            assert len(list(engine.run(tasks, at_once))) == 6
            assert max(seen) <= most
