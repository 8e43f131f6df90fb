from collections import Counter, defaultdict
from itertools import combinations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_rows import manifest

from face3d_data.tables.pairs import make_pairs, pairs_csv, pairs_txt
from face3d_data.tables.split import person_of


@st.composite
def face_sets(draw):
    """Frames of 0 to 9 people with 1 to 4 captures, each in 1 to 3 variants."""
    rows = []
    for person in range(draw(st.integers(0, 9))):
        for capture in range(draw(st.integers(1, 4))):
            rows += [(f"d/p{person}", f"c{capture}", v) for v in ("plain", "aug:0", "aug:1")[: draw(st.integers(1, 3))]]
    return manifest(rows)


def naive_counts(frame, people):
    """Count genuine and impostor pairs among some people by looking at every two rows."""
    rows = [row for row in zip(frame["identity"], frame["origin_id"], strict=True) if person_of(row[0]) in people]
    genuine = sum(a[0] == b[0] and a[1] != b[1] for a, b in combinations(rows, 2))
    impostor = sum(person_of(a[0]) != person_of(b[0]) for a, b in combinations(rows, 2))
    return genuine, impostor


def check(frame, pairs):
    info = {row.id: row for row in frame.itertuples()}
    seen, folds = set(), defaultdict(set)
    for pair in pairs.pairs:
        a, b = info[pair.first.id], info[pair.second.id]
        people = {person_of(a.identity), person_of(b.identity)}
        assert (a.identity, a.origin_id) == (pair.first.identity, pair.first.origin)
        if pair.same:
            assert a.identity == b.identity
            assert a.origin_id != b.origin_id
        else:
            assert len(people) == 2
        assert frozenset((a.id, b.id)) not in seen
        seen.add(frozenset((a.id, b.id)))
        folds[pair.fold] |= people
    for one, other in combinations(folds.values(), 2):
        assert not one & other
    assert set(Counter((p.fold, p.same) for p in pairs.pairs).values()) <= {pairs.per_fold}


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(face_sets(), st.integers(1, 6), st.integers(1, 8), st.integers(0, 3))
def test_pairs_are_right_balanced_and_disjoint(frame, folds, per_fold, seed):
    pairs = make_pairs(frame, folds, per_fold, seed)
    check(frame, pairs)
    people = set(map(person_of, frame["identity"]))
    able = [p for p in people if frame[frame["identity"] == p]["origin_id"].nunique() > 1]
    want = min(folds, len(people) // 2, max(1, len(able))) if len(people) >= 4 else 1
    assert pairs.folds == want
    assert len(pairs.pairs) == 2 * pairs.folds * pairs.per_fold
    assert pairs.per_fold <= per_fold
    assert bool(pairs.notes) == (pairs.per_fold < per_fold or pairs.folds < folds)


@settings(max_examples=60, deadline=None)
@given(face_sets(), st.integers(1, 40))
def test_one_list_has_as_many_pairs_as_exist(frame, per_fold):
    pairs = make_pairs(frame, 1, per_fold, 0)
    genuine, impostor = naive_counts(frame, set(map(person_of, frame["identity"])))
    assert pairs.per_fold == min(per_fold, genuine, impostor)


def test_exact_folds():
    frame = manifest([(f"d/p{i}", f"c{j}") for i in range(12) for j in range(4)])
    pairs = make_pairs(frame, 10, 300, 1)
    assert (pairs.folds, pairs.per_fold) == (6, 12)
    assert pairs.notes == (
        "pairs: 6 folds, 10 wanted: 12 people, 12 of them with two captures",
        "pairs: 12 genuine and 12 impostor per fold, 300 requested: not enough exist",
    )
    full = make_pairs(frame, 3, 5, 1)
    assert (full.folds, full.per_fold, full.notes) == (3, 5, ())


def test_people_with_one_capture_are_dealt_evenly():
    frame = manifest([(f"d/p{i}", f"c{j}") for i in range(20) for j in range(2 if i < 5 else 1)])
    pairs = make_pairs(frame, 5, 1, 0)
    assert (pairs.folds, pairs.per_fold) == (5, 1)
    check(frame, pairs)


@pytest.mark.parametrize(("n_people", "folds"), [(3, 1), (4, 2), (5, 2), (6, 3)])
def test_fewer_than_four_people_give_one_list(n_people, folds):
    pairs = make_pairs(manifest([(f"d/p{i}", f"c{j}") for i in range(n_people) for j in range(3)]), 10, 2, 0)
    assert pairs.folds == folds
    assert pairs.per_fold == 2
    if n_people == 3:
        assert pairs.notes == ("pairs: 3 people are too few for folds: one list",)
        assert pairs_txt(pairs).splitlines()[0] == "2"


def test_genuine_pairs_are_spread_over_people():
    frame = manifest(
        [("d/big", f"c{j}") for j in range(60)] + [(f"d/p{i}", f"c{j}") for i in range(9) for j in range(5)]
    )
    pairs = make_pairs(frame, 1, 50, 0)
    assert Counter(pair.first.identity for pair in pairs.pairs if pair.same) == dict.fromkeys(
        ["d/big", *(f"d/p{i}" for i in range(9))], 5
    )


def test_variants_of_one_capture_are_never_genuine():
    frame = manifest([(f"d/p{i}", "c0", v) for i in range(6) for v in ("plain", "aug:0", "aug:1")])
    pairs = make_pairs(frame, 1, 10, 0)
    assert pairs.per_fold == 0
    assert pairs.pairs == ()


def test_mirrored_people_are_neither_genuine_nor_impostors_of_themselves():
    plain = manifest([(f"d/p{i}", f"c{j}") for i in range(4) for j in range(2)])
    mirrored = plain.assign(identity=plain["identity"] + "~mirror", id=plain["id"] + "~mirror~00000000")
    frame = pd.concat([plain, mirrored], ignore_index=True)
    pairs = make_pairs(frame, 2, 4, 0)
    assert pairs.per_fold == 4
    check(frame, pairs)


def test_rows_order_does_not_matter_but_the_seed_does():
    frame = manifest([(f"d/p{i}", f"c{j}") for i in range(12) for j in range(4)])
    assert make_pairs(frame, 3, 6, 1) == make_pairs(frame.iloc[::-1], 3, 6, 1)
    assert make_pairs(frame, 3, 6, 1) != make_pairs(frame, 3, 6, 2)


@pytest.mark.slow
def test_many_samples_are_no_square():
    frame = manifest([(f"d/p{i}", f"c{j}") for i in range(40) for j in range(500)])
    pairs = make_pairs(frame, 10, 300, 0)
    assert (pairs.folds, pairs.per_fold) == (10, 300)
    check(frame, pairs)


def test_written_forms():
    frame = manifest([("d/a b", "1"), ("d/a b", "2"), ("d/zoë", "1"), ("d/zoë", "2")])
    pairs = make_pairs(frame, 1, 2, 0)
    text = pairs_txt(pairs).split("\n")
    assert text[0] == "2"
    assert text[-1] == ""
    assert sorted(text[1:3]) == [
        "d__a%20b\td__a%20b__1\td__a%20b__2",
        "d__zo%C3%AB\td__zo%C3%AB__1\td__zo%C3%AB__2",
    ]
    assert all(len(line.split("\t")) == 4 for line in text[3:5])
    lines = pairs_csv(pairs).split("\n")
    assert lines[0] == "fold,same,id1,name1,id2,name2"
    assert lines[1].startswith("0,1,d__")
    assert lines[3].startswith("0,0,d__")
    four = make_pairs(manifest([(f"d/p{i}", f"c{j}") for i in range(4) for j in range(3)]), 2, 3, 0)
    assert pairs_txt(four).splitlines()[0] == "2\t3"
    assert len(pairs_txt(four).splitlines()) == 1 + 2 * 2 * 3


@st.composite
def two_sided_sets(draw):
    """Frames in which each capture is plain, masked or both, and which rows are plain."""
    rows = []
    for person in range(draw(st.integers(0, 9))):
        for capture in range(draw(st.integers(1, 4))):
            variants = draw(
                st.sampled_from([("plain",), ("mask:a.0",), ("plain", "mask:a.0"), ("mask:a.0", "mask:b.0")])
            )
            rows += [(f"d/p{person}", f"c{capture}", variant) for variant in variants]
    frame = manifest(rows)
    return frame, [int(variant == "plain") for variant in frame["variant"]]


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(two_sided_sets(), st.integers(1, 4), st.integers(1, 8), st.integers(0, 3))
def test_pairs_of_two_sides_join_a_sample_of_each_the_first_of_side_0(case, folds, per_fold, seed):
    frame, sides = case
    pairs = make_pairs(frame, folds, per_fold, seed, sides)
    check(frame, pairs)
    side = dict(zip(frame["id"], sides, strict=True))
    assert all((side[pair.first.id], side[pair.second.id]) == (0, 1) for pair in pairs.pairs)
    if pairs.folds == 1:
        rows = list(zip(frame["identity"], frame["origin_id"], sides, strict=True))
        crossed = [(a, b) for a, b in combinations(rows, 2) if a[2] != b[2]]
        genuine = sum(a[0] == b[0] and a[1] != b[1] for a, b in crossed)
        assert pairs.per_fold == min(per_fold, genuine, sum(a[0] != b[0] for a, b in crossed))


def test_few_masked_among_many_plain_are_all_used():
    rows = [(f"d/p{i}", f"c{j}") for i in range(30) for j in range(200)]
    frame = manifest([*rows, *((f"d/p{i}", "c0", "mask:a.0") for i in range(30))])
    sides = [int(variant == "plain") for variant in frame["variant"]]
    pairs = make_pairs(frame, 3, 200, 0, sides)
    assert (pairs.folds, pairs.per_fold) == (3, 200)
    check(frame, pairs)
    assert {pair.first.identity for pair in pairs.pairs} == {f"d/p{i}" for i in range(30)}
