"""Fusion of matchers: one score of several, as the logarithm of the odds that two faces show one person.

Weights by logistic regression: Brümmer et al. 2007, Fusion of Heterogeneous Speaker Recognition Systems in the STBU
Submission for the NIST Speaker Recognition Evaluation 2006.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from face3d_data.errors import UserError
from face3d_data.plurals import counted


@dataclass(frozen=True, eq=False)
class Fusion:
    """Weights of several methods' scores.

    Attributes:
        methods: their names.
        weights: f8 (m,), natural logarithms of odds per unit of each score.
        offset: what is added, so that 0 means even odds where genuine and impostor pairs are equally frequent.
        spread: f8 (m,), standard deviation of each score over the pairs that were learnt from.
    """

    methods: tuple[str, ...]
    weights: np.ndarray
    offset: float
    spread: np.ndarray

    @property
    def in_words(self) -> str:
        """The weights in a line; those of scores in standard deviations, which can be compared."""
        return " + ".join(
            f"{weight:.2f} {name}" for name, weight in zip(self.methods, self.weights * self.spread, strict=True)
        )

    def log_odds(self, scores: Iterable[np.ndarray]) -> np.ndarray:
        """Return f8 (...): the log-odds, out of each method's scores f8 (...), in the order of `methods`."""
        weighed = (weight * each for weight, each in zip(self.weights, scores, strict=True))
        return np.asarray(sum(weighed, start=self.offset))


def learn_fusion(methods: Sequence[str], scores: np.ndarray, genuine: np.ndarray) -> Fusion:
    """Return weights by logistic regression, genuine and impostor pairs counting the same however many there are.

    Args:
        methods: names of the methods.
        scores: f8 (n, m), scores of pairs of people who are in no training data.
        genuine: bool (n,), whether a pair shows one person.

    Raises:
        UserError: there are no genuine or no impostor pairs.
    """
    if genuine.all() or not genuine.any():
        lacking = "impostor" if genuine.any() else "genuine"
        raise UserError(
            f"fusion: {counted(len(genuine), 'pair')} to weigh methods on and no {lacking} one among them: use people "
            "with several captures each"
        )
    spread = scores.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    learnt = LogisticRegression(class_weight="balanced", max_iter=1000).fit(scores / scale, genuine)
    return Fusion(tuple(methods), learnt.coef_[0] / scale, float(learnt.intercept_[0]), spread)
