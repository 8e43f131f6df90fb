"""Changed files: the state of a file when it was hashed, and whether it is the same when it is read."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from face3d_data.digest import digest_file
from face3d_data.errors import Face3dError

SETTLE_S = 2.0
"""A file that is as it was this long after it was first looked at will have other time stamps when it changes."""
SETTLED = float("-inf")
MOUNTS = Path("/proc/self/mountinfo")
NETWORK = re.compile(
    r"nfs4?|cifs|smb3|smbfs|ncpfs|afs|ceph|lustre|gpfs|beegfs|pvfs2|orangefs|gfs2|ocfs2|9p|virtiofs|fuse(\..+)?|fuseblk"
)
"""File systems whose numbers may be another client's own: other machines can see the same file with other ones."""
_network: dict[int, bool] = {}
"""Device to whether it is a network mount."""
_first_read: dict[tuple[Path, FileState], float] = {}
"""When this process first compared a file that was not settled, by a clock that never jumps, or `SETTLED`."""


class FileState(NamedTuple):
    """A file as it was hashed.

    Attributes:
        size: bytes.
        mtime_ns: when its content was changed last.
        ctime_ns: when content, name or rights were changed last; nobody can set it back. 0 on a network mount.
        inode: its number in the file system; 0 on a network mount.
        sha256: of its content.
        settled: False: it had been changed so shortly before that the time stamps cannot show a further change.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    sha256: str
    settled: bool


def stat_of(path: str | Path) -> tuple[int, int, int, int]:
    """Return size in bytes, mtime and ctime in ns, and inode of a file; the last two are 0 on a network mount.

    There, ctime and inode may be made up by each machine, or when a file is mounted again.

    Raises:
        OSError: it does not exist.
    """
    stat = os.stat(path)
    if _on_network(stat.st_dev):
        return stat.st_size, stat.st_mtime_ns, 0, 0
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def same_stat(one: Sequence[object], other: Sequence[object]) -> bool:
    """Return whether two results of `stat_of`, or what begins with one, are of the same file, as far as both know.

    One may be of a machine where the file system is local, and the other of one that mounts it.
    """
    same_content = tuple(one[:2]) == tuple(other[:2])
    return same_content and all(a == b or 0 in (a, b) for a, b in zip(one[2:4], other[2:4], strict=True))


def _on_network(device: int) -> bool:
    if device not in _network:
        _network[device] = False
        try:
            lines = MOUNTS.read_text("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        for line in lines:
            mount, _, kind = line.partition(" - ")
            major, _, minor = mount.split()[2].partition(":")
            _network[os.makedev(int(major), int(minor))] = bool(NETWORK.fullmatch(kind.split()[0]))
    return _network[device]


def read_state(path: Path) -> FileState:
    """Hash a file and return its state, as one that may have been changed just now.

    Raises:
        OSError: it does not exist or cannot be read.
    """
    return FileState(*stat_of(path), digest_file(path), False)


class ChangedFile(Face3dError):
    """A file is another than the one that was hashed: what is read of it must not be kept under the hash."""


@contextmanager
def unchanged(files: Mapping[str, Path], states: Mapping[str, FileState]) -> Iterator[None]:
    """Check before and after the block that files are as they were when they were hashed.

    An error that the block raises over a file that changed is replaced: it says nothing of the content hashed.

    Args:
        files: role to path.
        states: role to state; of a role without one nothing is known, and nothing checked.

    Raises:
        ChangedFile: naming the file.
    """
    _check(files, states, read=False)
    try:
        yield
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception:
        _check(files, states, read=True)
        raise
    _check(files, states, read=True)


def _check(files: Mapping[str, Path], states: Mapping[str, FileState], read: bool) -> None:
    for role, state in states.items():
        path = files[role]
        try:
            same = same_stat(stat_of(path), state)
            if same and read and not state.settled:
                same = _is_as_hashed(path, state)
        except OSError as error:
            raise ChangedFile(f"{path.name} cannot be read any more ({error.strerror}): run again") from None
        if not same:
            raise ChangedFile(f"{path.name} changed after it was hashed: run again when nothing writes to it")


def _is_as_hashed(path: Path, state: FileState) -> bool:
    """Compare the content of a file whose time stamps cannot show a change yet; from `SETTLE_S` on they can.

    A file of many rows is compared for each of them only until then.
    """
    key, now = (path, state), time.monotonic()
    first = _first_read.get(key)
    if first == SETTLED:
        return True
    if digest_file(path) != state.sha256:
        return False
    _first_read[key] = SETTLED if first is not None and now - first >= SETTLE_S else now if first is None else first
    return True
