"""Consistency loss: the embedding of a masked face is drawn to that of the same capture without the mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from face3d_training.losses.base import LossSpec
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.losses.consistency_loss import ConsistencyLoss

SAME = "same"


@register
class Consistency(LossSpec):
    """Mean of 1 − cosine between the embedding of a masked face and that of the same capture without the mask.

    Mask-invariant learning, Huber et al. 2021 (MaskInv, arXiv 2112.05646), whose squared distance is twice that. The
    plain embedding is the teacher's and gets no gradient. The teacher is the network itself (`same`), or a trained one
    that stays as it is; then plain faces are drawn to it, too, as both have to come to lie in its space. It needs
    `masks.pairs` and, beside it, a loss that separates people.
    """

    name: ClassVar[str] = "consistency"
    needs_labels: ClassVar[tuple[str, ...]] = ("pair",)

    teacher: str = Field(
        SAME, min_length=1, description="same: the network itself; or a checkpoint, or a run's folder: a frozen network"
    )

    @property
    def separates(self) -> bool:
        """Whether it keeps people apart: with a trained teacher, who does."""
        return self.teacher != SAME

    def build(self, n_classes: int, embedding_size: int) -> ConsistencyLoss:
        """Return the loss; it has no weights."""
        from face3d_training.losses.consistency_loss import ConsistencyLoss

        return ConsistencyLoss(has_teacher=self.teacher != SAME)
