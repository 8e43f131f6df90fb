"""Loss of latent part detection: identity from the face and from its latent part, and the visible share of the face."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from face3d_training.losses.base import LossSpec
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.losses.loss_module import LossModule


@register
class LatentPart(LossSpec):
    """Cross-entropies of the face and of its part, and the error of the visible share (Ding et al. 2020).

    CE(global) + CE(part) + ratio_weight × |visible_ratio − known|; doi 10.1145/3394171.3413731, with weights of 1 and
    linear heads without bias, as the authors' code (mindspore-ai/models, research/cv/MaskedFaceRecognition).
    """

    name: ClassVar[str] = "lpd"
    needs: ClassVar[tuple[str, ...]] = ("global_embedding", "part_embedding", "visible_ratio")
    needs_labels: ClassVar[tuple[str, ...]] = ("visible_ratio",)

    head: Literal["linear", "cosine"] = Field(
        "linear", description="logits: products with each person's weights, or cosines times scale"
    )
    scale: float = Field(30.0, gt=0, description="factor of cosines (cosine)")
    ratio_weight: float = Field(1.0, ge=0, description="factor of the error of the visible share")

    def build(self, n_classes: int, embedding_size: int) -> LossModule:
        """Return the loss for this number of people; each of the two embeddings has half of the joint length."""
        from face3d_training.losses.lpd_loss import LpdLoss

        return LpdLoss(self, n_classes, embedding_size // 2)
