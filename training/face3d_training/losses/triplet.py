"""Triplet loss: a person's samples are closer to each other than to anybody else's, by a margin."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner
from pytorch_metric_learning.utils.loss_and_miner_utils import get_all_triplets_indices

from face3d_data.errors import UserError
from face3d_training.losses.base import LossModule, LossSpec, LossValue, TensorBatch
from face3d_training.models.base import Outputs
from face3d_training.registry import register

Triplets = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Places of anchors, positives and negatives in a batch, i8 (T,) each."""


@register
class Triplet(LossSpec):
    """Mean over the chosen triplets of max(0, d(anchor, positive) − d(anchor, negative) + margin).

    Schroff et al. 2015, FaceNet (arXiv 1503.03832). With a negative that is not `margin` further away than the
    positive a triplet is valid; the mean is over valid triplets alone, so that solved ones do not dilute it. Chosen are

    - `all`: every valid triplet of the batch;
    - `hard`: those whose negative is no further away than the positive;
    - `semihard`: those whose negative is further away than the positive, by less than the margin;
    - `batch_hard`: for each anchor its furthest positive with its nearest negative (Hermans et al. 2017, arXiv
      1703.07737).

    Where the batch brings triplets with it (`triplet`), the choice is made among those; `batch_hard` is refused there.
    """

    name: ClassVar[str] = "triplet"

    margin: float = Field(0.2, gt=0, description="margin by which a negative has to be farther away than a positive")
    distance: Literal["euclidean", "cosine"] = Field(
        "euclidean", description="between unit embeddings: their distance, 0 to 2, or 1 − cosine, 0 to 2"
    )
    mining: Literal["all", "hard", "semihard", "batch_hard"] = Field(
        "semihard", description="triplets to train on: all valid ones, or the hard, semihard or batch_hard ones"
    )

    def build(self, n_classes: int, embedding_size: int) -> TripletLoss:
        """Return the loss; it has no weights."""
        return TripletLoss(self)


class TripletLoss(LossModule):
    """The loss of `Triplet`, by pytorch-metric-learning."""

    def __init__(self, spec: Triplet) -> None:
        super().__init__()
        self.margin = spec.margin
        self.mining = spec.mining
        # 1 − cosine differs from minus the cosine, the library's measure, by a constant that no difference sees.
        distance = LpDistance() if spec.distance == "euclidean" else CosineSimilarity()
        self.loss = TripletMarginLoss(margin=spec.margin, distance=distance)
        if spec.mining == "batch_hard":
            self.miner = BatchHardMiner(distance=distance)
        else:
            self.miner = TripletMarginMiner(margin=spec.margin, type_of_triplets=spec.mining, distance=distance)

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the loss, None without a valid triplet.

        Stats are `valid_triplets`, those with a loss above 0 that the mean is over, and `valid_share`, their share of
        all triplets that there were to choose from (with `batch_hard`, of the anchors that have one). Where none is
        valid also `separated`: 1 if in each triplet of the batch, of which there is one at least, the negative is
        further away than the positive, else 0.

        Raises:
            UserError: the batch brings triplets, and they are to be mined by `batch_hard`.
        """
        embedding, label = outputs["embedding"], batch["label"]
        if "triplet" in batch:
            chosen, candidates = self._among(embedding, batch["triplet"]), len(batch["triplet"])
        else:
            chosen = self.miner(embedding, label)
            candidates = len(chosen[0]) if self.mining == "batch_hard" else count_triplets(label)
        valid = int((self._violations(embedding.detach(), chosen) > 0).sum())
        stats = {"valid_triplets": float(valid), "valid_share": valid / candidates if candidates else 0.0}
        if not valid:
            return LossValue(None, stats | {"separated": self._separated(embedding.detach(), batch)})
        return LossValue(self.loss(embedding, label, chosen), stats)

    def _among(self, embedding: torch.Tensor, triplets: torch.Tensor) -> Triplets:
        if self.mining == "batch_hard":
            raise UserError(
                "loss.triplet.mining: batch_hard chooses among all samples of a batch, not among given triplets: "
                "choose all, hard or semihard, or leave out triplets.offline"
            )
        violations = self._violations(embedding.detach(), triplets.unbind(1))
        keep = violations >= 0
        if self.mining == "hard":
            keep = violations >= self.margin
        elif self.mining == "semihard":
            keep &= violations < self.margin
        anchors, positives, negatives = triplets[keep].unbind(1)
        return anchors, positives, negatives

    def _separated(self, embedding: torch.Tensor, batch: TensorBatch) -> float:
        given = batch.get("triplet")
        triplets = get_all_triplets_indices(batch["label"]) if given is None else given.unbind(1)
        wrong = self._violations(embedding, triplets) >= self.margin
        return float(len(wrong) > 0 and not wrong.any())

    def _violations(self, embedding: torch.Tensor, triplets: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Return d(anchor, positive) − d(anchor, negative) + margin, (T,)."""
        anchors, positives, negatives = triplets
        distances = self.loss.distance(embedding)
        return self.loss.distance.margin(distances[anchors, positives], distances[anchors, negatives]) + self.margin


def count_triplets(label: torch.Tensor) -> int:
    """Return how many triplets a batch with these labels has."""
    _, counts = torch.unique(label, return_counts=True)
    return int((counts * (counts - 1) * (len(label) - counts)).sum())
