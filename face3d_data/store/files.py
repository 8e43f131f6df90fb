"""The memory of file hashes: every file is hashed once for as long as its stat stays the same."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from face3d_data.digest import digest_file

SETTLE_NS = 2_000_000_000
"""A file changed less than this before it was hashed may change again within its time stamp's grain."""


class FileHashes:
    """`(path, size, mtime_ns, ctime_ns, inode) → SHA-256`, kept in one SQLite file.

    Args:
        path: the database; made when missing, and started afresh when it is not one.
        rehash: ignore what is remembered and hash every file again.
    """

    def __init__(self, path: Path, rehash: bool = False) -> None:
        self.hashed = 0
        self._rehash = rehash
        self._new: dict[str, tuple[int, int, int, int, int, str]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open(path)
        except sqlite3.DatabaseError:
            path.unlink()
            self._open(path)

    def _open(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=60)
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INT, mtime INT, ctime INT, inode INT,"
            " hashed_at INT, digest TEXT) WITHOUT ROWID"
        )
        self._db.commit()

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file's content, from memory where its stat is unchanged.

        Raises:
            OSError: the file is not there or cannot be read.
        """
        name = str(path)
        stat = path.stat()
        state = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        known = self._new.get(name)
        if known is None and not self._rehash:
            query = "SELECT size, mtime, ctime, inode, hashed_at, digest FROM files WHERE path = ?"
            known = self._db.execute(query, (name,)).fetchone()
        if known is not None and tuple(known[:4]) == state and known[4] - max(state[1], state[2]) >= SETTLE_NS:
            return known[5]
        now = time.time_ns()
        content = digest_file(path)
        self.hashed += 1
        self._new[name] = (*state, now, content)
        if len(self._new) >= 10_000:
            self.flush()
        return content

    def flush(self) -> None:
        """Write what was hashed since the last flush."""
        rows = [(name, *values) for name, values in self._new.items()]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._new.clear()

    def close(self) -> None:
        """Flush and close the database."""
        self.flush()
        self._db.close()
