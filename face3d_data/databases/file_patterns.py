"""File patterns of databases, to recognise one by its file names: patterns of paths from the root."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from face3d_data.databases.description import Database
from face3d_data.readers.shared.walk import walk

MOST_LOOKED_AT = 50_000
"""Files whose names are held against every database."""
ANY_ENDING = "*"
FEWEST_LETTERS = 3
"""Letters of a pattern beside a picture's ending; one with fewer says little of whose a file is."""


@dataclass(frozen=True)
class Recognised:
    """The database that a folder's files look like.

    Attributes:
        name: name of its description.
        reader: the reader that reads it.
        options: options that the reader needs for it.
        title: full name.
        root: the folder that its paths begin in: the one looked at, one above it or one inside it.
        files: files that fit.
    """

    name: str
    reader: str
    options: Mapping[str, Any]
    title: str
    root: Path
    files: int


@dataclass(frozen=True)
class PathPattern:
    """A pattern of a path, part by part; `anywhere`: any folders may stand before the first."""

    database: str
    text: str
    parts: tuple[re.Pattern[str], ...]
    anywhere: bool

    def root_of(self, path: tuple[str, ...], place: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the folder that the last parts of a path fit the pattern from; None: they do not.

        Args:
            path: parts of a file's path.
            place: parts of the folder that is looked at: of any folders it is the one, if the pattern fits inside it.
        """
        start = len(path) - len(self.parts)
        if start < 0 or not self.parts[-1].match(path[-1]):
            return None
        if not all(map(re.Pattern.match, self.parts, path[start:])):
            return None
        return path[: min(start, len(place))] if self.anywhere else path[:start]


def compile_file_pattern(database: str, text: str) -> PathPattern:
    """Return a database's pattern, compiled; letters' case does not count."""
    rest = text.removeprefix("**/")
    parts = tuple(re.compile(fnmatch.translate(part), re.IGNORECASE) for part in rest.split("/"))
    return PathPattern(database, text, parts, rest != text)


@dataclass
class FileCounts:
    """Files of a folder by the patterns that they fit, and by the folder that they fit them from.

    Attributes:
        databases: descriptions by name.
        root: parts of the folder's path.
        always: databases that are recognised by names that others may have too (`*_0001.jpg`).
        n_files: all files.
        fits: (database, pattern, root) to the number of files.
    """

    databases: Mapping[str, Database]
    root: tuple[str, ...]
    always: Collection[str] = ()
    n_files: int = 0
    fits: Counter[tuple[str, str, tuple[str, ...]]] = field(default_factory=Counter)

    def of_pattern(self, name: str, pattern: str) -> int:
        """Return how many files fit a pattern of a database, from anywhere."""
        return sum(n for (database, text, _), n in self.fits.items() if (database, text) == (name, pattern))

    def of_database(self, name: str) -> int:
        """Return how many files fit a database's patterns, from anywhere."""
        return sum(n for (database, _, _), n in self.fits.items() if database == name)

    def best(self) -> Recognised | None:
        """Return the database, and its root, that most files fit.

        Of equal ones the one that begins in the folder itself is taken, and then that with the longer patterns.
        """
        totals: Counter[tuple[str, tuple[str, ...]]] = Counter()
        letters: Counter[tuple[str, tuple[str, ...]]] = Counter()
        for (name, text, root), n in self.fits.items():
            known = _letters(text)
            if known >= FEWEST_LETTERS or name in self.always:
                totals[name, root] += n
                letters[name, root] += n * known
        if not totals:
            return None
        name, root = max(totals, key=lambda key: (totals[key], key[1] == self.root, letters[key], key))
        database = self.databases[name]
        return Recognised(
            name, database.reader, database.expect.options, database.name, Path(*root), totals[name, root]
        )


def count_files(root: str | Path, databases: Mapping[str, Database], always: Collection[str] = ()) -> FileCounts:
    """Count a folder's files by the patterns of all databases that they fit.

    Hidden files are left out. Of a folder of many files, the first are held against every pattern, and the others only
    against those that fitted one of the first, and those of some databases.

    Args:
        root: the folder.
        databases: descriptions by name.
        always: databases that every file is held against.

    Raises:
        UserError: a folder cannot be read.
    """
    root = Path(root)
    place = root.absolute().parts
    known = [compile_file_pattern(name, text) for name, database in databases.items() for text in database.expect.files]
    patterns = _by_ending(known)
    counts = FileCounts(databases, place, always)
    for folder in walk(root):
        inside = (*place, *folder.name.split("/")) if folder.name else place
        for name in folder.files:
            counts.n_files += 1
            if counts.n_files == MOST_LOOKED_AT:
                used = {(database, text) for database, text, _ in counts.fits}
                patterns = _by_ending(
                    one for one in known if one.database in always or (one.database, one.text) in used
                )
            for ending in (name.lower().rpartition(".")[2], ANY_ENDING):
                for pattern in patterns.get(ending, ()):
                    found = pattern.root_of((*inside, name), place)
                    if found is not None:
                        counts.fits[pattern.database, pattern.text, found] += 1
    return counts


def _letters(text: str) -> int:
    """Return how many letters of a pattern every path that fits has, but for the ending of a picture."""
    kept = re.sub(r"\[[^]]*\]|\.(jpg|jpeg|png|bmp)$", "", text.lower())
    return len(re.findall(r"[a-z]", kept))


def _by_ending(patterns: Iterable[PathPattern]) -> dict[str, list[PathPattern]]:
    """Return patterns by the ending that their files have, so that few are tried on each file."""
    found: dict[str, list[PathPattern]] = {}
    for pattern in patterns:
        ending = pattern.text.lower().rpartition(".")[2]
        found.setdefault(ANY_ENDING if re.search(r"[*?/\[]", ending) else ending, []).append(pattern)
    return found
