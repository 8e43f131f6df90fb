"""Ray cluster as a pool of workers: one at an address, or one that is started on this machine."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ClassVar

from face3d_data.engine.pools import silence
from face3d_data.engine.stats import Report
from face3d_data.engine.threads import VARIABLES
from face3d_data.engine.worker import Task, run_task
from face3d_data.engine.worker_check import asking, compare, surroundings
from face3d_data.errors import RunStopped, UserError
from face3d_data.references import search_here

log = logging.getLogger(__name__)
ANSWER_SECONDS = 10.0
WORKER_SECONDS = 180.0
"""How long a machine may take to start its first worker."""
QUIET = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DEDUP_LOGS": "0", "RAY_USAGE_STATS_ENABLED": "0"}


class RayPool:
    """Workers of a Ray cluster, a process for each task that runs.

    Args:
        jobs: worker processes of a cluster that is started here.
        address: of a cluster, such as `host:6379`; None: start one.

    Raises:
        UserError: no cluster answers.
        RunStopped: none can be started on this machine.
    """

    dies_whole: ClassVar[bool] = False

    def __init__(self, jobs: int, address: str | None) -> None:
        os.environ.update(QUIET)
        import ray
        import ray._private.worker as driver

        self._ray, self._address, self._warned = ray, address, False
        if address is not None:
            _check_answers(address)
        # It prints a paragraph on every worker that died, with advice on its own options, into our output.
        driver.print_to_stdstream = _say_nothing
        local: dict[str, Any] = {"address": "local", "num_cpus": jobs, "include_dashboard": False}
        runtime: dict[str, Any] = {"env_vars": dict(VARIABLES), "worker_process_setup_hook": _searching(os.getcwd())}
        if address is None:  # its workers are started by Ray's own processes, which know nothing of this one's paths
            runtime["env_vars"]["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        try:
            with silence():  # a warning a second while it tries, the last of which the error holds
                ray.init(
                    **(local if address is None else {"address": address}), log_to_driver=False, runtime_env=runtime,
                    configure_logging=True, logging_level=logging.CRITICAL,
                )  # fmt: skip
        except (ConnectionError, RuntimeError, ValueError) as error:
            if address is None:
                raise RunStopped(f"Ray cannot be started on this machine ({_line(error)}): use --engine loky") from None
            raise UserError(f"--address {address}: no Ray cluster answers there ({_line(error)}){_remedy()}") from None
        self._head, self._gone = str(ray.get_runtime_context().gcs_address), False
        self._leave_at_exit = driver.shutdown
        self._count()
        self._run = ray.remote(run_task).options(max_retries=0, num_cpus=1)

    def submit(self, task: Task) -> Future[Report]:
        """Let a worker run a task."""
        found: Future[Report] = Future()
        self._run.remote(task).future().add_done_callback(lambda done: self._pass_on(done, found))
        return found

    def _pass_on(self, done: Future[Report], found: Future[Report]) -> None:
        """Give a task's report on, or the error that it raised, out of the one that Ray wraps it in."""
        try:
            found.set_result(done.result())
        except BaseException as error:  # whatever it is, who waits for the task has to get it
            inner = getattr(error, "cause", None)
            found.set_exception(inner if isinstance(inner, BaseException) else error)

    def is_death(self, error: BaseException) -> bool:
        """Return whether the worker of a task died.

        Raises:
            RunStopped: for lack of memory, or because the cluster is gone.
        """
        errors = self._ray.exceptions
        if isinstance(error, errors.OutOfMemoryError):
            raise RunStopped("a worker was killed for lack of memory: lower --jobs; finished parts stay")
        if isinstance(error, errors.LocalRayletDiedError | errors.RaySystemError | errors.RpcError):
            raise self._stopped(error)
        return isinstance(error, errors.WorkerCrashedError | errors.NodeDiedError)

    def alone(self) -> RayPool:
        """Return the pool itself: the death of a worker is one task's affair."""
        return self

    def check(self, folder: Path, roots: Sequence[Path]) -> None:
        """Compare what a worker of each machine has around it with what this process has."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        look = self._ray.remote(surroundings)
        with asking(folder, roots) as question:
            here = surroundings(*question)
            for node in self._nodes():
                there = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
                answer = look.options(scheduling_strategy=there).remote(*question)
                try:
                    found = self._ray.get(answer, timeout=WORKER_SECONDS)
                except (self._ray.exceptions.GetTimeoutError, self._ray.exceptions.RuntimeEnvSetupError) as error:
                    raise RunStopped(
                        f"Ray starts no worker on {node['NodeManagerHostname']} in {WORKER_SECONDS:g} seconds "
                        f"({_line(error)}): see its logs (ray logs), and run again"
                    ) from None
                compare(node["NodeManagerHostname"], found, here, folder)

    def look(self) -> None:
        """Count the workers, and say once that none is left: a batch system may start others."""
        self._check_head()
        self._count()
        if not self.workers and not self._warned:
            log.warning("no worker is left in the Ray cluster %s: waiting for one", self._address or "")
        self._warned = not self.workers

    def _check_head(self) -> None:
        """Check that the cluster's head still listens: Ray itself waits for a minute, and then ends the process."""
        host, _, port = self._head.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
        except OSError as error:
            self._gone = True
            raise self._stopped(error) from None

    def _stopped(self, error: BaseException) -> RunStopped:
        where = f"at {self._address}" if self._address else "on this machine"
        return RunStopped(
            f"the Ray cluster {where} does not go on ({_line(error)}): start it and run again; finished parts stay"
        )

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]

    def _count(self) -> None:
        self.workers = int(sum(node["Resources"]["CPU"] for node in self._nodes()))

    def close(self, at_once: bool) -> None:
        """Leave the cluster, and end one that was started here."""
        if self._gone:  # to say goodbye to a head that is gone takes a minute, and ends this process
            atexit.unregister(self._leave_at_exit)
            return
        self._ray.shutdown()


def _check_answers(address: str) -> None:
    """Check that something listens at an address, for which Ray itself takes minutes.

    Raises:
        UserError: nothing does, or it is no address.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except (OSError, ValueError) as error:
        raise UserError(f"--address {address}: no Ray cluster answers there ({error}): give HOST:PORT") from None


def _remedy() -> str:
    """Return what is left to try: a cluster that asks for a token does not answer a driver that has none."""
    if os.environ.get("RAY_AUTH_MODE") == "token":
        return ": start it, or set RAY_AUTH_TOKEN to its token"
    return ": start it, or, if it was started with a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"


def _searching(folder: str) -> Callable[[], None]:
    """Return what a worker does when it starts: it finds the modules of references where the driver does."""

    def search() -> None:
        search_here(folder)

    return search


def _say_nothing(*told: Any, **more: Any) -> None:
    """Print nothing."""


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
