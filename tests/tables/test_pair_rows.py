import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from split_table import captures, split_table

from face3d_data.tables.pair_rows import every_pair, pairs_in_folds
from face3d_data.tables.split import person_of

PEOPLE = ("a", "b", "b~mirror", "c")


@st.composite
def tables(draw):
    rows = st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["c0", "c1", "c2"]), st.sampled_from(["none", "kn95"]))
    return split_table(draw(st.lists(rows, min_size=1, max_size=14)))


def naive(table, first, second):
    """Return (first, second, same) of every admissible pair, looking at each two rows."""
    alike, found = list(first) == list(second), set()
    for a in first:
        for b in second:
            one, other = table.iloc[a], table.iloc[b]
            if alike and a >= b:
                continue
            if one.identity == other.identity and one.origin_id != other.origin_id:
                found.add((a, b, True))
            elif person_of(one.identity) != person_of(other.identity):
                found.add((a, b, False))
    return found


def as_set(pairs):
    return set(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist(), strict=True))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(tables(), st.booleans())
def test_every_pair_is_what_looking_at_each_two_rows_finds(table, crossed):
    masked = (table["mask"] != "none").to_numpy()
    first = np.flatnonzero(masked) if crossed else np.arange(len(table))
    second = np.flatnonzero(~masked) if crossed else first
    pairs = every_pair(table, first, second)
    wanted = naive(table, first.tolist(), second.tolist())
    assert as_set(pairs) == wanted
    assert len(pairs.first) == len(wanted)
    assert pairs.complete
    assert pairs.fold is None


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(tables(), st.booleans(), st.integers(0, 30), st.integers(0, 3))
def test_where_there_are_more_some_are_drawn_genuine_ones_first(table, crossed, most, seed):
    masked = (table["mask"] != "none").to_numpy()
    first = np.flatnonzero(masked) if crossed else np.arange(len(table))
    second = np.flatnonzero(~masked) if crossed else first
    wanted = naive(table, first.tolist(), second.tolist())
    pairs = every_pair(table, first, second, most, seed)
    assert as_set(pairs) <= wanted
    assert len(as_set(pairs)) == len(pairs.first) <= max(most, 0)
    assert pairs.complete == (len(wanted) <= most)
    if not pairs.complete:
        genuine = sum(same for _, _, same in wanted)
        kept = min(genuine, most // 2) if genuine > most // 2 else genuine
        assert int(pairs.same.sum()) == kept
        assert len(pairs.first) == min(most, kept + len(wanted) - genuine)
        assert "drawn" in pairs.notes[0]


def test_the_draw_is_seeded_and_spread():
    table = split_table(captures(30, 10))
    rows = np.arange(len(table))
    one, again, other = (every_pair(table, rows, rows, 5000, seed) for seed in (0, 0, 1))
    assert as_set(one) == as_set(again) != as_set(other)
    strange = np.concatenate([one.first[~one.same], one.second[~one.same]])
    people = np.bincount(strange // 10, minlength=30)
    assert people.min() > 0.7 * people.mean()
    assert int(one.same.sum()) == 30 * 45


@pytest.mark.slow
@pytest.mark.parametrize("crossed", [False, True])
def test_folds_have_disjoint_people_and_rows_of_both_sides(crossed):
    table = split_table(captures(12, 4, ("none", "kn95"))).sample(frac=1, random_state=0).reset_index(drop=True)
    masked = (table["mask"] != "none").to_numpy()
    first, second = np.flatnonzero(masked), np.flatnonzero(~masked if crossed else masked)
    pairs = pairs_in_folds(table, first, second, 4, 10, 0)
    assert as_set(pairs) <= naive(table, first.tolist(), second.tolist()) | (
        set() if crossed else {(b, a, same) for a, b, same in naive(table, first.tolist(), second.tolist())}
    )
    people = [
        set(table["identity"][np.concatenate([pairs.first, pairs.second])[np.tile(pairs.fold, 2) == k]])
        for k in range(4)
    ]
    assert sum(map(len, people)) == len(set.union(*people)) == 12
    for k in range(4):
        assert np.bincount(pairs.same[pairs.fold == k]).tolist() == [10, 10]
    assert not pairs.complete


def test_one_person_has_no_impostors_and_one_capture_no_genuine_pairs():
    alone = split_table(captures(1, 3))
    assert every_pair(alone, np.arange(3), np.arange(3)).same.tolist() == [True] * 3
    single = split_table(captures(3, 1))
    assert every_pair(single, np.arange(3), np.arange(3)).same.tolist() == [False] * 3
    assert len(pairs_in_folds(alone, np.arange(3), np.arange(3), 2, 5, 0).first) == 0
