"""Dask cluster as a pool of workers: one at an address, or one that is started on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, ClassVar

import dask
import distributed
from distributed.comm import CommClosedError

from face3d_data.engine.stats import Report
from face3d_data.engine.threads import VARIABLES
from face3d_data.engine.worker import Task, run_task
from face3d_data.engine.worker_check import asking, compare, surroundings
from face3d_data.errors import RunStopped, UserError
from face3d_data.references import search_here

log = logging.getLogger(__name__)
ANSWER_SECONDS = 10.0
WORKER_SECONDS = 60.0
"""How long a scheduler may have no worker before a run starts."""


class SearchHere(distributed.WorkerPlugin):
    """Plugin of workers, those that come later too: they find the modules of references where the driver does.

    Args:
        folder: the driver's current one.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def setup(self, worker: object) -> None:
        """Search in the folder behind all others."""
        search_here(self._folder)


class DaskPool:
    """Workers of a Dask cluster.

    Args:
        jobs: worker processes of a cluster that is started here.
        address: of a scheduler, such as `tcp://host:8786`; None: start a cluster.

    Raises:
        UserError: no scheduler answers, or it has no worker.
    """

    dies_whole: ClassVar[bool] = False

    def __init__(self, jobs: int, address: str | None) -> None:
        self._address, self._warned = address, False
        self._cluster: Any = None
        # What its logs say of dead workers our messages say.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", message="Sending large graph", category=UserWarning)
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
        self._wait_for_workers()
        self._client.register_plugin(SearchHere(os.getcwd()), name="face3d_data")
        self._executor = self._client.get_executor(pure=False)

    def _wait_for_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError:
            self.close(at_once=True)
            raise UserError(
                f"--address {self._address}: no worker has come to that scheduler in {WORKER_SECONDS:g} seconds: start "
                f"some (dask worker {self._address}), and run again"
            ) from None
        self._count()

    def _count(self) -> None:
        found = self._client.scheduler_info(n_workers=-1)["workers"]
        self.workers = sum(worker["nthreads"] for worker in found.values())

    def submit(self, task: Task) -> Future[Report]:
        """Let a worker run a task."""
        return self._executor.submit(run_task, task)

    def is_death(self, error: BaseException) -> bool:
        """Return whether the scheduler gave a task up because its workers died.

        Raises:
            RunStopped: the scheduler itself is gone.
        """
        if isinstance(error, CancelledError | distributed.CancelledError | CommClosedError):
            where = self._address or "on this machine"
            raise RunStopped(f"the Dask scheduler {where} is gone: start it and run again; finished parts stay")
        return isinstance(error, distributed.KilledWorker)

    def alone(self) -> DaskPool:
        """Return the pool itself: the death of a worker is one task's affair."""
        return self

    def check(self, folder: Path, roots: Sequence[Path]) -> None:
        """Compare what each worker has around it with what this process has."""
        with asking(folder, roots) as question:
            here = surroundings(*question)
            for worker, there in self._client.run(surroundings, *question).items():
                compare(worker, there, here, folder)

    def look(self) -> None:
        """Count the workers, and say once that none is left: a batch system may start others."""
        self._count()
        if not self.workers and not self._warned:
            log.warning("no worker is left at the Dask scheduler %s: waiting for one", self._address or "")
        self._warned = not self.workers

    def close(self, at_once: bool) -> None:
        """Leave the cluster, and end one that was started here."""
        with contextlib.suppress(Exception):
            self._client.close(timeout=ANSWER_SECONDS)
        if self._cluster is not None:
            with contextlib.suppress(Exception):
                self._cluster.close(timeout=ANSWER_SECONDS)
