"""Clusters of embeddings: against a plain loop, and by hand."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from labeled import faces_of

from face3d_training.cleanup.clusters import ClusterRule, unit_mean
from face3d_training.cleanup.main_clusters import PersonClusters, people_clusters

MERGE = {"average": np.mean, "complete": np.max, "single": np.min}


def clusters_by_hand(vectors, rule) -> set[frozenset[int]]:
    """Join the two nearest clusters, again and again, until they are farther apart than the threshold."""
    clusters = [[row] for row in range(len(vectors))]

    def apart(first, second):
        cosines = [1 - float(vectors[a] @ vectors[b]) for a in first for b in second]
        return MERGE[rule.linkage](cosines if rule.affinity == "cosine" else np.sqrt(2 * np.maximum(cosines, 0)))

    while len(clusters) > 1:
        first, second = min(itertools.combinations(clusters, 2), key=lambda pair: apart(*pair))
        if apart(first, second) > rule.threshold:
            break
        clusters = [one for one in clusters if one is not first and one is not second] + [first + second]
    return {frozenset(one) for one in clusters}


@pytest.mark.slow
@pytest.mark.parametrize("affinity", ["cosine", "euclidean"])
@pytest.mark.parametrize("linkage", ["average", "complete", "single"])
def test_clusters_are_those_of_a_plain_loop(affinity, linkage):
    rng = np.random.default_rng(5)
    for threshold in (0.2, 0.5, 0.9):
        vectors = rng.normal(size=(24, 4))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        rule = ClusterRule(affinity, linkage, threshold, person_threshold=2.0)
        labels = rule.clusters(vectors)
        assert {frozenset(np.flatnonzero(labels == one).tolist()) for one in set(labels)} == clusters_by_hand(
            vectors, rule
        )
        assert list(dict.fromkeys(labels.tolist())) == list(range(labels.max() + 1))


def test_the_threshold_itself_still_joins():
    vectors = np.array([[1.0, 0], [0, 1]])
    assert ClusterRule("cosine", "average", 1.0).clusters(vectors).tolist() == [0, 0]
    assert ClusterRule("cosine", "average", 0.999).clusters(vectors).tolist() == [0, 1]
    assert ClusterRule("cosine").clusters(vectors[:1]).tolist() == [0]


@pytest.mark.parametrize(("captures", "degrees", "expected"), [(4, 44, 2), (4, 40, 1), (1, 44, 1)])
def test_two_people_who_look_alike_are_parted_by_their_means(captures, degrees, expected):
    """1 - cos 44° is 0.281 and 1 - cos 40° 0.234, below the threshold; a group of one capture is nobody."""
    turned = np.radians([*np.linspace(-1, 1, 4), *np.linspace(degrees - 1, degrees + 1, captures)])
    labels = ClusterRule().clusters(np.stack([np.cos(turned), np.sin(turned)], axis=1))
    assert labels.max() + 1 == expected
    assert labels.tolist() == [0] * 4 + [expected - 1] * captures


def test_euclidean_defaults_are_the_cosine_ones_in_its_unit():
    assert ClusterRule.of("euclidean") == ClusterRule("euclidean", "average", pytest.approx(0.9**0.5), 0.5)
    assert ClusterRule.of("cosine", "single", 0.7) == ClusterRule("cosine", "single", 0.7, 0.125)
    rng = np.random.default_rng(2)
    vectors = rng.normal(size=(30, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    both = [ClusterRule.of(one, "single").clusters(vectors).tolist() for one in ("cosine", "euclidean")]
    assert both[0] == both[1]
    near = [ClusterRule.of(one).are_near(vectors[:5], vectors, 2).tolist() for one in ("cosine", "euclidean")]
    assert near[0] == near[1]


def test_a_single_capture_may_be_twice_as_far_from_a_person():
    turned = np.radians([0, 35, 50])  # cosine distances 0, 0.181 and 0.357
    vectors = np.stack([np.cos(turned), np.sin(turned)], axis=1)
    assert ClusterRule().are_near(vectors[:1], vectors, captures=2).tolist() == [[True, False, False]]
    assert ClusterRule().are_near(vectors[:1], vectors, captures=1).tolist() == [[True, True, False]]


def test_the_mean_has_unit_length_but_where_embeddings_cancel_out():
    assert unit_mean(np.array([[3.0, 0], [0, 3]])) == pytest.approx([0.5**0.5] * 2)
    assert unit_mean(np.array([[1.0, 0], [-1, 0]])).tolist() == [0, 0]


def test_the_largest_cluster_is_the_main_one():
    faces = faces_of(("d/a/1", 2), ("d/a/2", 1), ("d/a/3", 1), ("d/b/1", 3))
    assert people_clusters(faces, ClusterRule()) == {
        "d/a": PersonClusters((1, 2), ((0,),)),
        "d/b": PersonClusters((3,)),
    }


def test_of_equally_large_clusters_one_that_looks_like_nobody_else_stays():
    faces = faces_of(("d/a/1", 2), ("d/a/2", 1), ("d/b/1", 2), ("d/b/2", 2))
    assert people_clusters(faces, ClusterRule())["d/a"] == PersonClusters(
        (1,), ((0,),), "2 clusters of 1 are equally large: the one that looks like nobody else stays"
    )


def test_then_the_tightest_and_then_the_first_by_id():
    tight = faces_of(("d/a/1", 1), ("d/a/4", 1), ("d/a/2", 2), ("d/a/3", 2))
    first, second = people_clusters(tight, ClusterRule())["d/a"].main, tight.ids
    assert [second[row] for row in first] == ["d/a/2", "d/a/3"]  # tilted by 2 and 3 steps; the others by 0 and 1
    alone = faces_of(("d/a/1", 1), ("d/a/2", 2))
    assert people_clusters(alone, ClusterRule())["d/a"].said.endswith("the first by id stays")
    assert people_clusters(alone, ClusterRule())["d/a"].main == (0,)
