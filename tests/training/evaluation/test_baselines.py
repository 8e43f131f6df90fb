import sys
from pathlib import Path

import numpy as np
import pytest
from score_matcher import people_table

from face3d_data.errors import UserError
from face3d_data.geometry.depth_map import GRID, UPPER, clipped_distance
from face3d_data.shards.read import Dataset
from face3d_training.evaluation.baselines import methods as baselines
from face3d_training.evaluation.baselines.methods import (
    DepthMapMatcher,
    depth_maps,
    lda_matcher,
    learn_lda,
    within_an_error,
)
from face3d_training.evaluation.metrics.evaluate import evaluate
from face3d_training.evaluation.metrics.lists import EvaluationSettings, lists_of

sys.path.insert(0, str(Path(__file__).parents[2] / "shards"))
from made import build, manifest

X, Y = GRID.T / 60
FEW = EvaluationSettings(folds=2, per_fold=10, resamples=20)


def heads(table, seed=0, noise=0.6):
    """Maps of people as sums of low waves, each capture shifted and with own waves; masks cover the lower half."""
    rng = np.random.default_rng(seed)
    waves = np.stack([np.cos(a * X + b * Y + c) for a in range(5) for b in range(5) for c in (0, np.pi / 2)])
    person = np.unique(table["identity"], return_inverse=True)[1]
    own = rng.normal(0, 1.2, (person.max() + 1, len(waves)))[person]
    maps = (own + noise * rng.normal(size=own.shape)) @ waves - 30 * (X**2 + Y**2)
    maps += rng.normal(0, 3, (len(table), 1))
    masked = (table["mask"] != "none").to_numpy()
    maps[np.ix_(masked, Y < -0.1)] = 15 - 20 * X[Y < -0.1] ** 2
    maps[rng.random(maps.shape) < 0.02] = np.nan
    return maps.astype(np.float32)


def rank_1(matcher, name):
    lists = lists_of(matcher.table, FEW, name)
    return evaluate(matcher, lists, FEW).identification[name].rank["1"].value


@pytest.fixture(scope="module")
def train():
    table = people_table(60, 4, ("none", "kn95"))
    return table, heads(table)


@pytest.fixture(scope="module")
def test():
    table = people_table(20, 4, ("none", "kn95"))
    return table, heads(table, seed=1)


def test_the_untrained_map_recognises_strangers_in_spite_of_masks(test):
    matcher = DepthMapMatcher(*test)
    assert rank_1(matcher, "plain_to_plain") > 0.6
    assert rank_1(matcher, "masked_to_plain") > 0.3


@pytest.mark.slow
def test_lda_learns_what_tells_strangers_apart(train, test):
    learnt = learn_lda(train[1], train[0])
    assert (learnt.people, learnt.held_out) == (60, 12)
    assert learnt.ridge_mm2 in baselines.RIDGES_MM2
    assert learnt.dimensions in baselines.DIMENSIONS
    matcher = lda_matcher("LDA", *test, learnt.lda)
    untrained = DepthMapMatcher(*test)
    for name in ("plain_to_plain", "masked_to_plain"):
        assert rank_1(matcher, name) > rank_1(untrained, name)


@pytest.mark.slow
def test_ridge_and_dimensions_are_chosen_on_people_that_were_held_out(train, monkeypatch):
    table, maps = train
    fitted, judged = [], []
    fit, judge = baselines.fit_lda, baselines._rank_1
    monkeypatch.setattr(baselines, "fit_lda", lambda m, people, *a: fitted.append(set(people)) or fit(m, people, *a))
    monkeypatch.setattr(baselines, "_rank_1", lambda m: judged.append(set(m.table["identity"])) or judge(m))
    learn_lda(maps, table)
    *tries, last = fitted
    assert len(tries) == len(baselines.RIDGES_MM2)
    assert len(judged) == len(baselines.RIDGES_MM2) * len(baselines.DIMENSIONS)
    for tried in tries:
        assert not tried & judged[0]
        assert tried | judged[0] == last == set(table["identity"])


def test_similarities_are_minus_clipped_distances_of_levelled_maps(test):
    table, maps = test
    matcher = DepthMapMatcher(table, maps)
    flat = maps - np.nanmedian(maps[:, UPPER], axis=1, keepdims=True)
    first, second = np.array([0, 5, 100]), np.array([3, 80, 9])
    wanted = -np.stack([clipped_distance(flat[second], flat[row], 3.0) for row in first])
    assert np.array_equal(matcher.similarity(first, second), wanted)
    assert matcher.pair_similarity(first, second) == pytest.approx(np.diag(wanted))
    assert matcher.similarity(first[:0], second).shape == (0, 3)


def test_the_first_choice_that_is_as_good_but_for_chance_is_taken():
    good, fair, bad = np.array([1.0, 1, 1, 0.5]), np.array([1.0, 1, 1, 0.2]), np.array([1.0, 0.5, 1, 0.2])
    assert within_an_error({(20.0, 20): bad, (10.0, 20): fair, (2.0, 20): good}) == (10.0, 20)
    assert within_an_error({(20.0, 20): bad, (2.0, 20): good}) == (2.0, 20)
    assert within_an_error({(20.0, 20): good, (2.0, 20): good}) == (20.0, 20)
    assert within_an_error({(20.0, 20): np.zeros(1)}) == (20.0, 20)


def test_too_few_people_to_learn_from():
    table = people_table(5, 2)
    with pytest.raises(UserError, match="5 people to train on, at least 6 are needed: name a dataset that has more"):
        learn_lda(np.zeros((10, len(GRID)), np.float32), table)


def aligned(shift_mm=0.0):
    frame = manifest(n_people=3, n_captures=2, n_points=600, splits=("test",))
    for number, place in enumerate(frame["place"]):
        rng = np.random.default_rng(number)
        xy = rng.uniform(-60, 60, (600, 2))
        place.arrays["points"] = np.column_stack([xy, -0.005 * (xy**2).sum(1) - shift_mm]).astype("f4")
    return frame


def test_maps_of_a_datasets_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "BATCH", 4)
    dataset, told = Dataset(build(tmp_path / "d", aligned())), []
    maps = depth_maps(dataset, "test", [5, 0, 1, 4, 2], told.append)
    assert maps.shape == (5, len(GRID))
    assert told == [4, 5]
    assert np.nanmean(np.abs(maps[0] + 0.005 * (GRID**2).sum(1))) < 1
    alone = depth_maps(dataset, "test", np.array([4]))
    assert np.array_equal(maps[3], alone[0], equal_nan=True)


def test_points_that_are_not_aligned_are_refused_with_the_remedy(tmp_path):
    dataset = Dataset(build(tmp_path / "d", aligned(shift_mm=700.0)))
    with pytest.raises(UserError, match="needs points in the face frame, and these cover 0% of its grid: put align_3d"):
        depth_maps(dataset, "test", range(6))


def test_a_dataset_without_points_is_refused(tmp_path):
    from made import spec_of

    dataset = Dataset(build(tmp_path / "d", aligned(), spec_of(fields=["depth"])))
    with pytest.raises(UserError, match="contains no 'points'"):
        depth_maps(dataset, "test", range(6))
