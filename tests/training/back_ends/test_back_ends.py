"""Back-ends against slow twins: LDA by scikit-learn, PLDA by joint Gaussians, normalisation by loops."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

sys.path.insert(0, str(Path(__file__).parent))
from made_people import SIZE, draw, model, separation

from face3d_data.errors import UserError
from face3d_training.back_ends.back_end import BACK_ENDS, BackEnd
from face3d_training.back_ends.discriminant import people_scatter
from face3d_training.back_ends.learn import learn_back_end, shrunk_within
from face3d_training.evaluation.learnt_matchers import BackEndMatcher


def likelihood_ratio(a, b, mean, between, within):
    """Return log p(a, b | one person) - log p(a, b | two people), from the joint Gaussians."""
    total = between + within
    pair, both = np.concatenate([a, b]), np.concatenate([mean, mean])
    alike = np.block([[total, between], [between, total]])
    apart = np.block([[total, np.zeros_like(total)], [np.zeros_like(total), total]])
    return multivariate_normal.logpdf(pair, both, alike) - multivariate_normal.logpdf(pair, both, apart)


def covariances(back_end):
    """Return the covariances f8 (E, E) between and within people that a PLDA with all directions stands for."""
    root = np.linalg.inv(back_end.directions.astype(np.float64)).T
    return root @ np.diag(back_end.between) @ root.T, root @ root.T


def test_scores_of_plda_are_the_likelihood_ratios_of_the_joint_gaussians():
    learnt = learn_back_end("plda", *draw(60, 5))
    assert learnt.directions.shape == (SIZE, SIZE)
    between, within = covariances(learnt)
    faces, _ = draw(4, 2, seed=5)
    mean = learnt.mean.astype(np.float64)
    wanted = [[likelihood_ratio(a, b, mean, between, within) for b in faces] for a in faces]
    assert learnt.score(faces, faces) == pytest.approx(np.array(wanted), rel=1e-9, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 5))
def test_the_closed_form_holds_for_any_directions(seed, size):
    rng = np.random.default_rng(seed)
    learnt = BackEnd(
        "plda", rng.normal(size=size), rng.normal(size=(size, size)) + 2 * np.eye(size), rng.uniform(1e-3, 20, size)
    )
    a, b = rng.normal(size=(2, size)) * 2
    wanted = likelihood_ratio(a, b, learnt.mean, *covariances(learnt))
    assert learnt.score(a[None], b[None])[0, 0] == pytest.approx(wanted, rel=1e-5, abs=1e-5)


def test_plda_finds_the_model_that_embeddings_were_drawn_from():
    learnt = learn_back_end("plda", *draw(4000, 5))
    between, within = covariances(learnt)
    _, true_between, true_within = model()
    assert np.linalg.norm(between - true_between) < 0.1 * np.linalg.norm(true_between)
    assert np.linalg.norm(within - true_within) < 0.05 * np.linalg.norm(true_within)


def test_likelihood_ratios_are_calibrated():
    """Of pairs with a likelihood ratio near r, genuine ones are r times as frequent per pair as impostors."""
    learnt = learn_back_end("plda", *draw(4000, 5))
    faces, people = draw(1000, 3, seed=3)
    scores, (first, second) = learnt.score(faces, faces), np.triu_indices(len(faces), 1)
    alike, scores = (people[first] == people[second]), scores[first, second]
    for low, high in ((-1, 0), (0, 1), (1, 2), (2, 3)):
        inside = (scores > low) & (scores < high)
        ratio = (inside[alike].mean()) / inside[~alike].mean()
        assert low < np.log(ratio) < high


def test_directions_of_lda_are_those_of_scikit_learn():
    vectors, people = draw(40, 6)
    learnt = learn_back_end("lda", vectors, people)
    scatter = people_scatter(vectors, people)
    share = ledoit_wolf_shrinkage(scatter.within, assume_centered=True)
    assert 0 < share < 1
    other = LinearDiscriminantAnalysis(solver="eigen", shrinkage=share).fit(vectors, people)
    # scikit-learn shrinks every person's scatter; with as many captures of each, that is the pooled one
    ours, theirs = (v / np.linalg.norm(v, axis=0) for v in (learnt.directions, other.scalings_[:, :SIZE]))
    assert np.abs(np.sum(ours * theirs, axis=0)) == pytest.approx(np.ones(SIZE), abs=0.02)


def test_scores_of_lda_are_cosines_in_directions_with_equal_scatter_within():
    vectors, people = draw(40, 6)
    learnt = learn_back_end("lda", vectors, people)
    within = shrunk_within(people_scatter(vectors, people))
    assert learnt.directions.T @ within @ learnt.directions == pytest.approx(np.eye(SIZE), abs=1e-5)
    projected = learnt.project(vectors)
    assert np.linalg.norm(projected, axis=1) == pytest.approx(np.ones(len(vectors)))
    assert learnt.score(vectors[:3], vectors) == pytest.approx(projected[:3] @ projected.T)


def test_there_are_no_more_directions_than_people_can_span():
    vectors, people = draw(4, 6)
    assert learn_back_end("lda", vectors, people).directions.shape == (SIZE, 3)


@pytest.mark.parametrize("kind", ["asnorm", "lda+asnorm", "plda+asnorm"])
def test_normalised_scores_equal_those_of_plain_loops(kind):
    vectors, people = draw(30, 4)
    learnt = learn_back_end(kind, vectors, people, cohort=20, top=7)
    assert learnt.cohort.shape == (20, SIZE)
    plain = replace(learnt, cohort=None)
    faces, _ = draw(5, 2, seed=8)
    against, found = plain.score(faces, learnt.cohort), learnt.score(faces, faces)
    for i in range(len(faces)):
        for j in range(len(faces)):
            score = plain.score(faces[i : i + 1], faces[j : j + 1])[0, 0]
            parts = [np.sort(against[k])[::-1][:7] for k in (i, j)]
            assert found[i, j] == pytest.approx(np.mean([(score - p.mean()) / p.std() for p in parts]))


def test_the_bare_cosine_is_what_is_normalised_without_lda_or_plda():
    vectors, people = draw(30, 4)
    plain = replace(learn_back_end("asnorm", vectors, people), cohort=None)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert plain.score(vectors[:5], vectors) == pytest.approx(unit[:5] @ unit.T)


@pytest.mark.parametrize("kind", BACK_ENDS)
def test_scores_have_no_direction_and_pairs_are_those_of_the_matrix(kind):
    learnt = learn_back_end(kind, *draw(30, 4))
    faces, _ = draw(6, 3, seed=4)
    scores = learnt.score(faces, faces)
    assert scores == pytest.approx(scores.T)
    matcher = BackEndMatcher("m", None, learnt, faces)
    first, second = np.array([0, 3, 5, 5]), np.array([4, 1, 5, 0])
    assert matcher.pair_similarity(first, second) == pytest.approx(scores[first, second])
    assert matcher.similarity(first, second) == pytest.approx(scores[np.ix_(first, second)])


def test_lda_and_plda_recognise_new_people_better_than_distances():
    faces, people = draw(60, 4, seed=9)
    bare = separation(-np.linalg.norm(faces[:, None] - faces, axis=2), people)
    for kind in ("lda", "plda"):
        assert separation(learn_back_end(kind, *draw(300, 4)).score(faces, faces), people) > bare + 0.02


def test_the_cohort_is_drawn_by_the_seed():
    vectors, people = draw(30, 4)
    one, same, other = (learn_back_end("asnorm", vectors, people, cohort=8, seed=seed).cohort for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_order_of_embeddings_does_not_matter():
    vectors, people = draw(30, 4)
    mixed = np.random.default_rng(0).permutation(len(people))
    one, two = learn_back_end("plda", vectors, people), learn_back_end("plda", vectors[mixed], people[mixed])
    assert one.score(vectors[:4], vectors) == pytest.approx(two.score(vectors[:4], vectors), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "vectors", "people", "message"),
    [
        ("ldaa", np.zeros((4, 2)), list("aabb"), "no back-end 'ldaa'.*did you mean 'lda'"),
        ("lda", np.zeros((4, 2)), list("aabb"), "2 people to learn from, at least 3"),
        ("plda", np.eye(3), list("abc"), "one embedding"),
        ("lda", np.full((4, 2), np.nan), list("aabb"), "4 embeddings are not finite"),
        ("lda", np.zeros((4, 2)), list("aab"), "shape"),
    ],
)
def test_what_cannot_be_learnt_is_refused_in_one_line(kind, vectors, people, message):
    with pytest.raises(UserError, match=message) as refused:
        learn_back_end(kind, vectors, np.array(people))
    assert "\n" not in str(refused.value)


def test_people_who_do_not_differ_are_refused():
    rng = np.random.default_rng(0)
    vectors = np.tile(rng.normal(size=(4, 5)), (30, 1))  # the same four captures of everybody
    with pytest.raises(UserError, match="do not differ more"):
        learn_back_end("plda", vectors, np.repeat(np.arange(30), 4))


@pytest.mark.parametrize("kind", ["lda", "plda"])
def test_a_collapsed_network_is_refused(kind):
    with pytest.raises(UserError, match="has collapsed"):
        learn_back_end(kind, np.full((8, 3), 0.5), np.repeat(list("abcd"), 2))


def test_embeddings_of_another_network_are_refused():
    learnt = learn_back_end("lda", *draw(30, 4))
    with pytest.raises(UserError, match=r"takes embeddings of 6 numbers, these have the shape \(2, 5\)"):
        learnt.score(np.zeros((2, 5)), np.zeros((2, 5)))
