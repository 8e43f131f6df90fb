"""Plain losses: a torch module or a function of embeddings and labels as a loss of this program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from face3d_data.errors import UserError
from face3d_training.losses.loss_module import LossModule, LossValue, TensorBatch
from face3d_training.models.embedding_net import Outputs


class PlainLoss(LossModule):
    """A module or function of embeddings f4 (B, E), unit length, and labels i8 (B,), as a loss.

    Args:
        loss: the module or function, which returns a scalar.
        name: for messages.
    """

    def __init__(self, loss: Callable[..., Any], name: str) -> None:
        super().__init__()
        self.loss, self.name = loss, name

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return its result.

        Raises:
            UserError: the result is not a scalar.
        """
        value = self.loss(outputs["embedding"], batch["label"])
        if isinstance(value, LossValue):
            return value
        if not torch.is_tensor(value) or value.numel() != 1:
            got = f"a tensor {tuple(value.shape)}" if torch.is_tensor(value) else type(value).__name__
            raise UserError(f"loss {self.name}: returns {got}: return one number as a tensor, such as its mean")
        return LossValue(value.reshape(()))

    def class_scores(self, embedding: torch.Tensor) -> torch.Tensor | None:
        """Return f4 (B, C), what the module's `get_logits` gives, as those of pytorch-metric-learning have it."""
        logits = getattr(self.loss, "get_logits", None)
        return None if logits is None else logits(embedding)
