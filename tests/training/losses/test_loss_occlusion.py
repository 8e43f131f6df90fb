"""Occlusion loss against plain loops: known cells alone count, and a map's cells are averaged to the network's."""

import math

import pytest
import torch

from face3d_training.registry import make_spec

LOSS = make_spec("loss", "occlusion", {}).build(2, 8)


def test_it_is_the_cross_entropy_of_known_cells():
    torch.manual_seed(0)
    logits = torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)
    given = torch.rand(3, 4, 6, dtype=torch.float64)
    given[2] = torch.nan
    given[0, 0, 0] = torch.nan
    value = LOSS({"occlusion": logits}, {"map_occlusion": given})
    terms, right = [], 0
    for sample in range(2):
        for row in range(2):
            for column in range(3):
                cells = given[sample, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
                if torch.isnan(cells).any():
                    continue
                target, logit = float(cells.mean()), logits[sample, row, column].item()
                share = 1 / (1 + math.exp(-logit))
                terms.append(-target * math.log(share) - (1 - target) * math.log(1 - share))
                right += (logit > 0) == (target > 0.5)
    assert len(terms) == 11
    assert value.loss.item() == pytest.approx(sum(terms) / 11, abs=1e-12)
    assert value.stats["right"].item() == pytest.approx(right / 11)
    value.loss.backward()
    assert torch.isfinite(logits.grad).all()
    assert not logits.grad[2].any()
    assert logits.grad[:2].any()


def test_nothing_is_learnt_where_nothing_is_known():
    logits = torch.zeros(2, 4, 4, requires_grad=True)
    value = LOSS({"occlusion": logits}, {"map_occlusion": torch.full((2, 8, 8), torch.nan)})
    assert value.read().loss is None
    value.loss.backward()
    assert not logits.grad.any()
