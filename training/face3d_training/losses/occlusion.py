"""Occlusion loss: a network learns to see which cells of a map show a mask instead of skin."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from face3d_training.losses.base import LossSpec
from face3d_training.registry import register

if TYPE_CHECKING:
    from face3d_training.losses.occlusion_loss import OcclusionLoss


@register
class MapOcclusion(LossSpec):
    """Cross-entropy between the occlusion that a network sees on a map and what is known of it.

    Known are masks that are drawn over maps while they are loaded (`masks.share`, `masks.pairs`), and `map_occlusion`
    of the dataset, where it holds it. It is for networks with the output `occlusion`, such as `map_part_resnet`,
    beside a loss that separates people.
    """

    name: ClassVar[str] = "occlusion"
    needs: ClassVar[tuple[str, ...]] = ("occlusion",)
    needs_labels: ClassVar[tuple[str, ...]] = ("map_occlusion",)

    @property
    def separates(self) -> bool:
        """Whether it keeps people apart."""
        return False

    def build(self, n_classes: int, embedding_size: int) -> OcclusionLoss:
        """Return the loss; it has no weights."""
        from face3d_training.losses.occlusion_loss import OcclusionLoss

        return OcclusionLoss()
