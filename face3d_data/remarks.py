"""Remarks on captures that are used despite a fault: what was ignored in their files, and why.

A codec that leaves something optional aside (colours that are no numbers, unknown columns) says it by
`remark`. Whoever reads a capture's arrays collects what was said meanwhile; the worker keeps it with the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_HEARD: ContextVar[list[str] | None] = ContextVar("remarks", default=None)


def remark(text: str) -> None:
    """Say in one line, which names the file, what of it is ignored; without a collector nothing happens."""
    heard = _HEARD.get()
    if heard is not None and text not in heard:
        heard.append(text)


@contextmanager
def remarks_into(heard: list[str]) -> Iterator[None]:
    """Collect the remarks that are made meanwhile, in this thread, each once."""
    token = _HEARD.set(heard)
    try:
        yield
    finally:
        _HEARD.reset(token)
