"""HDF5 files, opened without locks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import h5py


def open_h5(path: str | Path, mode: Literal["r", "w", "a"] = "r", **options: Any) -> h5py.File:
    """Open an HDF5 file; a context manager.

    HDF5 would lock it, which fails on network file systems without locks, and on read-only ones. Nothing here needs
    that: files are written under a temporary name that nobody else knows, and never changed after they got their own.
    The environment variable HDF5_USE_FILE_LOCKING overrides this.

    Args:
        path: the file.
        mode: read, write, or change.
        options: of `h5py.File`.

    Raises:
        OSError: it cannot be opened, or is no HDF5 file.
    """
    import h5py

    return h5py.File(path, mode, locking=False, **options)
