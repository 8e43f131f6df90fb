"""Folder that several machines share: a file that is new in it shows whether another sees the same files."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from face3d_data.atomic import TEMPORARY_SUFFIX, make_folder


@contextmanager
def check_seen(folder: Path) -> Iterator[tuple[Path, str]]:
    """Give a file that is new in a folder, and its text, for others to read; it is removed afterwards."""
    make_folder(folder)
    path, text = folder / f".seen.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}", secrets.token_hex(16)
    path.write_text(text)
    try:
        yield path, text
    finally:
        path.unlink(missing_ok=True)


def seen(path: str) -> str:
    """Return the text of a file, on the machine where this runs; nothing where it is not there."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""
