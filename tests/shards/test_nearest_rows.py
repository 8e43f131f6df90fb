"""Nearest rows of other splits: those of a plain search, in blocks; by Faiss' index nearly all, the same each time."""

import numpy as np
import pytest

from face3d_data.shards.audit import nearest_rows
from face3d_data.shards.audit.nearest_rows import nearest_across, nearest_by_index


def pairs(found):
    return set(map(tuple, found.pairs.tolist()))


def plain(descriptors, ranks, most):
    wanted = set()
    for one in range(len(ranks)):
        before = np.flatnonzero(ranks < ranks[one]).tolist()
        apart = sorted((float(np.linalg.norm(descriptors[one] - descriptors[other])), other) for other in before)[:3]
        wanted |= {(one, other) for distance, other in apart if distance <= most}
    return wanted


@pytest.mark.parametrize("blocks", [(1024, 8192), (3, 5)])
@pytest.mark.parametrize("jobs", [1, 2])
def test_nearest_rows_are_those_of_a_plain_search(monkeypatch, blocks, jobs):
    monkeypatch.setattr(nearest_rows, "QUERIES_AT_ONCE", blocks[0])
    monkeypatch.setattr(nearest_rows, "ROWS_AT_ONCE", blocks[1])
    found = np.random.default_rng(0).standard_normal((60, 4)).astype("f4")
    ranks = np.repeat([0, 1, 2], [30, 10, 20])
    wanted = plain(found, ranks, 1.5)
    assert pairs(nearest_across(found, ranks, 1.5, jobs)) == wanted
    assert len(wanted) > 20


def test_equal_rows_are_all_near_and_three_of_them_count():
    found = nearest_across(np.ones((40, 4), "f4"), np.repeat([0, 1], 20), 0.1)
    assert len(found.pairs) == 60
    assert set(found.pairs[:, 0].tolist()) == set(range(20, 40))


def test_no_block_is_larger_than_asked_for(monkeypatch):
    """So that memory does not grow with the square of the rows."""
    monkeypatch.setattr(nearest_rows, "QUERIES_AT_ONCE", 7)
    monkeypatch.setattr(nearest_rows, "ROWS_AT_ONCE", 11)
    sizes, nonzero = [], np.nonzero

    def seen(array):
        if array.ndim == 2:  # distances of a block
            sizes.append(array.size)
        return nonzero(array)

    monkeypatch.setattr(nearest_rows.np, "nonzero", seen)
    rng = np.random.default_rng(0)
    nearest_across(rng.standard_normal((300, 4)).astype("f4"), np.repeat([0, 1], [200, 100]), 1.0)
    assert max(sizes) == 7 * 11


def planted(n=6000, k=32):
    """Rows of three splits, a tenth of the last of which are near a row of the first."""
    rng = np.random.default_rng(1)
    found = rng.standard_normal((n, k)).astype("f4")
    ranks = np.repeat([0, 1, 2], [n * 7 // 10, n // 10, n * 2 // 10])
    copies = np.flatnonzero(ranks == 2)[::10]
    found[copies] = found[copies - 4000] + 0.05 * rng.standard_normal((len(copies), k)).astype("f4")
    return found, ranks, {(int(one), int(one) - 4000) for one in copies}


def test_the_index_finds_what_an_exact_search_finds_each_time():
    pytest.importorskip("faiss", reason="the extra faiss is not installed")
    found, ranks, copies = planted()
    exact, first, again = nearest_across(found, ranks, 1.0), *(nearest_by_index(found, ranks, 1.0) for _ in range(2))
    assert pairs(exact) == copies
    assert pairs(first) == pairs(again) == copies
    assert first.checked > 20
    assert first.found == first.checked
    assert (exact.checked, exact.found) == (0, 0)


def test_the_index_searches_more_lists_until_enough_is_found(monkeypatch):
    pytest.importorskip("faiss", reason="the extra faiss is not installed")
    monkeypatch.setattr(nearest_rows, "FIRST_PROBES", 1)
    found, ranks, _ = planted()
    loose = nearest_by_index(found, ranks, 6.0)  # of such neighbours, most are in other lists
    exact = nearest_across(found, ranks, 6.0)
    assert loose.found >= 0.99 * loose.checked
    assert len(pairs(loose) & pairs(exact)) >= 0.97 * len(pairs(exact))
