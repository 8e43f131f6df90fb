"""File hashes: every file is hashed once for as long as its stat stays the same.

Time stamps are as coarse as the file system makes them, and as true as the clock of its server. So a hash is trusted
for good only if its file had not changed for a while when it was hashed: by its own time stamps, or because it was seen
with the same ones that long before, by the clock of this machine.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from face3d_data.atomic import make_folder
from face3d_data.digest import digest_file
from face3d_data.errors import UserError, is_full_disk
from face3d_data.unchanged import FileState, same_stat, stat_of

FLUSH_AT = 10_000
SETTLE_NS = 2_000_000_000
"""A file changed less than this before it was hashed may change again within its time stamp's grain."""
Known = tuple[int, int, int, int, int, int, str]
"""Size, mtime, ctime, inode, when it was hashed, when it was first seen with this stat, SHA-256; times in ns."""
REMEDY = "fix its permissions, or move it away: files are then hashed again"
MOST_TRIES = 3
"""How often a file is hashed that changes meanwhile."""


class FileHashes:
    """`(path, size, mtime_ns, ctime_ns, inode) → SHA-256`, kept in one SQLite file; one object is for one run.

    Args:
        path: the database; made when missing, and started afresh when it is damaged.
        rehash: ignore what is remembered and hash every file again.
        keep: write what is learnt; without it nothing on disk is touched.
    """

    def __init__(self, path: Path, rehash: bool = False, keep: bool = True) -> None:
        self.hashed = 0
        self._path = path
        self._rehash = rehash
        self._keep = keep
        self._db: sqlite3.Connection | None = None
        self._folder = b""
        self._remembered: dict[bytes, Known] = {}
        self._new: dict[bytes, Known] = {}
        self._young: set[int] = set()  # hashes of the names of files that were hashed here before they had settled
        self._open()

    def _open(self) -> None:
        if not self._keep:
            address = f"{self._path.absolute().as_uri()}?mode=ro"
            self._db = sqlite3.connect(address, uri=True) if self._path.exists() else None
            return
        make_folder(self._path.parent)
        try:
            self._db = sqlite3.connect(self._path, timeout=60)
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS hashes (path BLOB PRIMARY KEY, size INT, mtime INT, ctime INT, inode INT,"
                " hashed_at INT, seen_at INT, digest TEXT) WITHOUT ROWID"
            )
            self._db.commit()
        except sqlite3.DatabaseError as error:
            self._start_afresh(error)

    def _start_afresh(self, error: sqlite3.DatabaseError) -> None:
        """Do without a damaged memory: files are hashed again; other troubles (a full disk) are not its damage."""
        if isinstance(error, sqlite3.OperationalError):
            if is_full_disk(error):
                raise error
            raise UserError(f"{self._path}: the cache of file hashes cannot be used ({error}): {REMEDY}") from None
        if self._db is not None:
            self._db.close()
            self._db = None
        if self._keep:
            self._path.unlink(missing_ok=True)
            self._open()

    def _known(self, name: bytes) -> Known | None:
        if name in self._new or self._rehash or self._db is None:
            return self._new.get(name)
        folder = os.path.dirname(name) + b"/"
        if folder != self._folder:
            try:
                self._remembered = self._rows_of(folder)
            except sqlite3.DatabaseError as error:
                self._start_afresh(error)
                self._remembered = {}
            self._folder = folder
        return self._remembered.get(name)

    def _rows_of(self, folder: bytes) -> dict[bytes, Known]:
        """Return what is remembered of a folder's files and of those below it: one query, not one per file."""
        columns = "path, size, mtime, ctime, inode, hashed_at, seen_at, digest"
        query = f"SELECT {columns} FROM hashes WHERE path > ? AND path < ?"
        if self._db is None or not self._has_table():
            return {}
        return {row[0]: row[1:] for row in self._db.execute(query, (folder, folder[:-1] + b"0"))}

    def _has_table(self) -> bool:
        """Return whether the database has the hashes: that of an earlier version, opened only to look, has others."""
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'hashes'"
        return self._db is not None and self._db.execute(query).fetchone() is not None

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file's content, from memory where its stat is unchanged.

        Raises:
            OSError: the file does not exist, cannot be read, or does not stop changing.
        """
        return self.state(path).sha256

    def state(self, path: Path) -> FileState:
        """Return a file's state with the SHA-256 of its content, from memory where its stat is unchanged.

        A file that was hashed by this object is not hashed again, be it settled or not: its state says which, and who
        reads the file compares it with that state.

        Raises:
            OSError: as `digest`.
        """
        name = os.fsencode(path)
        state = stat_of(path)
        known = self._known(name)
        seen = time.time_ns()
        if known is not None and same_stat(known, state):
            hashed_at, seen, content = known[4:]
            settled = _is_settled(state, hashed_at, seen)
            if settled or hash(name) in self._young:
                return FileState(*state, content, settled)
        found = hash_file(path, state, seen)
        self.learn(path, found)
        return FileState(*found[:4], found[6], _is_settled(found[:4], found[4], found[5]))

    def unknown(self, paths: Iterable[Path]) -> list[Path]:
        """Return the files that `state` would hash, each once; those that are not there are not among them."""
        found = []
        for path in dict.fromkeys(paths):
            try:
                state = stat_of(path)
            except OSError:
                continue  # whoever asks for its state is told
            name = os.fsencode(path)
            known = self._known(name)
            if (
                known is None
                or not same_stat(known, state)
                or not (_is_settled(state, *known[4:6]) or hash(name) in self._young)
            ):
                found.append(path)
        return found

    def learn(self, path: Path, found: Known) -> None:
        """Remember what `hash_file` found of a file."""
        name = os.fsencode(path)
        self.hashed += 1
        self._new[name] = found
        if not _is_settled(found[:4], found[4], found[5]):
            self._young.add(hash(name))
        if len(self._new) >= FLUSH_AT:
            self.flush()

    def linked(self, state: FileState, *paths: Path) -> None:
        """Remember a file that was hashed as `state` and then linked or renamed, by its names of now.

        A link is a change of the file's record, not of its content; all but the time of that change must be the same.

        Args:
            state: the file as it was hashed.
            paths: its names.
        """
        for path in paths:
            now = stat_of(path)
            if same_stat((now[0], now[1], 0, now[3]), state):
                hashed_at = max(now[1], now[2]) + SETTLE_NS if state.settled else 0
                self._new[os.fsencode(path)] = (*now, hashed_at, hashed_at, state.sha256)

    def flush(self) -> None:
        """Write what was hashed since the last flush."""
        if self._keep and self._db is not None:
            rows = [(name, *values) for name, values in self._new.items()]
            try:
                with self._db:
                    self._db.executemany("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            except sqlite3.DatabaseError as error:
                self._start_afresh(error)
            self._new.clear()

    def close(self) -> None:
        """Flush and close the database."""
        self.flush()
        if self._db is not None:
            self._db.close()


def hash_file(path: str | Path, state: tuple[int, int, int, int] | None = None, seen: int | None = None) -> Known:
    """Hash a file that nothing writes to meanwhile.

    Args:
        path: the file.
        state: size, mtime, ctime and inode that it had before, where these are known.
        seen: when it was first seen with these, ns.

    Raises:
        OSError: it does not exist, cannot be read, or does not stop changing.
    """
    path = Path(path)
    state = stat_of(path) if state is None else state
    seen = time.time_ns() if seen is None else seen
    for _ in range(MOST_TRIES):
        now = time.time_ns()
        content = digest_file(path)
        before, state = state, stat_of(path)
        if before == state:
            return (*state, now, seen, content)
        seen = time.time_ns()
    raise OSError(errno.EBUSY, "it changes while it is read: run again when nothing writes to it", str(path))


def _is_settled(state: tuple[int, int, int, int], hashed_at: int, seen_at: int) -> bool:
    return hashed_at - min(max(state[1], state[2]), seen_at) >= SETTLE_NS
