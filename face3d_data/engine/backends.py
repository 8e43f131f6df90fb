"""Engines: where tasks run. The code that works does not know which one it is."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
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


class Crash(Exception):
    """A task of one row killed two fresh workers."""


def run_tasks(tasks: Iterable[Task], engine: str, jobs: int) -> Iterator[tuple[Task, Report | Crash]]:
    """Run tasks and yield each with its report, in the order in which they end.

    Args:
        tasks: consumed as workers become free.
        engine: one of `ENGINES`.
        jobs: workers; 1 with `serial`.

    Raises:
        UserError: no such engine.
        RunStopped: the run cannot go on (no memory, no disk).
    """
    if engine == "serial":
        return _run_here(tasks)
    if engine == "threading":
        return _run_pool(tasks, lambda: ThreadPoolExecutor(jobs, initializer=limit_threads), jobs)
    if engine == "loky":
        return _run_pool(tasks, lambda: _processes(jobs), jobs)
    raise UserError(f"no engine is named {engine!r}: use one of {', '.join(ENGINES)}")


def _run_here(tasks: Iterable[Task]) -> Iterator[tuple[Task, Report | Crash]]:
    for task in tasks:
        yield task, run_task(task)


def _processes(jobs: int) -> Executor:
    from joblib.externals.loky import ProcessPoolExecutor

    return ProcessPoolExecutor(jobs, initializer=follow_parent, initargs=(os.getpid(),), env=dict(VARIABLES))


def _run_pool(
    tasks: Iterable[Task], make_pool: Callable[[], Executor], jobs: int
) -> Iterator[tuple[Task, Report | Crash]]:
    waiting = iter(tasks)
    kills_before = _out_of_memory_kills()
    pool = make_pool()
    flying: dict[Future[Report], Task] = {}
    try:
        while True:
            for task in _next(waiting, jobs + AHEAD - len(flying)):
                flying[pool.submit(run_task, task)] = task
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
                _close(pool)
                yield from _run_suspects(lost)
                pool = make_pool()
    finally:
        _close(pool)


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
            _close(pool)
        halves = task.halves()
        if halves:
            queue.extendleft((half, 0) for half in reversed(halves))
        elif deaths + 1 < FATAL_DEATHS:
            queue.appendleft((task, deaths + 1))
        else:
            yield task, Crash(f"it killed {FATAL_DEATHS} fresh workers")


def _close(pool: Executor) -> None:
    """End a pool at once: what its workers have published stays, the rest is made again."""
    if isinstance(pool, ThreadPoolExecutor):
        pool.shutdown(wait=True, cancel_futures=True)
    else:
        pool.shutdown(wait=True, kill_workers=True)  # type: ignore[call-arg]


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
