"""Exceptions that have a meaning throughout the program.

Anything else that a stage raises is an *error* of that sample: recorded with its traceback and retried next run.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable

TOO_LARGE = "too_large"
"""Reason of a file that holds more than limits allow: other limits make it good, so it is never settled."""
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors that the system gives for a full disk."""


def is_full_disk(error: object) -> bool:
    """Return whether an exception means that the disk is full, as the system, h5py or SQLite put it."""
    signs = (*(f"errno = {number}," for number in FULL_DISK), "disk is full")
    return getattr(error, "errno", None) in FULL_DISK or any(sign in str(error) for sign in signs)


def is_no_memory(error: object) -> bool:
    """Return whether an exception means that there is no memory left, as Python or torch put it."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "llocate memory" in str(error))


def is_refused(error: BaseException) -> bool:
    """Return whether the system refuses a file (no permission, a failing disk), which says nothing of what it holds.

    A file that does not exist is another matter; h5py's errors about what a file holds have no number.
    """
    return isinstance(error, OSError) and error.errno not in (None, errno.ENOENT, errno.ENOTDIR)


def refusal(error: BaseException) -> str:
    """Return what is said of a file that the system refuses."""
    why = getattr(error, "strerror", None) or str(error)
    return f"cannot be read ({why}): fix that (owner, permissions); nothing was removed"


class Face3dError(Exception):
    """Base of every error that this package raises on purpose."""


class UserError(Face3dError):
    """A mistake in an option, a pipeline file or a path: one line that names it and the remedy. Exit code 2."""


class MissingDependency(Face3dError):
    """Something that has to be installed first; the message holds the install line. Stops the run, exit code 2."""


class RunStopped(Face3dError):
    """The run cannot go on (no disk, no memory, a limit exceeded); finished parts stay. Exit code 1."""


class DamagedCache(RunStopped):
    """Bytes in the cache are not those that were written; what is damaged was removed, and the next run makes it."""


class Reject(Face3dError):
    """Raised in `Stage.run`: this sample cannot be used, for a reason that the stage declares in `reasons`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[Reject], tuple[str, str]]:
        return type(self), (self.reason, self.detail)


class Unreadable(Reject):
    """Raised by a reader: this source cannot be read, for a reason that the reader declares in `reasons`."""


class NeedsLibrary(Unreadable):
    """Raised by a reader: this source cannot be read before a library is installed; the next run tries it again."""


def stops_the_run(error: Exception) -> bool:
    """Return whether an exception is no fault of the one capture or row that was worked on."""
    return isinstance(error, MemoryError | MissingDependency | RunStopped) or is_full_disk(error)


class ContractError(Face3dError):
    """A stage or reader broke its own declaration (undeclared array, wrong dtype, unequal numbers of points)."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return what to add to a message about a name that is not known: the nearest that is, or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f": did you mean {near[0]!r}?" if near else ""
