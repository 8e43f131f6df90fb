"""Worker: a process that runs one task after the other.

`run_task` is the one function that leaves the process, whatever the engine.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from face3d_data.engine.stats import Report, peak_memory_mb
from face3d_data.engine.threads import limit_threads
from face3d_data.errors import DamagedCache, RunStopped, is_full_disk
from face3d_data.store.part import BadPart

DETAIL_CHARS = 300


class Task(Protocol):
    """A unit of work that can be sent to a worker, and halved when it kills one."""

    def run(self) -> Report:
        """Do the work and report; what it makes is on disk when it returns."""
        ...

    def halves(self) -> Sequence[Task]:
        """Return two smaller tasks, or nothing where there is no smaller one."""
        ...


def run_task(task: Task) -> Report:
    """Run one task in this process.

    Raises:
        RunStopped: no memory or no disk: the whole run has to stop.
        MissingDependency: a library or device is missing.
    """
    limit_threads()
    started = time.perf_counter()
    with stopping():
        report = task.run()
    report.seconds = time.perf_counter() - started
    report.peak_mb = peak_memory_mb()
    return report


@contextmanager
def stopping() -> Iterator[None]:
    """Turn what no run can go on after into `RunStopped`, with the remedy.

    Raises:
        RunStopped: no memory, no disk, a file that cannot be read or written.
        DamagedCache: a damaged part, discarded on the way.
    """
    try:
        yield
    except MemoryError:
        raise RunStopped("no memory left: lower --jobs or --chunk; finished parts stay") from None
    except BadPart as error:
        error.discard()
        raise DamagedCache(f"{error}: it was removed: run again, and it is made again") from None
    except (OSError, RuntimeError, sqlite3.OperationalError) as error:
        if is_full_disk(error):
            raise RunStopped("no disk space left: make room and run again; finished parts stay") from None
        if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
            remedy = "fix its permissions" if isinstance(error, PermissionError) else "fix that and run again"
            what = f"{error.filename} cannot be read or written ({error.strerror})"
            raise RunStopped(f"{what}: {remedy}; nothing was removed") from None
        raise
