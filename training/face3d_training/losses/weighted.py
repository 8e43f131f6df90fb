"""Weighted sum of a run's losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from face3d_data.errors import UserError
from face3d_training.losses.base import LossSpec
from face3d_training.losses.loss_module import LossModule, LossValue, Number, TensorBatch
from face3d_training.losses.plain import spec_of_loss
from face3d_training.models.embedding_net import Outputs
from face3d_training.registry import make_spec


def build_losses(
    losses: Mapping[str, Mapping[str, Any]], n_classes: int, embedding_size: int, model: str = "the model"
) -> WeightedLosses:
    """Return the losses of a config as one module.

    Args:
        losses: names to options, `weight` among them, as a config's `loss` has them.
        n_classes: number of training people; labels are below it.
        embedding_size: length of the embeddings.
        model: name of the network, for messages.

    Raises:
        UserError: no loss, no such loss, or an option that is not allowed.
    """
    return WeightedLosses(loss_specs(losses), n_classes, embedding_size, model)


def loss_specs(losses: Mapping[str, Mapping[str, Any]]) -> dict[str, LossSpec]:
    """Return the options of a config's losses by their names.

    Raises:
        UserError: no loss, no such loss, or an option that is not allowed.
    """
    if not losses:
        raise UserError("loss: there is none: choose one, such as triplet")
    return {name: make_spec("loss", name, options, spec_of_loss) for name, options in losses.items()}


class WeightedLosses(LossModule):
    """The sum of losses, each times its weight, and of the network's own penalty.

    They are computed in float32 at least, whatever the precision of the network: distances between near embeddings and
    margins near a cosine of 1 vanish in half precision.
    """

    def __init__(self, specs: Mapping[str, LossSpec], n_classes: int, embedding_size: int, model: str) -> None:
        super().__init__()
        self.specs = dict(specs)
        self.model = model
        self.parts = nn.ModuleDict(
            {key_of(name): spec.build(n_classes, embedding_size) for name, spec in specs.items()}
        )

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the sum over the parts that found something to learn from; nothing is learnt if no part did.

        Stats are those of the parts as `<loss>.<stat>`, each part's own value as `<loss>.loss`, and `penalty`. A check
        stops the run where an embedding is not finite.

        Raises:
            UserError: a loss needs an output that the network lacks, or an array that the batch lacks.
        """
        outputs = {name: _full_precision(value) for name, value in outputs.items()}
        self._check(outputs, batch)
        stats: dict[str, Number] = {}
        terms, learns = [], []
        with torch.autocast(outputs["embedding"].device.type, enabled=False):
            for name, spec in self.specs.items():
                value = self.parts[key_of(name)](outputs, batch)
                stats |= {f"{name}.{stat}": number for stat, number in value.stats.items()}
                if value.loss is not None:
                    found = torch.ones_like(value.loss, dtype=torch.bool) if value.learns is None else value.learns
                    stats[f"{name}.loss"] = torch.where(found, value.loss.detach(), torch.nan)
                    terms.append(spec.weight * value.loss)
                    learns.append(found)
        checks = ((torch.isfinite(outputs["embedding"]).all(), self._not_finite()),)
        if not terms:
            return LossValue(None, stats, checks=checks)
        some = torch.stack(learns).any()
        if "penalty" in outputs:
            penalty = outputs["penalty"].mean()
            stats["penalty"] = torch.where(some, penalty.detach(), torch.nan)
            terms.append(penalty)
        return LossValue(torch.stack(terms).sum(), stats, some, checks)

    def class_scores(self, embedding: torch.Tensor) -> torch.Tensor | None:
        """Return f4 (B, C), the scores of the first loss that has classes."""
        for name in self.specs:
            part: Any = self.parts[key_of(name)]
            scores = part.class_scores(embedding.float())
            if scores is not None:
                return scores
        return None

    def _check(self, outputs: Outputs, batch: TensorBatch) -> None:
        for name, spec in self.specs.items():
            lacking = [output for output in spec.needs if output not in outputs]
            if lacking:
                raise UserError(f"loss {name}: needs the output {lacking[0]!r}, which model {self.model} does not have")
            absent = [array for array in spec.needs_labels if array not in batch]
            if absent:
                raise UserError(f"loss {name}: needs {absent[0]!r} of each sample, which the dataset does not have")

    def _not_finite(self) -> str:
        return (
            f"model {self.model}: its embeddings are not finite: lower optimizer.learning_rate, set "
            "optimizer.clip_norm, or choose precision 32-true or bf16-mixed"
        )


def key_of(name: str) -> str:
    """Return the name of a loss as a key of weights, which holds no dots: `my_package.losses:Mine` has one."""
    return name.replace(".", "/")


def _full_precision(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() and value.dtype != torch.float64 else value
