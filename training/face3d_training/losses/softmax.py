"""Softmax losses, which classify the training people: cross-entropy and the focal loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from face3d_training.losses.base import LossSpec
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.losses.softmax_loss import ClassifierLoss


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
        from face3d_training.losses.softmax_loss import ClassifierLoss

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
        from face3d_training.losses.softmax_loss import ClassifierLoss

        return ClassifierLoss(n_classes, embedding_size, self.scale, gamma=self.gamma)
