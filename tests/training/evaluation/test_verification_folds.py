import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from score_matcher import ScoreMatcher, people_table

from face3d_data.tables.pair_rows import PairRows
from face3d_training.evaluation.metrics.folds import best_threshold, judge_folds, spread_of
from face3d_training.evaluation.metrics.lists import EvaluationSettings

FEW = EvaluationSettings(resamples=50)


def judged(pairs, scores, people=8):
    table = people_table(people, 2)
    matrix = np.zeros((len(table), len(table)))
    matrix[pairs.first, pairs.second] = scores
    return judge_folds(ScoreMatcher(table, matrix), pairs, FEW)


def two_folds(same):
    """People 0 to 3 are in fold 0, 4 to 7 in fold 1; genuine and impostor pairs take turns."""
    first, second = [0, 0, 4, 2, 8, 8, 12, 10], [1, 2, 5, 4, 9, 10, 13, 12]
    return PairRows(np.array(first), np.array(second), np.array(same), np.repeat([0, 1], 4))


SAME = [True, False, True, False] * 2


def test_the_threshold_comes_from_the_other_fold_and_lies_half_way():
    found = judged(two_folds(SAME), [0.9, 0.1, 0.8, 0.2, 5.0, 1.0, 4.0, 3.0])
    assert [fold.threshold for fold in found.folds] == [3.5, 0.5]
    assert [fold.accuracy for fold in found.folds] == [0.5, 0.5]
    assert [fold.precision for fold in found.folds] == [None, 0.5]
    assert [fold.recall for fold in found.folds] == [0.0, 1.0]
    assert found.accuracy.value == 0.5
    assert (found.spread["precision"].mean, found.spread["precision"].std, found.spread["precision"].n) == (
        0.5,
        None,
        1,
    )


def test_perfect_folds_have_no_interval_that_would_claim_certainty():
    found = judged(two_folds(SAME), [3, 1, 3, 1, 3, 1, 3, 1])
    assert found.accuracy.value == 1.0
    assert found.accuracy.low is None
    assert found.accuracy.why == "no interval: every resample of 6 people gives the same"


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        (
            PairRows(np.array([0, 0]), np.array([1, 2]), np.array([True, False])),
            "not measurable: there are no two folds",
        ),
        (two_folds([True, False, True, False, False, False, False, False]), "only 1 fold has genuine pairs"),
        (two_folds([True, False, True, False, True, True, True, True]), "only 1 fold has impostor pairs"),
        (PairRows(*[np.zeros(0, np.int64)] * 2, np.zeros(0, bool), np.zeros(0, np.int64)), "there are no two folds"),
    ],
)
def test_where_no_other_fold_can_give_a_threshold_there_is_no_accuracy(pairs, why):
    found = judged(pairs, np.arange(len(pairs.first), dtype=float))
    assert found.accuracy.value is None
    assert why in found.accuracy.why
    assert found.folds == ()
    assert len(found.pairs.scores) == len(pairs.first)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(hnp.arrays(np.float64, st.integers(1, 12), elements=st.integers(-3, 3).map(float)), st.randoms())
def test_no_threshold_calls_more_pairs_right(scores, random):
    same = np.array([random.random() < 0.5 for _ in scores])
    threshold = best_threshold(scores, same)
    right = int(((scores >= threshold) == same).sum())
    tries = [-10.0, *np.arange(-3.5, 4, 0.5), 10.0]
    assert right == max(int(((scores >= t) == same).sum()) for t in tries)


def test_neighbouring_floats_are_separated():
    low = 1.0
    high = np.nextafter(low, 2)
    threshold = best_threshold(np.array([low, high]), np.array([False, True]))
    assert low < threshold <= high


def test_spread_of_nothing_and_of_one():
    assert spread_of([None]).n == 0
    assert spread_of([2.0]).std is None
    assert spread_of([1.0, 3.0, None]) == spread_of([1.0, 3.0])
    assert spread_of([1.0, 3.0]).std == pytest.approx(2**0.5)
