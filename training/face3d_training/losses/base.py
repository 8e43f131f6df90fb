"""Base of losses' options, which build a module. Without torch, as all modules of options."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from face3d_training.registry import Spec

if TYPE_CHECKING:
    from face3d_training.losses.loss_module import LossModule


class LossSpec(Spec):
    """Options of a loss.

    Attributes:
        needs: outputs that the network must have in addition to `embedding`.
        needs_labels: arrays of the batch that it reads in addition to `label`, such as `visible_ratio`.
    """

    kind: ClassVar[str] = "loss"
    needs: ClassVar[tuple[str, ...]] = ()
    needs_labels: ClassVar[tuple[str, ...]] = ()

    @property
    def separates(self) -> bool:
        """Whether it keeps people apart: without any loss that does, all embeddings may become one."""
        return True

    weight: float = Field(1.0, ge=0, description="factor in the sum of losses")

    def build(self, n_classes: int, embedding_size: int) -> LossModule:
        """Return the loss for this number of people and this length of embeddings."""
        raise TypeError(f"{type(self).__name__} defines no build()")
