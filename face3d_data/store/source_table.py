"""Table of sources: the captures of one reader in columns, each made into a `Source` again when it is asked for."""

from __future__ import annotations

import hashlib
import os
import pickle
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.digest import canonical
from face3d_data.reader import Reader, Source, content_key
from face3d_data.store.coded import Coded, CodedBuilder
from face3d_data.unchanged import FileState, stat_of

RECENT = 4096
"""Files that a scan remembers, so that one of many captures is one file."""
STAT = ("size", "mtime_ns", "ctime_ns", "inode")


class FileTable:
    """Files in columns: folder, name, and the state in which each was hashed."""

    def __init__(self) -> None:
        self._folders = CodedBuilder()
        self._names: list[str] = []
        self._recent: dict[Path, int] = {}
        self.errors: dict[int, OSError] = {}
        """Files that could not be read when they were to be hashed."""

    def __len__(self) -> int:
        return len(self._names)

    def add(self, path: Path) -> int:
        """Take a file, and return its place; one that came shortly before is the same file."""
        known = self._recent.get(path)
        if known is not None:
            return known
        if len(self._recent) >= RECENT:
            self._recent.clear()
        folder, slash, name = os.fspath(path).rpartition("/")
        self._folders.append(folder + slash)
        self._names.append(name)
        place = self._recent[path] = len(self._names) - 1
        return place

    def freeze(self) -> None:
        """Take no more files."""
        self._recent.clear()
        self._folder = self._folders.column()

    def path(self, place: int) -> Path:
        """Return a file's path."""
        return Path("".join(self.parts(place)))

    def parts(self, place: int) -> tuple[str, str]:
        """Return a file's folder, with a slash at its end, and its name."""
        return self._folder[place], self._names[place]

    def text(self, place: int) -> str:
        """Return a file's path as text."""
        return "".join(self.parts(place))

    def paths(self) -> Iterator[Path]:
        """Yield every file's path."""
        return (self.path(place) for place in range(len(self)))

    def state_digest(self) -> str:
        """Return a digest of the state of all files, as they are now: a file that changes has another."""
        states = array("q")
        for place in range(len(self)):
            try:
                states.extend(stat_of(self.text(place)))
            except OSError:
                states.extend((-1, -1, -1, -1))
        return hashlib.blake2b(states.tobytes(), digest_size=16).hexdigest()

    def allocate(self) -> None:
        """Make room for the states."""
        self._stat = np.zeros((len(self), len(STAT)), np.int64)
        self._content = np.zeros((len(self), 32), np.uint8)
        self._settled = np.zeros(len(self), bool)

    def set_state(self, place: int, state: FileState) -> None:
        """Keep a file's state."""
        self._stat[place] = state[:4]
        self._content[place] = np.frombuffer(bytes.fromhex(state.sha256), np.uint8)
        self._settled[place] = state.settled

    def state(self, place: int) -> FileState:
        """Return a file's state."""
        size, mtime_ns, ctime_ns, inode = self._stat[place].tolist()
        return FileState(size, mtime_ns, ctime_ns, inode, self.content(place), bool(self._settled[place]))

    def content(self, place: int) -> str:
        """Return the SHA-256 of a file's content, 64 hex digits."""
        return self._content[place].tobytes().hex()

    def size(self, place: int) -> int:
        """Return a file's bytes."""
        return int(self._stat[place, 0])

    @property
    def settled(self) -> bool:
        """Whether time stamps will show every further change."""
        return bool(self._settled.all())


