"""Interrupts: Ctrl-C ends training after a whole step, not in the middle of one."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from typing import Any


@contextmanager
def graceful(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Within it, SIGINT and SIGTERM only set a flag; a second SIGINT interrupts at once.

    Args:
        say: called with a line for the user.

    Yields:
        A function that returns whether a signal came.
    """
    asked: list[int] = []

    def notice(number: int, frame: Any) -> None:
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)
        say("stopping after this step; Ctrl-C again stops at once, without saving it")

    if current_thread() is not main_thread():  # signals are the main thread's alone
        yield lambda: False
        return
    before = {number: signal.signal(number, notice) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
