"""Content digests: the identity of everything that is computed once and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

DIGEST_CHARS = 32


def canonical(value: Any) -> str:
    """Return `value` as JSON text that is the same for equal values.

    Mappings are sorted by key, tuples and lists are the same, floats that are whole numbers stay floats. NaN and
    infinities are refused.

    Raises:
        TypeError: for a value that JSON has no form for.
        ValueError: for NaN or an infinity.
    """
    return _ENCODER.encode(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain)


def digest(*parts: Any) -> str:
    """Return 32 hex digits (128 bits of BLAKE2b) over the canonical JSON of `parts`."""
    return hashlib.blake2b(canonical(parts).encode(), digest_size=DIGEST_CHARS // 2).hexdigest()


def digest_of_list(pieces: Iterable[Sequence[Any]]) -> str:
    """Return `digest(values)` of a list that comes in pieces, whose text is never there as a whole."""
    whole = hashlib.blake2b(b"[[", digest_size=DIGEST_CHARS // 2)
    between = ""
    for piece in pieces:
        if len(piece):
            whole.update((between + canonical(piece)[1:-1]).encode())
            between = ","
    whole.update(b"]]")
    return whole.hexdigest()


def digest_file(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hex digits."""
    path = Path(path)
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def seed_from(*parts: Any) -> int:
    """Return a 128-bit seed for `numpy.random.default_rng`, equal for equal `parts`."""
    return int(digest(*parts), 16)
