"""Batches of people × samples, and of shuffled samples: who is in them, which samples, and from where they go on."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from face3d_data.errors import UserError
from face3d_training.picks import ranks_in_groups
from face3d_training.sampler import PKSampler, SampledRows, ShuffleSampler, share


def made(sizes, masked_of=None, captures=None, **options):
    """Return a sampler of people with so many samples; `masked_of` says how many of each are masked, the last ones."""
    labels = np.repeat(np.arange(len(sizes)) * 7 + 3, sizes)
    masked = np.concatenate([np.arange(n) >= n - m for n, m in zip(sizes, masked_of or [0] * len(sizes), strict=True)])
    return PKSampler(SampledRows(labels, masked, captures), **options), labels, masked


def batches_of(sampler, epoch=0, start=0):
    sampler.set_epoch(epoch, start)
    return list(sampler)


sizes_and_masks = st.lists(
    st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), min_size=2, max_size=12
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(sizes_and_masks, st.data())
def test_every_batch_has_p_people_with_k_samples_and_nobody_is_left_out(people, data):
    sizes, masked_of = zip(*people, strict=True)
    p = data.draw(st.integers(2, len(sizes)))
    k = data.draw(st.integers(1, 5))
    sampler, labels, masked = made(sizes, masked_of, identities=p, samples=k, seed=data.draw(st.integers(0, 99)))
    epoch = data.draw(st.integers(0, 5))
    found = batches_of(sampler, epoch)
    assert len(found) == len(sampler) == -(-len(sizes) // p)
    seen = set()
    for batch in found:
        rows = np.array([row for row, _, _ in batch])
        people_here = labels[rows].reshape(p, k)
        assert (people_here == people_here[:, :1]).all()
        assert len(set(people_here[:, 0])) == p
        seen |= set(people_here[:, 0])
        for mine in rows.reshape(p, k):
            there = np.flatnonzero(labels == labels[mine[0]])
            mixed = 0 < masked[there].sum() < len(there) and k > 1
            assert not mixed or 0 < masked[mine].sum() < k
            if not mixed:
                assert len(set(mine)) == min(k, len(there))
    assert seen == set(labels)
    assert {drawn for batch in found for _, drawn, _ in batch} == {epoch}


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(sizes_and_masks, st.integers(0, 3), st.integers(0, 30))
def test_an_epoch_goes_on_in_its_middle_as_if_it_had_not_stopped(people, epoch, start):
    sizes, masked_of = zip(*people, strict=True)
    options = {"identities": 2, "samples": 3, "iterations": 12, "seed": 5}
    whole = batches_of(made(sizes, masked_of, **options)[0], epoch)
    assert batches_of(made(sizes, masked_of, **options)[0], epoch, start) == whole[start:]


def test_each_occurrence_of_a_sample_in_an_epoch_is_another_copy():
    sampler, _, _ = made([1, 2, 5], identities=2, samples=4, iterations=9)
    draws = [draw for batch in batches_of(sampler, 2) for draw in batch]
    counts = Counter(row for row, _, _ in draws)
    assert max(counts.values()) > 4
    for row, count in counts.items():
        assert [copy for drawn, _, copy in draws if drawn == row] == list(range(count))


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_processes_share_the_same_batches(world):
    options = {"identities": 4, "samples": 4, "seed": 1}
    whole = batches_of(made([6] * 10, [3] * 10, **options)[0], 1)
    shares = [batches_of(made([6] * 10, [3] * 10, rank=rank, world=world, **options)[0], 1) for rank in range(world)]
    for number, batch in enumerate(whole):
        parts = [shares[rank][number] for rank in range(world)]
        assert [draw for part in parts for draw in part] == batch
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_seeds_and_epochs_draw_others_and_the_same_draw_the_same():
    def draw(seed, epoch):
        return batches_of(made([8] * 12, [4] * 12, identities=4, samples=4, seed=seed)[0], epoch)

    assert draw(1, 0) == draw(1, 0)
    assert [[r for r, _, _ in b] for b in draw(1, 0)] != [[r for r, _, _ in b] for b in draw(1, 1)]
    assert draw(1, 0) != draw(2, 0)


def test_masked_and_plain_are_taken_after_their_numbers_and_not_mixed_if_not_asked():
    sampler, _, masked = made([12] * 4, [9] * 4, identities=4, samples=4)
    for epoch in range(5):
        (batch,) = batches_of(sampler, epoch)
        assert masked[[row for row, _, _ in batch]].reshape(4, 4).sum(1).tolist() == [3] * 4
    sampler, _, masked = made([12] * 4, [9] * 4, identities=4, samples=4, mix_masked=False)
    found = {int(masked[[row for row, _, _ in batches_of(sampler, epoch)[0]]].sum()) for epoch in range(20)}
    assert len(found) > 1


@pytest.mark.parametrize(("size", "masked", "k"), [(8, 0, 4), (12, 4, 3), (12, 6, 4), (9, 0, 3)])
def test_each_sample_has_its_turn_before_one_comes_again(size, masked, k):
    sampler, _, _ = made([size] * 3, [masked] * 3, identities=3, samples=k)
    for first in (0, size // k):
        taken = Counter(row for epoch in range(size // k) for row, _, _ in batches_of(sampler, first + epoch)[0])
        assert set(taken.values()) == {1}
        assert len(taken) == 3 * size


@pytest.mark.parametrize("captures", [None, ["ann"] * 8 + ["bob"] * 8], ids=["a capture each", "one capture"])
def test_groups_of_a_persons_samples_are_drawn_anew(captures):
    sampler, _, _ = made([8] * 2, identities=2, samples=4, captures=captures)
    groups = {frozenset(row for row, _, _ in batches_of(sampler, epoch)[0] if row < 8) for epoch in range(40)}
    assert len(groups) > 10


def test_who_fills_up_the_last_batch_gives_other_samples_there():
    sampler, labels, _ = made([8] * 3, identities=2, samples=4)
    draws = [draw for batch in batches_of(sampler) for draw in batch]
    taken = Counter(labels[row] for row, _, _ in draws)
    assert sorted(taken.values()) == [4, 4, 8]
    assert {copy for _, _, copy in draws} == {0}


def test_samples_of_different_captures_are_taken_together():
    """Each of four captures in plain and in three masks: a batch of four has them all, in any pass."""
    labels = np.repeat(np.arange(5), 16)
    masked = np.tile(np.arange(16) % 4 > 0, 5)
    captures = [f"{label}/{place // 4}" for label, place in zip(labels, np.tile(np.arange(16), 5), strict=True)]
    sampler = PKSampler(SampledRows(labels, masked, captures), 5, 4, seed=2)
    for epoch in range(12):
        (batch,) = batches_of(sampler, epoch)
        taken = np.array([captures[row] for row, _, _ in batch]).reshape(5, 4)
        assert all(len(set(mine)) == 4 for mine in taken)
        assert masked[[row for row, _, _ in batch]].reshape(5, 4).sum(1).tolist() == [3] * 5
    assert sampler.single_capture == 0
    assert PKSampler(SampledRows(labels, masked, [str(label) for label in labels]), 5, 4).single_capture == 5


def test_few_iterations_go_on_in_the_next_epoch():
    sampler, labels, _ = made([3] * 10, identities=2, samples=2, iterations=2)
    seen = [labels[row] for epoch in range(5) for batch in batches_of(sampler, epoch) for row, _, _ in batch[::2]]
    assert Counter(seen) == dict.fromkeys(labels, 2)


@pytest.mark.parametrize(
    ("sizes", "options", "text"),
    [
        ([5], {"identities": 4, "samples": 4}, "5 samples of 1 identity: .*at least two people"),
        ([3, 3, 3], {"identities": 4, "samples": 4}, "batch.identities is 4, but there are only 3 people.*set it to 3"),
        ([3, 3], {"identities": 1, "samples": 4}, "batch.identities is 1"),
        ([3, 3], {"identities": 2, "samples": 2, "world": 3}, "is 4: each of 3 processes needs 2 samples"),
    ],
)
def test_too_few_people_are_told_with_the_remedy(sizes, options, text):
    with pytest.raises(UserError, match=text):
        made(sizes, **options)


def test_shuffled_batches_hold_everything_and_fill_up_the_last_one():
    sampler = ShuffleSampler(10, 4, seed=3)
    found = batches_of(sampler, 0)
    assert [len(batch) for batch in found] == [4, 4, 4]
    rows = [row for batch in found for row, _, _ in batch]
    assert sorted(rows[:10]) == list(range(10))
    assert rows[10:] == rows[:2]
    assert [copy for batch in found for _, _, copy in batch] == [0] * 10 + [1] * 2
    assert rows != [row for batch in batches_of(sampler, 1) for row, _, _ in batch]
    assert batches_of(sampler, 1, 2) == batches_of(sampler, 1)[2:]


def test_fewer_samples_than_a_batch_takes_are_one_batch():
    (batch,) = batches_of(ShuffleSampler(5, 128))
    assert sorted(batch) == [(row, 0, 0) for row in range(5)]


@pytest.mark.parametrize(("n", "size", "text"), [(1, 8, "samples to learn from is 1"), (8, 3, "batch.size is 3")])
def test_too_few_samples_for_the_processes_are_told(n, size, text):
    with pytest.raises(UserError, match=text):
        ShuffleSampler(n, size, world=2)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=30))
def test_ranks_equal_those_of_a_plain_loop(rows):
    first, second, key = np.array(rows).T
    expected = []
    for i, (a, b, k) in enumerate(rows):
        expected.append(sum((c, d) == (a, b) and (m, j) < (k, i) for j, (c, d, m) in enumerate(rows)))
    assert ranks_in_groups(first, second, key=key).tolist() == expected


@given(st.integers(2, 100), st.integers(1, 9))
def test_shares_are_contiguous_and_even(size, world):
    parts = [np.arange(size)[share(size, rank, world)] for rank in range(world)]
    assert np.concatenate(parts).tolist() == list(range(size))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
