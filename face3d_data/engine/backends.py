"""Engine backends: where tasks run. The code that works does not know which one it is."""

from __future__ import annotations

import importlib.util
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from pathlib import Path

from face3d_data.engine.pools import ProcessPool, ThreadPool, WorkerPool
from face3d_data.engine.stats import Report
from face3d_data.engine.worker import Task, run_task
from face3d_data.errors import MissingDependency, RunStopped, UserError
from face3d_data.extras import extra_line

CLUSTERS = {"dask": "distributed", "ray": "ray"}
"""Engines whose workers may be on other machines, and the library of each."""
ENGINES = ("serial", "loky", "threading", *CLUSTERS)
AHEAD = 2
"""Tasks queued beyond those that run: enough to keep workers busy, few enough to size the next ones by rate."""
FATAL_DEATHS = 2
LOOK_SECONDS = 10.0
"""How long no task may end before the workers are looked after."""


class Crash(Exception):
    """A task of one row killed two fresh workers."""


class Engine:
    """Runs tasks; a context manager that keeps its workers from one call to the next and ends them on exit.

    Args:
        name: one of `ENGINES`.
        jobs: workers; `serial` has none, and a cluster at an address those that it has.
        address: of a cluster's scheduler (`CLUSTERS`); None: one is started on this machine.

    Raises:
        UserError: there is no such engine, or it has no address.
    """

    def __init__(self, name: str, jobs: int = 1, address: str | None = None) -> None:
        if name not in ENGINES:
            raise UserError(f"no engine is named {name!r}: use one of {', '.join(ENGINES)}")
        if address is not None and name not in CLUSTERS:
            raise UserError(f"--address {address}: the engine {name!r} has none: use --engine {' or '.join(CLUSTERS)}")
        self.name = name
        self.jobs = 1 if name == "serial" else jobs
        self._address = address
        self._pool: WorkerPool | None = None
        self._files: tuple[Path, Sequence[Path]] | None = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *error: object) -> None:
        self._end(at_once=error[0] is not None)

    def expect(self, folder: Path, roots: Sequence[Path] = ()) -> None:
        """Let the workers of a cluster be compared with this process before they get their first task.

        Args:
            folder: that they write to.
            roots: folders of sources that they read.
        """
        self._files = folder, roots

    def run(self, tasks: Iterable[Task], at_once: int | None = None) -> Iterator[tuple[Task, Report | Crash]]:
        """Run tasks and yield each with its report, in the order in which they end.

        Args:
            tasks: consumed as workers become free.
            at_once: most tasks that run at a time, such as those that share a GPU; None: one a worker.

        Raises:
            RunStopped: the run cannot go on (no memory, no disk, no cluster).
            UserError: a cluster does not answer, or a worker does not have what this process has.
            MissingDependency: the library of a cluster is not installed.
        """
        if self.name == "serial":
            for task in tasks:
                yield task, run_task(task)
            return
        try:
            yield from self._run_pool(iter(tasks), at_once)
        except BaseException:
            self._end()
            raise

    def _run_pool(self, waiting: Iterator[Task], at_once: int | None) -> Iterator[tuple[Task, Report | Crash]]:
        kills_before = _out_of_memory_kills()
        flying: dict[Future[Report], Task] = {}
        while True:
            for task in _next(waiting, lambda: (at_once or self._workers().workers + AHEAD) - len(flying)):
                flying[self._workers().submit(task)] = task
            if not flying:
                return
            pool = self._workers()
            ended = _wait(flying, pool)
            lost: list[Task] = []
            for future in ended:
                task = flying.pop(future)
                error = _error_of(future)
                if error is None:
                    yield task, future.result()
                elif pool.is_death(error):
                    lost.append(task)
                else:
                    raise error
            if lost:
                _stop_if_memory_ran_out(kills_before)
                if pool.dies_whole:
                    lost += flying.values()
                    flying.clear()
                    self._end()
                    _stop_if_none_starts()
                yield from _run_suspects(lost, pool)

    def _workers(self) -> WorkerPool:
        if self._pool is None:
            self._pool = _pool_of(self.name, self.jobs, self._address)
            self.jobs = self._pool.workers
            if self._files is not None:
                self._pool.check(*self._files)
        return self._pool

    def _end(self, at_once: bool = True) -> None:
        if self._pool is not None:
            self._pool.close(at_once)
            self._pool = None


def _pool_of(name: str, jobs: int, address: str | None) -> WorkerPool:
    if name in CLUSTERS:
        library = CLUSTERS[name]
        if importlib.util.find_spec(library) is None:
            raise MissingDependency(f"--engine {name} needs {library}: {extra_line(name)}")
        if name == "dask":
            from face3d_data.engine.dask_pool import DaskPool

            return DaskPool(jobs, address)
        from face3d_data.engine.ray_pool import RayPool

        return RayPool(jobs, address)
    return ThreadPool(jobs) if name == "threading" else ProcessPool(jobs)


def _stop_if_none_starts() -> None:
    """Tell a machine on which no worker lives from tasks that kill theirs.

    Raises:
        RunStopped: a fresh worker with nothing to do dies.
    """
    pool = ProcessPool(1)
    try:
        pool.check_lives()
    finally:
        pool.close(at_once=True)


def _wait(flying: Iterable[Future[Report]], pool: WorkerPool) -> set[Future[Report]]:
    """Return the tasks that have ended, one at least, and look after the pool meanwhile."""
    while True:
        ended, _ = wait(flying, LOOK_SECONDS, FIRST_COMPLETED)
        if ended:
            return ended
        pool.look()


def _error_of(future: Future[Report]) -> BaseException | None:
    try:
        error = future.exception()
    except CancelledError as cancelled:  # a scheduler that is gone
        return cancelled
    if isinstance(error, ImportError):  # while the task is unpickled: a component's module
        return UserError(f"a worker cannot import a module ({error}): install it there, as on this machine")
    return error


def _next(waiting: Iterator[Task], free: Callable[[], int]) -> Iterator[Task]:
    while free() > 0:
        try:
            yield next(waiting)
        except StopIteration:
            return


def _run_suspects(lost: list[Task], pool: WorkerPool) -> Iterator[tuple[Task, Report | Crash]]:
    """Run tasks that were in flight when a worker died one at a time, halving those that kill again.

    Args:
        lost: the tasks.
        pool: that they were lost in; where it died whole, each task has a fresh one.
    """
    queue = deque((task, 0) for task in lost)
    while queue:
        task, deaths = queue.popleft()
        kills_before = _out_of_memory_kills()
        alone = pool.alone()
        try:
            (future,) = _wait([alone.submit(task)], alone)
            error = _error_of(future)
        finally:
            if alone is not pool:
                alone.close(at_once=True)
        if error is None:
            yield task, future.result()
            continue
        if not pool.is_death(error):
            raise error
        _stop_if_memory_ran_out(kills_before)
        halves = task.halves()
        if halves:
            queue.extendleft((half, 0) for half in reversed(halves))
        elif deaths + 1 < FATAL_DEATHS:
            queue.appendleft((task, deaths + 1))
        else:
            yield task, Crash(f"it killed {FATAL_DEATHS} fresh workers")


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
