"""Occlusion loss: the module of the options in `occlusion`."""

from __future__ import annotations

import torch
from torch.nn import functional

from face3d_training.losses.loss_module import LossModule, LossValue, TensorBatch
from face3d_training.models.embedding_net import Outputs


class OcclusionLoss(LossModule):
    """The loss of `MapOcclusion`: binary cross-entropy over the cells whose occlusion is known."""

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the mean over known cells; nothing is learnt without any.

        Args:
            outputs: `occlusion` (B, h, w), logits.
            batch: `map_occlusion` f4 (B, H, W), 0 to 1, NaN = not known; cells of the map are averaged to h × w.

        Returns:
            The loss; stat `right` is the share of known cells on whose right side of 1/2 the network is.
        """
        logits = outputs["occlusion"]
        given, size = batch["map_occlusion"].to(logits.dtype), (logits.shape[1], logits.shape[2])
        target = functional.adaptive_avg_pool2d(given[:, None], size)[:, 0]
        known = ~torch.isnan(target)
        target, count = target.nan_to_num(), known.sum().clamp(min=1)
        each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
        right = known & ((logits.detach() > 0) == (target > 0.5))
        return LossValue((known * each).sum() / count, {"right": right.sum() / count}, known.any())
