"""Center loss: pulls a person's embeddings to their centre, which follows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from face3d_training.losses.base import LossSpec
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.losses.center_loss import CenterLoss


@register
class Center(LossSpec):
    """Center loss: half the mean squared distance of embeddings to the centre of their person.

    Wen et al. 2016, A discriminative feature learning approach for deep face recognition (ECCV). It pulls embeddings
    of a person together but separates nobody, so combine it with another loss. Centres start at 0 and are moved by the
    paper's own rule (its equation 4), at the rate `alpha` and not at the optimizer's.
    """

    name: ClassVar[str] = "center"

    alpha: float = Field(0.5, gt=0, le=1, description="share of the way that a step moves centres to their samples")

    @property
    def separates(self) -> bool:
        """Whether it keeps people apart."""
        return False

    def build(self, n_classes: int, embedding_size: int) -> CenterLoss:
        """Return the loss with all centres at 0."""
        from face3d_training.losses.center_loss import CenterLoss

        return CenterLoss(n_classes, embedding_size, self.alpha)
