"""Hang guard: hostile input must end soon on any machine. How fast it ends is measured in benchmarks/, not by tests."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

HANG_SECONDS = 60.0
"""Processor seconds: what is guarded takes about one on a slow machine, and hours where a limit is missing."""


class Hangs(AssertionError):
    """Longer than any machine needs."""


def _alarm(signum: int, frame: object) -> None:
    raise Hangs(f"took more than {HANG_SECONDS:.0f} s of processor time")


@contextmanager
def ends_soon() -> Iterator[None]:
    """Fail what is inside if it uses more than `HANG_SECONDS` of processor time; for the main thread only."""
    before = signal.signal(signal.SIGPROF, _alarm)
    signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
