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

from face3d_data.digest import DIGEST_CHARS

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


def order_digests(seed: int, ids: Sequence[str]) -> list[str]:
    """Return digest(seed, id) of each id, as `face3d_data.digest` defines it, a quarter of the time."""
    head = f"[{seed},".encode()
    size = DIGEST_CHARS // 2
    return [hashlib.blake2b(head + encode_basestring(one).encode() + b"]", digest_size=size).hexdigest() for one in ids]


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
