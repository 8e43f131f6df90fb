"""Foreign files under a wrong name, as programs leave them: Git LFS pointers, web pages, archives."""

from __future__ import annotations

import re

from face3d_data.errors import Unreadable

_ARCHIVES = ((b"PK\x03\x04", "zip"), (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07", "RAR"), (b"\xfd7zXZ\0", "xz"))
_WEB_PAGE = re.compile(rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html[\s>])")
_GIT_LFS = b"version https://git-lfs.github.com/spec/"


def refuse_foreign(start: bytes, name: str) -> None:
    """Refuse a file that something else is in the place of, with what that is and the remedy.

    Args:
        start: the file, or its beginning.
        name: its name, for errors.

    Raises:
        Unreadable: `unreadable`: a pointer of Git LFS, a web page, or an archive (`.npz` and `.3mf` are meant to be).
    """
    if start.startswith(_GIT_LFS):
        raise Unreadable("unreadable", f"{name}: is a Git LFS pointer, not the file: run git lfs pull")
    if _WEB_PAGE.match(start):
        raise Unreadable("unreadable", f"{name}: is a web page (HTML) from a failed download: download it again")
    archive = next((kind for magic, kind in _ARCHIVES if start.startswith(magic)), None)
    if archive is not None and not name.lower().endswith((".npz", ".3mf", ".3mf.gz")):
        raise Unreadable("unreadable", f"{name}: is a {archive} archive: unpack it")
