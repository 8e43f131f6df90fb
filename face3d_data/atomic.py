"""Atomic writing of files: complete or not at all, and readable only by their owner unless requested otherwise."""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from face3d_data.errors import UserError

SHARE = "FACE3D_SHARE"
"""Environment variable that says who may read what is written: `private` (default), `group` or `all`."""
MASKS = {"private": 0o077, "group": 0o027, "all": 0o022}
"""Rights that are taken from files and folders, by the value of `SHARE`."""
TEMPORARY_SUFFIX = ".tmp~"
"""Ending of files that are being written; what bears it belongs to a killed process and may be removed."""


def share_mask() -> int:
    """Return the rights that new files and folders do not give, as a umask: faces are their owner's unless shared.

    Raises:
        UserError: the environment variable has another value.
    """
    asked = os.environ.get(SHARE) or "private"
    if asked not in MASKS:
        raise UserError(f"{SHARE}={asked}: give {', '.join(MASKS)}")
    return MASKS[asked]


def make_folder(path: Path) -> None:
    """Make a folder, and missing ones above it, with the rights that `SHARE` asks for.

    Raises:
        OSError: it cannot be made.
    """
    if path.is_dir():
        return
    if path.parent != path:
        make_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir()
        path.chmod(0o777 & ~share_mask())
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


@contextmanager
def atomic_path(path: Path, flushed: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path`; on a clean exit it is renamed to `path`, else removed.

    Args:
        path: the file.
        flushed: flush it to the disk first; without, a loss of power may leave a torn file under this name.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        temporary.chmod(0o666 & ~share_mask())
        if flushed:
            sync(temporary)
        os.replace(temporary, path)
        if flushed:
            sync(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


@contextmanager
def atomic_folder(path: Path, sync_files: bool = True) -> Iterator[Path]:
    """Give a temporary folder beside `path`; on a clean exit it is synced and takes the place of `path`, else removed.

    What a killed process left of the same folder is removed, too; a process that is at work holds a lock on its own.

    Args:
        path: the folder.
        sync_files: flush every file to the disk first; of ten thousand small files that takes a while.

    Raises:
        OSError: the disk is full, or the folder above cannot be written.
    """
    make_folder(path.parent)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{TEMPORARY_SUFFIX}"):
        _remove_unless_held(left)
    name = f".{path.name}.{secrets.token_hex(4)}"
    partial, old = path.with_name(f"{name}{TEMPORARY_SUFFIX}"), path.with_name(f"{name}.old")
    make_folder(partial)
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        with suppress(OSError):  # without locks (NFS has none for folders) nothing that is left here is ever removed
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield partial
        for inner in sorted(partial.rglob("*")) if sync_files else ():
            sync(inner)
        if path.exists():
            os.replace(path, old)
        os.replace(partial, path)
        sync(path.parent)
    finally:
        os.close(descriptor)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _remove_unless_held(left: Path) -> None:
    """Remove a temporary folder that no process holds."""
    try:
        descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return  # a file, which belongs to `atomic_path`, or gone meanwhile
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(left, ignore_errors=True)
    except OSError:
        return  # another process holds it, or nobody can tell
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a small file whole or not at all; text as UTF-8 with its own newlines, undecodable names escaped.

    A file that holds these bytes already is left alone, which saves a rerun its waiting for the disk.
    """
    data = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    with suppress(OSError):
        if path.stat().st_size == len(data) and path.read_bytes() == data:
            return
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def sync(path: Path) -> None:
    """Flush a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
