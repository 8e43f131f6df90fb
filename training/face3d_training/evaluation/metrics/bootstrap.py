"""Bootstrap intervals over people: pairs and probes of one person are not independent, people are.

A resample draws as many people as there are, with replacement; person i then counts w_i times. A genuine pair or a
probe of i weighs w_i, an impostor pair of i and j weighs w_i · w_j, and pairs of two copies of one person do not exist:
the vertex bootstrap of Snijders & Borgatti 1999 (Non-Parametric Standard Errors and Tests for Network Statistics); for
crossed effects Owen 2007 calls it the pigeonhole bootstrap. Intervals are percentiles; the gallery stays as it is.
Weights depend on the seed and the people alone, so two methods on one list see the same resamples: their differences
are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from face3d_data.digest import seed_from
from face3d_data.plurals import counted
from face3d_data.tables.split import person_of
from face3d_training.evaluation.metrics.figure import Figure

if TYPE_CHECKING:
    import pandas as pd

FEWEST_PEOPLE = 3
"""With fewer people, an interval would be meaningless."""
LEAST_MEASURED = 0.5
"""Share of the resamples that must give a figure; fewer than that give no interval."""


class PairPeople:
    """The people in a list of pairs; a mirrored face counts as the person that it mirrors.

    Args:
        table: column `identity`.
        first: i64 (n,), rows.
        second: i64 (n,), rows.

    Attributes:
        names: the people, sorted.
        first: i64 (n,), index in `names` of the person in each pair's first sample.
        second: the same for the second sample.
    """

    def __init__(self, table: pd.DataFrame, first: np.ndarray, second: np.ndarray) -> None:
        names, place = np.unique([person_of(identity) for identity in table["identity"]], return_inverse=True)
        shown = np.unique(place[np.concatenate([first, second])])
        self.names: list[str] = names[shown].tolist()
        self.first, self.second = np.searchsorted(shown, place[first]), np.searchsorted(shown, place[second])


def people_weights(people: Sequence[str], resamples: int, seed: int) -> np.ndarray:
    """Return how often each person is drawn in each resample.

    Args:
        people: names, each once; their order does not matter for what each of them gets.
        resamples: R.
        seed: decides what is drawn.

    Returns:
        u2 (R, P); every row sums to P.
    """
    order = sorted(range(len(people)), key=people.__getitem__)
    rng = np.random.default_rng(seed_from("people", seed, [people[i] for i in order]))
    weights = np.zeros((resamples, len(people)), np.uint16)
    for row in weights:
        row[order] = np.bincount(rng.integers(len(people), size=len(people)), minlength=len(people))
    return weights


def figure_of(value: float, samples: np.ndarray, people: int, confidence: float) -> Figure:
    """Return a figure with the interval that its resamples give.

    Args:
        value: the figure on all people.
        samples: f8 (R,), the same in each resample, NaN where it gives none; none at all without a bootstrap.
        people: people resampled.
        confidence: share that the interval covers.
    """
    measured = samples[np.isfinite(samples)]
    if people < FEWEST_PEOPLE:
        return Figure(float(value), why=f"no interval with {counted(people, 'person')}", samples=samples)
    if len(measured) == 0 or len(measured) < LEAST_MEASURED * len(samples):
        why = f"no interval: {len(measured)} of {len(samples)} resamples give a figure"
        return Figure(float(value), why=why, samples=samples)
    if measured.min() == measured.max() == value:  # all right, or all wrong: no proof that nobody else would differ
        why = f"no interval: every resample of {counted(people, 'person')} gives the same"
        return Figure(float(value), why=why, samples=samples)
    low, high = np.quantile(measured, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Figure(float(value), float(low), float(high), None, samples)
