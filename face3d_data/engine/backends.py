"""Engine backends: where tasks run. The code that works does not know which one it is."""

from __future__ import annotations

import os
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from face3d_data.engine.stats import Report
from face3d_data.engine.threads import VARIABLES, follow_parent, limit_threads
from face3d_data.engine.worker import Task, run_task
from face3d_data.errors import RunStopped, UserError

ENGINES = ("serial", "loky", "threading")
AHEAD = 2
"""Tasks queued beyond those that run: enough to keep workers busy, few enough to size the next ones by rate."""
FATAL_DEATHS = 2
_TRACKER = threading.Lock()


class Crash(Exception):
    """A task of one row killed two fresh workers."""


class Engine:
    """Runs tasks; a context manager that keeps its workers from one call to the next and ends them on exit.

    Args:
        name: one of `ENGINES`.
        jobs: workers; `serial` has none.

    Raises:
        UserError: there is no such engine.
    """

    def __init__(self, name: str, jobs: int = 1) -> None:
        if name not in ENGINES:
            raise UserError(f"no engine is named {name!r}: use one of {', '.join(ENGINES)}")
        self.name = name
        self.jobs = 1 if name == "serial" else jobs
        self._pool: Executor | None = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *error: object) -> None:
        self._end(at_once=error[0] is not None)

    def run(self, tasks: Iterable[Task], at_once: int | None = None) -> Iterator[tuple[Task, Report | Crash]]:
        """Run tasks and yield each with its report, in the order in which they end.

        Args:
            tasks: consumed as workers become free.
            at_once: most tasks that run at a time, such as those that share a GPU; None: one a worker.

        Raises:
            RunStopped: the run cannot go on (no memory, no disk).
        """
        if self.name == "serial":
            for task in tasks:
                yield task, run_task(task)
            return
        try:
            yield from self._run_pool(iter(tasks), self.jobs + AHEAD if at_once is None else at_once)
        except BaseException:
            self._end()
            raise

    def _run_pool(self, waiting: Iterator[Task], most: int) -> Iterator[tuple[Task, Report | Crash]]:
        kills_before = _out_of_memory_kills()
        flying: dict[Future[Report], Task] = {}
        while True:
            for task in _next(waiting, most - len(flying)):
                flying[self._workers().submit(run_task, task)] = task
            if not flying:
                return
            ended, _ = wait(flying, return_when=FIRST_COMPLETED)
            lost: list[Task] = []
            for future in ended:
                task = flying.pop(future)
                try:
                    yield task, future.result()
                except BrokenProcessPool:
                    lost.append(task)
            if lost:
                lost += flying.values()
                flying.clear()
                _stop_if_memory_ran_out(kills_before)
                self._end()
                _stop_if_none_starts()
                yield from _run_suspects(lost)

    def _workers(self) -> Executor:
        if self._pool is None:
            threads = self.name == "threading"
            self._pool = ThreadPoolExecutor(self.jobs, initializer=limit_threads) if threads else _processes(self.jobs)
        return self._pool

    def _end(self, at_once: bool = True) -> None:
        if self._pool is not None:
            _close(self._pool, at_once)
            self._pool = None


def _processes(jobs: int) -> Executor:
    """Return a pool of worker processes.

    Raises:
        RunStopped: this machine or user gives none (no shared memory, too many processes).
    """
    from joblib.externals.loky import ProcessPoolExecutor

    try:
        _start_tracker()
        return _pool(ProcessPoolExecutor, jobs)
    except OSError as error:
        raise RunStopped(_no_worker(error.strerror or str(error))) from None


def _start_tracker() -> None:
    """Start loky's resource tracker, a process that removes what killed processes leave, with nowhere to write to.

    What it says is no user's business: it speaks of semaphores whenever a process was killed, or ends while it counts.
    """
    from joblib.externals.loky.backend import resource_tracker

    with _TRACKER:
        own, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            resource_tracker.ensure_running()
        finally:
            os.dup2(own, 2)
            os.close(own)
            os.close(nowhere)


def _no_worker(why: str) -> str:
    return f"no worker process can be started ({why}): use --engine serial or --engine threading"


def _stop_if_none_starts() -> None:
    """Tell a machine on which no worker lives from tasks that kill theirs.

    Raises:
        RunStopped: a fresh worker with nothing to do dies.
    """
    pool = _processes(1)
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool:
        raise RunStopped(_no_worker("it exits before doing anything")) from None
    finally:
        _close(pool, at_once=True)


def _pool(kind: type, jobs: int) -> Executor:
    # It replaces workers that have grown; they start anew as they should, and it is nothing to tell a user.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given", category=UserWarning)
    return kind(jobs, initializer=follow_parent, initargs=(os.getpid(),), env=dict(VARIABLES))


def _next(waiting: Iterator[Task], count: int) -> Iterator[Task]:
    for _ in range(count):
        try:
            yield next(waiting)
        except StopIteration:
            return


def _run_suspects(lost: list[Task]) -> Iterator[tuple[Task, Report | Crash]]:
    """Run tasks that were in flight when a worker died, each alone, halving those that kill again."""
    queue = deque((task, 0) for task in lost)
    while queue:
        task, deaths = queue.popleft()
        kills_before = _out_of_memory_kills()
        pool = _processes(1)
        try:
            yield task, pool.submit(run_task, task).result()
            continue
        except BrokenProcessPool:
            _stop_if_memory_ran_out(kills_before)
        finally:
            _close(pool, at_once=True)
        halves = task.halves()
        if halves:
            queue.extendleft((half, 0) for half in reversed(halves))
        elif deaths + 1 < FATAL_DEATHS:
            queue.appendleft((task, deaths + 1))
        else:
            yield task, Crash(f"it killed {FATAL_DEATHS} fresh workers")


def _close(pool: Executor, at_once: bool) -> None:
    """End a pool; at once, what its workers have published stays, and the rest is made again."""
    if isinstance(pool, ThreadPoolExecutor):
        pool.shutdown(wait=True, cancel_futures=True)
    else:
        pool.shutdown(wait=True, kill_workers=at_once)  # type: ignore[call-arg]


def _out_of_memory_kills() -> int:
    """Return how often the kernel has killed for memory, 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    except OSError:
        return 0


def _stop_if_memory_ran_out(kills_before: int) -> None:
    if _out_of_memory_kills() > kills_before:
        raise RunStopped("a worker was killed for lack of memory: lower --jobs; finished parts stay")
