"""ROC figures from the sorted scores themselves, without a grid, with a weight for each pair.

A pair is accepted where its score is at least the threshold; thresholds are the scores. With weights 1 the figures
equal scikit-learn's `roc_auc_score` and `roc_curve`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SLACK = 1e-12
"""Relative; a FAR that equals the one asked for counts as reached in spite of rounding."""


def _ends(ordered: np.ndarray) -> np.ndarray:
    """Return the last place of each run of equal scores."""
    return np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)


class SortedPairs:
    """Sorted pairs, from which figures with any weights follow in one pass over the impostors.

    Args:
        scores: (n,), finite.
        same: bool (n,), some true and some false.

    Attributes:
        genuine: i64 (G,), indices of the genuine pairs, most similar first.
        impostors: i64 (I,), indices of the impostor pairs, most similar first.
    """

    def __init__(self, scores: np.ndarray, same: np.ndarray) -> None:
        order = np.argsort(-scores, kind="stable")
        self.genuine, self.impostors = order[same[order]], order[~same[order]]
        own, strange = -scores[self.genuine], -scores[self.impostors]
        self._above = np.searchsorted(strange, own, side="left")
        self._not_below = np.searchsorted(strange, own, side="right")
        distinct = -scores[order][_ends(scores[order])]
        self._genuine_at = np.concatenate([[0], np.searchsorted(own, distinct, side="right")])
        self._impostors_at = np.concatenate([[0], np.searchsorted(strange, distinct, side="right")])

    def weighted(self, genuine: np.ndarray, impostors: np.ndarray) -> Weighted:
        """Return these pairs with weights.

        Args:
            genuine: f8 (G,), in the order of `genuine`.
            impostors: f8 (I,), in the order of `impostors`.
        """
        return Weighted(self, genuine, _summed(genuine), _summed(impostors))

    def auc(self, genuine: np.ndarray, summed: np.ndarray) -> float:
        """Return the area; `summed` are cumulative weights of the impostors, most similar first, beginning with 0."""
        above = (summed[self._above] + summed[self._not_below]) / 2
        return 1.0 - float(genuine @ above) / (float(genuine.sum()) * float(summed[-1]))

    def tar(self, summed_genuine: np.ndarray, summed: np.ndarray, far: float) -> float:
        """Return the largest TAR among thresholds whose FAR is at most `far`; nothing is interpolated."""
        accepted = np.searchsorted(summed, far * summed[-1] * (1 + SLACK), side="right") - 1
        count = np.searchsorted(self._not_below, accepted, side="right")
        return float(summed_genuine[count] / summed_genuine[-1])

    def rates(self, place: int, summed_genuine: np.ndarray, summed: np.ndarray) -> tuple[float, float]:
        """Return FAR and FRR at one place of the curve, 0 = nothing accepted."""
        far = summed[self._impostors_at[place]] / summed[-1]
        return float(far), 1.0 - float(summed_genuine[self._genuine_at[place]] / summed_genuine[-1])

    @property
    def places(self) -> int:
        """Places of the curve, that where nothing is accepted included."""
        return len(self._genuine_at)


@dataclass(frozen=True, eq=False)
class Weighted:
    """Sorted pairs with weights; figures are NaN where all genuine or all impostor pairs weigh nothing."""

    pairs: SortedPairs
    genuine: np.ndarray
    summed_genuine: np.ndarray
    summed: np.ndarray

    @property
    def measurable(self) -> bool:
        """Whether both kinds have weight."""
        return bool(self.summed_genuine[-1] > 0 and self.summed[-1] > 0)

    def auc(self) -> float:
        """Return the area under the ROC curve: how often a genuine pair is more similar than an impostor, ties half."""
        return self.pairs.auc(self.genuine, self.summed) if self.measurable else float("nan")

    def tar(self, far: float) -> float:
        """Return the share of genuine pairs accepted at the lowest threshold with at most this FAR."""
        return self.pairs.tar(self.summed_genuine, self.summed, far) if self.measurable else float("nan")

    def eer(self) -> float:
        """Return the rate at which FAR = FRR, on the straight line between the places of the curve where they cross."""
        if not self.measurable:
            return float("nan")
        low, high = 0, self.pairs.places - 1
        while high - low > 1:
            middle = (low + high) // 2
            far, frr = self.pairs.rates(middle, self.summed_genuine, self.summed)
            low, high = (low, middle) if far >= frr else (middle, high)
        (far0, frr0), (far1, frr1) = (
            self.pairs.rates(place, self.summed_genuine, self.summed) for place in (low, high)
        )
        share = (frr0 - far0) / ((frr0 - far0) + (far1 - frr1))
        return far0 + share * (far1 - far0)


def _summed(weights: np.ndarray) -> np.ndarray:
    out = np.empty(len(weights) + 1)
    out[0] = 0.0
    np.cumsum(weights, out=out[1:])
    return out
