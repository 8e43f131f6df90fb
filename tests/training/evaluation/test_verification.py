from itertools import pairwise

import numpy as np
import pytest
from hang_guard import ends_soon
from score_matcher import ScoreMatcher, people_table, random_scores
from sklearn import metrics

from face3d_data.errors import UserError
from face3d_data.tables.pair_rows import PairRows, every_pair, pairs_in_folds
from face3d_training.evaluation.metrics.bootstrap import people_weights
from face3d_training.evaluation.metrics.lists import EvaluationSettings
from face3d_training.evaluation.metrics.verification import FARS, verify

FEW = EvaluationSettings(resamples=20)


def all_of(table, scores, settings=FEW, folds=None):
    rows = np.arange(len(table))
    return verify(ScoreMatcher(table, scores), "all", every_pair(table, rows, rows), folds, settings)


def test_figures_equal_scikit_learns():
    rng = np.random.default_rng(0)
    table = people_table(20, 5)
    for ties in (None, 2):
        found = all_of(table, random_scores(table, rng, ties=ties))
        scored = found.pairs
        fpr, tpr, _ = metrics.roc_curve(scored.same, scored.scores, drop_intermediate=False)
        assert found.auc.value == pytest.approx(metrics.roc_auc_score(scored.same, scored.scores), abs=1e-9)
        assert (found.people, found.genuine, found.impostors) == (20, 200, 4750)
        assert found.complete
        for far in ("1e-1", "1e-2", "1e-3"):
            assert found.tar[far].value == pytest.approx(tpr[fpr <= float(far)].max(), abs=1e-9)


def test_no_far_is_reported_below_one_impostor():
    table = people_table(8, 3)
    found = all_of(table, random_scores(table, np.random.default_rng(0)))
    assert found.impostors == 252
    assert list(found.tar) == list(FARS)
    assert [far for far, figure in found.tar.items() if figure.value is None] == ["1e-3", "1e-4", "1e-5"]
    assert found.tar["1e-3"].why == "not measurable with 252 impostor pairs"
    exact = people_table(5, 1).assign(identity=["d/a", "d/a", "d/b", "d/c", "d/d"])
    rows = PairRows(np.array([0] + [0] * 10), np.array([1] + [2, 3, 4, 2, 3] * 2), np.arange(11) == 0)
    at_10 = verify(ScoreMatcher(exact, random_scores(exact, np.random.default_rng(1))), "ten", rows, None, FEW)
    assert at_10.tar["1e-1"].value is not None
    assert at_10.tar["1e-2"].value is None


@pytest.mark.parametrize(
    ("people", "captures", "why"),
    [
        (1, 3, "not measurable: no impostor pairs"),
        (3, 1, "not measurable: no genuine pairs"),
        (1, 1, "not measurable: no genuine and no impostor pairs"),
    ],
)
def test_degenerate_lists_have_no_figure(people, captures, why):
    table = people_table(people, captures)
    found = all_of(table, random_scores(table, np.random.default_rng(0)))
    for figure in (found.auc, found.eer, *found.tar.values()):
        assert (figure.value, figure.low, figure.high, figure.why) == (None, None, None, why)


def test_each_resample_is_the_figure_with_pairs_repeated_as_people_are():
    rng = np.random.default_rng(3)
    table = people_table(6, 3)
    found = all_of(table, random_scores(table, rng, ties=3), EvaluationSettings(resamples=30, seed=5))
    names = sorted(set(table["identity"]))
    weights = people_weights(names, 30, 5)
    place = table["identity"].map(names.index).to_numpy()
    for drawn, auc, tar in zip(weights, found.auc.samples, found.tar["1e-1"].samples, strict=True):
        a, b = drawn[place[found.pairs.first]].astype(int), drawn[place[found.pairs.second]].astype(int)
        times = np.where(found.pairs.same, a, a * b)
        same, scores = np.repeat(found.pairs.same, times), np.repeat(found.pairs.scores, times)
        fpr, tpr, _ = metrics.roc_curve(same, scores, drop_intermediate=False)
        assert auc == pytest.approx(metrics.roc_auc_score(same, scores), abs=1e-9)
        assert tar == pytest.approx(tpr[fpr <= 0.1 + 1e-12].max(), abs=1e-9)


def test_a_similarity_that_is_not_finite_is_refused():
    table = people_table(3, 2)
    scores = random_scores(table, np.random.default_rng(0))
    scores[1, 4] = np.nan
    with pytest.raises(UserError, match="given: 1 similarities are not finite"):
        all_of(table, scores)


@pytest.mark.slow
def test_a_thousand_resamples_of_100_000_pairs_end_soon():
    table = people_table(57, 8)
    scores = random_scores(table, np.random.default_rng(0))
    with ends_soon():
        found = all_of(table, scores, EvaluationSettings(resamples=1000))
    assert found.genuine + found.impostors > 100_000


def plain_lfw(scores, same, fold):
    """LFW's protocol in plain Python: each fold's accuracy with the threshold that is best on the other folds."""
    accuracies, precisions, recalls = [], [], []
    for number in sorted(set(fold)):
        others = [(s, t) for s, t, f in zip(scores, same, fold, strict=True) if f != number]
        mine = [(s, t) for s, t, f in zip(scores, same, fold, strict=True) if f == number]
        values = sorted({s for s, _ in others})
        cuts = [values[0], *((low + high) / 2 for low, high in pairwise(values)), values[-1] + 1e-9]
        best_right, best_cut = -1, None
        for cut in reversed(cuts):
            right = sum((s >= cut) == t for s, t in others)
            if right > best_right:
                best_right, best_cut = right, cut
        called = [(s >= best_cut, t) for s, t in mine]
        accuracies.append(sum(c == t for c, t in called) / len(called))
        accepted = [t for c, t in called if c]
        if accepted:
            precisions.append(sum(accepted) / len(accepted))
        genuine = [c for c, t in called if t]
        recalls.append(sum(genuine) / len(genuine))
    return accuracies, precisions, recalls


def mean_std(numbers):
    mean = sum(numbers) / len(numbers)
    return mean, (sum((x - mean) ** 2 for x in numbers) / (len(numbers) - 1)) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("ties", [None, 1])
@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_accuracy_equals_a_plain_lfw_protocol(ties, scale):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        table = people_table(24, 5)
        rows = np.arange(len(table))
        folds = pairs_in_folds(table, rows, rows, 6, 30, seed)
        scores = scale * random_scores(table, rng, own=(0.5, 2.0, 8.0, 0.0)[seed], ties=ties)
        found = all_of(table, scores, FEW, folds).folds
        wanted = plain_lfw(*(x.tolist() for x in (found.pairs.scores, found.pairs.same, found.pairs.fold)))
        for name, numbers in zip(("accuracy", "precision", "recall"), wanted, strict=True):
            spread = found.spread[name]
            assert (spread.mean, spread.std) == pytest.approx(mean_std(numbers), abs=1e-9)
        assert found.accuracy.value == pytest.approx(mean_std(wanted[0])[0], abs=1e-9)
        assert [fold.genuine for fold in found.folds] == [30] * 6
