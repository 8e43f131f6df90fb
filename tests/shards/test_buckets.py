"""Buckets: rows lie by their digests, so that one more row changes one bucket, or halves it."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.digest import digest
from face3d_data.shards.buckets import buckets, order_digests


def twin(ordered, most, prefix=""):
    """The same by bits as text: all rows that share a prefix, halved while they are too many."""
    bits = [f"{int(one, 16):0128b}" for one in ordered]
    mine = [i for i, text in enumerate(bits) if text.startswith(prefix)]
    if not mine:
        return []
    if len(mine) <= most or len(prefix) == 128:
        name = f"{int(prefix.ljust(128, '0'), 2):032x}".rstrip("0").ljust(5, "0")
        return [(mine[0], mine[-1] + 1, name)]
    return [*twin(ordered, most, prefix + "0"), *twin(ordered, most, prefix + "1")]


@pytest.mark.parametrize("ids", [[], ["a"], ['"', "ünï/c\\ode\n", "😀", "x" * 300, ""]])
def test_digests_are_those_of_the_package(ids):
    assert list(order_digests(7, ids)) == [digest(7, one) for one in ids]
    assert list(order_digests(-1, ids)) == [digest(-1, one) for one in ids]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 2**128 - 1), st.integers(0, 2**12)), max_size=40), st.integers(1, 9))
def test_buckets_are_the_twins(values, most):
    ordered = sorted(f"{value:032x}" for value in values)
    found = [tuple(one) for one in buckets(ordered, most)]
    assert found == twin(ordered, most)
    assert [name for _, _, name in found] == sorted({name for _, _, name in found})
    assert [i for start, stop, _ in found for i in range(start, stop)] == list(range(len(ordered)))


def test_equal_digests_stay_together():
    assert [tuple(one) for one in buckets(["0" * 32] * 3 + ["f" * 32], 1)] == [(0, 3, "00000"), (3, 4, "80000")]


def test_one_more_row_changes_one_bucket():
    ids = [f"d/p{i}/c0" for i in range(400)]
    ordered = sorted(order_digests(1, ids))
    before = {tuple(ordered[one.start : one.stop]) for one in buckets(ordered, 16)}
    for number in range(30):
        new = sorted([*ordered, *order_digests(1, [f"d/new/{number}"])])
        after = [tuple(new[one.start : one.stop]) for one in buckets(new, 16)]
        changed = [rows for rows in after if rows not in before]
        assert len(changed) in (1, 2), "the bucket of the new row, or both of its halves"
        assert len(before - set(after)) <= 1


def test_buckets_are_filled_between_a_third_and_whole():
    ordered = sorted(order_digests(3, [f"d/p{i}" for i in range(50_000)]))
    sizes = [one.stop - one.start for one in buckets(ordered, 1024)]
    assert max(sizes) <= 1024
    assert min(sizes) > 1024 / 3
    assert bisect_left(ordered, "8") == sum(one.stop - one.start for one in buckets(ordered, 1024) if one.name < "8")
