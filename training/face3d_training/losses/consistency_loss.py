"""Consistency loss: the module of the options in `consistency`."""

from __future__ import annotations

import torch
from torch.nn import functional

from face3d_data.errors import UserError
from face3d_training.losses.loss_module import LossModule, LossValue, TensorBatch
from face3d_training.models.embedding_net import Outputs


class ConsistencyLoss(LossModule):
    """The loss of `Consistency`.

    Args:
        has_teacher: the batch has `teacher_embedding`, of a frozen network, f4 (B, E), unit length; it is looked at for
            plain faces alone.
    """

    def __init__(self, has_teacher: bool) -> None:
        super().__init__()
        self.has_teacher = has_teacher

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the mean over all samples with a plain partner; nothing is learnt without such a pair.

        Stat `pairs` is the number of masked faces with a partner.

        Raises:
            UserError: there is to be a teacher, and the batch has no embeddings of it, or some of another length.
        """
        embedding, pair, masked = outputs["embedding"], batch["pair"], batch["masked"]
        target = functional.normalize(self._teacher(batch, embedding).detach().to(embedding.dtype), dim=1)
        # (B, B): the plain partner of each row, by comparison: a list of pairs would have to wait for the device.
        partner = (pair[:, None] == pair[None, :]) & (pair >= 0)[:, None] & ~masked[None, :]
        in_pairs = partner & masked[:, None]
        pairs = in_pairs.sum()
        has_pair = in_pairs.any(0)
        if self.has_teacher:
            in_pairs = in_pairs | (torch.diag(has_pair) & partner)
        cosine = functional.normalize(embedding, dim=1) @ target.T
        loss = torch.where(in_pairs, 1 - cosine, 0).sum() / in_pairs.sum().clamp(min=1)
        return LossValue(loss, {"pairs": pairs}, pairs > 0)

    def _teacher(self, batch: TensorBatch, embedding: torch.Tensor) -> torch.Tensor:
        if not self.has_teacher:
            return embedding
        if "teacher_embedding" not in batch:
            raise UserError("loss consistency: the batch has no 'teacher_embedding': train with face3d train")
        found = batch["teacher_embedding"]
        if found.shape != embedding.shape:
            raise UserError(
                f"loss.consistency.teacher: its embeddings have {found.shape[1]} numbers and those of the model "
                f"{embedding.shape[1]}: set model.embedding_size to {found.shape[1]}"
            )
        return found
