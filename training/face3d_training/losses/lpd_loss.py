"""Loss of latent part detection: the module of the options in `lpd`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from face3d_training.losses.loss_module import LossModule, LossValue, Number, TensorBatch
from face3d_training.models.embedding_net import Outputs

if TYPE_CHECKING:
    from face3d_training.losses.lpd import LatentPart


START_SPREAD = 0.001
"""Deviation of a linear head's weights at first, as in the authors' code."""


class LpdLoss(LossModule):
    """The loss of latent part detection.

    Args:
        spec: the options.
        n_classes: number of people.
        size: length of `global_embedding` and of `part_embedding`.
    """

    def __init__(self, spec: LatentPart, n_classes: int, size: int) -> None:
        super().__init__()
        self.spec = spec
        self.global_weight = nn.Parameter(torch.empty(n_classes, size))
        self.part_weight = nn.Parameter(torch.empty(n_classes, size))
        for weight in (self.global_weight, self.part_weight):
            nn.init.normal_(weight, std=START_SPREAD)

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the loss of a batch.

        Where no sample's visible share is known (NaN), its term is left out: `ratio_left_out` is 1.

        Returns:
            The loss; stats `global`, `part` and `ratio` (its terms), `known_ratios` (samples), `ratio_left_out`.
        """
        global_term = functional.cross_entropy(
            self._logits(outputs["global_embedding"], self.global_weight), batch["label"]
        )
        part_term = functional.cross_entropy(self._logits(outputs["part_embedding"], self.part_weight), batch["label"])
        known = ~torch.isnan(batch["visible_ratio"])
        error = (outputs["visible_ratio"] - batch["visible_ratio"].nan_to_num()).abs()
        ratio_term = torch.where(known, error, 0).sum() / known.sum().clamp(min=1)
        stats: dict[str, Number] = {
            "global": global_term.detach(),
            "part": part_term.detach(),
            "known_ratios": known.sum(),
            "ratio_left_out": ~known.any(),
            "ratio": torch.where(known.any(), ratio_term.detach(), torch.nan),
        }
        return LossValue(global_term + part_term + self.spec.ratio_weight * ratio_term, stats)

    def class_scores(self, embedding: torch.Tensor) -> torch.Tensor | None:
        """Return f4 (B, C), the sum of both heads' logits of embeddings (B, 2E) of face and part, joined.

        Heads have no bias, so that the length which embeddings lost changes no order.
        """
        size = self.global_weight.shape[1]
        if embedding.shape[1] != 2 * size:
            return None
        whole, part = embedding[:, :size], embedding[:, size:]
        return self._logits(whole, self.global_weight) + self._logits(part, self.part_weight)

    def _logits(self, embedding: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        if self.spec.head == "linear":
            return functional.linear(embedding, weight)
        return self.spec.scale * functional.linear(functional.normalize(embedding), functional.normalize(weight))
