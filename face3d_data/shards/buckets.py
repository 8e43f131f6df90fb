"""Buckets of a dataset's rows: which shard a row is in, so that a new row changes one shard and leaves all others.

The rows of a split are ordered by digest(seed, id), 32 hex digits that are evenly spread. A shard holds the rows whose
digests begin with the same bits: one shard holds all of them, and one with more rows than it may have is halved by the
next bit (a binary trie: Fagin et al. 1979, "Extendible hashing", doi 10.1145/320083.320092). So where a row lies rests
on its own digest and on how many rows are near it, never on how many come before it.
"""

from __future__ import annotations

import hashlib
import itertools
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring
from typing import NamedTuple

import numpy as np

from face3d_data.digest import DIGEST_CHARS
from face3d_data.shards.tokens import AT_ONCE

NAME_DIGITS = 5
"""Fewest hex digits of a shard's name, enough for a million shards."""
MOST_BITS = 4 * DIGEST_CHARS


class Bucket(NamedTuple):
    """The rows of one shard.

    Attributes:
        start: place of its first row in the ordered split.
        stop: the place after its last.
        name: first digest that belongs to it, as hex digits without the zeros at the end, but at least `NAME_DIGITS`;
            in the order of their names, shards are in the order of their rows.
    """

    start: int
    stop: int
    name: str


class OrderDigests(Sequence[str]):
    """Digests as 32 hex digits, kept as numbers.

    Args:
        words: big-endian u8 (n, 2).
    """

    def __init__(self, words: np.ndarray) -> None:
        self._words = words

    def __len__(self) -> int:
        return len(self._words)

    def __getitem__(self, row: int) -> str:  # type: ignore[override]
        return self._words[row].tobytes().hex()

    def order(self, ranks: np.ndarray) -> np.ndarray:
        """Return the places of the digests, i4, sorted by ranks (n,) and then by themselves."""
        return np.lexsort((*self._words.astype(np.uint64).T[::-1], ranks)).astype(np.int32)

    def take(self, rows: np.ndarray) -> OrderDigests:
        """Return some of them, by their places."""
        return OrderDigests(self._words[rows])

    def part(self, start: int, stop: int) -> OrderDigests:
        """Return those that follow one another from a place on, up to another."""
        return OrderDigests(self._words[start:stop])


def order_digests(seed: int, ids: Sequence[str] | np.ndarray) -> OrderDigests:
    """Return digest(seed, id) of each id, as `face3d_data.digest` defines it, a quarter of the time."""
    head = f"[{seed},".encode()
    size = DIGEST_CHARS // 2
    found = np.empty((len(ids), 2), ">u8")
    for start in range(0, len(ids), AT_ONCE):
        some = np.asarray(ids[start : start + AT_ONCE], object).tolist()
        raw = [
            hashlib.blake2b(head + encode_basestring(one).encode() + b"]", digest_size=size).digest() for one in some
        ]
        found[start : start + len(raw)] = np.frombuffer(b"".join(raw), ">u8").reshape(-1, 2)
    return OrderDigests(found)


def buckets(ordered: Sequence[str], most: int) -> Iterator[Bucket]:
    """Yield the buckets that have rows.

    Args:
        ordered: digests, sorted, as `order_digests` gives them.
        most: rows in a bucket, 1 or more; only rows with equal digests are more.
    """
    waiting = [(0, 0, 0, len(ordered))] if ordered else []
    while waiting:
        value, bits, start, stop = waiting.pop()
        if stop - start <= most or bits == MOST_BITS:
            yield Bucket(start, stop, _name(value))
            continue
        half = value | 1 << (MOST_BITS - bits - 1)
        middle = bisect_left(ordered, f"{half:0{DIGEST_CHARS}x}", start, stop)
        halves = ((half, bits + 1, middle, stop), (value, bits + 1, start, middle))
        waiting += [one for one in halves if one[2] < one[3]]


def _name(value: int) -> str:
    return f"{value:0{DIGEST_CHARS}x}".rstrip("0").ljust(NAME_DIGITS, "0")


def runs_of(values: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield each value with the places of the first and after the last of its rows, which follow one another."""
    start = 0
    for value, rows in itertools.groupby(values):
        stop = start + sum(1 for _ in rows)
        yield value, start, stop
        start = stop
