"""Base of losses: options that build a module, and a module from outputs and a batch to one number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from face3d_training.models.base import Outputs
from face3d_training.registry import Spec

TensorBatch = dict[str, torch.Tensor]
"""A batch as losses see it: `label` i8 (B,), 0 … classes − 1; `masked` bool (B,); `visible_ratio` f4 (B,), NaN = not
known; with offline triplets also `triplet` i8 (T, 3), places of anchor, positive and negative in the batch."""


@dataclass(frozen=True)
class LossValue:
    """Result of a loss on a batch.

    Attributes:
        loss: scalar, differentiable; None where there was nothing to learn from (no valid triplet): no step is made.
        stats: numbers for the log, such as `valid_triplets`.
    """

    loss: torch.Tensor | None
    stats: dict[str, float] = field(default_factory=dict)


class LossModule(nn.Module):
    """A loss with what it learns itself (class centres); `forward` is what a family writes."""

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the loss of a whole batch."""
        raise TypeError(f"{type(self).__name__} defines no forward()")


class LossSpec(Spec):
    """Options of a loss.

    Attributes:
        needs: outputs that the network must have in addition to `embedding`.
        needs_labels: arrays of the batch that it reads in addition to `label`, such as `visible_ratio`.
    """

    kind: ClassVar[str] = "loss"
    needs: ClassVar[tuple[str, ...]] = ()
    needs_labels: ClassVar[tuple[str, ...]] = ()

    weight: float = Field(1.0, ge=0, description="factor in the sum of losses")

    def build(self, n_classes: int, embedding_size: int) -> LossModule:
        """Return the loss for this number of people and this length of embeddings."""
        raise TypeError(f"{type(self).__name__} defines no build()")
