"""Dask cluster as a pool of workers: one at an address, or one that is started on this machine."""

from __future__ import annotations

import contextlib
import logging
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, ClassVar

from face3d_data.engine.shared_folder import check_seen, seen
from face3d_data.engine.stats import Report
from face3d_data.engine.threads import VARIABLES
from face3d_data.engine.worker import Task, run_task
from face3d_data.errors import MissingDependency, RunStopped, UserError
from face3d_data.extras import extra_line

ANSWER_SECONDS = 10


class DaskPool:
    """Workers of a Dask cluster.

    Args:
        jobs: worker processes of a cluster that is started here.
        address: of a scheduler, such as `tcp://host:8786`; None: start a cluster.

    Raises:
        UserError: no scheduler answers, or it has no workers.
        MissingDependency: distributed is not installed.
    """

    dies_whole: ClassVar[bool] = False

    def __init__(self, jobs: int, address: str | None) -> None:
        try:
            import dask
            import distributed
        except ImportError:
            raise MissingDependency(f"--engine dask needs distributed: {extra_line('dask')}") from None
        self._address = address
        self._cluster: Any = None
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it says of dead workers is told in our words
        if address is None:
            dask.config.set({"distributed.scheduler.allowed-failures": 0, "distributed.nanny.environ": dict(VARIABLES)})
            self._cluster = distributed.LocalCluster(
                n_workers=jobs, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, memory_limit=None,
                silence_logs=logging.CRITICAL,
            )  # fmt: skip
        try:
            self._client = distributed.Client(address or self._cluster, timeout=ANSWER_SECONDS)
        except (OSError, ValueError) as error:
            raise UserError(f"--address {address}: no Dask scheduler answers there ({error})") from None
        found = self._client.scheduler_info(n_workers=-1)["workers"]
        self.workers = sum(worker["nthreads"] for worker in found.values())
        if not self.workers:
            self.close(at_once=True)
            raise UserError(f"--address {address}: the scheduler has no workers: start some (dask worker {address})")
        self._executor = self._client.get_executor(pure=False)

    def submit(self, task: Task) -> Future[Report]:
        """Let a worker run a task."""
        return self._executor.submit(run_task, task)

    def is_death(self, error: BaseException) -> bool:
        """Return whether the scheduler gave a task up because its workers died.

        Raises:
            RunStopped: the scheduler itself is gone.
        """
        from distributed import CancelledError as Cancelled
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        if isinstance(error, CancelledError | Cancelled | CommClosedError):
            where = self._address or "on this machine"
            raise RunStopped(f"the Dask scheduler {where} is gone: start it and run again; finished parts stay")
        return isinstance(error, KilledWorker)

    def alone(self) -> DaskPool:
        """Return the pool itself: the death of a worker is one task's affair."""
        return self

    def check_folder(self, folder: Path) -> None:
        """Let each worker read a file that is new in a folder."""
        with check_seen(folder) as (path, text):
            found = self._client.run(seen, str(path))
            for worker, content in found.items():
                if content != text:
                    raise UserError(
                        f"worker {worker} does not see the files of {folder}: mount it there under the same path"
                    )

    def close(self, at_once: bool) -> None:
        """Leave the cluster, and end one that was started here."""
        with contextlib.suppress(Exception):
            self._client.close(timeout=ANSWER_SECONDS)
        if self._cluster is not None:
            with contextlib.suppress(Exception):
                self._cluster.close(timeout=ANSWER_SECONDS)
