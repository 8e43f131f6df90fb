"""Roots: what a row's recording is known by, whatever reader read it, under whatever name, and whatever was made of it.

A root is a text of tokens, one for each file that shows the face, made of its content alone. Two rows with a common
token come from the same bytes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from face3d_data.digest import digest
from face3d_data.reader import Source

TOKEN_CHARS = 16
SHOWS_A_FACE_BYTES = 4096
"""Smaller files (landmarks, cameras, notes) may be equal by chance: they count only with the capture's others."""
_ROOT = re.compile(r"[0-9a-f]{16}( [0-9a-f]{16})*")


def source_roots(fingerprint: str, sources: Sequence[Source]) -> Iterator[str]:
    """Yield the root of each hashed source of one reader.

    A token is of one file's content and the capture's place in it. A file that captures with other files have, too, is
    no recording (a texture, a background, a picture that stayed black), and counts only together with the others.

    Args:
        fingerprint: the reader's; it counts only for sources without files, whose record is all there is.
        sources: with the states of their files.
    """
    found = [frozenset(_tokens(source)) for source in sources]
    wholes: defaultdict[str, set[frozenset[str]]] = defaultdict(set)
    for tokens in found:
        for token in tokens:
            wholes[token].add(tokens)
    for source, tokens in zip(sources, found, strict=True):
        own = [token for token in tokens if len(wholes[token]) == 1]
        yield join_roots([*(own or [_together(fingerprint, source)]), *split_root(source.root)])


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


def split_root(root: str) -> list[str]:
    """Return a root's tokens; none of a text that is no root."""
    return root.split() if _ROOT.fullmatch(root) else []


def join_roots(tokens: Iterable[str]) -> str:
    """Return the root that has these tokens."""
    return " ".join(sorted(set(tokens)))
