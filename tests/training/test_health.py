"""Figures of a batch's embeddings, against plain loops."""

import math
from itertools import combinations

import pytest
import torch

from face3d_training.health import embedding_stats
from face3d_training.interrupt import graceful
from face3d_training.losses.loss_module import LossValue


def test_figures_are_those_of_plain_loops():
    vectors = torch.nn.functional.normalize(torch.randn(9, 5, generator=torch.Generator().manual_seed(1)), dim=1)
    label = torch.tensor([0, 0, 1, 1, 1, 2, 3, 3, 4])
    pairs = {True: [], False: []}
    for i, j in combinations(range(9), 2):
        pairs[bool(label[i] == label[j])].append(math.dist(vectors[i].tolist(), vectors[j].tolist()))
    mean = vectors.mean(0)
    spread = math.sqrt(sum(math.dist(v.tolist(), mean.tolist()) ** 2 for v in vectors) / 9)
    stats = embedding_stats(vectors, label)
    assert stats["spread"] == pytest.approx(spread, rel=1e-5)
    assert stats["genuine"] == pytest.approx(sum(pairs[True]) / len(pairs[True]), rel=1e-4)
    assert stats["impostor"] == pytest.approx(sum(pairs[False]) / len(pairs[False]), rel=1e-4)


def test_equal_embeddings_have_no_spread_and_absent_pairs_no_figure():
    figures = embedding_stats(torch.eye(3)[:1].repeat(4, 1), torch.zeros(4, dtype=torch.int64))
    stats = LossValue(None, figures).read().stats
    assert stats == {"spread": 0.0, "genuine": 0.0}


def test_an_interrupt_is_a_question_once_and_an_end_twice():
    import os
    import signal

    said: list[str] = []
    before = signal.getsignal(signal.SIGINT)
    with graceful(said.append) as asked:
        assert not asked()
        os.kill(os.getpid(), signal.SIGINT)
        assert asked()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert len(said) == 1
