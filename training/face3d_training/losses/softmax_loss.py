"""Softmax losses: the module of the options in `softmax`."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from face3d_training.losses.loss_module import LossModule, LossValue, TensorBatch
from face3d_training.models.embedding_net import Outputs


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
        logits = self.class_scores(outputs["embedding"])
        losses = functional.cross_entropy(logits, label, reduction="none", label_smoothing=self.label_smoothing)
        if self.gamma:
            # 1 − p; kept above 0, where a power below 1 has no slope.
            losses = (-torch.expm1(-losses)).clamp(min=1e-12) ** self.gamma * losses
        return LossValue(losses.mean(), {"accuracy": accuracy(logits, label)})

    def class_scores(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return f4 (B, C), the logits."""
        return self.classifier(self.scale * embedding)


def accuracy(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Return the share of rows whose largest logit is that of the label, ()."""
    return (logits.argmax(1) == label).float().mean()
