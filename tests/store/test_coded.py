"""A column of codes gives the values that were put in, whatever is done to it."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from face3d_data.store.coded import MISSING, Coded, combined, joined

VALUES = st.lists(st.sampled_from(["a", "b", "", 1, 1.0, True, False, 0, 2.5, None]), max_size=12)


def exactly(values):
    return [(type(value), value) for value in values]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_values_come_back_with_their_types(values):
    column = Coded.of(values)
    assert len(column) == len(values)
    assert exactly(column.objects()) == exactly(values)
    assert exactly(column[i] for i in range(len(values))) == exactly(values)
    assert len(set(exactly(column.values))) == len(column.values)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(VALUES, VALUES, st.data())
def test_rows_are_taken_joined_and_laid_over(one, other, data):
    first, second = Coded.of(one), Coded.of(other)
    assert exactly(joined([first, second]).objects()) == exactly([*one, *other])
    rows = data.draw(st.lists(st.integers(0, len(one) - 1), max_size=8)) if one else []
    assert exactly(first.take(np.array(rows, int)).objects()) == exactly(one[i] for i in rows)
    n = min(len(one), len(other))
    over = Coded.of(one[:n]).over(Coded.of(other[:n]))
    assert exactly(over.objects()) == exactly(b if a is None else a for a, b in zip(one, other, strict=False))


def test_a_question_is_asked_once_for_each_value_and_once_for_none():
    asked = []
    column = Coded.of(["x", None, "y", "x"])
    holds = column.where(lambda value: asked.append(value) or value != "y")
    assert holds.tolist() == [True, True, False, True]
    assert asked == ["x", "y", None]
    assert column.mapped(str.upper).objects().tolist() == ["X", None, "Y", "X"]
    assert Coded.same(None, 2).codes.tolist() == [MISSING] * 2


def test_values_that_have_no_hash_are_kept():
    assert Coded.of([[1], [2], [1]]).objects().tolist() == [[1], [2], [1]]


def test_tuples_stay_tuples():
    assert Coded.of([("a", "b"), ("c", "d")]).objects().tolist() == [("a", "b"), ("c", "d")]


@given(VALUES, st.lists(st.integers(0, 11), max_size=6))
def test_only_values_that_rows_have_are_used(values, rows):
    some = Coded.of(values).take(np.array([row for row in rows if row < len(values)], np.int64))
    assert exactly(some.used().objects()) == exactly(some.objects())
    assert sorted(set(some.used().codes.tolist()) - {MISSING}) == list(range(len(some.used().values)))


@given(VALUES, st.lists(st.sampled_from(["x", "y"]), min_size=12, max_size=12), st.sampled_from(["z", None]))
def test_columns_are_combined_row_by_row(values, others, same):
    columns = [Coded.of(values), Coded.of(others[: len(values)]), Coded.same(same, len(values))]
    found = combined(lambda *row: repr(row), columns)
    assert found.objects().tolist() == [
        repr((value, other, same)) for value, other in zip(values, others, strict=False)
    ]
