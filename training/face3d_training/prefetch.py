"""Prefetching of batches by a thread: a GPU computes while the next batch is loaded, without worker processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")
AHEAD = 2
"""Batches that wait at most: one is taken while the next is made."""
LOOKS_EVERY_S = 0.1


def prefetch(batches: Iterable[T], ahead: int = AHEAD) -> Iterator[T]:
    """Yield batches in their order while a thread loads the next ones.

    The thread ends with the iteration, also if that is left early.

    Args:
        batches: iterated over in the thread, and not by anybody else meanwhile.
        ahead: batches that are kept ready at most.

    Raises:
        BaseException: whatever `batches` raised, after the batches before it.
    """
    loading = _Loading(batches, ahead)
    try:
        yield from loading
    finally:
        loading.stop()


class _Loading(Generic[T]):
    """A thread that loads, and the queue that it loads into."""

    def __init__(self, batches: Iterable[T], ahead: int) -> None:
        self.batches = batches
        self.ready: Queue[tuple[str, T | BaseException | None]] = Queue(ahead)
        self.stopped = Event()
        self.thread = Thread(target=self._load, name="prefetch", daemon=True)
        self.thread.start()

    def __iter__(self) -> Iterator[T]:
        while True:
            kind, value = self.ready.get()
            if kind == "end":
                return
            if isinstance(value, BaseException):
                raise value
            yield value  # type: ignore[misc]  # a batch by its kind

    def stop(self) -> None:
        """End the thread, and wait for it."""
        self.stopped.set()
        self.thread.join()
        while True:  # what was loaded and not taken is let go
            try:
                self.ready.get_nowait()
            except Empty:
                return

    def _load(self) -> None:
        try:
            for batch in self.batches:
                if not self._put("batch", batch):
                    return
            self._put("end", None)
        except BaseException as error:
            self._put("error", error)

    def _put(self, kind: str, value: T | BaseException | None) -> bool:
        """Wait for a free place in the queue; return whether anybody still wants what is put there."""
        while not self.stopped.is_set():
            try:
                self.ready.put((kind, value), timeout=LOOKS_EVERY_S)
                return True
            except Full:
                continue
        return False
