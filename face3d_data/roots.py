"""Roots: the identity of a row's recording, whatever its reader, its name and its processing.

A root is a text of tokens, one for each file that shows the face, made of its content alone. Two rows with a common
token come from the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from face3d_data.digest import DIGEST_CHARS, digest
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


@dataclass(frozen=True, slots=True)
class HashedCapture:
    """What the root of a hashed source rests on.

    Attributes:
        files: path, size in bytes and SHA-256 of each of its files.
        index: its place in them.
        record: what it takes from shared files.
        root: the roots that its file says it was made of.
    """

    files: Sequence[tuple[str, int, str]]
    index: int
    record: Any
    root: str

    @classmethod
    def of(cls, source: Source) -> HashedCapture:
        """Return that of a source with the states of its files."""
        files = [
            (str(path), source.states[role].size, source.states[role].sha256) for role, path in source.files.items()
        ]
        return cls(files, source.index, source.record, source.root)


def source_roots(fingerprint: str, recordings: Sequence[HashedCapture], folder: Path | None = None) -> Iterator[str]:
    """Yield the root of each hashed source of one reader.

    A token is of one file's content and the capture's place in it. A file that captures with other files have, too, is
    no recording (a texture, a background, a picture that stayed black), and counts only together with the others.

    Args:
        fingerprint: the reader's; it counts only for sources without files, whose record is all there is.
        recordings: of the sources; one may be made whenever it is asked for.
        folder: the reader's root; where an export is in it, its CSVs say what its files were made of.
    """
    listed = exported_roots(folder) if folder is not None else {}
    tokens, starts, carried = array("Q"), array("q", [0]), dict[int, list[str]]()
    for i, recording in enumerate(recordings):
        tokens.extend(int(token, 16) for token in _tokens(recording))
        starts.append(len(tokens))
        others = list(_carried(recording, listed))
        if others:
            carried[i] = others
    shared = _shared(tokens, starts)
    for i in range(len(starts) - 1):
        own = [f"{token:0{TOKEN_CHARS}x}" for token in tokens[starts[i] : starts[i + 1]] if token not in shared]
        yield join_roots([*(own or [_together(fingerprint, recordings[i])]), *carried.get(i, ())])


def _shared(tokens: array[int], starts: array[int]) -> set[int]:
    """Return the tokens that recordings with other files have, too.

    Args:
        tokens: those of all recordings, as numbers.
        starts: where those of each begin, and where the last's end.
    """
    if not tokens:
        return set()
    token, bounds = np.frombuffer(tokens, np.uint64), np.frombuffer(starts, np.int64)
    wholes = [hash(frozenset(tokens[starts[i] : starts[i + 1]])) for i in range(len(starts) - 1)]
    whole = np.repeat(wholes, bounds[1:] - bounds[:-1])
    order = np.lexsort((whole, token))
    token, whole = token[order], whole[order]
    return set(token[1:][(token[1:] == token[:-1]) & (whole[1:] != whole[:-1])].tolist())


def _carried(recording: HashedCapture, listed: Mapping[str, str]) -> Iterator[str]:
    """Yield the tokens of what a source's files were made of, as far as they or the lists next to them say it."""
    yield from split_root(recording.root)
    for text, _, _ in recording.files:
        if text.lower().endswith(".ply"):
            yield from split_root(carried_root(text))
        if listed:
            path = Path(text)
            yield from split_root(listed.get(f"{path.parent.name}/{path.name.partition('.')[0]}", ""))


def _tokens(recording: HashedCapture) -> list[str]:
    contents = dict.fromkeys(content for _, size, content in recording.files if size >= SHOWS_A_FACE_BYTES)
    return [_token(content, recording.index) for content in contents]


def _together(fingerprint: str, recording: HashedCapture) -> str:
    if not recording.files:
        return _token(digest(fingerprint, recording.record), recording.index)
    return _token(digest(sorted(content for _, size, content in recording.files if size)), recording.index)


def _token(content: str, index: int) -> str:
    if type(index) is not int:
        return digest("root", content, index)[:TOKEN_CHARS]
    text = f'["root","{content}",{index}]'  # what `digest` takes of these, in a third of the time
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_CHARS // 2).hexdigest()[:TOKEN_CHARS]


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
