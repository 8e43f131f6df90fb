import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import brentq
from sklearn import metrics

from face3d_training.evaluation.metrics.roc import SortedPairs

WHOLE = st.integers(0, 3)


@st.composite
def weighted_pairs(draw):
    """Scores with many ties, both kinds of pairs, and whole weights of which some are zero."""
    n = draw(st.integers(2, 25))
    scores = draw(hnp.arrays(np.float64, n, elements=st.integers(-4, 4).map(float)))
    same = draw(hnp.arrays(bool, n))
    weights = draw(hnp.arrays(np.float64, n, elements=WHOLE.map(float)))
    assume(weights[same].sum() > 0 and weights[~same].sum() > 0)
    return scores, same, weights


def weighted(scores, same, weights):
    ordered = SortedPairs(scores, same)
    return ordered.weighted(weights[ordered.genuine], weights[ordered.impostors])


def crossing(fpr, tpr):
    """EER on the straight lines of a ROC curve, by scanning its segments."""
    for k in range(1, len(fpr)):
        if fpr[k] >= 1 - tpr[k]:
            gap = [1 - tpr[i] - fpr[i] for i in (k - 1, k)]
            return fpr[k - 1] + gap[0] / (gap[0] - gap[1]) * (fpr[k] - fpr[k - 1])
    raise AssertionError


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(weighted_pairs(), st.sampled_from([1.0, 0.5, 0.2, 0.1, 0.01]))
def test_weighted_figures_equal_scikit_learns(case, far):
    scores, same, weights = case
    fpr, tpr, _ = metrics.roc_curve(same, scores, sample_weight=weights, drop_intermediate=False)
    found = weighted(scores, same, weights)
    assert found.auc() == pytest.approx(metrics.roc_auc_score(same, scores, sample_weight=weights), abs=1e-9)
    assert found.tar(far) == pytest.approx(tpr[fpr <= far + 1e-12].max(), abs=1e-9)
    assert found.eer() == pytest.approx(crossing(fpr, tpr), abs=1e-9)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
@pytest.mark.parametrize("shift", [0.0, -7e5])
def test_distances_beyond_any_grid(scale, shift):
    rng = np.random.default_rng(0)
    same = rng.random(4000) < 0.3
    scores = scale * (rng.normal(size=4000) + 1.5 * same + shift)
    found = weighted(scores, same, np.ones(4000))
    fpr, tpr, _ = metrics.roc_curve(same, scores, drop_intermediate=False)
    assert found.auc() == pytest.approx(metrics.roc_auc_score(same, scores), abs=1e-9)
    assert found.auc() == pytest.approx(0.5 * (1 + math.erf(1.5 / 2)), abs=0.02)
    assert found.eer() == pytest.approx(brentq(lambda x: 1 - x - np.interp(x, fpr, tpr), 0, 1), abs=1e-9)
    for far in (1e-1, 1e-2, 1e-3):
        assert found.tar(far) == pytest.approx(tpr[fpr <= far].max(), abs=1e-12)


def test_a_far_that_is_a_count_of_impostors_is_reached_in_spite_of_rounding():
    for impostors in range(10, 400, 10):
        scores = np.concatenate([np.arange(impostors, dtype=float), [impostors - impostors // 10 - 0.5]])
        same = np.arange(impostors + 1) == impostors
        assert weighted(scores, same, np.ones(impostors + 1)).tar(0.1) == 1.0


def test_without_weight_on_one_kind_there_is_no_figure():
    scores, same = np.array([1.0, 2.0, 3.0]), np.array([True, False, False])
    for weights in ([0.0, 1.0, 1.0], [1.0, 0.0, 0.0]):
        found = weighted(scores, same, np.array(weights))
        assert math.isnan(found.auc())
        assert math.isnan(found.eer())
        assert math.isnan(found.tar(0.1))
