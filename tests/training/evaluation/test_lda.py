import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from face3d_training.evaluation.baselines.lda import deviations, fit_lda

RNG = np.random.default_rng(0)
CELLS, PEOPLE, EACH = 30, 12, 8


def faces(seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    person = np.repeat([f"p{i:02d}" for i in range(PEOPLE)], EACH)
    own = np.repeat(rng.normal(size=(PEOPLE, CELLS)) * np.linspace(3, 0.1, CELLS), EACH, axis=0)
    return own + noise * rng.normal(size=own.shape) * np.linspace(0.2, 2, CELLS), person


def test_within_people_the_scatter_is_one_in_every_direction():
    maps, person = faces()
    vectors = fit_lda(maps, person, 1e-9, 6).project(maps)
    assert vectors.shape == (len(maps), 6)
    within = np.concatenate([vectors[person == name] - vectors[person == name].mean(0) for name in np.unique(person)])
    assert within.T @ within / (len(maps) - PEOPLE) == pytest.approx(np.eye(6), abs=1e-6)


def test_directions_are_those_of_scikit_learn():
    maps, person = faces()
    mine = fit_lda(maps, person, 1e-9, 4)
    level = deviations(maps, mine.mean)
    other = LinearDiscriminantAnalysis(solver="eigen", n_components=4).fit(level, person)
    ours, theirs = (v / np.linalg.norm(v, axis=0) for v in (mine.directions, other.scalings_[:, :4]))
    assert np.abs(np.sum(ours * theirs, axis=0)) == pytest.approx(np.ones(4), abs=1e-6)


def test_a_large_ridge_takes_the_directions_in_which_people_differ_most():
    maps, person = faces()
    off = deviations(maps, maps.mean(0))
    centres = np.stack([off[person == name].mean(0) for name in np.unique(person)])
    principal = np.linalg.svd(centres - centres.mean(0), full_matrices=False)[2][0]
    first = fit_lda(maps, person, 1e9, 1).directions[:, 0]
    assert abs(first @ principal) / np.linalg.norm(first) == pytest.approx(1, abs=1e-4)


def test_there_are_no_more_directions_than_people_can_span():
    maps, person = faces()
    assert fit_lda(maps, person, 2.0, 80).directions.shape == (CELLS, PEOPLE - 1)


def test_deviations_are_levelled_and_nothing_where_nothing_is():
    mean = np.linspace(-30, 0, 9)
    maps = np.stack([mean + 5, mean + 5])
    maps[1, 2], maps[1, 4] = np.nan, mean[4] + 25
    found = deviations(maps, mean)
    assert np.array_equal(found[0], np.zeros(9))
    assert found[1].tolist() == [0, 0, 0, 0, 20, 0, 0, 0, 0]


def test_cells_that_nobody_has_do_no_harm():
    maps, person = faces()
    maps[:, 3] = np.nan
    maps[5, 7] = np.nan
    learnt = fit_lda(maps, person, 2.0, 5)
    assert np.isfinite(learnt.project(maps)).all()
