"""Tokens of many rows as 64-bit hashes: which rows can share one, so that only these are compared by their texts.

Keys, roots and contents are texts of tokens; of a million rows hardly any two share one that they should not. Equal
tokens have equal hashes, so that no shared token is missed, and what hashes have in common by chance the texts settle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

AT_ONCE = 8192
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


@dataclass(frozen=True)
class Tokens:
    """Tokens of rows.

    Attributes:
        hashes: u8 (m,), one a token.
        rows: i4 (m,), the row of each.
    """

    hashes: np.ndarray
    rows: np.ndarray

    def and_of(self, other: Tokens) -> Tokens:
        """Return these and others."""
        return Tokens(np.concatenate([self.hashes, other.hashes]), np.concatenate([self.rows, other.rows]))

    def of_groups(self, *codes: np.ndarray) -> Tokens:
        """Return tokens that count as equal only within a group of rows.

        Args:
            codes: integers (n,), of each row; a group's rows agree in all of them.
        """
        hashes = self.hashes
        for one in codes:
            hashes = (hashes ^ (one[self.rows].astype(np.uint64) * _MIX[0])) * _MIX[1]
        return Tokens(hashes, self.rows)

    def rows_sharing(self, differing: np.ndarray, n: int) -> np.ndarray:
        """Return bool (n,): which rows have a token that a row has, too, whose value of `differing` is another.

        Args:
            differing: integers (n,), such as the split of each row.
            n: number of rows.
        """
        found = np.zeros(n, bool)
        order = np.argsort(self.hashes)
        hashes, values = self.hashes[order], differing[self.rows[order]]
        equal = hashes[1:] == hashes[:-1]
        shared = np.unique(hashes[1:][equal & (values[1:] != values[:-1])])
        if len(shared):
            found[self.rows[np.isin(self.hashes, shared)]] = True
        return found


def texts_in(column: np.ndarray) -> Iterator[list[str]]:
    """Yield the texts of a column, objects or S (n,) or an array of pandas, some thousands at a time."""
    for start in range(0, len(column), AT_ONCE):
        some = column[start : start + AT_ONCE].tolist()
        yield [one.decode() for one in some] if column.dtype.kind == "S" else some


def tokens_of(column: np.ndarray) -> Tokens:
    """Return the tokens of texts, objects or S (n,), that have blanks between them."""
    hashes, counts = [], []
    for texts in texts_in(column):
        tokens = "\n".join(texts).split()
        if tokens == texts:  # one each, as most have
            counts.append(np.ones(len(texts), np.int32))
        else:
            counts.append(np.fromiter((len(text.split()) for text in texts), np.int32, len(texts)))
        hashes.append(_hashes(tokens))
    rows = np.repeat(np.arange(len(column), dtype=np.int32), _joined(counts, np.int32))
    return Tokens(_joined(hashes, np.uint64), rows)


def whole_texts(column: np.ndarray) -> Tokens:
    """Return texts, objects or S (n,), as one token each."""
    hashes = [_hashes(texts) for texts in texts_in(column)]
    return Tokens(_joined(hashes, np.uint64), np.arange(len(column), dtype=np.int32))


def _hashes(texts: Sequence[str]) -> np.ndarray:
    return np.fromiter(map(hash, texts), np.int64, len(texts)).view(np.uint64)


def _joined(pieces: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype)
