"""Softmax losses, which classify the training people: cross-entropy and the focal loss."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from face3d_training.losses.base import LossModule, LossSpec, LossValue, TensorBatch
from face3d_training.models.base import Outputs
from face3d_training.registry import register


@register
class Softmax(LossSpec):
    """Cross-entropy of a linear classifier on the embeddings.

    Embeddings have unit length; `scale` times that is what the classifier sees, as otherwise its logits could not
    differ enough among many people (Ranjan et al. 2017, L2-constrained softmax, arXiv 1703.09507).
    """

    name: ClassVar[str] = "softmax"

    scale: float = Field(16.0, gt=0, description="length that embeddings are brought to before the classifier")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="label smoothing: share of the target that is distributed evenly over all people"
    )

    def build(self, n_classes: int, embedding_size: int) -> ClassifierLoss:
        """Return the loss with a fresh classifier."""
        return ClassifierLoss(n_classes, embedding_size, self.scale, label_smoothing=self.label_smoothing)


@register
class Focal(LossSpec):
    """Cross-entropy in which well classified samples count less: (1 − p)^gamma · −log p.

    p is the probability given to the right person. Lin et al. 2017, Focal loss for dense object detection (arXiv
    1708.02002), for one person out of many instead of object or not.
    """

    name: ClassVar[str] = "focal"

    gamma: float = Field(
        2.0, ge=0, description="focusing exponent: how much less well-classified samples count; 0: cross-entropy"
    )
    scale: float = Field(16.0, gt=0, description="length that embeddings are brought to before the classifier")

    def build(self, n_classes: int, embedding_size: int) -> ClassifierLoss:
        """Return the loss with a fresh classifier."""
        return ClassifierLoss(n_classes, embedding_size, self.scale, gamma=self.gamma)


class ClassifierLoss(LossModule):
    """The loss of `Softmax` and of `Focal`.

    Args:
        n_classes: people.
        embedding_size: length of an embedding.
        scale: factor of embeddings.
        label_smoothing: share of the target that is spread over all people.
        gamma: exponent of the focal factor.
    """

    def __init__(
        self, n_classes: int, embedding_size: int, scale: float, label_smoothing: float = 0.0, gamma: float = 0.0
    ) -> None:
        super().__init__()
        self.classifier = nn.Linear(embedding_size, n_classes)
        self.scale, self.label_smoothing, self.gamma = scale, label_smoothing, gamma

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the mean over the batch; stat `accuracy` is the share that the classifier gets right."""
        label = batch["label"]
        logits = self.classifier(self.scale * outputs["embedding"])
        losses = functional.cross_entropy(logits, label, reduction="none", label_smoothing=self.label_smoothing)
        if self.gamma:
            # 1 − p; kept above 0, where a power below 1 has no slope.
            losses = (-torch.expm1(-losses)).clamp(min=1e-12) ** self.gamma * losses
        return LossValue(losses.mean(), {"accuracy": accuracy(logits, label)})


def accuracy(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Return the share of rows whose largest logit is that of the label, ()."""
    return (logits.argmax(1) == label).float().mean()