class SourceTable:
    """Captures of one reader, in the order of its scan; none that is bad by its name.

    Args:
        reader: that found them.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.files = FileTable()
        self._people = CodedBuilder()
        self._captures: list[str] = []
        self._roles = CodedBuilder()
        self._arrays = CodedBuilder()
        self._roots = CodedBuilder()
        self._tags: dict[str, CodedBuilder] = {}
        self._tag_names = CodedBuilder()
        self._index = array("q")
        self._records: list[Any] = []
        self._file_places = array("i")
        self._starts = array("q", [0])
        self._seen = hashlib.blake2b(digest_size=16)

    def __len__(self) -> int:
        return len(self._captures)

    def add(self, source: Source) -> None:
        """Take a capture."""
        n = len(self)
        self.note(source)
        self._people.append(source.person)
        self._captures.append(source.capture)
        self._roles.append(tuple(source.files))
        self._arrays.append(source.arrays)
        self._roots.append(source.root)
        self._tag_names.append(tuple(source.tags))
        for name, value in source.tags.items():
            column = self._tags.setdefault(name, CodedBuilder())
            column.extend_to(n)
            column.append(value)
        self._index.append(source.index)
        self._records.append(None if source.record is None else _packed(source.record))
        self._file_places.extend(self.files.add(path) for path in source.files.values())
        self._starts.append(len(self._file_places))

    def note(self, source: Source) -> None:
        """Let a capture count in `seen` alone."""
        files = [(role, os.fspath(path)) for role, path in source.files.items()]
        told = (source.person, source.capture, files, source.index, source.tags, source.arrays)
        self._seen.update(repr((told, source.problem, source.stands_for, source.root)).encode("utf-8", "surrogatepass"))
        if source.record is not None:
            try:
                self._seen.update(canonical(source.record).encode("utf-8", "surrogatepass"))
            except (TypeError, ValueError):  # its capture is refused for it
                self._seen.update(b"?")

    def seen(self) -> str:
        """Return the digest of all that the scan gave, 32 hex digits."""
        return self._seen.hexdigest()

    def freeze(self) -> None:
        """Take no more captures, and turn what was taken into columns."""
        self.files.freeze()
        self.files.allocate()
        n = len(self)
        for column in self._tags.values():
            column.extend_to(n)
        self.people, self.tags = self._people.column(), {name: one.column() for name, one in self._tags.items()}
        self._role_column, self._array_column = self._roles.column(), self._arrays.column()
        self._root_column, self._tag_name_column = self._roots.column(), self._tag_names.column()
        if all(record is None for record in self._records):
            self._records = []

    @property
    def captures(self) -> list[str]:
        """Names of the captures."""
        return self._captures

    def file_places(self, row: int) -> list[int]:
        """Return the places of a capture's files, in the order of its roles."""
        return self._file_places[self._starts[row] : self._starts[row + 1]].tolist()

    def first_files(self) -> np.ndarray:
        """Return the place of each capture's first file, i8 (n,), -1 of one without files."""
        starts = np.frombuffer(self._starts, np.int64)
        if not len(self._file_places):
            return np.full(len(self), -1)
        places = np.append(np.frombuffer(self._file_places, np.int32), -1)
        return np.where(starts[1:] > starts[:-1], places[starts[:-1]], -1)

    def arrays(self, row: int) -> tuple[str, ...]:
        """Return the names of the arrays that a capture gives."""
        return self._array_column[row]

    @property
    def array_names(self) -> Coded:
        """Column of `arrays`."""
        return self._array_column

    def source(self, row: int) -> Source:
        """Return a capture, with the states of its files."""
        roles, places = self._role_column[row], self.file_places(row)
        return Source(
            self.people[row],
            self._captures[row],
            {role: self.files.path(place) for role, place in zip(roles, places, strict=True)},
            self.record(row),
            self._index[row],
            {name: self.tags[name][row] for name in self._tag_name_column[row]},
            self._array_column[row],
            root=self._root_column[row],
            states={role: self.files.state(place) for role, place in zip(roles, places, strict=True)},
        )

    def key(self, row: int, fingerprint: str) -> str:
        """Return what `reader.source_key` does of a capture whose files' states are known."""
        roles = self._role_column[row]
        contents = dict(zip(roles, map(self.files.content, self.file_places(row)), strict=True))
        return content_key(fingerprint, contents, self.record(row), self._index[row], self._array_column[row])

    def record(self, row: int) -> Any:
        """Return what a capture takes from shared files."""
        packed = self._records[row] if self._records else None
        return pickle.loads(packed) if isinstance(packed, bytes) else packed

    def index(self, row: int) -> int:
        """Return a capture's place in its file."""
        return self._index[row]

    def root(self, row: int) -> str:
        """Return the roots that a capture's file says it was made of."""
        return self._root_column[row]

    def order(self, row: int) -> tuple[str, int]:
        """Return the sort key that visits captures in the order of their files."""
        return min(map(self.files.text, self.file_places(row)), default=""), self._index[row]

    def orders(self, rows: np.ndarray) -> tuple[Coded, np.ndarray]:
        """Return text and number of `order` for some captures."""
        numbers = np.frombuffer(self._index, np.int64)[rows] if len(self._index) else np.zeros(0, np.int64)
        if np.diff(self._starts).max(initial=0) <= 1:
            texts = [*map(self.files.text, range(len(self.files))), ""]  # the last of those that have no file
            first = self.first_files()[rows].astype(np.int32)
            return Coded(np.where(first < 0, np.int32(len(texts) - 1), first), texts), numbers
        return Coded.of(self.order(row)[0] for row in rows.tolist()), numbers


def _packed(record: Any) -> Any:
    """Return a record as bytes, which take a fraction of the room; one that cannot be is wrong, and found out later."""
    try:
        return pickle.dumps(record, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return record
