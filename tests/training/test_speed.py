"""What a network costs: exact counts, and timings that hang together."""

import pytest
import torch
from torch import nn

from face3d_training.speed import count_flops, count_parameters, measure_cost


def small_net():
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 5, 4, bias=False))


def test_counts_equal_those_by_hand():
    net = small_net()
    assert count_parameters(net) == 3 * 8 + 8 + 40 * 4
    assert count_flops(net, torch.zeros(1, 5, 3)) == 2 * (5 * 3 * 8 + 40 * 4)


def test_what_is_frozen_is_not_learnt_and_what_is_shared_counts_once():
    net = small_net()
    net[0].bias.requires_grad_(False)
    assert count_parameters(nn.ModuleList([net, net])) == 3 * 8 + 40 * 4


def test_a_convolution_counts_each_place_of_its_kernel():
    net = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    assert count_flops(net, torch.zeros(1, 2, 6, 7)) == 2 * 6 * 7 * 3 * 2 * 9


def test_timings_are_those_of_the_batches_asked_for():
    net = small_net().train()
    cost = measure_cost(net, torch.ones(3, 5, 3), batch_sizes=(1, 7), seconds=0)
    assert [timing.batch_size for timing in cost.timings] == [1, 7]
    for timing in cost.timings:
        assert timing.runs == 3
        assert timing.ms_a_face > 0
        assert timing.ms_a_face * timing.faces_a_second == pytest.approx(1000)
    assert cost.device.startswith("CPU, ")
    assert net.training


def test_batches_larger_than_the_faces_given_repeat_them():
    seen = []

    class Spy(nn.Linear):
        def forward(self, faces):
            seen.append(faces.clone())
            return super().forward(faces)

    measure_cost(Spy(1, 1), torch.tensor([[1.0], [2.0]]), batch_sizes=(5,), seconds=0)
    assert seen[-1].ravel().tolist() == [1, 2, 1, 2, 1]
