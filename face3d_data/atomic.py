"""Publishing files: whole or not at all, and for their owner's eyes unless asked otherwise."""

from __future__ import annotations

import os
import secrets
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
    """Make a folder, and those above it that are missing, that only those may enter whom `SHARE` names.

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
    path.mkdir(exist_ok=True)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on a clean exit it is synced and renamed to `path`, else removed.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    make_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        yield temporary
        temporary.chmod(0o666 & ~share_mask())
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


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
