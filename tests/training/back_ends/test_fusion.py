"""Fusion of scores: log-odds by logistic regression, against densities that are known."""

import numpy as np
import pytest

from face3d_data.errors import UserError
from face3d_training.back_ends.fusion import learn_fusion
from face3d_training.evaluation.learnt_matchers import FusedMatcher


class Table:
    """A matcher whose similarities are a matrix."""

    def __init__(self, matrix):
        self.matrix = matrix

    def similarity(self, first, second):
        return self.matrix[np.ix_(first, second)]

    def pair_similarity(self, first, second):
        return self.matrix[first, second]


def scores(genuine, impostors, methods=1, seed=0):
    """Return scores drawn from normal densities, so that twice a score is its log-likelihood ratio."""
    rng = np.random.default_rng(seed)
    alike = np.arange(genuine + impostors) < genuine
    return np.where(alike, 1, -1)[:, None] + rng.normal(size=(len(alike), methods)), alike


def test_of_gaussian_scores_the_fusion_is_the_likelihood_ratio():
    learnt = learn_fusion(["a", "b"], *scores(40_000, 40_000, 2))
    assert learnt.weights == pytest.approx([2, 2], abs=0.06)
    assert learnt.offset == pytest.approx(0, abs=0.05)


def test_more_impostor_pairs_move_nothing():
    learnt = learn_fusion(["a"], *scores(8_000, 80_000))
    assert learnt.weights == pytest.approx([2], abs=0.1)
    assert learnt.offset == pytest.approx(0, abs=0.08)


def test_the_unit_of_a_score_does_not_matter():
    both, alike = scores(2_000, 2_000, 2)
    one, other = learn_fusion("ab", both, alike), learn_fusion("ab", both * [1000, 1] + [7, 0], alike)
    assert other.weights * [1000, 1] == pytest.approx(one.weights, rel=1e-3)
    assert other.weights @ [7, 0] + other.offset == pytest.approx(one.offset, abs=1e-3)


def test_what_tells_nothing_weighs_nothing():
    both, alike = scores(20_000, 20_000, 2)
    both[:, 1] = np.random.default_rng(1).normal(size=len(both))
    learnt = learn_fusion(["good", "noise"], both, alike)
    assert abs(learnt.weights[1]) < 0.05
    assert learnt.in_words.split(" + ")[0].endswith(" good")
    constant = learn_fusion(["good", "constant"], both * [1, 0], alike)
    assert constant.weights[1] == pytest.approx(0, abs=1e-6)


def test_the_fused_matcher_adds_what_its_matchers_say():
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(2, 6, 6))
    learnt = learn_fusion(["one", "two"], *scores(500, 500, 2))
    fused = FusedMatcher("fusion", None, [Table(one), Table(two)], learnt)
    first, second = np.array([0, 5, 3]), np.array([2, 1, 3])
    wanted = learnt.weights[0] * one + learnt.weights[1] * two + learnt.offset
    assert fused.similarity(first, second) == pytest.approx(wanted[np.ix_(first, second)])
    assert fused.pair_similarity(first, second) == pytest.approx(wanted[first, second])


@pytest.mark.parametrize(("genuine", "lacking"), [(0, "genuine"), (5, "impostor")])
def test_pairs_of_one_kind_are_refused(genuine, lacking):
    with pytest.raises(UserError, match=f"no {lacking} one"):
        learn_fusion(["a"], *scores(genuine, 5 - genuine))
