"""Pools of workers: what the engines submit tasks to, and how each tells that a worker died."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Protocol

from face3d_data.engine.stats import Report
from face3d_data.engine.threads import VARIABLES, follow_parent, limit_threads
from face3d_data.engine.worker import Task, run_task
from face3d_data.errors import RunStopped

_SILENCE = threading.Lock()


class WorkerPool(Protocol):
    """Workers that run tasks at the same time.

    Attributes:
        workers: how many tasks they run at a time.
        dies_whole: whether the death of one worker ends the pool, and with it all tasks in flight.
    """

    workers: int
    dies_whole: ClassVar[bool]

    def submit(self, task: Task) -> Future[Report]:
        """Let a worker run a task."""
        ...

    def is_death(self, error: BaseException) -> bool:
        """Return whether an error of a task says that its worker died."""
        ...

    def alone(self) -> WorkerPool:
        """Return a pool for tasks that may kill their worker."""
        ...

    def check(self, folder: Path, roots: Sequence[Path]) -> None:
        """Check that the workers have around them what this process has.

        Args:
            folder: that they write to.
            roots: folders of sources that they read.

        Raises:
            UserError: one has something else.
        """
        ...

    def look(self) -> None:
        """Look after the workers while no task ends.

        Raises:
            RunStopped: the cluster is gone.
        """
        ...

    def close(self, at_once: bool) -> None:
        """End the pool; at once, what its workers have published stays, and the rest is made again."""
        ...


class ThreadPool:
    """Threads of this process."""

    dies_whole: ClassVar[bool] = False

    def __init__(self, jobs: int) -> None:
        self.workers = jobs
        self._threads = ThreadPoolExecutor(jobs, initializer=limit_threads)

    def submit(self, task: Task) -> Future[Report]:
        """Let a thread run a task."""
        return self._threads.submit(run_task, task)

    def is_death(self, error: BaseException) -> bool:
        """Return false: a thread that dies takes the driver along."""
        return False

    def alone(self) -> ThreadPool:
        """Return the pool itself."""
        return self

    def check(self, folder: Path, roots: Sequence[Path]) -> None:
        """Check nothing: threads see what the driver sees."""

    def look(self) -> None:
        """Do nothing: threads end with the driver."""

    def close(self, at_once: bool) -> None:
        """End the threads when what they do is done."""
        self._threads.shutdown(wait=True, cancel_futures=True)


class ProcessPool:
    """Processes of this machine, by loky; they start when the first task comes.

    Raises:
        RunStopped: this machine or user gives none (no shared memory, too many processes).
    """

    dies_whole: ClassVar[bool] = True

    def __init__(self, jobs: int) -> None:
        from joblib.externals.loky import ProcessPoolExecutor

        self.workers = jobs
        try:
            _start_tracker()
            self._processes = _processes(ProcessPoolExecutor, jobs)
        except OSError as error:
            raise RunStopped(no_worker(error.strerror or str(error))) from None

    def submit(self, task: Task) -> Future[Report]:
        """Let a process run a task."""
        return self._processes.submit(run_task, task)  # type: ignore[attr-defined]

    def is_death(self, error: BaseException) -> bool:
        """Return whether the pool is broken."""
        return isinstance(error, BrokenProcessPool)

    def alone(self) -> ProcessPool:
        """Return a fresh pool of one process."""
        return ProcessPool(1)

    def check(self, folder: Path, roots: Sequence[Path]) -> None:
        """Check nothing: processes of this machine see what the driver sees."""

    def look(self) -> None:
        """Do nothing: the death of a process ends its task."""

    def check_lives(self) -> None:
        """Tell a machine on which no worker lives from tasks that kill theirs.

        Raises:
            RunStopped: a fresh worker with nothing to do dies.
        """
        try:
            self._processes.submit(os.getpid).result()  # type: ignore[attr-defined]
        except BrokenProcessPool:
            raise RunStopped(no_worker("it exits before doing anything")) from None

    def close(self, at_once: bool) -> None:
        """End the processes."""
        self._processes.shutdown(wait=True, kill_workers=at_once)  # type: ignore[attr-defined]


def _processes(kind: type, jobs: int) -> object:
    # It replaces workers that have grown; they start anew as they should, and it is nothing to tell a user.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given", category=UserWarning)
    return kind(jobs, initializer=follow_parent, initargs=(os.getpid(),), env=dict(VARIABLES))


def _start_tracker() -> None:
    """Start loky's resource tracker, a process that removes what killed processes leave, with nowhere to write to.

    What it says is no user's business: it speaks of semaphores whenever a process was killed, or ends while it counts.
    """
    from joblib.externals.loky.backend import resource_tracker

    with silence():
        resource_tracker.ensure_running()


@contextmanager
def silence() -> Iterator[None]:
    """Let nothing be written to standard error: by libraries in C, too, and by processes that are started.

    Threads take turns.
    """
    with _SILENCE:
        own, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(own, 2)
            os.close(own)
            os.close(nowhere)


def no_worker(why: str) -> str:
    """Return the message that no worker process can be started."""
    return f"no worker process can be started ({why}): use --engine serial or --engine threading"
