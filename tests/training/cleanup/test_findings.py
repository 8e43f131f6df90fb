"""Findings of a clean-up, on hand-made embeddings: exact lists."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from labeled import along, faces_of

from face3d_data.errors import UserError
from face3d_training.cleanup.clusters import ClusterRule
from face3d_training.cleanup.duplicates import ALIKE, SAME_CONTENT, duplicate_groups
from face3d_training.cleanup.faces import labeled_faces
from face3d_training.cleanup.findings import find

ANNA = [("d/anna/1", 1), ("d/anna/2", 1), ("d/anna/3", 1)]
BERT = [("d/bert/1", 2), ("d/bert/2", 2), ("d/bert/3", 2)]


def found(faces, **options) -> list[tuple[str, str, str, str]]:
    return [(one.reason, one.id, one.person, one.like) for one in find(faces, ClusterRule(**options)).findings]


def test_clean_labels_have_no_findings():
    assert found(faces_of(*ANNA, *BERT)) == []


def test_a_capture_of_somebody_else_is_given_to_them():
    assert found(faces_of(*ANNA, *BERT, ("d/anna/4", 2))) == [("other_person", "d/anna/4", "d/anna", "d/bert")]


def test_similarities_are_cosines_to_the_means_of_main_clusters():
    faces = faces_of(*ANNA, *BERT, ("d/anna/4", 2))
    (one,) = find(faces, ClusterRule()).findings
    rows = {face: row for row, face in enumerate(faces.ids)}
    vector = faces.vectors[rows["d/anna/4"]]
    for person, similarity in (("anna", one.similarity), ("bert", one.like_similarity)):
        mean = sum(faces.vectors[rows[f"d/{person}/{number}"]].astype(float) for number in (1, 2, 3))
        assert similarity == pytest.approx(vector @ mean / np.linalg.norm(mean), abs=1e-6)


def test_nobody_known_is_an_outlier_alone_and_a_person_where_there_are_several():
    faces = faces_of(*ANNA, *BERT, ("d/anna/4", 3), ("d/anna/5", 4), ("d/bert/4", 5), ("d/bert/5", 5))
    assert found(faces) == [
        ("unknown_person", "d/bert/4", "d/bert", ""),
        ("unknown_person", "d/bert/5", "d/bert", ""),
        ("outlier", "d/anna/4", "d/anna", ""),
        ("outlier", "d/anna/5", "d/anna", ""),
    ]
    assert find(faces, ClusterRule()).findings[0].detail == "one of 2 that look like one another"


def test_two_names_of_one_person_are_candidates_and_not_blocked():
    cleanup = find(faces_of(*ANNA, *BERT, ("d/anne/1", 1), ("d/anne/2", 1)), ClusterRule())
    assert [(one.reason, one.person, one.like) for one in cleanup.findings] == [("same_person", "d/anne", "d/anna")]
    assert cleanup.blocked == []


def test_a_person_and_their_mirror_image_are_no_two_names():
    assert found(faces_of(*ANNA, ("d/anna~mirror/1", 1), ("d/anna~mirror/2", 1))) == []


def test_a_copy_under_another_name_is_a_duplicate_of_the_one_in_the_main_cluster():
    faces = faces_of(*ANNA, *BERT, ("d/bert/0", 1), contents=["x", "", "", "", "", "", "x"])
    assert found(faces) == [
        ("other_person", "d/bert/0", "d/bert", "d/anna"),
        ("duplicate", "d/bert/0", "d/bert", "d/anna/1"),
    ]
    assert find(faces, ClusterRule()).blocked == ["d/bert/0"]


def test_variants_of_one_capture_are_no_duplicates():
    captures = ["d/anna/1", "d/anna/2", "d/anna/1"]
    rows = [("d/anna/1", 1), ("d/anna/2", 1), ("d/anna/1~mask", 1)]
    assert found(faces_of(*rows, captures=captures, contents=["x", "y", "x"])) == []
    several = faces_of(*rows, captures=captures, contents=["x", "x", "x"])
    assert [one[1:] for one in found(several)] == [("d/anna/2", "d/anna", "d/anna/1")]


def test_equal_embeddings_are_duplicates_without_content():
    vectors = np.array([along(1), along(1, 1), along(1, 2), along(1, 1) * 3])
    faces = labeled_faces("here", ["d/a/1", "d/a/2", "d/a/3", "d/a/4"], ["d/a"] * 4, vectors)
    assert duplicate_groups(faces) == [([1, 3], ALIKE)]
    again = labeled_faces("here", list(faces.ids), ["d/a"] * 4, vectors, contents=["", "x y", "", "y"])
    assert duplicate_groups(again) == [([1, 3], SAME_CONTENT)]


def test_the_order_of_the_input_means_nothing():
    rng = np.random.default_rng(3)
    ids = [f"d/p{number % 9}/{number}" for number in range(60)]
    people, vectors = [one.rpartition("/")[0] for one in ids], rng.normal(size=(60, 3))
    first = find(labeled_faces("here", ids, people, vectors), ClusterRule()).findings
    order = rng.permutation(60)
    other = labeled_faces("here", [ids[k] for k in order], [people[k] for k in order], vectors[order])
    assert repr(find(other, ClusterRule()).findings) == repr(first)
    assert len(first) > 10


def test_progress_ends_where_the_work_does():
    told = {}
    find(faces_of(*ANNA, *BERT), ClusterRule(), lambda part, done, total: told.update({part: (done, total)}))
    assert told == {"clusters": (2, 2), "people": (2, 2), "duplicates": (6, 6)}


@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        (["a/1"], [[1.0, 0]], "here: contains 1 embeddings: a clean-up compares at least 2"),
        (["a/1", "a/1"], [[1.0, 0]] * 2, "here: two embeddings have the id 'a/1': give each its own"),
        (["a/1", "a/2"], [[1.0, 0], [0, 0]], "here: 1 embeddings are 0 or not finite, the first of 'a/2'"),
        (["a/1", "a/2"], [[np.nan, 0], [0, 1]], "here: 1 embeddings are 0 or not finite, the first of 'a/1'"),
    ],
)
def test_what_cannot_be_compared_is_refused(ids, vectors, message):
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        labeled_faces("here", ids, ["a"] * len(ids), np.array(vectors))
