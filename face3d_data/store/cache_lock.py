"""Lock of a workspace's cache: readers of parts hold it together, and who merges parts holds it alone.

Merging removes the parts that it replaces. What has read the rows of a cache holds places in its parts, so that it
shares the lock for as long as it lives.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from face3d_data.atomic import make_folder, share_mask

SHARED, ONE_AT_A_TIME = "parts.lock", "merging.lock"


class CacheLock:
    """The lock of one cache; where a file system has no locks nothing is ever merged.

    Args:
        folder: the cache.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shared: int | None = None

    def share(self, make: bool) -> None:
        """Hold the lock together with others until this object is gone; waits while another process merges.

        Args:
            make: make the lock's file where there is none.
        """
        if self._shared is not None:
            return
        try:
            if make:
                make_folder(self._folder)
            descriptor = _open(self._folder / SHARED, os.O_RDWR | os.O_CREAT if make else os.O_RDONLY)
        except OSError:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        except OSError:
            os.close(descriptor)
            return
        self._shared = descriptor
        weakref.finalize(self, os.close, descriptor)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Hold the lock alone, if nobody shares it, until the block ends; the block gets whether it does.

        To make a shared lock exclusive may lose it for a moment. Only who holds the second file may try, so that what
        is lost cannot be another's meanwhile.
        """
        if self._shared is None:
            yield False
            return
        try:
            turn = _open(self._folder / ONE_AT_A_TIME, os.O_RDWR | os.O_CREAT)
        except OSError:
            yield False
            return
        try:
            if not _locked(turn, fcntl.LOCK_EX):
                yield False
                return
            try:
                yield _locked(self._shared, fcntl.LOCK_EX)
            finally:
                fcntl.flock(self._shared, fcntl.LOCK_SH)
        finally:
            os.close(turn)


def _open(path: Path, flags: int) -> int:
    return os.open(path, flags, 0o666 & ~share_mask())


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
