"""Roots: the identity of a row's recording, whatever its reader, its name and its processing.

A root is a text of tokens, one for each file that shows the face, made of its content alone. Two rows with a common
token come from the same bytes.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from face3d_data.digest import digest
from face3d_data.reader import Source

TOKEN_CHARS = 16
HEADER_BYTES = 2048
COMMENT = "face3d root"
EXPORTED = ("id", "name", "class")
"""Columns that CSVs of exports begin with."""
SHOWS_A_FACE_BYTES = 4096
"""Smaller files (landmarks, cameras, notes) may be equal by chance: they count only with the capture's others."""
_COMMENT = re.compile(rb"^comment face3d root ([0-9a-f ]+)\r?$", re.MULTILINE)
_ROOT = re.compile(r"[0-9a-f]{16}( [0-9a-f]{16})*")


def source_roots(fingerprint: str, sources: Sequence[Source], folder: Path | None = None) -> Iterator[str]:
    """Yield the root of each hashed source of one reader.

    A token is of one file's content and the capture's place in it. A file that captures with other files have, too, is
    no recording (a texture, a background, a picture that stayed black), and counts only together with the others.

    Args:
        fingerprint: the reader's; it counts only for sources without files, whose record is all there is.
        sources: with the states of their files.
        folder: the reader's root; where an export is in it, its CSVs say what its files were made of.
    """
    listed = exported_roots(folder) if folder is not None else {}
    found = [frozenset(_tokens(source)) for source in sources]
    wholes: defaultdict[str, set[frozenset[str]]] = defaultdict(set)
    for tokens in found:
        for token in tokens:
            wholes[token].add(tokens)
    for source, tokens in zip(sources, found, strict=True):
        own = [token for token in tokens if len(wholes[token]) == 1]
        yield join_roots([*(own or [_together(fingerprint, source)]), *_carried(source, listed)])


def _carried(source: Source, listed: Mapping[str, str]) -> Iterator[str]:
    """Yield the tokens of what a source's files were made of, as far as they or the lists next to them say it."""
    yield from split_root(source.root)
    for path in source.files.values():
        yield from split_root(carried_root(path))
        yield from split_root(listed.get(f"{path.parent.name}/{path.name.partition('.')[0]}", ""))


def _tokens(source: Source) -> Iterator[str]:
    for state in source.states.values():
        if state.size >= SHOWS_A_FACE_BYTES:
            yield _token(state.sha256, source.index)


def _together(fingerprint: str, source: Source) -> str:
    if not source.states:
        return _token(digest(fingerprint, source.record), source.index)
    return _token(digest(sorted(state.sha256 for state in source.states.values() if state.size)), source.index)


def _token(content: str, index: int) -> str:
    return digest("root", content, index)[:TOKEN_CHARS]


def exported_roots(folder: str | Path) -> dict[str, str]:
    """Return what the CSVs of an export say that its files were made of: `<name>/<id>` to root; nothing elsewhere.

    A file may have been changed since: what it was made of remains.
    """
    folder = Path(folder)
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.csv")) if folder.is_dir() else ():
        try:
            with open(path, encoding="utf-8", newline="") as stream:
                rows = csv.DictReader(stream)
                if (rows.fieldnames or ())[:3] == list(EXPORTED) and "root" in (rows.fieldnames or ()):
                    found |= {f"{row['name']}/{row['id']}": row["root"] or "" for row in rows}
        except (OSError, UnicodeDecodeError, csv.Error):
            continue  # no export of ours: what is wrong with it is the reader's to say
    return found


def carried_root(path: str | Path) -> str:
    """Return what a PLY file of an export says that it was made of, in a comment of its header; nothing of others."""
    path = Path(path)
    if path.suffix.lower() != ".ply":
        return ""
    try:
        with open(path, "rb") as stream:
            found = _COMMENT.search(stream.read(HEADER_BYTES))
    except OSError:
        return ""
    return found[1].decode("ascii") if found else ""


def ply_comment(root: str) -> str:
    """Return the comment for a PLY header that `carried_root` reads, empty where nothing is known."""
    return f"{COMMENT} {root}" if split_root(root) else ""


def split_root(root: str) -> list[str]:
    """Return a root's tokens; none of a text that is no root."""
    return root.split() if _ROOT.fullmatch(root) else []


def join_roots(tokens: Iterable[str]) -> str:
    """Return the root that has these tokens."""
    return " ".join(sorted(set(tokens)))
