"""Loss module: from outputs and a batch to one number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from face3d_data.errors import RunStopped
from face3d_training.models.embedding_net import Outputs

TensorBatch = dict[str, torch.Tensor]
"""A batch as losses see it: `label` i8 (B,), 0 … classes − 1; `masked` bool (B,); `visible_ratio` f4 (B,), NaN = not
known; with `masks.pairs` also `pair` i8 (B,), the same number for the plain and the masked variant of a capture, −1 =
has no partner; of maps that are varied `map_occlusion` f4 (B, H, W), share of a cell that is
not skin; with offline triplets `triplet` i8 (T, 3), places of anchor, positive and negative in the batch."""


Number = float | torch.Tensor
"""A number, or a tensor of shape () that stays on its device until it is read."""


@dataclass(frozen=True)
class LossValue:
    """Result of a loss on a batch.

    Attributes:
        loss: scalar, differentiable; None where there was nothing to learn from (no valid triplet): no step is made.
        stats: numbers for the log, such as `valid_triplets`. A tensor that is NaN is left out when it is read.
        learns: bool (), whether there was anything to learn from, for a loss that does not want to wait for the
            device to know it; where it is False, `loss` is 0 and has no gradient. None: there was.
        checks: bool () and a message each: with the first that is False the run stops.
        number: the loss as a number, once it was read; None before, and where nothing is learnt.
    """

    loss: torch.Tensor | None
    stats: Mapping[str, Number] = field(default_factory=dict)
    learns: torch.Tensor | None = None
    checks: tuple[tuple[torch.Tensor, str], ...] = ()
    number: float | None = None

    def read(self) -> LossValue:
        """Return this value with numbers for tensors, and no loss where nothing is learnt.

        It waits for the device once, whatever the number of stats.

        Raises:
            RunStopped: a check failed.
        """
        tensors = {name: value for name, value in self.stats.items() if isinstance(value, torch.Tensor)}
        first = [] if self.loss is None else [self.loss.new_ones(()) if self.learns is None else self.learns, self.loss]
        checks = [check for check, _ in self.checks]
        numbers = _read_together([*first, *checks, *tensors.values()])
        for (_, message), holds in zip(self.checks, numbers[len(first) :], strict=False):
            if not holds:
                raise RunStopped(message)
        read = dict(zip(tensors, numbers[len(first) + len(checks) :], strict=True))
        stats = {name: read.get(name, value) for name, value in self.stats.items()}
        stats = {name: value for name, value in stats.items() if name not in read or not math.isnan(read[name])}
        learns = self.loss is not None and (self.learns is None or bool(numbers[0]))
        return LossValue(self.loss, stats, number=numbers[1]) if learns else LossValue(None, stats)


def _read_together(tensors: Sequence[torch.Tensor]) -> list[float]:
    """Return the numbers of tensors of shape () by one copy from their device."""
    if not tensors:
        return []
    exact = torch.float32 if tensors[0].device.type == "mps" else torch.float64
    return torch.stack([tensor.detach().to(exact) for tensor in tensors]).tolist()


class LossModule(nn.Module):
    """A loss with what it learns itself (class centres); `forward` is what a family writes."""

    def forward(self, outputs: Outputs, batch: TensorBatch) -> LossValue:
        """Return the loss of a whole batch."""
        raise TypeError(f"{type(self).__name__} defines no forward()")

    def class_scores(self, embedding: torch.Tensor) -> torch.Tensor | None:
        """Return f4 (B, C): how much each embedding f4 (B, E) is of each trained person; None: it has no classes.

        The order of a row's scores counts, not their size.
        """
        return None
