import numpy as np
import pytest
from scipy.spatial.distance import cdist
from score_matcher import ScoreMatcher, people_table

from face3d_data.errors import UserError
from face3d_training.evaluation.metrics.matcher import EmbeddingMatcher, score_pairs, similarity_blocks


@pytest.fixture
def matcher():
    rng = np.random.default_rng(0)
    return EmbeddingMatcher("net", people_table(10, 3), rng.normal(size=(30, 16)).astype(np.float32))


def test_similarity_is_minus_the_euclidean_distance(matcher):
    first, second = np.array([3, 3, 29]), np.array([0, 3, 12, 7])
    wanted = -cdist(matcher.vectors[first], matcher.vectors[second])
    assert matcher.similarity(first, second) == pytest.approx(wanted, abs=1e-6)
    assert matcher.pair_similarity(first, second[:3]) == pytest.approx(np.diag(wanted), abs=1e-12)
    assert matcher.similarity(np.array([3]), np.array([3]))[0, 0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("count", [5, 200])
def test_pairs_are_scored_alike_one_by_one_and_from_the_matrix(matcher, count):
    rng = np.random.default_rng(1)
    first, second = rng.integers(30, size=(2, count))
    asked = []
    counted = ScoreMatcher(matcher.table, matcher.similarity(np.arange(30), np.arange(30)))
    counted.pair_similarity = lambda a, b: asked.append(len(a)) or counted.scores[a, b]
    assert np.array_equal(score_pairs(counted, first, second), counted.scores[first, second])
    assert asked == ([] if count == 200 else asked)
    assert score_pairs(matcher, first, second) == pytest.approx(counted.scores[first, second], abs=1e-6)


def test_few_pairs_of_many_rows_are_asked_one_by_one():
    table = people_table(50, 2)
    lazy = ScoreMatcher(table, np.arange(10_000.0).reshape(100, 100))
    lazy.similarity = None
    rows = np.arange(100)
    assert np.array_equal(score_pairs(lazy, rows, rows[::-1]), lazy.scores[rows, rows[::-1]])


def test_blocks_are_the_whole_in_parts(matcher):
    first, second = np.arange(30)[::-1], np.arange(7)
    parts = list(similarity_blocks(matcher, first, second, pairs=20))
    assert [len(block) for _, block in parts] == [2] * 15
    whole = np.concatenate([block for _, block in parts])
    assert whole == pytest.approx(matcher.similarity(first, second), abs=1e-9)
    assert [(part.start, part.stop) for part, _ in parts] == [(i, i + 2) for i in range(0, 30, 2)]


def test_embeddings_that_do_not_fit_are_refused():
    table = people_table(2, 2)
    with pytest.raises(UserError, match="net: 3 embeddings for 4 rows: embed the same split"):
        EmbeddingMatcher("net", table, np.zeros((3, 8)))
    wrong = np.zeros((4, 8))
    wrong[2, 1] = np.inf
    with pytest.raises(UserError, match=r"net: the embeddings of 1 row are not finite \(d/p01/c0 …\)"):
        EmbeddingMatcher("net", table, wrong)
