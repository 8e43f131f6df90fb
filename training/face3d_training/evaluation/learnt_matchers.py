"""Matchers that learnt from people: a back-end of a network's embeddings, and the fusion of several matchers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from face3d_training.back_ends.back_end import ROWS_AT_A_TIME, BackEnd
from face3d_training.back_ends.fusion import Fusion
from face3d_training.evaluation.metrics.matcher import Matcher, pairs_in_parts

if TYPE_CHECKING:
    import pandas as pd


class BackEndMatcher:
    """The scores of a back-end.

    Args:
        name: what reports call it.
        table: the rows.
        back_end: what scores.
        vectors: (n, E), the embedding of each row, all finite.

    Raises:
        UserError: embeddings of another length.
    """

    def __init__(self, name: str, table: pd.DataFrame, back_end: BackEnd, vectors: np.ndarray) -> None:
        self.name, self.table, self.back_end = name, table, back_end
        self.faces = back_end.prepare(vectors)

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (A, B): the scores of the rows i64 (A,) with the rows i64 (B,)."""
        return self.back_end.scores(self.faces.take(first), self.faces.take(second))

    def pair_similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (n,): the scores of rows, pair by pair."""
        return pairs_in_parts(self._pair_scores, first, second, ROWS_AT_A_TIME)

    def _pair_scores(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return self.back_end.pair_scores(self.faces.take(first), self.faces.take(second))


class FusedMatcher:
    """The logarithm of the odds that two faces show one person, from the scores of several matchers.

    Args:
        name: what reports call it.
        table: the rows.
        matchers: those of the fusion's methods, in its order, on the same rows.
        fusion: their weights.
    """

    def __init__(self, name: str, table: pd.DataFrame, matchers: Sequence[Matcher], fusion: Fusion) -> None:
        self.name, self.table, self.matchers, self.fusion = name, table, tuple(matchers), fusion

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (A, B): the log-odds of the rows i64 (A,) with the rows i64 (B,)."""
        return self.fusion.log_odds(matcher.similarity(first, second) for matcher in self.matchers)

    def pair_similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return f8 (n,): the log-odds of rows, pair by pair."""
        return self.fusion.log_odds(matcher.pair_similarity(first, second) for matcher in self.matchers)
