"""Triplet loss: the module of the options in `triplet`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from face3d_data.errors import UserError
from face3d_training.losses.loss_module import LossModule, LossValue, TensorBatch
from face3d_training.models.embedding_net import Outputs

if TYPE_CHECKING:
    from face3d_training.losses.triplet import Triplet


MOST_AT_ONCE = 1 << 18
"""Triplets that are compared together: a few MB, which a processor's cache holds, whatever the batch."""


class TripletLoss(LossModule):
    """The loss of `Triplet`, computed from B × B matrices.

    Every triplet's loss is a difference of two distances, so the sum over the valid ones is linear in the matrix of
    distances: a pair counts as often as it is the near pair of a valid triplet, less as often as it is the far one.
    These counts are found pair by pair of one person against all negatives at once, without a list of triplets, of
    which there are millions in a batch of a thousand samples.
    """

    def __init__(self, spec: Triplet) -> None:
        super().__init__()
        self.margin, self.mining = spec.margin, spec.mining
        self.distance = spec.distance

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the loss; nothing is learnt without a valid triplet.

        Stats are `valid_triplets`, those with a loss above 0 that the mean is over, and `valid_share`, their share of
        all triplets that there were to choose from (with `batch_hard`, of the anchors that have one). Where none is
        valid also `separated`: 1 if in each triplet of the batch, of which there is one at least, the negative is
        further away than the positive, else 0.

        Raises:
            UserError: the batch brings triplets, and they are to be mined by `batch_hard`.
        """
        apart = self._distances(outputs["embedding"])
        if "triplet" in batch:
            counted = self._count_given(apart.detach(), batch["triplet"])
        elif self.mining == "batch_hard":
            counted = self._count_hardest(apart.detach(), batch["label"])
        else:
            counted = self._count_mined(apart.detach(), batch["label"])
        valid = counted.valid
        learns = valid > 0
        least_one = valid.clamp(min=1)
        loss = _SumOfValid.apply(apart, counted.weights, counted.total) / least_one
        stats = {
            "valid_triplets": valid,
            "valid_share": valid / counted.candidates.clamp(min=1),
            "separated": torch.where(learns, torch.nan, counted.separated.float()),
        }
        return LossValue(loss, stats, learns)

    def _distances(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return the distances of all pairs, (B, B)."""
        if self.distance == "euclidean":
            return torch.cdist(embedding, embedding)
        unit = functional.normalize(embedding)
        return 1 - unit @ unit.T

    @torch.no_grad()
    def _count_mined(self, apart: torch.Tensor, label: torch.Tensor) -> _Counted:
        """Return the counts over all triplets of a batch that the mining chooses."""
        same = label[:, None] == label
        size = len(label)
        anchors, positives = (same & ~torch.eye(size, dtype=torch.bool, device=label.device)).nonzero(as_tuple=True)
        weights = torch.zeros_like(apart)
        total, valid = apart.new_zeros(()), torch.zeros((), dtype=torch.int64, device=label.device)
        pairs_at_once = max(1, MOST_AT_ONCE // max(size, 1))
        for some, near in zip(anchors.split(pairs_at_once), positives.split(pairs_at_once), strict=True):
            lead = apart[some, near][:, None] - apart[some]
            violation = lead + self.margin
            chosen = (violation > 0) & ~same[some] & self._is_mined(lead)
            weights.index_add_(0, some, chosen.to(apart.dtype), alpha=-1)
            weights.index_put_((some, near), chosen.sum(1).to(apart.dtype), accumulate=True)
            total += torch.where(chosen, violation, 0).sum()
            valid += chosen.sum()
        alike = same.sum(1)
        hardest = _hardest(apart, same)
        return _Counted(weights, total, valid, ((alike - 1) * (size - alike)).sum(), self._separated(hardest))

    @torch.no_grad()
    def _count_hardest(self, apart: torch.Tensor, label: torch.Tensor) -> _Counted:
        """Return the counts over each anchor's furthest positive with its nearest negative."""
        hardest = _hardest(apart, label[:, None] == label)
        violation = hardest.furthest - hardest.nearest + self.margin
        chosen = hardest.there & (violation > 0)
        anchors = torch.arange(len(label), device=label.device)
        weights = torch.zeros_like(apart)
        ones = chosen.to(apart.dtype)
        weights.index_put_((anchors, hardest.positives), ones, accumulate=True)
        weights.index_put_((anchors, hardest.negatives), -ones, accumulate=True)
        total = torch.where(chosen, violation, 0).sum()
        return _Counted(weights, total, chosen.sum(), hardest.there.sum(), self._separated(hardest))

    @torch.no_grad()
    def _count_given(self, apart: torch.Tensor, triplets: torch.Tensor) -> _Counted:
        """Return the counts over those of the batch's own triplets that the mining chooses."""
        if self.mining == "batch_hard":
            raise UserError(
                "loss.triplet.mining: batch_hard chooses among all samples of a batch, not among given triplets: "
                "choose all, hard or semihard, or leave out triplets.offline"
            )
        anchors, positives, negatives = triplets.unbind(1)
        lead = apart[anchors, positives] - apart[anchors, negatives]
        violation = lead + self.margin
        chosen = (violation > 0) & self._is_mined(lead)
        ones = chosen.to(apart.dtype)
        weights = torch.zeros_like(apart)
        weights.index_put_((anchors, positives), ones, accumulate=True)
        weights.index_put_((anchors, negatives), -ones, accumulate=True)
        total = torch.where(chosen, violation, 0).sum()
        count = torch.tensor(len(triplets), device=apart.device)
        separated = (lead + self.margin < self.margin).all() & (count > 0)
        return _Counted(weights, total, chosen.sum(), count, separated)

    def _is_mined(self, lead: torch.Tensor) -> torch.Tensor:
        """Return which triplets the mining chooses.

        Args:
            lead: d(anchor, positive) − d(anchor, negative): above or at 0 the negative is no further away.
        """
        if self.mining == "hard":
            return lead >= 0
        return lead < 0 if self.mining == "semihard" else torch.ones_like(lead, dtype=torch.bool)

    def _separated(self, hardest: _Hardest) -> torch.Tensor:
        """Return whether each anchor's furthest positive is nearer than its nearest negative; not without anchors."""
        solved = hardest.furthest - hardest.nearest + self.margin < self.margin
        return (solved | ~hardest.there).all() & hardest.there.any()


@dataclass(frozen=True)
class _Counted:
    """Valid triplets of a batch: their number, their sum, and how often each distance counts in it.

    Attributes:
        weights: (B, B), how often a pair's distance counts in the sum of their losses: more where it is the near one.
        total: (), that sum.
        valid: i8 (), how many they are; `candidates`, i8 (), how many there were to choose from.
        separated: bool (), see `TripletLoss.forward`.
    """

    weights: torch.Tensor
    total: torch.Tensor
    valid: torch.Tensor
    candidates: torch.Tensor
    separated: torch.Tensor


@dataclass(frozen=True)
class _Hardest:
    """For each anchor (B,): its furthest positive and nearest negative, their distances, and whether it has both."""

    positives: torch.Tensor
    negatives: torch.Tensor
    furthest: torch.Tensor
    nearest: torch.Tensor
    there: torch.Tensor


def _hardest(apart: torch.Tensor, same: torch.Tensor) -> _Hardest:
    own = torch.eye(len(same), dtype=torch.bool, device=same.device)
    furthest, positives = apart.masked_fill(~same | own, -torch.inf).max(1)
    nearest, negatives = apart.masked_fill(same, torch.inf).min(1)
    there = (furthest > -torch.inf) & (nearest < torch.inf)
    return _Hardest(positives, negatives, furthest, nearest, there)


class _SumOfValid(torch.autograd.Function):
    """The sum of the valid triplets' losses, and its gradient with respect to the distances: their weights."""

    @staticmethod
    def forward(ctx: Any, apart: torch.Tensor, weights: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(weights)
        return total.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (weights,) = ctx.saved_tensors
        return gradients[0] * weights, None, None
