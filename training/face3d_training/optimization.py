"""Optimizers and the course of the learning rate, by their names in a config."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    ReduceLROnPlateau,
    StepLR,
)

from face3d_training.config import OptimizerConfig, ScheduleConfig

FIRST_SQUARE = 0.1
"""What adagrad's sum of squares begins with, as in the published triplet trainers: from 0 the first step moves every
weight by the whole rate."""
FIRST_SHARE = 1e-3
"""Share of the learning rate that a warm-up starts with."""


def make_optimizer(config: OptimizerConfig, parameters: Iterable[torch.nn.Parameter]) -> Optimizer:
    """Return torch's optimizer of that name.

    Args:
        config: which, and its numbers.
        parameters: what it moves. Without `decay_norms` those of one dimension (norms, biases, slopes of PReLU) are a
            group of their own, without weight decay.
    """
    rate, decay, momentum = config.learning_rate, config.weight_decay, config.momentum
    if momentum is None:
        momentum = 0.0 if config.name == "rmsprop" else 0.9
    made: dict[str, Any] = {
        "adam": lambda p: torch.optim.Adam(p, rate, betas=(momentum, 0.999), weight_decay=decay),
        "adamw": lambda p: torch.optim.AdamW(p, rate, betas=(momentum, 0.999), weight_decay=decay),
        "sgd": lambda p: torch.optim.SGD(p, rate, momentum=momentum, weight_decay=decay, nesterov=config.nesterov),
        "adagrad": lambda p: torch.optim.Adagrad(p, rate, weight_decay=decay, initial_accumulator_value=FIRST_SQUARE),
        "rmsprop": lambda p: torch.optim.RMSprop(p, rate, momentum=momentum, weight_decay=decay),
    }
    return made[config.name](_groups(list(parameters), config.decay_norms))


def _groups(parameters: list[torch.nn.Parameter], decay_norms: bool) -> list[Any]:
    if decay_norms:
        return list(parameters)
    layers = [parameter for parameter in parameters if parameter.ndim > 1]
    vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
    return [{"params": layers}, {"params": vectors, "weight_decay": 0.0}]


class Schedule:
    """Schedule of the learning rate: a linear warm-up, then one of torch's schedulers.

    Args:
        config: which.
        optimizer: whose rate moves.
        steps: steps of an epoch.
        epochs: epochs of the whole training.
    """

    def __init__(self, config: ScheduleConfig, optimizer: Optimizer, steps: int, epochs: int) -> None:
        self.optimizer = optimizer
        self.warmup_steps = round(config.warmup_epochs * steps)
        self.done = 0
        left = max(1, epochs * steps - self.warmup_steps)
        rates = [group["lr"] for group in optimizer.param_groups]
        self.plateau: ReduceLROnPlateau | None = None
        if config.name == "cosine":
            self.main: LRScheduler = CosineAnnealingLR(optimizer, left, eta_min=config.final * min(rates))
        elif config.name == "step":
            self.main = StepLR(optimizer, config.step_epochs * steps, config.factor)
        elif config.name == "milestones":
            # Epochs are counted from the start, as published trainers do; this scheduler begins behind the warm-up.
            behind = [epoch * steps - self.warmup_steps for epoch in config.milestones]
            self.main = MultiStepLR(optimizer, behind, config.factor)
        else:
            self.main = ConstantLR(optimizer, 1.0, left)
        if config.name == "plateau":
            # Torch's threshold is a share of the best figure: a negative one (-loss) may fall and still be a gain.
            self.plateau = ReduceLROnPlateau(optimizer, "max", config.factor, config.patience, threshold=0.0)
        # Made last: it sets the rate that the first step is made with.
        warm = self.warmup_steps
        self.warmup = LinearLR(optimizer, FIRST_SHARE, 1.0, warm) if warm else None

    def step(self) -> None:
        """Advance by one step of the optimizer."""
        self.done += 1
        if self.warmup is not None and self.done <= self.warmup_steps:
            self.warmup.step()
        else:
            self.main.step()

    def go_to(self, step: int) -> None:
        """Set the rate that a run has after that many steps of the optimizer."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch misses the optimizer's own steps, which were made elsewhere
            while self.done < step:
                self.step()

    def evaluated(self, figure: float) -> None:
        """Report the figure of an evaluation (larger is better); `plateau` lowers the rate if it does not improve."""
        if self.plateau is not None and self.done >= self.warmup_steps:
            self.plateau.step(figure)

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a checkpoint needs to continue."""
        parts = {"main": self.main, "warmup": self.warmup, "plateau": self.plateau}
        return {"done": self.done, **{name: part.state_dict() for name, part in parts.items() if part is not None}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint; with another number of epochs, as if it had been that number from the start."""
        self.done = state["done"]
        length = getattr(self.main, "T_max", None)
        for name, part in (("main", self.main), ("warmup", self.warmup), ("plateau", self.plateau)):
            if part is not None:
                part.load_state_dict(state[name])
        if isinstance(self.main, CosineAnnealingLR) and length is not None and self.main.T_max != length:
            self.main.T_max = length
            self._put_on_course(self.main)

    def _put_on_course(self, cosine: CosineAnnealingLR) -> None:
        # Torch makes each rate from the one before; past the end of a shorter course it would rise again.
        if self.done <= self.warmup_steps:
            return
        share = (1 + math.cos(math.pi * min(1.0, cosine.last_epoch / cosine.T_max))) / 2
        for group, full in zip(self.optimizer.param_groups, cosine.base_lrs, strict=True):
            group["lr"] = cosine.eta_min + (full - cosine.eta_min) * share
